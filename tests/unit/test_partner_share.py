"""Shares of sets of countries, on a few rows of what they rest on."""

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
            create table ref_country as from read_csv('{SEEDS / "ref_country.csv"}');
            create table ref_country_group as
            select group_id, group_version::varchar as group_version, country_iso3,
                valid_from::date as valid_from, valid_to::date as valid_to
            from read_csv('{SEEDS / "ref_country_group.csv"}', all_varchar := true);
            create table int_supplier_quantity (
                vintage_id varchar, scope varchar, material varchar, stage varchar, basis varchar,
                geo_iso3 varchar, reference_year integer, supplier_iso3 varchar, quantity double,
                evidence_grade varchar
            )
            """
        )
        yield connection


def supply(
    connection: Any, scope: str, geo: str, by_supplier: dict[str | None, float], **more: Any
) -> None:
    row = {"basis": "gross_t", "year": 2023, **more}
    connection.executemany(
        "insert into int_supplier_quantity values ('latest', ?, 'Er', 'mine', ?, ?, ?, ?, ?, 'B')",
        [(scope, row["basis"], geo, row["year"], s, q) for s, q in by_supplier.items()],
    )


def rows(connection: Any, mart: str) -> list[dict[str, Any]]:
    connection.execute(
        """
        create or replace table mart_concentration as
        select concat_ws('|', scope, geo_iso3, reference_year, basis) as row_key,
            * exclude (supplier_iso3, quantity),
            sum(quantity) as quantity_total,
            hhi(list(quantity) filter (where supplier_iso3 is not null),
                coalesce(sum(quantity) filter (where supplier_iso3 is null), 0)) as hhi,
            coalesce(sum(quantity) filter (where supplier_iso3 is null), 0) / sum(quantity)
                as residual_share,
            0 as n_suppliers_unquantified, 'made-a' as source_edition_id,
            ['made-a'] as source_edition_ids, null::varchar as flow_source
        from int_supplier_quantity
        group by all
        """
    )
    return connection.execute(model_sql(mart)).pl().to_dicts()


def shares(connection: Any, geo: str = "WLD") -> dict[tuple[str, str], dict[str, Any]]:
    found = rows(connection, "mart_partner_share")
    return {(r["group_id"], r["group_version"]): r for r in found if r["geo_iso3"] == geo}


def test_two_versions_of_a_set_give_two_shares_of_one_year(warehouse):
    supply(warehouse, "world_production", "WLD", {"CHN": 70, "USA": 12, "AUS": 8, "GBR": 10})
    found = shares(warehouse)
    assert found["us_japan_framework", "1"]["group_share"] == pytest.approx(0.12)
    assert found["us_japan_framework", "2"]["group_share"] == pytest.approx(0.20)
    assert found["eu", "1"]["group_share"] == pytest.approx(0.10)
    assert found["eu", "2"]["group_share"] == 0


def test_a_version_is_taken_for_every_year_and_says_whether_it_stood(warehouse):
    for year in (2012, 2019, 2020, 2025):
        supply(warehouse, "world_production", "WLD", {"CHN": 70, "GBR": 30}, year=year)
    found = {
        (r["group_version"], r["reference_year"]): r["is_in_force"]
        for r in rows(warehouse, "mart_partner_share")
        if r["group_id"] == "eu"
    }
    assert [found["1", y] for y in (2012, 2019, 2020)] == [False, True, False]
    assert [found["2", y] for y in (2019, 2020, 2025)] == [False, True, True]


def test_the_set_is_measured_inside_and_its_largest_rival_outside(warehouse):
    supply(
        warehouse, "world_production", "WLD", {"CHN": 50, "RUS": 10, "USA": 15, "AUS": 15, None: 10}
    )
    found = shares(warehouse)["quad", "1"]
    assert found["group_share"] == pytest.approx(0.30)
    assert found["group_hhi"] == pytest.approx(0.5)
    assert (found["non_group_top"], found["non_group_top_share"]) == ("CHN", pytest.approx(0.5))
    assert found["unnamed_share"] == pytest.approx(0.1)
    nobody = shares(warehouse)["eu", "2"]
    assert (nobody["group_share"], nobody["group_hhi"], nobody["n_group_suppliers"]) == (0, None, 0)


def test_importers_are_measured_by_the_sets_that_they_belong_to(warehouse):
    for importer in ("JPN", "KOR", "EU27"):
        supply(warehouse, "import_sources", importer, {"AUS": 40, "CHN": 60}, basis="usd")
    assert {g for g, _ in shares(warehouse, "JPN")} == {"g7", "quad", "us_japan_framework"}
    assert shares(warehouse, "KOR") == {}
    # Members supply the EU nothing from outside, so there is no row for the set of members.
    assert ("eu", "2") not in shares(warehouse, "EU27")
    assert shares(warehouse, "EU27")["quad", "1"]["group_share"] == pytest.approx(0.4)
