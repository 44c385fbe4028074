"""What the readers of code lists share: layouts told by their headers, and codes as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.errors import DocumentUnreadable
from pipelines.sources.grids import Grid

__all__ = ["ISO2", "ISO3", "Layout", "match", "numeric_code", "tick"]

ISO2 = r"^[A-Z]{2}$"
ISO3 = r"^[A-Z]{3}$"
_HEADER_ROWS = 10


@dataclass(frozen=True, slots=True)
class Layout:
    """A header that a code list may have.

    :ivar columns: our name to the publisher's, all required.
    :ivar passed_over: columns of the publisher that are known and not read.
    :ivar is_compilation: the file holds the codes of many agencies, so other columns are no news.
    """

    columns: Mapping[str, str]
    passed_over: frozenset[str] = frozenset()
    is_compilation: bool = False


def match(grid: Grid, layouts: Sequence[Layout]) -> tuple[int, dict[str, int]] | None:
    """The header row of ``grid`` and its columns by our names, or None if it is another table.

    The header is the first row that holds at least half of a layout's columns.

    :raises DocumentUnreadable: it lacks a column of the layout, or has one that is not known.
    """
    for row_number, cells in grid.head(_HEADER_ROWS):
        numbers: dict[str, int] = {}
        repeated: set[str] = set()
        for number, text in cells.items():
            if text in numbers:
                repeated.add(text)
            numbers[text] = number
        best = max(layouts, key=lambda x: len(set(x.columns.values()) & set(numbers)))
        wanted = set(best.columns.values())
        if 2 * len(wanted & set(numbers)) < len(wanted):
            continue
        missing = sorted(wanted - set(numbers))
        unknown = sorted(set(numbers) - wanted - best.passed_over)
        problems = [f"column {m!r} is missing" for m in missing]
        if not best.is_compilation:
            problems += [f"column {u!r} is not known" for u in unknown]
        problems += [f"column {r!r} stands twice" for r in sorted(repeated & wanted)]
        if problems:
            raise DocumentUnreadable(
                "; ".join(problems[:4]),
                where=f"{grid.place}, row {row_number}",
                remedy="the layout has changed: teach the reader what the columns mean",
            )
        grid.refuse_stray(row_number, frozenset(cells))
        return row_number, {ours: numbers[theirs] for ours, theirs in best.columns.items()}
    return None


def numeric_code(column: str) -> pl.Expr:
    """A numeric area code as text of three digits (``4``, ``4.0`` and ``004`` are the same)."""
    return pl.col(column).str.strip_chars().str.extract(r"^(\d{1,3})(?:\.0)?$").str.zfill(3)


def tick(column: str) -> pl.Expr:
    """A column of ticks (``x``, ``1``) as true and false; blank is false."""
    text = pl.col(column).str.strip_chars().str.to_lowercase().fill_null("")
    return ~text.is_in(["", "0", "no", "false"])
