"""Salient statistics and import sources for the starter, re-expressed in the agency's layouts.

Pieces that :mod:`starter.writers.usgs_mcs` puts together: the column files of 2023 to 2025 and the
rows of the long file of 2026, of the chapters that hold a mineral of the list of 2025. Footnotes
and descriptions are left out; what the reader needs of them (estimated, Hong Kong with China) is
said in a word.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import polars as pl

from pipelines.sources.base import Parsed
from pipelines.sources.usgs_mcs.import_sources import IMPORT_SOURCES
from pipelines.sources.usgs_mcs.salient import SALIENT

__all__ = [
    "LONG_HEADER",
    "critical_chapters",
    "import_source_rows",
    "salient_members",
    "salient_rows",
]

#: Columns of the long file, as the agency names them.
LONG_HEADER = (
    "MCS chapter",
    "Section",
    "Commodity",
    "Country",
    "Statistics",
    "Statistics_detail",
    "Unit",
    "Year",
    "Value",
    "Notes",
    "Is critical mineral 2025",
    "Other notes",
)
_KINDS = {
    "production": "Production",
    "imports": "Import",
    "exports": "Export",
    "shipments": "Shipment",
    "sales": "Sold or used",
    "supply": "Supply",
    "consumption": "Consumption",
    "stocks": "Stock",
    "price": "Price",
    "employment": "Employment",
    "net_import_reliance": "Net import reliance",
}
#: Lines that are whole sentences, by statistic, in the words of the other chapters.
_SENTENCES = {
    "net_import_reliance": "Net import reliance as a percentage of apparent consumption",
    "consumption": "Consumption, estimated",
}
_SENTENCE = r"^(The United States|Domestic consumption) "


def critical_chapters(long: Parsed) -> frozenset[str]:
    """Chapters of the long file with a commodity on the list of critical minerals, lower case."""
    flagged = _all_rows(long, SALIENT).filter(pl.col("critical_text") == "Yes")
    return frozenset(flagged.get_column("chapter_text").str.to_lowercase().unique().to_list())


def salient_members(parsed: Parsed, chapters: frozenset[str], *, release: str) -> dict[str, bytes]:
    """The column files of these chapters: file name to bytes, UTF-8 with BOM, CRLF.

    :param release: what stands in the column DataSource (``MCS2025``).
    """
    cells = _all_rows(parsed, SALIENT).filter(
        pl.col("commodity_text").str.strip_chars().str.to_lowercase().is_in(chapters),
        pl.col("sheet").is_null(),
    )
    members: dict[str, bytes] = {}
    for (document,), file in sorted(cells.group_by("document_name")):
        name = str(document).rsplit("/", 1)[-1]
        members[name] = _column_file(file, release)
    return members


def _column_file(cells: pl.DataFrame, release: str) -> bytes:
    headers: dict[int, str] = dict(
        cells.select("column_number", "column_name").unique().iter_rows()
    )
    width = max(headers)
    lines = [
        ["DataSource", "Commodity", "Year", *(headers.get(i, "") for i in range(4, width + 1))]
    ]
    for (commodity, year), row in cells.sort("row_number", "column_number").group_by(
        "commodity_text", "reference_year", maintain_order=True
    ):
        texts = dict(row.select("column_number", "value_text").iter_rows())
        values = (texts.get(i) or "" for i in range(4, width + 1))
        lines.append([release, str(commodity), str(year), *values])
    return _csv(lines).encode("utf-8-sig")


def salient_rows(parsed: Parsed, chapters: frozenset[str]) -> list[dict[str, str]]:
    """Rows of the section "Salient Statistics" of these chapters, keys as :data:`LONG_HEADER`."""
    detail = (
        pl.when(pl.col("statistic_text").str.contains(_SENTENCE))
        .then(pl.col("statistic").replace_strict(_SENTENCES, default=None, return_dtype=pl.String))
        .otherwise("statistic_text")
    )
    cells = _of_chapters(parsed, SALIENT, chapters).select(
        pl.col("chapter_text").alias("MCS chapter"),
        pl.lit("Salient Statistics—United States").alias("Section"),
        pl.col("commodity_text").alias("Commodity"),
        pl.lit("United States").alias("Country"),
        pl.col("statistic").replace_strict(_KINDS).alias("Statistics"),
        detail.alias("Statistics_detail"),
        pl.col("unit_text").alias("Unit"),
        pl.col("reference_year").cast(pl.String).alias("Year"),
        pl.col("value_text").alias("Value"),
        pl.when("is_estimated_column").then(pl.lit("Estimated.")).alias("Notes"),
        pl.col("critical_text").alias("Is critical mineral 2025"),
        pl.lit("").alias("Other notes"),
    )
    return list(_texts(cells))


def import_source_rows(parsed: Parsed, chapters: frozenset[str]) -> list[dict[str, str]]:
    """Rows of the section "Import Sources" of these chapters, keys as :data:`LONG_HEADER`."""
    note = pl.col("note_text").fill_null("")
    words = pl.concat_str(
        pl.when(note.str.contains(r"(?i)(^|--)\s*estimated\b")).then(pl.lit("Estimated.")),
        pl.when(note.str.contains("Hong Kong")).then(pl.lit("Includes Hong Kong.")),
        separator=" -- ",
        ignore_nulls=True,
    )
    period = pl.format("Import sources {}-{}", "period_start", "period_end")
    cells = _of_chapters(parsed, IMPORT_SOURCES, chapters).select(
        pl.col("chapter_text").alias("MCS chapter"),
        pl.lit("Import Sources").alias("Section"),
        pl.col("commodity_text").alias("Commodity"),
        pl.col("country_text").alias("Country"),
        period.alias("Statistics"),
        pl.col("detail_text").alias("Statistics_detail"),
        pl.col("unit_text").alias("Unit"),
        pl.col("period_text").alias("Year"),
        pl.col("value_text").alias("Value"),
        words.alias("Notes"),
        pl.col("critical_text").alias("Is critical mineral 2025"),
        pl.lit("").alias("Other notes"),
    )
    return list(_texts(cells))


def _of_chapters(parsed: Parsed, table: str, chapters: frozenset[str]) -> pl.DataFrame:
    rows = _all_rows(parsed, table).sort("row_number")
    return rows.filter(pl.col("chapter_text").str.to_lowercase().is_in(chapters))


def _all_rows(parsed: Parsed, table: str) -> pl.DataFrame:
    """What was let in and what was not: the document holds both."""
    rows = parsed.tables[table]
    quarantined = parsed.quarantined.get(table)
    return rows if quarantined is None else pl.concat([rows, quarantined.select(rows.columns)])


def _texts(cells: pl.DataFrame) -> Iterator[dict[str, str]]:
    return cells.fill_null("").iter_rows(named=True)


def _csv(lines: list[list[str]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(lines)
    return buffer.getvalue()
