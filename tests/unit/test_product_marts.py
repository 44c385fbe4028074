"""Contents of derived products and unit values of flows, on a few rows of what they rest on."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from pipelines.settings import PROJECT_ROOT
from pipelines.stoichiometry import mass_share
from tests.support.measures import create_measures
from tests.support.models import model_sql

_SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"


@pytest.fixture
def warehouse():
    with duckdb.connect() as connection:
        create_measures(connection)
        # An empty column has no type to guess.
        for seed, types in (
            ("ref_product_family", "{'hs_code': 'varchar', 'code_share_central': 'double'}"),
            ("ref_product_content", "{'share_central': 'double'}"),
            ("ref_magnet_grade", "{'share_central': 'double'}"),
            ("ref_element_content", "{'symbol': 'varchar'}"),
            ("ref_threshold", "{'lower': 'double'}"),
            ("ref_hs_material", "{'hs_code': 'varchar'}"),
        ):
            connection.execute(
                f"create table {seed} as "
                f"from read_csv('{_SEEDS / seed}.csv', header = true, types = {types})"
            )
        connection.execute(
            """
            create table dim_country as
            from (values ('DEU', true), ('FRA', true), ('CHN', false), ('JPN', false))
                as countries (country_iso3, is_eu27);
            create table int_trade__edition_choice (
                vintage_id varchar, material varchar, stage varchar, reference_year smallint,
                flow_source varchar, source_edition_id varchar, source_edition_ids varchar[]
            );
            create table fct_trade_flow (
                flow_source varchar, source_edition_id varchar, hs_code varchar,
                exporter_iso3 varchar, importer_iso3 varchar, reference_year smallint,
                trade_value_usd double, net_weight_kg double, quantity_method varchar,
                evidence_grade varchar
            );
            """
        )
        for material in ("permanent_magnets", "lithium_ion_batteries", "Pt"):
            for year in range(2015, 2025):
                connection.execute(
                    "insert into int_trade__edition_choice values "
                    "('latest', ?, 'product', ?, 'monazite', 'made', ['made', 'other'])",
                    [material, year],
                )
        yield connection


def flow(
    connection: Any,
    usd: float,
    kg: float | None,
    *,
    code: str = "850511",
    exporter: str = "CHN",
    importer: str = "DEU",
    year: int = 2024,
    method: str = "both_reports",
) -> None:
    connection.execute(
        "insert into fct_trade_flow values ('monazite', 'made', ?, ?, ?, ?, ?, ?, ?, 'B')",
        [code, exporter, importer, year, usd, kg, method],
    )


def contents(connection: Any, importer: str) -> dict[str, dict[str, Any]]:
    rows = connection.execute(model_sql("mart_product_content")).pl().to_dicts()
    return {row["element"]: row for row in rows if row["importer_iso3"] == importer}


def unit_values(connection: Any) -> dict[int, dict[str, Any]]:
    rows = connection.execute(model_sql("mart_unit_value")).pl().to_dicts()
    return {row["reference_year"]: row for row in rows}


def test_a_code_with_other_magnets_gives_a_range_from_none_to_all(warehouse):
    flow(warehouse, 5e6, 100_000)
    found = contents(warehouse, "DEU")
    assert set(found) == {"Nd", "Pr", "Dy", "Tb", "REE_total"}
    neodymium = found["Nd"]
    assert neodymium["gross_t"] == 100
    assert neodymium["element_low_t"] == 0
    assert neodymium["element_central_t"] is None
    assert neodymium["element_high_t"] == pytest.approx(25)
    assert neodymium["element_if_whole_t"] == pytest.approx(22)
    assert neodymium["reo_if_whole_t"] == pytest.approx(22 / mass_share("Nd", "Nd2O3"))
    assert "not published" in neodymium["reason"]
    assert neodymium["evidence_grade"] == "E"
    # No single factor turns a mixture into its oxides.
    assert found["REE_total"]["reo_high_t"] is None


def test_a_known_share_of_the_code_gives_a_central_content(warehouse):
    warehouse.execute("update ref_product_family set code_share_central = 0.5, reason = null")
    flow(warehouse, 5e6, 100_000)
    neodymium = contents(warehouse, "DEU")["Nd"]
    assert neodymium["element_central_t"] == pytest.approx(11)
    assert neodymium["reason"] is None


def test_without_a_weight_there_is_value_only_and_a_reason(warehouse):
    flow(warehouse, 5e6, None)
    dysprosium = contents(warehouse, "DEU")["Dy"]
    assert dysprosium["imports_usd"] == 5e6
    assert dysprosium["weight_coverage"] == 0
    assert dysprosium["element_high_t"] is None
    assert dysprosium["reason"] == "no weight is held for these flows"


def test_flows_with_a_weight_count_and_the_rest_is_told(warehouse):
    flow(warehouse, 3e6, 60_000)
    flow(warehouse, 1e6, None, exporter="JPN")
    neodymium = contents(warehouse, "DEU")["Nd"]
    assert (neodymium["gross_t"], neodymium["weight_coverage"]) == (60, 0.75)


def test_the_eu_leaves_out_trade_within(warehouse):
    flow(warehouse, 5e6, 100_000)
    flow(warehouse, 1e6, 10_000, exporter="DEU", importer="FRA")
    assert contents(warehouse, "EU27")["Nd"]["gross_t"] == 100
    assert contents(warehouse, "FRA")["Nd"]["gross_t"] == 10


def test_batteries_are_bounded_by_the_formulas_of_cathodes(warehouse):
    flow(warehouse, 5e6, 1_000_000, code="850760")
    found = contents(warehouse, "DEU")
    least, most = 0.15, 0.45
    for element, formula, share, end in (
        ("Li", "LiMn2O4", least, "low"),
        ("Li", "LiNi0.8Co0.15Al0.05O2", most, "high"),
        ("Ni", "LiNiO2", most, "high"),
        ("Co", "LiCoO2", most, "high"),
        ("Mn", "LiMn2O4", most, "high"),
    ):
        tonnes = 1000 * share * mass_share(element, formula)
        assert found[element][f"element_{end}_t"] == pytest.approx(tonnes, rel=0.02), element
    assert found["Li"]["element_central_t"] is None
    assert found["natural_graphite"]["element_high_t"] is None
    assert all(row["reo_high_t"] is None and row["reason"] for row in found.values())


def test_a_unit_value_far_from_five_years_is_an_outlier(warehouse):
    for year in range(2019, 2024):
        flow(warehouse, 1_000_000 + 1000 * year, 50_000, year=year)
    flow(warehouse, 1_000_000, 500, year=2024)
    found = unit_values(warehouse)
    assert found[2023]["uv_usd_per_kg"] == pytest.approx(60.46)
    assert found[2023]["outlier_flag"] is False
    assert found[2024]["outlier_flag"] is True
    assert found[2024]["robust_z"] > 3
    assert found[2024]["median_5y_usd_per_kg"] == pytest.approx(60.44)
    assert found[2024]["source_edition_ids"] == ["made", "other"]


def test_two_years_say_nothing_of_a_third(warehouse):
    flow(warehouse, 1_000_000, 50_000, year=2023)
    flow(warehouse, 1_000_000, 500, year=2024)
    found = unit_values(warehouse)
    assert [found[year]["n_years"] for year in (2023, 2024)] == [1, 2]
    assert found[2024]["robust_z"] is None
    assert found[2024]["outlier_flag"] is None


def test_years_before_the_five_do_not_count(warehouse):
    for year in (2015, 2016, 2017):
        flow(warehouse, 1_000_000, 50_000, year=year)
    flow(warehouse, 1_000_000, 500, year=2024)
    assert unit_values(warehouse)[2024]["n_years"] == 1


def test_an_imputed_weight_is_flagged_and_judges_no_other_year(warehouse):
    for year in range(2020, 2024):
        flow(warehouse, 1_000_000, 50_000, year=year, method="median_unit_value")
    flow(warehouse, 1_000_000, 500, year=2024)
    found = unit_values(warehouse)
    assert found[2023]["qty_imputed_flag"] is True
    assert found[2023]["evidence_grade"] == "E"
    assert found[2023]["robust_z"] is None
    assert (found[2024]["n_years"], found[2024]["robust_z"]) == (1, None)


def test_a_weight_of_cepii_is_not_called_reported(warehouse):
    flow(warehouse, 1_000_000, 50_000, method="reconciled_by_cepii")
    assert unit_values(warehouse)[2024]["qty_imputed_flag"] is None


def test_two_codes_of_one_country_are_one_flow(warehouse):
    flow(warehouse, 1_000_000, 50_000)
    flow(warehouse, 1_000_000, 150_000)
    assert unit_values(warehouse)[2024]["uv_usd_per_kg"] == 10


def test_small_flows_have_no_unit_value(warehouse):
    flow(warehouse, 99_999, 10)
    flow(warehouse, 1_000_000, None, exporter="JPN")
    assert unit_values(warehouse) == {}


@pytest.mark.parametrize(("usd", "kg"), [(0, 5), (5, 0), (None, 5), (5, None), (-1, 5)])
def test_a_unit_value_of_nothing_is_null(warehouse, usd, kg):
    assert warehouse.execute("select unit_value(?, ?)", [usd, kg]).fetchone() == (None,)
