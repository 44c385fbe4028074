"""The emulated ScienceBase answers as the publisher's stored answer does, and pages as it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines.catalog import load_catalog
from pipelines.sources.fetching import FetchResult, Known
from pipelines.sources.usgs_mcs.fetch import _TITLE, PARENT_ID, fetch
from tests.emulator.app import Emulator
from tests.emulator.serving import serving
from tests.support.asking import ask, quick

SOURCE = load_catalog().source("usgs_mcs")
YEARS = ["2023", "2024", "2025", "2026"]


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(only=("usgs_mcs",))


@pytest.fixture
def address(emulator: Emulator) -> Iterator[str]:
    with serving(emulator) as base:
        yield base


def listing(address: str, **more: int) -> dict[str, Any]:
    query = {"parentId": PARENT_ID, "fields": "title,id", "format": "json", **more}
    with httpx.Client(trust_env=False) as client:
        answer = client.get(f"{address}/www.sciencebase.gov/catalog/items", params=query)
    return answer.json()  # type: ignore[no-any-return]


def releases(entries: list[dict[str, str]]) -> dict[str, str]:
    """Id to title, of the entries that are data releases of the summaries."""
    return {e["id"]: e["title"] for e in entries if _TITLE.fullmatch(e["title"])}


@pytest.mark.reference
def test_listing_has_the_form_and_the_titles_of_the_stored_answer(
    address: str, reference_data: Path
) -> None:
    stored = reference_data / "production" / "samples" / "sciencebase_parent_listing.json"
    real = json.loads(stored.read_text(encoding="utf-8"))
    ours = listing(address)
    assert set(ours) == set(real)
    assert {k: type(v) for k, v in ours.items()} == {k: type(v) for k, v in real.items()}
    assert {frozenset(e) for e in ours["items"]} == {frozenset(e) for e in real["items"]}
    assert ours["total"] == len(ours["items"])
    # Releases stand among other items of the parent in both, under the same names.
    assert len(releases(ours["items"])) < ours["total"]
    assert releases(ours["items"]).items() <= releases(real["items"]).items()


def test_pages_name_the_next_and_add_up(address: str, emulator: Emulator) -> None:
    emulator.world["usgs_mcs"]["longest_page"] = 3
    found: list[str] = []
    while True:
        page = listing(address, offset=len(found), max=100)
        found += [e["id"] for e in page["items"]]
        assert ("nextlink" in page) == (len(found) < page["total"])
        if "nextlink" not in page:
            break
        assert f"offset={len(found)}" in page["nextlink"]["url"]
    assert len(set(found)) == page["total"]


def run(address: str, into: Path) -> FetchResult:
    return ask(
        lambda c: fetch(SOURCE, Known(), c, into),
        hosts=SOURCE.hosts,
        settings=quick(mirror=address),
    )


def test_releases_are_found_over_short_pages(
    address: str, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.world["usgs_mcs"]["longest_page"] = 2
    result = run(address, tmp_path)
    assert [(e.label, e.version) for e in result.editions] == [
        (year, known.version) for year in YEARS if (known := SOURCE.known(year)) is not None
    ]
    assert [e.published for e in result.editions] == [
        known.published for year in YEARS if (known := SOURCE.known(year)) is not None
    ]


def test_a_new_version_appears_when_the_title_changes(
    address: str, emulator: Emulator, tmp_path: Path
) -> None:
    item = "696a75d5d4be0228872d3bf8"
    emulator.world["usgs_mcs"]["titles"][item] = (
        "Mineral Commodity Summaries 2026 Data Release (ver. 2.0, March 2026)"
    )
    newest = run(address, tmp_path).editions[-1]
    assert (newest.label, newest.version) == ("2026", "2.0")
