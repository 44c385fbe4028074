"""A release appears in one step, whatever happens on the way and whoever is reading."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines.errors import BuildFailed, UsageError
from pipelines.publish.reader import current, list_releases, open_release
from pipelines.publish.release import make_release
from pipelines.publish.verify import verify_release
from pipelines.settings import Settings
from tests.fixtures.publish import sample

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return sample.settings(tmp_path / "home")


def release(settings: Settings, release_id: str, sql: str = ""):
    sample.write_build(settings, sql=sql)
    manifest = sample.write_manifest(settings.root)
    return make_release(settings, sample.catalog(), release_id, manifest)


def visible(settings: Settings) -> list[str]:
    return sorted(p.name for p in settings.release_dir.iterdir() if not p.name.startswith("."))


def hidden(settings: Settings) -> list[str]:
    names = (p.name for p in settings.release_dir.iterdir())
    return sorted(name for name in names if name.startswith(".") and name != ".lock")


def test_a_first_release_becomes_current(settings):
    info = release(settings, sample.FIRST)
    assert info.is_current
    assert (info.ordinal, info.previous) == (1, None)
    assert visible(settings) == [sample.FIRST, "current"]
    assert hidden(settings) == []
    assert (settings.release_dir / "current").readlink() == Path(sample.FIRST)
    assert verify_release(info.path) == []


def test_the_next_one_follows_and_names_the_last(settings):
    release(settings, sample.FIRST)
    info = release(settings, sample.SECOND)
    assert (info.ordinal, info.previous) == (2, sample.FIRST)
    assert current(settings).name == sample.SECOND


def test_an_open_reader_keeps_its_release(settings):
    release(settings, sample.FIRST)
    few = settings.model_copy(update={"keep_releases": 1})
    with open_release(settings) as reader:
        release(few, sample.SECOND, "DELETE FROM dim_material; DELETE FROM fct_source_cell")
        assert visible(settings) == [sample.SECOND, "current"]
        assert reader.execute("SELECT count(*) FROM dim_material").fetchone() == (2,)
        assert reader.execute("SELECT count(*) FROM fct_source_cell").fetchone() == (18,)
        with open_release(settings) as newer:
            assert newer.execute("SELECT count(*) FROM dim_material").fetchone() == (0,)


def test_an_open_reader_in_another_process_keeps_its_release(settings):
    release(settings, sample.FIRST)
    script = """
import sys
from pathlib import Path
from pipelines.publish.reader import open_release
from pipelines.settings import Settings
connection = open_release(Settings(home=Path(sys.argv[1])))
print("open", flush=True)
sys.stdin.readline()
print(connection.execute("SELECT count(*) FROM fct_source_cell").fetchone()[0], flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(settings.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        few = settings.model_copy(update={"keep_releases": 1})
        release(few, sample.SECOND, "DELETE FROM fct_source_cell")
        told, _ = reader.communicate("\n", timeout=60)
    assert told == "18\n"


def test_the_newest_are_kept_by_ordinal_and_the_current_always(settings):
    settings = settings.model_copy(update={"keep_releases": 2})
    ids = [f"{number:012x}" for number in range(4)]
    for release_id in ids:
        release(settings, release_id)
    assert visible(settings) == [ids[2], ids[3], "current"]
    # An older release comes back as it is, and is not removed for being old.
    old = make_release(settings, sample.catalog(), ids[2], settings.root / "manifest.json")
    assert (old.ordinal, old.is_current) == (3, True)
    release(settings, ids[0])
    assert visible(settings) == [ids[0], ids[3], "current"]
    assert current(settings).name == ids[0]
    assert list_releases(settings)[-1].ordinal == 5


def test_a_release_that_is_there_is_not_written_again(settings):
    info = release(settings, sample.FIRST)
    before = (info.path / "release.json").stat().st_ino
    again = make_release(settings, sample.catalog(), sample.FIRST, settings.root / "no-manifest")
    assert again == info
    assert (info.path / "release.json").stat().st_ino == before


def test_a_damaged_release_of_the_same_id_is_made_anew(settings):
    info = release(settings, sample.FIRST)
    (info.public / "LICENCES.md").write_text("changed", encoding="utf-8")
    assert verify_release(info.path)
    again = release(settings, sample.FIRST)
    assert verify_release(again.path) == []
    assert hidden(settings) == []


KILLED = """
import os, signal, sys
from pathlib import Path

import duckdb

from pipelines.publish import database, files, release
from tests.fixtures.publish import sample

home, step, where = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
module = {"database": database, "files": files, "release": release}[where]
original = getattr(module, step)

def fatal(*arguments, **options):
    if os.environ.get("AFTER"):
        original(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(module, step, fatal)
settings = sample.settings(home)
with duckdb.connect(settings.build_dir / "monazite.duckdb") as connection:
    connection.execute("DELETE FROM dim_material")
release.make_release(settings, sample.catalog(), sample.SECOND, home / "manifest.json")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "step", "after", "is_visible"),
    [
        ("release", "write_complete", "1", False),
        ("database", "_copy_what_passes", "1", False),
        ("release", "write_parquet", "1", False),
        ("release", "sync_tree", "", False),
        ("release", "sync_folder", "", True),
        ("release", "switch_link", "", True),
    ],
)
def test_a_killed_run_leaves_the_old_release(settings, where, step, after, is_visible):
    release(settings, sample.FIRST)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(settings.root), step, where],
        cwd=PROJECT,
        env={**os.environ, "AFTER": after},
        capture_output=True,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert current(settings).name == sample.FIRST
    assert verify_release(current(settings)) == []
    with open_release(settings) as connection:
        assert connection.execute("SELECT count(*) FROM dim_material").fetchone() == (2,)
    # What is visible is whole: either the old one alone, or the new one complete beside it.
    assert (sample.SECOND in visible(settings)) is is_visible
    for info in list_releases(settings):
        assert verify_release(info.path) == []
    if not is_visible:
        assert hidden(settings) == [f".building-{sample.SECOND}"]
    info = make_release(settings, sample.catalog(), sample.SECOND, settings.root / "manifest.json")
    assert current(settings).name == sample.SECOND
    assert verify_release(info.path) == []
    assert hidden(settings) == []


@pytest.mark.slow
def test_a_run_killed_while_removing_leaves_no_half_release(settings):
    settings = settings.model_copy(update={"keep_releases": 1})
    release(settings, sample.FIRST)
    script = KILLED.replace("sample.settings(home)", "sample.settings(home, keep_releases=1)")
    script = script.replace("(module, step, fatal)", "(module.shutil, 'rmtree', fatal)")
    killed = subprocess.run(
        [sys.executable, "-c", script, str(settings.root), "remove_tree", "files"],
        cwd=PROJECT,
        env={**os.environ, "AFTER": ""},
        capture_output=True,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for info in list_releases(settings):
        assert verify_release(info.path) == []
    make_release(settings, sample.catalog(), sample.SECOND, settings.root / "manifest.json")
    assert visible(settings) == [sample.SECOND, "current"]
    assert hidden(settings) == []


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DROP TABLE ref_threshold", "table ref_threshold was not built"),
        ("DROP VIEW view_concentration", "view view_concentration was not built"),
        ("INSERT INTO dim_material VALUES ('Nd', 'twice')", "key of dim_material"),
        ("ALTER TABLE fct_source_cell DROP cell_id", "key column cell_id is not in table"),
        (
            "CREATE OR REPLACE VIEW view_concentration AS SELECT * FROM staging.stg_secret",
            "view_concentration cannot be carried into the release",
        ),
    ],
)
def test_a_build_that_cannot_be_released_leaves_everything_as_it_was(settings, sql, told):
    release(settings, sample.FIRST)
    with pytest.raises(BuildFailed, match=told) as caught:
        release(settings, sample.SECOND, sql)
    assert "\n" not in str(caught.value)
    assert visible(settings) == [sample.FIRST, "current"]
    assert hidden(settings) == []
    assert current(settings).name == sample.FIRST


def test_no_build_is_one_clear_line(settings):
    manifest = sample.write_manifest(settings.root)
    with pytest.raises(BuildFailed, match=r"no built database.*run dbt first"):
        make_release(settings, sample.catalog(), sample.FIRST, manifest)
    assert visible(settings) == []


def test_a_file_that_is_no_database_is_one_clear_line(settings):
    sample.write_build(settings).write_bytes(b"x" * 100_000)
    manifest = sample.write_manifest(settings.root)
    with pytest.raises(BuildFailed, match="cannot be written") as caught:
        make_release(settings, sample.catalog(), sample.FIRST, manifest)
    assert "\n" not in str(caught.value)
    assert visible(settings) == []


def test_a_build_that_somebody_still_writes_is_one_clear_line(settings):
    path = sample.write_build(settings)
    manifest = sample.write_manifest(settings.root)
    with duckdb.connect(path), pytest.raises(BuildFailed, match="cannot be written"):
        make_release(settings, sample.catalog(), sample.FIRST, manifest)


@pytest.mark.parametrize("release_id", ["", "x", "../../etc", "0" * 11, "0" * 13, "A" * 12])
def test_only_ids_make_releases(settings, release_id):
    with pytest.raises(UsageError, match="12 hex digits"):
        release(settings, release_id)


def test_two_runs_do_not_release_at_once(settings):
    release(settings, sample.FIRST)
    with (settings.release_dir / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(BuildFailed, match="another run is making a release"):
            release(settings, sample.SECOND)
    assert release(settings, sample.SECOND).is_current


def test_whatever_else_lies_there_is_left_alone(settings):
    release(settings, sample.FIRST)
    stray = settings.release_dir / "notes"
    stray.mkdir()
    (stray / "mine.txt").write_text("keep", encoding="utf-8")
    settings = settings.model_copy(update={"keep_releases": 1})
    release(settings, sample.SECOND)
    assert (stray / "mine.txt").read_text(encoding="utf-8") == "keep"
    assert [info.release_id for info in list_releases(settings)] == [sample.SECOND]
