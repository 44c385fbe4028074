"""How a check is run on tables, and what is written down of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from quality.runner import SCHEMA, CheckResult, run_checks, write_results
from quality.suites import Check

# Great Expectations takes seconds to import.
pytestmark = pytest.mark.slow

BETWEEN = "expect_column_values_to_be_between"


@pytest.fixture
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("""
            ATTACH ':memory:' AS work;
            CREATE SCHEMA work.staging;
            CREATE TABLE work.staging.stg_toy_mine__world (source_edition_id VARCHAR);
            INSERT INTO work.staging.stg_toy_mine__world VALUES ('toy-1'), ('toy-1'), ('toy-2');
            CREATE TABLE shares (country VARCHAR, share DOUBLE);
            INSERT INTO shares VALUES ('Ecuador', 0.4), ('Bhutan', 0.5), ('Andorra', 0.1);
        """)
        yield connection


def check(
    sql: str = "select * from shares", *expected: tuple[str, dict[str, Any]], **changes: Any
) -> Check:
    expected = expected or ((BETWEEN, {"column": "share", "min_value": 0, "max_value": 1}),)
    entry: dict[str, Any] = {
        "id": "shares_are_shares",
        "suite": "toy",
        "table": "shares",
        "source": "toy_mine",
        "severity": "error",
        "why": "Shares lie between 0 and 1.",
        "sql": sql,
        "expectations": [{"type": kind, "kwargs": kwargs} for kind, kwargs in expected],
    }
    return Check(**(entry | changes))


def run(connection: duckdb.DuckDBPyConnection, *checks: Check) -> CheckResult:
    (result,) = run_checks(connection, checks)
    return result


def test_what_is_as_expected_passes(tables):
    result = run(tables, check())
    assert result.passed
    assert (result.status, result.n_evaluated, result.n_failed) == ("passed", 3, 0)
    assert result.detail == "3 rows as expected"


@pytest.mark.parametrize(("severity", "status"), [("error", "failed"), ("warning", "warned")])
def test_what_is_outside_is_counted_and_named(tables, severity, status):
    tables.execute("UPDATE shares SET share = 40 WHERE country = 'Ecuador'")
    result = run(tables, check(severity=severity))
    assert (result.status, result.n_evaluated, result.n_failed) == (status, 3, 1)
    assert "country=Ecuador, share=40" in result.detail
    assert "\n" not in result.detail


def test_the_furthest_of_many_are_shown_first(tables):
    tables.execute("INSERT INTO shares SELECT 'C' || i, 10 + i FROM range(50) AS t (i)")
    assert run(tables, check()).detail == (
        "column values to be between (share): country=C49, share=59 | country=C48, share=58 | "
        "country=C47, share=57 and 47 more"
    )


def test_too_little_and_too_much_are_weighed_alike(tables):
    tables.execute("INSERT INTO shares VALUES ('Gabon', 0.01), ('Fiji', 20), ('Haiti', 0)")
    limits = {"column": "share", "min_value": 0.1, "max_value": 1}
    assert run(tables, check("select * from shares", (BETWEEN, limits))).detail == (
        "column values to be between (share): country=Haiti, share=0 | country=Fiji, share=20 | "
        "country=Gabon, share=0.01"
    )


def test_two_limits_on_a_column_are_told_once(tables):
    tables.execute("INSERT INTO shares VALUES ('Fiji', 20), ('Haiti', 2)")
    tight = {"column": "share", "max_value": 1, "mostly": 0.9}
    wide = {"column": "share", "max_value": 10}
    result = run(tables, check("select * from shares", (BETWEEN, wide), (BETWEEN, tight)))
    assert result.n_failed == 2
    assert result.detail == (
        "column values to be between (share): country=Fiji, share=20 | country=Haiti, share=2"
    )


def test_the_same_data_give_the_same_words(tables):
    tables.execute("INSERT INTO shares SELECT 'C' || hash(i), 9 FROM range(50) AS t (i)")
    many = check("select distinct * from shares")
    assert len({run(tables, many).detail for _ in range(3)}) == 1


def test_some_may_be_outside_and_are_shown_all_the_same(tables):
    tables.execute("UPDATE shares SET share = 40 WHERE country = 'Ecuador'")
    mostly = {"column": "share", "max_value": 1, "mostly": 0.6}
    result = run(tables, check("select * from shares", (BETWEEN, mostly)))
    assert (result.status, result.n_failed) == ("passed", 0)
    assert result.detail.startswith("3 rows as expected; 1 outside, as many as are allowed")
    assert "country=Ecuador, share=40" in result.detail
    tables.execute("UPDATE shares SET share = 50 WHERE country = 'Bhutan'")
    result = run(tables, check("select * from shares", (BETWEEN, mostly)))
    assert (result.status, result.n_failed) == ("failed", 2)


@pytest.mark.parametrize("value", ["NULL", "0.0 / 0.0"])
def test_a_figure_that_could_not_be_computed_is_outside(tables, value):
    tables.execute(f"UPDATE shares SET share = {value} WHERE country = 'Bhutan'")
    result = run(tables, check())
    assert (result.status, result.n_failed) == ("failed", 1)
    assert "not be null (share): country=Bhutan" in result.detail


def test_an_infinite_figure_is_outside(tables):
    tables.execute("UPDATE shares SET share = 1.0 / 0.0 WHERE country = 'Bhutan'")
    assert run(tables, check()).n_failed == 1


def test_nothing_to_look_at_fails_unless_it_may_be_empty(tables):
    nothing = "select * from shares where share > 5"
    result = run(tables, check(nothing))
    assert (result.status, result.n_evaluated, result.detail) == ("failed", 0, "nothing to look at")
    assert run(tables, check(nothing, severity="warning")).status == "warned"
    assert run(tables, check(nothing, may_be_empty=True)).passed


def test_a_check_does_not_look_where_its_editions_are_not_held(tables):
    tables.execute("UPDATE shares SET share = 40")
    result = run(tables, check(needs={"stg_toy_mine__world": 3}))
    assert result.passed
    assert result.n_evaluated == 0
    assert result.detail == "not looked at: stg_toy_mine__world holds 2 of 3 editions"
    assert run(tables, check(needs={"stg_toy_mine__world": 2})).status == "failed"


@pytest.mark.parametrize(
    "changes", [{"sql": "select * from no_such_table"}, {"needs": {"stg_no_such_table": 1}}]
)
def test_sql_that_does_not_run_fails_its_own_check_only(tables, changes):
    sound = check(id="sound")
    first, second = run_checks(tables, [check(**changes), sound])
    assert first.status == "failed"
    assert first.detail.startswith("cannot be run: Catalog Error")
    assert second.passed


@pytest.mark.parametrize(("column", "said"), [("no_such", '"no_such"'), ("country", "same type")])
def test_an_expectation_that_cannot_be_judged_fails_and_says_why(tables, column, said):
    result = run(
        tables, check("select * from shares", (BETWEEN, {"column": column, "max_value": 1}))
    )
    assert result.status == "failed"
    assert result.n_failed >= 1
    assert said in result.detail


def test_a_table_can_be_judged_as_a_whole(tables):
    expected = ("expect_table_row_count_to_equal", {"value": 4})
    result = run(tables, check("select * from shares", expected))
    assert (result.status, result.n_failed) == ("failed", 1)
    assert result.detail == "table row count to equal: observed 3"


def test_results_come_in_the_order_of_the_checks(tables):
    names = ["b", "a", "c"]
    results = run_checks(tables, [check(id=name) for name in names])
    assert [result.check.id for result in results] == names


def test_results_are_written_sorted_and_the_same_each_time(tables, tmp_path: Path):
    results = run_checks(tables, [check(id=name) for name in ("b", "a")])
    first, second = tmp_path / "one" / "quality.parquet", tmp_path / "two.parquet"
    write_results(first, results)
    write_results(second, reversed(results))
    assert first.read_bytes() == second.read_bytes()
    frame = pl.read_parquet(first)
    assert frame.schema == SCHEMA
    assert frame.get_column("check_id").to_list() == ["a", "b"]
    assert frame.row(0, named=True) == {
        "source_id": "toy_mine",
        "check_id": "a",
        "suite": "toy",
        "table_name": "shares",
        "severity": "error",
        "status": "passed",
        "n_evaluated": 3,
        "n_failed": 0,
        "detail": "3 rows as expected",
    }


def test_no_results_are_an_empty_table_with_all_columns(tmp_path: Path):
    write_results(tmp_path / "quality.parquet", [])
    assert pl.read_parquet(tmp_path / "quality.parquet").schema == SCHEMA
