"""What a finished Dagster run says: why it failed, which checks failed, what it released."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

from pipelines.alerts import Alert, Event

__all__ = ["BY_COMMAND", "alerts_of", "why_it_failed"]

#: Tag of runs that ``monazite run`` executes itself; it sends their alerts.
BY_COMMAND = {"monazite/by": "command"}
_REACHED = "publisher_reached"


def why_it_failed(events: Iterable[dg.DagsterEvent]) -> str | None:
    """The first failed step and the heart of its message; None where no step failed."""
    for event in events:
        if event.is_step_failure:
            data = event.step_failure_data
            error = data.error
            while error is not None and error.cause is not None:
                error = error.cause
            told = data.user_failure_data
            message = (told.description if told else None) or (error.message if error else "")
            return f"step {event.step_key} failed: {_heart(message)}"
    return None


def _heart(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if any("blocking asset check" in line for line in lines):
        return " ".join(lines).split("ERROR severity:", 1)[-1].strip()[:600]
    telling = [line for line in lines if "Error" in line or "Failure" in line or "FAIL" in line]
    return " / ".join((telling or lines)[:4])[:600]


def alerts_of(job: str, events: Iterable[dg.DagsterEvent]) -> list[Alert]:
    """What the one on duty is to be told of a run, staleness apart.

    A publisher that could not be reached is told of as stale, not as a failed check.
    """
    events = list(events)
    alerts: list[Alert] = []
    why = why_it_failed(events)
    if why is not None or any(event.is_failure for event in events):
        alerts.append(Alert(Event.RUN_FAILED, f"{job} failed", why or "no step says why"))
    failed: dict[str, str] = {}
    for event in events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed and check.check_name != _REACHED:
                name = f"{check.check_name} of {check.asset_key.to_user_string()}"
                failed[name] = "; ".join(f"{k}: {v.value}" for k, v in check.metadata.items())[:600]
        elif event.is_step_materialization and event.asset_key == dg.AssetKey("release"):
            made = event.step_materialization_data.materialization.metadata.get("release_id")
            alerts.append(Alert(Event.RELEASE_MADE, f"release {made.value if made else ''} made"))
    if failed:
        count = len(failed)
        alerts.append(
            Alert(
                Event.CHECK_FAILED,
                f"{count} check{'' if count == 1 else 's'} failed: {', '.join(sorted(failed))}",
                "\n".join(f"{name}: {detail}" for name, detail in sorted(failed.items())),
            )
        )
    return alerts
