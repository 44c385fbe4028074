"""Data Series 140: a century of US and world statistics, one row a year, one column a series.

::

    RARE EARTHS STATISTICS1
    [All quantities in metric tons (t) rare-earth oxide equivalent unless otherwise noted]
    Year   Production   Imports   ...   Unit value ($/t)   World production
    1900   227          NA        ...   NA                 1040

Figures are calculated, estimated or reported; which is which is not told, so all numbers carry the
flag ``reported``. Series, their country and their unit are in the map ``series__usgs_ds140``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import CELL_COLUMNS, TableSpec
from pipelines.sources.label_maps import attach
from pipelines.sources.labels import known_labels, resolve_labels
from pipelines.sources.tokens import parse_values
from pipelines.sources.usgs_myb.printed import VOCABULARY, quarantine, squeeze
from pipelines.sources.workbook import Sheet, cell_frame

__all__ = ["SPEC", "is_historical", "read"]

SPEC = TableSpec(
    columns={
        **CELL_COLUMNS,
        "series_text": pl.String(),
        "series_label": pl.String(),
        "measure": pl.String(),
        "country_label": pl.String(),
        "reference_year": pl.Int16(),
        "unit_label": pl.String(),
    },
    key=("series_label", "reference_year"),
)

_SERIES = {"measure": "measure", "country_label": "country_label", "unit_label": "unit_label"}
_YEAR = re.compile(r"(?:18|19|20)\d{2}")


def _header_row(sheet: Sheet) -> int | None:
    for number, row in list(sheet.rows.items())[:15]:
        if squeeze(row.get(1, "")).lower() == "year" and len(row) > 2:
            return number
    return None


def is_historical(sheet: Sheet) -> bool:
    """Whether ``sheet`` is laid out like Data Series 140."""
    return _header_row(sheet) is not None


def read(edition: Edition, sheet: Sheet) -> pl.DataFrame:
    """The cells of ``sheet``.

    :raises DocumentUnreadable: another commodity, another basis, or a figure without a year.
    :raises UnknownLabel: a series that the map does not know.
    """
    header_row = _header_row(sheet) or 0
    head = [row for number, row in sheet.rows.items() if number < header_row]
    above = " ".join(squeeze(text) for row in head for text in row.values())
    if not re.search(r"(?i)rare[- ]earths?\b.*\brare-earth oxide equivalent", above):
        raise DocumentUnreadable(
            "not the statistics of rare earths in rare-earth oxide equivalent",
            where=sheet.place(header_row),
            remedy="give the Data Series 140 workbook of rare earths",
        )
    dtypes = dict(SPEC.columns)
    made = ("column_number", "column_name", "value_text", "series_text", "reference_year")
    frame = cell_frame(edition, list(_cells(sheet, header_row)), {n: dtypes[n] for n in made})
    frame = resolve_labels(
        frame, "series_text", known_labels(["series__usgs_ds140"]), edition=edition,
        kind="series", into="series_label",
    )  # fmt: skip
    frame = attach(frame, "series_label", "series__usgs_ds140", _SERIES)
    return parse_values(frame, VOCABULARY).with_columns(quarantine())


def _cells(sheet: Sheet, header_row: int) -> Iterator[dict[str, object]]:
    header = {c: squeeze(t) for c, t in sheet.row(header_row).items() if c > 1 and squeeze(t)}
    for number, row in sheet.rows.items():
        if number <= header_row:
            continue
        year = squeeze(row.get(1, ""))
        filled = [c for c, t in row.items() if c > 1 and squeeze(t)]
        if not filled:
            continue
        if not _YEAR.fullmatch(year):
            raise DocumentUnreadable(
                f"figures beside {year[:40]!r}, which is no year", where=sheet.place(number)
            )
        stray = [c for c in filled if c not in header]
        if stray:
            raise DocumentUnreadable(
                "a figure has no column header", where=sheet.place(number, stray[0])
            )
        for column, series in header.items():
            yield {
                "part": sheet.part,
                "sheet": sheet.name,
                "row_number": number,
                "column_number": column,
                "column_name": series,
                "value_text": row.get(column),
                "series_text": series,
                "reference_year": int(year),
            }
