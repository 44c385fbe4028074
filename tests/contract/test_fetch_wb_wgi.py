"""The World Bank's interface is asked once a night, and believed only where its pages agree."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.errors import FetchFailed, UsageError
from pipelines.sources import wb_wgi
from pipelines.sources.base import Document
from pipelines.sources.fetching import FetchedEdition, FetchResult, HeldDocument, HeldEdition, Known
from pipelines.sources.wb_wgi_fetch import fetch
from tests.emulator.app import Emulator
from tests.emulator.serving import serving
from tests.support.asking import ask, quick

SOURCE = load_catalog().source("wb_wgi")
HOST = "api.worldbank.org"


class Bank:
    """The emulated interface."""

    def __init__(self, emulator: Emulator, address: str) -> None:
        self.emulator = emulator
        self.address = address

    @property
    def world(self) -> dict[str, Any]:
        return self.emulator.world["wb_wgi"]

    def fetch(self, into: Path, known: Known | None = None, **options: Any) -> FetchResult:
        return ask(
            lambda c: fetch(SOURCE, known or Known(), c, into, **options),
            hosts=SOURCE.hosts,
            settings=quick(mirror=self.address),
        )


@pytest.fixture(scope="module")
def served() -> Iterator[Bank]:
    emulator = Emulator(only=("wb_wgi",))
    with serving(emulator) as address:
        yield Bank(emulator, address)


@pytest.fixture
def bank(served: Bank) -> Iterator[Bank]:
    before = dict(served.world)
    served.emulator.requests.clear()
    yield served
    served.world.update(before)


def held(edition: FetchedEdition) -> Known:
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
    return Known((HeldEdition(edition.label, edition.version, documents),))


def test_update_is_named_by_the_year_after_its_last(bank: Bank, tmp_path: Path) -> None:
    result = bank.fetch(tmp_path)
    (edition,) = result.editions
    assert (edition.label, edition.version, edition.published) == ("2024", None, date(2024, 11, 7))
    assert [d.name for d in edition.documents] == [
        f"GOV_WGI_{i}.EST-p1.json" for i in ("CC", "GE", "PV", "RL", "RQ", "VA")
    ]
    assert all("source=3" in d.url for d in edition.documents)
    # What the publisher does not have is said, and does not hold up the rest.
    assert len(result.notes) == 30
    assert "GOV_WGI_CC.SE" in result.notes[0]
    assert "error 120" in result.notes[0]


def test_nothing_new_is_one_request(bank: Bank, tmp_path: Path) -> None:
    (edition,) = bank.fetch(tmp_path / "a", kinds=["EST"]).editions
    bank.emulator.requests.clear()
    result = bank.fetch(tmp_path / "b", held(edition))
    assert result.is_nothing_new
    assert result.unchanged == ("2024",)
    (only,) = bank.emulator.requests
    assert only.query["per_page"] == "1"
    assert not (tmp_path / "b").exists()


def test_a_later_load_of_the_same_update_replaces_it_on_its_own_day(
    bank: Bank, tmp_path: Path
) -> None:
    (edition,) = bank.fetch(tmp_path / "a", kinds=["EST"]).editions
    known = held(edition)
    bank.world["lastupdated"] = "2025-03-18"
    (later,) = bank.fetch(tmp_path / "b", known, kinds=["EST"]).editions
    assert (later.label, later.published) == ("2024", date(2025, 3, 18))
    assert later.replaces == known.editions[0]


def test_no_vintage_knows_the_figures_before_the_catalogue_does(bank: Bank, tmp_path: Path) -> None:
    bank.world["lastupdated"] = "2024-10-01"
    (edition,) = bank.fetch(tmp_path, kinds=["EST"]).editions
    assert edition.published == date(2024, 11, 7)


def test_pages_that_are_cut_are_put_together(bank: Bank, tmp_path: Path) -> None:
    bank.world["longest_page"] = 700
    (edition,) = bank.fetch(tmp_path, kinds=["EST"]).editions
    assert len(edition.documents) == 6 * 4
    documents = [Document(d.name, d.path, d.sha256) for d in edition.documents]
    table = wb_wgi.parse(SOURCE.edition("2024"), documents).tables[wb_wgi.ESTIMATE]
    assert table.height == 6 * 214 * 13
    assert table.get_column("measure").unique().to_list() == ["estimate"]
    taiwan = table.filter(pl.col("country_text") == "Taiwan, China")
    assert taiwan.height == 6 * 13


def doubled(number: int, body: Any) -> Any:
    return [body[0] | {"page": 1}, body[1]] if number == 2 else body


def first_again(number: int, body: Any) -> Any:
    """The second page has the rows of the first, under its own number."""
    if number == 1:
        first_again.rows = body[1]  # type: ignore[attr-defined]
        return body
    return [body[0], first_again.rows] if number == 2 else body  # type: ignore[attr-defined]


def other_total(number: int, body: Any) -> Any:
    return [body[0] | {"total": body[0]["total"] + 1}, body[1]] if number == 2 else body


def loaded_meanwhile(number: int, body: Any) -> Any:
    return [body[0] | {"lastupdated": "2025-01-01"}, body[1]] if number == 2 else body


def short(number: int, body: Any) -> Any:
    return [body[0], body[1][:-1]] if number == 3 else body


def error(number: int, body: Any) -> Any:
    return [{"message": [{"id": "105", "key": "Service", "value": "temporarily out"}]}]


def nothing(number: int, body: Any) -> Any:
    return [body[0], None]


def unknown(number: int, body: Any) -> Any:
    return [{"message": [{"id": "120", "key": "Invalid value", "value": "not valid"}]}]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (doubled, "page 2 is missing"),
        (first_again, "stands twice"),
        (other_total, "do not agree on the total"),
        (loaded_meanwhile, "do not agree on the day of the last update"),
        (short, "rows came of"),
    ],
)
def test_pages_that_are_not_one_whole_bring_nothing(
    bank: Bank, tmp_path: Path, spoil: Callable[[int, Any], Any], said: str
) -> None:
    bank.world["longest_page"] = 700

    def later(number: int, body: Any) -> Any:
        return body if len(bank.emulator.requests) == 1 else spoil(number, copy.deepcopy(body))

    bank.world["spoil"] = later
    result = bank.fetch(tmp_path, kinds=["EST"])
    assert result.editions == ()
    (failure,) = result.failures
    assert said in str(failure.error)
    assert failure.error.remedy


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(error, "error 105: Service temporarily out"), (unknown, "error 120")],
)
def test_error_under_status_200_is_a_failure(
    bank: Bank, tmp_path: Path, spoil: Callable[[int, Any], Any], said: str
) -> None:
    bank.world["spoil"] = spoil
    with pytest.raises(FetchFailed, match=said):
        bank.fetch(tmp_path)


def test_required_series_that_fails_later_brings_nothing(bank: Bank, tmp_path: Path) -> None:
    def later(number: int, body: Any) -> Any:
        return body if len(bank.emulator.requests) < 4 else unknown(number, body)

    bank.world["spoil"] = later
    result = bank.fetch(tmp_path, kinds=["EST"])
    assert result.editions == ()
    assert "error 120" in str(result.failures[0].error)


def test_database_without_rows_is_a_failure(bank: Bank, tmp_path: Path) -> None:
    bank.world["spoil"] = lambda number, body: (
        body if len(bank.emulator.requests) == 1 else nothing(number, body)
    )
    assert bank.fetch(tmp_path, kinds=["EST"]).failures


@pytest.mark.parametrize("kinds", [["SE"], ["EST", "PER.RNK"], []])
def test_kinds_that_are_none_are_refused(bank: Bank, tmp_path: Path, kinds: list[str]) -> None:
    with pytest.raises(UsageError):
        bank.fetch(tmp_path, kinds=kinds)
    assert bank.emulator.requests == []


def test_catalogue_admits_the_publisher_s_address() -> None:
    assert HOST in SOURCE.hosts
