"""Draws of balances and of measures made of several lists: laws, and cases of known result."""

from __future__ import annotations

import math
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.uncertainty import Inputs, Terms, balance, composites, normal, simulate
from pipelines.uncertainty.figures import Figures, batches, over_runs, starts_of, sums

DRAWS = 1000
TERMS = Terms(draws=DRAWS, seed=7, most_hidden=10, year_correlation=1)
few = settings(max_examples=8, deadline=None, derandomize=True)
sigma = st.floats(min_value=0, max_value=1)
quantity = st.floats(min_value=1e-3, max_value=1e6)
quantities = st.lists(quantity, min_size=1, max_size=6)
near = pytest.approx
FIGURE = {
    "reference_year": pl.Int64,
    "quantity": pl.Float64,
    "sigma_ln": pl.Float64,
    "half_width": pl.Float64,
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "suppliers": {
        "list_key": pl.String, "supplier_iso3": pl.String, "error_key": pl.String, **FIGURE,
        "is_wanted": pl.Boolean,
    },
    "combinations": {
        "mart": pl.String, "mart_row_key": pl.String, "position": pl.Int64, "list_key": pl.String,
        "balance_key": pl.String, "members": pl.List(pl.String),
    },
    "governed": {
        "mart": pl.String, "mart_row_key": pl.String, "country_iso3": pl.String,
        "error_key": pl.String, **FIGURE, "weight": pl.Float64, "estimate": pl.Float64,
        "standard_error": pl.Float64,
    },
    "parts": {"balance_key": pl.String, "role": pl.String, "error_key": pl.String, **FIGURE},
    "reliance": {
        "mart_row_key": pl.String, "reliance_key": pl.String, "reliance_low": pl.Float64,
        "reliance_high": pl.Float64,
    },
    "balances": {
        "reliance_key": pl.String, "list_key": pl.String, "importer_iso3": pl.String,
        "balance_key": pl.String, "imports_low": pl.Float64, "imports_high": pl.Float64,
        "exports_low": pl.Float64, "exports_high": pl.Float64,
    },
}  # fmt: skip


def table(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMAS[name])


def listed(key: str, values: dict[str | None, float], sigma_ln: float = 0.0) -> list[dict]:
    return [
        {
            "list_key": key, "supplier_iso3": name, "error_key": name or "unnamed",
            "reference_year": 2020,
            "quantity": value, "sigma_ln": sigma_ln, "half_width": 0.0, "is_wanted": False,
        }
        for name, value in values.items()
    ]  # fmt: skip


def combined(mart: str, *keys: str, row: str = "row", **other: Any) -> list[dict]:
    return [
        {"mart": mart, "mart_row_key": row, "position": position, "list_key": key,
         "balance_key": None, "members": None, **other}
        for position, key in enumerate(keys, start=1)
    ]  # fmt: skip


def governed(mart: str, name: str, value: float, **other: Any) -> dict:
    return {
        "mart": mart, "mart_row_key": "row", "country_iso3": name, "error_key": name,
        "reference_year": 2020,
        "quantity": value, "sigma_ln": 0.0, "half_width": 0.0, "weight": 1.0, "estimate": 0.0,
        "standard_error": 0.2, **other,
    }  # fmt: skip


def part(role: str, value: float, sigma_ln: float = 0.0, **other: Any) -> dict:
    return {
        "balance_key": "b", "role": role, "error_key": f"{role} of A", "reference_year": 2020,
        "quantity": value,
        "sigma_ln": sigma_ln, "half_width": 0.0, **other,
    }  # fmt: skip


def balanced(imports: float, *parts: dict, sigma_ln: float = 0.0, draws: int = DRAWS, **other: Any):
    terms = {
        "reliance_key": "balance", "list_key": "list", "importer_iso3": "A", "balance_key": "b",
        "imports_low": 1.0, "imports_high": 1.0, "exports_low": 1.0, "exports_high": 1.0,
        **other,
    }  # fmt: skip
    return balance(
        table("balances", [terms]),
        table("parts", list(parts)),
        table("suppliers", listed("list", {"X": imports}, sigma_ln)),
        terms=replace(TERMS, draws=draws),
    )


def draw(**tables: Any) -> pl.DataFrame:
    limits = tables.pop("limits", {})
    terms = tables.pop("terms", None) or replace(TERMS, draws=tables.pop("draws", DRAWS))
    none = (table(name, []) for name in ("balances", "parts", "suppliers"))
    reliances = tables.pop("balanced", None) or balance(*none, terms=terms)
    names = ("suppliers", "combinations", "governed", "parts", "reliance")
    inputs = Inputs(**{name: table(name, tables.get(name, [])) for name in names})
    return composites(inputs, reliances, terms=terms, limits=limits)


def only(drawn: pl.DataFrame) -> dict[str, Any]:
    [row] = drawn.to_dicts()
    return row


def quantiles(drawn: pl.DataFrame) -> list[float]:
    row = only(drawn)
    return [row["p05"], row["p50"], row["p95"]]


# Rows in runs


@few
@given(sizes=st.lists(st.integers(min_value=1, max_value=40), max_size=12))
def test_batches_are_whole_groups_and_all_rows_in_order(sizes):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    slices = list(batches(groups, 1 << 14))
    assert [row for one in slices for row in range(one.start, one.stop)] == list(range(len(groups)))
    for one in slices:
        assert one.start == 0 or groups[one.start] != groups[one.start - 1]
        assert one.stop - one.start <= 16 or len(np.unique(groups[one])) == 1


@few
@given(sizes=st.lists(st.integers(min_value=1, max_value=5), min_size=1, max_size=8))
def test_runs_are_put_together_as_numpy_does(sizes):
    codes = np.repeat(np.arange(len(sizes)), sizes)
    values = np.random.default_rng(1).random((len(codes), 3))
    starts = starts_of(codes)
    assert sums(values, starts) == near(np.add.reduceat(values, starts, axis=0))
    assert (over_runs(np.maximum, values, starts) == np.maximum.reduceat(values, starts)).all()


# Errors of one country in several years


@few
@given(correlation=st.floats(min_value=0, max_value=1))
def test_errors_of_two_years_correlate_as_told_and_are_as_large_as_of_one(correlation):
    n = 20_000
    rows = pl.DataFrame(
        {"error_key": "A", "reference_year": [2020, 2021, 2020], "quantity": 1.0, "sigma_ln": 1.0,
         "half_width": 0.0}
    )  # fmt: skip
    terms = Terms(draws=n, seed=7, most_hidden=10, year_correlation=correlation)
    first, second, again = np.log(Figures.of(rows, terms).draw(slice(0, 3)))
    assert (first == again).all()
    assert [first.std(), second.std()] == near([1, 1], abs=4 / math.sqrt(n))
    assert np.corrcoef(first, second)[0, 1] == near(correlation, abs=4 / math.sqrt(n))


def test_what_errors_have_in_common_over_years_is_not_seen_as_a_change():
    rows = [
        {**row, "reference_year": year}
        for year in (2020, 2021)
        for row in listed(str(year), {"A": 5.0, "B": 3.0, "C": 2.0}, 0.3)
    ]
    asked = combined("mart_supplier_switch", "2020", "2021")
    middle = [
        quantiles(
            draw(suppliers=rows, combinations=asked, terms=replace(TERMS, year_correlation=common))
        )[1]
        for common in (1.0, 0.5, 0.0)
    ]
    assert middle[0] == near(0, abs=1e-12)
    assert 0.02 < middle[1] < middle[2]


# Sets of countries, and supply without the largest supplier


@few
@given(inside=quantities, outside=quantities, sigma_ln=sigma)
def test_a_set_and_the_rest_of_the_world_sum_to_one(inside, outside, sigma_ln):
    of_set = {f"I{i}": value for i, value in enumerate(inside)}
    of_rest = {f"O{i}": value for i, value in enumerate(outside)}
    drawn = draw(
        suppliers=listed("list", {**of_set, **of_rest}, sigma_ln),
        combinations=[
            *combined("mart_partner_share", "list", row="set", members=[*of_set, "elsewhere"]),
            *combined("mart_partner_share", "list", row="rest", members=list(of_rest)),
            *combined("mart_partner_share", "list", row="none", members=["elsewhere"]),
        ],
    )
    share = {row["mart_row_key"]: row for row in drawn.to_dicts()}
    assert share["set"]["p50"] == near(1 - share["rest"]["p50"], abs=0.02)
    assert 0 <= share["set"]["p05"] <= share["set"]["p95"] <= 1 + 1e-12
    assert [share["none"][name] for name in ("p05", "p50", "p95")] == [0, 0, 0]


def test_the_share_of_a_set_of_one_is_the_share_of_the_supplier():
    rows = listed("list", {"A": 5.0, "B": 3.0, None: 2.0}, 0.3)
    of_set = draw(
        suppliers=rows, combinations=combined("mart_partner_share", "list", members=["A"])
    )
    rows[0]["is_wanted"] = True
    of_list = simulate(
        table("suppliers", rows),
        table("reliance", []).rename({"mart_row_key": "list_key"}),
        terms=TERMS, limits={},
    ).filter(pl.col("metric") == "share")  # fmt: skip
    assert quantiles(of_set) == near(quantiles(of_list), rel=1e-12)


@few
@given(values=quantities, sigma_ln=sigma)
def test_what_is_left_and_the_largest_share_sum_to_one(values, sigma_ln):
    rows = listed("list", {f"S{i}": value for i, value in enumerate(values)}, sigma_ln)
    left = only(draw(suppliers=rows, combinations=combined("mart_n1_coverage", "list")))
    cr1 = only(
        simulate(
            table("suppliers", rows),
            table("reliance", []).rename({"mart_row_key": "list_key"}),
            terms=TERMS, limits={},
        ).filter(pl.col("metric") == "cr1")
    )  # fmt: skip
    # The rank of a quantile is not quite the mirrored one.
    assert left["p05"] <= 1 - cr1["p95"] + 1e-9
    assert left["p95"] <= 1 - cr1["p05"] + 1e-9
    assert left["p50"] == near(1 - cr1["p50"], abs=0.02)


def test_a_published_demand_is_drawn_as_well():
    asked = combined("mart_n1_coverage", "list", balance_key="b")
    rows = listed("list", {"A": 6.0, "B": 4.0})
    exact = draw(suppliers=rows, combinations=asked, parts=[part("demand", 8.0)])
    assert quantiles(exact) == near([0.5] * 3)
    uneven = only(draw(suppliers=rows, combinations=asked, parts=[part("demand", 8.0, 0.2)]))
    assert uneven["p05"] == near(0.5 * math.exp(-0.2 * 1.645), rel=0.05)
    assert uneven["p95"] == near(0.5 * math.exp(0.2 * 1.645), rel=0.05)


# Bottleneck, trend, switch


@few
@given(first=quantities, second=quantities)
def test_without_errors_the_margin_is_that_of_the_largest_shares(first, second):
    lists = {
        key: {f"S{i}": value for i, value in enumerate(values)}
        for key, values in (("named", first), ("other", second))
    }
    drawn = draw(
        suppliers=[row for key, values in lists.items() for row in listed(key, values)],
        combinations=combined("mart_stage_bottleneck", "named", "other"),
        limits={"bottleneck_margin": [0.0]},
    )
    margin = max(first) / sum(first) - max(second) / sum(second)
    assert quantiles(drawn) == near([margin] * 3, abs=1e-12)
    if abs(margin) > 1e-9:
        assert only(drawn)["probabilities"] == [float(margin > 0)]


def test_of_two_stages_alike_either_may_be_the_bottleneck():
    drawn = draw(
        suppliers=[
            *listed("named", {"A": 1.0, "B": 1.0}, 0.2), *listed("other", {"C": 1.0, "D": 1.0}, 0.2)
        ],
        combinations=combined("mart_stage_bottleneck", "named", "other"),
        limits={"bottleneck_margin": [0.0]},
    )  # fmt: skip
    assert only(drawn)["probabilities"] == near([0.5], abs=0.07)


@few
@given(slope=st.floats(min_value=-0.1, max_value=0.0), start=st.floats(min_value=0.5, max_value=1))
def test_the_slope_of_a_steady_change_is_found(slope, start):
    lists = []
    for year in range(5):
        # Of two suppliers the larger one has the share that gives this index.
        hhi = 0.5 + (start - 0.5) * math.exp(slope * year)
        share = (1 + math.sqrt(2 * hhi - 1)) / 2
        lists += listed(str(year), {"A": share, "B": 1 - share})
    drawn = draw(suppliers=lists, combinations=combined("mart_trend", *"01234"))
    logs = [math.log(0.5 + (start - 0.5) * math.exp(slope * year)) for year in range(5)]
    expected = sum((year - 2) * log for year, log in enumerate(logs)) / 10
    assert quantiles(drawn) == near([expected] * 3, abs=1e-9)


@few
@given(before=quantities, after=quantities, sigma_ln=sigma)
def test_a_switch_keeps_its_range_and_is_none_between_years_alike(before, after, sigma_ln):
    years = {
        key: {f"S{i}": value for i, value in enumerate(values)}
        for key, values in (("before", before), ("after", after))
    }
    rows = [row for key, values in years.items() for row in listed(key, values, sigma_ln)]
    switch = quantiles(
        draw(suppliers=rows, combinations=combined("mart_supplier_switch", "before", "after"))
    )
    assert 0 <= switch[0] <= switch[1] <= switch[2] <= 1 + 1e-12
    # The same errors in both years: what did not change is not seen as a change.
    still = draw(suppliers=rows, combinations=combined("mart_supplier_switch", "before", "before"))
    assert quantiles(still) == near([0, 0, 0], abs=1e-12)


def test_one_supplier_for_another_is_a_switch_of_everything():
    drawn = draw(
        suppliers=[*listed("before", {"A": 3.0}, 0.5), *listed("after", {"B": 1.0}, 0.5)],
        combinations=combined("mart_supplier_switch", "before", "after"),
    )
    assert quantiles(drawn) == near([1, 1, 1])


# Governance


def test_the_supply_risk_of_one_supplier_errs_as_its_governance_does():
    n = 20_000
    drawn = draw(
        governed=[governed("mart_eu_supply_risk", "A", 1.0, weight=10.0, estimate=0.5)],
        limits={"sr_stage": [4.0]},
        draws=n,
    )
    # 10 x (2.5 - 0.5) / 5, and 10 x 0.2 / 5 = 0.4 for a standard error.
    assert quantiles(drawn) == near([4 - 1.645 * 0.4, 4, 4 + 1.645 * 0.4], abs=0.03)
    assert only(drawn)["probabilities"] == near([0.5], abs=4 * 0.5 / math.sqrt(n))


@few
@given(
    shares=st.lists(st.floats(min_value=0.01, max_value=1), min_size=1, max_size=5),
    estimate=st.floats(min_value=-4, max_value=4),
    error=st.floats(min_value=0, max_value=1),
)
def test_the_supply_risk_stays_between_no_and_full_risk(shares, estimate, error):
    rows = [
        governed("mart_eu_supply_risk", f"S{i}", share, estimate=estimate, standard_error=error)
        for i, share in enumerate(shares)
    ]
    low, middle, high = quantiles(draw(governed=rows))
    assert 0 <= low <= middle <= high <= sum(share**2 for share in shares) + 1e-12


def test_the_risk_of_imports_is_weighed_by_production_and_its_concentration():
    row = "mart_geopolrisk"
    drawn = draw(
        suppliers=listed("world", {"A": 1.0, "B": 1.0}),
        combinations=combined(row, "world", balance_key="b"),
        governed=[
            governed(row, "A", 30.0, estimate=0.0, standard_error=0.0),
            # Without an indicator it is bought and counts no risk.
            governed(row, "B", 10.0, estimate=None, standard_error=None),
        ],
        parts=[part("production", 60.0), part("exports", 9.0)],
    )
    assert quantiles(drawn) == near([0.5 * 30 * 0.5 / (40 + 60)] * 3)


# Balances


@few
@given(imports=quantity, exports=quantity, production=quantity, sigma_ln=sigma)
def test_a_reliance_stays_between_nothing_and_one(imports, exports, production, sigma_ln):
    parts = [part("exports", exports, sigma_ln), part("production", production, sigma_ln)]
    exact = balanced(imports, *[{**one, "sigma_ln": 0.0} for one in parts]).drawn
    net = max(0.0, imports - exports)
    assert exact == near(net / (production + net), abs=1e-9)
    drawn = balanced(imports, *parts, sigma_ln=sigma_ln).drawn
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_without_production_or_exports_all_is_imported():
    assert (balanced(5.0, sigma_ln=0.4).drawn == 1).all()


def test_weights_in_doubt_are_drawn_evenly_between_their_ends():
    n = 20_000

    def share(*parts: dict, **other: Any):
        return np.quantile(balanced(10.0, *parts, draws=n, **other).drawn, [0.05, 0.5, 0.95])

    # Imports anywhere between 10 and 20 of a production of 10.
    doubted = share(part("production", 10.0), imports_high=2.0)
    assert doubted == near([10.5 / 20.5, 15 / 25, 19.5 / 29.5], abs=0.01)
    # Exports anywhere between 0 and 5.
    sold = share(part("exports", 5.0), part("production", 10.0), exports_low=0.0)
    assert sold == near([5.25 / 15.25, 7.5 / 17.5, 9.75 / 19.75], abs=0.01)


def test_a_figure_errs_alike_wherever_it_counts():
    """Imports are the list of the shares: a dependency takes one draw of both."""
    suppliers = listed("list", {"X": 6.0, "Y": 4.0}, 0.3)
    suppliers[0]["is_wanted"] = True
    reliances = balance(
        table("balances", [{
            "reliance_key": "k", "list_key": "list", "importer_iso3": "A", "balance_key": "b",
            "imports_low": 1.0, "imports_high": 1.0, "exports_low": 1.0, "exports_high": 1.0,
        }]),
        table("parts", [part("production", 10.0)]),
        table("suppliers", suppliers),
        terms=TERMS,
    )  # fmt: skip
    x, y = (quantity * np.exp(0.3 * normal(7, name, DRAWS)) for name, quantity in
            (("X", 6.0), ("Y", 4.0)))  # fmt: skip
    assert reliances.drawn[0] == near((x + y) / (x + y + 10))
    reliance = {"list_key": ["list"], "reliance_key": ["k"],
                "reliance_low": [0.4], "reliance_high": [0.6]}  # fmt: skip
    drawn = simulate(
        table("suppliers", suppliers), pl.DataFrame(reliance),
        terms=TERMS, limits={}, balanced=reliances,
    ).filter(pl.col("metric") == "dependency")  # fmt: skip
    expected = np.sort(x / (x + y + 10))[[49, 499, 949]]
    assert quantiles(drawn) == near(expected.tolist())
    of_row = draw(
        reliance=[{"mart_row_key": "row", "reliance_key": "k", "reliance_low": 0.4,
                   "reliance_high": 0.6}],
        balanced=reliances,
    )  # fmt: skip
    assert quantiles(of_row) == near(np.sort(reliances.drawn[0])[[49, 499, 949]].tolist())


def test_a_published_reliance_is_drawn_between_its_ends():
    terms = {"reliance_key": "USA", "reliance_low": 0.6, "reliance_high": 0.7}
    drawn = draw(reliance=[{"mart_row_key": row, **terms} for row in ("a", "b")], draws=20_000)
    first, second = drawn.to_dicts()
    assert [first["p05"], first["p95"]] == near([0.605, 0.695], abs=0.002)
    assert first["p50"] == second["p50"]


# The same numbers, whatever else is asked


def test_neither_order_nor_company_nor_threads_change_a_draw():
    generator = random.Random(5)  # noqa: S311 - a test
    suppliers, combinations, of_governance = [], [], []
    for number in range(40):
        names = generator.sample([f"S{i:02}" for i in range(30)], generator.randint(2, 12))
        values = {name: generator.uniform(1, 9) for name in names}
        suppliers += listed(f"l{number}", values | {None: 1.0}, 0.2)
        of_governance += [
            {**governed("mart_eu_supply_risk", name, value / 100, half_width=0.005),
             "mart_row_key": f"row {number}"}
            for name, value in values.items()
        ]  # fmt: skip
    for number in range(36):
        row, keys = f"row {number}", [f"l{number + year}" for year in range(5)]
        combinations += [
            *combined("mart_trend", *keys, row=row),
            *combined("mart_supplier_switch", *keys[:2], row=row),
            *combined("mart_stage_bottleneck", *keys[:3], row=row),
            *combined("mart_n1_coverage", keys[0], row=row),
            *combined("mart_partner_share", keys[0], row=row, members=["S01", "S02", "S03"]),
        ]

    def tables(turn: bool) -> dict[str, list[dict]]:
        found = {"suppliers": suppliers, "combinations": combinations, "governed": of_governance}
        return {
            name: generator.sample(rows, len(rows)) if turn else rows
            for name, rows in found.items()
        }

    alone = draw(**tables(turn=False))
    assert len(alone) == 5 * 36 + 40
    shuffled = tables(turn=True)
    with ThreadPoolExecutor(4) as threads:
        for result in threads.map(lambda _: draw(**shuffled), range(4)):
            assert result.equals(alone)
    row = [one for one in combinations if one["mart_row_key"] == "row 7"]
    company = alone.filter(
        pl.col("mart_row_key") == "row 7", pl.col("mart") != "mart_eu_supply_risk"
    )
    assert draw(suppliers=suppliers, combinations=row).equals(company)
