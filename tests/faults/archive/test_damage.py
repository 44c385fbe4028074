"""Damaged documents are refused by name while the others go on."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.ingest import ingest_documents, ingest_fetched
from pipelines.sources.base import Document
from pipelines.sources.fetching import FetchedDocument, FetchedEdition, FetchResult
from tests.support.house import PRODUCTION, House

PROJECT = Path(__file__).resolve().parents[3]
WHEN = datetime(2026, 3, 1, tzinfo=UTC)


def packed(house: House, label: str) -> Path:
    inner = house.document(f"toy_{label}.csv")
    path = inner.with_name(f"world_{label}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, inner.name)
    return path


def fetched(path: Path, label: str) -> FetchedEdition:
    document = FetchedDocument(
        name=path.name,
        path=path,
        url=f"https://example.org/{path.name}",
        sha256=Document.of(path).sha256,
        md5="",
        size_bytes=path.stat().st_size,
        retrieved_at=WHEN,
    )
    return FetchedEdition(label, (document,))


@pytest.mark.parametrize("cut", [0, 1, 40, 0.5, -30])
def test_a_truncated_zip_is_refused_and_the_others_go_on(house: House, cut: float) -> None:
    editions = []
    for label in ("2024", "2026"):
        path = packed(house, label)
        if label == "2024":
            content = path.read_bytes()
            end = int(len(content) * cut) if isinstance(cut, float) else cut
            path.write_bytes(content[:end])
        editions.append(fetched(path, label))

    bad, good = ingest_fetched(
        house.settings, house.catalog, FetchResult("toy_mine", WHEN, editions=tuple(editions))
    )

    assert "world_2024.zip" in str(bad.refused)
    assert "cut short" in str(bad.refused)
    assert (good.changed, good.rows) == (True, 40)
    assert house.rows(PRODUCTION).height == 40
    assert house.archive.verify() == []


@pytest.mark.parametrize("place", [12, 40, 60, 90, 130, -40, -25, -15])
def test_one_flipped_byte_in_a_zip_never_passes_unseen(house: House, place: int) -> None:
    path = packed(house, "2026")
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(bytes(content))

    result = ingest_documents(house.settings, house.catalog, "toy_mine", [path], label="2026")

    if result.refused is None:  # a byte that carries no content, such as a time stamp
        assert house.rows(PRODUCTION).get_column("value").to_list() == [1.0 + n for n in range(40)]
    else:
        assert "world_2026.zip" in result.refused
        assert "\n" not in result.refused
        assert house.archive.editions() == []


@pytest.mark.slow
def test_two_processes_at_once_both_get_in(house: House) -> None:
    script = (
        "import sys; from pathlib import Path; import pipelines.sources\n"
        "from pipelines.catalog import load_catalog; from pipelines.settings import Settings\n"
        "from pipelines.ingest import ingest_documents\n"
        "folder = Path(sys.argv[1])\n"
        "pipelines.sources.__path__.append(str(folder / 'readers'))\n"
        "r = ingest_documents(Settings(home=folder / 'home'), load_catalog(folder / 'catalogue'),"
        " 'toy_mine', [Path(sys.argv[2])])\n"
        "assert r.changed, r.refused\n"
    )
    paths = [house.document(f"toy_{y}.csv", first=float(y)) for y in (2024, 2025, 2026)]
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(house.folder), str(p)],
            cwd=PROJECT,
            stderr=subprocess.PIPE,
        )
        for p in paths
    ]
    for run in runs:
        _, errors = run.communicate(timeout=60)
        assert run.returncode == 0, errors.decode()

    assert [e.edition.label for e in house.archive.editions()] == ["2024", "2025", "2026"]
    assert house.rows(PRODUCTION).height == 120
    assert house.archive.verify() == []
