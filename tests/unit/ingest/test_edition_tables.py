"""What the archive holds, as tables."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

import polars as pl
import pytest

from pipelines.catalog import Catalog, Redistribution
from pipelines.ingest import ingest_documents, ingest_fetched, write_edition_tables
from pipelines.ingest.editions import publication
from pipelines.settings import Settings
from pipelines.sources.fetching import FetchedDocument, FetchedEdition, FetchResult
from tests.support.house import House


def table(house: House, name: str) -> pl.DataFrame:
    [path] = (house.settings.raw_dir / f"raw_monazite__{name}").glob("*.parquet")
    return pl.read_parquet(path)


def fill(house: House) -> None:
    for name, first in (("toy_2025.csv", 1.0), ("toy_2025.csv", 2.0), ("toy_2024.csv", 3.0)):
        ingest_documents(
            house.settings, house.catalog, "toy_mine", [house.document(name, first=first)]
        )


def test_an_empty_archive_gives_empty_tables_and_the_catalogue(house: House) -> None:
    assert write_edition_tables(house.settings, house.catalog) == {
        "raw_monazite__edition": 0,
        "raw_monazite__document": 0,
        "raw_monazite__source": 2,
    }
    assert table(house, "source").get_column("source_id").to_list() == ["toy_bulk", "toy_mine"]
    assert table(house, "edition").schema["published_date"] == pl.Date()


def test_editions_and_documents_are_told_with_their_hashes(house: House) -> None:
    fill(house)
    write_edition_tables(house.settings, house.catalog)

    editions = table(house, "edition")
    columns = ("source_edition_id", "label", "version", "revision", "rows", "n_documents")
    assert editions.select(columns).rows() == [
        ("toy_mine-2024", "2024", None, 1, 40, 1),
        ("toy_mine-2025-v2.0", "2025", "2.0", 1, 40, 1),
        ("toy_mine-2025-v2.0.r2", "2025", "2.0.r2", 2, 40, 1),
    ]
    assert editions.select("published_date", "first_published_date").rows() == [
        (date(2024, 2, 1), date(2024, 2, 1)),
        (date(2025, 2, 1), date(2025, 2, 1)),
        (None, date(2025, 2, 1)),
    ]
    assert editions.get_column("digest").to_list() == [
        house.archive.digest(e) for e in house.archive.editions()
    ]
    documents = table(house, "document")
    assert documents.get_column("document_name").to_list() == [
        "toy_2024.csv",
        "toy_2025.csv",
        "toy_2025.csv",
    ]
    assert documents.get_column("sha256").n_unique() == 3


def with_months(house: House) -> Catalog:
    """The catalogue, labels of ``toy_mine`` naming year and month after an M."""
    source = house.catalog.source("toy_mine").model_copy(
        update={"month_pattern": r"M(?P<year>\d{4})(?P<month>\d{2})$"}
    )
    return house.catalog.model_copy(
        update={"sources": {**house.catalog.sources, "toy_mine": source}}
    )


@pytest.mark.parametrize(
    ("label", "day"),
    [
        ("HS-M202601", date(2026, 1, 31)),
        ("HS-M202402", date(2024, 2, 29)),
        # A correction of that month's release, whenever it came.
        ("HS-M202401b", None),
        ("HS-M202613", None),
        ("2025", None),
    ],
)
def test_a_label_that_names_a_month_dates_its_last_day(
    house: House, label: str, day: date | None
) -> None:
    assert with_months(house).source("toy_mine").last_day_of(label) == day
    assert house.catalog.source("toy_mine").last_day_of(label) is None


def test_the_month_of_a_label_dates_the_first_bytes_and_says_so(house: House) -> None:
    catalog = with_months(house)
    for first in (1.0, 2.0):
        document = house.document("toy.csv", first=first)
        ingest_documents(house.settings, catalog, "toy_mine", [document], label="M202601")
    document = house.document("toy_2024.csv", first=3.0)
    ingest_documents(house.settings, catalog, "toy_mine", [document])
    write_edition_tables(house.settings, catalog)
    columns = ("label", "revision", "published_date", "first_published_date", "published_precision")
    assert table(house, "edition").select(columns).sort("label", "revision").rows() == [
        ("2024", 1, date(2024, 2, 1), date(2024, 2, 1), "day"),
        ("M202601", 1, date(2026, 1, 31), date(2026, 1, 31), "month"),
        ("M202601", 2, None, date(2026, 1, 31), None),
    ]


def test_the_original_after_our_own_writing_of_it_is_the_first_publication(house: House) -> None:
    catalog = with_months(house)
    for first in (1.0, 2.0):
        document = house.document("toy.csv", first=first)
        ingest_documents(house.settings, catalog, "toy_mine", [document], label="M202601")
    written, original = house.archive.editions()
    assert (written.revision, original.revision) == (1, 2)
    source = catalog.source("toy_mine")
    assert publication(source, original, [written, original]) == (None, None)
    rewritten = written.model_copy(
        update={"edition": written.edition.model_copy(update={"is_reexpressed": True})}
    )
    told = publication(source, original, [rewritten, original])
    assert told == (date(2026, 1, 31), "month")


def test_the_tables_are_the_same_on_every_machine_and_day(house: House) -> None:
    fill(house)
    write_edition_tables(house.settings, house.catalog)
    other = House(house.folder, Settings(home=house.folder / "other"), house.catalog, house.readers)
    fill(other)
    write_edition_tables(other.settings, other.catalog)

    for name in ("edition", "document", "source"):
        paths = [
            next((h.settings.raw_dir / f"raw_monazite__{name}").glob("*.parquet"))
            for h in (house, other)
        ]
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ("yes", "yes", "yes"),
        ("yes", "no", "no"),
        ("no", "yes", "no"),
        ("derived_only", "yes", "derived_only"),
        ("yes", "unknown", "unknown"),
        ("unknown", "yes", "yes"),
        ("unknown", "no", "no"),
    ],
)
def test_the_stricter_terms_hold(house: House, then: str, now: str, expected: str) -> None:
    def catalogue(redistribution: str):
        source = house.catalog.source("toy_mine")
        licence = source.licence.model_copy(
            update={"redistribution": Redistribution(redistribution)}
        )
        return house.catalog.model_copy(
            update={"sources": {"toy_mine": source.model_copy(update={"licence": licence})}}
        )

    ingest_documents(house.settings, catalogue(then), "toy_mine", [house.document("toy_2025.csv")])
    write_edition_tables(house.settings, catalogue(now))

    assert table(house, "edition").get_column("redistribution").to_list() == [expected]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/toy_2026.csv", "yes"),
        ("http://127.0.0.1:8765/example.org/toy_2026.csv", "no"),
        ("http://localhost:8765/example.org/toy_2026.csv", "no"),
        ("http://[::1]:8765/example.org/toy_2026.csv", "no"),
    ],
)
def test_what_a_stand_in_gave_is_never_passed_on(house: House, url: str, expected: str) -> None:
    """One such document is enough: its figures may be made up."""
    documents = []
    for name, address in (("toy_2026.csv", url), ("more/toy_2026.txt", "https://example.org/a")):
        path = house.document(name) if name.endswith(".csv") else house.write(name, "a note\n")
        content = path.read_bytes()
        documents.append(
            FetchedDocument(
                name=path.name,
                path=path,
                url=address,
                sha256=hashlib.sha256(content).hexdigest(),
                md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
                size_bytes=len(content),
                retrieved_at=datetime(2026, 3, 1, tzinfo=UTC),
            )
        )
    fetched = FetchResult(
        source_id="toy_mine",
        checked_at=datetime(2026, 3, 1, tzinfo=UTC),
        editions=(FetchedEdition("2026", tuple(documents)),),
    )
    assert [r.refused for r in ingest_fetched(house.settings, house.catalog, fetched)] == [None]
    write_edition_tables(house.settings, house.catalog)

    assert table(house, "edition").get_column("redistribution").to_list() == [expected]
