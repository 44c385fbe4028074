"""Answers of the Census Bureau: groups, totals, units, levels; invented figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources import us_census
from pipelines.sources.base import Document, Parsed

TRADE = "raw_us_census__trade"
IMPORTS, EXPORTS = "imports_2846902010_2024.json", "exports_850511_2024.json"


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("us_census").edition("2024")


@pytest.fixture
def read(tmp_path: Path, edition: Edition, fixtures_dir: Path) -> Callable[..., Parsed]:
    """The fixture of this name, after ``change`` has been at its rows."""

    def reading(name: str, change: Callable[[list[list[Any]]], object] | None = None) -> Parsed:
        rows = json.loads((fixtures_dir / "us_census" / name).read_text())
        if change is not None:
            change(rows)
        path = tmp_path / name
        path.write_text(json.dumps(rows))
        return us_census.parse(edition, [Document.of(path)])

    return reading


def trade(parsed: Parsed, *columns: str) -> list[tuple[object, ...]]:
    return parsed.tables[TRADE].select(columns).rows()


def reasons(parsed: Parsed) -> list[str]:
    return parsed.quarantined[TRADE]["quarantine_reason"].to_list()


def test_countries_are_let_in_and_groups_left_out(read: Callable[..., Parsed]) -> None:
    parsed = read(IMPORTS)
    wanted = ["partner_code", "reference_month", "trade_value_usd", "total_value_usd", "row_number"]
    assert trade(parsed, *wanted) == [
        ("4280", 3, 100.0, 600.0, 5),
        ("5700", 3, 500.0, 600.0, 6),
        ("5700", 4, 70.0, 70.0, 8),
    ]
    assert (parsed.rows_quarantined, parsed.rows_out_of_scope) == (0, 4)


def test_weight_of_zero_is_unknown(read: Callable[..., Parsed]) -> None:
    assert trade(read(IMPORTS), "net_weight_kg", "quantity1_text") == [
        (5.0, "5"),
        (25.0, "25"),
        (None, "0"),
    ]


def test_countries_that_miss_the_total_are_quarantined_with_their_month(
    read: Callable[..., Parsed],
) -> None:
    parsed = read(IMPORTS, lambda rows: rows.pop(4))
    assert trade(parsed, "partner_code", "reference_month") == [("5700", 4)]
    assert reasons(parsed) == ["countries do not add up to the publisher's total"]
    assert parsed.rows_out + parsed.rows_quarantined + parsed.rows_out_of_scope == 6


def test_unreadable_value_takes_its_month_with_it(read: Callable[..., Parsed]) -> None:
    parsed = read(IMPORTS, lambda rows: rows[4].__setitem__(5, "1e999"))
    assert sorted(reasons(parsed)) == [
        "countries do not add up to the publisher's total",
        "value is unreadable",
    ]


def test_total_that_cannot_be_read_is_no_check_passed(read: Callable[..., Parsed]) -> None:
    parsed = read(IMPORTS, lambda rows: rows[1].__setitem__(5, "n/a"))
    assert reasons(parsed) == ["countries do not add up to the publisher's total"] * 2


def test_total_of_no_countries_is_quarantined_itself(read: Callable[..., Parsed]) -> None:
    def total_only(rows: list[list[Any]]) -> None:
        rows[1:] = [r for r in rows[1:] if r[-1] == "2024-03" or r[0] == "-"]

    parsed = read(IMPORTS, total_only)
    assert reasons(parsed) == ["total of no countries"]
    assert parsed.rows_out + parsed.rows_quarantined + parsed.rows_out_of_scope == 6


def test_answer_without_a_total_has_none_to_show(read: Callable[..., Parsed]) -> None:
    def countries_only(rows: list[list[Any]]) -> None:
        rows[1:] = [r for r in rows[1:] if r[0] != "-"]

    parsed = read(IMPORTS, countries_only)
    assert trade(parsed, "total_value_usd") == [(None,)] * 3


def test_domestic_and_foreign_exports_stand_apart(read: Callable[..., Parsed]) -> None:
    parsed = read(EXPORTS)
    assert trade(parsed, "origin_code", "trade_value_usd", "total_value_usd", "code_level") == [
        ("1", 40.0, 40.0, 6),
        ("2", 5.0, 5.0, 6),
    ]
    assert parsed.rows_out_of_scope == 4


def test_exports_of_both_kinds_together_are_taken_where_nothing_else_is_told(
    read: Callable[..., Parsed],
) -> None:
    def together(rows: list[list[Any]]) -> None:
        rows[1:] = [r for r in rows[1:] if r[5] == "-"]

    assert trade(read(EXPORTS, together), "origin_code", "trade_value_usd") == [("-", 45.0)]


def test_second_unit_gives_the_weight_where_the_first_is_no_mass(
    read: Callable[..., Parsed],
) -> None:
    wanted = ["net_weight_kg", "supplementary_quantity", "supplementary_unit"]
    assert trade(read(EXPORTS), *wanted) == [(4.0, 8.0, "items"), (2.0, 1.0, "items")]


def test_mass_of_an_element_is_no_weight_of_goods(read: Callable[..., Parsed]) -> None:
    def content(rows: list[list[Any]]) -> None:
        for row in rows[1:]:
            row[3] = "CKG"

    wanted = ["net_weight_kg", "supplementary_quantity", "supplementary_unit"]
    assert trade(read(IMPORTS, content), *wanted)[0] == (None, 5.0, "kg content")


def test_column_that_stands_twice_is_read_once(read: Callable[..., Parsed]) -> None:
    def twice(rows: list[list[Any]]) -> None:
        for row in rows:
            row.append(row[10])

    assert trade(read(IMPORTS, twice), "national_code")[0] == ("2846902010",)


def test_year_and_month_may_stand_in_columns_of_their_own(read: Callable[..., Parsed]) -> None:
    def apart(rows: list[list[Any]]) -> None:
        rows[0][-1:] = ["YEAR", "MONTH"]
        for row in rows[1:]:
            row[-1:] = row[-1].split("-")

    assert trade(read(IMPORTS, apart), "reference_year", "reference_month")[0] == (2024, 3)


@pytest.mark.parametrize(
    ("place", "text", "reason"),
    [
        (11, "2024", "month is unreadable"),
        (11, "2024-13", "month is unreadable"),
        (10, "28469020", "not a commodity code"),
        (9, "HS6", "code and level differ"),
        (5, None, "value is blank"),
        (5, "-5", "value is negative"),
        (7, "many", "quantity is unreadable"),
        (7, "-1", "quantity is negative"),
        (0, None, "partner is blank"),
    ],
)
def test_single_bad_row_is_quarantined(
    read: Callable[..., Parsed], place: int, text: str | None, reason: str
) -> None:
    parsed = read(IMPORTS, lambda rows: rows[7].__setitem__(place, text))
    bad = parsed.quarantined[TRADE].filter(row_number=8)
    assert bad["quarantine_reason"].to_list() == [reason]
    assert trade(parsed, "reference_month") == [(3,), (3,)]


def test_repeated_row_is_not_counted_twice(read: Callable[..., Parsed]) -> None:
    parsed = read(IMPORTS, lambda rows: rows.append(rows[7]))
    assert trade(parsed, "reference_month") == [(3,), (3,)]
    assert set(reasons(parsed)) == {"countries do not add up to the publisher's total"}


def test_new_country_refuses_with_its_code(read: Callable[..., Parsed]) -> None:
    with pytest.raises(UnknownLabel, match=r"unknown country '5999'.*row 6"):
        read(IMPORTS, lambda rows: rows[5].__setitem__(0, "5999"))


def test_new_unit_refuses_with_its_name(read: Callable[..., Parsed]) -> None:
    with pytest.raises(UnknownLabel, match="unknown quantity unit 'LB'"):
        read(IMPORTS, lambda rows: rows[5].__setitem__(3, "LB"))


def test_short_row_tells_a_cut_answer(read: Callable[..., Parsed]) -> None:
    with pytest.raises(DocumentUnreadable, match=r"11 fields where the header has 12.*row 3"):
        read(IMPORTS, lambda rows: rows[2].pop())


@pytest.mark.parametrize("missing", [0, 5, 11])
def test_missing_column_is_refused(read: Callable[..., Parsed], missing: int) -> None:
    def without(rows: list[list[Any]]) -> None:
        for row in rows:
            del row[missing]

    with pytest.raises(DocumentUnreadable, match="columns"):
        read(IMPORTS, without)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"[[]]", b'[["a"],1]', b"[[1],[2]]", b"<!DOCTYPE html><html></html>",
     b"error: unknown variable", b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_answer_is_refused(tmp_path: Path, edition: Edition, content: bytes) -> None:
    path = tmp_path / IMPORTS
    path.write_bytes(content)
    with pytest.raises(DocumentUnreadable):
        us_census.parse(edition, [Document.of(path)])


def test_edition_is_told_by_the_name() -> None:
    source = load_catalog().source("us_census")
    assert source.label_from_name(IMPORTS) == "2024"
    assert source.label_from_name(EXPORTS) == "2024"
