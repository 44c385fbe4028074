"""Figures that a reader can check by hand against the publishers' documents."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("starter")]

_WORLD = """
    from mart_concentration
    where material = 'REE_total' and stage = 'mine' and scope = 'world_production'
        and geo_iso3 = 'WLD' and basis = 'reo_t'
        and reference_year = ? and vintage_id = ?
"""


@pytest.mark.parametrize(
    ("year", "vintage", "hhi_high"),
    [
        (2024, "2025-12-31", 0.492362),
        (2024, "latest", 0.519243),
        (2023, "2025-12-31", 0.487450),
        (2025, "latest", 0.507238),
    ],
)
def test_world_mine_concentration_of_rare_earths(ask, year, vintage, hhi_high):
    [(found,)] = ask(f"select hhi_high {_WORLD}", year, vintage)
    assert found == pytest.approx(hhi_high, abs=1e-5)


def test_three_largest_miners_in_2025(ask):
    assert ask(f"select cr3 {_WORLD}", 2025, "latest")[0][0] == pytest.approx(0.899026, abs=1e-5)


def test_revision_of_2024_names_the_cells_that_drove_it(ask):
    [(delta, drivers)] = ask(
        """
        select delta, driver_cells from mart_revision_diff
        where metric = 'hhi_high' and material = 'REE_total' and stage = 'mine'
            and reference_year = 2024 and basis = 'reo_t'
            and vintage_from = '2025-12-31' and vintage_to = 'latest'
        """
    )
    assert delta == pytest.approx(0.519243 - 0.492362, abs=1e-5)
    moved = {d["country_iso3"]: (d["value_from"], d["value_to"]) for d in drivers}
    assert moved["AUS"] == (13000, 29000)
    assert moved["THA"] == (13000, 2100)
    assert moved["NGA"] == (13000, 1500)


def test_revision_of_the_united_states_net_import_reliance(ask):
    assert ask(
        """
        select value_from, value_to from mart_revision_diff
        where metric = 'net_import_reliance' and material = 'REE_total' and stage = 'refining'
            and geo_iso3 = 'USA' and reference_year = 2024
            and vintage_from = '2025-12-31' and vintage_to = 'latest'
        """
    ) == [(pytest.approx(0.80), pytest.approx(0.53))]


@pytest.mark.parametrize(
    ("material", "stage", "country", "share"),
    [
        ("Dy", "refining", "CHN", 1.000),
        ("Nd", "refining", "CHN", 0.849),
        ("Nd", "refining", "MYS", 0.105),
        ("Dy", "mine", "CHN", 0.844),
        ("Dy", "mine", "MMR", 0.093),
    ],
)
def test_element_shares_of_the_eu_study_stay_as_published(ask, material, stage, country, share):
    [(value,)] = ask(
        """
        select value from fct_production
        where material = ? and stage = ? and country_iso3 = ? and basis = 'share'
            and reference_year = 2020 and derivation = 'published'
        """,
        material,
        stage,
        country,
    )
    assert value == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(
    ("material", "stage", "top_share"),
    [("Dy", "refining", 1.000), ("Nd", "refining", 0.849), ("Dy", "mine", 0.844)],
)
def test_element_concentration_uses_the_study(ask, material, stage, top_share):
    [(top, share)] = ask(
        """
        select top_supplier, top_share from mart_concentration
        where scope = 'world_production' and basis = 'share' and vintage_id = 'latest'
            and material = ? and stage = ?
        """,
        material,
        stage,
    )
    assert top == "CHN"
    assert share == pytest.approx(top_share, abs=0.002)


def test_mine_output_of_elements_has_low_and_high_and_a_central_value_only_where_known(ask):
    rows = {
        row[0]: row[1:]
        for row in ask(
            """
            select country_iso3, value, value_low, value_high, reason from fct_production
            where material = 'Nd' and derivation = 'oxide_distribution' and reference_year = 2024
                and source_edition_id like 'usgs_mcs-2026%'
            """
        )
    }
    value, low, high, _ = rows["USA"]
    assert low == high == value == pytest.approx(45500 * 0.117)
    value, low, high, reason = rows["CHN"]
    assert value is None
    assert low == pytest.approx(270000 * 0.0347)
    assert high == pytest.approx(270000 * 0.3018)
    assert "weights" in reason
    value, low, high, reason = rows["MMR"]
    assert (value, low, high) == (None, None, None)
    assert "no deposit" in reason


@pytest.mark.parametrize(
    ("code", "exporter", "million_usd", "tonnes"),
    [
        ("284690", "CHN", 211.9, 3902),
        ("284690", "MYS", 175.9, 3502),
        ("280530", "CHN", 194.1, None),
        ("280530", "VNM", 100.3, None),
        ("280530", "THA", 43.7, None),
    ],
)
def test_japans_imports_of_2023_in_baci(ask, code, exporter, million_usd, tonnes):
    [(usd, kg)] = ask(
        """
        select trade_value_usd, net_weight_kg from fct_trade_flow
        where flow_source = 'baci' and hs_code = ? and exporter_iso3 = ?
            and importer_iso3 = 'JPN' and reference_year = 2023
        """,
        code,
        exporter,
    )
    assert usd / 1e6 == pytest.approx(million_usd, abs=0.05)
    if tonnes is not None:
        assert kg / 1000 == pytest.approx(tonnes, abs=0.5)


@pytest.mark.parametrize("material", ["ree_compounds", "ree_metals"])
def test_import_sources_of_four_importers_in_every_year(ask, material):
    years = ask(
        """
        select geo_iso3, count(distinct reference_year), min(reference_year), max(reference_year)
        from mart_concentration
        where scope = 'import_sources' and basis = 'usd' and vintage_id = 'latest'
            and material = ? and geo_iso3 in ('JPN', 'USA', 'DEU', 'KOR')
        group by all order by all
        """,
        material,
    )
    assert years == [(geo, 30, 1995, 2024) for geo in ("DEU", "JPN", "KOR", "USA")]


def test_tokens_stay_apart(ask):
    flags = {row[0] for row in ask("select distinct value_flag from fct_source_cell")}
    assert flags >= {
        "zero",
        "withheld",
        "not_available",
        "lower_bound",
        "range",
        "net_exporter",
        "estimated",
        "reported",
    }


def test_no_country_is_lost_to_a_footnote_or_to_na(ask):
    held = {row[0] for row in ask("select distinct country_iso3 from fct_production")}
    assert held >= {"CHL", "FRA", "GRC", "UKR", "NAM"}
    names = {row[0] for row in ask("select distinct country_name_reported from fct_production")}
    assert not names & {"Japane", "Germany6", "Chinae", "Argentinae", "United States1"}


def test_shares_looked_through_sum_to_one_for_every_importer(ask):
    [(importers, direct, through)] = ask(
        """
        select count(*), max(abs(direct - 1)), max(abs(through - 1))
        from (
            select sum(direct_share) as direct, sum(lookthrough_share) as through
            from mart_lookthrough
            where production_basis = 'published'
            group by importer_iso3, material, stage, reference_year, universe, vintage_id
        )
        """
    )
    assert importers > 1000
    assert direct < 1e-9
    # Pairs below a billionth are not listed.
    assert through < 1e-6


def test_a_hub_without_a_smelter_is_no_origin_of_aluminium(ask):
    rows = ask(
        """
        select direct_share > 0.2, lookthrough_share = 0, lookthrough_high > 0
        from mart_lookthrough
        where importer_iso3 = 'DEU' and origin_iso3 = 'NLD' and material = 'Al'
            and reference_year = 2023 and vintage_id = 'latest'
        """
    )
    assert rows == [(True, True, True)] * 2


def test_a_production_set_of_looking_through_gives_the_producers(ask):
    [(row_set,)] = ask(
        """
        select row_set from mart_provenance
        where mart = 'mart_lookthrough' and role = 'production' and row_key = (
            select min(row_key) from mart_lookthrough
            where importer_iso3 = 'DEU' and origin_iso3 = 'ISL' and material = 'Al'
                and reference_year = 2023 and vintage_id = 'latest'
        )
        """
    )
    producers = {row[0] for row in ask(f"select country_iso3 from {row_set}")}
    assert {"CHN", "ISL", "NOR"} <= producers


def test_exposure_of_the_mart_is_that_of_the_macro(ask):
    [(n, apart)] = ask(
        """
        select count(*), max(abs(marts.any_stage_exposure - macro.any_stage_exposure))
        from (
            select distinct
                importer_iso3, material, stage, reference_year, vintage_id, any_stage_exposure
            from mart_lookthrough where universe = 'supply'
        ) as marts
        inner join any_stage_exposure(['CHN']) as macro
            using (importer_iso3, material, stage, reference_year, vintage_id)
        """
    )
    assert n > 1000
    assert apart < 1e-9


def test_a_cut_from_outside_leaves_the_union_what_it_leaves_its_members(ask):
    rows = ask(
        """
        select
            scenario_id,
            sum(case importer_iso3 when 'EU27' then gap_quantity end),
            sum(gap_quantity) filter (where is_eu27),
            sum(case importer_iso3 when 'EU27' then offset_spare_quantity end),
            sum(offset_spare_quantity) filter (where is_eu27)
        from mart_scenario_result
        inner join dim_country on importer_iso3 = country_iso3
        group by scenario_id
        """
    )
    assert len(rows) >= 5
    for _, gap, of_members, spare, spare_of_members in rows:
        assert gap == pytest.approx(of_members)
        assert spare == pytest.approx(spare_of_members)


def test_a_scenario_rests_on_the_flows_of_everybody(ask):
    row_sets = ask(
        """
        select distinct marts.scenario_id, sources.row_set
        from mart_scenario_result as marts
        inner join mart_provenance as sources
            on marts.row_key = sources.row_key and sources.mart = 'mart_scenario_result'
        """
    )
    assert len(row_sets) == len(ask("select scenario_id from ref_scenario"))
    for _, row_set in row_sets:
        [(buyers,)] = ask(
            f"select count(distinct importer_iso3) from fct_trade_flow where {row_set}"
        )
        assert buyers > 50


def test_rare_earth_mines_without_the_largest(ask):
    found = dict(
        ask(
            """
            select reference_year, n1_gross from mart_n1_coverage
            where material = 'REE_total' and stage = 'mine' and geo_iso3 = 'WLD'
                and vintage_id = 'latest'
            """
        )
    )
    assert found[2025] == pytest.approx(0.306465, abs=1e-6)
    assert found[2024] == pytest.approx(0.296875, abs=1e-6)


def test_import_reliance_of_2024_between_two_editions(ask):
    """The published reliance on compounds and metals of rare earths fell from 80 to 53 per cent."""
    found = ask(
        """
        select vintage_id, nir_official, nir_recomputed from mart_us_risk
        where material = 'REE_total' and stage = 'refining' and reference_year = 2024
        order by vintage_id
        """
    )
    assert found == [
        ("2025-12-31", pytest.approx(0.80), pytest.approx(0.80303, abs=1e-5)),
        ("latest", pytest.approx(0.53), pytest.approx(0.52275, abs=1e-5)),
    ]


def test_recomputed_reliance_stays_near_the_published_one(ask):
    """Phosphate rock apart, whose published reliance counts changes of stocks."""
    [(n, apart)] = ask(
        """
        select count(difference), max(abs(difference)) from mart_us_risk
        where material != 'phosphate_rock'
        """
    )
    assert n > 500
    assert apart < 0.03


def test_five_partners_mined_a_fifth_of_rare_earths_in_2025(ask):
    found = dict(
        ask(
            """
            select group_version, group_share from mart_partner_share
            where group_id = 'us_japan_framework' and material = 'REE_total' and stage = 'mine'
                and scope = 'world_production' and reference_year = 2025 and vintage_id = 'latest'
            """
        )
    )
    assert found["2"] == pytest.approx(0.218, abs=5e-4)
    assert found["1"] == pytest.approx(0.131, abs=5e-4)


def test_planned_purchases_are_never_held(ask):
    found = ask(
        """
        select form, stock, cover_days from mart_stock_cover
        where stock_kind = 'potential' and vintage_id = 'latest' order by form
        """
    )
    assert [(stock, days) for _, stock, days in found] == [
        (1100, None), (450, None), (300, None), (60, None),
    ]  # fmt: skip
    [(silent,)] = ask(
        """
        select count(*) from mart_stock_cover where stock_kind = 'potential'
        and vintage_id != 'latest'
        """
    )
    assert silent == 0


def test_the_bottleneck_of_cobalt_is_refining(ask):
    assert ask(
        """
        select bottleneck_stage, bottleneck_top_supplier from mart_stage_bottleneck
        where chain_id = 'cobalt' and scope = 'world_production' and reference_year = 2023
            and vintage_id = 'latest'
        """
    ) == [("refining", "CHN")]
