"""A full disk is one clear line and changes nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import MonaziteError
from pipelines.ingest import ingest_documents, refresh_raw, write_edition_tables
from tests.support.house import PRODUCTION, House

PROJECT = Path(__file__).resolve().parents[3]

SCRIPT = """
import resource, sys
from pathlib import Path

import pipelines.sources
from pipelines.errors import MonaziteError
from pipelines.ingest import ingest_documents
from tests.support.house import make_house

house = make_house(Path(sys.argv[1]))
pipelines.sources.__path__.append(str(house.readers))
ingest_documents(house.settings, house.catalog, "toy_mine", [house.document("toy_2024.csv", 20)])
large = house.document("toy_2025.csv", 499)
before = house.tree()
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
try:
    ingest_documents(house.settings, house.catalog, "toy_mine", [large])
except MonaziteError as error:
    print(error)
print(house.tree() == before)
"""


@pytest.mark.slow
def test_a_document_too_large_for_the_disk_is_not_taken_in(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert run.returncode == 0, run.stderr
    message, is_untouched = run.stdout.splitlines()
    assert message.startswith("cannot write: File too large [")
    assert "free some space" in message
    assert is_untouched == "True"


@pytest.fixture
def filled(house: House) -> House:
    ingest_documents(house.settings, house.catalog, "toy_mine", [house.document("toy_2024.csv")])
    return house


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "place",
    [
        "pyarrow.parquet.ParquetWriter.write_table",
        "pyarrow.parquet.ParquetWriter.close",
        "pipelines.archive.files.os.fsync",
        "pathlib.Path.rename",
    ],
)
def test_no_space_at_any_place_of_an_import_changes_nothing(
    filled: House, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = filled.document("toy_2025.csv")
    before = filled.tree()

    with monkeypatch.context() as full:
        full.setattr(place, no_space)
        with pytest.raises(MonaziteError, match="cannot write: No space left on device"):
            ingest_documents(filled.settings, filled.catalog, "toy_mine", [path])

    assert filled.tree() == before
    assert ingest_documents(filled.settings, filled.catalog, "toy_mine", [path]).changed
    assert filled.archive.verify() == []


def test_no_space_while_tables_get_their_names_is_made_good_by_the_next_run(
    filled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled.document("toy_2025.csv")
    with monkeypatch.context() as full:
        full.setattr("pipelines.ingest.raw._TableFile.publish", no_space)
        with pytest.raises(OSError, match="No space left"):
            ingest_documents(filled.settings, filled.catalog, "toy_mine", [path])
    assert [e.edition.label for e in filled.archive.editions()] == ["2024", "2025"]

    assert [r.rows for r in refresh_raw(filled.settings, filled.catalog)] == [40]
    assert filled.rows(PRODUCTION).height == 80


def test_no_space_while_the_edition_tables_are_written_leaves_the_last_ones(
    filled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_edition_tables(filled.settings, filled.catalog)
    before = filled.tree()
    with monkeypatch.context() as full:
        full.setattr("pyarrow.parquet.ParquetWriter.write_table", no_space)
        with pytest.raises(MonaziteError, match="No space left"):
            write_edition_tables(filled.settings, filled.catalog)
    assert filled.tree() == before
