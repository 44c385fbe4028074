"""What the archive holds is found again, and publishers' names are made safe."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import FetchFailed
from pipelines.sources.fetching import (
    FetchFailure,
    FetchResult,
    HeldDocument,
    HeldEdition,
    Known,
    safe_file_name,
)

OLD = HeldDocument(name="a.csv", sha256="1" * 64, url="https://x/a.csv")
NEW = HeldDocument(name="a.csv", sha256="2" * 64, url="https://x/a.csv")


def test_last_edition_taken_in_counts() -> None:
    first, second = HeldEdition("2026", documents=(OLD,)), HeldEdition("2026", documents=(NEW,))
    known = Known((first, second))
    assert known.edition("2026") is second
    assert known.document("https://x/a.csv") is NEW


def test_versions_are_different_editions() -> None:
    known = Known((HeldEdition("2026", "2.0"),))
    assert known.edition("2026") is None
    assert known.edition("2026", "2.0") is not None


def test_reexpressed_editions_are_not_originals() -> None:
    known = Known((HeldEdition("2026", documents=(OLD,), is_reexpressed=True),))
    assert known.originals() == ()
    assert known.edition("2026") is None
    assert known.document("https://x/a.csv") is None


def test_document_is_found_by_name_or_address() -> None:
    edition = HeldEdition("2026", documents=(OLD,))
    assert edition.document(name="a.csv") is OLD
    assert edition.document(url="https://x/a.csv") is OLD
    assert edition.document(name="b.csv") is None
    assert edition.document() is None


def test_failure_is_not_nothing_new() -> None:
    now = datetime.now(UTC)
    assert FetchResult("x", now).is_nothing_new
    assert not FetchResult("x", now, failures=(FetchFailure("1", FetchFailed("e")),)).is_nothing_new


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("MCS2026_Commodities_Data.csv", "MCS2026_Commodities_Data.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\world.zip", "world.zip"),
        ("a\x00b\nc.csv", "a_b_c.csv"),
        ("..", "document"),
        ("", "document"),
        (".hidden", "hidden"),
        ("NUL.csv", "_NUL.csv"),
        ("6.4.%20Production.xlsx", "6.4._20Production.xlsx"),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    assert safe_file_name(name) == safe


def test_names_that_differ_in_case_only_stay_apart() -> None:
    other = safe_file_name("World.CSV", taken=["world.csv"])
    assert other.casefold() != "world.csv"
    assert other.endswith(".CSV")


@given(st.text(max_size=400), st.lists(st.text(max_size=20), max_size=3))
def test_every_name_is_one_short_component(name: str, taken: list[str]) -> None:
    safe = safe_file_name(name, taken=taken)
    assert safe not in ("", ".", "..")
    assert not set(safe) & set('/\\\x00\n\r:*?"<>|')
    assert len(safe.encode()) <= 200
    assert safe.casefold() not in {t.casefold() for t in taken}
    assert safe_file_name(name, taken=taken) == safe


def test_held_document_goes_into_a_new_edition_as_it_was_brought(tmp_path: Path) -> None:
    path = tmp_path / "a"
    at = datetime(2026, 3, 1, tzinfo=UTC)
    held = HeldDocument(
        name="a.csv",
        sha256="1" * 64,
        url="https://x/a.csv",
        size_bytes=3,
        md5="2" * 32,
        etag='"v1"',
        last_modified="Sun, 01 Mar 2026 00:00:00 GMT",
        path=path,
        retrieved_at=at,
    )
    again = held.again()
    assert (again.name, again.path, again.url) == ("a.csv", path, "https://x/a.csv")
    assert (again.sha256, again.md5, again.size_bytes) == ("1" * 64, "2" * 32, 3)
    assert (again.etag, again.last_modified) == ('"v1"', "Sun, 01 Mar 2026 00:00:00 GMT")
    assert again.retrieved_at == at


def test_held_document_of_which_nobody_said_where_it_lies_cannot_be_brought_again() -> None:
    with pytest.raises(ValueError, match=r"nobody said where a\.csv lies"):
        OLD.again()
