"""CSV files and sheets as text cells with their place."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import Document, Part, parts
from pipelines.sources.grids import csv_grid, read_grids, workbook_grids
from starter.writers.common import write_zip
from starter.writers.spreadsheet import write_workbook


def part(folder: Path, name: str, content: bytes) -> Part:
    path = folder / name
    path.write_bytes(content)
    return next(parts([Document.of(path)]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encoding_of_csv_text_is_told_from_its_bytes(tmp_path: Path, encoding: str) -> None:
    grid = csv_grid(part(tmp_path, "a.csv", "name,share\nTürkiye,4%\n".encode(encoding)))
    assert grid.cells.row(1) == (2, "Türkiye", "4%")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_of_csv_text_is_told_from_its_first_line(tmp_path: Path, delimiter: str) -> None:
    text = f'a{delimiter}b\n"x{delimiter}y"{delimiter}2\n'
    grid = csv_grid(part(tmp_path, "a.csv", text.encode()))
    assert grid.cells.row(1) == (2, f"x{delimiter}y", "2")


def test_na_is_text_and_blank_cells_are_null(tmp_path: Path) -> None:
    grid = csv_grid(part(tmp_path, "a.csv", b"iso2,iso3\nNA,NAM\n ,\n,SRK\n"))
    assert grid.cells.rows() == [(1, "iso2", "iso3"), (2, "NA", "NAM"), (4, None, "SRK")]


def test_short_and_long_rows_of_csv_are_kept_whole(tmp_path: Path) -> None:
    grid = csv_grid(part(tmp_path, "a.csv", b"a,b\n1\n1,2,3\n"))
    assert grid.cells.rows() == [(1, "a", "b", None), (2, "1", None, None), (3, "1", "2", "3")]
    with pytest.raises(DocumentUnreadable, match=r"column 3 holds values .*row 3"):
        grid.refuse_stray(1, frozenset({1, 2}))


def test_row_and_column_numbers_are_those_of_the_spreadsheet(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Tables"
    sheet["C4"] = "HS 2012"
    sheet["D4"] = "HS 1992"
    sheet["C6"] = "010121"
    sheet["D6"] = 10111
    book.create_sheet("empty")
    book.save(tmp_path / "a.xlsx")
    (grid,) = read_grids(next(parts([Document.of(tmp_path / "a.xlsx")])))
    assert grid.sheet == "Tables"
    assert list(grid.head(5)) == [
        (4, {3: "HS 2012", 4: "HS 1992"}),
        (6, {3: "010121", 4: "10111"}),
    ]


def test_numbers_of_a_sheet_keep_all_their_digits(tmp_path: Path) -> None:
    numbers = [-1.2917047739028931, 0.1, 1e-12, 123456789.123456, 2.0, 0.0]
    write_workbook(tmp_path / "a.xlsx", {"S": [[n] for n in numbers] + [["0.10"], ["007"]]})
    (grid,) = workbook_grids(next(parts([Document.of(tmp_path / "a.xlsx")])))
    texts = grid.cells.get_column("1").to_list()
    assert [float(t) for t in texts[:6]] == numbers
    assert texts[6:] == ["0.10", "007"]


def test_a_text_file_with_the_name_of_a_workbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="not a workbook"):
        read_grids(part(tmp_path, "a.xlsx", b"a,b\n1,2\n"))


def test_a_stray_cell_at_the_far_corner_is_refused_not_allocated(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"] = "a"
    sheet["XFD1048576"] = "far"
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(DocumentUnreadable, match="1,048,576 rows and 16,384 columns"):
        read_grids(next(parts([Document.of(tmp_path / "a.xlsx")])))


def test_a_far_row_of_cells_without_places_is_refused(tmp_path: Path) -> None:
    xml = b'<worksheet><sheetData><row r="1048576">' + b"<c/>" * 500 + b"</row></sheetData>"
    write_zip(tmp_path / "a.xlsx", {"xl/worksheets/sheet1.xml": xml})
    with pytest.raises(DocumentUnreadable, match="spreads over"):
        read_grids(next(parts([Document.of(tmp_path / "a.xlsx")])))


def test_starter_workbooks_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    rows = [["a", 1], [None, 0.5], [" b & <c>", 2]]
    write_workbook(tmp_path / "a.xlsx", {"One & two": rows})
    write_workbook(tmp_path / "b.xlsx", {"One & two": rows})
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    (grid,) = workbook_grids(next(parts([Document.of(tmp_path / "a.xlsx")])))
    assert grid.sheet == "One & two"
    assert grid.cells.rows() == [(1, "a", "1"), (2, None, "0.5"), (3, " b & <c>", "2")]
    opened = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert opened is not None
    assert [c.value for c in opened[3]] == [" b & <c>", 2]
