"""Net import reliance of the United States and stock cover, on a few rows of what they rest on."""

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
            create table fct_supply_balance (
                source_edition_id varchar, country_iso3 varchar, material varchar, stage varchar,
                measure varchar, form varchar, basis varchar, reference_year integer,
                value double, value_low double, value_high double, value_flag varchar,
                cell_id varchar, evidence_grade varchar
            );
            create table ref_us_balance (
                material varchar, stage varchar, role varchar, line_measure varchar,
                line_stage varchar, line_form varchar
            );
            insert into ref_us_balance values
                ('Er', 'refining', 'consumption', 'consumption', 'refining', 'apparent'),
                ('Er', 'refining', 'production', 'production', 'mine', null),
                ('Er', 'refining', 'production', 'production', 'refining', 'secondary');
            create table int_edition__by_vintage as
            from (values
                ('2024-12-31', 'usgs_mcs-2024', 'usgs_mcs', 1),
                ('latest', 'usgs_mcs-2026', 'usgs_mcs', 1),
                ('latest', 'usgs_mcs-2024', 'usgs_mcs', 2)
            ) as editions (vintage_id, source_edition_id, source_id, recency);
            create table dim_edition as
            from (values
                ('usgs_mcs-2024', 'usgs_mcs', '2024'), ('usgs_mcs-2026', 'usgs_mcs', '2026')
            ) as editions (source_edition_id, source_id, edition_label);
            create table ref_stock_plan as from read_csv('{SEEDS / "ref_stock_plan.csv"}');
            create table mart_concentration (
                row_key varchar, vintage_id varchar, material varchar, stage varchar,
                scope varchar, basis varchar, reference_year integer, hhi double,
                evidence_grade varchar, source_edition_ids varchar[]
            )
            """
        )
        yield connection


def printed(connection: Any, measure: str, value: float | None, **more: Any) -> None:
    """A cell of the balance; the lines of one commodity in one year unless told."""
    row = {
        "edition": "usgs_mcs-2026",
        "material": "Er",
        "stage": "refining",
        "form": None,
        "basis": "element_t",
        "low": value,
        "high": value,
        "flag": "reported" if value is not None else "withheld",
        "grade": "A",
        **more,
    }
    cell = "|".join(str(row[k]) for k in ("edition", "stage", "form")) + f"|{measure}"
    connection.execute(
        "insert into fct_supply_balance values (?, 'USA', ?, ?, ?, ?, ?, 2024, ?, ?, ?, ?, ?, ?)",
        [row["edition"], row["material"], row["stage"], measure, row["form"], row["basis"], value,
         row["low"], row["high"], row["flag"], cell, row["grade"]],
    )  # fmt: skip


def balance(
    connection: Any, consumption: float | None, mined: float | None, secondary: float | None,
    reliance: float | None, **more: Any,
) -> None:  # fmt: skip
    bounds = {k: more.pop(k) for k in ("low", "high", "flag") if k in more}
    printed(connection, "consumption", consumption, form="apparent", **more)
    printed(connection, "production", mined, **{"stage": "mine", **more})
    printed(connection, "production", secondary, form="secondary", **more)
    printed(connection, "net_import_reliance", reliance, **{**more, "basis": "share", **bounds})


def rows(connection: Any, mart: str) -> list[dict[str, Any]]:
    published = "int_import_reliance__published"
    connection.execute(f"create or replace table {published} as {model_sql(published)}")
    return connection.execute(model_sql(mart)).pl().to_dicts()


def by_vintage(connection: Any) -> dict[str, dict[str, Any]]:
    return {row["vintage_id"]: row for row in rows(connection, "mart_us_risk")}


def test_reliance_is_what_consumption_leaves_of_all_lines_of_production(warehouse):
    balance(warehouse, 100, 10, 20, 0.71)
    found = by_vintage(warehouse)["latest"]
    assert found["nir_recomputed"] == pytest.approx(0.70)
    assert found["difference"] == pytest.approx(-0.01)
    assert found["te"] == pytest.approx(0.70)
    assert (found["te_source"], found["nir_reason"]) == ("recomputed", None)
    assert len(found["cell_ids"]) == 4


def test_each_vintage_recomputes_from_the_edition_that_it_knew(warehouse):
    balance(warehouse, 100, 5, 5, 0.9, edition="usgs_mcs-2024")
    balance(warehouse, 100, 20, 20, 0.6)
    found = by_vintage(warehouse)
    assert found["2024-12-31"]["nir_recomputed"] == pytest.approx(0.9)
    assert found["latest"]["nir_recomputed"] == pytest.approx(0.6)


def test_a_figure_inside_a_published_bound_does_not_differ(warehouse):
    balance(warehouse, 100, 1, 1, None, low=0.95, high=1.0, flag="lower_bound")
    found = by_vintage(warehouse)["latest"]
    assert (found["nir_official"], found["difference"]) == (None, 0)
    assert found["nir_recomputed"] == pytest.approx(0.98)


def test_a_figure_below_a_published_bound_differs_by_the_distance(warehouse):
    balance(warehouse, 100, 10, 0, None, low=0.95, high=1.0, flag="lower_bound")
    assert by_vintage(warehouse)["latest"]["difference"] == pytest.approx(-0.05)


def test_a_line_that_is_withheld_leaves_reliance_unknown(warehouse):
    balance(warehouse, 100, 10, None, 0.7)
    found = by_vintage(warehouse)["latest"]
    assert (found["nir_recomputed"], found["difference"]) == (None, None)
    assert "production is withheld" in found["nir_reason"]
    assert (found["te"], found["te_source"]) == (pytest.approx(0.7), "published reliance")


def test_lines_in_another_unit_are_not_subtracted_but_nothing_is_nothing(warehouse):
    balance(warehouse, 100, 10, 0, 0.9)
    warehouse.execute("update fct_supply_balance set basis = 'gross_t' where stage = 'mine'")
    assert "different units" in by_vintage(warehouse)["latest"]["nir_reason"]
    warehouse.execute("update fct_supply_balance set value = 0 where stage = 'mine'")
    assert by_vintage(warehouse)["latest"]["nir_recomputed"] == 1


def test_a_commodity_without_recorded_lines_keeps_the_published_reliance(warehouse):
    printed(warehouse, "net_import_reliance", 0.5, material="Tm", basis="share")
    found = by_vintage(warehouse)["latest"]
    assert "not recorded" in found["nir_reason"]
    assert found["te"] == 0.5


def test_a_net_exporter_is_not_exposed(warehouse):
    balance(warehouse, 100, 150, 0, None, high=0.0, flag="net_exporter")
    found = by_vintage(warehouse)["latest"]
    assert (found["nir_recomputed"], found["te"], found["difference"]) == (0, 0, 0)


def test_there_is_no_supply_risk_without_the_factors_that_are_not_public(warehouse):
    balance(warehouse, 100, 10, 20, 0.7)
    warehouse.execute(
        """
        insert into mart_concentration values
            ('mined', 'latest', 'Er', 'mine', 'world_production', 'element_t', 2024, 0.5, 'B',
                ['usgs_mcs-2026']),
            ('shares', 'latest', 'Er', 'refining', 'world_production', 'share', 2024, 0.9, 'C',
                ['eu_crm-2023'])
        """
    )
    found = by_vintage(warehouse)["latest"]
    assert (found["production_concentration"], found["production_stage"]) == (0.5, "mine")
    assert (found["dp"], found["ev"], found["sr_nassar"]) == (None, None, None)
    assert "not public" in found["sr_reason"]


def stocks(connection: Any) -> list[dict[str, Any]]:
    found = rows(connection, "mart_stock_cover")
    return [r for r in found if r["vintage_id"] == "latest" and r["stock_kind"] == "held"]


def test_stocks_of_each_holder_are_days_of_net_imports_and_of_consumption(warehouse):
    balance(warehouse, 3650, 0, 1825, 0.5)
    printed(warehouse, "stocks", 100, form="industry")
    printed(warehouse, "stocks", 20, form="exchange")
    found = {row["form"]: row for row in stocks(warehouse)}
    assert found["industry"]["cover_days"] == pytest.approx(20)
    assert found["industry"]["consumption_cover_days"] == pytest.approx(10)
    assert found["exchange"]["cover_days"] == pytest.approx(4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("value = null where measure = 'stocks'", "stocks are withheld"),
        ("basis = 'gross_t' where measure = 'stocks'", "different units"),
        ("form = 'reported' where measure = 'consumption'", "no single apparent consumption"),
        ("value = null where measure = 'net_import_reliance'", "published as a bound"),
        ("value = 0 where measure = 'net_import_reliance'", "no net imports"),
    ],
)
def test_cover_that_cannot_be_told_says_why(warehouse, change, reason):
    balance(warehouse, 3650, 0, 1825, 0.5)
    printed(warehouse, "stocks", 100, form="industry")
    warehouse.execute(f"update fct_supply_balance set {change}")
    [found] = stocks(warehouse)
    assert found["cover_days"] is None
    assert reason in found["reason"]


def test_plans_are_potential_from_the_edition_that_prints_them(warehouse):
    found = [r for r in rows(warehouse, "mart_stock_cover") if r["stock_kind"] == "potential"]
    assert {r["vintage_id"] for r in found} == {"latest"}
    assert sum(r["stock"] for r in found if r["material"] == "NdPr") == 300
    assert all(r["cover_days"] is None and "no stock" in r["reason"] for r in found)
