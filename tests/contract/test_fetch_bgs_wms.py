"""The pages of the British Geological Survey's API, through real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog import load_catalog
from pipelines.errors import FetchFailed
from pipelines.sources import bgs_wms
from pipelines.sources.base import Document
from pipelines.sources.fetching import FetchResult, HeldDocument, HeldEdition, Known
from pipelines.sources.http import PublisherClient
from tests.emulator.app import Emulator
from tests.emulator.serving import serving
from tests.support.asking import quick

SOURCE = load_catalog().source("bgs_wms")


@dataclass
class House:
    """An emulated publisher, and what is held of it."""

    emulator: Emulator
    mirror: str
    folder: Path
    known: Known = field(default_factory=Known)
    today: datetime = datetime(2026, 11, 25, tzinfo=UTC)

    @property
    def world(self) -> dict[str, object]:
        return self.emulator.world["bgs_wms"]

    def fetch(self, **options: Any) -> FetchResult:
        self.emulator.requests.clear()

        async def run() -> FetchResult:
            settings = quick(mirror=self.mirror)
            async with PublisherClient.for_source(SOURCE, settings=settings) as client:
                return await bgs_wms.fetch(
                    SOURCE,
                    self.known,
                    client,
                    self.folder / f"into-{len(list(self.folder.iterdir()))}",
                    state_dir=self.folder / "state",
                    now=lambda: self.today,
                    **options,
                )

        return asyncio.run(run())

    def hold(self, result: FetchResult) -> None:
        """Take in what was fetched, as the archive would."""
        (edition,) = result.editions
        documents = tuple(
            HeldDocument(
                name=d.name,
                sha256=d.sha256,
                url=d.url,
                size_bytes=d.size_bytes,
                path=d.path,
                retrieved_at=d.retrieved_at,
            )
            for d in edition.documents
        )
        held = HeldEdition(label=edition.label, documents=documents)
        self.known = Known((*self.known.editions, held))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    emulator = Emulator(only=("bgs_wms",))
    with serving(emulator) as mirror:
        yield House(emulator, mirror, tmp_path)


def test_the_first_night_brings_every_used_commodity_whole(house: House) -> None:
    house.world["most_rows"] = 100
    result = house.fetch()
    (edition,) = result.editions
    assert (edition.label, edition.published) == ("2023", None)
    names = [d.name for d in edition.documents]
    assert len(names) == len(set(names))
    assert "ferro-alloys-000000.json" in names
    assert "ferro-alloys-000100.json" in names
    documents = [Document.of(d.path, d.name) for d in edition.documents]
    parsed = bgs_wms.parse(SOURCE.edition(edition.label), documents)
    assert parsed.rows_quarantined == 0
    told = house.emulator.requests
    assert {r.query.get("bgs_statistic_type_trans") for r in told} == {"Production"}
    assert "offset=100" in edition.documents[names.index("ferro-alloys-000100.json")].url


def test_a_night_with_nothing_new_costs_one_request(house: House) -> None:
    house.hold(house.fetch())
    result = house.fetch()
    assert result.is_nothing_new
    assert result.unchanged == ("2023",)
    assert len(house.emulator.requests) == 1


def test_pages_are_looked_at_again_after_a_while_and_found_the_same(house: House) -> None:
    house.hold(house.fetch())
    house.today += timedelta(days=31)
    assert house.fetch().is_nothing_new
    assert len(house.emulator.requests) > 1
    assert house.fetch().is_nothing_new
    assert len(house.emulator.requests) == 1


@pytest.mark.parametrize("damage", ["", "[]", "looked_at"])
def test_a_damaged_note_of_the_last_look_only_costs_requests(house: House, damage: str) -> None:
    house.hold(house.fetch())
    note = house.folder / "state" / "seen.json"
    told = note.read_text() if damage == "looked_at" else damage
    note.write_text(told.replace("2026-11-25T00:00:00", "some day"))
    assert house.fetch().is_nothing_new
    assert len(house.emulator.requests) > 1


def test_a_new_year_is_a_new_edition(house: House) -> None:
    house.hold(house.fetch())
    house.world["last_year"] = 2024
    (edition,) = house.fetch().editions
    assert (edition.label, edition.replaces) == ("2024", None)


def test_a_silent_revision_is_found_and_brings_only_the_pages_that_changed(house: House) -> None:
    house.hold(house.fetch())
    held = {d.name: d.sha256 for d in house.known.editions[0].documents}
    house.world["revision"] = 1
    assert house.fetch().is_nothing_new
    (edition,) = house.fetch(recheck_days=0).editions
    assert edition.replaces is not None
    assert {d.name for d in edition.documents} == set(held)
    changed = [d.name for d in edition.documents if d.sha256 != held[d.name]]
    assert changed == ["cobalt-mine-000000.json"]


def test_an_edition_that_did_not_reach_the_archive_is_brought_again(house: House) -> None:
    house.hold(house.fetch())
    house.world["revision"] = 1
    assert house.fetch(recheck_days=0).editions
    assert house.fetch().editions


@pytest.mark.parametrize("fault", ["duplicate", "lose"])
@pytest.mark.parametrize("offset", [0, 100])
def test_a_doubled_or_lost_feature_is_never_taken_for_whole(
    house: House, fault: str, offset: int
) -> None:
    house.world.update({"most_rows": 100, fault: offset})
    with pytest.raises(FetchFailed, match=r"came twice|came where"):
        house.fetch()
    del house.world[fault]
    assert house.fetch().editions


def test_a_commodity_that_was_renamed_is_said_to_be(house: House) -> None:
    with pytest.raises(FetchFailed, match=r"0 figures of 'Cobalt \(mine\)'") as failure:
        house.fetch(commodities=["Cobalt (mine)"])
    assert "commodity__bgs_wms" in str(failure.value)
