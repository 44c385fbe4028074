"""Killed at any moment, the archive holds whole editions only, and the next run completes them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]

# Every step that the disk sees (a name given, a file brought to the disk, a folder made) may be the
# last one. A child dies there without any clean-up; its parent, which has not used the data frame
# library yet, looks at what is left. Every other step is taken, to save time.
SCRIPT = """
import json, os, shutil, sys
from pathlib import Path

import pipelines.sources
from pipelines.archive.store import Archive
from pipelines.ingest import ensure_schemas, ingest_documents, refresh_raw
from tests.support.house import make_house

house = make_house(Path(sys.argv[1]))
pipelines.sources.__path__.append(str(house.readers))
first = house.document("toy_2025.csv")
second = house.document("toy_2025.csv.new", first=2.0)


def work():
    for path in (first, second):
        ingest_documents(house.settings, house.catalog, "toy_mine", [path], label="2025")


def die_at(step):
    left = [step]

    def counted(function):
        def call(*args, **kwargs):
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return function(*args, **kwargs)

        return call

    for owner, name in (
        (Path, "replace"), (Path, "rename"), (Path, "mkdir"), (Path, "unlink"), (os, "fsync")
    ):
        setattr(owner, name, counted(getattr(owner, name)))


def child(function, *args):
    pid = os.fork()
    if pid == 0:
        function(*args)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def until(step):
    die_at(step)
    work()


def complete():
    refresh_raw(house.settings, house.catalog)
    work()
    refresh_raw(house.settings, house.catalog)


archive = Archive(house.settings.archive_dir)
assert child(ensure_schemas, house.settings, house.catalog) == 0
begun = house.folder / "begun"
house.settings.root.rename(begun)
seen, step = [], 0
while True:
    shutil.rmtree(house.settings.root, ignore_errors=True)
    shutil.copytree(begun, house.settings.root)
    status = child(until, step)
    if status == 0:
        break
    assert status == 9, status
    problems = [str(p) for p in archive.verify()]
    editions = [e.edition_id for e in archive.editions()]
    assert child(complete) == 0
    left = [str(p) for p in house.settings.root.rglob("*") if p.name.endswith(".tmp")]
    names = sorted(p.stem for p in (house.settings.raw_dir / "raw_toy_mine__production").iterdir())
    seen.append(
        {
            "problems": problems,
            "editions": editions,
            "left": left,
            "names": names,
            "after": [str(p) for p in archive.verify()],
            "completed": [e.edition_id for e in archive.editions()],
        }
    )
    step += 2
print(json.dumps(seen))
"""


@pytest.mark.slow
def test_killed_at_any_step_no_half_document_and_no_half_edition_is_left(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    seen = json.loads(run.stdout.splitlines()[-1])

    both = ["toy_mine-2025-v2.0", "toy_mine-2025-v2.0.r2"]
    assert len(seen) > 20
    assert {len(s["editions"]) for s in seen} == {0, 1, 2}
    for state in seen:
        assert state["problems"] == []
        assert state["editions"] == both[: len(state["editions"])]
        assert state["completed"] == both
        assert state["after"] == []
        assert state["left"] == []
        assert state["names"] == ["_schema", *both]
