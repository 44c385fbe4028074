"""What the archive holds, as tables, and whether a new release is due."""

from collections.abc import Iterator

import dagster as dg

from pipelines.catalog import load_catalog
from pipelines.night import prepare_build
from pipelines.progress import announce
from pipelines.resources import Warehouse
from pipelines.sources import load_source

__all__ = ["editions"]

_TABLES = ("raw_monazite__edition", "raw_monazite__document", "raw_monazite__source")
_RAW = [table for source in load_catalog().sources for table in load_source(source).TABLES]


@dg.multi_asset(
    name="editions",
    specs=[
        dg.AssetSpec(
            table,
            group_name="editions",
            deps=_RAW,
            kinds={"parquet"},
            description=f"The archive's {table.split('__', 1)[1]}s, for SQL.",
        )
        for table in _TABLES
    ],
)
def editions(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult[None]]:
    """Choose the editions of this build and tell whether they differ from the last release."""
    announce("comparing with the last release")
    plan = prepare_build(warehouse.settings, warehouse.catalog, as_of=warehouse.as_of_date)
    context.log.info(
        f"release {plan.release_id}: " + ("due" if plan.is_due else "nothing new, none is made")
    )
    for table in _TABLES:
        yield dg.MaterializeResult(
            asset_key=table,
            metadata={
                "release_id": plan.release_id,
                "release_due": plan.is_due,
                "editions": dg.MetadataValue.json(plan.edition_ids),
            },
            data_version=dg.DataVersion(plan.release_id),
        )
