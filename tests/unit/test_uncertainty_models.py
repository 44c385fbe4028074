"""The SQL around the draws: rounding, summed errors, and the checks of the mart, shown to fail."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.settings import PROJECT_ROOT
from tests.support.measures import create_measures, render

MODELS = PROJECT_ROOT / "dbt_project" / "models"
_DATABASE = duckdb.connect()
create_measures(_DATABASE)


def answer(sql: str, *values: Any) -> Any:
    return _DATABASE.execute(f"select {sql}", list(values)).fetchone()[0]


# Rounding


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,312", 0.5),
        ("1,310", 5),
        ("1,300", 50),
        # Of the zeros one counts.
        ("1,000", 50),
        ("270,000", 5000),
        ("200,000", 5000),
        ("e3,900", 50),
        ("10", 0.5),
        ("9", 0.5),
        ("13.6", 0.05),
        ("13.60", 0.005),
        ("W", None),
        ("—", None),
        (None, None),
    ],
)
def test_half_a_unit_of_the_last_digit_that_counts(text, expected):
    assert answer(render("half_unit", "cast($1 as varchar)", False, 2), text) == (
        pytest.approx(expected)
    )


@pytest.mark.parametrize(("text", "expected"), [("70", 0.5), ("0.3%", 0.05), ("100", 0.5)])
def test_every_digit_of_a_percentage_counts(text, expected):
    assert answer(render("half_unit", "cast($1 as varchar)", True, 2), text) == expected


# Errors


def test_the_gap_of_a_flow_is_shrunk_to_what_is_typical():
    assert answer("shrunk_sigma(1, 0, 3)") == 0.5
    assert answer("shrunk_sigma(0, 1, 3)") == pytest.approx(math.sqrt(0.75))
    assert answer("shrunk_sigma(0.3, 0.3, 3)") == pytest.approx(0.3)


few = settings(max_examples=25, deadline=None, derandomize=True)
flows = st.lists(
    st.tuples(st.floats(min_value=0.1, max_value=1e6), st.floats(min_value=0.01, max_value=1)),
    min_size=1,
    max_size=8,
)


@few
@given(flows=flows, correlation=st.floats(min_value=0, max_value=1))
def test_the_error_of_a_sum_is_no_larger_than_that_of_its_worst_flow(flows, correlation):
    spreads = [value * math.sqrt(math.exp(sigma**2) - 1) for value, sigma in flows]
    total = sum(value for value, _ in flows)
    sums = (total, sum(spreads), sum(spread**2 for spread in spreads))
    sigma = answer("sum_sigma(?, ?, ?, ?)", *sums, correlation)
    assert 0 < sigma <= max(sigma for _, sigma in flows) + 1e-9
    if len(flows) == 1:
        assert sigma == pytest.approx(flows[0][1], rel=1e-6)
    # More in common, less that evens out.
    assert answer("sum_sigma(?, ?, ?, 0)", *sums) <= sigma + 1e-12
    assert sigma <= answer("sum_sigma(?, ?, ?, 1)", *sums) + 1e-12


def test_a_sum_of_nothing_has_no_error():
    assert answer("sum_sigma(0, 0, 0, 0.5)") is None


# Checks of the mart and of what it is drawn from: each finds what is planted

GOOD = {
    "mart_uncertainty": {
        "metric": "hhi", "point": 0.45, "p05": 0.40, "p50": 0.45, "p95": 0.50,
        "threshold_id": "ec_cdi1", "threshold": 0.4, "probability_above": 0.95,
        "n_draws": 1000, "caveat": None,
    },
    "int_uncertainty__list": {"reliance_key": "a", "reliance_low": 0.5, "reliance_high": 0.6},
    "int_uncertainty__flow": {"sigma_ln": 0.1, "quantity": 5.0},
    "int_uncertainty__supplier": {"quantity": 5.0, "sigma_ln": 0.1, "half_width": 5.0},
    "int_uncertainty__reliance": {"reliance_key": "a", "reliance_low": 0.5, "reliance_high": 0.6},
    "int_uncertainty__balance": {
        "imports_low": 0.5, "imports_high": 1.0, "exports_low": 1.0, "exports_high": 7.0,
    },
    "int_uncertainty__part": {
        "role": "exports", "error_key": "CHN", "quantity": 5.0, "sigma_ln": 0.1, "half_width": 0.0,
    },
    "int_uncertainty__governed": {
        "quantity": 0.5, "sigma_ln": 0.0, "half_width": 0.005, "weight": 1.0, "estimate": -0.4,
        "standard_error": 0.2,
    },
}  # fmt: skip
KINDS = {
    name: "varchar" if isinstance(value, str) or value is None else "double"
    for row in GOOD.values()
    for name, value in row.items()
}
FILES = {
    "mart_uncertainty": MODELS / "marts" / "uncertainty" / "mart_uncertainty.yml",
    **dict.fromkeys(
        [name for name in GOOD if name.startswith("int_")],
        MODELS / "intermediate" / "int_uncertainty.yml",
    ),
}
FAULTS: list[tuple[str, str, dict[str, Any]]] = [
    ("mart_uncertainty", "quantiles_are_in_order", {"p05": 0.46}),
    ("mart_uncertainty", "quantiles_are_in_order", {"p95": 0.44}),
    ("mart_uncertainty", "a_point_outside_its_interval_has_a_caveat", {"point": 0.51}),
    ("mart_uncertainty", "a_point_outside_its_interval_has_a_caveat", {"point": 0.39}),
    ("mart_uncertainty", "a_point_outside_its_interval_has_a_caveat", {"caveat": "moved"}),
    # However little is missing.
    ("mart_uncertainty", "a_point_outside_its_interval_has_a_caveat", {"point": 0.5000001}),
    ("mart_uncertainty", "drawn_measures_keep_their_ranges", {"p95": 1.1}),
    ("mart_uncertainty", "drawn_measures_keep_their_ranges", {"p05": -0.1}),
    ("mart_uncertainty", "drawn_measures_keep_their_ranges", {"metric": "n_eff"}),
    ("mart_uncertainty", "drawn_measures_keep_their_ranges", {"metric": "sr_stage", "p05": -0.1}),
    ("mart_uncertainty", "drawn_measures_keep_their_ranges", {"metric": "bottleneck_margin",
                                                              "p05": -1.1}),
    ("mart_uncertainty", "drawn_measures_keep_their_ranges", {"metric": "dln_hhi_5y",
                                                              "p05": -math.inf}),
    ("mart_uncertainty", "a_threshold_has_a_probability", {"probability_above": None}),
    ("mart_uncertainty", "a_threshold_has_a_probability", {"threshold_id": None}),
    ("mart_uncertainty", "probabilities_agree_with_the_quantiles", {"probability_above": 0.01,
                                                                    "threshold": 0.3}),
    ("mart_uncertainty", "probabilities_agree_with_the_quantiles", {"threshold": 0.6}),
    ("mart_uncertainty", "at_least_a_thousand_draws", {"n_draws": 999}),
    ("int_uncertainty__list", "ends_of_a_reliance_are_shares_in_order", {"reliance_low": 0.7}),
    ("int_uncertainty__list", "ends_of_a_reliance_are_shares_in_order", {"reliance_high": 1.1}),
    ("int_uncertainty__list", "ends_of_a_reliance_are_shares_in_order", {"reliance_key": None}),
    ("int_uncertainty__flow", "every_flow_has_an_error", {"sigma_ln": None}),
    ("int_uncertainty__flow", "every_flow_has_an_error", {"quantity": 0.0}),
    ("int_uncertainty__supplier", "what_is_drawn_is_a_quantity_with_its_errors",
     {"half_width": 5.1}),
    ("int_uncertainty__supplier", "what_is_drawn_is_a_quantity_with_its_errors",
     {"sigma_ln": None}),
    ("int_uncertainty__reliance", "a_reliance_lies_between_its_ends", {"reliance_low": 0.7}),
    ("int_uncertainty__reliance", "a_reliance_lies_between_its_ends", {"reliance_high": 1.1}),
    ("int_uncertainty__balance", "a_weight_in_doubt_has_the_weight_held_between_its_ends",
     {"imports_low": 1.1}),
    ("int_uncertainty__balance", "a_weight_in_doubt_has_the_weight_held_between_its_ends",
     {"exports_high": 0.9}),
    ("int_uncertainty__part", "a_part_is_a_quantity_with_its_errors", {"role": "stock"}),
    ("int_uncertainty__part", "a_part_is_a_quantity_with_its_errors", {"sigma_ln": None}),
    ("int_uncertainty__governed", "what_is_governed_has_a_figure_and_an_error",
     {"standard_error": None}),
    ("int_uncertainty__governed", "what_is_governed_has_a_figure_and_an_error",
     {"half_width": 0.6}),
]  # fmt: skip


def conditions(model: str) -> dict[str, str]:
    document = yaml.safe_load(FILES[model].read_text(encoding="utf-8"))
    [tests] = [entry["data_tests"] for entry in document["models"] if entry["name"] == model]
    rules = [test["holds"] for test in tests if "holds" in test]
    return {rule["name"]: rule["arguments"]["condition"] for rule in rules}


def breaks(condition: str, row: dict[str, Any]) -> bool:
    """Whether dbt's test `holds` returns the row."""
    columns = ", ".join(f"cast(${name} as {KINDS[name]}) as {name}" for name in row)
    return answer_named(f"count(*) from (select {columns}) where not ({condition})", row) == 1


def answer_named(sql: str, row: dict[str, Any]) -> Any:
    return _DATABASE.execute(f"select {sql}", row).fetchone()[0]


@pytest.mark.parametrize("model", GOOD)
def test_a_good_row_passes_every_check_and_every_check_has_a_fault(model):
    rules = conditions(model)
    assert [name for name, rule in rules.items() if breaks(rule, GOOD[model])] == []
    assert set(rules) == {name for of, name, _ in FAULTS if of == model}


@pytest.mark.parametrize(("model", "name", "planted"), FAULTS)
def test_a_planted_fault_is_found(model, name, planted):
    assert breaks(conditions(model)[name], {**GOOD[model], **planted})
