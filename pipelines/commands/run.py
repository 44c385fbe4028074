"""``monazite run``: the nightly job in this process, on the warehouse's Dagster instance."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines.catalog import load_catalog
from pipelines.commands.display import Screen, say, show_table, table_of
from pipelines.commands.home import prepare_dagster_home, read_settings
from pipelines.errors import BuildFailed
from pipelines.night import read_plan
from pipelines.progress import collecting, listening
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.ingest import IngestResult

__all__ = ["results_table", "run_night"]

#: Steps that announce themselves beside one a source: compare, build, check, release.
_OTHER_STEPS = 4


def run_night(console: Console, *, live: bool, sources: Sequence[str], as_of: date | None) -> int:
    """Run the nightly job and print what became of every edition.

    :returns: 0, or 1 where the build or a check failed (the last release then stays).
    :raises UsageError: a source does not exist.
    :raises BuildFailed: the job failed; the message says at which step and why.
    """
    settings = read_settings()
    catalog = load_catalog()
    for source in sources:
        catalog.source(source)
    prepare_dagster_home(settings)
    log = settings.dagster_dir / "run.log"
    with (
        _bar(console, len(catalog.sources) + _OTHER_STEPS),
        collecting() as results,
        log.open("w", encoding="utf-8") as output,
        contextlib.redirect_stdout(output),
    ):
        outcome = _execute(settings, live=live, sources=sources, as_of=as_of)
    brought: list[Any] = list(results)
    show_table(console, results_table(brought))
    for result in brought:
        if result.refused:
            say(console, f"refused: {result.edition_id}: {result.refused}", style="yellow")
    if not outcome.success:
        raise BuildFailed(
            _why(outcome),
            where=str(log),
            remedy="the last release stays; `monazite ui` shows the run, --debug the traceback",
        )
    plan = read_plan(settings)
    said = "made" if plan.is_due else "is current, nothing new"
    say(console, f"release {plan.release_id} {said}: {settings.release_dir / 'current'}")
    return 0


@contextlib.contextmanager
def _bar(console: Console, steps: int) -> Any:
    """A bar on a terminal, a line a step elsewhere.

    It keeps to the stream of the console as it is now: while the job runs, standard output goes to
    a log.
    """
    stream = console.file
    if not console.is_terminal:
        with listening(lambda what: print(what, file=stream, flush=True)):
            yield
        return
    columns = (SpinnerColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(
        *columns,
        console=Screen(file=stream),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        task = progress.add_task("starting", total=steps)
        with listening(lambda what: progress.update(task, advance=1, description=what)):
            yield


def _execute(settings: Settings, *, live: bool, sources: Sequence[str], as_of: date | None) -> Any:
    with warnings.catch_warnings():
        # Dagster announces beta features as warnings; they mean nothing to who runs a night.
        warnings.simplefilter("ignore")
        import dagster as dg

        from pipelines.definitions import build_definitions

        options = {
            "live": live,
            "sources": list(sources),
            "as_of": as_of.isoformat() if as_of else "",
        }
        with dg.DagsterInstance.get() as instance:
            job = build_definitions(settings).resolve_job_def("nightly")
            return job.execute_in_process(
                instance=instance,
                raise_on_error=False,
                run_config={
                    "resources": {"warehouse": {"config": options}},
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                },
            )


def results_table(results: Iterable[IngestResult]) -> Table:
    """One row an edition: source, edition, rows, quarantined, changed."""
    table = table_of("source", "edition", "rows", "quarantined", "changed")
    for result in results:
        state = "refused" if result.refused else ("yes" if result.changed else "no")
        table.add_row(
            result.source_id,
            result.edition_id,
            f"{result.rows:,}",
            f"{result.quarantined:,}",
            state,
        )
    return table


def _why(outcome: Any) -> str:
    """The first failed step and the heart of its message."""
    for event in outcome.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error.cause is not None:
                error = error.cause
            data = event.step_failure_data.user_failure_data
            message = data.description if data and data.description else error.message
            return f"step {event.step_key} failed: {_heart(message)}"
    return "the run failed"


def _heart(message: str) -> str:
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if any("blocking asset check" in line for line in lines):
        return " ".join(lines).split("ERROR severity:", 1)[-1].strip()[:600]
    telling = [line for line in lines if "Error" in line or "Failure" in line or "FAIL" in line]
    return " / ".join((telling or lines)[:4])[:600]
