"""A whole night against the emulator: every publisher in the release, and nothing for nothing.

Where the starter holds the publisher, the emulator serves the same figures in the form of its
interface, so that facts must come out equal, whichever way they came.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from pipelines.catalog import Redistribution, load_catalog
from pipelines.night import can_fetch
from pipelines.settings import PROJECT_ROOT
from tests.emulator.app import Emulator, publisher_modules
from tests.emulator.serving import serving
from tests.integration.conftest import monazite

pytestmark = [pytest.mark.exhaustive, pytest.mark.xdist_group("starter")]

#: Facts of measured documents and of BACI; the others hold publishers outside the starter as well.
FACTS = (
    "fct_production",
    "fct_price",
    "fct_supply_balance",
    "fct_trade_flow",
)
#: What tells a document, not a figure: an interface gives other documents than a download.
_IDENTITY = {"cell_id", "cell_ids", "document_name", "document_sha256", "row_number", "sheet"}
_STARTER = {
    path.name for path in (PROJECT_ROOT / "starter").glob("*") if any(path.glob("*/edition.yml"))
}


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    home = tmp_path_factory.mktemp("live")
    emulator = Emulator()
    with serving(emulator) as base:
        settings = {
            "MONAZITE_HTTP_MIRROR": base,
            "MONAZITE_HTTP_SPACING_SECONDS": "0",
            "MONAZITE_HTTP_WAIT_INITIAL_SECONDS": "0.05",
            **{
                f"MONAZITE_KEY_{source.source_id.upper()}": "emulated-key-of-the-test"
                for source in load_catalog().sources.values()
                if source.api.key is not None
            },
        }
        first = monazite("run", "--live", home=home, timeout=1800, **settings)
        asked_first = emulator.count_by_host()
        emulator.requests.clear()
        before = _files(home)
        start = time.monotonic()
        second = monazite("run", "--live", home=home, timeout=600, **settings)
        yield SimpleNamespace(
            home=home,
            first=first,
            second=second,
            seconds=time.monotonic() - start,
            asked_first=asked_first,
            asked=emulator.count_by_host(),
            before=before,
            after=_files(home),
        )


def _files(home: Path) -> dict[str, tuple[int, int]]:
    """Size and time of last change of everything that a night with nothing new must not touch."""
    return {
        path.relative_to(home).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for folder in ("archive/blobs", "archive/editions", "raw", "quarantine", "build", "release")
        for path in sorted((home / folder).rglob("*"))
        if path.is_file()
    }


def test_live_run_from_an_empty_home_ends_in_a_release_with_every_publisher(night):
    assert night.first.returncode == 0, night.first.stdout + night.first.stderr
    assert "made" in night.first.stdout
    for word in ("refused:", "not reached:", "not brought:"):
        assert word not in night.first.stdout
    with duckdb.connect(
        str(night.home / "release" / "current" / "monazite.duckdb"), read_only=True
    ) as connection:
        held = {
            row[0] for row in connection.execute("select source_id from dim_edition").fetchall()
        }
    askable = {source for source in load_catalog().sources if can_fetch(source)}
    assert askable <= held
    assert held >= _STARTER
    assert set(publisher_modules()) == askable, "every publisher that is asked has an emulator"


@pytest.mark.parametrize("table", FACTS)
def test_facts_equal_those_of_the_starter(night, starter_home, table):
    live = night.home / "release" / "current" / "monazite.duckdb"
    starter = starter_home / "release" / "current" / "monazite.duckdb"
    sources = ", ".join(f"'{source}'" for source in sorted(_STARTER))
    with duckdb.connect() as connection:
        connection.execute(f"attach '{live}' as live (read_only)")
        connection.execute(f"attach '{starter}' as starter (read_only)")
        columns = [
            row[0]
            for row in connection.execute(f"describe starter.{table}").fetchall()
            if row[0] not in _IDENTITY
        ]
        shown = ", ".join(columns)
        only = f"where split_part(source_edition_id, '-', 1) in ({sources})"
        counts = {}
        for one, other in (("live", "starter"), ("starter", "live")):
            counts[f"only in {one}"] = connection.execute(
                f"""select count(*) from (
                    select {shown} from {one}.{table} {only}
                    except all
                    select {shown} from {other}.{table} {only}
                )"""
            ).fetchone()[0]
        assert counts == {"only in live": 0, "only in starter": 0}
        assert connection.execute(f"select count(*) from live.{table} {only}").fetchone()[0] > 100


def test_second_night_finds_nothing_new_and_touches_nothing(night):
    assert night.second.returncode == 0, night.second.stdout + night.second.stderr
    assert "is current, nothing new" in night.second.stdout
    assert night.after == night.before


def test_second_night_is_short_and_polite(night):
    assert night.seconds < 30
    assert max(night.asked.values()) <= 12, night.asked
    assert sum(night.asked.values()) < sum(night.asked_first.values())


def test_synthetic_figures_stay_out_of_what_is_passed_on(night):
    public = night.home / "release" / "current" / "public" / "monazite.duckdb"
    with duckdb.connect(str(public), read_only=True) as connection:
        held = {
            row[0] for row in connection.execute("select source_id from dim_edition").fetchall()
        }
    generated = set(publisher_modules()) - _STARTER
    # What the licence lets out goes out of this house of invented figures too.
    open_terms = {
        source.source_id
        for source in load_catalog().sources.values()
        if source.licence.redistribution is Redistribution.YES
    }
    assert not held & (generated - open_terms)


#: Marts that rest on national lines, with the rows that do.
_ON_LINES = {
    "mart_alerts": "rule_id = 'line_drop'",
    "mart_alert_series": "rule_id = 'line_drop'",
    "mart_product_content": "content_method = 'national_line'",
}


@pytest.fixture(scope="module")
def ask(night):
    with duckdb.connect(
        str(night.home / "release" / "current" / "monazite.duckdb"), read_only=True
    ) as connection:
        yield lambda sql: connection.execute(sql).fetchall()


def test_lines_of_every_national_publisher_are_watched_month_by_month(ask):
    judged = dict(
        ask(
            """select source_id, count(*) filter (where is_judged) from mart_alert_series
            where rule_id = 'line_drop' group by source_id"""
        )
    )
    national = {"eurostat_comext", "jp_customs", "uk_hmrc", "us_census"}
    assert {source for source, series in judged.items() if series} >= national, judged
    assert ask("select count(*) from mart_alert_series where not is_judged and reason is null") == [
        (0,)
    ]


def test_national_lines_tell_elements_and_magnets_apart(ask):
    steps = ask("select distinct allocation_step from fct_allocated_flow where hs_code = '284690'")
    assert {step for (step,) in steps} >= {1, 4, 5}
    importers = {
        importer
        for (importer,) in ask(
            """select distinct importer_iso3 from mart_product_content
            where content_method = 'national_line'"""
        )
    }
    assert {"USA", "GBR"} <= importers
    assert ask(
        """select count(*) from mart_product_content
        where content_method = 'national_line' and importer_iso3 = 'USA'
            and element_low_t > 0 and element_high_t <= gross_t"""
    ) > [(0,)]


@pytest.mark.parametrize("mart", sorted(_ON_LINES))
def test_what_rests_on_lines_leads_to_the_lines(ask, mart):
    on_lines = f"select row_key from {mart} where {_ON_LINES[mart]}"
    assert ask(f"select count(*) from ({on_lines})") > [(0,)]
    [(orphans,)] = ask(
        f"""select count(*) from ({on_lines}) as marts
        anti join (select row_key from mart_provenance where mart = '{mart}') as sources
            using (row_key)"""
    )
    assert orphans == 0
    row_sets = ask(
        f"""select row_set from mart_provenance
        where mart = '{mart}' and row_set like 'fct_national_trade%'
            and row_key in ({on_lines} order by row_key limit 20)"""
    )
    assert row_sets
    for (row_set,) in row_sets:
        [(rows,)] = ask(f"select count(*) from {row_set}")
        assert rows > 0, row_set
