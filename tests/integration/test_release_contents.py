"""What stands in a release: tables in order, views, macros, comments, and the same bytes again."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import duckdb
import pytest

from pipelines.publish.explain import explain
from pipelines.publish.reader import open_release
from pipelines.publish.release import make_release
from pipelines.publish.verify import verify_release
from tests.fixtures.publish import sample


def release(home: Path, *, shuffled: bool = False, sql: str = "", **more):
    settings = sample.settings(home, **more)
    sample.write_build(settings, shuffled=shuffled, sql=sql)
    manifest = sample.write_manifest(home)
    return settings, make_release(settings, sample.catalog(), sample.FIRST, manifest)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return release(tmp_path_factory.mktemp("made"))


def parquet(info) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((info.public / "parquet").iterdir())}


@pytest.mark.parametrize("threads", [1, 4])
def test_the_same_build_gives_the_same_bytes(made, tmp_path, threads):
    _, info = made
    _, again = release(tmp_path, shuffled=True, threads=threads, memory_limit="500MB")
    assert parquet(again) == parquet(info)
    for name in ("datapackage.json", "LICENCES.md", "dictionary/index.html", "dictionary/index.md"):
        assert (again.public / name).read_bytes() == (info.public / name).read_bytes()


BULK = """
    INSERT INTO fct_trade_flow
    SELECT 'alpha_mines-2025', lpad((hash(i) % 9999)::VARCHAR, 6, '0'), 'E' || (i % 97),
        'I' || (i % 89), 1000 + i, (hash(i) % 1000) / 7, repeat('x', (i % 30)::INTEGER),
        'x.csv'
    FROM range(300000) AS t(i) ORDER BY hash(i + {seed})
"""


@pytest.mark.slow
def test_many_row_groups_give_the_same_bytes_with_any_number_of_threads(tmp_path):
    found = []
    for number, threads in enumerate([1, 2, 3]):
        sql = BULK.format(seed=number)
        _, info = release(tmp_path / str(number), sql=sql, threads=threads)
        found.append(parquet(info))
        assert info.tables["fct_trade_flow"].public_rows == 300_006
    assert found[0] == found[1] == found[2]


def test_every_public_table_stands_in_the_order_of_its_key(made):
    _, info = made
    with duckdb.connect(info.public / "monazite.duckdb", read_only=True) as connection:
        tables = [row[0] for row in connection.execute("SHOW TABLES").fetchall()]
        for table in set(tables) & set(sample._TABLES):
            columns = ", ".join(sample._TABLES[table][0])
            order = ", ".join(f"{key} NULLS FIRST" for key in sample._TABLES[table][0])
            rows = connection.execute(f"SELECT {columns} FROM {table}").fetchall()
            query = f"SELECT {columns} FROM {table} ORDER BY {order}"
            assert rows == connection.execute(query).fetchall()


def test_only_the_released_schema_is_carried_over(made):
    _, info = made
    with duckdb.connect(info.database, read_only=True) as connection:
        schemas = connection.execute(
            "SELECT DISTINCT schema_name FROM duckdb_tables() WHERE NOT internal"
        ).fetchall()
        assert schemas == [("main",)]
        tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    assert "leftover_of_an_old_model" not in tables
    assert "mart_ungated" in tables


def test_a_view_over_what_only_the_build_has_is_written_out(tmp_path):
    sql = """
        CREATE OR REPLACE TABLE staging.seed AS FROM ref_threshold;
        DROP TABLE ref_threshold;
        CREATE VIEW ref_threshold AS SELECT * FROM staging.seed
    """
    settings, info = release(tmp_path, sql=sql)
    assert info.tables["ref_threshold"].rows == 2
    assert info.tables["ref_threshold"].public_rows == 1
    with open_release(settings) as connection:
        found = connection.execute("SELECT count(*) FROM ref_threshold").fetchone()
        assert found == (2,)


def test_a_view_of_provenance_passes_with_what_it_reads(tmp_path):
    settings = sample.settings(tmp_path)
    sample.write_build(
        settings,
        sql="""
            ALTER TABLE mart_provenance RENAME TO fct_provenance;
            CREATE VIEW mart_provenance AS SELECT * FROM "monazite"."main"."fct_provenance"
        """,
    )
    document = sample.manifest()
    nodes = document["nodes"]
    provenance = copy.deepcopy(nodes["model.monazite.mart_provenance"])
    nodes["model.monazite.fct_provenance"] = {**provenance, "alias": "fct_provenance"}
    nodes["model.monazite.mart_provenance"]["config"]["materialized"] = "view"
    manifest = sample.write_manifest(tmp_path, document)
    info = make_release(settings, sample.catalog(), sample.FIRST, manifest)
    assert info.tables["fct_provenance"].public_rows == 4
    query = "SELECT DISTINCT row_key FROM mart_provenance ORDER BY 1"
    with open_release(settings, public=True) as connection:
        rows = connection.execute(query).fetchall()
        assert rows == [("key_alpha_mines",), ("key_beta_flows",)]
        found = explain(connection, "mart_concentration", "row_key = 'key_alpha_mines'")
        assert found.rows[0].evidence[0]["value_text"] == "planted_alpha_mines"


@pytest.mark.parametrize("public", [False, True])
def test_macros_work_with_their_defaults(made, public):
    settings, _ = made
    with open_release(settings, public=public) as connection:
        values = "FROM (VALUES (0.5), (0.5)) AS t(v)"
        assert connection.execute(f"SELECT hhi(v) {values}").fetchone() == (pytest.approx(0.5),)
        scaled = connection.execute(f"SELECT hhi(v, scale := 10000) {values}").fetchone()
        assert scaled == (pytest.approx(5000),)
        assert connection.execute(f"SELECT a_doubled_hhi(v) {values}").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM rows_of('Dy')").fetchone()[0] > 0
        told = connection.execute(
            "SELECT comment FROM duckdb_functions() WHERE function_name = 'hhi'"
        ).fetchone()
        assert told == ("Herfindahl-Hirschman index of shares",)


def test_a_macro_that_is_given_a_tables_name_reads_the_release_it_stands_in(tmp_path):
    settings, info = release(
        tmp_path,
        sql="""
            CREATE MACRO marts_on(as_of, least := 0.1, marts := 'mart_concentration') AS TABLE
                WITH days AS (SELECT CAST(as_of AS DATE) AS as_of_date)
                SELECT held.row_key FROM days
                INNER JOIN query_table(marts) AS held ON held.computed_for <= days.as_of_date
                WHERE held.hhi > least;
            CREATE MACRO ungated(notes := 'mart_ungated') AS TABLE FROM query_table(notes);
        """,
    )
    counted = {}
    for public in (False, True):
        with open_release(settings, public=public) as connection:
            query = "SELECT count(*) FROM marts_on('2025-12-31'{})"
            counted[public] = connection.execute(query.format("")).fetchone()[0]
            assert connection.execute(query.format(", least := 0.9")).fetchone() == (0,)
            assert connection.execute("SELECT count(*) FROM marts_on('2001-01-01')").fetchone() == (
                0,
            )
            held = connection.execute(
                "SELECT count(*) FROM mart_concentration WHERE computed_for IS NOT NULL"
            ).fetchone()
            assert held == (counted[public],)
    assert counted[False] > counted[True] > 0
    with (
        open_release(settings, public=True) as connection,
        pytest.raises(duckdb.CatalogException),
    ):
        connection.execute("FROM ungated()")
    assert info.tables["mart_concentration"].public_rows == counted[True]


@pytest.mark.parametrize("place", ["monazite.duckdb", "public/monazite.duckdb"])
def test_views_work_under_any_name_of_the_database(made, place):
    _, info = made
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{info.path / place}' AS elsewhere (READ_ONLY)")
        query = "SELECT count(*) FROM elsewhere.main.view_concentration"
        assert connection.execute(query).fetchone()[0] > 0
        rows = connection.execute(
            "SELECT sql FROM duckdb_views() WHERE database_name = 'elsewhere' AND NOT internal"
        ).fetchall()
        texts = [row[0] for row in rows]
        macros = connection.execute(
            "SELECT macro_definition FROM duckdb_functions() WHERE database_name = 'elsewhere'"
        ).fetchall()
        texts += [row[0] for row in macros]
        assert len(texts) == 5
        assert not [text for text in texts if re.search(r"\bmonazite\b", text)]


def test_comments_tell_tables_and_columns(made):
    settings, _ = made
    with open_release(settings) as connection:
        tables = dict(
            connection.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall()
        )
        assert tables["mart_concentration"] == "Rows of mart_concentration."
        columns = dict(
            connection.execute(
                "SELECT column_name, comment FROM duckdb_columns() "
                "WHERE table_name = 'mart_concentration'"
            ).fetchall()
        )
        assert columns["hhi"] == "Sum of squared shares | 'quoted' <b>"
        assert columns["note"] == "Where gamma_closed says so."
        views = dict(connection.execute("SELECT view_name, comment FROM duckdb_views()").fetchall())
        assert views["view_concentration"] == "Rows of view_concentration."


def test_older_clients_can_open_the_files(made):
    _, info = made
    for place in ("monazite.duckdb", "public/monazite.duckdb"):
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH '{info.path / place}' AS r (READ_ONLY)")
            (tags,) = connection.execute(
                "SELECT tags FROM duckdb_databases() WHERE database_name = 'r'"
            ).fetchone()
        assert tags["storage_version"].startswith("v1.4")


def test_parquet_holds_what_the_public_database_holds(made):
    _, info = made
    with duckdb.connect(info.public / "monazite.duckdb", read_only=True) as connection:
        tables = [
            r[0] for r in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        ]
        assert {f"{table}.parquet" for table in tables} == set(parquet(info))
        for table in tables:
            path = info.public / "parquet" / f"{table}.parquet"
            in_file = connection.execute(f"FROM '{path}'").fetchall()
            assert in_file == connection.execute(f"FROM {table}").fetchall()
            codecs = connection.execute(
                f"SELECT DISTINCT compression FROM parquet_metadata('{path}')"
            ).fetchall()
            assert codecs == [("ZSTD",)]


def test_release_json_holds_no_clock_time(made):
    _, info = made
    document = json.loads((info.path / "release.json").read_text("utf-8"))
    assert set(document) == {
        "release_id", "previous", "ordinal", "editions", "public_editions", "tables", "left_out",
        "stale", "files",
    }  # fmt: skip
    assert document["stale"] == {}, "only what the caller says"
    assert not re.search(r"\d{4}-\d{2}-\d{2}T|\d{2}:\d{2}:\d{2}", json.dumps(document))
    assert document["tables"]["fct_source_cell"]["rows"] == 18


def test_nothing_of_the_writing_is_left(made):
    _, info = made
    names = {str(path.relative_to(info.path)) for path in info.path.rglob("*") if path.is_file()}
    assert names == {*info.files, "release.json"}
    assert not [name for name in names if name.endswith((".wal", ".tmp")) or "/." in name]


def test_an_empty_public_side_is_still_a_release(tmp_path):
    settings = sample.settings(tmp_path)
    sample.write_build(settings)
    document = sample.manifest()
    for node in document["nodes"].values():
        node.get("config", {}).get("meta", {}).pop("licence_gate", None)
    manifest = sample.write_manifest(tmp_path, document)
    info = make_release(settings, sample.catalog(), sample.FIRST, manifest)
    assert verify_release(info.path) == []
    assert not (info.public / "datapackage.json").exists()
    assert [table.public_rows for table in info.tables.values()] == [None] * len(info.tables)
    with open_release(settings, public=True) as connection:
        assert connection.execute("SHOW TABLES").fetchall() == []


class TestVerify:
    @pytest.fixture
    def info(self, tmp_path):
        return release(tmp_path)[1]

    @pytest.mark.parametrize(
        ("place", "told"),
        [
            ("public/parquet/dim_material.parquet", "SHA-256 differs"),
            ("public/dictionary/index.html", "SHA-256 differs"),
            ("monazite.duckdb", "SHA-256 differs"),
        ],
    )
    def test_a_changed_byte_is_found(self, info, place, told):
        path = info.path / place
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        assert any(told in problem and place in problem for problem in verify_release(info.path))

    def test_a_missing_and_a_foreign_file_are_found(self, info):
        (info.public / "LICENCES.md").unlink()
        (info.public / "extra.txt").write_text("x", encoding="utf-8")
        problems = verify_release(info.path)
        assert len(problems) == 2
        assert any("LICENCES.md: is missing" in problem for problem in problems)
        assert any("extra.txt: does not belong" in problem for problem in problems)

    def test_a_table_that_lost_rows_is_found(self, info):
        with duckdb.connect(info.database) as connection:
            connection.execute("DELETE FROM dim_material WHERE material = 'Nd'")
        problems = verify_release(info.path)
        assert any("dim_material has 1 rows, not 2" in problem for problem in problems)

    def test_a_table_more_or_less_is_found(self, info):
        with duckdb.connect(info.public / "monazite.duckdb") as connection:
            connection.execute("CREATE TABLE added (a INTEGER); DROP TABLE dim_material CASCADE")
        problems = "\n".join(verify_release(info.path))
        assert "table added does not belong" in problems
        assert "table dim_material is missing" in problems

    def test_a_package_that_tells_something_else_is_found(self, info):
        path = info.public / "datapackage.json"
        document = json.loads(path.read_text("utf-8"))
        document["resources"][0]["bytes"] += 1
        del document["resources"][1]
        path.write_text(json.dumps(document), encoding="utf-8")
        problems = "\n".join(verify_release(info.path))
        assert "resource dim_document does not describe" in problems
        assert "resource dim_edition does not match" in problems

    def test_damage_is_told_and_not_raised(self, info):
        (info.public / "datapackage.json").write_text("{", encoding="utf-8")
        info.database.write_bytes(b"nothing")
        assert len(verify_release(info.path)) >= 3
        (info.path / "release.json").write_text("{", encoding="utf-8")
        assert len(verify_release(info.path)) == 1
        assert len(verify_release(info.path / "nowhere")) == 1
