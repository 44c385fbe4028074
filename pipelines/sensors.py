"""What starts a run, or tells somebody, when something happens."""

from __future__ import annotations

import json
from collections.abc import Iterable

import dagster as dg

from pipelines.alerts import newly_stale, send
from pipelines.catalog import load_catalog
from pipelines.ingest.visits import stale_sources
from pipelines.jobs import nightly, observe_publishers
from pipelines.night import digests, release_is_due
from pipelines.run_events import BY_COMMAND, alerts_of
from pipelines.settings import Settings
from pipelines.sources import load_source

__all__ = ["archive_changed", "run_failed", "run_succeeded", "targets"]


def targets(graph: dg.AssetGraph, changed: Iterable[str]) -> list[dg.AssetKey]:
    """What ``nightly`` has to make: raw tables of changed sources, and all that hangs on them.

    :param graph: of the definitions.
    :param changed: source ids.
    """
    raw = {
        dg.AssetKey(table): source
        for source in load_catalog().sources
        for table in load_source(source).TABLES
    }
    wanted = set(changed)
    everything = nightly.selection.resolve(graph)
    return sorted(key for key in everything if key not in raw or raw[key] in wanted)


@dg.sensor(
    job=nightly,
    minimum_interval_seconds=60,
    description="The archive holds something that no release is made of: build and release.",
)
def archive_changed(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run on what has changed since the last request, be it fetched or imported."""
    settings, catalog = Settings(), load_catalog()
    last = json.loads(context.cursor) if context.cursor else {}
    identity, is_due = release_is_due(settings, catalog)
    now = digests(settings, catalog)
    if not is_due:
        context.update_cursor(json.dumps({"release": identity, "digests": now}))
        return dg.SkipReason("the current release holds what the archive holds")
    if last.get("release") == identity:
        return dg.SkipReason("asked for already")
    before = last.get("digests", {})
    changed = [source for source, digest in now.items() if before.get(source) != digest]
    context.update_cursor(json.dumps({"release": identity, "digests": now}))
    graph = context.repository_def.asset_graph if context.repository_def else None
    return dg.RunRequest(
        run_key=identity,
        asset_selection=targets(graph, changed) if graph is not None else None,
    )


def _is_ours(context: dg.RunStatusSensorContext) -> bool:
    """Whether somebody else tells of this run."""
    return dict(context.dagster_run.tags).items() >= BY_COMMAND.items()


def _tell(context: dg.RunStatusSensorContext) -> None:
    run = context.dagster_run
    records = context.instance.all_logs(run.run_id)
    events = [record.dagster_event for record in records if record.dagster_event is not None]
    settings = Settings()
    alerts = alerts_of(run.job_name, events)
    alerts += newly_stale(settings, stale_sources(settings, load_catalog()))
    send(settings, alerts)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[observe_publishers, nightly],
    description="Tell of failed checks, stale sources and releases.",
)
def run_succeeded(context: dg.RunStatusSensorContext) -> None:
    """Send the alerts of a run that went through."""
    if not _is_ours(context):
        _tell(context)


@dg.run_failure_sensor(description="Tell of every run that failed, backfills too.")
def run_failed(context: dg.RunFailureSensorContext) -> None:
    """Send the alerts of a run that failed."""
    if not _is_ours(context):
        _tell(context)
