from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from pipelines.errors import UsageError
from pipelines.publish.query import TABLE_LIMIT, Format, run_query, write_rows

PROJECT = Path(__file__).resolve().parents[3]
ODD = """
    SELECT [1, 2] AS l, DATE '2020-01-31' AS d, {'a': TIMESTAMP '2020-01-01 01:00:00'} AS s,
        'a"b,c' AS t, NULL AS n, 'nan'::DOUBLE AS x, 1.50::DECIMAL(4, 2) AS a, 2 AS a,
        true AS b, 10::HUGEINT AS h, MAP {'k': 1} AS m, ''::VARCHAR AS empty, 0.1 + 0.2 AS f
"""


def written(connection: duckdb.DuckDBPyConnection, sql: str, fmt: str) -> str:
    stream = io.BytesIO()
    run_query(connection, sql, fmt, stream)
    return stream.getvalue().decode()


def test_json_is_an_array_of_objects(connection):
    (row,) = json.loads(written(connection, ODD, "json"))
    assert row == {
        "l": [1, 2],
        "d": "2020-01-31",
        "s": {"a": "2020-01-01T01:00:00"},
        "t": 'a"b,c',
        "n": None,
        "x": None,
        "a": 1.5,
        "a_1": 2,
        "b": True,
        "h": 10,
        "m": {"k": 1},
        "empty": "",
        "f": 0.3,
    }


def test_json_of_no_rows_is_an_empty_array(connection):
    assert json.loads(written(connection, "FROM mart_concentration WHERE false", "json")) == []


def test_csv_keeps_lists_and_iso_dates(connection):
    header, row = csv.reader(io.StringIO(written(connection, ODD, "csv")))
    told = dict(zip(header, row, strict=True))
    assert told["l"] == "[1, 2]"
    assert told["d"] == "2020-01-31"
    assert told["t"] == 'a"b,c'
    assert told["n"] == ""
    assert told["b"] == "true"
    assert (told["a"], told["a_1"]) == ("1.50", "2")


def test_csv_of_doubles_reads_back_the_same(connection):
    sql = "SELECT pi() * pow(10, i - 150) AS v FROM range(300) AS t(i)"
    values = [row[0] for row in connection.execute(sql).fetchall()]
    _, *rows = csv.reader(io.StringIO(written(connection, sql, "csv")))
    assert [float(row[0]) for row in rows] == values


def test_parquet_goes_to_a_file_with_the_same_rows(connection, tmp_path):
    out = tmp_path / "x.parquet"
    count = run_query(connection, "FROM mart_concentration ORDER BY row_key", "parquet", out)
    table = pq.read_table(out)
    assert table.num_rows == count == 12
    assert table.column("row_key").to_pylist() == sorted(table.column("row_key").to_pylist())
    assert table.column("source_edition_ids").to_pylist()[0]


def test_parquet_takes_columns_of_the_same_name(connection, tmp_path):
    out = tmp_path / "x.parquet"
    run_query(connection, "SELECT 1 AS a, 2 AS a", "parquet", out)
    assert pq.read_table(out).to_pylist() == [{"a": 1, "a_1": 2}]


def test_a_table_says_how_many_rows(connection):
    told = written(connection, "SELECT material FROM dim_material ORDER BY 1", "table")
    assert [line.strip() for line in told.splitlines()] == ["material", "Dy", "Nd", "(2 rows)"]
    assert "(1 row)" in written(connection, "SELECT 1", "table")
    assert "(0 rows)" in written(connection, "SELECT 1 WHERE false", "table")


def test_a_long_table_says_that_there_is_more(connection):
    told = written(connection, f"FROM range({TABLE_LIMIT + 1})", "table")
    assert f"only the first {TABLE_LIMIT} rows are shown" in told
    assert "--format csv" in told
    assert len(told.splitlines()) == TABLE_LIMIT + 2
    assert "only the first" not in written(connection, f"FROM range({TABLE_LIMIT})", "table")


def test_control_characters_do_not_reach_the_terminal(connection):
    told = written(connection, "SELECT 'a' || chr(27) || '[31mred' || chr(7) AS t", "table")
    assert "\x1b" not in told
    assert "\x07" not in told
    assert r"a\x1b[31mred\x07" in told


def test_markup_is_shown_and_not_obeyed(connection):
    assert "[bold]x[/bold]" in written(connection, "SELECT '[bold]x[/bold]' AS t", "table")


@pytest.mark.parametrize(
    "sql",
    [
        "FROM dim_material",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "DESCRIBE mart_concentration",
        "SHOW TABLES",
        "SUMMARIZE mart_concentration",
        "EXPLAIN SELECT 1",
        "VALUES (1), (2)",
        "-- a comment\nSELECT 1; -- another",
        "PIVOT mart_concentration ON material USING sum(hhi) GROUP BY vintage_id",
        "PRAGMA table_info('dim_material')",
        "PRAGMA show_tables",
        "SELECT hhi(v) FROM (VALUES (0.5), (0.5)) AS t(v)",
        "FROM view_concentration",
        "FROM rows_of('Nd')",
    ],
)
@pytest.mark.parametrize("fmt", ["table", "csv", "json"])
def test_reading_statements_are_taken(connection, sql, fmt):
    assert written(connection, sql, fmt)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("", "no statement"),
        ("-- nothing", "no statement"),
        (";;", "no statement"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT 1; DROP TABLE dim_material", "2 statements"),
        ("CREATE TEMP TABLE x AS SELECT 1; SELECT 1", "2 statements"),
        ("DROP TABLE dim_material", "only read, not changed: DROP"),
        ("INSERT INTO dim_material VALUES ('a', 'b')", "only read"),
        ("CREATE TEMP TABLE x AS SELECT 1", "only read"),
        ("COPY dim_material TO 'x.csv'", "only read"),
        ("SET threads = 1", "only read"),
        ("ATTACH 'x.duckdb'", "only read"),
        ("CALL pragma_version()", "only read"),
        ("PREPARE x AS SELECT 1", "only read"),
        ("BEGIN", "only read"),
        ("selec 1", 'syntax error at or near "selec"'),
        ("SELECT nothing FROM dim_material", 'Referenced column "nothing" not found'),
        ("SELECT error('boom')", "boom"),
        ("SELECT CAST(material AS INTEGER) FROM dim_material", "Could not convert"),
        ("SELECT * FROM '/etc/passwd'", "Catalog Error"),
        ("SELECT ? + 1", "parameter"),
    ],
)
@pytest.mark.parametrize("fmt", ["csv", "parquet"])
def test_anything_else_is_one_clear_line(connection, tmp_path, sql, told, fmt):
    out = tmp_path / "out"
    with pytest.raises(UsageError) as caught:
        run_query(connection, sql, fmt, out)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2
    assert list(tmp_path.iterdir()) == []


def test_an_error_on_the_way_leaves_the_old_file(connection, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("old", encoding="utf-8")
    sql = "SELECT CASE WHEN i = 99999 THEN error('late') ELSE i END FROM range(100000) AS t(i)"
    with pytest.raises(UsageError, match="late"):
        run_query(connection, sql, "csv", out)
    assert out.read_text(encoding="utf-8") == "old"


def test_a_folder_that_is_not_there_is_named(connection, tmp_path):
    with pytest.raises(UsageError, match=r"cannot write: No such file.*nowhere"):
        run_query(connection, "SELECT 1", "csv", tmp_path / "nowhere" / "x.csv")


def test_an_unknown_format_lists_the_known_ones(connection):
    with pytest.raises(UsageError, match="choose one of table, csv, json, parquet"):
        run_query(connection, "SELECT 1", "xlsx")


def test_bare_rows_are_not_written_as_parquet():
    with pytest.raises(UsageError, match="choose csv or json"):
        write_rows(["a"], iter([[1]]), Format.PARQUET, io.BytesIO())


PIPED = """
import sys, duckdb
from pipelines.publish.query import run_query
run_query(duckdb.connect(), "SELECT i, repeat('x', 100) FROM range(200000) AS t(i)", sys.argv[1])
"""


@pytest.mark.parametrize("fmt", ["csv", "json"])
def test_a_reader_that_stops_early_is_no_error(fmt):
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PIPED, fmt],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=PROJECT,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0
