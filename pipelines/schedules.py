"""When jobs run by themselves."""

from __future__ import annotations

import dagster as dg

from pipelines.jobs import observe_publishers

__all__ = ["every_night"]

#: 02:00 UTC: after the American and before the Asian working day. Of nights that were missed while
#: the daemon was off, Dagster makes up for the last when it is back; it asks for all that is new.
every_night = dg.ScheduleDefinition(
    name="every_night",
    job=observe_publishers,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    run_config={"resources": {"warehouse": {"config": {"live": True}}}},
    description="The night: ask every publisher. What is new is built by `archive_changed`.",
)
