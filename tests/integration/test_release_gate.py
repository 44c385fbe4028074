"""Nothing that a licence holds back reaches ``public/``: all bytes and all rows are searched."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.publish.reader import ReleaseInfo
from pipelines.publish.release import make_release
from tests.fixtures.publish import sample

CLOSED = ["gamma_closed", "delta_unclear", "zeta_stranger"]


def release(home: Path, terms: dict[str, str] | None = None, sql: str = "") -> ReleaseInfo:
    settings = sample.settings(home)
    sample.write_build(settings, sql=sql)
    manifest = sample.write_manifest(home)
    return make_release(settings, sample.catalog(terms), sample.FIRST, manifest)


@pytest.fixture(scope="module")
def info(tmp_path_factory) -> ReleaseInfo:
    return release(tmp_path_factory.mktemp("gate"))


def found_in_bytes(info: ReleaseInfo, text: str) -> list[str]:
    """Files of ``public/`` that hold a text, in whatever case."""
    wanted = text.lower().encode()
    files = (path for path in info.public.rglob("*") if path.is_file())
    return sorted(path.name for path in files if wanted in path.read_bytes().lower())


def found_in_rows(info: ReleaseInfo, text: str) -> list[str]:
    """Tables of the public database and Parquet files of which a row holds a text.

    Compressed columns hide from a search of bytes, so every row is read as text too.
    """
    found: list[str] = []
    with duckdb.connect(info.public / "monazite.duckdb", read_only=True) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        places = [row[0] for row in tables]
        places += [f"'{path}'" for path in (info.public / "parquet").glob("*.parquet")]
        for place in places:
            where = f"contains(lower(t::VARCHAR), '{text.lower()}')"
            query = f"SELECT count(*) FROM {place} AS t WHERE {where}"
            if connection.execute(query).fetchone() != (0,):
                found.append(place)
        names = connection.execute(
            "SELECT concat_ws(' ', view_name, sql, comment) FROM duckdb_views() "
            "UNION ALL SELECT concat_ws(' ', function_name, macro_definition, comment) "
            "FROM duckdb_functions() WHERE NOT internal "
            "UNION ALL SELECT concat_ws(' ', table_name, comment) FROM duckdb_tables() "
            "UNION ALL SELECT concat_ws(' ', column_name, comment) FROM duckdb_columns()"
        ).fetchall()
        found += [row[0] for row in names if text.lower() in row[0].lower()]
    return found


@pytest.mark.parametrize("source", CLOSED)
def test_no_trace_of_a_closed_source(info, source):
    title = source.replace("_", " ")
    for text in (f"planted_{source}", source, f"title of {title}", f"key_{source}"):
        assert found_in_bytes(info, text) == []
        assert found_in_rows(info, text) == []
    office = f"Office of {source.split('_', maxsplit=1)[0]}"
    assert found_in_bytes(info, office) == []
    assert found_in_bytes(info, source.split("_", maxsplit=1)[0] + ".") == []


@pytest.mark.parametrize(
    "text",
    ["planted_mixed", "planted_nobody", "planted_empty", "planted_hole", "planted_ungated",
     "planted_staging", "orphan_of_mixed", "smuggled", "mart_ungated", "leftover"],
)  # fmt: skip
def test_what_cannot_be_judged_stays_out(info, text):
    assert found_in_bytes(info, text) == []
    assert found_in_rows(info, text) == []


def test_the_search_itself_finds_what_is_there(info):
    assert found_in_rows(info, "planted_alpha_mines")
    assert "LICENCES.md" in found_in_bytes(info, "Office of Alpha")
    complete = info.database.read_bytes()
    assert b"planted_gamma_closed" in complete


def test_derived_only_passes_in_marts_and_not_in_facts(info):
    places = found_in_rows(info, "epsilon_derived")
    tables = {Path(place.strip("'")).stem for place in places}
    assert {"mart_concentration", "mart_provenance", "dim_edition", "dim_document"} <= tables
    assert not {table for table in tables if table.startswith("fct_")}
    assert "Title of epsilon derived" in (info.public / "LICENCES.md").read_text("utf-8")


def test_what_may_be_passed_on_is_whole(info):
    assert info.tables["fct_source_cell"].public_rows == 6
    assert info.tables["fct_trade_flow"].public_rows == 6
    assert info.tables["mart_concentration"].public_rows == 4
    assert info.tables["dim_material"].public_rows == 2
    assert info.public_editions == ("alpha_mines-2025", "beta_flows-2025", "epsilon_derived-2025")


def test_what_stays_out_is_reported(info):
    assert info.left_out["mart_ungated"] == ("its YAML states no licence_gate",)
    assert info.left_out[sample.STRANGER] == ("the catalogue does not know its source",)
    assert info.left_out["fct_source_cell"] == ("12 rows did not pass",)
    assert "dim_material" not in info.left_out


def test_the_complete_file_holds_everything(info):
    with duckdb.connect(info.database, read_only=True) as connection:
        query = "SELECT count(DISTINCT source_edition_id) FROM fct_source_cell"
        assert connection.execute(query).fetchone() == (6,)


@pytest.mark.parametrize("terms", ["no", "unknown"])
def test_a_source_that_closes_takes_everything_of_it_along(tmp_path, terms):
    info = release(tmp_path, {"alpha_mines": terms})
    for text in ("alpha_mines", "planted_alpha", "Office of Alpha", "Title of alpha"):
        assert found_in_bytes(info, text) == []
        assert found_in_rows(info, text) == []


def test_views_and_macros_that_tell_of_a_closed_source_stay_out(tmp_path):
    info = release(
        tmp_path,
        sql="""
            CREATE OR REPLACE VIEW view_concentration AS
                SELECT * FROM mart_concentration WHERE note = 'gamma_closed';
            CREATE MACRO of_ungated() AS TABLE SELECT * FROM mart_ungated;
            CREATE MACRO quoted_source() AS 'gamma_closed';
        """,
    )
    assert info.left_out["view_concentration"] == ("its SQL names a withheld source",)
    assert info.left_out["quoted_source"] == ("its SQL names a withheld source",)
    assert info.left_out["of_ungated"] == ("it reads mart_ungated, which is not public",)
    assert found_in_rows(info, "gamma_closed") == []


def test_labels_of_an_enumeration_do_not_linger(tmp_path):
    info = release(
        tmp_path,
        sql="""
            CREATE TYPE label AS ENUM (SELECT DISTINCT note FROM mart_concentration
                WHERE note IS NOT NULL);
            ALTER TABLE mart_concentration ALTER note TYPE label;
        """,
    )
    for text in ("planted_gamma_closed", "planted_mixed"):
        assert found_in_bytes(info, text) == []
        assert found_in_rows(info, text) == []
    assert info.tables["mart_concentration"].public_rows == 4
