"""Federal Ministry of Finance of Austria, World Mining Data: production of countries by mineral.

The workbook "6.4. Production of Mineral Raw Materials of individual Countries by Minerals", one
sheet a mineral, five years. A sheet has a title, then the header ``Country, unit, <years>, data
source``, a row a country and a last row ``Total``. Content stands in brackets on the tab
(``Chromium (Cr2O3)``); units are metric tonnes, kilograms, carats or cubic metres. ``data source``
marks a row as reported (``r``), provisional (``p``) or estimated (``e``), all its years together.

No document of the publisher was at hand: the layout is that which programs that read the editions
of 2017 to 2026 rely on. A sheet that is not like it refuses the edition.

The file's name carries no year, and no program may fetch it by a lasting address: it is imported.

Source: https://www.world-mining-data.info/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import CELL_COLUMNS, Document, Parsed, TableSpec
from pipelines.sources.corrections import apply_corrections
from pipelines.sources.labels import known_labels, resolve_labels
from pipelines.sources.tokens import parse_values
from pipelines.sources.workbook import Sheet, cell_frame, read_workbooks

__all__ = ["TABLES", "parse"]

PRODUCTION = "raw_wmd__production"

TABLES: dict[str, TableSpec] = {
    PRODUCTION: TableSpec(
        columns={
            **CELL_COLUMNS,
            "series_text": pl.String(),
            "series_label": pl.String(),
            "title_text": pl.String(),
            "country_text": pl.String(),
            "country_label": pl.String(),
            "reference_year": pl.Int16(),
            "unit_text": pl.String(),
            "unit_label": pl.String(),
            "source_text": pl.String(),
        },
        key=("series_label", "country_label", "reference_year"),
    ),
}

_YEAR = re.compile(r"((?:19|20)\d{2})(?:\.0)?")
_NUMBER = re.compile(r"[-+]?\d[\d., ]*(?:[eE][-+]?\d+)?")
_VOCABULARY = {"-": "not_available", "n.a": "not_available", "na": "not_available"}
_REMEDY = "the layout has changed: extend pipelines/sources/wmd.py"


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """Read the workbooks of an edition.

    :raises DocumentUnreadable: no workbook, or a sheet in an unknown layout.
    :raises UnknownLabel: a mineral, country or unit that the maps do not know.
    """
    workbooks = read_workbooks(documents)
    cells = [
        cell
        for workbook in workbooks
        for sheet in workbook.sheets
        if not _is_prose(sheet)
        for cell in _cells(sheet)
    ]
    if not cells:
        raise DocumentUnreadable(
            "no sheet of production by country",
            where=workbooks[0].part.name,
            remedy="give the workbook 6.4, production of individual countries by minerals",
        )
    frame = _judged(_labelled(edition, cells))
    return Parsed.of(TABLES, apply_corrections(edition, {PRODUCTION: frame}))


def _is_prose(sheet: Sheet) -> bool:
    """Whether a sheet holds words alone (a cover, notes)."""
    return not any(
        _NUMBER.fullmatch(text.strip()) for row in sheet.rows.values() for text in row.values()
    )


def _header(sheet: Sheet) -> tuple[int, dict[str, int], dict[int, int]]:
    """Row of the header, its named columns in lower case, and its years by column."""
    for number, row in sheet.rows.items():
        names = {text.strip().lower(): column for column, text in row.items()}
        if "country" not in names:
            continue
        years = {
            column: int(found[1])
            for column, text in row.items()
            if (found := _YEAR.fullmatch(text.strip()))
        }
        if "unit" not in names or not years:
            break
        if len(set(years.values())) < len(years):
            raise DocumentUnreadable(
                "a year stands twice in the header", where=sheet.place(number), remedy=_REMEDY
            )
        return number, names, years
    raise DocumentUnreadable(
        "no header with Country, unit and years", where=sheet.place(), remedy=_REMEDY
    )


def _cells(sheet: Sheet) -> Iterator[dict[str, object]]:
    header, names, years = _header(sheet)
    known = {names["country"], names["unit"], *years}
    if (source := names.get("data source")) is not None:
        known.add(source)
    title = next((t.strip() for n, r in sheet.rows.items() if n < header for t in r.values()), None)
    for number, row in sheet.rows.items():
        if number <= header:
            continue
        for column, text in row.items():
            if column not in known and _NUMBER.fullmatch(text.strip()):
                raise DocumentUnreadable(
                    f"figure {text!r} in a column without a year",
                    where=sheet.place(number, column),
                    remedy=_REMEDY,
                )
        # A line of words below the table is a note.
        if not any(column in row for column in years):
            continue
        for column, year in years.items():
            yield {
                "part": sheet.part,
                "sheet": sheet.name,
                "row_number": number,
                "column_number": column,
                "column_name": str(year),
                "value_text": row.get(column),
                "series_text": sheet.name,
                "title_text": title,
                "country_text": row.get(names["country"]),
                "reference_year": year,
                "unit_text": row.get(names["unit"]),
                "source_text": row.get(source) if source is not None else None,
            }


def _labelled(edition: Edition, cells: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    made = {
        name: dtype
        for name, dtype in TABLES[PRODUCTION].columns.items()
        if name in cells[0] and name not in {"sheet", "row_number"}
    }
    frame = cell_frame(edition, cells, made)
    for column, maps, kind, into in (
        ("series_text", ("series__wmd",), "series", "series_label"),
        ("country_text", load_catalog().source("wmd").country_maps, "country", "country_label"),
        ("unit_text", ("unit__wmd",), "unit", "unit_label"),
    ):
        frame = resolve_labels(
            frame, column, known_labels(maps), edition=edition, kind=kind, into=into, marks=False
        )
    return frame


def _judged(frame: pl.DataFrame) -> pl.DataFrame:
    """Values read, bad rows marked."""
    read = parse_values(
        # Thousands are set apart by blanks in some editions.
        frame.with_columns(
            pl.col("value_text").str.replace_all(r"(\d)[ \u00a0\u202f](\d)", "$1$2").alias("__text")
        ),
        _VOCABULARY,
        text="__text",
        estimated=pl.col("source_text").str.strip_chars().str.to_lowercase() == "e",
    ).drop("__text")
    return read.with_columns(
        pl.when(pl.col("country_label").is_null())
        .then(pl.lit("row without a country"))
        .when(pl.col("unit_label").is_null())
        .then(pl.lit("row without a unit"))
        .when((pl.col("value_flag") == "unreadable") | pl.col("value").is_infinite())
        .then(pl.format("unreadable number: {}", pl.col("value_text").fill_null("")))
        .when(pl.col("value") < 0)
        .then(pl.lit("negative amount"))
        .alias("quarantine_reason")
    )
