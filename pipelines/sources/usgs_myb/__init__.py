"""USGS Minerals Yearbook, rare earths: mine production, oxide distribution of deposits, prices.

The tables come as a workbook, one printed table a sheet (``TABLE 8`` over its title), numbered
differently from year to year, so a table is told by its title and its columns by their header.

===================================================== ============================================
title                                                 raw table
===================================================== ============================================
... WORLD MINE PRODUCTION, BY COUNTRY ...             ``raw_usgs_myb__production``
RARE EARTH CONTENTS OF ... SOURCE MINERALS            ``raw_usgs_myb__oxide_distribution``
... RARE-EARTH OXIDE PRICES                           ``raw_usgs_myb__price``
SALIENT ... STATISTICS                                passed over: the same series come newer, and
                                                      for more years, in the commodity summaries
U.S. EXPORTS ..., U.S. IMPORTS ...                    passed over: customs figures rounded to three
                                                      digits and cut to the largest partners, which
                                                      DataWeb and the Census Bureau give in full
===================================================== ============================================

A table with another title refuses the edition. The historical statistics of Data Series 140 (US
production, trade, consumption and unit value and world production since 1900) are one sheet with a
``Year`` column; they are an edition of this source of their own and fill
``raw_usgs_myb__historical``.

Units: metric tons of rare-earth-oxide (REO) equivalent, percent of total REO, dollars per kilogram.

Source: https://www.usgs.gov/centers/national-minerals-information-center/rare-earths-statistics-and-information
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import Document, Parsed, TableSpec
from pipelines.sources.corrections import apply_corrections
from pipelines.sources.usgs_myb import historical, oxides, prices, production
from pipelines.sources.usgs_myb.fetch import fetch
from pipelines.sources.usgs_myb.printed import PrintedTable, printed_tables
from pipelines.sources.workbook import Workbook, read_workbooks

__all__ = ["TABLES", "fetch", "parse"]

_PRODUCTION = "raw_usgs_myb__production"
_OXIDES = "raw_usgs_myb__oxide_distribution"
_PRICE = "raw_usgs_myb__price"
_HISTORICAL = "raw_usgs_myb__historical"

TABLES: dict[str, TableSpec] = {
    _PRODUCTION: production.SPEC,
    _OXIDES: oxides.SPEC,
    _PRICE: prices.SPEC,
    _HISTORICAL: historical.SPEC,
}

_READERS = {
    _PRODUCTION: (re.compile(r"WORLD (?:MINE )?PRODUCTION\b"), production.read),
    _OXIDES: (re.compile(r"RARE[- ]EARTH CONTENTS? OF\b.*\bMINERALS?\b"), oxides.read),
    _PRICE: (re.compile(r"\bOXIDE PRICES\b"), prices.read),
}
#: Titles of tables that are passed over; the module's docstring says why.
_PASSED_OVER = re.compile(r"\bSALIENT\b|\bU\.?\s?S\.? (?:EXPORTS|IMPORTS)\b")


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """Read the workbooks of an edition.

    :raises DocumentUnreadable: no workbook, no world production and no historical statistics in
        one, a table with an unknown title, another commodity, or an unknown layout.
    :raises UnknownLabel: a country, product, series or unit that the maps do not know.
    """
    frames: dict[str, list[pl.DataFrame]] = {}
    for workbook in read_workbooks(documents):
        for name, frame in _frames(edition, workbook):
            frames.setdefault(name, []).append(frame)
    joined = {name: pl.concat(pieces) for name, pieces in frames.items()}
    return Parsed.of(TABLES, apply_corrections(edition, joined))


def _frames(edition: Edition, workbook: Workbook) -> list[tuple[str, pl.DataFrame]]:
    found: list[tuple[str, pl.DataFrame]] = []
    for sheet in workbook.sheets:
        if historical.is_historical(sheet):
            found.append((_HISTORICAL, historical.read(edition, sheet)))
            continue
        for table in printed_tables(sheet):
            name = _name(table)
            if name is not None:
                table.refuse_figures_below()
                found.append((name, _READERS[name][1](edition, table)))
    if not {_PRODUCTION, _HISTORICAL} & {name for name, _ in found}:
        raise DocumentUnreadable(
            "neither a table of world mine production nor historical statistics "
            f"(sheets: {workbook.sheet_names})",
            where=workbook.part.name,
            remedy="give the yearbook's tables or the Data Series 140 workbook of rare earths",
        )
    return found


def _name(table: PrintedTable) -> str | None:
    """The raw table that ``table`` fills, None where it is passed over."""
    title = table.title.upper()
    if _PASSED_OVER.search(title):
        return None
    for name, (pattern, _) in _READERS.items():
        if pattern.search(title):
            return name
    raise DocumentUnreadable(
        f"unknown table {table.title[:100]!r}",
        where=table.sheet.place(table.first_row),
        remedy="extend pipelines/sources/usgs_myb",
    )
