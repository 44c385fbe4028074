"""Country profiles: which year and which rows of the other marts stand side by side."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.settings import PROJECT_ROOT
from tests.support.models import model_sql

MARTS = PROJECT_ROOT / "dbt_project" / "models" / "marts"
READ = (
    "mart_dependency_flags", "mart_import_reliance", "mart_concentration", "mart_import_dependency",
    "mart_uncertainty", "mart_lookthrough", "mart_policy_exposure", "mart_partner_share",
    "mart_revision_diff", "mart_n1_coverage", "dim_vintage",
)  # fmt: skip
KEY = {"material": "ore", "stage": "mine", "vintage_id": "latest"}


def columns(table: str) -> str:
    """The columns of a table with their types, as its contract has them."""
    [path] = MARTS.rglob(f"{table}.yml")
    [model] = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    return ", ".join(f"{column['name']} {column['data_type']}" for column in model["columns"])


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        for table in READ:
            connection.execute(f"create table {table} ({columns(table)})")
        connection.execute(
            """
            create table int_supplier_quantity (
                vintage_id varchar, scope varchar, material varchar, stage varchar, basis varchar,
                geo_iso3 varchar, reference_year integer, supplier_iso3 varchar,
                is_residual boolean, quantity double
            );
            create table ref_country_group as
            from (values ('CHN', true, null::date), ('USA', false, null))
                as sets (country_iso3, is_default_set, valid_to)
            """
        )
        yield connection


@pytest.fixture
def warehouse(database):
    fresh(database)
    return database


def fresh(connection: Any) -> None:
    for table in (*READ, "int_supplier_quantity"):
        connection.execute(f"delete from {table}")
    connection.execute(
        "insert into dim_vintage (vintage_id, is_latest, vintage_order) "
        "values ('2025-12-31', false, 1), ('latest', true, 2)"
    )


def put(connection: Any, table: str, **row: Any) -> None:
    names, marks = ", ".join(row), ", ".join("?" for _ in row)
    connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))


def sources(connection: Any, importer: str = "JPN", year: int = 2024, **more: Any) -> None:
    """An importer's row of the flags and of its sources, by value."""
    row = {**KEY, "reference_year": year, "basis": "usd", **more}
    editions = row.pop("source_edition_ids", ["flows"])
    key = f"{importer}|{row['material']}|{row['stage']}|{year}|{row['vintage_id']}"
    grade = row.pop("evidence_grade", "B")
    shared = {
        "source_edition_id": "flows",
        "source_edition_ids": editions,
        "flow_source": "baci",
        "evidence_grade": grade,
    }
    place = {k: row[k] for k in (*KEY, "reference_year", "basis")}
    put(connection, "mart_dependency_flags", row_key=key, importer_iso3=importer, **shared, **row)
    put(
        connection, "mart_concentration",
        row_key=f"{key}|usd", scope="import_sources", geo_iso3=importer, hhi_high=0.9, n_eff=2.0,
        **shared, **place,
    )  # fmt: skip


def reliance(connection: Any, importer: str = "JPN", year: int = 2024, **more: Any) -> None:
    row = {**KEY, "reference_year": year, "import_reliance_source": "computed", **more}
    put(
        connection, "mart_import_reliance",
        **{
            "row_key": f"{importer}|{year}|{row['vintage_id']}", "importer_iso3": importer,
            "source_edition_id": "made", "source_edition_ids": ["flows", "made"],
            "evidence_grade": "C", **row,
        },
    )  # fmt: skip


def profiles(connection: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Profiles by importer and vintage."""
    found = connection.execute(model_sql("mart_country_profile")).pl().to_dicts()
    by_key = {(row["importer_iso3"], row["vintage_id"]): row for row in found}
    assert len(by_key) == len(found)
    return by_key


def test_the_newest_year_of_the_market_stands_and_its_rows_are_named(warehouse):
    sources(warehouse, year=2023, hhi_imports=0.9, top_partner="CHN", top_share=0.9)
    sources(warehouse, hhi_imports=0.5, top_partner="AUS", top_share=0.6, imports_usd=100.0)
    sources(warehouse, "FRA", year=2023)
    reliance(warehouse, import_reliance=0.8, reason=None)
    reliance(warehouse, year=2025, import_reliance=0.1)
    found = profiles(warehouse)
    assert set(found) == {("JPN", "latest")}
    row = found["JPN", "latest"]
    assert (row["reference_year"], row["hhi_imports"], row["top_partner"]) == (2024, 0.5, "AUS")
    assert (row["import_reliance"], row["hhi_high"], row["n_eff"]) == (0.8, 0.9, 2.0)
    assert row["flags_key"] == "JPN|ore|mine|2024|latest"
    assert row["concentration_key"] == "JPN|ore|mine|2024|latest|usd"
    assert row["reliance_key"] == "JPN|2024|latest"
    assert row["source_edition_ids"] == ["flows", "made"]
    assert row["evidence_grade"] == "B"


def test_a_vintage_without_trade_has_what_is_published_of_reliance(warehouse):
    sources(warehouse)
    reliance(
        warehouse, "USA", 2024, vintage_id="2025-12-31",
        import_reliance_source="published", import_reliance=0.8,
    )  # fmt: skip
    reliance(
        warehouse, "USA", 2023, vintage_id="2025-12-31",
        import_reliance_source="published", import_reliance=0.9,
    )  # fmt: skip
    row = profiles(warehouse)["USA", "2025-12-31"]
    assert (row["reference_year"], row["import_reliance"], row["flags_key"]) == (2024, 0.8, None)
    assert row["dependency_reason"] == "no sources of imports are held for this year"
    assert row["evidence_grade"] == "C"


def test_a_reliance_that_is_not_known_makes_no_profile(warehouse):
    reliance(warehouse, import_reliance_source=None, reason="too little of the trade has a weight")
    assert profiles(warehouse) == {}


def test_the_partner_of_the_largest_share_of_consumption_is_named_with_its_interval(warehouse):
    sources(
        warehouse, max_dependency=0.5, max_dependency_low=0.5, max_dependency_high=0.5,
        dependency_basis="gross_t",
    )  # fmt: skip
    for partner, basis, share in (
        ("BRA", "gross_t", 0.5), ("AUS", "gross_t", 0.3), ("CHN", "usd", 0.9),
        (None, "gross_t", 0.6),
    ):  # fmt: skip
        put(
            warehouse, "mart_import_dependency",
            row_key=f"dependency-{partner}", importer_iso3="JPN", reference_year=2024, basis=basis,
            partner_iso3=partner, is_residual=partner is None, dependency_high=share, **KEY,
        )  # fmt: skip
    for threshold, metric, p05 in (
        ("crma_65", "max_dependency", 0.4), ("ec_cdi1", "hhi_imports", 0.2),
        ("geodep_imports", "hhi_imports", 0.2),
    ):  # fmt: skip
        put(
            warehouse, "mart_uncertainty",
            mart="mart_dependency_flags", mart_row_key="JPN|ore|mine|2024|latest", metric=metric,
            threshold_id=threshold, p05=p05, p95=0.7, probability_above=0.1,
        )  # fmt: skip
    row = profiles(warehouse)["JPN", "latest"]
    assert (row["dependency_partner"], row["dependency_key"]) == ("BRA", "dependency-BRA")
    assert (row["max_dependency_p05"], row["max_dependency_p95"]) == (0.4, 0.7)
    assert (row["hhi_imports_p05"], row["probability_above_65"]) == (0.2, 0.1)
    assert row["dependency_reason"] is None


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("bounds only", "bounds only"),
        (None, "net import reliance is neither published nor can it be balanced"),
    ],
)
def test_a_share_of_consumption_that_is_not_known_says_why(warehouse, reason, told):
    sources(warehouse)
    if reason:
        reliance(warehouse, reason=reason)
    assert profiles(warehouse)["JPN", "latest"]["dependency_reason"] == told


def behind(connection: Any, importer: str, origin: str, **more: Any) -> None:
    put(
        connection, "mart_lookthrough",
        **{
            "row_key": f"{importer}-{origin}-{more.get('universe', 'imports')}",
            "importer_iso3": importer, "origin_iso3": origin, "reference_year": 2024,
            "universe": "imports", "evidence_grade": "E", "source_edition_ids": ["mines"],
            **KEY, **more,
        },
    )  # fmt: skip


def test_the_default_set_is_looked_through_but_not_for_itself(warehouse):
    for importer in ("JPN", "CHN"):
        sources(warehouse, importer)
        behind(
            warehouse, importer, "CHN", direct_share=0.2, lookthrough_share=0.5,
            lookthrough_low=0.4, lookthrough_high=0.6, hidden_pp=30.0,
        )  # fmt: skip
        behind(warehouse, importer, "CHN", universe="supply", any_stage_exposure=0.45)
        behind(warehouse, importer, "USA", direct_share=0.7, lookthrough_share=0.4)
    found = profiles(warehouse)
    row = found["JPN", "latest"]
    assert (row["set_direct_share"], row["set_lookthrough_share"]) == (0.2, 0.5)
    assert (row["set_lookthrough_low"], row["set_lookthrough_high"]) == (0.4, 0.6)
    assert (row["set_hidden_pp"], row["any_stage_exposure"]) == (30.0, 0.45)
    assert row["lookthrough_keys"] == ["JPN-CHN-imports", "JPN-CHN-supply"]
    assert (row["lookthrough_grade"], row["evidence_grade"]) == ("E", "B")
    assert row["source_edition_ids"] == ["flows", "mines"]
    itself = found["CHN", "latest"]
    assert (itself["set_direct_share"], itself["any_stage_exposure"]) == (None, None)
    assert itself["lookthrough_keys"] == []


def test_own_production_coverage_controls_groups_and_revision_stand_beside(warehouse):
    sources(warehouse)
    for basis, quantity in (("share", 0.2), ("gross_t", 25.0)):
        put(
            warehouse, "mart_concentration",
            row_key=f"world-{basis}", scope="world_production", geo_iso3="WLD", basis=basis,
            reference_year=2024, quantity_total=100.0, source_edition_ids=["mines"], **KEY,
        )  # fmt: skip
        put(
            warehouse, "int_supplier_quantity",
            scope="world_production", geo_iso3="WLD", basis=basis, reference_year=2024,
            supplier_iso3="JPN", is_residual=False, quantity=quantity, **KEY,
        )  # fmt: skip
    put(
        warehouse, "mart_n1_coverage",
        row_key="coverage", geo_iso3="JPN", reference_year=2024, removed_country="AUS",
        n1_gross=0.4, n1_gross_low=0.4, n1_gross_high=0.4, demand_source="imports of the year",
        evidence_grade="B", source_edition_ids=["flows"], **KEY,
    )  # fmt: skip
    for day, state in ((date(2025, 1, 1), "none"), (date(2026, 1, 1), "in force")):
        put(
            warehouse, "mart_policy_exposure",
            row_key=f"{day}", importer_iso3="JPN", material="ore", stage="mine", basis="usd",
            as_of_date=day, status=state, share_under_control=0.3, source_edition_ids=["flows"],
        )  # fmt: skip
    for group, is_in_force in (("quad", True), ("ended", False)):
        put(
            warehouse, "mart_partner_share",
            row_key=group, geo_iso3="JPN", scope="import_sources", basis="usd",
            reference_year=2024, group_id=group, group_version="2021", is_in_force=is_in_force,
            group_share=0.6, **KEY,
        )  # fmt: skip
    put(
        warehouse, "mart_revision_diff",
        row_key="revision", scope="import_sources", geo_iso3="JPN", material="ore", stage="mine",
        reference_year=2024, metric="hhi", basis="usd", vintage_from="2025-12-31",
        vintage_to="latest", delta=0.1, source_edition_ids=["flows", "older"],
    )  # fmt: skip
    row = profiles(warehouse)["JPN", "latest"]
    assert (row["production"], row["production_basis"]) == (25, "gross_t")
    assert (row["production_world_share"], row["production_key"]) == (0.25, "world-gross_t")
    assert (row["n1_gross"], row["n1_key"], row["n1_grade"]) == (0.4, "coverage", "B")
    assert (row["control_status"], row["control_as_of_date"]) == ("in force", date(2026, 1, 1))
    assert row["group_shares"] == [
        {"group_id": "quad", "group_version": "2021", "group_share": 0.6}
    ]
    assert (row["revised_metric"], row["revision_delta"]) == ("hhi", 0.1)
    assert row["revised_from_vintage_id"] == "2025-12-31"
    assert row["source_edition_ids"] == ["flows", "mines", "older"]


market = st.tuples(
    st.sampled_from(["JPN", "FRA", "CHN"]),
    st.integers(2021, 2025),
    st.sampled_from(["latest", "2025-12-31"]),
)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(held=st.sets(market, max_size=12), balanced=st.sets(market, max_size=12))
def test_a_market_has_one_year_and_an_importer_one_row(database, held, balanced):
    fresh(database)
    for importer, year, vintage in held:
        sources(database, importer, year, vintage_id=vintage)
    for importer, year, vintage in balanced:
        reliance(database, importer, year, vintage_id=vintage)
    found = profiles(database)
    for vintage in ("latest", "2025-12-31"):
        years = {y for _, y, v in held if v == vintage} or {
            y for _, y, v in balanced if v == vintage
        }
        told = {row["reference_year"] for (_, v), row in found.items() if v == vintage}
        assert told == ({max(years)} if years else set())
        wanted = {i for i, y, v in held | balanced if v == vintage and y in told}
        assert {i for i, v in found if v == vintage} == wanted
