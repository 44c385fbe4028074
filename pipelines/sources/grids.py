"""Small tables as publishers lay them out: CSV and workbooks, every cell as text with its place.

A :class:`Grid` is one CSV file or one sheet. Nothing is interpreted here: no header, no types, no
null words (``NA`` is Namibia as often as it is a gap). Row and column numbers are those that a
spreadsheet shows, counted from 1, also where a sheet opens with empty rows or columns.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import fastexcel
import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import Part, refuse_html
from pipelines.sources.labels import clean

__all__ = ["WORKBOOK_SUFFIXES", "Grid", "csv_grid", "read_bytes", "read_grids", "workbook_grids"]

WORKBOOK_SUFFIXES = frozenset({".xls", ".xlsx", ".xlsm"})
TEXT_SUFFIXES = frozenset({".csv", ".txt", ".tsv"})

#: A workbook may not unpack to more than this, nor a text file be longer.
MAX_BYTES = 1024**3
#: A sheet is held as a rectangle; one stray cell at its far corner must not cost all memory.
MAX_CELLS = 60_000_000
_DELIMITERS = (",", ";", "\t", "|")
_ANY_CELL = re.compile(rb"<(?:\w+:)?c[\s/>]")
_ROW = re.compile(rb'<(?:\w+:)?row\s[^>]*?\br="(\d{1,9})"')
_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')
_ROW_NUMBER = "row_number"
#: What reading a zip of any bytes may raise; an encrypted member raises RuntimeError.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of one CSV file or one sheet.

    :ivar part: the document, or member of a zip, that it stands in.
    :ivar sheet: name of the sheet, None for CSV.
    :ivar cells: ``row_number`` and one text column a column of the sheet, named by its number
        (``"1"``). Blank cells are null, blank rows left out.
    """

    part: Part
    sheet: str | None
    cells: pl.DataFrame

    @property
    def place(self) -> str:
        """File and sheet, for messages."""
        return f"{self.part.name}, sheet {self.sheet}" if self.sheet else self.part.name

    def head(self, rows: int) -> Iterator[tuple[int, dict[int, str]]]:
        """The first ``rows`` rows: row number, and the text of the filled cells by column."""
        names = [c for c in self.cells.columns if c != _ROW_NUMBER]
        for row in self.cells.head(rows).with_columns(clean(pl.col(names))).iter_rows(named=True):
            yield row[_ROW_NUMBER], {int(n): row[n] for n in names if row[n]}

    def select(self, header_row: int, columns: Mapping[str, int]) -> pl.DataFrame:
        """``row_number`` and the named columns, of the rows below ``header_row``.

        Rows that are blank in all of these columns are left out.
        """
        body = self.cells.filter(pl.col(_ROW_NUMBER) > header_row)
        frame = body.select(
            _ROW_NUMBER, *(pl.col(str(number)).alias(name) for name, number in columns.items())
        )
        return frame.filter(pl.any_horizontal(pl.col(list(columns)).is_not_null()))

    def refuse_stray(self, header_row: int, known: frozenset[int]) -> None:
        """Refuse values that stand below ``header_row`` in a column that has no header.

        :raises DocumentUnreadable: such a value exists; the message names row and column.
        """
        body = self.cells.filter(pl.col(_ROW_NUMBER) > header_row)
        for name in self.cells.columns:
            if name == _ROW_NUMBER or int(name) in known:
                continue
            stray = body.filter(pl.col(name).is_not_null())
            if stray.height:
                raise DocumentUnreadable(
                    f"column {name} holds values but has no header",
                    where=f"{self.place}, row {stray.item(0, _ROW_NUMBER)}",
                    remedy="the layout has changed, or a cell holds an unquoted delimiter",
                )

    def placed(self, frame: pl.DataFrame, edition: Edition) -> pl.DataFrame:
        """``frame`` with the columns that say which document its rows stand in."""
        return frame.with_columns(
            pl.lit(edition.edition_id).alias("source_edition_id"),
            pl.lit(self.part.name).alias("document_name"),
            pl.lit(self.part.document.sha256).alias("document_sha256"),
            pl.lit(self.sheet, pl.String).alias("sheet"),
        )


def read_grids(part: Part) -> list[Grid]:
    """The grids of ``part``: one for CSV text, one a sheet for a workbook, none for other files.

    :raises DocumentUnreadable: the bytes are not what the file name promises.
    """
    if part.suffix in TEXT_SUFFIXES:
        return [csv_grid(part)]
    if part.suffix in WORKBOOK_SUFFIXES:
        return workbook_grids(part)
    return []


def read_bytes(part: Part) -> bytes:
    """The bytes of ``part``, unpacked.

    :raises DocumentUnreadable: the packing is damaged or asks for a password, the piece is a web
        page, or it is too long to be a list or a workbook.
    """
    try:
        content = part.read()
    except _DAMAGE as error:
        raise DocumentUnreadable(
            f"packing is damaged or locked ({error})",
            where=part.name,
            remedy="fetch the document again from the publisher",
        ) from error
    if len(content) > MAX_BYTES:
        raise DocumentUnreadable(f"longer than {MAX_BYTES:,} bytes", where=part.name)
    refuse_html(part, content[:512])
    return content


def _decode(part: Part, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        # Windows-1252 text with an accent is never valid UTF-8, so the order decides rightly.
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            position = error.start
    raise DocumentUnreadable(
        f"neither UTF-8 nor Windows-1252 text (byte {position})",
        where=part.name,
        remedy="fetch the document again from the publisher",
    )


def csv_grid(part: Part) -> Grid:
    """The CSV file ``part``: UTF-8, UTF-16 or Windows-1252; comma, semicolon, tab or bar.

    :raises DocumentUnreadable: a web page, binary content, broken quoting, or no rows.
    """
    content = read_bytes(part)
    text = _decode(part, content)
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise DocumentUnreadable(
            f"not CSV text: {error}", where=f"{part.name}, line {reader.line_num}"
        ) from error
    width = max((len(row) for row in rows), default=0)
    if not width or width * len(rows) > MAX_CELLS:
        what = "empty" if not width else f"more than {MAX_CELLS:,} cells"
        raise DocumentUnreadable(what, where=part.name)
    frame = pl.DataFrame(
        {
            str(number + 1): [row[number] if number < len(row) else None for row in rows]
            for number in range(width)
        },
        schema={str(number + 1): pl.String for number in range(width)},
    )
    return Grid(part, None, _tidy(frame))


def _tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows numbered from 1, cells without text null, rows without cells left out."""
    columns = pl.col(frame.columns)
    return (
        frame.with_columns(
            pl.when(columns.str.strip_chars() == "").then(None).otherwise(columns).name.keep()
        )
        .with_row_index(_ROW_NUMBER, offset=1)
        .cast({_ROW_NUMBER: pl.Int64})
        .filter(pl.any_horizontal(pl.exclude(_ROW_NUMBER).is_not_null()))
    )


def _refuse_oversize(part: Part, content: bytes) -> None:
    """Refuse a workbook that would unpack to, or spread over, more than memory bears."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(m.file_size for m in members) > MAX_BYTES:
                raise DocumentUnreadable(
                    f"workbook unpacks to more than {MAX_BYTES:,} bytes", where=part.name
                )
            for member in members:
                height, width = _spread(archive.read(member))
                if height * width > MAX_CELLS:
                    raise DocumentUnreadable(
                        f"sheet spreads over {height:,} rows and {width:,} columns",
                        where=f"{part.name}, {member.filename}",
                        remedy="delete the stray cells, or fetch the document again",
                    )
    except _DAMAGE as error:
        raise DocumentUnreadable(
            f"workbook is damaged or cut short ({error})",
            where=part.name,
            remedy="fetch the document again from the publisher",
        ) from error


def _spread(xml: bytes) -> tuple[int, int]:
    """Rows and columns that a sheet reaches over, by the places its cells name or imply."""
    cells = _CELL.findall(xml)
    height = max((int(row) for _, row in cells), default=0)
    width = max((_column_number(column) for column in {c for c, _ in cells}), default=0)
    if len(_ANY_CELL.findall(xml)) > len(cells):
        # Cells that name no place follow one another.
        implied = [len(_ANY_CELL.findall(row)) for row in xml.split(b"</row>")]
        height = max(height, len(implied) - 1, *(int(number) for number in _ROW.findall(xml)))
        width = max(width, *implied)
    return height, width


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def workbook_grids(part: Part) -> list[Grid]:
    """The sheets of the workbook ``part`` (``.xls``, ``.xlsx``), empty ones left out.

    Numbers are given in full: the reader's own text rounds them to nine decimals, so the text of a
    number that says more comes from the stored value.

    :raises DocumentUnreadable: not a workbook, damaged, or spread over too many cells.
    """
    content = read_bytes(part)
    if content.startswith(b"PK"):
        _refuse_oversize(part, content)
    elif not content.startswith(b"\xd0\xcf\x11\xe0"):
        raise DocumentUnreadable(
            "not a workbook (neither XLSX nor XLS)",
            where=part.name,
            remedy="fetch the document again from the publisher",
        )
    try:
        reader = fastexcel.read_excel(content)
        return [
            Grid(part, name, cells)
            for index, name in enumerate(reader.sheet_names)
            if (cells := _sheet(reader, index)) is not None
        ]
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # the parser panics outside Exception
        raise DocumentUnreadable(
            f"workbook is damaged ({error})",
            where=part.name,
            remedy="fetch the document again from the publisher",
        ) from error


def _sheet(reader: fastexcel.ExcelReader, index: int) -> pl.DataFrame | None:
    # Row numbers hold only if empty rows at the top are kept (skip_rows=0).
    sheet = reader.load_sheet(index, header_row=None, skip_rows=0, dtypes="string")
    texts = sheet.to_polars()
    if texts.is_empty():
        return None
    numbers = reader.load_sheet(index, header_row=None, skip_rows=0, dtypes="float").to_polars()
    exact = [
        pl.when(texts[name].cast(pl.Float64, strict=False) != numbers[name])
        .then(numbers[name].cast(pl.String))
        .otherwise(texts[name])
        .alias(str(info.absolute_index + 1))
        for name, info in zip(texts.columns, sheet.available_columns(), strict=True)
    ]
    return _tidy(texts.select(exact))
