"""Stage bottleneck and supply without the largest supplier, on a few rows of what they rest on."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.support.measures import create_measures
from tests.support.models import model_sql


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(
            """
            create table ref_chain_step as
            from (values ('c', 1, 'ore', 'mine'), ('c', 2, 'metal', 'metal'))
                as steps (chain_id, step_order, material, stage);
            create table dim_stage as
            from (values ('mine', 1), ('refining', 2), ('metal', 3), ('product', 4))
                as stages (stage, stage_order);
            create table mart_concentration (
                row_key varchar, scope varchar, geo_iso3 varchar, reference_year integer,
                vintage_id varchar, material varchar, stage varchar, basis varchar, hhi double,
                top_supplier varchar, top_share double, is_top_tied boolean,
                quantity_total double, n_suppliers_unquantified integer, flow_source varchar,
                source_edition_id varchar, source_edition_ids varchar[], evidence_grade varchar
            );
            create table fct_supply_balance (
                source_edition_id varchar, country_iso3 varchar, material varchar, stage varchar,
                basis varchar, reference_year integer, measure varchar, form varchar,
                value double, cell_id varchar
            );
            create table int_edition__by_vintage as
            from (values ('latest', 'new', 1), ('latest', 'old', 2))
                as editions (vintage_id, source_edition_id, recency)
            """
        )
        yield connection


def concentrated(connection: Any, material: str, stage: str, **figures: Any) -> None:
    row = {
        "row_key": f"{material}|{stage}|{figures.get('basis')}",
        "scope": "world_production",
        "geo_iso3": "WLD",
        "reference_year": 2024,
        "vintage_id": "latest",
        "material": material,
        "stage": stage,
        "basis": "gross_t",
        "hhi": 0.5,
        "top_supplier": "AAA",
        "top_share": 0.6,
        "is_top_tied": False,
        "quantity_total": 100.0,
        "n_suppliers_unquantified": 0,
        "flow_source": None,
        "source_edition_id": "made",
        "source_edition_ids": ["made"],
        "evidence_grade": "B",
        **figures,
    }
    marks = ", ".join("?" for _ in row)
    connection.execute(f"insert into mart_concentration values ({marks})", list(row.values()))


def consumed(connection: Any, value: float, form: str, country: str, edition: str = "new") -> None:
    connection.execute(
        "insert into fct_supply_balance values "
        "(?, ?, 'ore', 'mine', 'gross_t', 2024, 'consumption', ?, ?, ?)",
        [edition, country, form, value, f"{edition}-{country}-{form}"],
    )


def rows(connection: Any, mart: str) -> list[dict[str, Any]]:
    return connection.execute(model_sql(mart)).pl().to_dicts()


def test_the_bottleneck_is_the_stage_with_the_largest_share_of_its_chain(warehouse):
    concentrated(warehouse, "ore", "mine", top_share=0.4, hhi=0.7)
    concentrated(warehouse, "metal", "metal", top_share=0.8, hhi=0.6, top_supplier="BBB")
    [row] = rows(warehouse, "mart_stage_bottleneck")
    assert row["chain_id"] == "c"
    assert (row["bottleneck_stage"], row["bottleneck_top_supplier"]) == ("metal", "BBB")
    assert (row["max_hhi_stage"], row["max_hhi"]) == ("mine", 0.7)
    assert (row["hhi_mine"], row["hhi_refining"], row["hhi_metal"]) == (0.7, None, 0.6)
    assert row["n_stages_observed"] == 2


def test_a_tie_goes_to_the_earlier_stage(warehouse):
    concentrated(warehouse, "metal", "metal")
    concentrated(warehouse, "ore", "mine")
    [row] = rows(warehouse, "mart_stage_bottleneck")
    assert (row["bottleneck_stage"], row["max_hhi_stage"]) == ("mine", "mine")


def test_one_stage_is_no_chain(warehouse):
    concentrated(warehouse, "ore", "mine")
    concentrated(warehouse, "other", "metal")
    assert rows(warehouse, "mart_stage_bottleneck") == []


def test_tonnes_count_before_shares_and_two_units_are_told(warehouse):
    concentrated(warehouse, "ore", "mine", basis="share", hhi=0.9)
    concentrated(warehouse, "ore", "mine", evidence_grade="D", hhi=0.3)
    concentrated(warehouse, "metal", "metal", basis="element_t")
    [row] = rows(warehouse, "mart_stage_bottleneck")
    assert row["hhi_mine"] == 0.3
    assert row["is_basis_uniform"] is False
    assert row["concentration_keys"] == ["ore|mine|None", "metal|metal|element_t"]
    assert row["evidence_grade"] == "D"


def test_coverage_net_of_what_the_country_removed_consumes(warehouse):
    concentrated(warehouse, "ore", "mine")
    consumed(warehouse, 20, "apparent", "AAA")
    consumed(warehouse, 70, "apparent", "AAA", edition="old")
    [row] = rows(warehouse, "mart_n1_coverage")
    assert row["n1_gross"] == pytest.approx(0.4)
    assert row["n1_net"] == pytest.approx(0.5)
    assert row["demand_source"] == "supply of the year"
    assert row["source_edition_ids"] == ["made", "new"]
    assert row["n1_net_reason"] is None


def test_published_demand_of_the_world_counts_before_supply(warehouse):
    concentrated(warehouse, "ore", "mine")
    consumed(warehouse, 80, "apparent", "WLD")
    [row] = rows(warehouse, "mart_n1_coverage")
    assert (row["demand"], row["demand_source"]) == (80, "published")
    assert row["n1_gross"] == pytest.approx(0.5)
    assert (row["n1_net"], row["removed_demand"]) == (None, None)


def test_of_two_forms_of_consumption_none_is_taken(warehouse):
    concentrated(warehouse, "ore", "mine")
    consumed(warehouse, 20, "apparent, primary", "AAA")
    consumed(warehouse, 30, "apparent, all forms", "AAA")
    [row] = rows(warehouse, "mart_n1_coverage")
    assert row["n1_net"] is None
    assert "not published" in row["n1_net_reason"]


def test_who_consumes_all_leaves_no_net_coverage(warehouse):
    concentrated(warehouse, "ore", "mine")
    consumed(warehouse, 100, "apparent", "AAA")
    [row] = rows(warehouse, "mart_n1_coverage")
    assert row["n1_net"] is None
    assert "as much as there is demand" in row["n1_net_reason"]
