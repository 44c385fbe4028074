"""The yearbook's tables for the starter: oxide distribution, oxide prices, world mine production.

Figures stand in the rows and columns of the publisher's workbook, so that a cell of the starter has
the place of the cell whose figure it carries. Notes are reduced to our own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from pipelines.catalog import load_catalog
from pipelines.sources import usgs_myb
from pipelines.sources.base import Document
from starter.writers.common import Original, write_edition
from starter.writers.spreadsheet import Cell, write_workbook

__all__ = ["LABEL", "ORIGINAL", "write"]

LABEL = "2022"
ORIGINAL = Path("production/usgs_myb/usgs_myb2022_rare_earths_tables.xlsx")
_DOCUMENT = "myb1-2022-raree-ert.xlsx"

_LEGEND = "eEstimated.  rRevised.  -- Zero.  NA Not available."
#: What the numbered notes of a table say, in our own words.
_NOTES: Mapping[str, Mapping[str, str]] = {
    "raw_usgs_myb__price": {
        "2": "Stanford Materials.",
        "3": "Lots of 5 kilograms.",
        "4": "Argus Media.",
        "5": "FOB China.",
    },
    "raw_usgs_myb__production": {
        "3": "Production quota.",
        "4": "Not disclosed by the Government.",
        "5": "Content of exports.",
        "6": "Bastnaesite only.",
    },
}
_UNITS = {
    "raw_usgs_myb__oxide_distribution": "(Percentage of total rare-earth oxide)",
    "raw_usgs_myb__price": "(Dollars per kilogram)",
    "raw_usgs_myb__production": "(Metric tons, rare-earth oxide equivalent)",
}

_Grid = dict[tuple[int, int], Cell]


def write(originals: Path, out: Path) -> None:
    """Write ``out/2022/`` from the workbook below ``originals``."""
    source = load_catalog().source("usgs_myb")
    edition = source.edition(LABEL)
    original = Document.of(originals / ORIGINAL)
    tables = usgs_myb.parse(edition, [original]).tables
    sheets = {
        "T2": _oxides(tables["raw_usgs_myb__oxide_distribution"]),
        "T3": _prices(tables["raw_usgs_myb__price"]),
        "T8": _production(tables["raw_usgs_myb__production"]),
    }
    folder = out / LABEL
    write_workbook(folder / _DOCUMENT, {name: _rows(grid) for name, grid in sheets.items()})
    write_edition(
        folder,
        edition,
        [
            Original(
                document=_DOCUMENT,
                url=edition.url or source.homepage,
                sha256=original.sha256,
                place="tables 2, 3 and 8, same rows and columns",
            )
        ],
    )


def _oxides(frame: pl.DataFrame) -> _Grid:
    grid = _figures(frame)
    last = _head(
        grid,
        frame,
        "raw_usgs_myb__oxide_distribution",
        "RARE EARTH CONTENTS OF SELECTED SOURCE MINERALS",
    )
    header = _header_row(frame)
    grid[header, 1], grid[header, 3], grid[header, 5] = "Primary Source", "Country", "Location"
    above: tuple[str, str] = ("", "")
    notes: dict[int, str] = {}
    by_row = frame.unique("row_number", maintain_order=True).sort("row_number")
    taken = set(by_row["row_number"])
    for row in by_row.iter_rows(named=True):
        number, mineral, country = row["row_number"], row["mineral_text"], row["country_text"]
        grid[number, 1] = "Do." if mineral == above[0] else mineral
        grid[number, 3] = "do." if country == above[1] else country
        above = (mineral, country)
        # The province stands in a second line where there is one.
        place, comma, province = row["deposit_text"].rpartition(", ")
        if comma and number + 1 not in taken:
            grid[number, 5], grid[number + 1, 5] = f"{place}{comma}", province
        else:
            grid[number, 5] = row["deposit_text"]
        note = re.search(r"\d+$", row["deposit_text"])
        if note and row["reference_text"]:
            notes[int(note.group(0))] = row["reference_text"]
    for offset, (note_number, cited) in enumerate(sorted(notes.items()), start=1):
        grid[last + 1 + offset, 1] = f"{note_number}Source: {cited}."
    return grid


def _prices(frame: pl.DataFrame) -> _Grid:
    grid = _figures(frame, with_marks=False)
    _head(grid, frame, "raw_usgs_myb__price", "AVERAGE RARE-EARTH OXIDE PRICES")
    header = _header_row(frame)
    grid[header - 1, 3] = "Purity"
    grid[header, 1], grid[header, 3] = "Product (oxide)", "(percent)"
    for row in frame.unique("row_number", maintain_order=True).iter_rows(named=True):
        grid[row["row_number"], 1] = f"{row['product_text']}{row['marker_text'] or ''}"
        grid[row["row_number"], 3] = _cell(row["purity_text"])
    return grid


def _production(frame: pl.DataFrame) -> _Grid:
    grid = _figures(frame)
    _head(grid, frame, "raw_usgs_myb__production", frame["series_text"][0])
    grid[_header_row(frame), 1] = "Country or locality"
    for row in frame.unique("row_number").iter_rows(named=True):
        grid[row["row_number"], 1] = row["country_text"]
    return grid


def _figures(frame: pl.DataFrame, *, with_marks: bool = True) -> _Grid:
    """The figures, the marks beside them and the headers above them."""
    grid: _Grid = {}
    for row in frame.iter_rows(named=True):
        number, column = row["row_number"], row["column_number"]
        grid[number, column] = _cell(row["value_text"])
        if with_marks:
            grid[number, column + 1] = _cell(row["marker_text"])
        grid[_header_row(frame), column] = _cell(row["column_name"])
    return grid


def _head(grid: _Grid, frame: pl.DataFrame, table: str, title: str) -> int:
    """Label, title, unit and notes; the row of the legend."""
    grid[1, 1] = frame["table_label"][0]
    grid[2, 1] = title
    grid[3 if table.endswith("price") else 4, 1] = _UNITS[table]
    last = max(row for row, _ in grid) + (2 if table.endswith("oxide_distribution") else 1)
    grid[last, 1] = _LEGEND
    for offset, (number, text) in enumerate(sorted(_NOTES.get(table, {}).items()), start=1):
        grid[last + offset, 1] = f"{number}{text}"
    return last


def _header_row(frame: pl.DataFrame) -> int:
    return int(frame["row_number"].to_numpy().min()) - 1


def _cell(text: str | None) -> Cell:
    if text is None or not re.fullmatch(r"\d+(?:\.\d+)?", text):
        return text
    return float(text) if "." in text else int(text)


def _rows(grid: _Grid) -> list[list[Cell]]:
    """``grid`` as rows from row 1 and column A."""
    rows: list[list[Cell]] = []
    for number in range(1, max(row for row, _ in grid) + 1):
        last = max((c for r, c in grid if r == number), default=0)
        rows.append([grid.get((number, column)) for column in range(1, last + 1)])
    return rows
