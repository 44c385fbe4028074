"""GeoPolRisk of importers, on a few rows of trade, production and governance."""

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
tonnes = st.floats(min_value=0, max_value=1e9, allow_subnormal=False).map(lambda t: round(t, 3))
share = st.floats(min_value=0.01, max_value=1)


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(
            f"""
            create table ref_threshold as from read_csv('{SEEDS / "ref_threshold.csv"}');
            create table ref_chain_step (
                material varchar, stage varchar, production_material varchar,
                production_stage varchar, production_basis varchar, relation varchar
            );
            create table int_lookthrough__market (
                vintage_id varchar, material varchar, stage varchar, reference_year integer,
                relation varchar, basis varchar, weight_coverage double, flow_source varchar,
                source_edition_id varchar, source_edition_ids varchar[],
                production_grade varchar, unnamed_share double
            );
            create table int_supplier_quantity (
                vintage_id varchar, scope varchar, material varchar, stage varchar, basis varchar,
                geo_iso3 varchar, reference_year integer, supplier_iso3 varchar, quantity double,
                evidence_grade varchar
            );
            create table mart_import_reliance (
                vintage_id varchar, importer_iso3 varchar, material varchar, stage varchar,
                reference_year integer, production_gross_t_low double,
                production_gross_t_high double
            );
            create table mart_concentration (
                row_key varchar, scope varchar, material varchar, stage varchar, basis varchar,
                reference_year integer, vintage_id varchar, hhi double, hhi_low double,
                hhi_high double, evidence_grade varchar
            );
            create table int_governance__risk (
                vintage_id varchar, country_iso3 varchar, reference_year integer,
                political_stability double, political_stability_cell_id varchar,
                source_edition_id varchar
            )
            """
        )
        yield connection


@pytest.fixture
def warehouse(database):
    fresh(database)
    return database


def fresh(connection: Any, hhi: tuple[float, float] = (0.5, 0.5)) -> None:
    """One market of ore, importer USA; CHN is as unstable as can be, AUS as stable."""
    for table in (
        "ref_chain_step", "int_lookthrough__market", "int_supplier_quantity",
        "mart_import_reliance", "mart_concentration", "int_governance__risk",
    ):  # fmt: skip
        connection.execute(f"delete from {table}")
    connection.execute(
        """
        insert into ref_chain_step values ('ore', 'mine', 'ore', 'mine', 'gross_t', 'weight');
        insert into int_lookthrough__market values
            ('latest', 'ore', 'mine', 2023, 'weight', 'gross_t', 1, 'baci', 'flows',
                ['flows', 'mines'], 'B', 0);
        insert into int_governance__risk values
            ('latest', 'CHN', 2023, -2.5, 'pv-chn', 'governance'),
            ('latest', 'AUS', 2023, 2.5, 'pv-aus', 'governance')
        """
    )
    connection.execute(
        "insert into mart_concentration values "
        "('world', 'world_production', 'ore', 'mine', 'gross_t', 2023, 'latest', $1, $1, $2, 'B')",
        list(hhi),
    )


def bought(connection: Any, *, importer: str = "USA", grade: str = "B", **by_supplier: float):
    connection.executemany(
        "insert into int_supplier_quantity values "
        "('latest', 'import_sources', 'ore', 'mine', 'gross_t', ?, 2023, ?, ?, ?)",
        [(importer, s, q, grade) for s, q in by_supplier.items()],
    )


def made(connection: Any, low: float, high: float | None, importer: str = "USA") -> None:
    connection.execute(
        "insert into mart_import_reliance values ('latest', ?, 'ore', 'mine', 2023, ?, ?)",
        [importer, low, high],
    )


def risk(connection: Any, importer: str = "USA") -> dict[str, Any]:
    rows = connection.execute(model_sql("mart_geopolrisk")).pl().to_dicts()
    [row] = [row for row in rows if row["importer_iso3"] == importer]
    return row


def ends(row: dict[str, Any]) -> tuple[float, float]:
    return row["supply_risk_low"], row["supply_risk_high"]


def test_risk_is_concentration_times_unstable_imports_over_supply(warehouse):
    bought(warehouse, CHN=750, AUS=750)
    made(warehouse, 500, 500)
    row = risk(warehouse)
    assert row["mean_instability"] == near(0.5)
    assert row["supply_risk"] == near(0.5 * 750 / 2000)
    assert ends(row) == (row["supply_risk"], row["supply_risk"])
    assert (row["reason"], row["evidence_grade"]) == (None, "B")
    assert row["governance_cell_ids"] == ["pv-aus", "pv-chn"]
    assert "governance" in row["source_edition_ids"]


def test_own_goods_that_come_back_are_no_imports(warehouse):
    bought(warehouse, CHN=100, USA=900)
    made(warehouse, 0, 0)
    assert risk(warehouse)["imports_gross_t"] == 100


def test_a_country_that_is_not_named_has_a_range_and_no_point(warehouse):
    bought(warehouse, CHN=100)
    made(warehouse, 0, 300)
    row = risk(warehouse)
    assert row["supply_risk"] is None
    assert ends(row) == (near(0.5 * 100 / 400), near(0.5))
    assert (row["production_gross_t_low"], row["production_gross_t_high"]) == (0, 300)
    assert row["import_share_of_supply_low"] == near(0.25)
    assert row["import_share_of_supply_high"] == 1
    assert row["reason"].startswith("bounds only; production of the importer")
    assert row["concentration_key"] == "world"
    assert row["governance_cell_ids"] == ["pv-chn"]


def test_withheld_production_may_be_any(warehouse):
    bought(warehouse, CHN=100)
    made(warehouse, 0, None)
    row = risk(warehouse)
    assert ends(row) == (0, near(0.5))
    assert row["import_share_of_supply_low"] == 0
    assert row["production_gross_t_high"] is None
    assert row["reason"] == "bounds only; production of the importer is withheld"


def test_a_narrow_range_is_told_as_its_middle(warehouse):
    bought(warehouse, CHN=100)
    made(warehouse, 0, 1)
    row = risk(warehouse)
    low, high = ends(row)
    assert high - low < 0.01
    assert row["supply_risk"] == near((low + high) / 2)


def test_unnamed_world_production_widens_the_range(warehouse):
    fresh(warehouse, hhi=(0.5, 0.7))
    bought(warehouse, CHN=100)
    made(warehouse, 100, 100)
    row = risk(warehouse)
    assert ends(row) == (near(0.25), near(0.35))
    assert row["supply_risk"] is None
    assert "world production" in row["reason"]


def test_the_grade_is_that_of_the_weakest_input(warehouse):
    bought(warehouse, CHN=100)
    made(warehouse, 0, 300)
    warehouse.execute("update int_lookthrough__market set production_grade = 'D'")
    assert risk(warehouse)["evidence_grade"] == "D"
    warehouse.execute("update int_lookthrough__market set production_grade = 'A'")
    warehouse.execute("update mart_concentration set evidence_grade = 'C'")
    assert risk(warehouse)["evidence_grade"] == "C"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("delete from mart_import_reliance", "not held"),
        ("delete from int_governance__risk", "governance of the year"),
        ("delete from int_governance__risk where country_iso3 = 'AUS'", "too large a part"),
    ],
)
def test_a_risk_that_cannot_be_told_says_why(warehouse, change, reason):
    bought(warehouse, CHN=750, AUS=750)
    made(warehouse, 500, 500)
    warehouse.execute(change)
    row = risk(warehouse)
    assert (row["supply_risk"], *ends(row)) == (None, None, None)
    assert reason in row["reason"]
    assert row["governance_cell_ids"] is None
    assert row["concentration_key"] == "world", "where the index that is told comes from"


@pytest.mark.parametrize(
    ("relation", "basis", "reason"),
    [
        ("content", "gross_t", "contain"),
        ("none", "gross_t", "not published in the unit"),
        ("none", "usd", "has a weight"),
    ],
)
def test_production_in_another_unit_than_trade_gives_no_risk(warehouse, relation, basis, reason):
    # Another market of the year has production, so the year is one of those that are told.
    warehouse.execute(
        """
        insert into int_lookthrough__market
        select * replace ('other' as material) from int_lookthrough__market
        """
    )
    warehouse.execute(
        "update int_lookthrough__market set relation = ?, basis = ? where material = 'ore'",
        [relation, basis],
    )
    warehouse.execute("update ref_chain_step set relation = ?", [relation])
    bought(warehouse, CHN=750, AUS=750)
    made(warehouse, 500, None)
    row = risk(warehouse)
    assert (row["supply_risk"], *ends(row)) == (None, None, None)
    assert reason in row["reason"]
    assert (row["hhi_production"], row["concentration_key"]) == (None, None)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    unstable=tonnes, stable=tonnes, production=tonnes, hidden=tonnes, hhi=share, more=share,
    true_part=st.floats(0, 1),
)  # fmt: skip
def test_whatever_the_true_production_is_the_risk_lies_between_the_ends(
    database, unstable, stable, production, hidden, hhi, more, true_part
):
    fresh(database, hhi=(hhi, min(1.0, hhi + more)))
    bought(database, CHN=unstable + 1, AUS=stable)
    made(database, production, production + hidden)
    row = risk(database)
    low, high = ends(row)
    assert 0 <= low <= high <= 1
    true_production = production + true_part * hidden
    true = hhi * (unstable + 1) / (unstable + 1 + stable + true_production)
    assert low * (1 - 1e-9) <= true <= high * (1 + 1e-9)
    assert (row["supply_risk"] is None) == (high - low > 0.01)
    assert row["import_share_of_supply_low"] <= row["import_share_of_supply_high"]
