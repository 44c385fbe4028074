"""Where the United States import from: shares by country over four years.

Only the long file (2026 and later) holds them as a table: a row a country, of one product of a
commodity, in percent, rounded. At most four or five countries are named, the rest stand together
as "Other countries"; the country is that of shipping, not of origin. Releases until 2025 hold no
import shares: their trend figures name main sources without figures.
"""

from __future__ import annotations

import polars as pl

from pipelines.catalog import Edition
from pipelines.sources.base import CELL_COLUMNS, QUARANTINE_REASON, TableSpec
from pipelines.sources.labels import clean
from pipelines.sources.tokens import parse_values
from pipelines.sources.usgs_mcs.countries import resolve_countries
from pipelines.sources.usgs_mcs.layouts import ROW_NUMBER, Layout, Sheet, in_section
from pipelines.sources.usgs_mcs.salient import WORDS, placed, resolve_commodities
from pipelines.sources.usgs_mcs.salient_grammar import Vocabulary, fold

__all__ = ["IMPORT_SOURCES", "TABLES", "read"]

IMPORT_SOURCES = "raw_usgs_mcs__import_sources"

TABLES: dict[str, TableSpec] = {
    IMPORT_SOURCES: TableSpec(
        columns={
            **CELL_COLUMNS,
            "chapter_text": pl.String(),
            "commodity_text": pl.String(),
            "commodity_label": pl.String(),
            "detail_text": pl.String(),
            "country_text": pl.String(),
            "country_label": pl.String(),
            "unit_text": pl.String(),
            "period_text": pl.String(),
            "period_start": pl.Int32(),
            "period_end": pl.Int32(),
            "note_text": pl.String(),
            "basis_text": pl.String(),
            "critical_text": pl.String(),
        },
        key=("commodity_label", "detail_text", "country_label", "period_text"),
    )
}

#: ``2021–24``, ``2021-2024``, ``2019–2022``; a single year is a period of its own.
_PERIOD = r"^\s*((?:19|20)\d{2})(?:\s*[-–—]\s*((?:19|20)?\d{2}))?\s*$"


def read(edition: Edition, sheet: Sheet) -> dict[str, pl.DataFrame]:
    """The import sources of a table of the data release; none if it holds none.

    :returns: ``{"raw_usgs_mcs__import_sources": rows}`` with ``quarantine_reason``.
    :raises UnknownLabel: a commodity or country is in no map.
    """
    if sheet.layout is not Layout.LONG:
        return {}
    place = next(c for c, name in sheet.columns.items() if fold(name) == "value")
    cells = (
        sheet.long()
        .filter(in_section("import_sources"))
        .select(
            ROW_NUMBER,
            pl.lit(int(place[1:]), pl.Int32).alias("column_number"),
            pl.lit(sheet.columns[place]).alias("column_name"),
            pl.col("value").alias("value_text"),
            pl.col("mcs_chapter").alias("chapter_text"),
            pl.col("commodity").alias("commodity_text"),
            clean(pl.col("statistics_detail")).alias("detail_text"),
            pl.col("country").alias("country_text"),
            pl.col("unit").alias("unit_text"),
            pl.col("year").alias("period_text"),
            pl.col("notes").alias("note_text"),
            pl.col("other_notes").alias("basis_text"),
            pl.col("is_critical_mineral").alias("critical_text"),
        )
    )
    if cells.is_empty():
        return {}
    cells = resolve_commodities(edition, Vocabulary.load(), placed(edition, sheet, cells))
    cells = resolve_countries(cells, "country_text", edition=edition)
    start = pl.col("period_text").str.extract(_PERIOD, 1)
    end = pl.col("period_text").str.extract(_PERIOD, 2)
    century = pl.when(end.str.len_chars() == 2).then(start.str.slice(0, 2)).otherwise(pl.lit(""))
    cells = parse_values(
        cells.with_columns(
            start.cast(pl.Int32, strict=False).alias("period_start"),
            pl.coalesce(century + end, start).cast(pl.Int32, strict=False).alias("period_end"),
        ),
        WORDS,
        estimated=pl.col("note_text").str.contains(r"(?i)(^|--)\s*estimated\b"),
        upper=pl.lit(100.0),
    )
    figure = pl.coalesce("value", "value_low", "value_high")
    is_percent = clean(pl.col("unit_text")).str.to_lowercase() == "percent"
    reason = (
        pl.when(pl.col("commodity_label").is_null())
        .then(pl.lit("no commodity in this row"))
        .when(pl.col("country_label").is_null())
        .then(pl.lit("no country in this row"))
        .when(pl.col("period_start").is_null() | (pl.col("period_end") < pl.col("period_start")))
        .then(pl.format("no period in {}", pl.col("period_text").fill_null("the row")))
        .when(pl.col("value_flag").is_in(["unreadable", "net_exporter"]))
        .then(pl.format("unreadable share {}", "value_text"))
        .when(~is_percent.fill_null(value=False))
        .then(pl.format("share in {} instead of percent", pl.col("unit_text").fill_null("no unit")))
        .when((figure < 0) | (figure > 100))
        .then(pl.format("share of {} percent", "value_text"))
    )
    frame = cells.with_columns(reason.alias(QUARANTINE_REASON))
    return {IMPORT_SOURCES: frame.select(*TABLES[IMPORT_SOURCES].columns, QUARANTINE_REASON)}
