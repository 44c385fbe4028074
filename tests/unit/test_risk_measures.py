"""The risk measures as shipped macros: the method's vectors re-derived, and what they must keep."""

from __future__ import annotations

import math

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.measures import create_measures


@pytest.fixture(scope="module")
def value():
    with duckdb.connect() as connection:
        create_measures(connection)

        def ask(expression, *values):
            return connection.execute(f"select {expression}", list(values)).fetchone()[0]

        yield ask


SHARE = st.floats(0, 1)
RISK = st.floats(0, 10)


def _sr(value, gs, eu, reliance=1.0, recycling=0.01, substitution=0.97):
    return value(
        "eu_supply_risk(?::double, ?::double, ?::double, ?, ?)",
        gs,
        eu,
        reliance,
        recycling,
        substitution,
    )


@pytest.mark.parametrize(
    ("restriction", "reliance", "expected"),
    [(1.0, 1.0, 3.145465), (1.0, 0.8, 2.882861), (1.3, 1.0, 3.983578)],
)
def test_eu_formula_with_and_without_an_export_restriction(value, restriction, reliance, expected):
    """Invented shares of three countries, worked by hand in the method."""
    hhi = "hhi_wgi(?::double[], ?::double[], ?::double[])"
    gs = value(hhi, [0.9, 0.1], [5.68, 4.2], [restriction, 1.0])
    eu = value(hhi, [0.463, 0.284, 0.199], [5.68, 6.5, 4.2], [restriction, 1.0, 1.0])
    assert _sr(value, gs, eu, reliance) == pytest.approx(expected, abs=1e-6)


def test_one_side_stands_alone_where_the_other_is_not_known(value):
    assert _sr(value, 5.0, None, None) == pytest.approx(5.0 * 0.99 * 0.97)
    assert _sr(value, None, 2.0, None) == pytest.approx(2.0 * 0.99 * 0.97)
    assert _sr(value, None, None) is None
    assert _sr(value, 5.0, 2.0, None) is None, "both sides cannot be weighed without reliance"


def test_a_group_needs_every_member(value):
    mean = "eu_group_mean(?::double[])"
    assert value(mean, [5.6, 3.3, 4.9]) == pytest.approx(4.6)
    assert value(mean, [5.6, None]) is None
    assert value(mean, []) is None
    assert value(mean, None) is None


def test_governance_is_turned_over_and_nothing_known_is_no_risk_of_zero(value):
    assert value("wgi_risk(2.5)") == 0
    assert value("wgi_risk(-2.5)") == 10
    assert value("wgi_risk(0)") == 5
    assert value("wgi_risk(null::double)") is None
    assert value("political_risk(-0.47310)") == pytest.approx(0.59462)
    assert value("political_risk(null::double)") is None


def test_exposure_is_bounded_and_unknown_without_consumption(value):
    assert value("trade_exposure(-5.0, 10.0)") == 0
    assert value("trade_exposure(15.0, 10.0)") == 1
    assert value("trade_exposure(5.0, 10.0)") == 0.5
    assert value("trade_exposure(5.0, null::double)") is None
    assert value("trade_exposure(null::double, 10.0)") is None


def test_any_factor_of_zero_ends_the_risk_of_nassar(value):
    assert value("nassar_supply_risk(0.5, 0.8, 0.1)") == pytest.approx(0.341995, abs=1e-6)
    assert value("nassar_supply_risk(0.5, 0.0, 0.1)") == 0
    assert value("nassar_supply_risk(0.5, null::double, 0.1)") is None


def test_geopolitical_risk_of_an_importer(value):
    found = value("geopolrisk_score(0.3, 1000.0, 2000.0, 500.0)")
    assert found == pytest.approx(0.12)
    assert value("geopolrisk_score(0.3, 1000.0, 0.0, 0.0)") is None


@given(gs=RISK, eu=RISK, low=SHARE, high=SHARE, recycling=SHARE, substitution=SHARE)
@settings(max_examples=60, deadline=None)
def test_eu_risk_lies_between_its_two_sides_and_falls_with_recycling(
    value, gs, eu, low, high, recycling, substitution
):
    low, high = sorted((low, high))
    free = _sr(value, gs, eu, low, 0.0, 1.0)
    assert min(gs, eu) - 1e-9 <= free <= max(gs, eu) + 1e-9
    assert _sr(value, gs, eu, low, recycling, substitution) <= free + 1e-9
    # More reliance on imports gives the world's supply more weight.
    assert (_sr(value, gs, eu, high, 0.0, 1.0) - free) * (gs - eu) >= -1e-9


@given(st.lists(st.tuples(SHARE, RISK, st.floats(0.8, 1.5)), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_weighted_index_does_not_depend_on_order(value, suppliers):
    def index(rows):
        return value(
            "hhi_wgi(?::double[], ?::double[], ?::double[])", *map(list, zip(*rows, strict=True))
        )

    assert math.isclose(index(suppliers), index(suppliers[::-1]), rel_tol=1e-9, abs_tol=1e-12)
