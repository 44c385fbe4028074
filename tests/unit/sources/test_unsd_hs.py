"""Codes of the Harmonized System and conversions between its revisions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources import unsd_hs
from pipelines.sources.base import Document, Parsed
from starter.writers.spreadsheet import Cell, write_workbook

Rows = Sequence[Sequence[Cell]]


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("unsd_hs").edition("2012-1992")


def workbook(folder: Path, edition: Edition, **sheets: Rows) -> Parsed:
    write_workbook(folder / "tables.xlsx", sheets)
    return unsd_hs.parse(edition, [Document.of(folder / "tables.xlsx")])


def pairs(parsed: Parsed) -> list[tuple[object, ...]]:
    columns = ["from_revision", "to_revision", "kind", "from_code", "to_code", "relationship"]
    return parsed.tables[unsd_hs.CONVERSION].select(columns).rows()


def test_lists_tell_their_own_revision(fixtures_dir: Path, edition: Edition) -> None:
    files = sorted((fixtures_dir / "unsd_hs").iterdir())
    table = unsd_hs.parse(edition, [Document.of(f) for f in files]).tables[unsd_hs.CODE]
    columns = ["hs_revision", "hs_code", "parent_code", "level", "unit_text", "is_leaf"]
    assert table.select(columns).rows() == [
        ("HS22", "TOTAL", "#", 0, "n/a", False),
        ("HS22", "85", "TOTAL", 2, "n/a", False),
        ("HS22", "8505", "85", 4, "n/a", False),
        ("HS22", "850511", "8505", 6, "kg", True),
        ("HS02", "TOTAL", "#", 0, "n/a", False),
        ("HS02", "01", "TOTAL", 2, "n/a", False),
        ("HS02", "0101", "01", 4, "n/a", False),
        ("HS02", "9999AA", "9999", 6, "n/a", True),
    ]
    assert table.row(3, named=True)["row_number"] == 4


def test_combined_list_is_a_revision_of_its_own(
    tmp_path: Path, fixtures_dir: Path, edition: Edition
) -> None:
    body = json.loads((fixtures_dir / "unsd_hs" / "H6.json").read_text(encoding="utf-8"))
    path = tmp_path / "HS.json"
    path.write_text(json.dumps(body | {"classCode": "HS"}), encoding="utf-8")
    table = unsd_hs.parse(edition, [Document.of(path)]).tables[unsd_hs.CODE]
    assert table.get_column("hs_revision").unique().to_list() == ["HS"]


LISTED = "section,hscode,description,parent,level\nXVI,850511,Magnets of metal,8505,6\n"


@pytest.mark.parametrize(
    ("name", "label"), [("harmonized-system.csv", "HS2022"), ("HS 2022.csv", "x"), ("h6.csv", "x")]
)
def test_revision_may_stand_in_the_name_or_the_edition(
    tmp_path: Path, name: str, label: str
) -> None:
    path = tmp_path / name
    path.write_text(LISTED)
    edition = load_catalog().source("unsd_hs").edition(label)
    table = unsd_hs.parse(edition, [Document.of(path)]).tables[unsd_hs.CODE]
    assert table.select("hs_revision", "hs_code", "unit_text").row(0) == ("HS22", "850511", None)


def test_list_that_tells_no_revision_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "harmonized-system.csv"
    path.write_text(LISTED)
    edition = load_catalog().source("unsd_hs").edition("x")
    with pytest.raises(DocumentUnreadable, match="nothing tells the revision"):
        unsd_hs.parse(edition, [Document.of(path)])


def test_list_that_contradicts_its_name_is_refused(
    tmp_path: Path, fixtures_dir: Path, edition: Edition
) -> None:
    path = tmp_path / "cmd_h5.csv"
    path.write_bytes((fixtures_dir / "unsd_hs" / "cmd_h2.csv").read_bytes())
    with pytest.raises(DocumentUnreadable, match="calls itself HS02 and the file name says HS17"):
        unsd_hs.parse(edition, [Document.of(path)])


def test_bad_codes_are_set_aside(tmp_path: Path, edition: Edition) -> None:
    path = tmp_path / "H5.csv"
    path.write_text(LISTED + "I,101,Horses,1,4\nI,0101,,01,4\n")
    parsed = unsd_hs.parse(edition, [Document.of(path)])
    assert parsed.tables[unsd_hs.CODE].height == 1
    bad = parsed.quarantined[unsd_hs.CODE].get_column("quarantine_reason").to_list()
    assert bad == ["not an HS code of two, four or six digits", "code has no description"]


def test_header_is_found_below_titles_and_right_of_margins(
    tmp_path: Path, edition: Edition
) -> None:
    parsed = workbook(
        tmp_path,
        edition,
        Correlation=[
            ["Correlation table HS 2012 to HS 1992"],
            [None],
            [None, None, "HS 2012", "HS 1988/92", "Relationship"],
            [None, None, "850511", "850511", "'1:1"],
            [None, None, "282520", "282520", "n to 1"],
            [None],
        ],
        Conversion=[["From", "To"], ["From HS2012", "To HS1992"], [10121, "0101.11"]],
    )
    assert not parsed.quarantined
    assert pairs(parsed) == [
        ("HS12", "HS92", "correlation", "850511", "850511", "1:1"),
        ("HS12", "HS92", "correlation", "282520", "282520", "n:1"),
        ("HS12", "HS92", "conversion", "010121", "010111", None),
    ]
    table = parsed.tables[unsd_hs.CONVERSION]
    assert table.select("sheet", "row_number", "relationship_text").rows() == [
        ("Correlation", 4, "'1:1"),
        ("Correlation", 5, "n to 1"),
        ("Conversion", 3, None),
    ]


def test_columns_are_taken_by_their_words_not_their_order(tmp_path: Path, edition: Edition) -> None:
    parsed = workbook(tmp_path, edition, S=[["To HS 2007", "From HS 2012"], ["810520", "810530"]])
    assert pairs(parsed) == [("HS12", "HS07", "conversion", "810530", "810520", None)]


def test_marks_of_partial_codes_are_kept(tmp_path: Path, edition: Edition) -> None:
    parsed = workbook(
        tmp_path,
        edition,
        S=[
            ["HS 2007", None, "HS 2002", "Relationship"],
            ["280530", "ex", "280530", "1:1"],
            ["284690", None, "284690", "n:n"],
        ],
    )
    table = parsed.tables[unsd_hs.CONVERSION]
    assert table.get_column("partial_text").to_list() == ["ex", None]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([None, "280530", None], "code stands on one side only"),
        (["2805", "280530", "1:1"], "not a six-digit HS code"),
        (["280530", "280530", "many"], "relationship is not 1:1, 1:n, n:1 or n:n"),
        (
            ["850511", "850511", "1:1"],
            "duplicate key (from_revision, to_revision, kind, from_code, to_code)",
        ),
    ],
)
def test_bad_pairs_are_set_aside(
    tmp_path: Path, edition: Edition, row: list[Cell], reason: str
) -> None:
    head: list[list[Cell]] = [["HS 2012", "HS 2007", "Relationship"], ["850511", "850511", "1:1"]]
    parsed = workbook(tmp_path, edition, S=[*head, row])
    bad = parsed.quarantined[unsd_hs.CONVERSION].get_column("quarantine_reason").to_list()
    assert (parsed.rows_out, bad) == (1, [reason])


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["HS 2012", "HS 2007", "Relationship", "Weight"], "column 'Weight' is not known"),
        (["HS 2012", "HS 2012", "Relationship"], "expected two different revisions"),
        (["From HS 2017", "To BEC"], "neither a list of HS codes nor a conversion"),
    ],
)
def test_other_workbooks_are_refused(
    tmp_path: Path, edition: Edition, header: list[Cell], message: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=message):
        workbook(tmp_path, edition, S=[header, ["850511", "850511", "1:1", "1"]])


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("HS2022toHS2017ConversionAndCorrelationTables.xlsx", "2022-2017"),
        ("HS 2012 to HS 1992 Correlation and conversion tables.xls", "2012-1992"),
        ("HS1996 to HS1992 - Correlation and conversion tables (3).xls", "1996-1992"),
        ("H6.json", "H6"),
        ("HS.json", "HS"),
        ("prices.xlsx", None),
    ],
)
def test_file_names_tell_the_edition(name: str, label: str | None) -> None:
    assert load_catalog().source("unsd_hs").label_from_name(name) == label
