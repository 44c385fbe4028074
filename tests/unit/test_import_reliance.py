"""Net import reliance by balance, on a few rows of production and trade."""

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
quantity = st.floats(min_value=0, max_value=1e9, allow_subnormal=False).map(lambda t: round(t, 3))


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(
            f"""
            create table ref_threshold as from read_csv('{SEEDS / "ref_threshold.csv"}');
            create table ref_hs_revision as from read_csv('{SEEDS / "ref_hs_revision.csv"}');
            create table dim_country as
            from (values ('DEU', true), ('FRA', true), ('JPN', false), ('CHN', false))
                as countries (country_iso3, is_eu27);
            create table ref_hs_material as
            from (values
                ('260001', 'HS92|HS22', 'ore', 'mine', cast(null as varchar)),
                ('260002', 'HS22', 'ore', 'mine', null)
            ) as codes (hs_code, valid_revisions, material, stage, basket);
            create table int_lookthrough__market (
                vintage_id varchar, material varchar, stage varchar, reference_year integer,
                flow_source varchar, source_edition_id varchar, source_edition_ids varchar[],
                production_edition_id varchar, relation varchar, trade_grade varchar,
                production_grade varchar
            );
            create table ref_chain_step (
                material varchar, stage varchar, trade_covers_production boolean, note varchar
            );
            create table int_trade__edition_choice (
                vintage_id varchar, material varchar, stage varchar, reference_year integer,
                hs_revision varchar
            );
            create table fct_trade_flow (
                flow_source varchar, source_edition_id varchar, hs_code varchar
            );
            create table int_trade__by_material (
                flow_source varchar, source_edition_id varchar, material varchar, stage varchar,
                reference_year integer, exporter_iso3 varchar, importer_iso3 varchar,
                weight_gross_t double, value_usd double, value_with_weight_usd double
            );
            create table mart_unit_value (
                source_edition_id varchar, hs_code varchar, material varchar, stage varchar,
                reference_year integer, exporter_iso3 varchar, importer_iso3 varchar,
                trade_value_usd double, net_weight_kg double, uv_usd_per_kg double,
                median_5y_usd_per_kg double, outlier_flag boolean
            );
            create table int_lookthrough__production (
                vintage_id varchar, material varchar, stage varchar, reference_year integer,
                country_iso3 varchar, floor double, ceiling double
            )
            """
        )
        yield connection


@pytest.fixture
def warehouse(database):
    fresh(database)
    return database


def fresh(
    connection: Any, relation: str = "weight", covers: bool = True, revision: str = "HS92"
) -> None:
    for table in (
        "int_lookthrough__market", "ref_chain_step", "int_trade__edition_choice", "fct_trade_flow",
        "int_trade__by_material", "mart_unit_value", "int_lookthrough__production",
    ):  # fmt: skip
        connection.execute(f"delete from {table}")
    connection.execute(
        """insert into int_lookthrough__market values
        ('latest', 'ore', 'mine', 2023, 'baci', 'flows', ['flows', 'mines'], 'mines', $1,
         'B', 'A')""",
        [relation],
    )
    connection.execute("insert into ref_chain_step values ('ore', 'mine', ?, 'a note')", [covers])
    connection.execute(
        "insert into int_trade__edition_choice values ('latest', 'ore', 'mine', 2023, ?)",
        [revision],
    )
    connection.execute("insert into fct_trade_flow values ('baci', 'flows', '260001')")


def flow(
    connection: Any, exporter: str, importer: str, tonnes: float | None, usd: float = 100.0
) -> None:
    connection.execute(
        "insert into int_trade__by_material values "
        "('baci', 'flows', 'ore', 'mine', 2023, ?, ?, ?, ?, ?)",
        [exporter, importer, tonnes, usd, None if tonnes is None else usd],
    )


def mined(
    connection: Any, country: str | None, floor: float, ceiling: float | str | None = "floor"
) -> None:
    connection.execute(
        "insert into int_lookthrough__production values ('latest', 'ore', 'mine', 2023, ?, ?, ?)",
        [country, floor, floor if ceiling == "floor" else ceiling],
    )


def reliance(connection: Any, importer: str = "JPN") -> dict[str, Any]:
    rows = connection.execute(model_sql("int_import_reliance__computed")).pl().to_dicts()
    [row] = [row for row in rows if row["importer_iso3"] == importer]
    return row


def ends(row: dict[str, Any]) -> tuple[float, float]:
    return row["import_reliance_low"], row["import_reliance_high"]


def test_it_is_net_imports_over_apparent_consumption(warehouse):
    flow(warehouse, "CHN", "JPN", 90)
    flow(warehouse, "JPN", "FRA", 10)
    mined(warehouse, "JPN", 20)
    row = reliance(warehouse)
    assert row["import_reliance"] == near(80 / 100)
    assert row["reason"] is None
    assert (row["imports_gross_t"], row["exports_gross_t"]) == (90, 10)
    assert row["evidence_grade"] == "B", "the weaker of trade and production"


def test_a_net_exporter_relies_on_nobody(warehouse):
    flow(warehouse, "CHN", "JPN", 10)
    flow(warehouse, "JPN", "FRA", 30)
    mined(warehouse, "JPN", 100)
    assert reliance(warehouse)["import_reliance"] == 0


def test_exports_of_what_was_neither_made_nor_bought_leave_it_open(warehouse):
    flow(warehouse, "CHN", "JPN", 10)
    flow(warehouse, "JPN", "FRA", 30)
    mined(warehouse, "JPN", 0)
    row = reliance(warehouse)
    assert ends(row) == (None, None)
    assert "not less than production and imports" in row["reason"]


def test_a_country_that_is_not_named_may_be_among_the_others(warehouse):
    flow(warehouse, "CHN", "JPN", 60)
    mined(warehouse, "CHN", 500)
    mined(warehouse, None, 40)
    row = reliance(warehouse)
    assert row["import_reliance"] is None
    assert ends(row) == (near(0.6), 1.0)
    assert "does not name the country" in row["reason"]


def test_without_others_a_country_that_is_not_named_makes_nothing(warehouse):
    flow(warehouse, "CHN", "JPN", 60)
    mined(warehouse, "CHN", 500)
    assert reliance(warehouse)["import_reliance"] == 1


def test_withheld_production_leaves_any_reliance(warehouse):
    flow(warehouse, "CHN", "JPN", 60)
    mined(warehouse, "JPN", 0, None)
    assert ends(reliance(warehouse)) == (0, 1)


def test_contained_metal_is_a_floor_of_what_was_mined(warehouse):
    fresh(warehouse, relation="content")
    flow(warehouse, "CHN", "JPN", 80)
    mined(warehouse, "JPN", 20, None)
    row = reliance(warehouse)
    assert ends(row) == (0, near(0.8))
    assert "by what it contains" in row["reason"]


def test_the_union_is_its_members_without_their_trade_with_each_other(warehouse):
    flow(warehouse, "CHN", "DEU", 50)
    flow(warehouse, "CHN", "FRA", 30)
    flow(warehouse, "FRA", "DEU", 400)
    flow(warehouse, "FRA", "JPN", 20)
    # the rows of the Union, as int_trade__by_material sums them
    flow(warehouse, "CHN", "EU27", 80)
    flow(warehouse, "EU27", "JPN", 20)
    mined(warehouse, "DEU", 30)
    mined(warehouse, "FRA", 10)
    row = reliance(warehouse, "EU27")
    assert (row["imports_gross_t"], row["exports_gross_t"]) == (80, 20)
    assert row["import_reliance"] == near(60 / 100)
    assert reliance(warehouse, "JPN")["imports_gross_t"] == 20, "not once more from the Union"


def test_codes_that_are_not_held_leave_it_open(warehouse):
    fresh(warehouse, revision="HS22")
    flow(warehouse, "CHN", "JPN", 60)
    mined(warehouse, "CHN", 500)
    row = reliance(warehouse)
    assert ends(row) == (None, None)
    assert "1 of 2 codes" in row["reason"]


def test_codes_that_carry_a_part_of_production_leave_it_open(warehouse):
    fresh(warehouse, covers=False)
    flow(warehouse, "CHN", "JPN", 60)
    mined(warehouse, "CHN", 500)
    assert reliance(warehouse)["reason"].endswith("a note")


def test_trade_without_weights_leaves_it_open(warehouse):
    flow(warehouse, "CHN", "JPN", 60, usd=90)
    flow(warehouse, "FRA", "JPN", None, usd=10)
    mined(warehouse, "CHN", 500)
    row = reliance(warehouse)
    assert ends(row) == (None, None)
    assert "too little of the trade has a weight" in row["reason"]


def weighed(connection: Any, exporter: str, tonnes: float, usual_t: float, outlier: bool) -> None:
    usd = 1000.0 * usual_t
    connection.execute(
        "insert into mart_unit_value values "
        "('flows', '260001', 'ore', 'mine', 2023, ?, 'JPN', ?, ?, ?, 1.0, ?)",
        [exporter, usd, 1000 * tonnes, usd / (1000 * tonnes), outlier],
    )


def test_a_weight_out_of_line_may_be_what_other_years_give(warehouse):
    flow(warehouse, "CHN", "JPN", 10)
    flow(warehouse, "FRA", "JPN", 20)
    flow(warehouse, "DEU", "JPN", 20)
    mined(warehouse, "JPN", 60)
    weighed(warehouse, "CHN", 10, 80, outlier=True)
    weighed(warehouse, "FRA", 20, 20, outlier=False)
    weighed(warehouse, "DEU", 20, 20, outlier=False)
    row = reliance(warehouse)
    assert (row["imports_gross_t_low"], row["imports_gross_t_high"]) == (50, 120)
    assert ends(row) == (near(50 / 110), near(120 / 180))
    assert "out of line" in row["reason"]


def test_a_price_that_moves_for_all_puts_no_weight_in_doubt(warehouse):
    flow(warehouse, "CHN", "JPN", 10)
    mined(warehouse, "JPN", 60)
    for exporter in ("CHN", "FRA", "DEU"):
        weighed(warehouse, exporter, 10, 80, outlier=True)
    assert reliance(warehouse)["import_reliance"] == near(10 / 70)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(imports=quantity, exports=quantity, production=quantity, hidden=quantity)
def test_more_production_never_means_more_reliance(database, imports, exports, production, hidden):
    fresh(database)
    flow(database, "CHN", "JPN", imports + 1)
    flow(database, "JPN", "CHN", exports)
    mined(database, "JPN", production, production + hidden)
    low, high = ends(reliance(database))
    if low is None:
        assert exports >= imports + 1 + production + hidden - 1e-3
    else:
        assert 0 <= low <= high <= 1
        fresh(database)
        flow(database, "CHN", "JPN", imports + 1)
        flow(database, "JPN", "CHN", exports)
        mined(database, "JPN", production)
        alone = reliance(database)
        assert alone["import_reliance_high"] in (None, near(high))
