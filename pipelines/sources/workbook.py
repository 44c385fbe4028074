"""The workbooks of an edition as sheets of text cells that a reader can walk by row and column.

Publishers' printed tables (titles, two-line labels, marks beside the values) are told from their
content, so a reader looks at single cells. Row and column numbers are those of the publisher's own
file, counted from 1; reading the bytes is done by ``grids``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable, EditionRefused
from pipelines.sources.base import PLACE_COLUMNS, Document, Part, parts
from pipelines.sources.grids import WORKBOOK_SUFFIXES, Grid, workbook_grids

__all__ = ["Sheet", "Workbook", "cell_frame", "read_workbooks"]

#: Data in forms that are not read here; anything else beside a workbook is prose and passed over.
_OTHER_DATA = frozenset({".csv", ".tsv", ".json", ".ods", ".xlsb", ".parquet"})
_AGAIN = "fetch the document again from the publisher"


@dataclass(frozen=True)
class Sheet:
    """One sheet.

    :ivar part: the document that it stands in.
    :ivar name: as on its tab.
    :ivar rows: row number to ``{column number: text}``, in the order of the sheet; empty cells and
        empty rows are left out.
    """

    part: Part
    name: str
    rows: Mapping[int, Mapping[int, str]]

    @classmethod
    def of(cls, grid: Grid) -> Sheet:
        """The cells of ``grid``."""
        columns = [name for name in grid.cells.columns if name != "row_number"]
        rows: dict[int, dict[int, str]] = {}
        for row in grid.cells.iter_rows(named=True):
            filled = {int(name): row[name] for name in columns if row[name] is not None}
            if filled:
                rows[row["row_number"]] = filled
        return cls(part=grid.part, name=grid.sheet or "", rows=rows)

    @cached_property
    def last_row(self) -> int:
        """Number of the last row that holds anything, 0 in an empty sheet."""
        return max(self.rows, default=0)

    def row(self, number: int) -> Mapping[int, str]:
        """The filled cells of a row, by column."""
        return self.rows.get(number, {})

    def text(self, row: int, column: int) -> str | None:
        """Text of a cell, None where it is empty."""
        return self.row(row).get(column)

    def place(self, row: int | None = None, column: int | None = None) -> str:
        """File, sheet, row and column, for messages."""
        place = f"{self.part.name}, sheet {self.name}"
        if row is not None:
            place += f", row {row}"
        if column is not None:
            place += f", column {column}"
        return place


@dataclass(frozen=True)
class Workbook:
    """A spreadsheet document and its sheets, empty ones left out, in the order of its tabs."""

    part: Part
    sheets: tuple[Sheet, ...]

    @property
    def sheet_names(self) -> str:
        """The tabs, for messages."""
        return ", ".join(sheet.name for sheet in self.sheets) or "none"


def read_workbooks(documents: Sequence[Document]) -> list[Workbook]:
    """All workbooks among ``documents``, those inside zips included.

    Prose beside them (PDF, readme, metadata) is passed over.

    :raises DocumentUnreadable: no workbook is there; one is damaged or a web page; data stands
        beside it in a form that is not read here.
    """
    found: list[Workbook] = []
    others: list[str] = []
    for part in _parts(documents):
        if part.suffix in WORKBOOK_SUFFIXES:
            found.append(_workbook(part))
        elif part.suffix in _OTHER_DATA:
            raise DocumentUnreadable(
                f"a {part.suffix} file where a workbook (.xlsx) was expected",
                where=part.name,
                remedy="give the publisher's workbook",
            )
        else:
            others.append(part.base_name)
    if not found:
        raise DocumentUnreadable(
            f"no workbook (.xlsx) among the documents ({', '.join(others[:5]) or 'none given'})",
            remedy="give the publisher's workbook",
        )
    return found


def _parts(documents: Sequence[Document]) -> Iterator[Part]:
    for document in documents:
        try:
            yield from parts([document])
        except EditionRefused:
            raise
        except Exception as error:
            raise _damaged(document.name, error) from error


def _workbook(part: Part) -> Workbook:
    # Packing libraries raise what they trip over (zlib, struct, RuntimeError for a password), and
    # all of it means the same: these bytes are not a readable workbook.
    try:
        sheets = tuple(Sheet.of(grid) for grid in workbook_grids(part))
    except EditionRefused:
        raise
    except Exception as error:
        raise _damaged(part.name, error) from error
    return Workbook(part=part, sheets=sheets)


def _damaged(name: str, error: Exception) -> DocumentUnreadable:
    reason = " ".join((str(error) or type(error).__name__).split())[:160]
    return DocumentUnreadable(
        f"packing is damaged or encrypted ({reason})", where=name, remedy=_AGAIN
    )


def cell_frame(
    edition: Edition, rows: Sequence[Mapping[str, object]], columns: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    """``rows`` as a frame that says which edition they belong to.

    :param rows: ``{"part": Part, "sheet": name, "row_number": ..., <columns>}``, one a cell.
    :param columns: the columns of the rows beside their place, with their types.
    """
    places = [
        {
            "source_edition_id": edition.edition_id,
            "document_name": part.name,
            "document_sha256": part.document.sha256,
        }
        for row in rows
        if isinstance(part := row["part"], Part)
    ]
    data = [{**place, **row} for place, row in zip(places, rows, strict=True)]
    return pl.DataFrame(
        [{k: v for k, v in row.items() if k != "part"} for row in data],
        schema={**PLACE_COLUMNS, **columns},
        orient="row",
    )
