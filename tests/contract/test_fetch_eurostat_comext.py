"""Comext is asked for by year and code, split where it must be, and left alone where it is held."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.catalog import Source, load_catalog
from pipelines.errors import FetchFailed, UsageError
from pipelines.sources import eurostat_comext
from pipelines.sources.base import Document
from pipelines.sources.fetching import FetchedEdition, FetchResult, HeldDocument, HeldEdition, Known
from pipelines.sources.http import PublisherClient
from tests.emulator.app import Emulator
from tests.emulator.serving import serving
from tests.support.asking import quick

SOURCE = load_catalog().source("eurostat_comext")
FROM_2024 = SOURCE.model_copy(update={"api": SOURCE.api.model_copy(update={"first_year": 2024})})
CODES = ("28053010", "28461000", "85051110")


@dataclass
class House:
    """An emulated publisher, and what is held of it."""

    emulator: Emulator
    mirror: str
    folder: Path
    known: Known = field(default_factory=Known)
    source: Source = FROM_2024

    @property
    def world(self) -> dict[str, object]:
        return self.emulator.world["eurostat_comext"]

    def fetch(self, **options: Any) -> FetchResult:
        self.emulator.requests.clear()

        async def run() -> FetchResult:
            settings = quick(mirror=self.mirror)
            async with PublisherClient.for_source(self.source, settings=settings) as client:
                return await eurostat_comext.fetch(
                    self.source,
                    self.known,
                    client,
                    self.folder / f"into-{len(list(self.folder.iterdir()))}",
                    state_dir=self.folder / "state",
                    now=lambda: datetime(2026, 11, 25, tzinfo=UTC),
                    **({"codes": CODES} | options),
                )

        return asyncio.run(run())

    def hold(self, result: FetchResult) -> None:
        """Take in what was fetched, as the archive would."""
        assert not result.failures
        held = tuple(
            HeldEdition(
                label=e.label,
                version=e.version,
                documents=tuple(
                    HeldDocument(
                        name=d.name,
                        sha256=d.sha256,
                        url=d.url,
                        size_bytes=d.size_bytes,
                        path=d.path,
                        retrieved_at=d.retrieved_at,
                    )
                    for d in e.documents
                ),
            )
            for e in result.editions
        )
        self.known = Known((*self.known.editions, *held))


def rows_of(edition: FetchedEdition) -> pl.DataFrame:
    documents = [Document.of(d.path, d.name) for d in edition.documents]
    parsed = eurostat_comext.parse(
        SOURCE.edition(edition.label), documents, keep_codes=frozenset(CODES)
    )
    assert parsed.rows_quarantined == 0
    return parsed.tables[eurostat_comext.TRADE]


def sorted_rows(edition: FetchedEdition) -> list[tuple[object, ...]]:
    columns = ["reporter_code", "partner_code", "product_code", "flow_code", "reference_month",
               "indicator", "value"]  # fmt: skip
    return sorted(rows_of(edition).select(columns).rows())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    emulator = Emulator(only=("eurostat_comext",))
    emulator.world["eurostat_comext"]["one_in"] = 1
    with serving(emulator) as mirror:
        yield House(emulator, mirror, tmp_path)


def test_the_first_night_brings_every_year_with_its_day(house: House) -> None:
    result = house.fetch()
    assert [e.label for e in result.editions] == ["2024", "2025", "2026"]
    newest = result.editions[-1]
    assert (newest.version, newest.published) == ("20261115", date(2026, 11, 15))
    frame = rows_of(newest)
    assert frame.get_column("reference_month").max() == 9
    assert set(frame.get_column("product_code")) == set(CODES)
    assert frame.get_column("reporter_code").n_unique() == 28
    # One request for the date of update, one a year.
    assert len(house.emulator.requests) == 4


def test_a_night_with_nothing_new_costs_one_request(house: House) -> None:
    house.hold(house.fetch())
    result = house.fetch()
    assert result.is_nothing_new
    assert result.unchanged == ("2024", "2025", "2026")
    assert len(house.emulator.requests) == 1


def test_an_update_brings_only_the_years_whose_rows_differ(house: House) -> None:
    house.hold(house.fetch())
    house.world.update({"last_update": "15/12/26 11:00:00", "revised": ["2025"]})
    result = house.fetch()
    assert [(e.label, e.version, e.replaces) for e in result.editions] == [
        ("2025", "20261215", None)
    ]
    assert result.unchanged == ("2024", "2026")
    house.hold(result)
    assert house.fetch().is_nothing_new
    assert len(house.emulator.requests) == 1


def test_years_long_past_are_left_alone_and_a_missing_one_is_brought(house: House) -> None:
    house.hold(house.fetch(years=[2025, 2026]))
    house.world["last_update"] = "15/12/26 11:00:00"
    result = house.fetch(revised_years=0)
    assert [e.label for e in result.editions] == ["2024"]
    assert set(result.unchanged) == {"2025", "2026"}


def test_a_newly_chosen_code_is_asked_for_in_years_long_past_too(house: House) -> None:
    house.hold(house.fetch(codes=CODES[:1], revised_years=0))
    result = house.fetch(codes=CODES[:2], revised_years=0)
    assert [e.label for e in result.editions] == ["2024", "2025", "2026"]
    house.hold(result)
    assert house.fetch(codes=CODES[:2], revised_years=0).is_nothing_new


def test_an_edition_that_did_not_reach_the_archive_is_brought_again(house: House) -> None:
    assert len(house.fetch().editions) == 3
    assert len(house.fetch().editions) == 3


def test_requests_stay_below_the_estimate_that_is_known(house: House) -> None:
    house.source = house.source.model_copy(
        update={"api": house.source.api.model_copy(update={"rows_per_answer": 700_000})}
    )
    (edition,) = house.fetch(years=[2025]).editions
    assert [d.name for d in edition.documents] == [
        f"2025-01-12-{code}-AT_EU27_2020_28.csv" for code in CODES
    ]


@pytest.mark.parametrize(("refusal", "status"), [("cap", 413), ("later", 200), ("later", 202)])
def test_a_request_that_is_too_large_is_split_and_gives_the_same_rows(
    house: House, refusal: str, status: int
) -> None:
    house.world["later_status"] = status
    (whole,) = house.fetch(years=[2025]).editions
    # Below a code and a month of all reporters: codes, months and reporters are halved.
    house.world[refusal] = 28 * 300 * 2 * 3 // 2 + 1
    (split,) = house.fetch(years=[2025]).editions
    assert len(split.documents) > len(CODES) * 12
    assert len({d.name for d in split.documents}) == len(split.documents)
    assert sorted_rows(split) == sorted_rows(whole)


def test_one_cell_too_many_is_a_failure_of_that_year(house: House) -> None:
    house.world["cap"] = 1_500
    result = house.fetch(years=[2025], codes=CODES[:1])
    (failure,) = result.failures
    assert failure.label == "2025"
    assert "EXTRACTION_TOO_BIG" in str(failure.error)
    assert not result.editions


def test_a_year_without_trade_is_noted(house: House) -> None:
    result = house.fetch(years=[2025, 2030])
    assert [e.label for e in result.editions] == ["2025"]
    assert result.notes == ("2030: no trade in the chosen codes",)


def test_codes_come_from_the_seed_as_they_are_valid(house: House, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    (seeds / "ref_country.csv").write_text("country_iso3,iso2,is_eu27\nDEU,DE,true\nUSA,US,false\n")
    (seeds / "ref_national_code.csv").write_text(
        "national_system,national_code,valid_from,valid_to\n"
        "CN8,28053010,,2024\nCN8,28053080,2025,\nHTS10,2805300050,,\n"
    )
    result = house.fetch(years=[2024, 2025], codes=None, seeds_dir=seeds)
    assert [set(rows_of(e).get_column("product_code")) for e in result.editions] == [
        {"28053010"},
        {"28053080"},
    ]
    (seeds / "ref_national_code.csv").unlink()
    with pytest.raises(UsageError, match="no code of the Combined Nomenclature"):
        house.fetch(codes=None, seeds_dir=seeds)


@pytest.mark.parametrize("told", ["soon", "31/02/26", ""])
def test_a_data_set_that_does_not_say_when_it_was_updated_is_not_taken(
    house: House, told: str
) -> None:
    house.world["last_update"] = told
    with pytest.raises(FetchFailed, match="update"):
        house.fetch()


# Bulk files


def test_a_month_of_the_bulk_files_is_brought_where_it_is_named(house: House) -> None:
    (edition,) = house.fetch(editions=["full-202401"]).editions
    assert (edition.label, edition.version, edition.published) == ("full-202401", None, None)
    (document,) = edition.documents
    assert document.name == "full_v2_202401.7z"
    assert SOURCE.label_from_name(document.name) == edition.label
    frame = rows_of(edition)
    assert set(frame.get_column("product_code")) == {"28053010", "850511XX"}
    house.hold(house.fetch(editions=["full-202401"]))
    again = house.fetch(editions=["full-202401"])
    assert again.unchanged == ("full-202401",)
    assert len(house.emulator.requests) == 1


def test_a_month_that_is_not_listed_fails_by_itself(house: House) -> None:
    result = house.fetch(editions=["full-202401", "full-203001"])
    assert [e.label for e in result.editions] == ["full-202401"]
    (failure,) = result.failures
    assert "there are 202401 to 202402" in str(failure.error)


@pytest.mark.parametrize("label", ["full-202452", "spring", "2024-01"])
def test_a_label_that_is_neither_year_nor_month_is_refused(house: House, label: str) -> None:
    with pytest.raises(UsageError, match="no edition of eurostat_comext"):
        house.fetch(editions=[label])
