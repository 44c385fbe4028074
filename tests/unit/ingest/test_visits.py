"""How visits are remembered, and when a source counts as stale."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from pipelines.catalog import Catalog
from pipelines.ingest import ingest_documents
from pipelines.ingest.visits import read_visit, record_visit, stale_sources

DAY = datetime(2026, 11, 20, 2, tzinfo=UTC)


def _with_beat(catalog: Catalog, days: int) -> Catalog:
    source = catalog.source("toy_mine").model_copy(update={"stale_after_days": days})
    return Catalog(sources={**catalog.sources, "toy_mine": source})


def test_a_row_of_failures_keeps_its_first_day(house):
    first = record_visit(
        house.settings, "toy_mine", is_reached=False, is_changed=False, error="silent", now=DAY
    )
    second = record_visit(
        house.settings,
        "toy_mine",
        is_reached=False,
        is_changed=False,
        error="still silent",
        now=DAY + timedelta(days=1),
    )
    assert first.failing_since == second.failing_since == DAY
    assert stale_sources(house.settings, house.catalog) == {
        "toy_mine": "failing since 2026-11-20: still silent"
    }


def test_an_answer_ends_the_row_and_a_change_is_dated(house):
    record_visit(
        house.settings, "toy_mine", is_reached=False, is_changed=False, error="silent", now=DAY
    )
    later = DAY + timedelta(days=1)
    record_visit(house.settings, "toy_mine", is_reached=True, is_changed=True, now=later)
    visit = record_visit(
        house.settings, "toy_mine", is_reached=True, is_changed=False, now=later + timedelta(days=1)
    )
    assert visit.failing_since is None
    assert visit.changed_at == later
    assert stale_sources(house.settings, house.catalog) == {}


def test_a_source_that_keeps_its_beat_is_not_stale_and_one_that_does_not_is(house):
    document = house.document("toy_2025.csv")
    ingest_documents(
        house.settings,
        house.catalog,
        "toy_mine",
        [document],
        label="2025",
        published=date(2025, 11, 1),
    )
    catalog = _with_beat(house.catalog, 400)
    assert stale_sources(house.settings, catalog, today=date(2026, 12, 6)) == {}
    told = stale_sources(house.settings, catalog, today=date(2026, 12, 7))
    assert "nothing new for 401 days" in told["toy_mine"]
    assert "2025-11-01" in told["toy_mine"]


def test_what_nobody_asked_and_nobody_holds_is_not_told_of(house):
    assert stale_sources(house.settings, _with_beat(house.catalog, 1)) == {}


def test_a_damaged_record_counts_as_no_visit(house):
    record_visit(house.settings, "toy_mine", is_reached=True, is_changed=True, now=DAY)
    (house.settings.fetch_dir / "toy_mine" / "visit.json").write_text("{", encoding="utf-8")
    assert read_visit(house.settings, "toy_mine") is None
