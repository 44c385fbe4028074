"""The mart of the EU's supply risk on a few invented shares: groups, trade parameters, controls."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.settings import PROJECT_ROOT
from tests.support.measures import create_measures
from tests.support.models import model_sql

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
near = pytest.approx


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(
            f"""
            create table ref_eu_trade_set as
            select * replace (t_all::double as t_all, t_restricted::double as t_restricted)
            from read_csv('{SEEDS / "ref_eu_trade_set.csv"}', all_varchar := true);
            create table ref_eu_material_group as
            from (values ('G', 'A'), ('G', 'B')) as members (material_group, material);
            create table dim_vintage as
            from (values ('2024-12-31', date '2024-12-31'), ('latest', null))
                as vintages (vintage_id, as_of_date);
            create table int_eu_supply_risk__supplier (
                vintage_id varchar, source_edition_id varchar, material varchar, stage varchar,
                scope varchar, country_iso3 varchar, period_start_year integer,
                reference_year integer, share double, trade_parameter double, cell_id varchar,
                is_of_group boolean, governance_risk double, wgi_edition_id varchar,
                wgi_cell_ids varchar[]
            );
            create table ref_eu_supply_risk_input (
                assessment_year integer, material varchar, stage varchar, import_reliance double,
                eol_rir double, substitution_index double, published_formula varchar,
                published_sr double, deviation_note varchar
            );
            create table dim_control (
                event_id varchar, issuing_iso3 varchar, is_export_control boolean,
                material varchar, stage varchar, target_iso3 varchar, status varchar,
                valid_from date, valid_until date, expiry_date date
            );
            create table stg_eu_crm__criticality (
                source_edition_id varchar, material_label varchar, measure varchar,
                assessment_year integer, value double
            );
            create table int_edition__by_vintage as
            from (values ('latest', 'study', 'eu_crm', 1), ('2024-12-31', 'study', 'eu_crm', 1))
                as editions (vintage_id, source_edition_id, source_id, recency);
            create table material__eu_crm as
            from (values ('Group', 'G')) as materials (material_label, material)
            """
        )
        yield connection


@pytest.fixture
def warehouse(database):
    fresh(database)
    return database


def fresh(connection: Any) -> None:
    for table in (
        "int_eu_supply_risk__supplier", "ref_eu_supply_risk_input", "dim_control",
        "stg_eu_crm__criticality",
    ):  # fmt: skip
        connection.execute(f"delete from {table}")
    connection.execute(
        "insert into stg_eu_crm__criticality values ('study', 'Group', 'sr', 2023, 4.0)"
    )


def shares(
    connection: Any, material: str, stage: str = "refining", scope: str = "world",
    *, risk: float = 5.0, t: float = 1.0, **by_country: float,
) -> None:  # fmt: skip
    """Shares of supply at both vintages, all countries governed alike."""
    connection.executemany(
        "insert into int_eu_supply_risk__supplier values "
        "(?, 'study', ?, ?, ?, ?, 2016, 2020, ?, ?, ?, false, ?, 'governance', ['pv'])",
        [
            (v, material, stage, scope, c, s, t, f"{material}-{stage}-{scope}-{c}", risk)
            for v in ("latest", "2024-12-31")
            for c, s in by_country.items()
        ],
    )


def inputs(connection: Any, material: str, stage: str = "refining", **more: Any) -> None:
    row = {"ir": 1.0, "eol": 0.0, "si": 1.0, "formula": "GS", "published": None, **more}
    connection.execute(
        "insert into ref_eu_supply_risk_input values (2023, ?, ?, ?, ?, ?, ?, ?, null)",
        [material, stage, *row.values()],
    )


def control(connection: Any, event: str = "e", **more: Any) -> None:
    row = {
        "issuing": "CHN", "is_export": True, "material": "A", "stage": "refining",
        "target": "WLD", "status": "in_force", "valid_from": "2025-04-04", "valid_until": None,
        "expiry": None, **more,
    }  # fmt: skip
    connection.execute(
        "insert into dim_control values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [event, *row.values()]
    )


KEY = ("material", "stage", "formula", "t_set", "vintage_id")


def risks(connection: Any) -> dict[tuple[str, ...], dict[str, Any]]:
    """Every row of the mart, by its key."""
    rows = connection.execute(model_sql("mart_eu_supply_risk")).pl().to_dicts()
    assert len({row["row_key"] for row in rows}) == len(rows)
    return {tuple(row[name] for name in KEY): row for row in rows}


def risk(
    connection: Any, material: str = "A", stage: str = "refining", formula: str = "GS",
    t_set: str = "study", vintage: str = "latest",
) -> dict[str, Any]:  # fmt: skip
    return risks(connection)[material, stage, formula, t_set, vintage]


def test_a_group_is_the_mean_of_its_members(warehouse):
    shares(warehouse, "A", CHN=1.0, risk=6.0)
    shares(warehouse, "B", CHN=0.5, AUS=0.5, risk=4.0)
    inputs(warehouse, "A")
    inputs(warehouse, "B")
    inputs(warehouse, "G", ir=None, eol=None, si=None, formula="mean", published=3.8)
    row = risk(warehouse, "G", formula="mean")
    assert row["sr_stage"] == near((6.0 + 2.0) / 2)
    assert row["sr_material"] == near(4.0)
    assert row["is_study_formula"]
    assert row["difference"] == near(0.2)
    assert (row["published_sr_material"], row["difference_material"]) == (4.0, near(0.0))
    assert (row["n_members"], row["reason"]) == (2, None)
    assert row["evidence_grade"] == "D", "the weakest member: world supply only"
    assert row["source_edition_ids"] == ["governance", "study"]
    assert row["evidence_row_keys"] == [
        "A|refining|GS|study|2020|latest",
        "B|refining|GS|study|2020|latest",
    ]


def test_the_index_of_a_group_is_of_its_members_largest_stages(warehouse):
    shares(warehouse, "A", "mine", CHN=1.0, risk=8.0)
    shares(warehouse, "A", CHN=1.0, risk=2.0)
    shares(warehouse, "B", "mine", CHN=1.0, risk=2.0)
    shares(warehouse, "B", CHN=1.0, risk=4.0)
    for material in "AB":
        for stage in ("mine", "refining"):
            inputs(warehouse, material, stage)
    mine = risk(warehouse, "G", "mine", "mean")
    refining = risk(warehouse, "G", "refining", "mean")
    assert (mine["sr_stage"], refining["sr_stage"]) == (near(5.0), near(3.0))
    assert mine["sr_material"] == refining["sr_material"] == near((8 + 4) / 2)
    assert len(mine["evidence_row_keys"]) == 4, "of both stages"


@pytest.mark.parametrize("held", ["shares", "nothing"])
def test_a_group_with_a_member_that_has_no_index_has_none(warehouse, held):
    shares(warehouse, "A", CHN=1.0)
    inputs(warehouse, "A")
    if held == "shares":
        shares(warehouse, "B", CHN=1.0)
    row = risk(warehouse, "G", formula="mean")
    assert (row["sr_stage"], row["sr_material"], row["difference"]) == (None, None, None)
    assert row["reason"] == "not every member of the group has an index: B"


def test_shares_of_a_group_itself_are_not_what_the_study_takes(warehouse):
    shares(warehouse, "A", CHN=1.0)
    shares(warehouse, "B", CHN=1.0)
    shares(warehouse, "G", scope="eu", CHN=1.0)
    inputs(warehouse, "A")
    inputs(warehouse, "B")
    row = risk(warehouse, "G", formula="EU")
    assert not row["is_study_formula"]
    assert row["sr_material"] == near(5.0)


def test_the_neutral_set_counts_no_trade(warehouse):
    shares(warehouse, "A", CHN=1.0, t=1.4)
    inputs(warehouse, "A", published=7.0)
    study, neutral = risk(warehouse), risk(warehouse, t_set="neutral")
    assert (study["sr_stage"], study["share_restricted_gs"]) == (near(7.0), 1.0)
    assert (neutral["sr_stage"], neutral["share_restricted_gs"]) == (near(5.0), 0.0)
    assert study["difference"] == near(0.0)
    assert neutral["difference"] is None, "the study did not compute this"
    assert (study["control_event_ids"], study["t_as_of_date"]) == (None, None)
    assert neutral["evidence_row_keys"] == [study["row_key"]]


def test_a_control_in_force_counts_between_the_ends_of_the_study(warehouse):
    shares(warehouse, "A", CHN=0.8, AUS=0.2)
    inputs(warehouse, "A")
    control(warehouse)
    low, high = (risk(warehouse, t_set=t) for t in ("register_low", "register_high"))
    assert risk(warehouse)["sr_stage"] == near(5 * (0.64 + 0.04))
    assert low["sr_stage"] == near(5 * (0.64 * 1.1 + 0.04))
    assert high["sr_stage"] == near(5 * (0.64 * 1.5 + 0.04))
    assert low["control_event_ids"] == high["control_event_ids"] == ["e"]
    assert low["share_restricted_gs"] == near(0.8)
    assert str(low["t_as_of_date"]) == "2025-04-04", "the last entry of the register"


def test_a_control_never_lowers_what_the_study_has(warehouse):
    shares(warehouse, "A", CHN=1.0, t=1.3)
    inputs(warehouse, "A")
    control(warehouse)
    assert risk(warehouse, t_set="register_low")["sr_stage"] == near(6.5)


@pytest.mark.parametrize(
    "other",
    [
        {"status": "suspended"},
        {"target": "USA"},
        {"is_export": False},
        {"issuing": "IDN"},
        {"stage": "mine"},
        {"material": "B"},
        {"valid_until": "2025-05-01"},
        {"expiry": "2025-05-01"},
    ],
)
def test_only_what_is_in_force_on_the_day_and_bears_on_the_eu_counts(warehouse, other):
    shares(warehouse, "A", CHN=1.0)
    inputs(warehouse, "A")
    control(warehouse, **other)
    # The register's last entry is later than the end of the others.
    control(warehouse, "later", material="B", valid_from="2025-06-01")
    row = risk(warehouse, t_set="register_high")
    assert row["sr_stage"] == near(5.0)
    assert row["control_event_ids"] == []


def test_a_vintage_knows_the_controls_of_its_own_day(warehouse):
    shares(warehouse, "A", CHN=1.0)
    inputs(warehouse, "A")
    control(warehouse)
    row = risk(warehouse, t_set="register_high", vintage="2024-12-31")
    assert row["control_event_ids"] == []
    assert str(row["t_as_of_date"]) == "2024-12-31"


def test_a_control_on_a_member_raises_its_group(warehouse):
    for material in "AB":
        shares(warehouse, material, CHN=1.0)
        inputs(warehouse, material)
    control(warehouse)
    row = risk(warehouse, "G", formula="mean", t_set="register_high")
    assert row["sr_stage"] == near((7.5 + 5.0) / 2)
    assert row["control_event_ids"] == ["e"]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    china=st.floats(0.01, 1), australia=st.floats(0, 1), t=st.sampled_from([0.8, 1.0, 1.3, 1.5]),
    governance=st.tuples(st.floats(0, 10), st.floats(0, 10)),
)  # fmt: skip
def test_sets_are_ordered_and_a_group_lies_among_its_members(
    database, china, australia, t, governance
):
    fresh(database)
    for material, risk_of_both in zip("AB", governance, strict=True):
        shares(database, material, CHN=china, AUS=australia, t=t, risk=risk_of_both)
        inputs(database, material)
    control(database)
    found = {
        (material, t_set): row["sr_stage"]
        for (material, _, _, t_set, vintage), row in risks(database).items()
        if vintage == "latest"
    }
    study, low, high = (found["A", s] for s in ("study", "register_low", "register_high"))
    assert study <= low + 1e-9 <= high + 2e-9
    assert high <= max(1.5 / t, 1) * study + 1e-9
    assert study == near(t * found["A", "neutral"], abs=1e-9)
    for t_set in ("study", "neutral", "register_low", "register_high"):
        members = [found[material, t_set] for material in "AB"]
        assert min(members) - 1e-9 <= found["G", t_set] <= max(members) + 1e-9
