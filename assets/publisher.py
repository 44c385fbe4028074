"""The one form that all publishers' assets have.

================== =============================================================================
``<source>``       the publisher itself: observed every night (asked, and what it has is archived)
``raw_<source>__`` its raw tables: materialised when an observation brought something new
``archive_<source>`` what the archive holds of it, a partition a year or an edition; to materialise
                   one asks the publisher for just that (a backfill)
================== =============================================================================
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl

from pipelines.catalog import Source, load_catalog
from pipelines.errors import MonaziteError
from pipelines.ingest import IngestResult
from pipelines.night import Observation, asks_by, bring_in, can_fetch, observe
from pipelines.progress import announce, hand_in
from pipelines.resources import Warehouse
from pipelines.settings import Settings
from pipelines.sources import load_source
from pipelines.sources.allowance import QuotaSpent

__all__ = ["BACKFILL_GROUP", "PUBLISHER_GROUP", "publisher_assets", "show_known_partitions"]

PUBLISHER_GROUP = "publishers"
BACKFILL_GROUP = "archive"

_REACHED = "publisher_reached"
_ACCEPTED = "editions_accepted"
_PREVIEW_ROWS = 5


def publisher_assets(source_id: str, group: str) -> list[dg.AssetsDefinition]:
    """The assets of one publisher.

    :param group: of its raw tables.
    """
    source = load_catalog().source(source_id)
    made = [_publisher(source), _raw_tables(source, group)]
    if can_fetch(source_id) and asks_by(source_id) is not None:
        made.append(_archive(source))
    return made


def _publisher(source: Source) -> dg.AssetsDefinition:
    """The observation: ask (live) or look at the archive, let new editions in or refuse them.

    A publisher that cannot be reached and an edition that is refused are failed checks, not failed
    steps: the others go on.
    """
    key = dg.AssetKey(source.source_id)

    @dg.multi_observable_source_asset(  # type: ignore[untyped-decorator]
        name=f"observe_{source.source_id}",
        specs=[
            dg.AssetSpec(
                key,
                group_name=PUBLISHER_GROUP,
                kinds={"http"} if can_fetch(source.source_id) else {"file"},
                description=f"{source.title} ({source.publisher}).",
                metadata={
                    "licence": source.licence.name,
                    "redistribution": source.licence.redistribution.value,
                    "cadence": source.cadence,
                    "homepage": dg.MetadataValue.url(source.homepage),
                },
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(
                _REACHED,
                asset=key,
                description="The publisher gave all that it offers when it was last asked.",
            ),
            dg.AssetCheckSpec(
                _ACCEPTED, asset=key, description="No edition of this publisher was refused."
            ),
        ],
    )
    def _observed(
        context: dg.AssetExecutionContext, warehouse: Warehouse
    ) -> Iterator[dg.ObserveResult | dg.AssetCheckResult]:
        announce(f"reading {source.source_id}")
        seen = _observe(
            context,
            warehouse,
            source,
            years=warehouse.years or None,
            editions=warehouse.editions or None,
        )
        hand_in([seen])
        yield dg.ObserveResult(
            asset_key=key,
            data_version=dg.DataVersion(seen.digest),
            metadata={
                "asked": seen.is_asked,
                "changed": seen.is_changed,
                "editions": dg.MetadataValue.json(
                    [r.edition_id for r in seen.results if r.refused is None]
                ),
            },
        )
        refused = [r for r in seen.results if r.refused is not None]
        lacking = {
            r.edition_id: r.refused for r in refused if r.is_not_brought and not r.is_put_off
        }
        if seen.error is not None and seen.is_asked and not isinstance(seen.error, QuotaSpent):
            lacking["all"] = str(seen.error)
        yield _check(_REACHED, key, lacking)
        yield _check(
            _ACCEPTED, key, {r.edition_id: r.refused for r in refused if not r.is_not_brought}
        )

    made: dg.AssetsDefinition = _observed
    return made


def _observe(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    source: Source,
    *,
    years: list[int] | None = None,
    editions: list[str] | None = None,
) -> Observation:
    try:
        seen = observe(
            warehouse.settings,
            warehouse.catalog,
            source.source_id,
            live=warehouse.live and warehouse.wants(source.source_id),
            years=years,
            editions=editions,
        )
    except MonaziteError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    if seen.error is not None:
        context.log.warning(str(seen.error))
    for result in seen.results:
        if result.refused is not None:
            context.log.warning(f"{result.edition_id}: {result.refused}")
        for note in result.notes:
            context.log.info(f"{result.edition_id}: {note}")
    _note_partitions(context, source, seen.results)
    return seen


def _check(name: str, key: dg.AssetKey, problems: dict[str, str | None]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=name,
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={what: str(why) for what, why in problems.items()},
    )


def _raw_tables(source: Source, group: str) -> dg.AssetsDefinition:
    tables = load_source(source.source_id).TABLES
    policy = None
    if source.stale_after_days is not None:
        policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=source.stale_after_days))
    specs = [
        dg.AssetSpec(
            table,
            deps=[source.source_id],
            group_name=group,
            kinds={"polars", "parquet"},
            description=f"{source.title} ({source.publisher}): {table.split('__', 1)[1]}.",
            freshness_policy=policy,
        )
        for table in tables
    ]

    @dg.multi_asset(name=f"read_{source.source_id}", specs=specs)
    def _read(warehouse: Warehouse) -> Iterator[dg.MaterializeResult[None]]:
        announce(f"raw tables of {source.source_id}")
        try:
            results = bring_in(warehouse.settings, warehouse.catalog, source.source_id, live=False)
        except MonaziteError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        accepted = [r for r in results if r.refused is None]
        for table in tables:
            yield dg.MaterializeResult(
                asset_key=table,
                metadata=_metadata(warehouse.settings, table, accepted),
                data_version=_data_version(accepted),
            )

    return _read


def _data_version(accepted: list[IngestResult]) -> dg.DataVersion:
    """The same as long as the same editions are held."""
    return dg.DataVersion("-".join((r.digest or "")[:12] for r in accepted) or "empty")


def _metadata(
    settings: Settings, table: str, accepted: list[IngestResult]
) -> dict[str, dg.MetadataValue[Any]]:
    """Editions, rows, hashes and the first rows of the newest edition that has any."""
    return {
        "editions": dg.MetadataValue.json([r.edition_id for r in accepted]),
        "dagster/row_count": dg.MetadataValue.int(sum(r.tables.get(table, 0) for r in accepted)),
        "quarantined": dg.MetadataValue.int(sum(r.quarantined for r in accepted)),
        "sha256": dg.MetadataValue.json({r.edition_id: r.digest for r in accepted}),
        "preview": dg.MetadataValue.md(_preview(settings, table, accepted)),
    }


def _preview(settings: Settings, table: str, accepted: list[IngestResult]) -> str:
    newest = next((r for r in reversed(accepted) if r.tables.get(table)), None)
    file = settings.raw_dir / table / f"{newest.edition_id}.parquet" if newest else None
    if file is None or not file.is_file():
        return "no rows"
    with pl.Config(
        tbl_formatting="ASCII_MARKDOWN",
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_cols=-1,
        fmt_str_lengths=60,
    ):
        return str(pl.read_parquet(file, n_rows=_PREVIEW_ROWS))


# Backfills


def _partitions_name(source_id: str) -> str:
    """Of the dynamic partitions of a publisher that is asked by edition."""
    return f"{source_id}_editions"


def _partitions(source: Source) -> dg.PartitionsDefinition[Any]:
    if asks_by(source.source_id) == "editions":
        return dg.DynamicPartitionsDefinition(name=_partitions_name(source.source_id))
    first = source.api.first_year or 2000
    return dg.TimeWindowPartitionsDefinition(
        cron_schedule="0 0 1 1 *", start=f"{first}-01-01", fmt="%Y-%m-%d", end_offset=1
    )


def _archive(source: Source) -> dg.AssetsDefinition:
    """Years or editions in the archive; to materialise one asks the publisher for it."""
    key = f"archive_{source.source_id}"
    by = asks_by(source.source_id)

    @dg.asset(
        name=key,
        group_name=BACKFILL_GROUP,
        deps=[source.source_id],
        partitions_def=_partitions(source),
        backfill_policy=dg.BackfillPolicy.multi_run(),
        kinds={"http"},
        description=(
            f"{source.title}: what the archive holds, by {'year' if by == 'years' else 'edition'}. "
            "Materialise a partition to ask the publisher for it."
        ),
    )
    def _backfill(
        context: dg.AssetExecutionContext, warehouse: Warehouse
    ) -> dg.MaterializeResult[None]:
        partition = context.partition_key
        asked = warehouse.model_copy(update={"live": True, "sources": []})
        seen = (
            _observe(context, asked, source, years=[int(partition[:4])])
            if by == "years"
            else _observe(context, asked, source, editions=[partition])
        )
        if seen.error is not None:
            raise dg.Failure(str(seen.error), allow_retries=False) from seen.error
        return dg.MaterializeResult(
            metadata={"editions": dg.MetadataValue.json([r.edition_id for r in seen.results])},
            data_version=dg.DataVersion(seen.digest),
        )

    return _backfill


def show_known_partitions(instance: dg.DagsterInstance) -> None:
    """Let the UI offer the editions that the catalogue knows, before anybody was asked."""
    for source in load_catalog().sources.values():
        if can_fetch(source.source_id) and asks_by(source.source_id) == "editions":
            labels = [edition.label for edition in source.editions]
            instance.add_dynamic_partitions(_partitions_name(source.source_id), labels)


def _note_partitions(
    context: dg.AssetExecutionContext, source: Source, results: list[IngestResult]
) -> None:
    """Show the editions that are held as partitions, new ones as materialised."""
    if not can_fetch(source.source_id) or asks_by(source.source_id) is None:
        return
    by = asks_by(source.source_id)
    if by == "editions":
        labels = {r.label for r in results} | {e.label for e in source.editions}
        context.instance.add_dynamic_partitions(_partitions_name(source.source_id), sorted(labels))
    if context.has_partition_key:
        return
    for result in results:
        partition = result.label if by == "editions" else _year_partition(result.label)
        if result.changed and result.refused is None and partition is not None:
            context.log_event(
                dg.AssetMaterialization(
                    f"archive_{source.source_id}",
                    partition=partition,
                    metadata={"edition": result.edition_id, "rows": result.rows},
                )
            )


def _year_partition(label: str) -> str | None:
    """The partition of a label that ends in a year (``2024``, ``A2022``)."""
    year = label[-4:]
    this_year = datetime.now(UTC).year
    return f"{year}-01-01" if year.isdigit() and 1900 < int(year) <= this_year else None
