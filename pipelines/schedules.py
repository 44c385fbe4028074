"""When jobs run by themselves."""

from __future__ import annotations

import dagster as dg

from pipelines.jobs import nightly

__all__ = ["every_night"]

#: 02:00 UTC: after the American and before the Asian working day. Asks the publishers.
every_night = dg.ScheduleDefinition(
    name="every_night",
    job=nightly,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    run_config={"resources": {"warehouse": {"config": {"live": True}}}},
    description="The night: ask every publisher and make a release if anything changed.",
)
