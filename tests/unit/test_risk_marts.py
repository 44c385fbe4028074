"""Stage bottleneck and supply without the largest supplier, on a few rows of what they rest on."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from pipelines.settings import PROJECT_ROOT
from tests.support.measures import create_measures
from tests.support.models import model_sql

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(
            f"""
            create table ref_threshold as from read_csv('{SEEDS / "ref_threshold.csv"}');
            create table ref_chain_step as
            from (values
                ('c', 1, 'ore', 'mine', 'ore', 'mine', 'gross_t', 'weight'),
                ('c', 2, 'metal', 'metal', null, null, null, 'none')
            ) as steps (chain_id, step_order, material, stage, production_material,
                production_stage, production_basis, relation);
            create table mart_import_reliance (
                row_key varchar, importer_iso3 varchar, material varchar, stage varchar,
                reference_year integer, vintage_id varchar, source_edition_ids varchar[],
                production_gross_t_low double, production_gross_t_high double,
                imports_gross_t double, imports_gross_t_low double, imports_gross_t_high double,
                exports_gross_t_low double, exports_gross_t_high double,
                consumption_gross_t_low double, consumption_gross_t_high double,
                computed_reliance_high double, evidence_grade varchar
            );
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


def balance(
    connection: Any,
    importer: str,
    made: tuple[float, float | None],
    imports: float | tuple[float, float, float],
    exports: float,
) -> None:
    """A balance of ore in 2024: production from, to; imports as held, least, most."""
    held, least, most = imports if isinstance(imports, tuple) else (imports, imports, imports)
    connection.execute(
        """insert into mart_import_reliance values
        ($key, $importer, 'ore', 'mine', 2024, 'latest', ['flows', 'made'], $low, $high, $held,
         $least, $most, $out, $out, greatest(0, $low + $least - $out), $high + $most - $out,
         0.5, 'C')""",
        {
            "key": f"{importer}|ore",
            "importer": importer,
            "low": made[0],
            "high": made[1],
            "held": held,
            "least": least,
            "most": most,
            "out": exports,
        },
    )


def imported(connection: Any, importer: str, total: float, top: float, **more: Any) -> None:
    """Imports of ore in 2024, the largest part from AAA."""
    concentrated(
        connection, "ore", "mine",
        **{
            "row_key": f"{importer}|{more.get('basis', 'gross_t')}|{more.get('reference_year')}",
            "scope": "import_sources", "geo_iso3": importer, "quantity_total": total,
            "top_share": top / total, "source_edition_id": "flows",
            "source_edition_ids": ["flows"], **more,
        },
    )  # fmt: skip


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


def test_an_importer_keeps_its_production_and_its_other_partners(warehouse):
    imported(warehouse, "JPN", 80, 50)
    balance(warehouse, "JPN", (40, 40), 80, 20)
    [row] = rows(warehouse, "mart_n1_coverage")
    assert (row["geo_iso3"], row["removed_country"]) == ("JPN", "AAA")
    assert (row["supply"], row["demand"], row["removed_supply"]) == (120, 100, 50)
    assert row["n1_gross"] == pytest.approx(0.7)
    assert (row["n1_gross_low"], row["n1_gross_high"]) == (row["n1_gross"], row["n1_gross"])
    assert (row["demand_source"], row["reliance_key"]) == ("production and trade", "JPN|ore")
    assert (row["n1_net"], row["removed_demand_low"]) == (None, None)
    assert "none of the country removed" in row["n1_net_reason"]
    assert row["source_edition_ids"] == ["flows", "made"]
    assert row["evidence_grade"] == "C"


def test_a_range_of_production_gives_bounds_of_coverage_and_no_middle(warehouse):
    imported(warehouse, "JPN", 80, 50)
    balance(warehouse, "JPN", (0, 40), 80, 20)
    [row] = rows(warehouse, "mart_n1_coverage")
    assert row["n1_gross"] is None
    assert row["n1_gross_low"] == pytest.approx(30 / 60)
    assert row["n1_gross_high"] == pytest.approx(70 / 100)
    assert (row["demand"], row["demand_low"], row["demand_high"]) == (None, 60, 100)
    assert row["n1_gross_reason"].startswith("bounds only")


def test_production_without_a_ceiling_may_cover_all(warehouse):
    imported(warehouse, "JPN", 80, 50)
    balance(warehouse, "JPN", (40, None), 80, 20)
    [row] = rows(warehouse, "mart_n1_coverage")
    assert row["n1_gross_low"] == pytest.approx(0.7)
    assert (row["n1_gross_high"], row["n1_gross"], row["demand_high"]) == (1.0, None, None)


def test_a_weight_in_doubt_may_be_that_of_the_country_removed(warehouse):
    imported(warehouse, "CHN", 80, 50)
    balance(warehouse, "CHN", (40, 40), (80, 80, 280), 20)
    [row] = rows(warehouse, "mart_n1_coverage")
    # AAA sends up to 250 of 300 consumed, or the others up to 230.
    assert row["n1_gross_low"] <= 70 / 300
    assert row["n1_gross_high"] >= 270 / 300


def test_where_consumption_is_not_known_imports_of_the_newest_year_stand_for_it(warehouse):
    for year in (2023, 2024):
        imported(warehouse, "JPN", 80, 50, reference_year=year)
        imported(warehouse, "JPN", 200, 150, basis="usd", reference_year=year)
    imported(warehouse, "USA", 1, 0.7, basis="share")
    imported(warehouse, "FRA", 80, 50, basis="usd", reference_year=2023)
    found = {row["geo_iso3"]: row for row in rows(warehouse, "mart_n1_coverage")}
    assert set(found) == {"JPN", "USA"}
    assert (found["JPN"]["basis"], found["JPN"]["reference_year"]) == ("usd", 2024)
    assert found["JPN"]["n1_gross"] == pytest.approx(0.25)
    assert found["USA"]["n1_gross"] == pytest.approx(0.3)
    assert {row["demand_source"] for row in found.values()} == {"imports of the year"}


def test_balanced_consumption_of_the_country_removed_gives_a_net_coverage(warehouse):
    concentrated(warehouse, "ore", "mine")
    balance(warehouse, "AAA", (60, 60), 5, 45)
    [row] = rows(warehouse, "mart_n1_coverage")
    assert row["removed_demand"] == 20
    assert row["n1_net"] == pytest.approx(0.5)
    assert row["reliance_key"] == "AAA|ore"
    assert row["source_edition_ids"] == ["flows", "made"]
    balance(warehouse, "BBB", (1, 1), 5, 0)
    consumed(warehouse, 60, "apparent", "AAA")
    [row] = rows(warehouse, "mart_n1_coverage")
    # What is published counts first.
    assert (row["removed_demand"], row["reliance_key"]) == (60, None)
    assert row["n1_net"] == pytest.approx(1.0)


def test_a_range_of_the_consumption_removed_bounds_the_net_coverage(warehouse):
    concentrated(warehouse, "ore", "mine")
    balance(warehouse, "AAA", (60, 80), 5, 45)
    [row] = rows(warehouse, "mart_n1_coverage")
    assert (row["removed_demand"], row["removed_demand_low"], row["removed_demand_high"]) == (
        None, 20, 40,
    )  # fmt: skip
    assert row["n1_net"] is None
    assert (row["n1_net_low"], row["n1_net_high"]) == (pytest.approx(0.5), pytest.approx(2 / 3))
    assert row["n1_net_reason"].startswith("bounds only")
