"""The 65 % flag and the years that flags persist, on a few rows of what they rest on."""

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
            create table dim_country as
            from (values ('DEU', true)) as countries (country_iso3, is_eu27);
            create table mart_concentration (
                vintage_id varchar, scope varchar, geo_iso3 varchar, material varchar,
                stage varchar, reference_year integer, basis varchar, hhi double,
                top_supplier varchar, top_share double, quantity_total double,
                source_edition_id varchar, source_edition_ids varchar[], flow_source varchar,
                evidence_grade varchar
            );
            create table int_trade__by_material (
                flow_source varchar, source_edition_id varchar, material varchar, stage varchar,
                reference_year integer, exporter_iso3 varchar, importer_iso3 varchar,
                value_usd double, is_eu27_total boolean
            );
            create table int_trade__edition_choice (
                vintage_id varchar, material varchar, stage varchar, reference_year integer,
                flow_source varchar, source_edition_id varchar
            );
            create table mart_import_dependency (
                vintage_id varchar, importer_iso3 varchar, material varchar, stage varchar,
                reference_year integer, basis varchar, import_reliance_source varchar,
                is_residual boolean, dependency double, dependency_low double,
                dependency_high double, evidence_grade varchar, source_edition_ids varchar[]
            );
            create table mart_import_reliance (
                vintage_id varchar, importer_iso3 varchar, material varchar, stage varchar,
                reference_year integer, consumption_gross_t_low double,
                consumption_gross_t_high double, import_reliance_high double, reason varchar
            );
            create table fct_supply_balance (
                source_edition_id varchar, country_iso3 varchar, material varchar, stage varchar,
                reference_year integer, measure varchar, form varchar, value double
            );
            create table int_edition__by_vintage (
                vintage_id varchar, source_edition_id varchar, recency integer
            )
            """
        )
        yield connection


def imported(connection: Any, top_share: float, year: int = 2023, basis: str = "usd") -> None:
    connection.execute(
        """insert into mart_concentration values
        ('latest', 'import_sources', 'JPN', 'ore', 'mine', $1, $2, 0.5, 'CHN', $3, 100, 'flows',
         ['flows'], 'baci', 'B')""",
        [year, basis, top_share],
    )


def depends(
    connection: Any, low: float, high: float, year: int = 2023, basis: str = "gross_t",
    source: str = "computed",
) -> None:  # fmt: skip
    central = low if low == high else None
    connection.execute(
        """insert into mart_import_dependency values
        ('latest', 'JPN', 'ore', 'mine', $1, $2, $3, false, $4, $5, $6, 'C', ['flows', 'mines'])""",
        [year, basis, source, central, low, high],
    )


def flags(connection: Any) -> list[dict[str, Any]]:
    rows = connection.execute(model_sql("mart_dependency_flags")).pl()
    return rows.sort("reference_year").to_dicts()


def test_nobody_has_more_of_consumption_than_of_imports(warehouse):
    imported(warehouse, 0.6)
    [row] = flags(warehouse)
    assert row["crma65_flag"] is False
    assert row["crma65_reason"] is None
    assert row["max_dependency"] is None, "what share of consumption it is stays open"


def test_more_than_the_limit_by_weight_leaves_it_open(warehouse):
    imported(warehouse, 0.6)
    imported(warehouse, 0.7, basis="gross_t")
    [row] = flags(warehouse)
    assert row["crma65_flag"] is None
    assert "neither published nor" in row["crma65_reason"]


@pytest.mark.parametrize(
    ("low", "high", "flag"), [(0.7, 0.9, True), (0.7, 0.7, True), (0.1, 0.9, None)]
)
def test_bounds_decide_where_they_lie_on_one_side(warehouse, low, high, flag):
    imported(warehouse, 0.9)
    depends(warehouse, low, high)
    [row] = flags(warehouse)
    assert row["crma65_flag"] is flag
    assert (row["crma65_reason"] is None) == (flag is not None)
    assert row["dependency_basis"] == "gross_t"
    assert row["source_edition_ids"] == ["flows", "mines"]
    assert row["evidence_grade"] == "C", "the weaker of both"


def test_a_balanced_reliance_goes_with_shares_by_weight_and_a_published_one_with_the_others(
    warehouse,
):
    imported(warehouse, 0.9)
    depends(warehouse, 0.9, 0.9, basis="usd")
    [row] = flags(warehouse)
    assert row["max_dependency"] is None
    warehouse.execute("update mart_import_dependency set import_reliance_source = 'published'")
    [row] = flags(warehouse)
    assert (row["max_dependency"], row["dependency_basis"]) == (0.9, "usd")


def test_three_years_are_counted(warehouse):
    for year, share in ((2020, 0.8), (2021, 0.5), (2022, 0.8), (2023, 0.9)):
        imported(warehouse, share, year)
        depends(warehouse, share, share, year)
    assert [row["crma65_years_of_3"] for row in flags(warehouse)] == [1, 1, 2, 2]
    assert [row["cdi1_years_of_3"] for row in flags(warehouse)] == [1, 2, 3, 3]
