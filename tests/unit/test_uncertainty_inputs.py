"""What the draws of balances, risks and changes are made of, on a few invented rows."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from pipelines.settings import PROJECT_ROOT
from tests.support.measures import create_measures
from tests.support.models import create_table, model_sql

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
near = pytest.approx


@pytest.fixture
def database():
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(
            f"""
            create table ref_uncertainty as from read_csv('{SEEDS / "ref_uncertainty.csv"}');
            create table ref_uncertainty_setting as
            from read_csv('{SEEDS / "ref_uncertainty_setting.csv"}');
            create table dim_country as
            from (values ('DEU', true), ('FRA', true), ('JPN', false)) as c (country_iso3, is_eu27);
            create table int_uncertainty__list (
                list_key varchar, vintage_id varchar, scope varchar, material varchar,
                stage varchar, basis varchar, geo_iso3 varchar, reference_year integer,
                reliance_key varchar
            );
            create table int_uncertainty__supplier (
                list_key varchar, supplier_iso3 varchar, error_key varchar, reference_year integer,
                quantity double, sigma_ln double, half_width double
            );
            create table fct_source_cell (cell_id varchar, value_text varchar, value double)
            """
        )
        yield connection


def drawn_list(connection: Any, key: str, scope: str, geo: str, **other: Any) -> None:
    terms = {"vintage": "latest", "material": "ore", "stage": "mine", "basis": "gross_t",
             "year": 2023, "reliance": None, **other}  # fmt: skip
    connection.execute(
        "insert into int_uncertainty__list values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [key, terms["vintage"], scope, terms["material"], terms["stage"], terms["basis"], geo,
         terms["year"], terms["reliance"]],
    )  # fmt: skip


def figure(connection: Any, key: str, name: str | None, value: float, prefix: str = "") -> None:
    error_key = "unnamed" if name is None else prefix + name
    connection.execute(
        "insert into int_uncertainty__supplier values (?, ?, ?, 2023, ?, 0.25, 0)",
        [key, name, error_key, value],
    )


def rows_of(connection: Any, model: str, columns: str) -> list[tuple[Any, ...]]:
    query = f"select {columns} from ({model_sql(model)}) order by all"
    return connection.execute(query).fetchall()


# Net import reliance and its balance


def test_a_printed_reliance_is_rounded_and_a_balanced_one_has_a_key_of_its_own(database):
    create_table(
        database,
        "int_import_reliance",
        "vintage_id importer_iso3 material stage reference_year import_reliance "
        "import_reliance_low import_reliance_high import_reliance_source published_cell_id "
        "production_gross_t_low production_gross_t_high",
        ("latest", "USA", "ore", "mine", 2023, 0.7, 0.7, 0.7, "published", "c", None, None),
        ("latest", "JPN", "ore", "mine", 2023, None, 0.2, 0.4, "computed", None, 5.0, 5.0),
        ("latest", "DEU", "ore", "mine", 2023, None, None, None, None, None, 5.0, 5.0),
        # It may have made any part of what others made, or any multiple of its floor.
        ("latest", "FRA", "ore", "mine", 2023, None, 0.2, 1.0, "computed", None, 0.0, 5.0),
        ("latest", "ITA", "ore", "mine", 2023, None, 0.0, 0.4, "computed", None, 5.0, None),
    )
    database.execute("insert into fct_source_cell values ('c', '70', 70)")
    assert rows_of(
        database, "int_uncertainty__reliance",
        "mart_row_key, reliance_key, reliance_low, reliance_high",
    ) == [
        ("JPN|ore|mine|2023|latest", "balance|JPN|ore|mine|2023", 0.2, 0.4),
        ("USA|ore|mine|2023|latest", "USA|ore|mine|2023", near(0.695), near(0.705)),
    ]  # fmt: skip


def test_a_balance_is_that_of_a_drawn_list_with_the_ends_of_its_weights(database):
    rows = [
        ("JPN", "computed", 10.0, 8.0, 10.0, 0.0, 0.0, 0.0, 5.0, 5.0),
        ("DEU", "computed", 10.0, 10.0, 10.0, 4.0, 4.0, 5.0, 1.0, 1.0),
        ("FRA", "published", 10.0, 10.0, 10.0, 4.0, 4.0, 5.0, 1.0, 1.0),
        ("ITA", "computed", 10.0, 10.0, 10.0, 4.0, 4.0, 5.0, 1.0, None),
    ]
    create_table(
        database,
        "int_import_reliance",
        "importer_iso3 import_reliance_source imports_gross_t imports_gross_t_low "
        "imports_gross_t_high exports_gross_t exports_gross_t_low exports_gross_t_high "
        "production_gross_t_low production_gross_t_high vintage_id material stage reference_year",
        *[(*row, "latest", "ore", "mine", 2023) for row in rows],
    )
    for geo in ("JPN", "DEU", "FRA", "ITA"):
        drawn_list(database, geo, "import_sources", geo, reliance=f"balance|{geo}|ore|mine|2023")
        drawn_list(database, f"{geo} in USD", "import_sources", geo, basis="usd")
    columns = "list_key, balance_key, imports_low, imports_high, exports_low, exports_high"
    assert rows_of(database, "int_uncertainty__balance", columns) == [
        ("DEU", "DEU|ore|mine|2023", 1.0, 1.0, 1.0, 1.25),
        ("JPN", "JPN|ore|mine|2023", 0.8, 1.0, 1.0, 1.0),
    ]


@pytest.fixture
def balances(database):
    for geo in ("JPN", "FRA", "EU27"):
        drawn_list(database, geo, "import_sources", geo)
    drawn_list(database, "sold", "world_exports", "WLD")
    drawn_list(database, "sold in USD", "world_exports", "WLD", basis="usd")
    drawn_list(database, "made", "world_production", "WLD", material="metal", basis="element_t")
    drawn_list(database, "known before", "world_production", "WLD", material="metal",
               basis="element_t", vintage="2024-12-31")  # fmt: skip
    for name, sold, made in (("JPN", 3.0, None), ("DEU", 5.0, 20.0), ("FRA", 7.0, 30.0)):
        figure(database, "sold", name, sold)
        figure(database, "sold in USD", name, 1000 * sold)
        if made is not None:
            figure(database, "made", name, made, "production|")
            figure(database, "known before", name, 10 * made, "production|")
    figure(database, "made", None, 4.0)
    create_table(
        database,
        "ref_chain_step",
        "material stage production_material production_stage production_basis relation",
        ("ore", "mine", "metal", "mine", "element_t", "weight"),
    )
    create_table(
        database,
        "int_lookthrough__production",
        "vintage_id material stage reference_year country_iso3",
        ("latest", "ore", "mine", 2023, "FRA"),
        ("latest", "ore", "mine", 2023, None),
    )
    create_table(
        database,
        "int_uncertainty__flow",
        "flow_source source_edition_id hs_code exporter_iso3 importer_iso3 reference_year "
        "subject quantity sigma_ln",
        ("baci", "e", "260001", "DEU", "JPN", 2023, "trade_weight", 1.0, 0.5),
        ("baci", "e", "260001", "DEU", None, 2023, "trade_weight", 0.5, 0.5),
        ("baci", "e", "260001", "DEU", "FRA", 2023, "trade_weight", 3.5, 0.5),
        ("baci", "e", "260001", "DEU", "JPN", 2023, "trade_value", 9.0, 0.5),
        ("baci", "other", "260001", "DEU", "JPN", 2023, "trade_weight", 9.0, 0.5),
        ("baci", "e", "260001", "JPN", "DEU", 2023, "trade_weight", 3.0, 0.5),
    )
    create_table(
        database,
        "ref_hs_material",
        "hs_code material stage basket",
        ("260001", "ore", "mine", ""),
    )
    create_table(
        database,
        "int_trade__edition_choice",
        "vintage_id material stage reference_year flow_source source_edition_id",
        ("latest", "ore", "mine", 2023, "baci", "e"),
    )
    create_table(database, "mart_n1_coverage", "row_key world_demand_cell_id", ("n1", "d"))
    create_table(
        database,
        "fct_supply_balance",
        "cell_id country_iso3 reference_year value evidence_grade",
        ("d", "WLD", 2023, 1300.0, "B"),
    )
    database.execute("insert into fct_source_cell values ('d', '1,300', 1300)")
    return database


def test_parts_of_a_balance_are_the_figures_of_the_lists_that_hold_them(balances):
    found = rows_of(
        balances, "int_uncertainty__part", "balance_key, role, error_key, quantity, half_width"
    )
    assert found == [
        ("EU27|ore|mine|2023", "exports", "DEU", 1.5, 0.0),
        ("EU27|ore|mine|2023", "production", "production|DEU", 20.0, 0.0),
        ("EU27|ore|mine|2023", "production", "production|FRA", 30.0, 0.0),
        ("FRA|ore|mine|2023", "exports", "FRA", 7.0, 0.0),
        ("FRA|ore|mine|2023", "production", "production|FRA", 30.0, 0.0),
        ("JPN|ore|mine|2023", "exports", "JPN", 3.0, 0.0),
        ("n1", "demand", "demand|WLD", 1300.0, 50.0),
    ]
    # Figures of a list keep their error, a demand has that of its grade, and two flows even out.
    errors = dict(rows_of(balances, "int_uncertainty__part", "balance_key || role, sigma_ln"))
    assert errors["FRA|ore|mine|2023production"] == 0.25
    assert errors["n1demand"] == 0.15
    assert 0.4 < errors["EU27|ore|mine|2023exports"] < 0.5


# Governance


def test_suppliers_of_the_study_carry_their_part_of_its_formula(database):
    create_table(
        database,
        "mart_eu_supply_risk",
        "row_key vintage_id material stage formula t_set import_reliance eol_rir "
        "substitution_index sr_stage",
        ("both", "latest", "Nd", "mine", "GS+EU", "study", 0.8, 0.1, 0.5, 1.5),
        ("one", "latest", "Nd", "mine", "EU", "study", None, 0.1, 0.5, 1.5),
        ("none", "latest", "Nd", "mine", "GS", "study", None, None, None, None),
        ("otherwise", "latest", "Nd", "mine", "GS+EU", "neutral", 0.8, 0.1, 0.5, 1.4),
        ("group", "latest", "Nd", "mine", "mean", "study", None, None, None, 1.3),
    )
    create_table(
        database,
        "int_eu_supply_risk__supplier",
        "vintage_id material stage scope country_iso3 share trade_parameter period_start_year "
        "reference_year cell_id governance_risk",
        ("latest", "Nd", "mine", "world", "CHN", 0.6, 1.0, 2016, 2017, "w", 5.0),
        ("latest", "Nd", "mine", "eu", "CHN", 0.4, 0.5, 2016, 2017, "e", 5.0),
        ("latest", "Nd", "mine", "eu", "XKX", 0.1, 1.0, 2016, 2017, "e", None),
    )
    database.execute("insert into fct_source_cell values ('w', '60%', 60), ('e', '40.0%', 40)")
    governance(database)
    geopolrisk(database, None)
    found = rows_of(
        database,
        "int_uncertainty__governed",
        "mart_row_key, error_key, quantity, half_width, weight, estimate, standard_error",
    )
    mean, typical = -0.5, near((0.3 + 0.18) / 2)
    assert found == [
        ("both", "eu share|CHN", 0.4, near(0.0005), near(10 * 0.5 * 0.45 * 0.6), mean, typical),
        ("both", "world share|CHN", 0.6, near(0.005), near(10 * 0.45 * 0.4), mean, typical),
        ("one", "eu share|CHN", 0.4, near(0.0005), near(10 * 0.5 * 0.45), mean, typical),
    ]  # fmt: skip
    # The parts sum to the formula itself.
    formula = database.execute(
        "select eu_supply_risk("
        "hhi_wgi([0.6], [wgi_risk(-0.5)], [1.0]), hhi_wgi([0.4], [wgi_risk(-0.5)], [0.5]), "
        "0.8, 0.1, 0.5)"
    ).fetchone()[0]
    parts = sum(row[4] * row[2] ** 2 * (2.5 - row[5]) / 5 for row in found if row[0] == "both")
    assert parts == near(formula)


def test_importers_suppliers_have_the_stability_of_the_year_and_not_their_own_goods(database):
    governance(database)
    create_table(
        database,
        "mart_eu_supply_risk",
        "row_key vintage_id material stage formula t_set import_reliance eol_rir "
        "substitution_index sr_stage",
        ("x", "latest", "Nd", "mine", "EU", "study", 0.8, 0.1, 0.5, None),
    )
    create_table(
        database,
        "int_eu_supply_risk__supplier",
        "vintage_id material stage scope country_iso3 share trade_parameter period_start_year "
        "reference_year cell_id governance_risk",
        ("latest", "Nd", "mine", "eu", "CHN", 0.4, 0.5, 2016, 2017, "e", 5.0),
    )
    geopolrisk(database, 0.2)
    drawn_list(database, "bought", "import_sources", "JPN", year=2016)
    for name in ("CHN", "JPN", "XKX", None):
        figure(database, "bought", name, 5.0)
    found = rows_of(
        database,
        "int_uncertainty__governed",
        "mart, country_iso3, quantity, weight, estimate, standard_error",
    )
    assert found == [
        ("mart_geopolrisk", "CHN", 5.0, 1.0, -0.4, 0.25),
        ("mart_geopolrisk", "XKX", 5.0, 1.0, None, None),
        ("mart_geopolrisk", None, 5.0, 1.0, None, None),
    ]


def geopolrisk(connection: Any, score: float | None) -> None:
    create_table(
        connection,
        "mart_geopolrisk",
        "row_key vintage_id importer_iso3 material stage reference_year supply_risk_high "
        "production_gross_t_low production_gross_t_high",
        ("risk", "latest", "JPN", "ore", "mine", 2016, score, 9.0, 9.0),
        ("open", "latest", "JPN", "ore", "mine", 2016, score, 0.0, 9.0),
    )


def governance(connection: Any) -> None:
    """Errors are held for 2016 only."""
    create_table(
        connection,
        "int_governance__risk",
        "vintage_id country_iso3 reference_year political_stability mean_estimate",
        ("latest", "CHN", 2016, -0.4, -0.5),
        ("latest", "CHN", 2017, -0.4, -0.5),
        ("latest", "CHN", 2023, 1.0, 1.0),
    )
    create_table(
        connection,
        "stg_wb_wgi__estimate",
        "source_edition_id country_label reference_year measure indicator value cell_id",
        ("e", "CHN", 2016, "stddev", "pv", 0.25, "a"),
        ("e", "CHN", 2016, "stddev", "cc", 0.35, "b"),
        ("e", "CHN", 2016, "estimate", "cc", 9.0, "c"),
        ("old", "CHN", 2017, "stddev", "cc", 9.0, "d"),
    )
    create_table(
        connection,
        "int_edition__by_vintage",
        "vintage_id source_id source_edition_id recency",
        ("latest", "wb_wgi", "e", 1),
        ("latest", "wb_wgi", "old", 2),
    )
    create_table(connection, "country__wgi", "country_label country_iso3", ("CHN", "CHN"))


# Which lists a measure is made of


@pytest.fixture
def marts(database):
    for year in range(2019, 2024):
        drawn_list(database, f"made {year}", "world_production", "WLD", year=year)
    for year in (2022, 2023):
        drawn_list(database, f"bought {year}", "import_sources", "JPN", basis="usd", year=year)
    drawn_list(database, "refined 2023", "world_production", "WLD", stage="refining")
    create_table(
        database,
        "mart_partner_share",
        "row_key concentration_key group_id group_version",
        ("set", "made 2023", "club", "1"),
        ("not drawn", "bought 1999", "club", "1"),
    )
    create_table(
        database,
        "ref_country_group",
        "group_id group_version country_iso3",
        ("club", "1", "DEU"),
        ("club", "1", "DEU"),
        ("club", "2", "FRA"),
    )
    create_table(
        database,
        "mart_n1_coverage",
        "row_key concentration_key world_demand_cell_id demand_source",
        ("left", "made 2023", None, "supply of the year"),
        ("met", "made 2022", "d", "published"),
        ("balanced", "made 2022", None, "production and trade"),
    )
    create_table(
        database,
        "mart_stage_bottleneck",
        "row_key bottleneck_stage n_stages_observed concentration_keys",
        ("chain", "refining", 2, ["made 2023", "refined 2023"]),
        ("half drawn", "mine", 2, ["made 2023", "bought 1999"]),
    )
    create_table(
        database,
        "mart_trend",
        "row_key vintage_id material stage scope basis geo_iso3 reference_year",
        ("five", "latest", "ore", "mine", "world_production", "gross_t", "WLD", 2023),
        ("four", "latest", "ore", "mine", "world_production", "gross_t", "WLD", 2022),
    )
    create_table(
        database,
        "mart_supplier_switch",
        "row_key vintage_id material stage importer_iso3 reference_year",
        ("two", "latest", "ore", "mine", "JPN", 2023),
        ("one", "latest", "ore", "mine", "JPN", 2022),
    )
    create_table(
        database,
        "mart_geopolrisk",
        "row_key vintage_id material stage importer_iso3 reference_year concentration_key",
        ("risk", "latest", "ore", "mine", "JPN", 2023, "made 2023"),
    )
    create_table(
        database,
        "int_uncertainty__governed",
        "mart mart_row_key",
        ("mart_geopolrisk", "risk"),
        ("mart_geopolrisk", "risk"),
    )
    return database


def test_a_measure_is_drawn_where_all_of_its_lists_are(marts):
    columns = "mart_row_key, position, list_key, balance_key, members"
    found = rows_of(marts, "int_uncertainty__combination", columns)
    assert found == [
        # The stage that is held to be the bottleneck comes first.
        ("chain", 1, "refined 2023", None, None),
        ("chain", 2, "made 2023", None, None),
        *(("five", year - 2018, f"made {year}", None, None) for year in range(2019, 2024)),
        ("left", 1, "made 2023", None, None),
        ("met", 1, "made 2022", "met", None),
        ("risk", 1, "made 2023", "JPN|ore|mine|2023", None),
        ("set", 1, "made 2023", None, ["DEU"]),
        ("two", 1, "bought 2022", None, None),
        ("two", 2, "bought 2023", None, None),
    ]
