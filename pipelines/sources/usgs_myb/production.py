"""World mine production by country and year, in metric tons of rare-earth-oxide equivalent.

An ``e`` beside a country's name, beside a figure or in the year's header, or ``ESTIMATED`` in the
title, makes a figure an estimate. The total of the world is rounded and includes estimates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import CELL_COLUMNS, TableSpec
from pipelines.sources.labels import known_labels, resolve_labels
from pipelines.sources.tokens import parse_values
from pipelines.sources.usgs_myb.printed import (
    VOCABULARY,
    PrintedTable,
    is_estimate,
    quarantine,
    says_estimate,
    squeeze,
    unit_label,
)
from pipelines.sources.workbook import cell_frame

__all__ = ["SPEC", "header_spans", "read", "year_columns"]

SPEC = TableSpec(
    columns={
        **CELL_COLUMNS,
        "table_label": pl.String(),
        "series_text": pl.String(),
        "country_text": pl.String(),
        "country_label": pl.String(),
        "reference_year": pl.Int16(),
        "marker_text": pl.String(),
        "unit_text": pl.String(),
        "unit_label": pl.String(),
    },
    key=("series_text", "country_label", "reference_year"),
)

_YEAR = re.compile(r"((?:19|20)\d{2})\s*((?:[a-z](?:,\s*\d{1,2})*|\d{1,2}(?:,\s*\d{1,2})*)?)")
_ROWS_WITHOUT_FIGURES = 3


def read(edition: Edition, table: PrintedTable) -> pl.DataFrame:
    """The cells of ``table``.

    :raises DocumentUnreadable: another commodity than rare earths, or an unknown layout.
    :raises UnknownLabel: a country or unit that the maps do not know.
    """
    if not re.search(r"(?i)rare[- ]earths?\b", table.title):
        raise DocumentUnreadable(
            f"only rare earths are read here, not {table.title[:60]!r}",
            where=table.sheet.place(table.first_row),
            remedy="give the rare-earth tables of the yearbook",
        )
    if table.unit is None:
        raise DocumentUnreadable("no unit below the title", where=table.sheet.place(table.head_end))
    dtypes = {n: t for n, t in SPEC.columns.items() if n not in {"sheet", "row_number"}}
    made = ("column_number", "column_name", "value_text", "table_label", "series_text",
            "country_text", "reference_year", "marker_text", "unit_text")  # fmt: skip
    frame = cell_frame(
        edition,
        list(_cells(table)),
        {**{n: dtypes[n] for n in made}, "__reading": pl.String(), "__is_estimate": pl.Boolean()},
    )
    maps = load_catalog().source("usgs_myb").country_maps
    frame = resolve_labels(
        frame, "country_text", known_labels(maps), edition=edition, kind="country",
        into="country_label",
    )  # fmt: skip
    frame = resolve_labels(
        frame, "unit_text", known_labels(["unit__usgs"]), edition=edition, kind="unit",
        into="unit_label", normalise=unit_label, marks=False,
    )  # fmt: skip
    # What follows the known name are its marks: ``Indiae, 4`` is India, estimated.
    country_marks = pl.col("country_text").str.strip_prefix(pl.col("country_label"))
    read_values = parse_values(
        frame,
        VOCABULARY,
        text="__reading",
        estimated=pl.col("__is_estimate") | says_estimate(country_marks),
    )
    return read_values.with_columns(quarantine()).drop("__reading", "__is_estimate")


def year_columns(table: PrintedTable) -> tuple[int, dict[int, tuple[int, str]]]:
    """The header row and its year columns: column to (year, marks).

    :raises DocumentUnreadable: no row of the table holds two years or more.
    """
    for number, row in table.body(table.head_end):
        years = {
            c: (int(m.group(1)), m.group(2))
            for c, t in row.items()
            if (m := _YEAR.fullmatch(squeeze(t)))
        }
        if len(years) >= 2 or (years and len(years) == len(row) - 1):
            return number, years
    raise DocumentUnreadable(
        f"no header row with years in {table.label}",
        where=table.sheet.place(table.head_end),
        remedy="the layout has changed: extend pipelines/sources/usgs_myb",
    )


def header_spans(table: PrintedTable, header_row: int, columns: list[int]) -> dict[int, range]:
    """Each header column with the columns that belong to it, up to the next header."""
    filled = sorted(c for c, t in table.sheet.row(header_row).items() if squeeze(t))
    last = max((c for _, row in table.body(header_row) for c in row), default=0)
    ends = {c: (filled[i + 1] if i + 1 < len(filled) else last + 2) for i, c in enumerate(filled)}
    return {c: range(c, ends[c]) for c in columns}


def _cells(table: PrintedTable) -> Iterator[dict[str, object]]:
    header_row, years = year_columns(table)
    header = {c: squeeze(t) for c, t in table.sheet.row(header_row).items() if squeeze(t)}
    unknown = {c: t for c, t in header.items() if c not in years and c != 1}
    if unknown or not header.get(1, "").lower().startswith("country"):
        column, text = next(iter(unknown.items()), (1, header.get(1, "")))
        raise DocumentUnreadable(
            f"unknown column {text!r} in {table.label}",
            where=table.sheet.place(header_row, column),
            remedy="the layout has changed: extend pipelines/sources/usgs_myb",
        )
    spans = header_spans(table, header_row, sorted(years))
    first = min(years)
    begun: list[str] = []
    for number, row in table.body(header_row):
        if number >= table.notes_start:
            break
        name = squeeze(row.get(1, ""))
        beside = squeeze(" ".join(t for c, t in row.items() if 1 < c < first))
        if not any(c >= first and squeeze(t) for c, t in row.items()):
            # A long name runs over two lines, the figures standing in the last.
            begun.append(name)
            if len(begun) == _ROWS_WITHOUT_FIGURES:
                raise DocumentUnreadable(
                    f"rows without figures from {begun[0]!r} on", where=table.sheet.place(number)
                )
            continue
        country = squeeze(" ".join([*begun, name, beside]))
        begun = []
        for column, (year, marks) in years.items():
            figure = table.figure(number, spans[column])
            yield {
                "part": table.sheet.part,
                "sheet": table.sheet.name,
                "row_number": number,
                "column_number": figure.column,
                "column_name": header[column],
                "value_text": figure.text,
                "__reading": figure.reading,
                "__is_estimate": is_estimate(figure.marks)
                or is_estimate(marks)
                or "ESTIMATED" in table.title.upper(),
                "table_label": table.label,
                "series_text": table.title,
                "country_text": country or None,
                "reference_year": year,
                "marker_text": figure.marks,
                "unit_text": table.unit,
            }
    if begun:
        raise DocumentUnreadable(
            f"row {begun[0]!r} has no figures",
            where=table.sheet.place(table.notes_start - 1),
            remedy="the layout has changed: extend pipelines/sources/usgs_myb",
        )
