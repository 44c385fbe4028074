"""The measures as the marts use them: worked examples, and what must hold for any quantities."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.measures import create_measures, render

Measure = Callable[..., Any]

_DATABASE = duckdb.connect()
create_measures(_DATABASE)


def measure(expression: str, **values: Any) -> Any:
    """The value of one expression; lists are lists of doubles."""
    for name, value in values.items():
        kind = "double[]" if isinstance(value, list) else "double"
        expression = expression.replace(f"${name}", f"cast(${name} as {kind})")
    return _DATABASE.execute(f"select {expression}", values).fetchone()[0]


few = settings(max_examples=25, deadline=None, derandomize=True)
quantity = st.floats(min_value=1e-3, max_value=1e9, allow_nan=False)
quantities = st.lists(quantity, min_size=1, max_size=30)
several = st.lists(quantity, min_size=2, max_size=30)
residual = st.one_of(st.just(0.0), quantity)
share = st.floats(min_value=0, max_value=1)


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


# Worked examples


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("hhi([50, 30, 20])", 0.38),
        ("hhi([50, 30, 20], 100)", 0.095),
        ("hhi_high([50, 30, 20], 100)", 0.345),
        # The rest in pieces no larger than the smallest supplier named: five times 20.
        ("hhi_high_ordered([50, 30, 20], 100)", 0.145),
        # Two of 3, and 1 that is left.
        ("hhi_high_ordered([8, 3], 7)", (64 + 9 + 9 + 9 + 1) / 324),
        ("hhi_norm(hhi([50, 30, 20]), 3)", 0.07),
        ("n_eff(0.25)", 4.0),
        ("cr([50, 30, 20], 1)", 0.5),
        ("cr([20, 50, 30], 2)", 0.8),
        ("cr([50, 30, 20], 5)", 1.0),
        ("cr([50, 30, 20], 3, 100)", 0.5),
        ("entropy([1, 1, 0])", math.log(2)),
        ("evenness([1, 1, 0])", 1.0),
        ("gini([1, 3])", 0.25),
        ("gini([0, 1])", 0.5),
        ("net_import_reliance(20, 100)", 0.8),
        ("net_import_reliance(150, 100)", 0.0),
        ("net_import_reliance(-5, 100)", 1.0),
        ("apparent_consumption(20, 90, 10)", 100.0),
        ("n1_gross(200, 150, 100)", 0.5),
        ("n1_net(200, 150, 100, 75)", 2.0),
        # Of 40 made and 80 brought in, 50 by the top partner, 20 leave: 70 of 100.
        ("n1_of_balance(70, 50, 20)", 0.7),
        ("n1_low(70, 90, 50, 20)", 0.7),
        ("n1_high(70, 90, 50, 20)", 0.75),
        # Nobody knows how much is made: of ever more the top partner is ever less.
        ("n1_high(70, null, 50, 20)", 1.0),
        ("n1_low(70, null, 20, 50)", 1.0),
        ("import_to_export_ratio(30, 10)", 3.0),
        ("import_to_export_ratio(30, 0)", 9999.0),
        ("import_to_export_ratio(30, null)", 9999.0),
        ("mirror_ln_ratio(100, 50)", math.log(2)),
        ("mirror_rel_gap(100, 50)", 1 / 3),
        ("mirror_rel_gap(0, 50)", 1.0),
        ("mirror_sigma(-0.5)", 0.5 / math.sqrt(2)),
        ("reallocation([0.6, 0.4, 0], [0.5, 0.2, 0.3])", 0.3),
        ("reallocation([0.6, 0.4], [0.6, 0.4])", 0.0),
        ("consumption_share(0.5, 0.8)", 0.4),
        ("ols_slope([2019, 2020, 2021], [1, 3, 5])", 2.0),
        ("ols_slope([1, 2, 3], [1, 2, 1])", 0.0),
        ("robust_z(7, [1, 2, 9], least_n := 3)", 5 / 1.4826),
        # A history that never moves still has the least spread.
        ("robust_z(0.9, [1, 1, 1], least_n := 3)", -0.1 / (1.4826 * 0.05)),
        ("yoy_ln(260, 1000)", math.log(0.26)),
        # Nothing counts as one kilogram.
        ("yoy_ln(0, 1000)", -math.log(1000)),
        ("placebo_rank_p(-0.5, [0.1, -0.6, 0.2])", 0.5),
        ("placebo_rank_p(0.9, [0.1, -0.6, 0.2])", 0.25),
    ],
)
def test_worked_example(expression: str, expected: float) -> None:
    assert float(measure(expression)) == near(expected)


@pytest.mark.parametrize("name", ["hhi", "hhi_high", "hhi_high_ordered"])
def test_whole_tonnes_typed_by_hand_do_not_overflow(name: str) -> None:
    assert measure(f"{name}([270000, 90000, 90000])") == near(0.44)


@pytest.mark.parametrize(
    "expression",
    [
        "hhi(cast([] as double[]))",
        "hhi([0, 0])",
        "hhi_high(cast([] as double[]))",
        "hhi_high_ordered([0, 0])",
        "cr(cast([] as double[]), 3)",
        "cr([0], 1)",
        "entropy(cast([] as double[]))",
        "entropy([0, 0])",
        "evenness([0, 0])",
        "gini(cast([] as double[]))",
        "gini([0, 0])",
        "n_eff(null)",
        "n_eff(0)",
        "hhi_norm(null, 3)",
        "net_import_reliance(5, 0)",
        "net_import_reliance(null, 10)",
        "import_to_export_ratio(0, 0)",
        "n1_gross(100, 70, 0)",
        "n1_net(200, 150, 100, 100)",
        "n1_net(200, 150, 100, null)",
        "import_to_export_ratio(null, 0)",
        "mirror_ln_ratio(0, 5)",
        "mirror_ln_ratio(5, null)",
        "mirror_rel_gap(0, 0)",
        "consumption_share(null, 0.5)",
        "ols_slope([2020], [1])",
        "ols_slope([2020, 2020], [1, 2])",
        "robust_z(1, [1, 2, 3])",
        "robust_z(null, [1, 2, 9], least_n := 3)",
        "robust_z(1, [1, null, null], least_n := 2)",
        "yoy_ln(null, 5)",
        "yoy_ln(5, null)",
        "placebo_rank_p(0.5, cast([] as double[]))",
        "placebo_rank_p(null, [0.5])",
        "alert_level(null, -5, true)",
        "alert_level(-2, -5, true)",
    ],
)
def test_a_measure_of_nothing_is_null_not_zero(expression: str) -> None:
    assert measure(expression) is None


FLAWED = ("[1, null, 3]", "[1, -1, 3]", "[null]", "[-1]", "null::double[]")


@pytest.mark.parametrize("flawed", FLAWED)
@pytest.mark.parametrize(
    "expression",
    [
        "hhi({})",
        "hhi_high({})",
        "hhi_high_ordered({})",
        "cr({}, 2)",
        "entropy({})",
        "evenness({})",
        "gini({})",
        "hhi_wgi({}, [1, 1, 1], [1, 1, 1])",
        "hhi_wgi([1, 1, 1], {}, [1, 1, 1])",
        "hhi_wgi([1, 1, 1], [1, 1, 1], {})",
        "reallocation({}, [1, 1, 1])",
        "reallocation([1, 1, 1], {})",
    ],
)
def test_a_list_with_a_null_or_negative_member_has_no_measure(expression, flawed):
    assert measure(expression.format(flawed)) is None


@pytest.mark.parametrize("name", ["hhi", "hhi_high", "hhi_high_ordered"])
@pytest.mark.parametrize("rest", ["-1.0", "null"])
def test_a_residual_below_zero_or_unknown_has_no_measure(name, rest):
    assert measure(f"{name}([1.0, 2.0], {rest})") is None
    assert measure(f"cr([1.0, 2.0], 1, {rest})") is None


@pytest.mark.parametrize("k", ["-1", "0", "1.5", "null"])
def test_so_many_largest_are_a_whole_number_from_one_on(k):
    assert measure(f"cr([3, 2, 1], {k})") is None


@pytest.mark.parametrize(
    "expression",
    [
        "hhi_wgi([0.6, 0.4], [5, 5], [1])",
        "hhi_wgi([0.6, 0.4], [5], [1, 1])",
        "hhi_wgi([0.6], [5, 5], [1, 1])",
        "reallocation([0.5, 0.5], [1])",
        "ols_slope([1, 2, 3], [1, 2])",
        "ols_slope([1, 2, 3], [1, null, 3])",
        "ols_slope([1, null, 3], [1, 2, 3])",
    ],
)
def test_lists_that_do_not_fit_each_other_have_no_measure(expression):
    assert measure(expression) is None


@pytest.mark.parametrize(
    "expression",
    [
        "eu_supply_risk(4.6, null, null, 2, 0.97)",
        "eu_supply_risk(4.6, null, null, -0.1, 0.97)",
        "eu_supply_risk(4.6, null, null, 0.01, -0.97)",
        "eu_supply_risk(-4.6, null, null, 0.01, 0.97)",
        "eu_supply_risk(4.6, -1, 0.5, 0.01, 0.97)",
        "eu_supply_risk(4.6, 2, null, 0.01, 0.97)",
        "eu_supply_risk(4.6, null, null, null, 0.97)",
        "eu_supply_risk(null, null, 0.5, 0.01, 0.97)",
    ],
)
def test_supply_risk_of_what_cannot_be_is_null(expression):
    assert measure(expression) is None


@pytest.mark.parametrize(
    ("z", "before", "stopped", "level"),
    [
        (-2.5, -1.0, False, "watch"),
        (-3.5, -1.0, False, "alert"),
        (-2.5, -2.5, False, "confirmed"),
        (-2.5, None, False, "watch"),
        (-9.0, -9.0, True, "stopped"),
    ],
)
def test_a_level_follows_from_two_months(
    z: float, before: float | None, stopped: bool, level: str
) -> None:
    assert measure(f"alert_level($z, $b, {stopped})", z=z, b=before) == level


@pytest.mark.parametrize("expression", ["hhi_norm(1, 1)", "hhi_norm(1, 0)", "evenness([7])"])
def test_one_supplier_has_no_normalised_index_and_no_evenness(expression: str) -> None:
    assert measure(expression) is None


@pytest.mark.parametrize(
    ("central", "low", "high", "breached"),
    [
        (0.7, 0.7, 0.7, True),
        (0.65, 0.65, 0.65, False),
        (0.2, 0.2, 0.2, False),
        # A bound: only low and high.
        (None, 0.66, 1.0, True),
        (None, 0.1, 0.6, False),
        (None, 0.6, 0.7, None),
        (None, None, None, None),
    ],
)
def test_a_threshold_is_breached_only_where_the_bounds_say_so(
    central: float | None, low: float | None, high: float | None, breached: bool | None
) -> None:
    assert measure("exceeds(0.65, $c, $l, $h)", c=central, l=low, h=high) is breached


@pytest.mark.parametrize(
    ("hhi_imports", "hhi_world", "ratio", "flag"),
    [(0.5, 0.5, 2, True), (0.4, 0.5, 2, False), (0.5, 0.3, 2, False), (0.5, 0.5, 1, False)],
)
def test_geodep_needs_all_three_criteria(
    hhi_imports: float, hhi_world: float, ratio: float, flag: bool
) -> None:
    found = measure("geodep($i, $w, $r, 0.4, 0.4, 1)", i=hhi_imports, w=hhi_world, r=ratio)
    assert found is flag


@pytest.mark.parametrize(
    ("has_freight", "own_fob", "expected"),
    [
        ("true", "null", 90.0),  # CIF, freight of code and year
        ("true", "97.0", 97.0),  # CIF, and the reporter's own FOB value
        ("false", "null", 100.0),  # valued without freight
    ],
)
def test_freight_is_taken_off_once_and_only_where_it_is_in(
    has_freight: str, own_fob: str, expected: float
) -> None:
    found = measure(
        f"""(
            select {render("import_at_fob", "mirror", "freight")}
            from (select 100.0 as m_cif_usd, {own_fob} as m_own_fob_usd,
                {has_freight} as m_has_freight) as mirror,
                (select 0.1 as freight_share) as freight
        )"""
    )
    assert found == near(expected)


def test_no_macro_takes_the_place_of_a_function_that_models_call() -> None:
    """A macro hides a function of DuckDB of the same name, in every model and in every release."""
    with duckdb.connect() as fresh:
        names = "select distinct function_name from duckdb_functions()"
        built_in = {row[0] for row in fresh.execute(names).fetchall()}
        create_measures(fresh)
        own = fresh.execute(f"{names} where not internal and schema_name = 'main'").fetchall()
    # The entropy of a list stands for that of a column.
    assert {row[0] for row in own} & built_in == {"entropy"}


# Properties


@few
@given(quantities)
def test_hhi_lies_between_one_over_n_and_one(q: list[float]) -> None:
    found = measure("hhi($q)", q=q)
    assert 1 / len(q) - 1e-9 <= found <= 1 + 1e-9


@few
@given(quantities, residual)
def test_a_residual_gives_ordered_bounds(q: list[float], r: float) -> None:
    low = measure("hhi($q, $r)", q=q, r=r)
    ordered = measure("hhi_high_ordered($q, $r)", q=q, r=r)
    high = measure("hhi_high($q, $r)", q=q, r=r)
    assert low <= ordered + 1e-9
    assert ordered <= high + 1e-9
    assert high <= 1 + 1e-9


@few
@given(quantities)
def test_without_a_residual_the_bounds_are_one(q: list[float]) -> None:
    exact = measure("hhi($q)", q=q)
    assert measure("hhi_high($q)", q=q) == near(exact)
    assert measure("hhi_high_ordered($q)", q=q) == near(exact)


@few
@given(quantities, st.lists(quantity, min_size=1, max_size=10))
def test_the_bounds_hold_whoever_the_others_are(named: list[float], hidden: list[float]) -> None:
    truth = measure("hhi($q)", q=named + hidden)
    rest = math.fsum(hidden)
    assert measure("hhi($q, $r)", q=named, r=rest) <= truth + 1e-9
    assert truth <= measure("hhi_high($q, $r)", q=named, r=rest) + 1e-9
    if max(hidden) <= min(named):
        assert truth <= measure("hhi_high_ordered($q, $r)", q=named, r=rest) + 1e-9


@few
@given(quantities)
def test_effective_number_times_index_is_one(q: list[float]) -> None:
    assert measure("n_eff(hhi($q)) * hhi($q)", q=q) == near(1)


@few
@given(quantities, residual)
def test_concentration_ratios_rise_to_one_and_bound_the_index(q: list[float], r: float) -> None:
    cr1, cr3, cr5, all_named = (measure(f"cr($q, {k}, $r)", q=q, r=r) for k in (1, 3, 5, 99))
    assert cr1 <= cr3 + 1e-9
    assert cr3 <= cr5 + 1e-9
    assert cr5 <= 1 + 1e-9
    assert measure("hhi($q, $r)", q=q, r=r) >= cr1 * cr1 - 1e-9
    assert all_named == near(math.fsum(q) / (math.fsum(q) + r))


@few
@given(several)
def test_normalised_index_and_evenness_lie_between_zero_and_one(q: list[float]) -> None:
    assert -1e-9 <= measure(f"hhi_norm(hhi($q), {len(q)})", q=q) <= 1 + 1e-9
    assert -1e-9 <= measure("evenness($q)", q=q) <= 1 + 1e-9


@few
@given(quantities)
def test_entropy_and_gini_keep_their_ranges(q: list[float]) -> None:
    assert -1e-9 <= measure("entropy($q)", q=q) <= math.log(len(q)) + 1e-9
    assert -1e-9 <= measure("gini($q)", q=q) <= (len(q) - 1) / len(q) + 1e-9


@few
@given(quantity, st.integers(min_value=1, max_value=30))
def test_equal_suppliers(amount: float, n: int) -> None:
    q = [amount] * n
    assert measure("hhi($q)", q=q) == near(1 / n)
    assert measure("entropy($q)", q=q) == near(math.log(n))
    assert measure("gini($q)", q=q) == near(0)


_OF_A_LIST = ("hhi($q)", "hhi_high($q)", "cr($q, 3)", "entropy($q)", "evenness($q)", "gini($q)")


@pytest.mark.parametrize("expression", _OF_A_LIST)
@few
@given(data=st.data())
def test_order_does_not_matter(expression: str, data: st.DataObject) -> None:
    q = data.draw(several)
    other = data.draw(st.permutations(q))
    assert measure(expression, q=other) == near(measure(expression, q=q))


@pytest.mark.parametrize("expression", _OF_A_LIST)
@few
@given(q=several, factor=st.floats(min_value=1e-3, max_value=1e3))
def test_unit_does_not_matter(expression: str, q: list[float], factor: float) -> None:
    assert measure(expression, q=[x * factor for x in q]) == near(measure(expression, q=q))


@few
@given(several)
def test_suppliers_of_nothing_change_all_but_gini_not(q: list[float]) -> None:
    for expression in ("hhi($q)", "cr($q, 3)", "entropy($q)", "evenness($q)"):
        assert measure(expression, q=[*q, 0.0]) == near(measure(expression, q=q))
    assert measure("gini($q)", q=[*q, 0.0]) >= measure("gini($q)", q=q) - 1e-9


@few
@given(
    st.floats(min_value=-1e6, max_value=1e6),
    st.floats(min_value=1e-3, max_value=1e6),
)
def test_import_reliance_is_clipped(production: float, consumption: float) -> None:
    found = measure("net_import_reliance($p, $c)", p=production, c=consumption)
    assert 0 <= found <= 1
    if 0 <= production <= consumption:
        assert found == near((consumption - production) / consumption)


@few
@given(quantity, quantity)
def test_mirror_gap_is_symmetric_and_bounded(x: float, m: float) -> None:
    gap = measure("mirror_rel_gap($x, $m)", x=x, m=m)
    assert 0 <= gap <= 1
    assert gap == near(measure("mirror_rel_gap($m, $x)", x=x, m=m))
    ratio = measure("mirror_ln_ratio($x, $m)", x=x, m=m)
    assert ratio == near(-measure("mirror_ln_ratio($m, $x)", x=x, m=m))
    # tanh(ln(x / m) / 2) = (x - m) / (x + m)
    assert gap == near(abs(math.tanh(ratio / 2)))
    assert measure("mirror_sigma($r)", r=ratio) == near(abs(ratio) / math.sqrt(2))


@few
@given(st.lists(st.tuples(quantity, quantity), min_size=1, max_size=20))
def test_reallocation_of_shares_lies_between_zero_and_one(pairs: list[tuple[float, float]]) -> None:
    before, after = ([x / math.fsum(side) for x in side] for side in zip(*pairs, strict=True))
    found = measure("reallocation($b, $a)", b=list(before), a=list(after))
    assert -1e-9 <= found <= 1 + 1e-9
    assert found == near(measure("reallocation($a, $b)", b=list(before), a=list(after)))


@few
@given(share, share)
def test_dependency_never_exceeds_the_share_of_imports(reliance: float, of_imports: float) -> None:
    assert measure("consumption_share($r, $s)", r=reliance, s=of_imports) <= of_imports + 1e-12


number = st.floats(min_value=-1e3, max_value=1e3)


@few
@given(st.lists(number, min_size=3, max_size=40), number, number, st.floats(0.5, 20))
def test_a_robust_score_does_not_follow_level_and_falls_with_the_figure(
    past: list[float], figure: float, shift: float, step: float
) -> None:
    score = "robust_z($f, $p, least_n := 3)"
    found = measure(score, f=figure, p=past)
    moved = measure(score, f=figure + shift, p=[x + shift for x in past])
    assert moved == pytest.approx(found, rel=1e-6, abs=1e-6)
    assert measure(score, f=figure - step, p=past) < found


@few
@given(number, number, st.lists(st.integers(1900, 2100), min_size=2, max_size=20, unique=True))
def test_the_slope_of_a_line_is_its_slope(base: float, slope: float, years: list[int]) -> None:
    line = [base + slope * (year - 2000) for year in years]
    found = measure("ols_slope($x, $y)", x=[float(year) for year in years], y=line)
    assert found == pytest.approx(slope, rel=1e-6, abs=1e-6)


@few
@given(number, st.lists(number, min_size=1, max_size=30))
def test_a_rank_among_placebos_is_never_zero(shift: float, others: list[float]) -> None:
    found = measure("placebo_rank_p($s, $o)", s=shift, o=others)
    assert 1 / (1 + len(others)) - 1e-9 <= found <= 1


@few
@given(
    ends=st.lists(st.tuples(quantity, quantity), min_size=3, max_size=3),
    places=st.tuples(share, share, share),
)
def test_coverage_of_a_balance_lies_within_the_bounds_of_its_parts(
    ends: list[tuple[float, float]], places: tuple[float, float, float]
) -> None:
    """Wherever between their ends the supply left, the top partner and the exports lie."""
    (rest_low, rest_high), (top_low, top_high), (out_low, out_high) = map(sorted, ends)
    rest, top, out = (
        low + place * (high - low)
        for (low, high), place in zip(map(sorted, ends), places, strict=True)
    )
    assume(rest + top > out * (1 + 1e-6))
    found = measure("n1_of_balance($rest, $top, $out)", rest=rest, top=top, out=out)
    least = measure("n1_low($a, $b, $c, $d)", a=rest_low, b=rest_high, c=top_high, d=out_low)
    most = measure("n1_high($a, $b, $c, $d)", a=rest_low, b=rest_high, c=top_low, d=out_high)
    assert least <= found * (1 + 1e-6) + 1e-9
    assert most is None or found <= most * (1 + 1e-6) + 1e-9
    unbounded = measure("n1_low($a, null, $c, $d)", a=rest_low, c=top_high, d=out_low)
    assert unbounded <= max(least, 1.0) + 1e-9
