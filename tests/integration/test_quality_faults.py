"""Every quality check is shown to fail: a fault is planted in the starter's warehouse, and found.

The faults are of the kind that a reader or a map gets wrong: a footnote digit, a unit, a column
that slid, a country that is lost. Each is planted in a transaction that is rolled back.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from quality.runner import CheckResult, run_checks
from quality.suites import Check, load_checks

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("starter")]

CHECKS = {check.id: check for check in load_checks()}
ERRORS = [check for check in CHECKS.values() if check.severity == "error"]
#: Staging views that checks need or look at; the copy holds their rows in the schema ``staged``.
STAGED = sorted({table for check in CHECKS.values() for table in check.needs})


@dataclass(frozen=True)
class Fault:
    """What is broken, and what the message must name."""

    sql: str
    named: tuple[str, ...]


def fault(sql: str, *named: str) -> Fault:
    return Fault(sql, named)


FAULTS: dict[str, Fault] = {
    # agreement
    "rare_earth_rows_meet_the_printed_world_total": fault(
        # 13,000 with footnote 1 behind it
        """update mart_concentration set quantity_total = quantity_total + 130001 - 13000
        where scope = 'world_production' and material = 'REE_total' and basis = 'reo_t'
            and stage = 'mine' and vintage_id = 'latest' and reference_year = 2024""",
        "vintage_id=latest", "reference_year=2024", "gap=0.3",
    ),
    "world_rows_meet_printed_totals": fault(
        """delete from fct_production
        where source_edition_id = 'usgs_mcs-2026-v1.0' and country_iso3 = 'CHN'""",
        "source_edition_id=usgs_mcs-2026-v1.0", "series_label=gallium: primary production",
    ),
    "printed_totals_are_not_far_below_their_rows": fault(
        # 44,000 printed without its last zero
        """update mart_concentration set printed_total = printed_total / 10
        where scope = 'world_production' and material = 'kaolin' and basis = 'gross_t'
            and reference_year = 2024 and vintage_id = '2025-12-31'""",
        "material=kaolin", "vintage_id=2025-12-31", "ratio=10.0",
    ),
    "mine_output_is_the_same_in_both_tables": fault(
        """update fct_supply_balance set value = value * 1000
        where measure = 'production' and source_edition_id = 'usgs_mcs-2026-v1.0'""",
        "source_edition_id=usgs_mcs-2026-v1.0", "material=Ag",
    ),
    "net_import_reliance_of_rare_earths_can_be_recomputed": fault(
        """update fct_supply_balance set value = value * 10
        where measure = 'consumption' and material = 'REE_total' and reference_year = 2025""",
        "reference_year=2025", "recomputed=0.967037",
    ),
    "net_import_reliance_can_be_recomputed": fault(
        """update fct_supply_balance set value = value / 2
        where measure = 'consumption' and source_edition_id = 'usgs_mcs-2025-v2.0'""",
        "source_edition_id=usgs_mcs-2025-v2.0, material=alumina",
    ),
    "summaries_agree_with_the_yearbook": fault(
        "update fct_production set value = value * 1000 where source_id = 'usgs_myb'",
        "country_iso3=VNM, reference_year=2021", "yearbook_t=440000",
    ),
    "china_mines_most_rare_earths_in_every_source": fault(
        """update mart_concentration set top_supplier = 'CHL'
        where material = 'Dy' and stage = 'mine' and basis = 'share'""",
        "material=Dy", "top_supplier=CHL",
    ),
    "sources_name_the_same_leading_producer": fault(
        """update fct_production
        set country_iso3 = case country_iso3 when 'CHN' then 'CHL' when 'CHL' then 'CHN' end
        where source_id = 'eu_crm' and country_iso3 in ('CHN', 'CHL')""",
        "source_one=eu_crm", "leader_one=CHL", "leader_other=CHN",
    ),
    "sources_agree_on_the_share_of_china": fault(
        """update fct_production set value = value / 3
        where source_id = 'eu_crm' and country_iso3 = 'CHN'""",
        "source_one=eu_crm", "gap=0.",
    ),
    "eu_study_shares_add_up": fault(
        """delete from fct_production
        where source_id = 'eu_crm' and country_iso3 = 'CHN' and material = 'Tb'
            and stage = 'mine'""",
        "material=Tb, stage=mine", "total=0.15",
    ),
    "eu_sourcing_shares_add_up": fault(
        """insert into staged.stg_eu_crm__supply_share
        select * from staged.stg_eu_crm__supply_share
        where scope = 'eu' and material_label ilike 'neodymium' and country_label = 'China'""",
        "eodymium, stage=refining", "percent=186.1",
    ),
    "agencies_and_trade_name_the_same_supplier": fault(
        "update staged.stg_eu_crm__supply_share set value = 100 - value where scope = 'eu'",
        "importer_iso3=EU27, material=Cr", "is_same=False",
    ),
    "two_surveys_agree_on_production_in_the_middle": fault(
        # kilograms read as tonnes
        """insert into staged.stg_bgs_wms__production by name
        select 'bgs_wms-toy' as source_edition_id;
        insert into fct_production by name
        select * replace ('bgs_wms' as source_id, 'bgs_wms-toy' as source_edition_id,
            1000 * value as value)
        from fct_production
        where source_edition_id = 'usgs_mcs-2026-v1.0' and material = 'Co' and stage = 'mine'""",
        "material=Co, stage=mine", "ratio=1000",
    ),
    "both_reports_of_trade_agree_in_the_middle": fault(
        # dollars on one side, euros of another year on the other
        """insert into staged.stg_un_comtrade__trade by name
        select 'un_comtrade-toy' as source_edition_id;
        insert into mart_mirror_gap by name
        select 'planted ' || i as row_key, '850511' as hs_code, 2022 as reference_year,
            600000 as x_usd, 200000 as m_cif_usd, 3.0 as value_ratio_reported
        from range(40) as rows (i)""",
        "hs_code=850511", "reference_year=2022", "ratio=3",
    ),
    "united_states_imports_agree_with_baci": fault(
        """update fct_trade_flow set trade_value_usd = trade_value_usd / 1000
        where hs_code in ('284610', '284690')""",
        "reference_year=2001", "baci_usd=59782.3",
    ),
    "reconciliations_of_trade_agree": fault(
        """insert into fct_trade_flow by name
        select * replace (
            'cepii_baci-HS92_V202501' as source_edition_id,
            trade_value_usd * 1000 as trade_value_usd)
        from fct_trade_flow
        where hs_code = '284690' and reference_year = 2023""",
        "hs_code=284690, reference_year=2023", "edition_one=cepii_baci-HS92_V202501",
        "ratio=0.001",
    ),
    # plausibility
    "production_stays_within_capacity": fault(
        """update fct_production set value = value * 1000
        where measure = 'production' and material = 'Al' and reference_year = 2025""",
        "material=Al", "reference_year=2025", "used=10",
    ),
    "elements_add_up_to_the_oxide_total": fault(
        """update fct_production set value = value * 1.3
        where derivation = 'oxide_distribution' and material = 'Ce' and country_iso3 = 'AUS'""",
        "country_iso3=AUS", "ratio=1.",
    ),
    "no_leader_is_named_over_a_larger_unknown": fault(
        """update fct_production set value = null, value_high = 1e9
        where material = 'Ag' and stage = 'mine' and country_iso3 = 'PER'""",
        "material=Ag", "top_supplier=MEX", "may_be_larger=PER",
    ),
    "unit_values_of_rare_earths_are_plausible": fault(
        """update fct_trade_flow set net_weight_kg = net_weight_kg / 1000
        where hs_code = '280530' and reference_year = 2010""",
        "hs_code=280530, reference_year=2010",
    ),
    "governance_estimates_are_on_their_scale": fault(
        "update staged.stg_wb_wgi__estimate set value = -value where indicator = 'cc'",
        "(spread)", "indicator=cc", "spread=-",
    ),
    # drift
    "editions_keep_materials_and_countries": fault(
        """delete from fct_production
        where source_edition_id = 'usgs_mcs-2026-v1.0' and country_name_reported ilike 'C%'""",
        "what=production, source_edition_id=usgs_mcs-2026-v1.0, of_what=countries", "CHL CHN",
    ),
    "series_keep_their_basis": fault(
        """update fct_production set basis = 'gross_t'
        where basis = 'element_t' and source_edition_id = 'usgs_mcs-2026-v1.0'""",
        "bases_before=element_t, bases=gross_t",
    ),
    "no_production_series_loses_its_countries": fault(
        """delete from fct_production
        where source_edition_id = 'usgs_mcs-2026-v1.0' and material = 'Cu' and stage = 'mine'
            and country_iso3 not in ('USA', 'WLD')""",
        "material=Cu, stage=mine", "source_edition_id=usgs_mcs-2026-v1.0", "n_countries=1",
    ),
    "world_output_does_not_jump_between_editions": fault(
        """update fct_production set value = value * 1000
        where source_edition_id = 'usgs_mcs-2026-v1.0' and material = 'Co' and stage = 'mine'""",
        "material=Co, stage=mine", "source_edition_id=usgs_mcs-2026-v1.0", "ratio=1046",
    ),
    "suppliers_keep_their_shares_between_editions": fault(
        """update fct_production
        set country_iso3 = case country_iso3 when 'COD' then 'IDN' else 'COD' end
        where source_edition_id = 'usgs_mcs-2026-v1.0' and material = 'Co' and stage = 'mine'
            and country_iso3 in ('COD', 'IDN')""",
        "material=Co, stage=mine", "gained_most=IDN, lost_most=COD",
    ),
    "world_output_does_not_jump_between_years": fault(
        """update mart_concentration set quantity_total = quantity_total * 1000
        where scope = 'world_production' and vintage_id = 'latest' and reference_year = 2025""",
        "reference_year=2025", "ratio=",
    ),
    "reserves_do_not_jump_between_editions": fault(
        # kilograms read as thousand tons, as one edition's header says
        """update fct_supply_balance set value = value * 1e6
        where measure = 'reserves' and material = 'Re'
            and source_edition_id = 'usgs_mcs-2023-v1.0'""",
        "material=Re", "edition_before=usgs_mcs-2023-v1.0",
    ),
    "balance_does_not_jump_between_editions": fault(
        """update fct_supply_balance set value = value * 1000
        where measure = 'imports' and material = 'V'
            and source_edition_id = 'usgs_mcs-2025-v2.0'""",
        "material=V, stage=metal", "measure=imports", "ratio=1555.56",
    ),
    "prices_do_not_jump_between_editions": fault(
        """update fct_price set price_usd_per_kg = price_usd_per_kg * 100
        where unit = 'cents per pound' and source_edition_id = 'usgs_mcs-2026-v1.0'""",
        "source_edition_id=usgs_mcs-2026-v1.0, unit=cents per pound", "ratio=10",
    ),
    "trade_does_not_jump_between_years": fault(
        """update mart_concentration set quantity_total = quantity_total / 1000
        where scope = 'world_exports' and basis = 'usd' and reference_year = 2010""",
        "material=ree_metals, stage=metal, reference_year=2011", "ratio=3650.34",
    ),
    "no_large_trader_disappears": fault(
        # its code is none of ISO 3166
        """delete from fct_trade_flow
        where 'TWN' in (exporter_iso3, importer_iso3) and reference_year = 2015""",
        "side=import, country_iso3=TWN, reference_year=2014", "usd_after=0",
    ),
    # coverage
    "rare_earth_elements_have_both_stages": fault(
        """delete from mart_concentration
        where material = 'Tb' and stage = 'refining' and basis = 'share'""",
        "material=Tb, stage=refining, n_rows=0",
    ),
    "headline_importers_are_there_every_year": fault(
        """delete from mart_concentration
        where material = 'ree_metals' and geo_iso3 = 'JPN' and reference_year = 2011""",
        "material=ree_metals, geo_iso3=JPN, reference_year=2011, n_rows=0",
    ),
    "every_mart_row_leads_to_a_source": fault(
        # a code that is no longer mapped to its material
        "update ref_hs_material set stage = 'mine' where hs_code = '280530'",
        "mart=mart_concentration", "mart=mart_dependency_flags",
    ),
    "measured_cells_reach_a_fact": fault(
        "delete from fct_supply_balance where source_edition_id = 'usgs_mcs-2024-v2.0'",
        "raw_table=raw_usgs_mcs__salient, source_edition_id=usgs_mcs-2024-v2.0",
    ),
    "no_trade_flow_is_lost": fault(
        """delete from fct_trade_flow
        where exporter_iso3 = 'CHN' and importer_iso3 = 'JPN' and hs_code = '280530'
            and reference_year = 2023""",
        "source_edition_id=cepii_baci-HS92_V202601, reference_year=2023", "n_lost=1",
    ),
    "the_eu_leaves_out_trade_within": fault(
        """update mart_concentration set quantity_total = quantity_total * 1.5
        where geo_iso3 = 'EU27' and material = 'ree_compounds' and reference_year = 2020
            and basis = 'usd'""",
        "material=ree_compounds, reference_year=2020", "gap=0.5",
    ),
    "a_later_vintage_knows_no_less": fault(
        "delete from mart_concentration where basis = 'oxide_t' and vintage_id = 'latest'",
        "vintage_id=2025-12-31, scope=world_production, basis=oxide_t", "kept=0",
    ),
    "governance_covers_the_producers": fault(
        """delete from staged.stg_wb_wgi__estimate
        where indicator = 'pv' and reference_year = (
            select max(reference_year) from staged.stg_wb_wgi__estimate)""",
        "country_iso3=", "n_indicators=5",
    ),
}  # fmt: skip

#: The same check, broken in a second way that its first fault does not show.
MORE_FAULTS: list[tuple[str, Fault]] = [
    (
        "rare_earth_rows_meet_the_printed_world_total",
        fault(
            """update mart_concentration set printed_total = null
            where material = 'REE_total' and basis = 'reo_t' and reference_year = 2025""",
            "not be null (gap)", "reference_year=2025",
        ),
    ),
    (
        "eu_study_shares_add_up",
        fault(
            """insert into fct_production by name
            select * replace (row_key || ' again' as row_key)
            from fct_production
            where source_id = 'eu_crm' and country_iso3 = 'CHN' and material = 'Ga'
                and stage = 'refining'""",
            "material=Ga, stage=refining", "total=1.9",
        ),
    ),
    (
        "every_mart_row_leads_to_a_source",
        fault(
            """update fct_provenance_cell set cell_id = 'no such cell'
            where cell_id = (select min(cell_id) from fct_provenance_cell)""",
            "mart=cells of mart_provenance",
        ),
    ),
    (
        "every_mart_row_leads_to_a_source",
        fault(
            # nobody says any more which flows these shares are of
            """update mart_import_dependency set flow_source = null
            where importer_iso3 = 'JPN' and material = 'ree_metals' and reference_year = 2023""",
            "mart=mart_import_dependency",
        ),
    ),
    (
        "governance_estimates_are_on_their_scale",
        fault(
            """update staged.stg_wb_wgi__estimate set value = 50 + value * 20
            where reference_year = 2023""",
            "(mean)", "(deviation)", "reference_year=2023",
        ),
    ),
    (
        "no_trade_flow_is_lost",
        fault(
            """update fct_trade_flow set trade_value_usd = trade_value_usd * 2
            where reference_year = 2001 and hs_code = '284690'""",
            "(usd_share)", "reference_year=2001",
        ),
    ),
    (
        "production_stays_within_capacity",
        fault(
            """update fct_production set measure = case measure
                when 'capacity' then 'production' else 'capacity' end
            where measure in ('capacity', 'production') and material in ('Al', 'Ti', 'Mg')
                and stage = 'metal'""",
            "material=Mg", "country_iso3=RUS", "used=5.4",
        ),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def warehouse(
    starter_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the starter's build that may be broken.

    A transaction writes to one database only, so the rows of staging views stand beside the marts
    in the schema ``staged``, and the views of ``work`` show those.
    """
    folder = tmp_path_factory.mktemp("quality")
    for name in ("monazite.duckdb", "work.duckdb"):
        shutil.copyfile(starter_home / "build" / name, folder / name)
    try:
        with duckdb.connect(str(folder / "monazite.duckdb")) as connection:
            connection.execute(f"attach '{folder / 'work.duckdb'}' as work")
            connection.execute("create schema staged")
            for view in STAGED:
                connection.execute(f"create table staged.{view} as from work.staging.{view}")
                connection.execute(
                    f"create or replace view work.staging.{view} as from monazite.staged.{view}"
                )
            yield connection
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def sound(warehouse: duckdb.DuckDBPyConnection) -> dict[str, CheckResult]:
    """What every check finds before anything is broken."""
    return {result.check.id: result for result in run_checks(warehouse, list(CHECKS.values()))}


@contextmanager
def planted(connection: duckdb.DuckDBPyConnection, *statements: str) -> Iterator[None]:
    """The fault, for as long as the block lasts."""
    connection.execute("begin")
    try:
        for statement in statements:
            connection.execute(statement)
        yield
    finally:
        connection.execute("rollback")


def test_every_check_has_a_planted_fault():
    assert set(FAULTS) == set(CHECKS)
    assert {check_id for check_id, _ in MORE_FAULTS} <= set(CHECKS)


def test_every_error_check_passes_on_the_starter(sound):
    assert {k: r.detail for k, r in sound.items() if r.status == "failed"} == {}
    assert [k for k, r in sound.items() if r.detail.startswith("cannot be run")] == []
    looked_at = {k for k, r in sound.items() if r.n_evaluated}
    # They need UN Comtrade, a second reconciliation and a second survey: the starter has none.
    assert set(CHECKS) - looked_at == {
        "both_reports_of_trade_agree_in_the_middle",
        "reconciliations_of_trade_agree",
        "two_surveys_agree_on_production_in_the_middle",
    }


def test_every_check_is_shown_on_a_table_of_the_warehouse(warehouse):
    tables = {
        row[0] for row in warehouse.execute("from duckdb_tables() select table_name").fetchall()
    }
    views = {row[0] for row in warehouse.execute("from duckdb_views() select view_name").fetchall()}
    assert {check.table for check in CHECKS.values()} <= tables | views
    assert {table for check in CHECKS.values() for table in check.needs} <= tables | views
    sources = {row[0] for row in warehouse.execute("select source_id from dim_source").fetchall()}
    assert {check.source for check in CHECKS.values()} <= sources | {"all", "un_comtrade"}


@pytest.mark.parametrize(
    ("check_id", "broken"),
    [*FAULTS.items(), *MORE_FAULTS],
    ids=[*FAULTS, *(f"{check_id}, again" for check_id, _ in MORE_FAULTS)],
)
def test_a_planted_fault_is_found_and_named(warehouse, sound, check_id, broken):
    check: Check = CHECKS[check_id]
    before = sound[check_id]
    with planted(warehouse, broken.sql):
        (result,) = run_checks(warehouse, [check])
    assert result.status == ("failed" if check.severity == "error" else "warned")
    assert result.n_failed > before.n_failed
    assert [words for words in broken.named if words not in result.detail] == []
    assert [words for words in broken.named if words not in before.detail] != []


@pytest.mark.parametrize(
    "gone",
    [
        "source_edition_id like 'eu!_crm-%' escape '!'",
        "source_edition_id like 'usgs!_mcs-%' escape '!'",
        "source_edition_id like 'cepii!_baci-%' escape '!'",
        "source_edition_id in ('usgs_mcs-2023-v1.0', 'usgs_mcs-2024-v2.0', 'usgs_mcs-2025-v2.0')",
    ],
    ids=["no EU study", "no Summaries", "no BACI", "one edition of the Summaries"],
)
def test_a_house_is_not_blocked_by_what_it_does_not_hold(warehouse, gone):
    tables = warehouse.execute(
        """select distinct table_name from duckdb_columns()
        where schema_name = 'main' and column_name = 'source_edition_id'
            and table_name in (select table_name from duckdb_tables())"""
    ).fetchall()
    revised = gone.replace("source_edition_id", "edition")
    with planted(
        warehouse,
        *(f"delete from {table} where {gone}" for (table,) in tables),
        *(f"delete from staged.{table} where {gone}" for table in STAGED),
        *(
            f"""delete from {table} where exists (
            select 1 from unnest(source_edition_ids) as named (edition) where {revised})"""
            for table in ("mart_revision_diff", "mart_claims")
        ),
    ):
        results = run_checks(warehouse, ERRORS)
    assert {r.check.id: r.detail for r in results if not r.passed} == {}
    assert sum(not r.n_evaluated for r in results) >= 2
