"""Which of the layouts of the Mineral Commodity Summaries data releases a document is in.

The layout is told from the header, never from the edition: the world tables came as one file a
commodity (2022 to 2024), then as one wide file (2025), then in one long file together with the
salient statistics and the import sources (2026). A :class:`Sheet` is a decoded table: cells are
text, columns are numbered (``c1``, ``c2``, ...), because publishers repeat and misspell column
names; padding (columns without header and content, rows without content) is gone, the numbers of
the rows that remain are those of the document.

Text is UTF-8 where it is valid as such and Windows-1252 where not, as in the release of 2026.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import Part
from pipelines.sources.grids import Grid, read_grids

__all__ = [
    "LONG_COLUMNS",
    "ROW_NUMBER",
    "SECTIONS",
    "Layout",
    "Sheet",
    "in_section",
    "sheets",
    "sniff",
]

ROW_NUMBER = "row_number"
#: Columns of the long file, in lower case; the one that names the critical list carries its year.
LONG_COLUMNS = (
    "mcs chapter",
    "section",
    "commodity",
    "country",
    "statistics",
    "statistics_detail",
    "unit",
    "year",
    "value",
    "notes",
    "is critical mineral",
    "other notes",
)
#: What opens the ``Section`` of a row of the long file; the rest of it varies from row to row.
SECTIONS = {"world": "world ", "salient": "salient statistics", "import_sources": "import sources"}
_WIDE_COLUMNS = frozenset(
    {"source", "commodity", "country", "type", "unit_meas", "prod_notes", "cap_notes"}
    | {"reserve_notes", "reserves_notes"}
)
_WORLD_COLUMN = re.compile(r"^(prod|production|cap|capacity|reserves?)(_|$)")
_CRITICAL = re.compile(r"^is critical mineral( \d{4})?$")
_BLANKS = re.compile(r"[\s\u00a0\u2009\u202f]+")
_TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".xls", ".xlsx", ".xlsm"})
#: No table of this publisher has nearly as many columns, padding included.
_MOST_COLUMNS = 2000


class Layout(StrEnum):
    """What a document of the data release holds."""

    WORLD_PER_COMMODITY = "world_per_commodity"
    WORLD_WIDE = "world_wide"
    LONG = "long"
    SALIENT = "salient"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of a document, decoded.

    :ivar part: where it comes from.
    :ivar sheet: name of the worksheet, or None for CSV.
    :ivar layout: what its header says it is.
    :ivar header: names of the columns as published, surrounding blanks taken off; ``header[i]``
        names column ``c{i+1}`` of ``frame``. Padding columns are "" and absent from ``frame``.
    :ivar frame: ``row_number`` (from 1, the header is 1 in CSV) and ``c1``, ``c2``, ...; all text;
        empty cells are null.
    """

    part: Part
    sheet: str | None
    layout: Layout
    header: tuple[str, ...]
    frame: pl.DataFrame

    @property
    def name(self) -> str:
        """The place of this table for messages: document and worksheet."""
        return self.part.name if self.sheet is None else f"{self.part.name}, sheet {self.sheet}"

    @property
    def columns(self) -> dict[str, str]:
        """``{"c1": "Source", ...}`` for the columns that ``frame`` holds."""
        return {c: self.header[int(c[1:]) - 1] for c in self.frame.columns if c != ROW_NUMBER}

    def long(self) -> pl.DataFrame:
        """The long file with :data:`LONG_COLUMNS` as column names (blanks to ``_``).

        :raises DocumentUnreadable: a column is missing, repeated or unknown.
        """
        names = {c: _long_name(text) for c, text in self.columns.items()}
        seen = list(names.values())
        missing = [c for c in LONG_COLUMNS if c not in seen]
        foreign = [self.columns[c] for c, n in names.items() if n not in LONG_COLUMNS]
        twice = sorted({n for n in seen if seen.count(n) > 1})
        for what, found in (("missing", missing), ("unknown", foreign), ("repeated", twice)):
            if found:
                raise DocumentUnreadable(
                    f"column {what}: {', '.join(repr(c) for c in found)}",
                    where=f"{self.name}, row 1",
                    remedy="the layout has changed: compare the header with the last edition's",
                )
        return self.frame.rename({c: n.replace(" ", "_") for c, n in names.items()})


def in_section(name: str) -> pl.Expr:
    """True for the rows of :meth:`Sheet.long` that belong to this one of :data:`SECTIONS`."""
    text = pl.col("section").fill_null("").str.replace_all(_BLANKS.pattern, " ")
    return text.str.strip_chars().str.to_lowercase().str.starts_with(SECTIONS[name])


def _fold(text: str) -> str:
    return _BLANKS.sub(" ", text).strip().lower()


def _long_name(text: str) -> str:
    name = _fold(text)
    return "is critical mineral" if _CRITICAL.match(name) else name


def sniff(header: Sequence[str]) -> Layout:
    """The layout that this header belongs to; one that lacks a column is still recognised."""
    names = [_fold(h) for h in header]
    present = {n for n in names if n}
    if len({_long_name(n) for n in present} & set(LONG_COLUMNS)) >= 8:
        return Layout.LONG
    if len(present & _WIDE_COLUMNS) >= 4 and present & {"commodity", "unit_meas"}:
        return Layout.WORLD_WIDE
    in_world_file = len(present & {"source", "country", "type"}) >= 2
    if in_world_file and any(_WORLD_COLUMN.match(n) for n in present):
        return Layout.WORLD_PER_COMMODITY
    if "datasource" in names[:2] or {"commodity", "year"} <= set(names[:3]):
        return Layout.SALIENT
    return Layout.OTHER


def sheets(part: Part) -> list[Sheet]:
    """The tables of this part: one for a CSV, one a worksheet for a workbook, none for the rest.

    :raises DocumentUnreadable: damaged bytes, or a web page in the place of a data file.
    """
    if part.suffix not in _TABLE_SUFFIXES:
        return []
    try:
        grids = read_grids(part)
    except (zlib.error, RuntimeError) as error:
        # What unpacking a damaged or encrypted member of a zip may raise.
        raise DocumentUnreadable(
            f"packing is damaged or encrypted ({error})",
            where=part.name,
            remedy="fetch the document again from the publisher",
        ) from error
    return [_sheet(grid) for grid in grids]


def _sheet(grid: Grid) -> Sheet:
    numbers = [int(c) for c in grid.cells.columns if c != ROW_NUMBER]
    if len(numbers) > _MOST_COLUMNS:
        raise DocumentUnreadable(
            f"{len(numbers):,} columns, more than any table of this publisher",
            where=grid.place,
            remedy="fetch the document again from the publisher",
        )
    cells = grid.cells.rename({str(n): f"c{n}" for n in numbers})
    names = cells.row(0, named=True) if cells.height else {}
    header = [""] * max(numbers, default=0)
    for n in numbers:
        header[n - 1] = _BLANKS.sub(" ", names.get(f"c{n}") or "").strip()
    body = cells.slice(1)
    has_text = pl.all().exclude(ROW_NUMBER).is_not_null()
    used = body.select(has_text.any()).row(0, named=True)
    keep = [f"c{n}" for n in numbers if header[n - 1] or used[f"c{n}"]]
    return Sheet(
        part=grid.part,
        sheet=grid.sheet,
        layout=sniff(header),
        header=tuple(header),
        frame=body.select(ROW_NUMBER, *keep),
    )
