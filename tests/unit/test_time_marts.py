"""Trend, switching, event impact and monthly alerts: the models' own SQL on invented rows."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import pytest

from pipelines.settings import PROJECT_ROOT
from tests.support.measures import create_measures
from tests.support.models import model_sql

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
EDITION = "house-2025"


@pytest.fixture
def database():
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(
            f"""
            create table ref_threshold as from read_csv('{SEEDS / "ref_threshold.csv"}');
            create table ref_country_group as
                from read_csv('{SEEDS / "ref_country_group.csv"}');
            create table ref_hs_material as
                from read_csv('{SEEDS / "ref_hs_material.csv"}', all_varchar := true);
            create table dim_edition as
                select '{EDITION}' as source_edition_id, date '2025-08-01' as published_date;
            create table dim_vintage as
                from (values ('2024-12-31', date '2024-12-31', 1, false),
                    ('2025-12-31', date '2025-12-31', 2, false), ('latest', null, 3, true))
                as vintages (vintage_id, as_of_date, vintage_order, is_latest);
            create table fct_trade_report (
                source_id varchar, reporter_iso3 varchar, partner_iso3 varchar, flow varchar,
                hs_code varchar, reference_year smallint, reference_month smallint,
                net_weight_kg double, trade_value_usd double, source_edition_id varchar,
                code_level tinyint);
            create table fct_national_trade (
                source_id varchar, reporter_iso3 varchar, partner_iso3 varchar,
                partner_area_type varchar, flow varchar, national_system varchar,
                national_code varchar, hs_code varchar, material varchar, stage varchar,
                form varchar, elements varchar[], mapping_quality varchar,
                reference_year smallint, reference_month smallint, net_weight_kg double,
                is_confidential boolean, source_edition_id varchar);
            create table int_edition__by_vintage as
                from (values ('house-2025', 'latest', 1), ('house-old', 'latest', 2))
                as editions (source_edition_id, vintage_id, recency);
            create table mart_import_dependency (
                importer_iso3 varchar, material varchar, stage varchar, basis varchar,
                partner_iso3 varchar, reference_year integer, share_of_imports double,
                imports_usd double, imports_gross_t double, vintage_id varchar,
                evidence_grade varchar, flow_source varchar, source_edition_id varchar,
                source_edition_ids varchar[]);
            create table mart_concentration (
                vintage_id varchar, scope varchar, material varchar, stage varchar, basis varchar,
                geo_iso3 varchar, reference_year integer, hhi double, top_share double,
                top_supplier varchar, flow_source varchar, source_edition_id varchar,
                source_edition_ids varchar[], evidence_grade varchar);
            create table dim_control (
                event_id varchar, issuing_iso3 varchar, material varchar, stage varchar,
                target_iso3 varchar, status varchar, valid_from date, is_export_control boolean);
            """
        )
        for model in ("int_trade__national_newest", "int_trade__monthly_change"):
            connection.execute(f"create view {model} as {model_sql(model)}")
        yield connection


def rows(database: Any, model: str, columns: str, order: str = "all") -> list[tuple[Any, ...]]:
    return database.execute(
        f"with found as ({model_sql(model)}) select {columns} from found order by {order}"
    ).fetchall()


# Monthly alerts


def months(first: int, last: int) -> list[tuple[int, int]]:
    return [(year, month) for year in range(first, last + 1) for month in range(1, 13)]


def steady(year: int, month: int, tonnes: float = 1000) -> float:
    """A series with a season and a little irregular noise, in kilograms."""
    season = 1 + 0.2 * math.sin(month)
    noise = 1 + 0.06 * math.sin(7.3 * year + 3.1 * month)
    return 1000 * tonnes * season * noise


def report(database: Any, weights: dict[tuple[int, int], float | None], **names: str) -> None:
    named = {"partner": "WLD", "flow": "export", "code": "850511", **names}
    database.executemany(
        "insert into fct_trade_report values ('un_comtrade', 'CHN', ?, ?, ?, ?, ?, ?, 1, ?, ?)",
        [
            (named["partner"], named["flow"], named["code"], year, month, kg, EDITION,
             len(named["code"]))
            for (year, month), kg in weights.items()
        ],
    )  # fmt: skip


def history(last: int = 2024, tonnes: float = 1000) -> dict[tuple[int, int], float | None]:
    return {at: steady(*at, tonnes) for at in months(2021, last)}


def falling(by: dict[int, float], tonnes: float = 1000) -> dict[tuple[int, int], float | None]:
    """The history, and 2025 with a change on the year before by month."""
    weights = history(tonnes=tonnes)
    for month in range(1, max(by) + 1):
        weights[2025, month] = steady(2024, month, tonnes) * (1 + by.get(month, 0.02))
    return weights


ALERTS = "reference_year, reference_month, hs_code, level"


def test_magnets_fire_in_may_2025_and_the_total_of_rare_earths_does_not(database):
    # The changes that the press gave of Chinese exports: magnets -74 % in May and -38.1 % in June,
    # all rare earths +60 % in June. The level of the series is invented.
    report(database, falling({5: -0.74, 6: -0.381, 7: 0.057}))
    report(database, falling({5: 0.1, 6: 0.60, 7: 0.1}), code="284690")
    assert rows(database, "mart_alerts", ALERTS) == [
        (2025, 5, "850511", "alert"),
        (2025, 6, "850511", "confirmed"),
    ]
    [(change,)] = rows(database, "mart_alerts", "min(yoy_ln)")
    assert change == pytest.approx(math.log(0.26))


def test_an_alert_says_when_it_was_first_known_and_of_what_material(database):
    report(database, falling({5: -0.74}))
    [found] = rows(
        database, "mart_alerts", "material, stage, first_seen_vintage, source_edition_ids, row_key"
    )
    assert found == (
        "permanent_magnets",
        "product",
        "2025-12-31",
        [EDITION],
        "trade_drop|un_comtrade|CHN|WLD|export|850511|2025|5",
    )


def test_a_fall_between_the_thresholds_is_watched(database):
    report(database, falling({5: -0.17}))
    [(level, z)] = rows(database, "mart_alerts", "level, robust_z")
    assert level == "watch"
    assert -3 <= z < -2


def test_a_partner_that_gets_nothing_is_stopped(database):
    report(database, {**history(), (2025, 1): steady(2024, 1)})
    usa = history(tonnes=100)
    report(database, usa, partner="USA")
    assert rows(database, "mart_alerts", "partner_iso3, level, net_weight_kg") == [
        ("USA", "stopped", 0)
    ]


def test_a_total_that_is_not_in_the_extract_is_not_a_stop(database):
    report(database, history())
    report(database, {**history(), (2025, 1): steady(2024, 1)}, partner="USA")
    assert rows(database, "mart_alerts", ALERTS) == []


def test_a_month_without_a_weight_says_nothing(database):
    weights = falling({5: -0.74})
    weights[2025, 5] = None
    report(database, weights)
    assert rows(database, "mart_alerts", ALERTS) == []


@pytest.mark.parametrize(("first_year", "n_alerts"), [(2022, 1), (2023, 0)])
def test_less_than_two_years_of_changes_are_too_few(database, first_year, n_alerts):
    weights = {at: kg for at, kg in falling({5: -0.74}).items() if at[0] >= first_year}
    report(database, weights)
    assert len(rows(database, "mart_alerts", ALERTS)) == n_alerts


def test_yearly_reports_raise_no_alert(database):
    database.execute(
        f"""insert into fct_trade_report select 'un_comtrade', 'CHN', 'WLD', 'export', '850511',
            year, null, 1000 / (year - 1990), 1, '{EDITION}', 6
            from range(1991, 2026) as y (year)"""
    )
    assert rows(database, "mart_alerts", ALERTS) == []


# Monthly alerts: lines of national nomenclatures


def lines(
    database: Any,
    weights: dict[tuple[int, int], float | None],
    *,
    partner: str | None = "CHN",
    code: str = "85051110",
    edition: str = EDITION,
    reporter: str = "DEU",
    elements: tuple[str, ...] | None = ("Dy", "Nd", "Pr", "Sm"),
    secret: bool = False,
) -> None:
    area = "unspecified" if partner is None else "aggregate" if partner == "WLD" else "country"
    database.executemany(
        "insert into fct_national_trade values ('eurostat_comext', ?, ?, ?, 'import', 'CN8', ?,"
        " '850511', 'permanent_magnets', 'product', 'magnet', ?, 'group', ?, ?, ?, ?, ?)",
        [
            (reporter, partner, area, code, elements and list(elements), year, month, kg, secret,
             edition)
            for (year, month), kg in weights.items()
        ],
    )  # fmt: skip


LINES = "reference_year, reference_month, partner_iso3, national_code, level"


def judged(database: Any, columns: str) -> list[tuple[Any, ...]]:
    return rows(database, "mart_alert_series", columns)


def test_a_jump_in_a_line_fires_and_says_which_line_and_what_it_holds(database):
    lines(database, falling({5: -0.74, 6: -0.381, 7: 0.057}))
    lines(database, falling({7: 0.05}), code="85051190", elements=None)
    assert rows(database, "mart_alerts", LINES) == [
        (2025, 5, "CHN", "85051110", "alert"),
        (2025, 6, "CHN", "85051110", "confirmed"),
    ]
    found = rows(
        database,
        "mart_alerts",
        "rule_id, hs_code, national_system, elements, material, stage, row_key",
    )
    assert found[0] == (
        "line_drop",
        "850511",
        "CN8",
        ["Dy", "Nd", "Pr", "Sm"],
        "permanent_magnets",
        "product",
        "line_drop|eurostat_comext|DEU|CHN|import|85051110|2025|5",
    )


def test_a_year_that_was_fetched_again_counts_once_as_it_is_now(database):
    lines(database, falling({5: -0.74}))
    lines(database, falling({5: 0.02}), edition="house-old")
    assert rows(database, "mart_alerts", LINES) == [(2025, 5, "CHN", "85051110", "alert")]
    assert rows(database, "mart_alerts", "source_edition_ids") == [([EDITION],)]


def test_an_alert_names_every_edition_of_the_years_that_it_rests_on(database):
    weights = falling({5: -0.74})
    lines(database, {at: kg for at, kg in weights.items() if at[0] < 2023}, edition="house-old")
    lines(database, {at: kg for at, kg in weights.items() if at[0] >= 2023})
    assert rows(database, "mart_alerts", "source_edition_ids") == [([EDITION, "house-old"],)]


def test_a_line_in_which_nobody_trades_any_more_is_stopped(database):
    lines(database, {**history(), (2025, 1): steady(2024, 1)})
    lines(database, falling({2: 0.02}), code="85051190", elements=None)
    assert rows(database, "mart_alerts", LINES) == [(2025, 2, "CHN", "85051110", "stopped")]


def test_a_line_that_the_nomenclature_drops_is_not_stopped(database):
    lines(database, history(), code="85051100", elements=None)
    lines(database, falling({2: 0.02}), code="85051190", elements=None)
    assert rows(database, "mart_alerts", LINES) == []


@pytest.mark.parametrize("kept_back", ["partner", "sibling"])
def test_a_partner_that_may_be_kept_secret_is_unknown_and_not_stopped(database, kept_back):
    lines(database, falling({2: 0.02}))
    lines(database, {**history(), (2025, 1): steady(2024, 1)}, partner="USA")
    assert rows(database, "mart_alerts", LINES) == [(2025, 2, "USA", "85051110", "stopped")]
    if kept_back == "partner":
        lines(database, {(2025, 2): 5.0}, partner=None)
    else:
        lines(database, {(2025, 2): 5.0}, code="850511XX", elements=None, secret=True)
    assert rows(database, "mart_alerts", LINES) == []
    reasons = dict(judged(database, "partner_iso3, reason"))
    assert "a part of the trade is kept back" in reasons["USA"]
    assert reasons["CHN"] is None


def test_a_figure_that_is_kept_back_in_part_says_nothing(database):
    lines(database, {at: kg for at, kg in falling({5: -0.74}).items() if at != (2025, 5)})
    lines(database, {(2025, 5): steady(2024, 5) * 0.1}, secret=True)
    assert rows(database, "mart_alerts", LINES) == []


def test_a_line_that_changes_its_meaning_begins_anew(database):
    weights = falling({5: -0.74})
    lines(database, {at: kg for at, kg in weights.items() if at[0] < 2024}, elements=None)
    lines(database, {at: kg for at, kg in weights.items() if at[0] >= 2024})
    assert rows(database, "mart_alerts", LINES) == []
    assert judged(database, "first_year, n_months, reason") == [
        (2021, 36, "the series is too short: a score needs 24 changes on the year before"),
        (2024, 17, "the series is too short: a score needs 24 changes on the year before"),
    ]


def test_a_series_without_an_alert_is_told_as_calm_thin_or_short(database):
    lines(database, falling({5: 0.02}))
    thin = {at: 10.0 for at in months(2021, 2024) if at[1] == 3}
    lines(database, thin, partner="VNM")
    lines(database, dict.fromkeys(months(2021, 2024)), partner="JPN")
    lines(database, {at: steady(*at) for at in months(2024, 2024)}, partner="KOR")
    assert rows(database, "mart_alerts", LINES) == []
    assert judged(database, "partner_iso3, is_judged, n_months_traded, reason") == [
        ("CHN", True, 53, None),
        ("JPN", False, 0, "no month has a weight"),
        ("KOR", False, 12, "the series is too short: a score needs 24 changes on the year before"),
        ("VNM", False, 4, "nothing was traded in the last month of either year"),
    ]


def test_a_code_longer_than_six_digits_is_judged_as_a_line_only(database):
    report(database, falling({5: -0.74}), code="28469015")
    assert rows(database, "mart_alerts", ALERTS) == []


# Trend and switching


def concentration(database: Any, year: int, hhi: float, edition: str = EDITION, **more: Any):
    row = {"top_share": 0.5, "top_supplier": "CHN", "basis": "usd", "vintage": "latest", **more}
    database.execute(
        "insert into mart_concentration values "
        "(?, 'import_sources', 'Er', 'refining', ?, 'JPN', ?, ?, ?, ?, 'baci', ?, [?], 'B')",
        [
            row["vintage"], row["basis"], year, hhi, row["top_share"], row["top_supplier"],
            edition, edition,
        ],
    )  # fmt: skip


def test_the_slope_is_that_of_a_straight_line_through_the_logarithms(database):
    for year in range(2019, 2025):
        concentration(
            database, year, 0.2 * math.exp(0.05 * (year - 2019)), top_share=0.3 + 0.02 * year % 1
        )
    found = rows(database, "mart_trend", "reference_year, dln_hhi_5y, vintage_consistent")
    assert found == [(2023, pytest.approx(0.05), True), (2024, pytest.approx(0.05), True)]


def test_a_gap_in_the_years_gives_no_trend_and_vintages_never_mix(database):
    for year in (2018, 2019, 2021, 2022, 2023):
        concentration(database, year, 0.3)
    concentration(database, 2020, 0.3, vintage="2023-12-31")
    assert rows(database, "mart_trend", "*") == []


def test_a_trend_over_two_editions_says_so_and_names_both(database):
    for year in range(2020, 2025):
        concentration(
            database, year, 0.3, "house-2024" if year < 2022 else EDITION,
            top_share=0.4 if year == 2020 else 0.55,
        )  # fmt: skip
    [found] = rows(
        database, "mart_trend", "vintage_consistent, source_edition_ids, delta_top_share_pp"
    )
    assert found == (False, ["house-2024", EDITION], pytest.approx(15))


def shares(database: Any, year: int, by_partner: dict[str | None, float], **more: Any) -> None:
    row = {"importer": "JPN", "material": "Er", "stage": "refining", **more}
    database.executemany(
        "insert into mart_import_dependency values "
        "(?, ?, ?, 'usd', ?, ?, ?, ?, null, 'latest', 'B', 'baci', ?, [?])",
        [
            (row["importer"], row["material"], row["stage"], partner, year, share, 1000 * share,
             EDITION, EDITION)
            for partner, share in by_partner.items()
        ],
    )  # fmt: skip
    concentration(database, year, 0.3)


def test_what_changes_hands_who_enters_and_who_leaves(database):
    shares(database, 2022, {"CHN": 0.72, "AUS": 0.2, "VNM": 0.08})
    shares(database, 2023, {"CHN": 0.6, "AUS": 0.35, "MYS": 0.05})
    shares(database, 2025, {"CHN": 1.0})
    found = rows(
        database,
        "mart_supplier_switch",
        """reference_year, reallocation, entries, exits, share_of_entries, share_of_exits,
        largest_gain_iso3, largest_loss_iso3""",
    )
    assert found == [
        (2023, pytest.approx(0.2), 1, 1, pytest.approx(0.05), pytest.approx(0.08), "AUS", "CHN")
    ]


def test_supply_that_moves_to_the_partner_set_is_told_in_points(database):
    shares(database, 2022, {"CHN": 0.72, "AUS": 0.2, "VNM": 0.08})
    shares(database, 2023, {"CHN": 0.6, "AUS": 0.3, "MYS": 0.04, None: 0.06})
    [found] = rows(database, "mart_supplier_switch", "to_group_pp")
    assert found == (pytest.approx(14),)


def test_suppliers_without_a_name_change_hands_but_do_not_enter(database):
    shares(database, 2022, {"CHN": 1.0})
    shares(database, 2023, {"CHN": 0.8, None: 0.2})
    [found] = rows(
        database,
        "mart_supplier_switch",
        "reallocation, entries, exits, largest_gain_iso3, largest_loss_iso3",
    )
    assert found == (pytest.approx(0.2), 0, 0, None, "CHN")


# Event impact


def control(database: Any, event: str, day: str, material: str, target: str = "WLD") -> None:
    database.execute(
        "insert into dim_control values (?, 'CHN', ?, 'refining', ?, 'in_force', ?, true)",
        [event, material, target, day],
    )


def yearly_share(database: Any, material: str, before: float, after: float) -> None:
    for year in range(2007, 2014):
        share = before if year <= 2010 else after
        shares(database, year, {"CHN": share, "AUS": 1 - share}, material=material)


def impacts(database: Any, columns: str) -> list[tuple[Any, ...]]:
    database.execute(f"create table int_event__supply as {model_sql('int_event__supply')}")
    return rows(database, "mart_event_impact", columns)


def test_a_shift_is_ranked_among_materials_that_no_control_touched(database):
    control(database, "embargo", "2010-09-21", "Dy", "JPN")
    control(database, "other", "2011-06-01", "Tb")
    yearly_share(database, "Dy", 0.9, 0.6)
    yearly_share(database, "Tb", 0.9, 0.1)  # touched by another control within the window
    yearly_share(database, "Fe", 0.5, 0.1)
    for n in range(8):
        yearly_share(database, f"placebo {n}", 0.5, 0.5 - 0.01 * n)
    found = impacts(
        database,
        """event_id, share_before, share_after, shift_pp, placebo_rank_p, n_placebos,
        n_periods_before, n_periods_after, first_period, last_period""",
    )
    assert found[0] == (
        "embargo", pytest.approx(0.9), pytest.approx(0.6), pytest.approx(-30),
        pytest.approx(2 / 10), 9, 3, 3, 2007, 2013,
    )  # fmt: skip


def test_an_event_without_years_after_it_has_no_row(database):
    control(database, "too new", "2013-03-01", "Dy")
    yearly_share(database, "Dy", 0.9, 0.6)
    assert impacts(database, "*") == []


def test_a_supplier_that_stops_altogether_shifts_by_all_it_had(database):
    control(database, "embargo", "2010-09-21", "Dy")
    for year in range(2007, 2014):
        market = {"CHN": 0.4, "AUS": 0.6} if year <= 2010 else {"AUS": 1.0}
        shares(database, year, market, material="Dy")
    [found] = impacts(database, "shift_pp, placebo_rank_p, n_placebos")
    assert found == (pytest.approx(-40), None, 0)


def test_monthly_reports_are_compared_by_the_month(database):
    control(database, "licence", "2024-06-15", "ree_compounds")
    for year, month in months(2023, 2025):
        late = (year, month) > (2024, 6)
        for partner, usd in (("CHN", 10 if late else 60), ("AUS", 90 if late else 40)):
            database.execute(
                "insert into fct_trade_report values "
                "('un_comtrade', 'JPN', ?, 'import', '284690', ?, ?, ?, ?, ?, 6)",
                [partner, year, month, 1000 * usd, usd, EDITION],
            )
    [found] = impacts(
        database, "frequency, share_before, share_after, qty_change_pct, n_periods_after"
    )
    assert found == (
        "month", pytest.approx(0.6), pytest.approx(0.1), pytest.approx(-100 * 5 / 6), 12,
    )  # fmt: skip
