"""Contents of derived products and unit values of flows, on a few rows of what they rest on."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
            ("ref_product_line", "{'national_code': 'varchar', 'share_central': 'double'}"),
            ("ref_source_priority", "{'priority': 'integer'}"),
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
            create table fct_national_trade (
                source_id varchar, source_edition_id varchar, reporter_iso3 varchar,
                partner_iso3 varchar, partner_area_type varchar, flow varchar,
                national_system varchar, national_code varchar, code_level tinyint,
                hs_code varchar, reference_year smallint, reference_month smallint,
                trade_value double, net_weight_kg double
            );
            create table int_edition__by_vintage as
            from (values ('lines', 'latest', 1), ('lines-old', 'latest', 2))
                as editions (source_edition_id, vintage_id, recency);
            """
        )
        for model in (
            "int_trade__national_newest", "int_trade__national_choice", "int_product__line_import",
        ):  # fmt: skip
            connection.execute(f"create view {model} as {model_sql(model)}")
        materials = connection.execute(
            "select distinct material from ref_hs_material inner join ref_product_family "
            "using (hs_code) where basket is null or basket = material"
        ).fetchall()
        for (material,) in materials:
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


def line(
    connection: Any,
    code: str,
    kg: float | None,
    *,
    system: str = "HTS10",
    importer: str = "USA",
    exporter: str | None = "CHN",
    area: str = "country",
    year: int = 2024,
    months: range | list[None] = range(1, 13),
    value: float | None = None,
    edition: str = "lines",
) -> None:
    """A year's imports in a line, in equal parts by month."""
    source = {"HTS10": "us_census", "CN8": "eurostat_comext", "CN_HS8": "un_comtrade"}[system]
    for month in months:
        connection.execute(
            "insert into fct_national_trade values "
            "(?, ?, ?, ?, ?, 'import', ?, ?, ?, ?, ?, ?, ?, ?)",
            [source, edition, importer, exporter, area, system, code, len(code), code[:6], year,
             month, (kg or 0) / len(months) if value is None else value,
             None if kg is None else kg / len(months)],
        )  # fmt: skip


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


# National lines of magnets


def test_a_line_of_neodymium_magnets_narrows_the_code(warehouse):
    flow(warehouse, 5e6, 200_000, importer="USA")
    line(warehouse, "8505110070", 60_000)
    line(warehouse, "8505110050", 30_000)
    line(warehouse, "8505110010", 10_000)
    neodymium = contents(warehouse, "USA")["Nd"]
    assert neodymium["content_method"] == "national_line"
    # Weight of the lines, value of the flows.
    assert (neodymium["gross_t"], neodymium["imports_usd"]) == (pytest.approx(100), 5e6)
    assert [neodymium[f"family_{end}_t"] for end in ("low", "central", "high")] == [
        pytest.approx(60)
    ] * 3
    assert neodymium["element_low_t"] == pytest.approx(60 * 0.2)
    assert neodymium["element_central_t"] == pytest.approx(60 * 0.22)
    assert neodymium["element_high_t"] == pytest.approx(60 * 0.25)
    assert (neodymium["reason"], neodymium["evidence_grade"]) == (None, "E")
    assert neodymium["source_edition_ids"] == ["lines", "made", "other"]


def test_what_a_line_leaves_open_is_a_range_with_the_reason(warehouse):
    line(warehouse, "8505110070", 60_000)
    line(warehouse, "8505110090", 40_000)
    neodymium = contents(warehouse, "USA")["Nd"]
    assert neodymium["element_low_t"] == pytest.approx(60 * 0.2)
    assert neodymium["element_central_t"] is None
    assert neodymium["element_high_t"] == pytest.approx(100 * 0.25)
    assert "bonded" in neodymium["reason"]
    # No flow is held for the year: the lines alone, without a value in dollars.
    assert (neodymium["imports_usd"], neodymium["flow_source"]) == (None, None)


def test_the_european_line_takes_other_metal_magnets_off_the_high_end(warehouse):
    flow(warehouse, 5e6, None)
    line(warehouse, "85051110", 70_000, system="CN8", importer="DEU")
    line(warehouse, "85051190", 30_000, system="CN8", importer="DEU")
    neodymium = contents(warehouse, "DEU")["Nd"]
    assert neodymium["element_low_t"] == 0
    assert neodymium["element_high_t"] == pytest.approx(70 * 0.25)
    assert neodymium["element_if_whole_t"] == pytest.approx(70 * 0.22)
    assert "samarium-cobalt" in neodymium["reason"]


def test_the_eu_counts_its_own_report_of_countries_outside(warehouse):
    for exporter, area in (("CHN", "country"), ("FRA", "country"), (None, "unspecified"),
                           ("WLD", "aggregate")):  # fmt: skip
        line(warehouse, "85051110", 10_000, system="CN8", importer="EU27", exporter=exporter,
             area=area)  # fmt: skip
    assert contents(warehouse, "EU27")["Nd"]["gross_t"] == pytest.approx(10)


def test_partners_kept_secret_count_for_a_country(warehouse):
    line(warehouse, "85051110", 10_000, system="CN8", importer="DEU")
    line(warehouse, "85051110", 5_000, system="CN8", importer="DEU", exporter=None,
         area="unspecified")  # fmt: skip
    line(warehouse, "85051110", 15_000, system="CN8", importer="DEU", exporter="WLD",
         area="aggregate")  # fmt: skip
    assert contents(warehouse, "DEU")["Nd"]["gross_t"] == pytest.approx(15)


@pytest.mark.parametrize(
    "lines",
    [
        # Nine months are no year.
        [("8505110070", 60_000.0, range(1, 10), None)],
        # A code that no line of ours narrows.
        [("8505119999", 60_000.0, range(1, 13), None)],
        # Most of the value has no weight.
        [("8505110070", 10.0, range(1, 13), 1.0), ("8505110090", None, range(1, 13), 99.0)],
    ],
)
def test_lines_that_tell_too_little_leave_the_range_of_the_code(warehouse, lines):
    flow(warehouse, 5e6, 200_000, importer="USA")
    for code, kg, months, value in lines:
        line(warehouse, code, kg, months=months, value=value)
    neodymium = contents(warehouse, "USA")["Nd"]
    assert (neodymium["content_method"], neodymium["gross_t"]) == ("code_range", 200)
    assert "not published" in neodymium["reason"]


def test_a_year_without_trade_in_some_months_is_whole_where_other_lines_tell(warehouse):
    line(warehouse, "8505110070", 60_000, months=range(3, 5))
    line(warehouse, "8505110010", 12_000)
    assert contents(warehouse, "USA")["Nd"]["family_low_t"] == pytest.approx(60)


def test_the_year_itself_counts_before_its_months_and_the_newest_edition_alone(warehouse):
    line(warehouse, "85051110", 90_000, system="CN_HS8", importer="CHN", months=[None])
    line(warehouse, "85051110", 70_000, system="CN_HS8", importer="CHN")
    line(warehouse, "85051110", 50_000, system="CN_HS8", importer="CHN", months=[None],
         edition="lines-old")  # fmt: skip
    assert contents(warehouse, "CHN")["Nd"]["gross_t"] == pytest.approx(90)


@given(
    weights=st.lists(
        st.tuples(
            st.sampled_from(["8505110010", "8505110030", "8505110050", "8505110070", "8505110090"]),
            st.floats(0.001, 1e9),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda pair: pair[0],
    )
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_lines_add_up_to_the_gross_weight_and_bound_the_family(warehouse, weights):
    warehouse.execute("delete from fct_national_trade")
    for code, kg in weights:
        line(warehouse, code, kg, months=[None])
    neodymium = contents(warehouse, "USA")["Nd"]
    assert neodymium["gross_t"] == pytest.approx(sum(kg for _, kg in weights) / 1000)
    assert neodymium["family_low_t"] == pytest.approx(dict(weights).get("8505110070", 0) / 1000)
    assert 0 <= neodymium["family_low_t"] <= neodymium["family_high_t"]
    assert neodymium["family_high_t"] <= neodymium["gross_t"] * (1 + 1e-9)
    assert neodymium["element_low_t"] <= neodymium["element_high_t"]


# Batteries and catalysts


@pytest.mark.parametrize(
    ("code", "elements", "with_content"),
    [
        ("850760", {"Li", "Ni", "Co", "Mn", "natural_graphite"}, {"Li", "Ni", "Co", "Mn"}),
        ("850650", {"Li", "Mn"}, {"Li", "Mn"}),
        ("711510", {"Pt", "Pd", "Rh"}, {"Pt", "Rh"}),
        ("381511", {"Ni"}, set()),
        ("381512", {"Pt", "Pd", "Rh", "Ru"}, set()),
        ("381519", {"Co", "Mo", "La", "Ce"}, set()),
        ("381590", {"Ni"}, set()),
        ("842132", {"Pt", "Pd", "Rh", "Ce"}, {"Pt", "Pd", "Rh"}),
    ],
)
def test_every_code_of_a_family_comes_with_a_range_or_the_reason_for_none(
    warehouse, code, elements, with_content
):
    flow(warehouse, 5e6, 100_000, code=code)
    found = contents(warehouse, "DEU")
    assert set(found) == elements
    for element, row in found.items():
        assert (row["content_method"], row["hs_code"]) == ("code_range", code)
        assert (row["element_high_t"] is not None) == (element in with_content)
        assert row["reason"]


def test_primary_cells_hold_no_more_than_their_equation_gives(warehouse):
    flow(warehouse, 5e6, 1_000_000, code="850650")
    found = contents(warehouse, "DEU")
    assert found["Li"]["element_high_t"] == pytest.approx(
        1000 * mass_share("Li", "Li4FeS2"), rel=0.005
    )
    for other in ("LiMnO2", "Li4S2O2Cl4", "LiSO2", "Li2FeS"):
        assert 1000 * mass_share("Li", other) < found["Li"]["element_high_t"]
    assert found["Mn"]["element_high_t"] == pytest.approx(
        1000 * mass_share("Mn", "LiMnO2"), rel=0.005
    )


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
