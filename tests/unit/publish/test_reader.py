from __future__ import annotations

import shutil

import duckdb
import pytest

from pipelines.errors import MonaziteError, UsageError
from pipelines.publish.reader import (
    current,
    list_releases,
    open_release,
    read_release,
    release_path,
)
from tests.fixtures.publish import sample


def test_without_a_release_the_message_says_what_to_do(tmp_path):
    settings = sample.settings(tmp_path)
    for ask in (current, open_release, release_path):
        with pytest.raises(UsageError, match="run `monazite run` first"):
            ask(settings)
    with pytest.raises(UsageError, match="run `monazite run` first"):
        open_release(settings, sample.FIRST)
    assert list_releases(settings) == []


@pytest.mark.parametrize("release", ["../build", "", "/etc", ".", "000000000000", "current/.."])
def test_only_ids_of_releases_open_anything(warehouse, release):
    with pytest.raises(UsageError, match=f"choose one of {sample.FIRST}"):
        open_release(warehouse, release)


def test_current_is_the_folder_itself_and_not_the_link(warehouse):
    assert current(warehouse).name == sample.FIRST
    assert release_path(warehouse, "current") == release_path(warehouse, sample.FIRST)


def test_the_list_tells_which_is_current(warehouse):
    (info,) = list_releases(warehouse)
    assert info.is_current
    assert (info.ordinal, info.previous) == (1, None)
    assert info.tables["fct_source_cell"].rows == 18
    assert info.tables["mart_ungated"].public_rows is None
    assert "gamma_closed-2025" in info.editions
    assert "gamma_closed-2025" not in info.public_editions


def test_what_release_json_says_is_what_was_written(released):
    assert read_release(released.path).document() == released.document()


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"release_id": 3}'])
def test_a_damaged_description_is_one_line(tmp_path, content):
    (tmp_path / "release.json").write_text(content, encoding="utf-8")
    with pytest.raises(MonaziteError, match="missing or damaged") as caught:
        read_release(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_damaged_database_is_one_line(tmp_path, warehouse):
    settings = sample.settings(tmp_path)
    shutil.copytree(warehouse.release_dir, settings.release_dir, symlinks=True)
    (current(settings) / "monazite.duckdb").write_bytes(b"no database at all" * 1000)
    with pytest.raises(MonaziteError, match=r"cannot be opened.*monazite verify"):
        open_release(settings)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM glob('/*')",
        "COPY mart_concentration TO '{out}'",
        "EXPORT DATABASE '{out}'",
        "ATTACH '{out}' AS other",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO dim_material VALUES ('x', 'y')",
        "DELETE FROM dim_material",
        "DROP TABLE dim_material",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET temp_directory = '{out}'",
        "SET threads = 64",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM tmp_path",
    ],
)
@pytest.mark.parametrize("public", [False, True])
def test_an_open_release_can_neither_write_nor_reach_out(warehouse, tmp_path, sql, public):
    file, out = tmp_path / "secret.csv", tmp_path / "out"
    file.write_text("secret\n1\n", encoding="utf-8")
    with open_release(warehouse, public=public) as connection, pytest.raises(duckdb.Error):
        connection.execute(sql.format(file=file, out=out))
    assert not out.exists()


def test_a_release_opens_twice_in_one_process(warehouse):
    with open_release(warehouse) as first, open_release(warehouse) as second:
        for connection in (first, second):
            assert connection.execute("SELECT count(*) FROM dim_material").fetchone() == (2,)
            with pytest.raises(duckdb.Error):
                connection.execute("SET threads = 64")


def test_the_public_file_holds_less(warehouse):
    with open_release(warehouse) as complete, open_release(warehouse, public=True) as public:
        query = "SELECT count(*) FROM fct_source_cell"
        assert complete.execute(query).fetchone() == (18,)
        assert public.execute(query).fetchone() == (6,)
