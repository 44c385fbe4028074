"""Raw tables follow the archive and the readers."""

from __future__ import annotations

import shutil

import pytest

from pipelines.archive.profile import RawState
from pipelines.ingest import ingest_documents, refresh_raw
from tests.support.house import PRODUCTION, House

EDITION = "toy_mine-2025-v2.0"


@pytest.fixture
def filled(house: House) -> House:
    for name, first in (("toy_2025.csv", 1.0), ("toy_2026.csv", 2.0)):
        ingest_documents(
            house.settings, house.catalog, "toy_mine", [house.document(name, first=first)]
        )
    return house


def test_nothing_is_done_where_nothing_changed(filled: House) -> None:
    before = filled.tree()

    assert refresh_raw(filled.settings, filled.catalog) == []
    assert filled.tree() == before


def test_raw_is_rebuilt_from_the_archive_bit_for_bit(filled: House) -> None:
    before = filled.tree()
    shutil.rmtree(filled.settings.raw_dir)

    results = refresh_raw(filled.settings, filled.catalog)

    assert [(r.edition_id, r.rows, r.changed) for r in results] == [
        (EDITION, 40, True),
        ("toy_mine-2026", 40, True),
    ]
    assert filled.tree() == before


def test_one_missing_table_is_written_again(filled: House) -> None:
    (filled.settings.raw_dir / PRODUCTION / f"{EDITION}.parquet").unlink()

    assert [r.edition_id for r in refresh_raw(filled.settings, filled.catalog)] == [EDITION]
    assert filled.rows(PRODUCTION).height == 80


def test_another_reader_reads_everything_again(filled: House) -> None:
    filled.change_reader("toy_mine", '"column_name": "value"', '"column_name": "tonnes"')

    results = refresh_raw(filled.settings, filled.catalog)

    assert [r.changed for r in results] == [True, True]
    assert set(filled.rows(PRODUCTION).get_column("column_name")) == {"tonnes"}
    assert refresh_raw(filled.settings, filled.catalog) == []


def test_a_reader_that_refuses_leaves_the_last_good_rows_and_says_so_each_time(
    filled: House,
) -> None:
    filled.change_reader("toy_mine", "range(500)", "range(500) if n != 3")
    before = filled.rows(PRODUCTION)

    for _ in range(2):
        results = refresh_raw(filled.settings, filled.catalog)
        assert [r.changed for r in results] == [False, False]
        assert all("unknown country 'Country 3'" in str(r.refused) for r in results)
        assert all("the rows of the earlier reader stay" in r.notes for r in results)
        assert filled.rows(PRODUCTION).equals(before)

    filled.change_reader("toy_mine", "range(500) if n != 3", "range(501)")
    assert [r.changed for r in refresh_raw(filled.settings, filled.catalog)] == [True, True]
    state = RawState.read(filled.settings.raw_dir, EDITION)
    assert state is not None
    assert state.failed is None


def test_one_refusal_does_not_stop_the_others(filled: House) -> None:
    filled.change_reader("toy_mine", '"BOOM" in text', '",1.0" in text')

    results = refresh_raw(filled.settings, filled.catalog)

    assert [(r.edition_id, r.changed) for r in results] == [
        (EDITION, False),
        ("toy_mine-2026", True),
    ]


def test_without_rows_to_fall_back_on_an_edition_is_refused_until_mended(filled: House) -> None:
    filled.change_reader("toy_mine", "range(500)", "range(3)")
    shutil.rmtree(filled.settings.raw_dir)

    for _ in range(2):
        results = refresh_raw(filled.settings, filled.catalog)
        assert [r.notes for r in results] == [("its rows are missing",)] * 2
        assert filled.rows(PRODUCTION).is_empty()

    filled.change_reader("toy_mine", "range(3)", "range(500)")
    assert [r.rows for r in refresh_raw(filled.settings, filled.catalog)] == [40, 40]


def test_damaged_bytes_are_not_read(filled: House) -> None:
    [document] = filled.archive.documents(filled.archive.editions()[0])
    document.path.chmod(0o644)
    document.path.write_text(document.path.read_text().replace(",1.0", ",9.0"))
    shutil.rmtree(filled.settings.raw_dir)

    bad, good = refresh_raw(filled.settings, filled.catalog)

    assert "no longer match their hash" in str(bad.refused)
    assert good.changed
    ingest_documents(
        filled.settings, filled.catalog, "toy_mine", [filled.document("toy_2025.csv", first=1.0)]
    )
    assert filled.rows(PRODUCTION).height == 80
    assert filled.archive.verify() == []


def test_rows_of_editions_that_the_archive_does_not_hold_go(filled: House) -> None:
    folder = filled.settings.raw_dir / PRODUCTION
    shutil.copy(folder / f"{EDITION}.parquet", folder / "toy_mine-1999.parquet")
    (folder / ".toy_mine-1999.x.tmp").write_bytes(b"unfinished")

    assert refresh_raw(filled.settings, filled.catalog) == []
    assert sorted(p.name for p in folder.iterdir()) == [
        "_schema.parquet",
        f"{EDITION}.parquet",
        "toy_mine-2026.parquet",
    ]


def test_only_the_sources_asked_for_are_looked_at(filled: House) -> None:
    shutil.rmtree(filled.settings.raw_dir)

    assert refresh_raw(filled.settings, filled.catalog, ["toy_bulk"]) == []
    assert len(refresh_raw(filled.settings, filled.catalog, ["toy_mine"])) == 2
