"""A fresh warehouse runs on the starter."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipelines.catalog import Edition
from pipelines.ingest import ingest_documents, ingest_starter, known
from starter.writers.common import Original, write_edition
from tests.support.house import PRODUCTION, House


def write(house: House, label: str, rows: int = 4, *, first: float = 1.0) -> Path:
    folder = house.settings.starter / "toy_mine" / label
    edition = house.catalog.source("toy_mine").edition(label)
    write_edition(
        folder,
        edition,
        [Original(f"toy_{label}.csv", "https://example.org/o", "ab" * 32, "mine production")],
    )
    house.document(f"toy_{label}.csv", rows, first=first).rename(folder / f"toy_{label}.csv")
    return folder


@pytest.fixture
def started(house: House) -> House:
    write(house, "2025")
    write(house, "2024", 9)
    return house


def test_the_starter_comes_oldest_first_and_says_where_its_figures_are_from(
    started: House,
) -> None:
    results = ingest_starter(started.settings, started.catalog)

    assert [(r.edition_id, r.rows, r.changed) for r in results] == [
        ("toy_mine-2024", 9, True),
        ("toy_mine-2025-v2.0", 4, True),
    ]
    held = started.archive.editions()
    assert all(e.edition.is_reexpressed for e in held)
    [document] = held[1].documents
    assert document.is_reexpressed
    assert document.original is not None
    assert document.original.model_dump() == {
        "url": "https://example.org/o",
        "sha256": "ab" * 32,
        "place": "mine production",
    }
    assert known(started.settings, "toy_mine").originals() == ()


def test_an_interrupted_start_is_completed_by_the_next(started: House) -> None:
    ingest_starter(started.settings, started.catalog, ["toy_bulk"])
    assert started.archive.editions() == []
    ingest_starter(started.settings, started.catalog)
    before = started.tree()
    write(started, "2026")

    results = ingest_starter(started.settings, started.catalog)

    assert [r.changed for r in results] == [False, False, True]
    assert {k: v for k, v in started.tree().items() if k in before} == before


def test_nothing_of_the_starter_comes_to_an_archive_that_somebody_filled(started: House) -> None:
    path = started.document("toy_2026.csv")
    ingest_documents(started.settings, started.catalog, "toy_mine", [path])

    assert ingest_starter(started.settings, started.catalog) == []


def test_the_publishers_own_document_comes_beside_the_starters_with_its_date(
    started: House,
) -> None:
    ingest_starter(started.settings, started.catalog)

    result = ingest_documents(
        started.settings, started.catalog, "toy_mine", [started.document("toy_2025.csv", 40)]
    )

    assert (result.edition_id, result.changed, result.refused) == (
        "toy_mine-2025-v2.0.r2",
        True,
        None,
    )
    newest = started.archive.editions()[-1]
    assert newest.edition.published == date(2025, 2, 1)
    assert not newest.edition.is_reexpressed


def test_one_bad_edition_of_the_starter_does_not_stop_the_others(started: House) -> None:
    (write(started, "2026") / "toy_2026.csv").unlink()
    write_edition(
        started.settings.starter / "nobody" / "1",
        Edition(source_id="nobody", label="1", citation="c"),
        [],
    )
    broken = started.settings.starter / "toy_mine" / "2023"
    broken.mkdir()
    (broken / "edition.yml").write_text("label: [")
    (started.settings.starter / "toy_mine" / "2024" / "stray.csv").write_text("x")

    results = {r.edition_id: r for r in ingest_starter(started.settings, started.catalog)}

    assert results["toy_mine-2025-v2.0"].changed
    assert "described but not there" in str(results["toy_mine-2026"].refused)
    assert "stray.csv is not described" in str(results["toy_mine-2024"].refused)
    assert "malformed" in str(results["toy_mine-2023"].refused)
    assert "no source 'nobody'" in str(results["nobody-1"].refused)
    assert started.rows(PRODUCTION).height == 4
