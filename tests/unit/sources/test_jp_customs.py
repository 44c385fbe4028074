"""Files and answers of Japan's trade statistics: both forms say the same; invented figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources import jp_customs
from pipelines.sources.base import Document, Parsed

TRADE = "raw_jp_customs__trade"
FILE, ANSWER = "files_2024_000000000001.csv", "import_2024_0000000001_001.json"
SHOWN = (
    "flow",
    "partner_code",
    "national_code",
    "reference_year",
    "reference_month",
    "trade_value_kjpy",
    "net_weight_kg",
    "supplementary_quantity",
    "supplementary_unit",
)


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("jp_customs").edition("2024")


@pytest.fixture
def read_file(tmp_path: Path, edition: Edition, fixtures_dir: Path) -> Callable[..., Parsed]:
    """The file, after replacements in its text."""

    def reading(*replacements: tuple[str, str], **options: Any) -> Parsed:
        text = (fixtures_dir / "jp_customs" / FILE).read_bytes().decode()
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / FILE
        path.write_bytes(text.encode())
        return jp_customs.parse(edition, [Document.of(path)], **options)

    return reading


@pytest.fixture
def read_answer(tmp_path: Path, edition: Edition, fixtures_dir: Path) -> Callable[..., Parsed]:
    """The answer, after ``change`` has been at it."""

    def reading(change: Callable[[dict[str, Any]], object] | None = None) -> Parsed:
        answer = json.loads((fixtures_dir / "jp_customs" / ANSWER).read_text())
        if change is not None:
            change(answer["GET_STATS_DATA"])
        path = tmp_path / ANSWER
        path.write_text(json.dumps(answer))
        return jp_customs.parse(edition, [Document.of(path)])

    return reading


def trade(parsed: Parsed, *columns: str) -> list[tuple[object, ...]]:
    return parsed.tables[TRADE].select(columns).rows()


def test_only_months_that_state_a_figure_are_rows(read_file: Callable[..., Parsed]) -> None:
    parsed = read_file()
    assert trade(parsed, *SHOWN) == [
        ("import", "105", "284690210", 2024, 1, 900.0, 40.0, None, None),
        # Goods of less than 1,000 yen read 0.
        ("import", "105", "284690210", 2024, 3, 0.0, 2.0, None, None),
        ("import", "105", "850511000", 2024, 2, 60.0, 3.0, 7.0, "items"),
        ("import", "103", "870323915", 2024, 1, 800.0, None, 5.0, "items"),
    ]
    assert parsed.rows_out + parsed.rows_out_of_scope == 3 * 12


def test_both_forms_say_the_same(
    read_file: Callable[..., Parsed], read_answer: Callable[..., Parsed]
) -> None:
    assert trade(read_answer(), *SHOWN) == [trade(read_file(), *SHOWN)[2]]
    assert trade(read_answer(), "partner_text", "row_number") == [
        ("105_People's Republic of China", 6)
    ]


def test_lines_of_other_codes_are_counted_not_read(read_file: Callable[..., Parsed]) -> None:
    parsed = read_file(keep_codes=frozenset({"850511"}))
    assert trade(parsed, "national_code") == [("850511000",)]
    assert parsed.rows_out_of_scope == 35


def test_codes_of_materials_are_kept() -> None:
    assert {"284690", "850511"} <= jp_customs.mapped_codes()


def test_export_is_told_by_1(read_file: Callable[..., Parsed]) -> None:
    assert trade(read_file(("\n2,2024,'850511000'", "\n1,2024,'850511000'")), "flow")[2] == (
        "export",
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("2,2024,'850511000'", "3,2024,'850511000'", "neither export nor import"),
        ("2,2024,'850511000'", "2,two,'850511000'", "month is unreadable"),
        ("'850511000'", "'8505110'", "not a commodity code"),
        ("7,3,60,0,0,0,7,3,60", "7,3,60,0,0,0,7,3,-60", "value is negative"),
        ("7,3,60,0,0,0,7,3,60", "7,3,60,0,0,0,7,3,six", "value is unreadable"),
        ("7,3,60,0,0,0,7,3,60", "7,3,60,0,0,0,7,x,60", "quantity is unreadable"),
    ],
)
def test_single_bad_month_is_quarantined(
    read_file: Callable[..., Parsed], old: str, new: str, reason: str
) -> None:
    parsed = read_file((old, new))
    assert parsed.quarantined[TRADE]["quarantine_reason"].to_list() == [reason]
    assert parsed.rows_out == 3


def test_country_that_no_map_knows_refuses(read_file: Callable[..., Parsed]) -> None:
    with pytest.raises(UnknownLabel, match=r"unknown country '999'.*row 3"):
        read_file(("'850511000',105", "'850511000',999"))


def test_unit_that_no_map_knows_refuses(read_file: Callable[..., Parsed]) -> None:
    with pytest.raises(UnknownLabel, match="unknown quantity unit 'XX'"):
        read_file(("105,NO,KG", "105,XX,KG"))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("HS,Country", "HS,Custom", "column 'Custom' is not known"),
        ("Year,HS,Country", "Year,HS,HS", "column 'country' is missing"),
        ("Quantity1-Feb", "Quantity1-Mar", "stands twice"),
        ("Value-Feb", "Worth-Feb", "column 'Worth-Feb' is not known"),
        (",7,3,60,0", ",7,3,60", "fields where the header has"),
    ],
)
def test_other_layout_is_refused(
    read_file: Callable[..., Parsed], old: str, new: str, what: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=what):
        read_file((old, new))


def test_error_told_with_status_200_is_refused(read_answer: Callable[..., Parsed]) -> None:
    def failed(body: dict[str, Any]) -> None:
        body["RESULT"] = {"STATUS": 100, "ERROR_MSG": "Authentication failed."}

    with pytest.raises(DocumentUnreadable, match=r"status 100: Authentication failed\."):
        read_answer(failed)


def test_answer_that_goes_on_elsewhere_is_refused(read_answer: Callable[..., Parsed]) -> None:
    with pytest.raises(DocumentUnreadable, match="goes on at a page that is not here"):
        read_answer(lambda b: b["STATISTICAL_DATA"]["RESULT_INF"].__setitem__("NEXT_KEY", 6))


def test_cell_that_stands_twice_is_refused(read_answer: Callable[..., Parsed]) -> None:
    def twice(body: dict[str, Any]) -> None:
        cells = body["STATISTICAL_DATA"]["DATA_INF"]["VALUE"]
        cells.append(cells[-1])

    with pytest.raises(
        DocumentUnreadable, match="value of 850511000/50105/2024000000 stands twice"
    ):
        read_answer(twice)


def test_dash_is_no_figure(read_answer: Callable[..., Parsed]) -> None:
    def dashes(body: dict[str, Any]) -> None:
        for cell in body["STATISTICAL_DATA"]["DATA_INF"]["VALUE"][3:5]:
            cell["$"] = "-"

    wanted = ("trade_value_kjpy", "net_weight_kg", "quantity1_text")
    assert trade(read_answer(dashes), *wanted) == [(60.0, None, None)]


def test_table_of_both_flows_is_refused(read_answer: Callable[..., Parsed]) -> None:
    with pytest.raises(DocumentUnreadable, match="neither imports nor exports"):
        read_answer(lambda b: b["STATISTICAL_DATA"].__setitem__("TABLE_INF", {"TITLE": "Trade"}))


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_missing_class_object_is_refused(read_answer: Callable[..., Parsed], at: int) -> None:
    with pytest.raises(DocumentUnreadable, match="no class object holds the"):
        read_answer(lambda b: b["STATISTICAL_DATA"]["CLASS_INF"]["CLASS_OBJ"].pop(at))


@pytest.mark.parametrize("name", [FILE, ANSWER])
@pytest.mark.parametrize(
    "content", [b"", b"\n", b"a,b\n1,2\n", b"{}", b"[]", b"null", b"<html></html>", b"\x00" * 9]
)
def test_what_has_neither_form_is_refused(
    tmp_path: Path, edition: Edition, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DocumentUnreadable):
        jp_customs.parse(edition, [Document.of(path)])
