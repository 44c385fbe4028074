"""What of an importer's supply stands under a control, on any day: the shipped macros, the register
that is released, and invented shares."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from pipelines.settings import PROJECT_ROOT
from tests.support.measures import create_measures
from tests.support.models import model_sql

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
#: importer, material, stage, basis, partner, year, share. Invented.
SHARES = [
    ("USA", "Er", "refining", "share", "CHN", 2024, 0.4),
    ("USA", "Er", "refining", "share", "DEU", 2024, 0.6),
    ("USA", "Dy", "refining", "share", "CHN", 2024, 0.7),
    ("USA", "Dy", "refining", "share", "JPN", 2024, 0.2),
    ("USA", "Dy", "refining", "share", None, 2024, 0.1),
    ("USA", "Sb", "metal", "usd", "CHN", 2024, 0.5),
    ("USA", "Sb", "metal", "usd", "THA", 2024, 0.5),
    ("JPN", "permanent_magnets", "product", "usd", "CHN", 2023, 0.9),
    ("JPN", "permanent_magnets", "product", "usd", "CHN", 2024, 0.6),
    ("JPN", "permanent_magnets", "product", "usd", "DEU", 2024, 0.4),
    ("EU27", "permanent_magnets", "product", "usd", "CHN", 2024, 0.8),
    ("EU27", "permanent_magnets", "product", "usd", "JPN", 2024, 0.2),
    ("DEU", "Ge", "metal", "usd", "CHN", 2006, 1.0),
    ("CHN", "Dy", "refining", "share", "CHN", 2024, 1.0),
]


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        create_measures(connection)
        for name in ("ref_control_event", "ref_control_status", "ref_control_scope"):
            connection.execute(f"create table {name} as from read_csv('{SEEDS / name}.csv')")
        connection.execute(f"create table dim_control as {model_sql('dim_control')}")
        connection.execute(
            """create table mart_import_dependency (
                importer_iso3 varchar, material varchar, stage varchar, basis varchar,
                partner_iso3 varchar, reference_year integer, share_of_imports double,
                vintage_id varchar, evidence_grade varchar, flow_source varchar,
                source_edition_id varchar, source_edition_ids varchar[])"""
        )
        connection.executemany(
            "insert into mart_import_dependency values "
            "(?, ?, ?, ?, ?, ?, ?, 'latest', 'B', null, 'house-1', ['house-1'])",
            SHARES,
        )
        yield connection


def ask(database: Any, call: str, importer: str, material: str) -> dict[str, Any]:
    found = database.execute(
        f"from {call} where importer_iso3 = ? and material = ?", [importer, material]
    )
    names = [column[0] for column in found.description]
    [row] = found.fetchall()
    return dict(zip(names, row, strict=True))


def test_three_days_give_three_answers(database):
    announced, suspended, run_out = (
        ask(database, f"policy_exposure(date '{day}')", "USA", "Er")
        for day in ("2025-10-20", "2025-11-08", "2026-11-11")
    )
    assert announced["status"] == "announced"
    assert (announced["share_under_control"], announced["share_announced"]) == (0, 0.4)
    assert announced["days_to_expiry"] == 18
    assert suspended["status"] == "suspended"
    assert (suspended["share_under_control"], suspended["share_suspended"]) == (0, 0.4)
    assert suspended["days_to_expiry"] == 367
    assert run_out["status"] == "outcome_unknown"
    assert run_out["share_under_control"] is None
    assert (run_out["share_under_control_low"], run_out["share_under_control_high"]) == (0, 0.4)
    assert run_out["days_to_expiry"] is None
    assert "not recorded" in run_out["reason"]
    assert run_out["evidence_grade"] == "D"


def test_the_last_day_of_a_state_still_belongs_to_it(database):
    last = ask(database, "policy_exposure('2026-11-10')", "USA", "Er")
    assert (last["status"], last["days_to_expiry"]) == ("suspended", 0)
    eve = ask(database, "policy_exposure('2025-11-06')", "USA", "Er")
    assert eve["status"] == "announced"


def test_the_controls_of_april_stay_when_those_of_october_are_suspended(database):
    for day in ("2025-04-04", "2025-11-08", "2026-11-11"):
        found = ask(database, f"policy_exposure('{day}')", "USA", "Dy")
        assert found["share_under_control"] == pytest.approx(0.7)
        assert found["controls_active"] == ["CHN-2025-18"]
        assert found["reason"] is None
        assert found["evidence_grade"] == "B"


def test_nothing_is_asked_of_a_day_before_any_control(database):
    found = database.execute("select count(*) from policy_exposure('2009-12-31')").fetchone()
    assert found == (0,)


def test_magnets_are_an_interval_until_the_reader_assumes_a_part(database):
    open_ = ask(database, "policy_exposure('2025-06-01')", "EU27", "permanent_magnets")
    assert open_["share_under_control"] is None
    assert (open_["share_under_control_low"], open_["share_under_control_high"]) == (0, 0.8)
    assert "trade does not tell" in open_["reason"]
    assumed = ask(
        database,
        "policy_exposure('2025-06-01', covered_part := 0.25)",
        "EU27",
        "permanent_magnets",
    )
    assert assumed["share_under_control"] == pytest.approx(0.2)
    assert assumed["reason"] is None
    assert assumed["evidence_grade"] == "D"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("policy_exposure('2025-06-01', covered_part := 2)", "covered_part is 2: .* 0 to 1"),
        ("policy_exposure('2025-06-01', covered_part := 85)", "covered_part is 85: .* 0 to 1"),
        ("policy_exposure('2025-06-01', covered_part := -2)", "covered_part is -2: .* 0 to 1"),
        ("policy_exposure('2025-06-01', covered_part := 'nan'::double)", "covered_part is nan"),
        ("policy_exposure('2025-06-01', years_back := -1)", "years_back is -1"),
        ("policy_exposure('2025-06-01', years_back := null)", "years_back is null"),
        ("policy_exposure(null)", "as_of is null"),
        ("policy_exposure_on([date '2025-06-01'], covered_part := 2)", "covered_part is 2"),
        ("policy_exposure_on([date '2025-06-01', null])", "dates is .*: give days"),
        ("policy_alerts('2025-06-01', within_days := -1)", "within_days is -1"),
        ("policy_alerts(null)", "as_of is null"),
    ],
)
@pytest.mark.parametrize("asked", ["from {}", "select count(*) from {}"])
def test_a_parameter_that_cannot_be_is_refused(database, call, named, asked):
    with pytest.raises(duckdb.InvalidInputException, match=named):
        database.execute(asked.format(call)).fetchall()


def test_it_is_refused_whatever_is_asked_of_the_rows(database):
    with pytest.raises(duckdb.InvalidInputException, match="covered_part is 85"):
        database.execute(
            """select share_under_control from policy_exposure('2025-06-01', covered_part := 85)
            where importer_iso3 = 'EU27' and material = 'permanent_magnets' and basis = 'usd'
                and as_of_date = date '2025-06-01'"""
        ).fetchall()


def test_a_control_concerns_only_whom_it_targets(database):
    japan = ask(database, "policy_exposure('2026-02-01')", "JPN", "permanent_magnets")
    europe = ask(database, "policy_exposure('2026-02-01')", "EU27", "permanent_magnets")
    assert japan["controls_active"] == ["CHN-2025-18", "CHN-2026-01-JPN"]
    assert europe["controls_active"] == ["CHN-2025-18"]


def test_a_suspended_ban_leaves_the_licence_that_stands_beside_it(database):
    found = ask(database, "policy_exposure('2026-11-22')", "USA", "Sb")
    assert found["controls_active"] == ["CHN-2024-33-Sb"]
    assert found["controls_suspended"] == ["CHN-2024-46-USA"]
    assert found["share_under_control"] == pytest.approx(0.5)
    assert found["days_to_expiry"] == 5


def test_shares_are_of_the_newest_year_up_to_the_day(database):
    newest = ask(database, "policy_exposure('2025-06-01')", "JPN", "permanent_magnets")
    assert newest["reference_year"] == 2024
    held_then = database.execute(
        "select max(reference_year) from policy_exposure('2025-06-01') where material = 'Ge'"
    ).fetchone()
    assert held_then == (None,), "trade of 2006 says nothing of 2025"


def test_a_state_is_not_exposed_to_its_own_controls(database):
    found = ask(database, "policy_exposure('2025-06-01')", "CHN", "Dy")
    assert (found["share_under_control"], found["status"]) == (0, "free")


def test_many_days_at_once_are_the_same_as_one_by_one(database):
    days = ["2025-10-20", "2025-11-08", "2026-11-11"]
    at_once = database.execute(f"from policy_exposure_on({days}::date[]) order by all").fetchall()
    one_by_one = " union all ".join(f"from policy_exposure('{day}')" for day in days)
    assert at_once == database.execute(f"from ({one_by_one}) order by all").fetchall()


def test_a_house_asks_its_own_register(database):
    database.execute(
        """create or replace table own_register as
        select * replace ('DEU' as issuing_iso3, 'Er' as material, 'refining' as stage)
        from dim_control where event_id = 'CHN-2025-18' limit 1"""
    )
    found = ask(database, "policy_exposure('2025-06-01', controls := 'own_register')", "USA", "Er")
    assert found["share_under_control"] == pytest.approx(0.6)


def test_alerts_name_what_ends_soon_and_what_has_ended(database):
    found = {
        row[0]: row[1:]
        for row in database.execute(
            "select event_id, alert, expiry_days from policy_alerts('2026-11-22')"
        ).fetchall()
    }
    assert found["CHN-2024-46-USA"] == ("suspended_ends", 5)
    assert found["CHN-2025-57"] == ("outcome_unknown", None)
    assert found["CHN-2025-62"] == ("outcome_unknown", None), "of technology, not of exports"
    assert "CHN-2025-18" not in found
    soon = database.execute("select count(*) from policy_alerts('2026-08-01', 90)").fetchone()
    sooner = database.execute("select count(*) from policy_alerts('2026-08-01', 120)").fetchone()
    assert soon == (0,)
    assert sooner[0] >= 1


def test_the_mart_holds_the_day_after_each_expiry(database):
    rows = database.execute(
        f"""with exposure as ({model_sql("mart_policy_exposure")})
        select distinct cast(as_of_date as varchar) from exposure order by 1"""
    ).fetchall()
    days = {row[0] for row in rows}
    assert {"2025-11-07", "2026-11-10", "2026-11-11", "2026-11-27", "2026-11-28"} <= days
