"""A table as the yearbook prints it: label, title, unit, header, rows, notes.

::

    TABLE 8                                             label
    RARE EARTHS: WORLD MINE PRODUCTION, ...1            title, with footnote marks
    (Metric tons, rare-earth oxide equivalent)          unit
    Country or locality2       2018      2019           header (its row is found by the reader)
    Australiae                 21000     20000          a value, and in the column to its right
    Burundi                      620  e    200  e       the marks that belong to it
    eEstimated.  rRevised.  -- Zero.                    notes
    1Table includes data available through ...

Marks are letters (``e`` estimated, ``r`` revised) and numbers of notes, glued to a word or in the
column beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from pipelines.errors import DocumentUnreadable
from pipelines.sources.labels import clean
from pipelines.sources.workbook import Sheet

__all__ = [
    "VOCABULARY",
    "Figure",
    "PrintedTable",
    "is_estimate",
    "printed_tables",
    "quarantine",
    "says_estimate",
    "split_marks",
    "squeeze",
    "unit_label",
]

#: Words in place of a number.
VOCABULARY: Mapping[str, str] = {
    "--": "zero",
    "-": "zero",
    "—": "zero",
    "–": "zero",
    "na": "not_available",
    "xx": "not_applicable",
    "w": "withheld",
    "less than ½ unit": "below_half_unit",
}

_LABEL = re.compile(r"TABLE\s+\d+[A-Z]?\b", re.IGNORECASE)
_MARKS = r"[a-z]?(?:,?\s*\d{1,2})?(?:,\s*(?:[a-z]|\d{1,2}))*"
_MARK_CELL = re.compile(rf"(?=\S){_MARKS}")
_GLUED = re.compile(r"(?<=[A-Za-z).])(?P<marks>\d{1,2}(?:,\s*(?:[a-z]|\d{1,2}))*)$")
_GLUED_TO_CAPITALS = re.compile(rf"(?<=[A-Z)])(?P<marks>(?=\S){_MARKS})$")
_NOTE = re.compile(
    r"(?:[a-zA-Z]{1,3}\s?[A-Z]|\d{1,2}\s?[A-Z“\"(]|\(\d{1,2}\)|[Dd]o\.|--|—|Source|See footnotes?)"
)
_NUMBERED_NOTE = re.compile(r"\(?(\d{1,2})\)?\s?(\D.*)", re.DOTALL)
_NUMBER_AND_MARKS = re.compile(r"(?P<number>[<>]?\s*[\d,]*\.?\d+)\s*(?P<marks>[a-z](?:,\s*\d+)*)")
_HALF_UNIT = re.compile(r"(?i)less than (?:½|1/2|one-half) unit")


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and the marks beside it.

    :ivar column: where the value stands, or would stand.
    :ivar text: as printed, None where the cell is empty.
    :ivar reading: ``text`` without glued marks, note numbers in place of a value resolved.
    :ivar marks: as printed, None where there are none.
    """

    column: int
    text: str | None
    reading: str | None
    marks: str | None


@dataclass(frozen=True)
class PrintedTable:
    """One printed table: the rows ``first_row`` to ``last_row`` of ``sheet``."""

    sheet: Sheet
    first_row: int
    last_row: int

    @property
    def label(self) -> str:
        """``TABLE 8``."""
        match = _LABEL.match(squeeze(self.sheet.text(self.first_row, 1) or ""))
        return match.group(0).upper() if match else ""

    @cached_property
    def _head(self) -> tuple[str, str | None, int]:
        title: list[str] = []
        unit: list[str] = []
        last = self.first_row
        for number, row in self.body(self.first_row):
            text = squeeze(row.get(1, ""))
            if any(c > 1 and squeeze(t) for c, t in row.items()):
                break
            if text.startswith(("(", "[")) or (unit and not unit[-1].endswith((")", "]"))):
                unit.append(text)
            elif text and unit:
                break
            elif text:
                title.append(text)
            last = number
        joined = " ".join(unit)
        return " ".join(title), joined.strip("()[] ") or None, last

    @property
    def printed_title(self) -> str:
        """The title with its footnote marks."""
        return self._head[0]

    @property
    def title(self) -> str:
        """The title without footnote marks."""
        return split_marks(self.printed_title, capitals=True)[0]

    @property
    def unit(self) -> str | None:
        """What stands in brackets below the title, without the brackets."""
        return self._head[1]

    @property
    def head_end(self) -> int:
        """The last row of title and unit; the header stands below."""
        return self._head[2]

    def body(self, after: int) -> Iterator[tuple[int, Mapping[int, str]]]:
        """Rows of the table below row ``after``."""
        for number, row in self.sheet.rows.items():
            if after < number <= self.last_row:
                yield number, row

    @cached_property
    def notes_start(self) -> int:
        """The row at which the notes start (behind the last row where there are none)."""
        for number, row in self.body(self.head_end):
            if self.is_note(row):
                return number
        return self.last_row + 1

    @staticmethod
    def is_note(row: Mapping[int, str]) -> bool:
        """Whether a row holds nothing but the start of a note."""
        filled = {c: t for c, t in row.items() if squeeze(t)}
        return set(filled) == {1} and _NOTE.match(filled[1].strip()) is not None

    @cached_property
    def notes(self) -> dict[str, str]:
        """Number of a note to its text."""
        found: dict[str, str] = {}
        number: str | None = None
        for _, row in self.body(self.notes_start - 1):
            text = squeeze(row.get(1, ""))
            match = _NUMBERED_NOTE.match(text)
            if match:
                number = match.group(1)
                found[number] = match.group(2)
            elif number is not None and text:
                found[number] += f" {text}"
        return found

    def refuse_figures_below(self) -> None:
        """Refuse figures that stand below the notes.

        :raises DocumentUnreadable: there are such; a table without a label of its own is hidden.
        """
        for number, row in self.body(self.notes_start):
            if any(c > 1 and squeeze(t) for c, t in row.items()):
                raise DocumentUnreadable(
                    "figures stand below the notes", where=self.sheet.place(number)
                )

    def figure(self, row: int, columns: range) -> Figure:
        """The value in ``columns`` of a row and the marks to its right.

        :raises DocumentUnreadable: more than one value stands there.
        """
        filled = [
            (c, t.strip()) for c, t in self.sheet.row(row).items() if c in columns and t.strip()
        ]
        if not filled:
            return Figure(columns[0], None, None, None)
        (column, text), *rest = filled
        for mark_column, mark in rest:
            if not _MARK_CELL.fullmatch(mark):
                raise DocumentUnreadable(
                    f"{mark!r} stands where marks of the value beside it were expected",
                    where=self.sheet.place(row, mark_column),
                    remedy="the layout has changed: extend pipelines/sources/usgs_myb",
                )
        marks = [mark for _, mark in rest]
        reading = text
        glued = _NUMBER_AND_MARKS.fullmatch(text)
        note = re.fullmatch(r"\((\d{1,2})\)", text)
        if glued:
            reading = glued["number"]
            marks.insert(0, glued["marks"])
        elif note and _HALF_UNIT.search(self.notes.get(note.group(1), "")):
            reading = "less than ½ unit"
        return Figure(column, text, reading, ", ".join(marks) or None)


def printed_tables(sheet: Sheet) -> list[PrintedTable]:
    """The printed tables of a sheet, from one ``TABLE n`` to the next."""
    starts = [n for n, row in sheet.rows.items() if _LABEL.match(squeeze(row.get(1, "")))]
    behind = [*starts[1:], sheet.last_row + 1]
    return [PrintedTable(sheet, a, b - 1) for a, b in zip(starts, behind, strict=False)]


def squeeze(text: str) -> str:
    """``text`` with its white space tidied."""
    return " ".join(text.replace("\u00a0", " ").split())


def split_marks(text: str, *, capitals: bool = False) -> tuple[str, str | None]:
    """A printed word and the footnote marks glued to it.

    Numbers only, unless the word is in ``capitals``: behind a small letter an ``e`` is as likely a
    letter as a mark (:func:`pipelines.sources.labels.strip_marks` decides by the map).

    >>> split_marks("Autonomous Region3"), split_marks("Scandium2, 3"), split_marks("Longnan")
    (('Autonomous Region', '3'), ('Scandium', '2, 3'), ('Longnan', None))
    >>> split_marks("WORLD MINE PRODUCTIONe, 2", capitals=True)
    ('WORLD MINE PRODUCTION', 'e, 2')
    """
    tidy = squeeze(text)
    match = (_GLUED_TO_CAPITALS if capitals else _GLUED).search(tidy)
    return (tidy[: match.start()].rstrip(), match["marks"]) if match else (tidy, None)


def unit_label(text: pl.Expr) -> pl.Expr:
    """A printed unit as the maps of units write it: tidy and in small letters."""
    return clean(text).str.to_lowercase()


def is_estimate(marks: str | None) -> bool:
    """Whether ``e`` is among the marks.

    >>> is_estimate("e, 4"), is_estimate("r"), is_estimate(None)
    (True, False, False)
    """
    return marks is not None and re.search(r"(?<![a-z])e(?![a-z])", marks) is not None


def says_estimate(marks: pl.Expr) -> pl.Expr:
    """:func:`is_estimate` of a column."""
    return marks.str.contains(r"(?:^|[^a-z])e(?:[^a-z]|$)")


def quarantine(*, upper: float | None = None) -> pl.Expr:
    """The reason to keep a row out, null for a good one.

    :param upper: the largest value that can be true.
    """
    reason = (
        pl.when((pl.col("value_flag") == "unreadable") | pl.col("value").is_infinite())
        .then(pl.format("unreadable number: {}", pl.col("value_text").fill_null("")))
        .when(pl.col("value") < 0)
        .then(pl.lit("negative amount"))
    )
    if upper is not None:
        reason = reason.when(pl.col("value") > upper).then(pl.lit(f"above {upper:g}"))
    return reason.otherwise(pl.lit(None, pl.String)).alias("quarantine_reason")
