"""The one form that all publishers' assets have: bring in what is new, report each raw table."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from pipelines.catalog import load_catalog
from pipelines.errors import FetchFailed, MonaziteError
from pipelines.ingest import IngestResult
from pipelines.night import bring_in
from pipelines.progress import announce, hand_in
from pipelines.resources import Warehouse
from pipelines.sources import load_source

__all__ = ["publisher_assets"]

_CHECK = "editions_accepted"


def publisher_assets(source_id: str, group: str) -> dg.AssetsDefinition:
    """The raw tables of one publisher as one step.

    The step asks the publisher (live) or reads the archive, lets every new edition in or refuses
    it, and reports the state of each table. A refused edition is a failed check, not a failed
    step: the others go on. Only a publisher that cannot be reached is tried again.
    """
    source = load_catalog().source(source_id)
    tables = load_source(source_id).TABLES
    specs = [
        dg.AssetSpec(
            table,
            group_name=group,
            kinds={"polars", "parquet"},
            description=f"{source.title} ({source.publisher}): {table.split('__', 1)[1]}.",
            metadata={
                "licence": source.licence.name,
                "redistribution": source.licence.redistribution.value,
                "cadence": source.cadence,
                "homepage": dg.MetadataValue.url(source.homepage),
            },
        )
        for table in tables
    ]
    check = dg.AssetCheckSpec(
        _CHECK, asset=specs[0].key, description="No edition of this publisher was refused."
    )

    @dg.multi_asset(
        name=source_id,
        specs=specs,
        check_specs=[check],
        retry_policy=dg.RetryPolicy(
            max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
        ),
    )
    def _assets(
        context: dg.AssetExecutionContext, warehouse: Warehouse
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        announce(f"reading {source_id}")
        try:
            results = bring_in(
                warehouse.settings,
                warehouse.catalog,
                source_id,
                live=warehouse.live and warehouse.wants(source_id),
            )
        except FetchFailed:
            raise
        except MonaziteError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        hand_in(results)
        accepted = [r for r in results if r.refused is None]
        refused = [r for r in results if r.refused is not None]
        for result in refused:
            context.log.warning(f"{result.edition_id}: {result.refused}")
        for table in tables:
            yield dg.MaterializeResult(
                asset_key=table,
                metadata=_metadata(table, accepted),
                data_version=_data_version(accepted),
            )
        yield dg.AssetCheckResult(
            asset_key=specs[0].key,
            check_name=_CHECK,
            passed=not refused,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={r.edition_id: str(r.refused) for r in refused},
        )

    return _assets


def _data_version(accepted: list[IngestResult]) -> dg.DataVersion:
    """The same as long as the same editions are held."""
    return dg.DataVersion("-".join((r.digest or "")[:12] for r in accepted) or "empty")


def _metadata(table: str, accepted: list[IngestResult]) -> dict[str, dg.MetadataValue[Any]]:
    """Editions, rows, hashes and the first rows of the newest edition that was read."""
    shown = next((r.preview[table] for r in reversed(accepted) if table in r.preview), None)
    return {
        "editions": dg.MetadataValue.json([r.edition_id for r in accepted]),
        "changed": dg.MetadataValue.bool(any(r.changed for r in accepted)),
        "dagster/row_count": dg.MetadataValue.int(sum(r.tables.get(table, 0) for r in accepted)),
        "quarantined": dg.MetadataValue.int(sum(r.quarantined for r in accepted)),
        "sha256": dg.MetadataValue.json({r.edition_id: r.digest for r in accepted}),
        "preview": dg.MetadataValue.md(_markdown(shown)),
    }


def _markdown(frame: pl.DataFrame | None) -> str:
    if frame is None or frame.is_empty():
        return "nothing was read in this run"
    with pl.Config(
        tbl_formatting="ASCII_MARKDOWN",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_cols=-1,
        fmt_str_lengths=60,
    ):
        return str(frame)
