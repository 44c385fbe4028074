"""A publisher's answer goes through the same door."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.errors import FetchFailed
from pipelines.ingest import (
    IngestResult,
    ingest_documents,
    ingest_fetched,
    known,
    retry_refused,
)
from pipelines.sources.fetching import (
    FetchedDocument,
    FetchedEdition,
    FetchFailure,
    FetchResult,
)
from tests.support.house import PRODUCTION, House

WHEN = datetime(2026, 3, 1, 4, tzinfo=UTC)


def document(path: Path, **told: object) -> FetchedDocument:
    content = path.read_bytes()
    return FetchedDocument(
        **{  # type: ignore[arg-type]
            "name": path.name,
            "path": path,
            "url": f"https://example.org/{path.name}",
            "sha256": hashlib.sha256(content).hexdigest(),
            "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "size_bytes": len(content),
            "retrieved_at": WHEN,
            "etag": '"e1"',
            **told,
        }
    )


def bring(house: House, *editions: FetchedEdition, **told: object) -> list[IngestResult]:
    result = FetchResult("toy_mine", WHEN, editions=editions, **told)  # type: ignore[arg-type]
    return ingest_fetched(house.settings, house.catalog, result)


def test_a_fetched_edition_keeps_what_the_server_told(house: House) -> None:
    path = house.document("toy_2027.csv")
    edition = FetchedEdition(
        "2027",
        (document(path, last_modified="Mon, 01 Mar 2027 00:00:00 GMT"),),
        version="1.0",
        published=date(2027, 2, 1),
        doi="10.5066/X",
        url="https://example.org/2027",
    )

    [result] = bring(house, edition)

    assert (result.edition_id, result.changed) == ("toy_mine-2027-v1.0", True)
    [held] = house.archive.editions()
    assert held.edition.published == date(2027, 2, 1)
    assert (held.edition.doi, held.edition.url) == ("10.5066/X", "https://example.org/2027")
    stored = held.documents[0]
    assert (stored.url, stored.etag, stored.retrieved_at) == (
        "https://example.org/toy_2027.csv",
        '"e1"',
        WHEN,
    )
    assert path.exists()


def test_the_catalogue_date_is_for_the_version_that_it_names(house: House) -> None:
    bring(house, FetchedEdition("2025", (document(house.document("a.csv")),), version="2.0"))
    bring(house, FetchedEdition("2025", (document(house.document("b.csv", 41)),), version="3.0"))

    days = {e.edition_id: e.edition.published for e in house.archive.editions()}
    assert days == {
        "toy_mine-2025-v2.0": date(2025, 2, 1),
        "toy_mine-2025-v3.0": None,
    }


def test_what_is_held_is_told_to_fetch_in_the_publishers_words(house: House) -> None:
    for first in (1.0, 2.0):
        path = house.document("toy_2025.csv", first=first)
        bring(house, FetchedEdition("2025", (document(path),), version="2.0"))

    held = known(house.settings, "toy_mine")

    assert [(e.label, e.version) for e in held.editions] == [("2025", "2.0"), ("2025", "2.0")]
    newest = held.edition("2025", "2.0")
    assert newest is not None
    assert newest.documents[0].sha256 == document(path).sha256
    assert newest.documents[0].md5 == document(path).md5
    assert newest.documents[0].etag == '"e1"'
    assert known(house.settings, "toy_bulk").editions == ()


def test_a_silent_replacement_is_a_revision_dated_by_the_server(house: House) -> None:
    bring(house, FetchedEdition("2026", (document(house.document("toy_2026.csv")),)))
    path = house.document("toy_2026.csv", first=2.0)
    changed = document(path, last_modified="Wed, 27 May 2026 10:00:00 GMT")

    [result] = bring(house, FetchedEdition("2026", (changed,)))

    assert result.edition_id == "toy_mine-2026-vr2"
    assert house.archive.editions()[-1].edition.published == date(2026, 5, 27)


def test_a_file_that_changed_on_the_way_is_refused_and_the_rest_goes_on(house: House) -> None:
    bad = document(house.document("toy_2025.csv"), sha256="0" * 64)
    good = document(house.document("toy_2026.csv"))

    refused, accepted = bring(
        house, FetchedEdition("2025", (bad,), version="2.0"), FetchedEdition("2026", (good,))
    )

    assert "hashes to" in str(refused.refused)
    assert accepted.changed
    assert house.rows(PRODUCTION).height == 40


def test_the_answer_is_reported_whole(house: House) -> None:
    bring(house, FetchedEdition("2024", (document(house.document("toy_2024.csv")),)))
    failure = FetchFailure("2026", FetchFailed("no answer", where="https://example.org"))

    unchanged, failed = bring(house, unchanged=("2024", "1999"), failures=(failure,))

    assert (unchanged.label, unchanged.changed, unchanged.rows) == ("2024", False, 40)
    assert (failed.edition_id, failed.refused) == (
        "toy_mine-2026",
        "no answer [https://example.org]",
    )


@pytest.fixture
def refused_once(house: House) -> House:
    path = house.write("toy_2026.csv", "country,commodity,value\nAtlantis,tin,1\n")
    [result] = bring(house, FetchedEdition("2026", (document(path),)))
    assert result.refused is not None
    assert "Atlantis" in result.refused
    path.unlink()
    return house


def test_a_refused_edition_is_kept_and_told_to_fetch(refused_once: House) -> None:
    held = known(refused_once.settings, "toy_mine")

    assert [e.label for e in held.editions] == ["2026"]
    assert held.document("https://example.org/toy_2026.csv") is not None
    assert refused_once.archive.verify() == []
    assert refused_once.archive.editions() == []


def test_the_same_refused_bytes_are_not_read_again(
    refused_once: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        pytest.fail("read again")

    monkeypatch.setattr("pipelines.ingest.door.read", never)

    [result] = retry_refused(refused_once.settings, refused_once.catalog)

    assert "Atlantis" in str(result.refused)
    assert result.notes == ("refused before; nothing has changed since",)


def test_a_mended_reader_looks_at_refused_bytes_again(refused_once: House) -> None:
    refused_once.change_reader("toy_mine", "range(500))", 'range(500)) | {"Atlantis"}')

    [result] = retry_refused(refused_once.settings, refused_once.catalog, ["toy_mine"])

    assert (result.edition_id, result.changed, result.rows) == ("toy_mine-2026", True, 1)
    assert refused_once.archive.refusals() == []
    assert retry_refused(refused_once.settings, refused_once.catalog) == []


def test_other_limits_or_another_neighbour_are_looked_at_again(house: House) -> None:
    bring(house, FetchedEdition("2025", (document(house.document("toy_2025.csv")),)))
    small = FetchedEdition("2026", (document(house.document("toy_2026.csv", 10)),))
    assert "40 -> 10" in str(bring(house, small)[0].refused)
    assert "nothing has changed" in " ".join(bring(house, small)[0].notes)

    source = house.catalog.source("toy_mine")
    loose = source.model_copy(
        update={"drift": source.drift.model_copy(update={"rows_lost": 0.9, "bytes_lost": 0.9})}
    )
    catalog = house.catalog.model_copy(update={"sources": {"toy_mine": loose}})

    assert [r.changed for r in retry_refused(house.settings, catalog)] == [True]


def test_what_cannot_be_read_is_asked_for_again_for_some_days(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    slip = house.write("toy_2026.csv", "<html>not found</html>")
    assert bring(house, FetchedEdition("2026", (document(slip),)))[0].refused is not None
    assert known(house.settings, "toy_mine").editions == ()

    monkeypatch.setattr("pipelines.ingest.bring._UNREADABLE_ASKED_AGAIN", timedelta(0))
    assert [e.label for e in known(house.settings, "toy_mine").editions] == ["2026"]


def test_a_spool_does_not_offer_again_what_was_refused(house: House) -> None:
    place = house.settings.fetch_dir / "toy_mine" / "2026" / "toy_2026.csv"
    place.parent.mkdir(parents=True)
    shutil.copy(house.write("toy_2026.csv", "<html>not found</html>"), place)
    kept = house.document("toy_2027.csv")
    bring(house, FetchedEdition("2026", (document(place), document(kept))))
    assert not place.exists()
    assert kept.exists()


def test_a_slip_that_the_publisher_took_back_is_forgotten(house: House) -> None:
    good = FetchedEdition("2026", (document(house.document("toy_2026.csv")),))
    bring(house, good)
    slip = house.write("slip/toy_2026.csv", "<html>not found</html>")
    assert bring(house, FetchedEdition("2026", (document(slip),)))[0].refused is not None
    assert len(house.archive.refusals()) == 1

    assert bring(house, good)[0].changed is False

    assert house.archive.refusals() == []
    assert len(known(house.settings, "toy_mine").editions) == 1
    assert house.archive.verify() == []


def test_damaged_kept_bytes_are_told(refused_once: House) -> None:
    [refusal] = refused_once.archive.refusals()
    refused_once.archive.path(refusal.documents[0].sha256).unlink()

    [result] = retry_refused(refused_once.settings, refused_once.catalog)

    assert "bytes of toy_2026.csv are missing" in str(result.refused)


def test_what_a_person_brought_and_was_refused_is_not_kept(house: House) -> None:
    path = house.write("toy_2026.csv", "country,commodity,value\nAtlantis,tin,1\n")
    ingest_documents(house.settings, house.catalog, "toy_mine", [path])

    assert known(house.settings, "toy_mine").editions == ()
    assert retry_refused(house.settings, house.catalog) == []
