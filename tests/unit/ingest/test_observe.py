"""Observing a source: a publisher that fails is an observation, not an error of the night."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import pipelines.sources
from pipelines.errors import FetchFailed, KeyMissing, UsageError
from pipelines.ingest.visits import read_visit
from pipelines.night import asks_by, fetch_options, observe
from pipelines.sources import load_source
from pipelines.sources.allowance import Allowance


@pytest.fixture
def fetching(house, monkeypatch):
    """Gives ``toy_mine`` a fetch that does what a test says."""

    def give(fetch):
        monkeypatch.setattr(load_source("toy_mine"), "fetch", fetch, raising=False)
        source = house.catalog.source("toy_mine").model_copy(update={"hosts": ("127.0.0.1",)})
        return type(house.catalog)(sources={**house.catalog.sources, "toy_mine": source})

    return give


def _failing(error):
    async def fetch(source, known, client, into):
        raise error

    return fetch


def test_unreachable_publisher_leaves_what_is_held(house, fetching):
    from pipelines.ingest import ingest_documents

    ingest_documents(
        house.settings, house.catalog, "toy_mine", [house.document("toy_2025.csv")], label="2025"
    )
    catalog = fetching(_failing(FetchFailed("silent for too long", where="https://x.example")))
    seen = observe(house.settings, catalog, "toy_mine", live=True)
    assert [r.edition_id for r in seen.results] == ["toy_mine-2025-v2.0"]
    assert isinstance(seen.error, FetchFailed)
    assert seen.is_asked
    assert not seen.is_changed
    visit = read_visit(house.settings, "toy_mine")
    assert visit is not None
    assert visit.failing_since is not None
    assert "silent for too long" in (visit.error or "")


def test_missing_key_is_no_failure(house, fetching):
    catalog = fetching(_failing(KeyMissing("cannot be asked without a key")))
    seen = observe(house.settings, catalog, "toy_mine", live=True)
    assert isinstance(seen.error, KeyMissing)
    assert not seen.is_asked
    assert read_visit(house.settings, "toy_mine") is None


def test_a_quota_that_is_used_up_is_no_failure(house, fetching):
    from pipelines.ingest.visits import stale_sources
    from pipelines.sources.allowance import QuotaSpent
    from pipelines.sources.fetching import FetchFailure, FetchResult

    spent = QuotaSpent("today's 500 requests are used up")

    async def fetch(source, known, client, into):
        failures = (FetchFailure("2019", spent),)
        return FetchResult("toy_mine", datetime.now(UTC), failures=failures)

    for catalog in (fetching(fetch), fetching(_failing(spent))):
        seen = observe(house.settings, catalog, "toy_mine", live=True)
        assert all(r.is_put_off for r in seen.results)
        visit = read_visit(house.settings, "toy_mine")
        assert visit is not None
        assert visit.is_reached
        assert visit.failing_since is None
        assert stale_sources(house.settings, catalog) == {}


def test_not_live_asks_nobody(house, fetching):
    catalog = fetching(_failing(AssertionError("asked")))
    seen = observe(house.settings, catalog, "toy_mine", live=False)
    assert seen.error is None
    assert not seen.is_asked


def test_digest_changes_exactly_when_editions_do(house):
    from pipelines.ingest import ingest_documents

    def digest():
        return observe(house.settings, house.catalog, "toy_mine", live=False).digest

    empty = digest()
    assert digest() == empty
    ingest_documents(
        house.settings, house.catalog, "toy_mine", [house.document("toy_2025.csv")], label="2025"
    )
    held = digest()
    assert held != empty
    assert digest() == held


def test_a_publisher_is_asked_by_what_its_fetch_takes(house, fetching):
    async def by_year(source, known, client, into, *, years=None):
        raise NotImplementedError

    fetching(by_year)
    assert asks_by("toy_mine") == "years"
    source = house.catalog.source("toy_mine")
    allowance = Allowance(house.settings.fetch_dir / "requests.json", None)
    assert fetch_options(house.settings, source, allowance, years=[2019]) == {"years": [2019]}
    with pytest.raises(UsageError, match="cannot be asked for single editions"):
        fetch_options(house.settings, source, allowance, editions=["2019"])


def test_an_option_that_a_source_does_not_know_is_refused_by_name(house, fetching):
    async def plain(source, known, client, into, *, codes=()):
        raise NotImplementedError

    fetching(plain)
    settings = house.settings.model_copy(update={"fetch": {"toy_mine": {"kodes": ["1"]}}})
    allowance = Allowance(settings.fetch_dir / "requests.json", None)
    with pytest.raises(UsageError, match=r"'kodes'.*may hold: codes"):
        fetch_options(settings, house.catalog.source("toy_mine"), allowance)


def test_readers_that_cannot_be_asked_have_no_backfill(house):
    assert pipelines.sources is not None
    assert asks_by("toy_mine") is None


def test_of_an_undated_extract_only_the_last_revision_is_built(house):
    from pipelines.ingest import ingest_documents
    from pipelines.night import prepare_build

    def bring(source_id, name, text, **words):
        path = house.write(name, text)
        return ingest_documents(house.settings, house.catalog, source_id, [path], **words)

    bring("toy_bulk", "a.csv", "280530,1\n", label="2024")
    bring("toy_bulk", "b.csv", "280530,2\n", label="2024")
    bring("toy_mine", "toy_2024.csv", house.document("x.csv").read_text("utf-8"), label="2024")
    plan = prepare_build(house.settings, house.catalog)
    assert [e for e in plan.edition_ids if e.startswith("toy_bulk")] == ["toy_bulk-2024-vr2"]
    held = {e.edition_id for e in house.archive.editions("toy_bulk")}
    assert held == {"toy_bulk-2024", "toy_bulk-2024-vr2"}, "the archive keeps both"
