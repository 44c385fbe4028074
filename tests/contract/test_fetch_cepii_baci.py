"""Releases of BACI are found on the publisher's page or by name, and not brought twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog import Source, load_catalog
from pipelines.errors import FetchFailed, UsageError
from pipelines.sources.cepii_baci_fetch import BASE_URL, fetch
from pipelines.sources.fetching import FetchResult, HeldDocument, HeldEdition, Known
from tests.support.asking import ask, quick
from tests.support.server import Answer, Publisher, Request, file

PAGE = "/baci/doc/baci_webpage.html"
ZIP = "/baci/data/BACI_HS92_V202601.zip"
BODY = random.Random(1).randbytes(300_000)  # noqa: S311
NOTHING = Known()
TODAY = date(2026, 11, 1)
HTML = {"Content-Type": "text/html"}


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher() as server:
        yield server


@pytest.fixture
def source(publisher: Publisher) -> Source:
    """The catalogue's own entry, turned to loopback."""
    entry = load_catalog().source("cepii_baci")
    return entry.model_copy(update={"hosts": ("127.0.0.1",), "endpoint": publisher.url("/baci")})


def run(source: Source, into: Path, known: Known = NOTHING, **more: Any) -> FetchResult:
    options = {"today": TODAY, "revisions": ("HS92",)} | more
    return ask(lambda c: fetch(source, known, c, into, **options), settings=quick())


def links(*names: str) -> Answer:
    page = "".join(f'<a href="../data/{n}">{n}</a>' for n in names)
    return Answer(f"<html>{page}</html>".encode(), headers=HTML)


def held(**changes: Any) -> Known:
    document = HeldDocument(
        **({"name": "BACI_HS92_V202601.zip", "sha256": "0" * 64, "size_bytes": len(BODY)} | changes)
    )
    return Known((HeldEdition(label="HS92-V202601", documents=(document,)),))


def test_newest_release_that_the_page_links_to_is_brought(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    publisher.routes[PAGE] = links(
        "BACI_HS92_V202501.zip", "BACI_HS92_V202601.zip", "BACI_HS17_V202701.zip"
    )
    publisher.routes[ZIP] = file(BODY)
    result = run(source, tmp_path)
    (edition,) = result.editions
    assert (edition.label, edition.version_note) == ("HS92-V202601", "V202601")
    (document,) = edition.documents
    assert document.name == "BACI_HS92_V202601.zip"
    assert document.path.read_bytes() == BODY
    assert result.notes == ()


def test_correction_counts_as_newer(publisher: Publisher, source: Source, tmp_path: Path) -> None:
    publisher.routes[PAGE] = links("BACI_HS92_V202401b.zip", "BACI_HS92_V202401.zip")
    publisher.routes["/baci/data/BACI_HS92_V202401b.zip"] = file(BODY)
    (edition,) = run(source, tmp_path).editions
    assert edition.label == "HS92-V202401b"


@pytest.mark.parametrize("page", [None, links(), Answer(b"", 500)])
def test_without_the_page_a_release_is_looked_for_by_name(
    publisher: Publisher, source: Source, tmp_path: Path, page: Answer | None
) -> None:
    if page is not None:
        publisher.routes[PAGE] = page
    publisher.routes["/baci/data/BACI_HS92_V202501.zip"] = file(b"older")
    publisher.routes[ZIP] = file(BODY)
    result = run(source, tmp_path)
    assert [e.label for e in result.editions] == ["HS92-V202601"]
    assert len(result.notes) == 1


def test_without_the_page_nothing_older_is_brought_than_what_is_held(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    """A notice that hides the release for a night makes nobody bring the one before."""
    publisher.routes[PAGE] = Answer(b"", 500)
    publisher.routes[ZIP] = Answer(b"<p>Be back soon", headers=HTML)
    publisher.routes["/baci/data/BACI_HS92_V202501.zip"] = file(BODY)
    result = run(source, tmp_path, held())
    assert result.editions == ()
    [failure] = result.failures
    assert failure.label == "HS92-V202601"
    assert "nothing or a web page is there" in str(failure.error)


def test_release_of_last_year_is_found_in_early_january(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    publisher.routes[ZIP] = file(BODY)
    (edition,) = run(source, tmp_path, today=date(2027, 1, 3)).editions
    assert edition.label == "HS92-V202601"


def test_notice_page_with_status_200_is_not_a_release(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    publisher.routes["/baci/data/BACI_HS92_V202602.zip"] = Answer(b"<p>Not found", headers=HTML)
    publisher.routes[ZIP] = file(BODY)
    (edition,) = run(source, tmp_path).editions
    assert edition.label == "HS92-V202601"


@pytest.mark.parametrize(
    "changes",
    [
        {"etag": '"v1"'},
        {"last_modified": "Mon, 02 Feb 2026 02:40:00 GMT"},
        # Imported by hand: nothing but the size is known.
        {},
    ],
)
def test_release_that_is_held_is_not_brought_again(
    publisher: Publisher, source: Source, tmp_path: Path, changes: dict[str, str]
) -> None:
    publisher.routes[ZIP] = file(BODY, modified=1_770_000_000)
    result = run(source, tmp_path, held(**changes))
    assert result.is_nothing_new
    assert result.unchanged == ("HS92-V202601",)
    assert publisher.asked(ZIP, "GET") == []


def test_server_that_ignores_conditions_does_not_send_gigabytes_nightly(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    static = file(BODY)

    def careless(request: Request) -> Answer:
        return static(replace(request, headers={}))

    publisher.routes[ZIP] = careless
    assert run(source, tmp_path, held(etag='"v1"')).is_nothing_new
    assert publisher.asked(ZIP, "GET") == []


@pytest.mark.parametrize("changes", [{"etag": '"v0"'}, {"size_bytes": 5}])
def test_changed_bytes_of_a_release_are_brought_and_said(
    publisher: Publisher, source: Source, tmp_path: Path, changes: dict[str, Any]
) -> None:
    publisher.routes[ZIP] = file(BODY)
    known = held(**changes)
    (edition,) = run(source, tmp_path, known).editions
    assert edition.replaces == known.editions[0]


def test_new_release_comes_beside_the_old(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    publisher.routes["/baci/data/BACI_HS92_V202701.zip"] = file(BODY)
    publisher.routes[ZIP] = file(BODY)
    (edition,) = run(source, tmp_path, held(), today=date(2027, 2, 1)).editions
    assert edition.label == "HS92-V202701"
    assert edition.replaces is None


def test_broken_download_goes_on_where_it_stopped(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    publisher.routes[ZIP] = file(BODY, first=lambda a: replace(a, cut_after=200_000))
    (edition,) = run(source, tmp_path).editions
    assert edition.documents[0].path.read_bytes() == BODY
    assert "range" in publisher.asked(ZIP, "GET")[-1].headers


def test_several_revisions_and_a_named_release(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    for revision in ("HS92", "HS17"):
        publisher.routes[f"/baci/data/BACI_{revision}_V202501.zip"] = file(BODY)
    result = run(source, tmp_path, revisions=("HS92", "HS17", "HS22"), release="202501")
    assert [e.label for e in result.editions] == ["HS92-V202501", "HS17-V202501"]
    assert [f.label for f in result.failures] == ["HS22-V202501"]
    assert "does not offer" in str(result.failures[0].error)


def test_a_named_edition_is_asked_for_alone(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    publisher.routes[PAGE] = links("BACI_HS92_V202601.zip", "BACI_HS17_V202601.zip")
    publisher.routes["/baci/data/BACI_HS17_V202501.zip"] = file(BODY)
    result = run(source, tmp_path, editions=["HS17-V202501"])
    assert [e.label for e in result.editions] == ["HS17-V202501"]
    assert not result.failures
    with pytest.raises(UsageError, match="is not an HS revision"):
        run(source, tmp_path, editions=["2025"])


def test_revisions_that_the_warehouse_uses_are_asked_for_by_default(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    names = [f"BACI_{r}_V202601.zip" for r in ("HS92", "HS96", "HS02", "HS07", "HS12", "HS17")]
    publisher.routes[PAGE] = links(*names)
    for name in names:
        publisher.routes[f"/baci/data/{name}"] = file(BODY)
    result = ask(lambda c: fetch(source, NOTHING, c, tmp_path), settings=quick())
    assert [e.label for e in result.editions] == ["HS92-V202601", "HS02-V202601", "HS17-V202601"]


def test_nothing_found_is_a_failure_with_a_remedy(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    result = run(source, tmp_path)
    (failure,) = result.failures
    assert failure.label == "HS92"
    assert isinstance(failure.error, FetchFailed)
    assert "since 2024" in str(failure.error)
    assert failure.error.remedy


def test_server_in_trouble_is_not_taken_for_no_release(
    publisher: Publisher, source: Source, tmp_path: Path
) -> None:
    publisher.routes[PAGE] = links("BACI_HS92_V202601.zip")
    publisher.routes[ZIP] = Answer(b"", 503)
    (failure,) = run(source, tmp_path).failures
    assert "503" in str(failure.error)


@pytest.mark.parametrize("options", [{"revisions": ("HS1992",)}, {"release": "../2026"}])
def test_names_that_cepii_does_not_use_are_refused(
    publisher: Publisher, source: Source, tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        run(source, tmp_path, **options)
    assert publisher.requests == []


def test_catalogue_admits_the_publisher_s_address() -> None:
    entry = load_catalog().source("cepii_baci")
    assert BASE_URL.split("/")[2] in entry.hosts
    for edition in entry.editions:
        assert edition.url is None or edition.url.startswith(f"{BASE_URL}/data/")
        assert entry.label_from_name(str(edition.url)) == edition.label
        assert entry.last_day_of(edition.label) == date(2026, 1, 31)
    assert entry.last_day_of("HS92-V202401b") is None
