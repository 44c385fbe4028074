"""Broken, foreign and hostile workbooks: one clear line, never a foreign exception."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.catalog import load_catalog
from pipelines.errors import DocumentUnreadable, EditionRefused
from pipelines.sources import load_source
from pipelines.sources.base import Document
from starter.writers.spreadsheet import Cell, write_workbook

SOURCES = ("usgs_myb", "usitc_dataweb", "iea_cm", "wmd")

#: Words that the readers look for, so that random sheets get past the first check.
WORDS = [
    "TABLE 8", "TABLE 2", "TABLE 3", "RARE EARTHS: WORLD MINE PRODUCTION, BY COUNTRY",
    "RARE EARTH CONTENTS OF SOURCE MINERALS", "AVERAGE RARE-EARTH OXIDE PRICES",
    "(Metric tons, rare-earth oxide equivalent)", "(Dollars per kilogram)", "Country", "China",
    "Chinae, 4", "2001", "2002e", 2001, 2002, "Primary Source", "Location", "La", "Ce", "Nd",
    "Product (oxide)", "Purity", "Year", "Production", "Imports", "eEstimated.", "1Source: A, 2001",
    "Do.", "--", "NA", "<1", "(2)", "12e", "Data Type", "HTS Number", "Quantity Description",
    "Customs Value", "2846", "kilograms", "Data Row Count", 1, "Trade Flow", "General Imports",
    "Classification System", "HTS Items", "Download Date", "2002-02-02", "Annual data Jan - Apr",
    "2001_Suppressed", "Total: ", "Total supply, base case (kt)", "Demand (kt)", "CC BY 4.0",
    "Copper - Mining", "Total", "Rest of world", "Top 3 share", "Notes", 0.5, -3, "1e999", "",
    "unit", "kg", "metr. t", "data source", "e",
]  # fmt: skip


def parse(source_id: str, path: Path) -> object:
    edition = load_catalog().source(source_id).edition("test")
    return load_source(source_id).parse(edition, [Document.of(path)])


def workbook(path: Path) -> Path:
    write_workbook(path, {"T8": [["TABLE 8"], ["RARE EARTHS: WORLD MINE PRODUCTION"]]})
    return path


@pytest.mark.parametrize("source_id", SOURCES)
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.xlsx", b"", "not a workbook"),
        ("page.xlsx", b"<!DOCTYPE html><html></html>", "a web page"),
        ("text.xlsx", b"Country,2001\nChina,1\n", "not a workbook"),
        ("zip.xlsx", b"PK\x03\x04 and then nothing", "damaged"),
        ("data.csv", b"Country,2001\nChina,1\n", r"a \.csv file where a workbook"),
        ("report.pdf", b"%PDF-1.7", r"no workbook \(\.xlsx\) among the documents \(report.pdf\)"),
        ("tables.zip", b"PK\x03\x04 broken", "zip is damaged"),
    ],
)
def test_other_bytes_are_refused_in_one_line(
    tmp_path: Path, source_id: str, name: str, content: bytes, message: str
) -> None:  # fmt: skip
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentUnreadable, match=message) as caught:
        parse(source_id, tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source_id", SOURCES)
def test_truncated_workbook_is_refused(tmp_path: Path, source_id: str) -> None:
    content = workbook(tmp_path / "whole.xlsx").read_bytes()
    for share in (0.2, 0.5, 0.9, 0.99):
        path = tmp_path / "cut.xlsx"
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(DocumentUnreadable):
            parse(source_id, path)


@pytest.mark.parametrize("source_id", SOURCES)
def test_zip_with_another_content_is_refused(tmp_path: Path, source_id: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("word/document.xml", "<document/>")
    (tmp_path / "letter.xlsx").write_bytes(buffer.getvalue())
    with pytest.raises(DocumentUnreadable):
        parse(source_id, tmp_path / "letter.xlsx")


@pytest.mark.parametrize("source_id", SOURCES)
def test_workbook_inside_a_zip_beside_prose_is_found(tmp_path: Path, source_id: str) -> None:
    path = tmp_path / "release.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "words")
        archive.write(workbook(tmp_path / "tables.xlsx"), "folder/tables.xlsx")
    with pytest.raises(DocumentUnreadable, match=r"release\.zip/folder/tables\.xlsx"):
        parse(source_id, path)


@pytest.mark.parametrize("source_id", SOURCES)
@given(
    sheets=st.dictionaries(
        st.sampled_from(["Query", "T8", "T2", "2 Supply", "Gold"]),
        st.lists(st.lists(st.sampled_from([None, *WORDS]), max_size=8), max_size=14),
        min_size=1,
        max_size=3,
    )
)
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_sheet_is_read_or_refused(
    tmp_path: Path, source_id: str, sheets: dict[str, list[list[Cell]]]
) -> None:
    path = tmp_path / "random.xlsx"
    write_workbook(path, sheets)
    with contextlib.suppress(EditionRefused):
        parse(source_id, path)
