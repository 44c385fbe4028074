"""Draws of supplier lists: what holds for any list, and cases whose distribution is known."""

from __future__ import annotations

import math
import random
from concurrent.futures import ThreadPoolExecutor
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.uncertainty import Terms, normal, simulate, uniform

DRAWS = 1000
few = settings(max_examples=15, deadline=None, derandomize=True)
sigma = st.floats(min_value=0, max_value=1)
quantities = st.lists(st.floats(min_value=1e-3, max_value=1e6), min_size=1, max_size=12)
LIMITS = [0.1, 0.25, 0.4, 0.65]
NO_RELIANCE = {"list_key": [], "reliance_key": [], "reliance_low": [], "reliance_high": []}
KINDS = {
    "list_key": pl.String,
    "reliance_key": pl.String,
    "reliance_low": pl.Float64,
    "reliance_high": pl.Float64,
}


def supplier(name: str | None, quantity: float, sigma_ln: float = 0.0, **other: Any) -> dict:
    return {
        "list_key": "list",
        "supplier_iso3": name,
        "error_key": name or "unnamed",
        "reference_year": 2020,
        "quantity": quantity,
        "sigma_ln": sigma_ln,
        "half_width": 0.0,
        "is_wanted": name is not None,
        **other,
    }


def draw(rows: list[dict], reliance: dict | None = None, **settings_: Any) -> pl.DataFrame:
    limits = settings_.pop("limits", {"hhi": LIMITS, "share": LIMITS, "dependency": LIMITS})
    terms = {"draws": DRAWS, "seed": 7, "most_hidden": 10, "year_correlation": 0.5, **settings_}
    suppliers = pl.DataFrame(
        rows,
        schema={
            "list_key": pl.String,
            "supplier_iso3": pl.String,
            "error_key": pl.String,
            "reference_year": pl.Int64,
            "quantity": pl.Float64,
            "sigma_ln": pl.Float64,
            "half_width": pl.Float64,
            "is_wanted": pl.Boolean,
        },
    )
    known = pl.DataFrame(reliance or NO_RELIANCE, schema=KINDS)
    return simulate(suppliers, known, terms=Terms(**terms), limits=limits)


def of(drawn: pl.DataFrame, metric: str, name: str | None = None, key: str = "list") -> dict:
    [row] = drawn.filter(
        pl.col("metric") == metric,
        pl.col("supplier_iso3").eq_missing(pl.lit(name)),
        pl.col("list_key") == key,
    ).to_dicts()
    return row


def listed(values: list[float], sigma_ln: float, **other: Any) -> list[dict]:
    return [supplier(f"S{i:02}", value, sigma_ln, **other) for i, value in enumerate(values)]


def within(probability: float, draws: int) -> Any:
    """Four standard errors of a share of draws."""
    error = math.sqrt(probability * (1 - probability) / draws)
    return pytest.approx(probability, abs=4 * error + 1e-9)


@few
@given(values=quantities, sigma_ln=sigma, rest=st.floats(min_value=0, max_value=1e6))
def test_quantiles_are_in_order_and_keep_the_ranges_of_the_measures(values, sigma_ln, rest):
    drawn = draw([*listed(values, sigma_ln), supplier(None, rest, sigma_ln)])
    assert drawn.filter(
        ~(pl.col("p05") <= pl.col("p50")) | ~(pl.col("p50") <= pl.col("p95"))
    ).is_empty()
    shares = drawn.filter(pl.col("metric") != "n_eff")
    assert shares["p05"].min() >= 0
    assert shares["p95"].max() <= 1 + 1e-12
    assert of(drawn, "n_eff")["p05"] >= 1 - 1e-12
    for quantile in ("p05", "p50", "p95"):
        assert of(drawn, "cr1")[quantile] <= of(drawn, "cr3")[quantile]
        assert of(drawn, "hhi")[quantile] <= of(drawn, "cr1")[quantile] + 1e-12 or rest > 0


@few
@given(values=quantities, sigma_ln=sigma)
def test_a_higher_threshold_is_passed_by_no_more_draws(values, sigma_ln):
    for row in draw(listed(values, sigma_ln)).drop_nulls("probabilities").to_dicts():
        assert row["probabilities"] == sorted(row["probabilities"], reverse=True)
        for limit, probability in zip(LIMITS, row["probabilities"], strict=True):
            assert limit < row["p05"] or probability <= 0.95
            assert limit >= row["p05"] or probability >= 0.95


@few
@given(values=quantities)
def test_without_error_every_quantile_is_the_measure_itself(values):
    drawn = draw(listed(values, 0.0))
    shares = sorted((value / sum(values) for value in values), reverse=True)
    expected = {"hhi": sum(s * s for s in shares), "cr1": shares[0], "cr3": sum(shares[:3])}
    expected["n_eff"] = 1 / expected["hhi"]
    for metric, value in expected.items():
        row = of(drawn, metric)
        assert [row["p05"], row["p50"], row["p95"]] == [pytest.approx(value, rel=1e-9)] * 3


@few
@given(
    value=st.floats(min_value=1, max_value=1e3),
    other=st.floats(min_value=1, max_value=1e3),
    low=st.floats(min_value=0, max_value=0.5),
    more=st.floats(min_value=0.01, max_value=0.5),
)
def test_more_error_widens_the_interval(value, other, low, more):
    def share(sigma_ln):
        return of(draw([supplier("A", value, sigma_ln), supplier("B", other)]), "share", "A")

    narrow, wide = share(low), share(low + more)
    assert wide["p05"] < narrow["p05"]
    assert wide["p95"] > narrow["p95"]


def test_neither_order_nor_company_nor_threads_change_a_draw():
    generator = random.Random(3)  # noqa: S311 - a test
    rows = [
        supplier(f"S{name:02}", generator.uniform(1, 9), 0.2, list_key=f"list {number}",
                 half_width=generator.choice([0.0, 0.5]))
        for number in range(40)
        for name in generator.sample(range(30), generator.randint(1, 20))
    ]  # fmt: skip
    rows += [supplier(None, 2.0, 0.1, list_key=f"list {number}") for number in range(0, 40, 3)]
    reliance = {
        "list_key": ["list 1", "list 2"],
        "reliance_key": ["b", "a"],
        "reliance_low": [0.2, 0.4],
        "reliance_high": [0.3, 0.5],
    }
    alone = draw(rows, reliance)
    shuffled = generator.sample(rows, len(rows))
    turned = {name: values[::-1] for name, values in reliance.items()}
    assert draw(shuffled, turned).equals(alone)
    one = [row for row in rows if row["list_key"] == "list 3"]
    assert draw(one).equals(alone.filter(pl.col("list_key") == "list 3"))
    with ThreadPoolExecutor(4) as threads:
        for result in threads.map(lambda _: draw(shuffled, turned), range(4)):
            assert result.equals(alone)


def test_another_seed_gives_other_draws_within_their_error():
    rows = listed([50, 30, 20], 0.2)
    first, second = (of(draw(rows, seed=seed), "hhi") for seed in (1, 2))
    assert first["p05"] != second["p05"]
    # The error of a quantile of a thousand draws is about a fifteenth of the interval.
    width = first["p95"] - first["p05"]
    for quantile in ("p05", "p50", "p95"):
        assert first[quantile] == pytest.approx(second[quantile], abs=width / 5)
    for one, other in zip(first["probabilities"], second["probabilities"], strict=True):
        assert one == pytest.approx(other, abs=0.1)


def test_the_share_of_one_of_two_equal_suppliers_has_its_known_distribution():
    """The logit of the share is normal with the deviation sigma times the root of two."""
    n, sigma_ln = 20_000, 0.3
    row = of(
        draw(listed([10, 10], sigma_ln), draws=n, limits={"share": [0.5, 0.6]}), "share", "S00"
    )
    spread = NormalDist(0, sigma_ln * math.sqrt(2))
    for name, quantile in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95)):
        value = spread.inv_cdf(quantile)
        error = math.sqrt(quantile * (1 - quantile) / n) / spread.pdf(value)
        assert math.log(row[name] / (1 - row[name])) == pytest.approx(value, abs=4 * error)
    above = 1 - spread.cdf(math.log(0.6 / 0.4))
    assert row["probabilities"] == [within(0.5, n), within(above, n)]


def test_numbers_are_uniform_and_normal():
    n = 20_000
    ranks = (np.arange(n) + 1) / n
    cdf = np.vectorize(NormalDist().cdf)
    for values in (uniform(5, "a", n), cdf(normal(5, "a", n))):
        # Kolmogorov: beyond 1.95 / sqrt(n) once in a thousand times.
        assert np.abs(np.sort(values) - ranks).max() < 1.95 / math.sqrt(n)
    assert abs(np.corrcoef(normal(5, "a", n), normal(5, "b", n))[0, 1]) < 4 / math.sqrt(n)
    assert abs(np.corrcoef(normal(5, "a", n), normal(6, "a", n))[0, 1]) < 4 / math.sqrt(n)


@pytest.mark.parametrize("sigma_ln", [0.1, 0.5])
def test_the_mean_of_a_log_normal_error_is_the_known_one(sigma_ln):
    n = 50_000
    factors = np.exp(sigma_ln * normal(11, "a", n))
    mean = math.exp(sigma_ln**2 / 2)
    error = mean * math.sqrt((math.exp(sigma_ln**2) - 1) / n)
    assert factors.mean() == pytest.approx(mean, abs=4 * error)
    assert np.median(factors) == pytest.approx(1, abs=6 * sigma_ln / math.sqrt(n))


def test_the_first_numbers_of_a_seed_stay_what_they_are():
    """Other numbers would make another release of the same inputs."""
    assert uniform(1, "CHN", 2).tolist() == [0.8185866952374263, 0.19324434053806344]


def test_a_range_is_drawn_evenly_and_never_below_zero():
    n = 20_000
    rows = [supplier("A", 0.5, half_width=0.5), supplier("B", 1.0)]
    row = of(draw(rows, draws=n, limits={"share": [0.2, 1 / 3]}), "share", "A")
    # The share x / (1 + x) passes 0.2 at a quarter and a third at a half.
    assert row["probabilities"] == [within(0.75, n), within(0.5, n)]
    assert of(draw([supplier("A", 1, 0, half_width=9), supplier("B", 1)]), "share", "A")["p05"] == 0


def test_unnamed_suppliers_are_split_between_one_and_many():
    n = 20_000
    rows = [supplier("A", 1e-9), supplier(None, 1.0)]
    whole = of(draw(rows, most_hidden=1), "hhi")
    assert whole["p05"] == whole["p95"] == pytest.approx(1, abs=1e-6)
    # Half of the draws have one supplier; of two, p and 1 - p, p*p + (1 - p)*(1 - p) is above
    # 0.625 where p is more than a quarter away from one half.
    split = of(draw(rows, draws=n, most_hidden=2, limits={"hhi": [0.625]}), "hhi")
    assert split["probabilities"] == [within(0.75, n)]
    assert split["p05"] >= 0.5 - 1e-9


@few
@given(values=quantities, rest=st.floats(min_value=1e-3, max_value=1e6))
def test_the_index_stays_between_the_bounds_of_a_rest(values, rest):
    row = of(draw([*listed(values, 0.0), supplier(None, rest)]), "hhi")
    total = sum(values) + rest
    low = sum((value / total) ** 2 for value in values)
    assert low - 1e-12 <= row["p05"]
    assert row["p95"] <= low + (rest / total) ** 2 + 1e-12


def test_the_share_of_consumption_takes_the_error_of_the_reliance():
    n = 20_000
    reliance = {
        "list_key": ["list"], "reliance_key": ["USA"],
        "reliance_low": [0.6], "reliance_high": [0.7],
    }  # fmt: skip
    drawn = draw([supplier("A", 5.0)], reliance, draws=n, limits={"dependency": [0.65]})
    row = of(drawn, "dependency", "A")
    assert row["probabilities"] == [within(0.5, n)]
    assert [row["p05"], row["p95"]] == pytest.approx([0.605, 0.695], abs=0.002)
    assert of(drawn, "max_dependency")["p50"] == row["p50"]


def test_a_list_without_reliance_has_no_share_of_consumption():
    assert not {"dependency", "max_dependency"} & set(draw(listed([2, 1], 0.1))["metric"])


def test_nothing_to_draw_gives_an_empty_table():
    assert draw([]).is_empty()
