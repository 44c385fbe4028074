"""The finished release: built beside the last one, then switched to in one step."""

from collections.abc import Iterator

import dagster as dg

from pipelines.ingest.visits import stale_sources
from pipelines.night import read_plan
from pipelines.progress import announce
from pipelines.publish.release import make_release
from pipelines.resources import Warehouse, dbt_project

__all__ = ["release_asset"]


def release_asset(tables: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset ``release``.

    :param tables: every table that a release holds; it waits for all of them and their checks.
    """

    @dg.multi_asset(
        name="release",
        specs=[
            dg.AssetSpec(
                "release",
                group_name="release",
                deps=tables,
                kinds={"duckdb", "parquet"},
                description="DuckDB, Parquet, data package and dictionary; what readers open.",
                skippable=True,
            )
        ],
    )
    def _release(
        context: dg.AssetExecutionContext, warehouse: Warehouse
    ) -> Iterator[dg.MaterializeResult[None]]:
        settings = warehouse.settings
        plan = read_plan(settings)
        if not plan.is_due:
            context.log.info("nothing new: no release is made")
            return
        announce("making the release")
        manifest = dbt_project(settings).manifest_path
        stale = stale_sources(settings, warehouse.catalog)
        info = make_release(settings, warehouse.catalog, plan.release_id, manifest, stale=stale)
        yield dg.MaterializeResult(
            asset_key="release",
            metadata={
                "release_id": info.release_id,
                "path": dg.MetadataValue.path(info.path),
                "editions": dg.MetadataValue.json(plan.edition_ids),
                "stale": dg.MetadataValue.json(stale),
                "dagster/row_count": sum(t.rows for t in info.tables.values()),
            },
            data_version=dg.DataVersion(info.release_id),
        )

    return _release
