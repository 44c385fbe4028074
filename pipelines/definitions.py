"""The one place where everything is wired."""

from __future__ import annotations

from importlib import import_module

import dagster as dg

from pipelines.catalog import load_catalog
from pipelines.jobs import nightly, observe_publishers
from pipelines.resources import Warehouse, dbt_project, dbt_resource
from pipelines.schedules import every_night
from pipelines.sensors import archive_changed, run_failed, run_succeeded
from pipelines.settings import Settings

__all__ = ["build_definitions", "defs"]


def build_definitions(
    settings: Settings | None = None, *, warehouse: Warehouse | None = None
) -> dg.Definitions:
    """All assets, checks, jobs, schedules, sensors and resources.

    :param settings: where things are kept; from the environment where None.
    :param warehouse: options of the night, for tests; as configured in the run where None.
    """
    from assets.editions import editions
    from assets.release import release_asset
    from assets.warehouse import warehouse_assets
    from quality.checks import quality_checks

    settings = settings or Settings()
    project = dbt_project(settings)
    publishers = [
        made
        for source in load_catalog().sources
        for made in getattr(import_module(f"assets.{source}"), source)
    ]
    models = warehouse_assets(project)
    released = [
        key
        for key in models.keys
        if key.path[-1].startswith(("dim_", "ref_", "fct_", "mart_", "view_"))
    ]
    return dg.Definitions(
        assets=[
            *publishers,
            editions,
            models,
            release_asset(released),
        ],
        asset_checks=[quality_checks()],
        jobs=[observe_publishers, nightly],
        schedules=[every_night],
        sensors=[archive_changed, run_succeeded, run_failed],
        resources={
            "warehouse": warehouse or Warehouse.configure_at_launch(),
            "dbt": dbt_resource(settings, project),
        },
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What Dagster loads."""
    return build_definitions()
