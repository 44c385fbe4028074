"""Whatever is imported in whatever order, bytes are stored once and raw follows the archive."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipelines.sources
from pipelines.ingest import ingest_documents, refresh_raw
from tests.support.house import PRODUCTION, House, make_house

IMPORTS = st.lists(
    st.tuples(
        st.sampled_from(["2024", "2025", "2026", "free text"]),
        st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=2, unique=True),
    ),
    min_size=1,
    max_size=5,
)
#: Invented documents: two that agree, a small one that drifts, and one that cannot be read.
ROWS = {0: (40, 1.0), 1: (40, 2.0), 2: (3, 5.0)}


@contextmanager
def fresh_house() -> Iterator[House]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        house = make_house(Path(folder))
        patch.setattr(
            pipelines.sources, "__path__", [*pipelines.sources.__path__, str(house.readers)]
        )
        house.forget_readers()
        yield house
        house.forget_readers()


def path(house: House, number: int) -> Path:
    if number not in ROWS:
        return house.write(f"{number}.csv", "something else\n")
    rows, first = ROWS[number]
    text = [f"Country {number * 100 + n},tin,{first}" for n in range(rows)]
    return house.write(f"{number}.csv", "\n".join(["country,commodity,value", *text]))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(IMPORTS)
def test_bytes_are_stored_once_and_refusals_change_nothing(
    imports: list[tuple[str, list[int]]],
) -> None:
    with fresh_house() as house:
        for label, numbers in imports:
            before = house.archive.editions()
            result = ingest_documents(
                house.settings,
                house.catalog,
                "toy_mine",
                [path(house, n) for n in numbers],
                label=label,
            )
            after = house.archive.editions()
            assert result.changed == (len(after) == len(before) + 1)
            assert [e for e in after if e in before] == before
            assert (result.refused is None) == any(
                {d.sha256 for d in house.archive.documents(e)} >= hashes(house, numbers)
                for e in after
                if e.edition.label == label
            )

        editions = house.archive.editions()
        stored = [p.name for p in (house.archive.root / "blobs").rglob("*") if p.is_file()]
        assert sorted(stored) == sorted({d.sha256 for e in editions for d in e.documents})
        assert house.archive.verify() == []
        assert len({e.edition_id for e in editions}) == len(editions)
        rows = house.rows(PRODUCTION)
        assert rows.height == sum(e.summary.rows for e in editions)
        assert set(rows.get_column("source_edition_id")) == {e.edition_id for e in editions}
        assert refresh_raw(house.settings, house.catalog) == []


def hashes(house: House, numbers: list[int]) -> set[str]:
    return {hashlib.sha256(path(house, n).read_bytes()).hexdigest() for n in numbers}
