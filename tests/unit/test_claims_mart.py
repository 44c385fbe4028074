"""Claims beside what is computed, on a few invented rows."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.support.measures import create_measures
from tests.support.models import model_sql

_CLAIM = """
    claim_id varchar, metric varchar, geo_iso3 varchar, partner_iso3 varchar, material varchar,
    stage varchar, scope_text varchar, period varchar, claimed_low double, claimed_high double,
    unit varchar, published_by varchar, confidence varchar, source varchar,
    computed_measure varchar, computed_scope varchar, computed_material varchar,
    computed_stage varchar, computed_basis varchar, computed_geo_iso3 varchar,
    computed_partner_iso3 varchar, computed_year_from smallint, computed_year smallint,
    scope_match varchar, explanation varchar
"""


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(
            f"""
            create table ref_claim ({_CLAIM});
            create table int_concentration (
                vintage_id varchar, scope varchar, material varchar, stage varchar, basis varchar,
                geo_iso3 varchar, reference_year smallint, named_sum double, residual double,
                source_edition_ids varchar[]
            );
            create table int_supplier_quantity (
                vintage_id varchar, scope varchar, material varchar, stage varchar, basis varchar,
                geo_iso3 varchar, reference_year smallint, supplier_iso3 varchar, quantity double
            );
            create table mart_concentration (
                row_key varchar, vintage_id varchar, scope varchar, material varchar,
                stage varchar, basis varchar, geo_iso3 varchar, reference_year smallint,
                source_edition_ids varchar[], top_supplier varchar, hhi double, hhi_high double,
                cr3 double, quantity_total double
            );
            create table mart_eu_supply_risk (
                row_key varchar, vintage_id varchar, material varchar, reference_year integer,
                is_study_formula boolean, t_set varchar, sr_material double,
                source_edition_ids varchar[]
            );
            create table stg_eu_crm__supply_share (
                material_label varchar, country_label varchar, scope varchar, stage varchar,
                reference_year smallint, value double, source_edition_id varchar, cell_id varchar
            );
            create table stg_eu_crm__criticality (
                material_label varchar, measure varchar, assessment_year smallint, value double,
                source_edition_id varchar, cell_id varchar
            );
            create table material__eu_crm (material_label varchar, material varchar);
            create table country__eu_crm (country_label varchar, country_iso3 varchar);
            create table int_import_reliance__published (
                vintage_id varchar, importer_iso3 varchar, material varchar, stage varchar,
                reference_year smallint, import_reliance double, source_edition_id varchar,
                cell_id varchar
            );
            create table stg_iea_cm__supply (
                material_label varchar, country_label varchar, stage varchar, row_kind varchar,
                reference_year smallint, is_projection boolean, value double,
                source_edition_id varchar, cell_id varchar
            );
            create table material__iea_cm as
            from (values ('Nickel', 'Ni')) as materials (material_label, material);
            create table country__iea as
            from (values ('A', 'AAA'), ('B', 'BBB'), ('Rest of world', null))
                as countries (country_label, country_iso3);
            create table int_edition__by_vintage as
            from (values ('latest', 'new', 1), ('latest', 'old', 2))
                as editions (vintage_id, source_edition_id, recency);
            create table mart_uncertainty (
                mart varchar, metric varchar, mart_row_key varchar, p05 double, p95 double
            )
            """
        )
        yield connection


def claim(connection: Any, measure: str | None, **figures: Any) -> None:
    row = {
        "claim_id": "one",
        "unit": "share",
        "computed_measure": measure,
        "explanation": "why",
        **figures,
    }
    connection.execute(
        f"insert into ref_claim by name select {', '.join(f'? as {name}' for name in row)}",
        list(row.values()),
    )


def projected(connection: Any, country: str, value: float, edition: str = "new") -> None:
    kind = "residual" if country == "Rest of world" else "country"
    connection.execute(
        "insert into stg_iea_cm__supply values ('Nickel', ?, 'refining', ?, 2035, true, ?, ?, ?)",
        [country, kind, value, edition, f"{edition}-{country}"],
    )


def told(connection: Any) -> dict[str, Any]:
    [row] = connection.execute(model_sql("mart_claims")).pl().to_dicts()
    return row


def supplied(connection: Any, top: str = "AAA") -> None:
    connection.execute(
        """
        insert into int_concentration values
        ('latest', 'world_production', 'Ni', 'mine', 'element_t', 'WLD', 2024, 90, 10, ['made'])
        """
    )
    connection.execute(
        """
        insert into int_supplier_quantity values
        ('latest', 'world_production', 'Ni', 'mine', 'element_t', 'WLD', 2024, 'AAA', 60)
        """
    )
    connection.execute(
        """
        insert into mart_concentration values
        ('Ni|mine|world_production|WLD|2024|element_t|latest', 'latest', 'world_production', 'Ni',
            'mine', 'element_t', 'WLD', 2024, ['made'], ?, 0.4, 0.41, 0.9, 100)
        """,
        [top],
    )
    connection.execute(
        """
        insert into mart_uncertainty values
        ('mart_concentration', 'cr1', 'Ni|mine|world_production|WLD|2024|element_t|latest',
            0.55, 0.65),
        ('mart_concentration', 'cr1', 'Ni|mine|world_production|WLD|2024|element_t|latest',
            0.55, 0.65)
        """
    )


_SHARE = {
    "computed_scope": "world_production",
    "computed_material": "Ni",
    "computed_stage": "mine",
    "computed_basis": "element_t",
    "computed_geo_iso3": "WLD",
    "computed_partner_iso3": "AAA",
    "computed_year": 2024,
    "scope_match": "same",
}
_PROJECTED = {
    "computed_material": "Ni",
    "computed_stage": "refining",
    "computed_geo_iso3": "WLD",
    "computed_year": 2035,
    "scope_match": "wider",
}


def test_a_share_carries_its_draws_and_leads_to_its_row(warehouse):
    supplied(warehouse)
    claim(warehouse, "supplier_share", claimed_low=0.7, claimed_high=0.7, **_SHARE)
    row = told(warehouse)
    assert row["computed_value"] == pytest.approx(0.6)
    assert row["gap_pp"] == pytest.approx(-10)
    assert (row["computed_p05"], row["computed_p95"]) == (0.55, 0.65)
    assert row["computed_mart"] == "mart_concentration"
    assert row["computed_row_keys"] == ["Ni|mine|world_production|WLD|2024|element_t|latest"]
    assert row["source_edition_ids"] == ["made"]


def test_draws_of_the_largest_are_not_those_of_another(warehouse):
    supplied(warehouse, top="BBB")
    claim(warehouse, "supplier_share", claimed_low=0.7, claimed_high=0.7, **_SHARE)
    row = told(warehouse)
    assert row["computed_value"] == pytest.approx(0.6)
    assert row["computed_p05"] is None


def test_nothing_is_set_beside_a_claim_of_which_a_year_is_missing(warehouse):
    supplied(warehouse)
    claim(warehouse, "supplier_share", computed_year_from=2023, **_SHARE)
    row = told(warehouse)
    assert row["computed_value"] is None
    assert row["computed_row_keys"] == row["computed_cell_ids"] == row["source_edition_ids"] == []


@pytest.mark.parametrize(
    ("low", "high", "gap"),
    [(None, 0.55, 0), (None, 0.45, 5), (0.45, None, 0), (0.6, 0.7, -10), (0.4, 0.6, 0)],
)
def test_the_gap_is_to_the_nearer_end_and_an_open_end_is_none(warehouse, low, high, gap):
    projected(warehouse, "A", 50)
    projected(warehouse, "B", 20)
    projected(warehouse, "Rest of world", 30)
    claim(warehouse, "projected_n1", claimed_low=low, claimed_high=high, **_PROJECTED)
    row = told(warehouse)
    assert row["computed_value"] == pytest.approx(0.5)
    assert row["gap_pp"] == pytest.approx(gap)


def test_the_rest_of_the_world_is_no_largest_country_and_old_editions_do_not_count(warehouse):
    projected(warehouse, "A", 30)
    projected(warehouse, "B", 20)
    projected(warehouse, "Rest of world", 50)
    projected(warehouse, "A", 1000, edition="old")
    claim(warehouse, "projected_n1", **_PROJECTED)
    row = told(warehouse)
    assert row["computed_value"] == pytest.approx(0.7)
    assert row["computed_cell_ids"] == ["new-A", "new-B", "new-Rest of world"]
    assert row["computed_mart"] is None


def test_a_projected_share(warehouse):
    projected(warehouse, "A", 30)
    projected(warehouse, "Rest of world", 70)
    claim(warehouse, "projected_share", computed_partner_iso3="AAA", **_PROJECTED)
    assert told(warehouse)["computed_value"] == pytest.approx(0.3)


def test_supply_risk_rests_on_both_stages(warehouse):
    warehouse.execute(
        """
        insert into mart_eu_supply_risk values
        ('Dy|mine', 'latest', 'Dy', 2020, true, 'study', 5.6, ['study']),
        ('Dy|refining', 'latest', 'Dy', 2020, true, 'study', 5.6, ['study', 'governance']),
        ('Dy|mine|other', 'latest', 'Dy', 2020, false, 'study', 9.9, ['study']),
        ('Dy|mine|controls', 'latest', 'Dy', 2020, true, 'register_high', 9.9, ['study'])
        """
    )
    claim(
        warehouse,
        "eu_supply_risk",
        unit="index",
        computed_material="Dy",
        computed_year=2020,
        computed_geo_iso3="EU27",
    )
    row = told(warehouse)
    assert row["computed_value"] == 5.6
    assert row["computed_row_keys"] == ["Dy|mine", "Dy|refining"]
    assert row["source_edition_ids"] == ["governance", "study"]
    assert row["gap_pp"] is None


def test_reliance_is_that_of_the_country_claimed(warehouse):
    warehouse.execute(
        """
        insert into int_import_reliance__published values
        ('latest', 'USA', 'Ni', 'metal', 2024, 0.5, 'agency', 'a cell'),
        ('latest', 'DEU', 'Ni', 'metal', 2024, 0.9, 'other', 'another')
        """
    )
    claim(
        warehouse,
        "net_import_reliance",
        computed_material="Ni",
        computed_stage="metal",
        computed_geo_iso3="USA",
        computed_year=2024,
    )
    row = told(warehouse)
    assert (row["computed_value"], row["computed_cell_ids"]) == (0.5, ["a cell"])
