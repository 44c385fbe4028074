"""Workbooks of the yearbook are found by link or by name, and not brought twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog import load_catalog
from pipelines.sources.fetching import FetchedEdition, FetchResult, HeldDocument, HeldEdition, Known
from pipelines.sources.usgs_myb.fetch import FILES_URL, fetch
from tests.emulator.app import Emulator
from tests.emulator.serving import serving
from tests.support.asking import ask, quick

SOURCE = load_catalog().source("usgs_myb")
TODAY = date(2026, 11, 25)
BOTH = ["2022", "ds140-2020"]


class Survey:
    """The emulated publisher."""

    def __init__(self, emulator: Emulator, address: str) -> None:
        self.emulator = emulator
        self.address = address

    @property
    def world(self) -> dict[str, Any]:
        return self.emulator.world["usgs_myb"]

    @property
    def files(self) -> dict[str, bytes]:
        return self.world["files"]  # type: ignore[no-any-return]

    def fetch(self, into: Path, known: Known | None = None, **options: Any) -> FetchResult:
        chosen = {"today": TODAY} | options
        return ask(
            lambda c: fetch(SOURCE, known or Known(), c, into, **chosen),
            hosts=SOURCE.hosts,
            settings=quick(mirror=self.address),
        )


@pytest.fixture
def survey() -> Iterator[Survey]:
    emulator = Emulator(only=("usgs_myb",))
    with serving(emulator) as address:
        yield Survey(emulator, address)


def held(*editions: FetchedEdition) -> Known:
    return Known(
        tuple(
            HeldEdition(
                e.label,
                e.version,
                tuple(
                    HeldDocument(d.name, d.sha256, d.url, d.size_bytes, d.md5, d.etag)
                    for d in e.documents
                ),
            )
            for e in editions
        )
    )


def labels(result: FetchResult) -> list[str]:
    return [e.label for e in result.editions]


def test_known_editions_come_with_the_day_of_the_catalogue(survey: Survey, tmp_path: Path) -> None:
    result = survey.fetch(tmp_path)
    assert labels(result) == BOTH
    yearbook, historical = result.editions
    assert yearbook.published == date(2025, 3, 19)
    assert historical.published == date(2023, 9, 27)
    assert [d.name for d in yearbook.documents] == ["myb1-2022-raree-ert.xlsx"]
    assert yearbook.documents[0].url == f"{survey.address}/{FILES_URL[8:]}/myb1-2022-raree-ert.xlsx"


def test_nothing_new_is_a_request_a_workbook_and_the_page(survey: Survey, tmp_path: Path) -> None:
    first = survey.fetch(tmp_path / "a")
    survey.emulator.requests.clear()
    result = survey.fetch(tmp_path / "b", held(*first.editions))
    assert result.is_nothing_new
    assert list(result.unchanged) == BOTH
    assert len(survey.emulator.requests) == 3
    assert not [p for p in tmp_path.glob("b/**/*") if p.is_file()]


def test_workbook_that_the_page_links_to_is_brought(survey: Survey, tmp_path: Path) -> None:
    survey.files["myb1-2023-raree-ert.xlsx"] = b"new"
    result = survey.fetch(tmp_path)
    assert labels(result) == ["2022", "2023", "ds140-2020"]
    # The catalogue does not know it: by the day on which it was laid on the server it was public.
    assert result.editions[1].published == date(2025, 3, 19)
    assert result.notes == ()


def test_final_tables_take_the_place_of_the_advance_release(survey: Survey, tmp_path: Path) -> None:
    (first, *_) = survey.fetch(tmp_path / "a").editions
    survey.files["myb1-2022-raree.xlsx"] = b"final"
    known = held(first)
    result = survey.fetch(tmp_path / "b", known, editions=["2022"])
    (final,) = result.editions
    assert [d.name for d in final.documents] == ["myb1-2022-raree.xlsx"]
    assert final.replaces == known.editions[0]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("myb1-2023-raree-ert.xlsx", "2023"),
        ("myb1-2024-raree-ERT.xlsx", "2024"),
        ("myb1-2023-raree.xlsx", "2023"),
        ("ds140-rare-earths-2022.xlsx", "ds140-2022"),
    ],
)
def test_without_the_page_newer_workbooks_are_looked_for_by_name(
    survey: Survey, tmp_path: Path, name: str, label: str
) -> None:
    survey.world["has_page"] = False
    survey.files[name] = b"new"
    result = survey.fetch(tmp_path)
    assert set(labels(result)) == {*BOTH, label}
    assert len(result.notes) == 1
    assert "looked for by name" in result.notes[0]
    assert len(survey.emulator.requests) <= 12


def test_missing_name_that_the_server_calls_forbidden_is_no_error(
    survey: Survey, tmp_path: Path
) -> None:
    survey.world["has_page"] = False
    result = survey.fetch(tmp_path)
    assert labels(result) == BOTH
    assert result.failures == ()


def test_one_workbook_that_is_gone_does_not_hold_up_the_other(
    survey: Survey, tmp_path: Path
) -> None:
    del survey.files["ds140-rare-earths-2020.xlsx"]
    result = survey.fetch(tmp_path)
    assert labels(result) == ["2022"]
    (failure,) = result.failures
    assert failure.label == "ds140-2020"
    assert "403" in str(failure.error)


def test_single_editions_can_be_asked_for(survey: Survey, tmp_path: Path) -> None:
    result = survey.fetch(tmp_path, editions=["ds140-2020", "1999"])
    assert labels(result) == ["ds140-2020"]
    assert result.notes == ("1999: not offered",)


def test_catalogue_admits_the_publisher_s_addresses() -> None:
    assert FILES_URL.split("/")[2] in SOURCE.hosts
    assert SOURCE.homepage.split("/")[2] in SOURCE.hosts
    for edition in SOURCE.editions:
        assert edition.url is not None
        assert edition.url.rpartition("/")[0] == FILES_URL
        assert SOURCE.label_from_name(edition.url) == edition.label
