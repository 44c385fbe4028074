"""What was known on a day stays as it was, whatever is published later."""

from __future__ import annotations

import shutil
import subprocess
import sys

import duckdb
import pytest

from tests.integration.conftest import PROJECT

pytestmark = [pytest.mark.exhaustive, pytest.mark.slow, pytest.mark.xdist_group("starter")]

_BUILD = """
import sys
from datetime import date
from pathlib import Path
from benchmarks.compare_baci import build

as_of = date(2025, 12, 31)
models = ("mart_concentration", "mart_import_dependency")
print(build(Path(sys.argv[1]), {}, *models, as_of=as_of)["MONAZITE_BUILD_DB"])
"""
#: Rows of one vintage, without its name.
_ROWS = "select * exclude (row_key, vintage_id) from {} where vintage_id = '{}' order by all"


@pytest.fixture(scope="module")
def without_later_editions(starter_home, tmp_path_factory):
    """A build in which no edition published after 2025 exists."""
    home = tmp_path_factory.mktemp("as-of") / "home"
    for folder in ("archive", "raw"):
        shutil.copytree(starter_home / folder, home / folder)
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, str(home)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    with duckdb.connect(done.stdout.strip().splitlines()[-1], read_only=True) as connection:
        yield connection


@pytest.mark.parametrize("mart", ["mart_concentration", "mart_import_dependency"])
@pytest.mark.parametrize(
    ("vintage", "then"),
    [("2025-12-31", "latest"), ("2024-12-31", "2024-12-31"), ("2023-12-31", "2023-12-31")],
)
def test_removing_later_editions_changes_no_row_of_an_earlier_vintage(
    starter_home, without_later_editions, mart, vintage, then
):
    path = starter_home / "release" / "current" / "monazite.duckdb"
    with duckdb.connect(str(path), read_only=True) as release:
        now = release.execute(_ROWS.format(mart, vintage)).fetchall()
    # The starter knows no import shares before 2026, so that mart may be empty, here as there.
    assert now or mart == "mart_import_dependency"
    assert now == without_later_editions.execute(_ROWS.format(mart, then)).fetchall()


def test_the_later_editions_do_change_the_latest(starter_home, without_later_editions):
    path = starter_home / "release" / "current" / "monazite.duckdb"
    rows = _ROWS.format("mart_concentration", "latest")
    with duckdb.connect(str(path), read_only=True) as release:
        now = release.execute(rows).fetchall()
    assert now != without_later_editions.execute(rows).fetchall()
