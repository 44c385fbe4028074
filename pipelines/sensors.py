"""What starts a run when something happens."""

from __future__ import annotations

import dagster as dg

from pipelines.archive.fingerprint import release_id
from pipelines.catalog import load_catalog
from pipelines.jobs import nightly
from pipelines.settings import Settings

__all__ = ["archive_changed"]


@dg.sensor(
    job=nightly,
    minimum_interval_seconds=60,
    description="A person imported a document: build and release without waiting for the night.",
)
def archive_changed(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run (not live) when the archive differs from what was last seen."""
    now = release_id(Settings(), load_catalog())
    if context.cursor == now:
        return dg.SkipReason("the archive is as it was")
    is_first_look = context.cursor is None
    context.update_cursor(now)
    if is_first_look:
        return dg.SkipReason("first look at the archive")
    return dg.RunRequest(run_key=now)
