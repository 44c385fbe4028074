"""How two reports of a flow become one figure: the models' own SQL on invented reports."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from itertools import product
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from benchmarks.compare_baci import (
    PRIOR,
    Gaps,
    compare,
    contributions,
    freight_pairs,
    held_out_freight,
    one_weight_hidden,
    over_years,
    where_the_error_lies,
    with_alternatives,
    world_agreement,
)
from pipelines.settings import PROJECT_ROOT
from tests.support.measures import create_measures
from tests.support.models import model_sql

_CHAIN = ("int_trade__freight", "int_trade__comparable", "int_trade__reliability",
          "int_trade__reconciled")  # fmt: skip
_MIRROR = {
    "exporter_iso3": pl.String,
    "importer_iso3": pl.String,
    "hs_code": pl.String,
    "reference_year": pl.Int16,
    "x_usd": pl.Float64,
    "m_cif_usd": pl.Float64,
    "m_own_fob_usd": pl.Float64,
    "m_has_freight": pl.Boolean,
    "x_kg": pl.Float64,
    "m_kg": pl.Float64,
    "x_kg_is_estimated": pl.Boolean,
    "m_kg_is_estimated": pl.Boolean,
    "source_edition_id": pl.String,
    "source_edition_ids": pl.List(pl.String),
}


def flow(exporter: str, importer: str, **others: Any) -> dict[str, Any]:
    """A flow as int_trade__mirror has it: both reports, both free on board, both weights."""
    return {
        "exporter_iso3": exporter,
        "importer_iso3": importer,
        "hs_code": "280530",
        "reference_year": 2022,
        "x_usd": 10_000.0,
        "m_cif_usd": 10_000.0,
        "m_own_fob_usd": None,
        "m_has_freight": False,
        "x_kg": 100.0,
        "m_kg": 100.0,
        "x_kg_is_estimated": False,
        "m_kg_is_estimated": False,
        "source_edition_id": "invented",
        "source_edition_ids": ["invented"],
        **others,
    }


def noisy(
    seed: int,
    *,
    exporters: dict[str, float],
    importers: dict[str, float],
    codes: int = 4,
    columns: tuple[str, str] = ("x_usd", "m_cif_usd"),
) -> list[dict[str, Any]]:
    """Flows of a known truth, each side off by a log error of its reporter's own mean size."""
    chance = np.random.default_rng(seed)
    flows = []
    for (exporter, of_exporter), (importer, of_importer), code in product(
        exporters.items(), importers.items(), range(codes)
    ):
        truth = float(np.exp(chance.normal(12, 1)))
        x, m = (
            truth * float(np.exp(chance.choice((-1, 1)) * chance.exponential(size)))
            for size in (of_exporter, of_importer)
        )
        reported = {"x_usd": truth, "m_cif_usd": truth} | dict(zip(columns, (x, m), strict=True))
        flows.append(
            flow(
                exporter,
                importer,
                **({"x_kg": truth, "m_kg": truth} | {"hs_code": f"2805{code:02d}"} | reported),
            )
        )
    return flows


GOOD_AND_BAD = {"GOO": 0.05, "BAD": 1.2, **{f"E{k:02d}": 0.4 for k in range(6)}}
EXPORTERS = {f"E{k:02d}": 0.3 for k in range(8)}
USUAL = {f"I{k:02d}": 0.4 for k in range(12)}
# Years know nothing of each other, so each case has its own and all are run at once.
(ONE_PAIR, AGREED, BAD_IMPORTER, BAD_CODE, CODE_MERGED, WEIGHTS, THERE, BACK) = range(1901, 1909)
RANDOM = range(2000, 2008)


def _cases() -> dict[int, list[dict[str, Any]]]:
    specialist = [
        *noisy(4, exporters=EXPORTERS, importers=USUAL),
        *(
            {**row, "hs_code": "850511", "exporter_iso3": exporter}
            for row in noisy(5, exporters={"one": 1.2}, importers=USUAL, codes=1)
            for exporter in ("SPE", *EXPORTERS)
        ),
    ]
    there = noisy(8, exporters=GOOD_AND_BAD, importers=USUAL)
    return {
        ONE_PAIR: [flow("AAA", "BBB", x_usd=100_000.0, m_cif_usd=80_000.0)],
        AGREED: [flow("AAA", "BBB"), *noisy(1, exporters=GOOD_AND_BAD, importers=USUAL)],
        BAD_IMPORTER: noisy(3, exporters=EXPORTERS, importers={**USUAL, "BAD": 1.5}),
        BAD_CODE: specialist,
        # The same reports, were all of one code.
        CODE_MERGED: [{**row, "hs_code": "280530"} for row in specialist],
        WEIGHTS: noisy(6, exporters=GOOD_AND_BAD, importers=USUAL, columns=("x_kg", "m_kg")),
        THERE: there,
        BACK: [
            {
                **row,
                "exporter_iso3": row["importer_iso3"],
                "importer_iso3": row["exporter_iso3"],
                "x_usd": row["m_cif_usd"],
                "m_cif_usd": row["x_usd"],
            }
            for row in there
        ],
        **{year: noisy(year, exporters=GOOD_AND_BAD, importers=USUAL) for year in RANDOM},
    }


@dataclass
class Reconciled:
    """What the models make of the cases."""

    flows: pl.DataFrame
    reliabilities: pl.DataFrame

    def of(self, year: int) -> pl.DataFrame:
        return self.flows.filter(pl.col("reference_year") == year)

    def reliability(self, year: int, measure: str = "value") -> dict[tuple[str, str], float]:
        """By role and country."""
        found = self.reliabilities.filter(
            (pl.col("reference_year") == year) & (pl.col("measure") == measure)
        ).select("role", "country_iso3", "reliability")
        return {(role, country): number for role, country, number in found.iter_rows()}


def run(flows: list[dict[str, Any]], *, threads: int = 2) -> Reconciled:
    """The models' own SQL on these flows."""
    with duckdb.connect(config={"threads": threads}) as database:
        create_measures(database)
        database.register("int_trade__mirror", pl.DataFrame(flows, schema=_MIRROR))
        for model in _CHAIN:
            database.execute(f"create table {model} as {model_sql(model)}")
        return Reconciled(
            flows=database.sql("from int_trade__reconciled order by all").pl(),
            reliabilities=database.sql("from int_trade__reliability order by all").pl(),
        )


@pytest.fixture(scope="module")
def flows() -> list[dict[str, Any]]:
    return [{**row, "reference_year": year} for year, rows in _cases().items() for row in rows]


@pytest.fixture(scope="module")
def reconciled(flows: list[dict[str, Any]]) -> Reconciled:
    return run(flows)


def test_two_reports_of_one_pair_are_split_in_the_middle(reconciled: Reconciled) -> None:
    """METHOD's vector: 100 and 80 are a ninth apart; alone they say nothing on who errs."""
    [row] = reconciled.of(ONE_PAIR).to_dicts()
    assert row["rel_gap"] == pytest.approx(0.11111, abs=5e-6)
    assert row["weight_x"] == pytest.approx(0.5)
    assert row["reconciled_usd"] == pytest.approx(90_000)
    assert row["evidence_grade"] == "B"


def test_reports_that_agree_give_their_value_and_weight(reconciled: Reconciled) -> None:
    [row] = reconciled.of(AGREED).filter(pl.col("exporter_iso3") == "AAA").to_dicts()
    assert row["reconciled_usd"] == pytest.approx(10_000)
    assert row["reconciled_kg"] == pytest.approx(100)
    assert row["evidence_grade"] == "A"


def test_every_figure_lies_between_its_reports(reconciled: Reconciled) -> None:
    # A weight that is set aside is not among those that the figure comes from.
    found = reconciled.flows.filter(pl.col("quantity_method") == "both_reports")
    assert found.height > 5_000
    assert found["weight_x"].is_between(0, 1, closed="none").all()
    for figure, reports in (("reconciled_usd", ("x_usd", "m_fob_usd")),
                            ("reconciled_kg", ("x_kg", "m_kg"))):  # fmt: skip
        low = found.select(pl.min_horizontal(*reports)).to_series()
        high = found.select(pl.max_horizontal(*reports)).to_series()
        assert (found[figure] >= low * (1 - 1e-12)).all()
        assert (found[figure] <= high * (1 + 1e-12)).all()


@pytest.mark.parametrize("year", RANDOM)
def test_the_more_reliable_reporter_counts_more(reconciled: Reconciled, year: int) -> None:
    found = reconciled.reliability(year)
    exporters = {country: r for (role, country), r in found.items() if role == "exporter"}
    assert min(exporters, key=exporters.__getitem__) == "BAD"
    assert exporters["GOO"] > np.median(list(exporters.values()))
    weights = reconciled.of(year).group_by("exporter_iso3").agg(pl.mean("weight_x"))
    of_exporter = dict(weights.iter_rows())
    assert of_exporter["GOO"] > 0.5 > of_exporter["BAD"]


@pytest.mark.parametrize("year", RANDOM)
def test_the_figure_is_nearer_to_the_truth_than_the_plain_mean(
    reconciled: Reconciled, year: int
) -> None:
    """Where one side is much the better one; at a dollar a kilogram the weight is the truth."""
    uneven = reconciled.of(year).filter(pl.col("exporter_iso3").is_in(["GOO", "BAD"]))
    truth = pl.col("x_kg").log()
    told = uneven.select(
        ours=(pl.col("reconciled_usd").log() - truth).abs().mean(),
        plain=(pl.mean_horizontal("x_usd", "m_fob_usd").log() - truth).abs().mean(),
    )
    assert told["ours"].item() < told["plain"].item()


def test_exporter_and_importer_are_told_apart(reconciled: Reconciled) -> None:
    """Everybody's gap with one importer is large: that is the importer's doing."""
    found = reconciled.reliability(BAD_IMPORTER)
    assert min(found, key=found.__getitem__) == ("importer", "BAD")


def test_a_code_that_everybody_reports_badly_blames_nobody(reconciled: Reconciled) -> None:
    """Who trades in such a code alone is not taken for a bad reporter because of it."""
    known, merged = reconciled.reliability(BAD_CODE), reconciled.reliability(CODE_MERGED)
    assert known["exporter", "SPE"] > merged["exporter", "SPE"]


def test_weights_have_a_reliability_of_their_own(reconciled: Reconciled) -> None:
    of_weight = reconciled.reliability(WEIGHTS, "weight")
    assert of_weight["exporter", "GOO"] > of_weight["exporter", "BAD"]
    # All values agree.
    of_value = reconciled.reliability(WEIGHTS).values()
    assert max(of_value) == pytest.approx(min(of_value), rel=0.01)


def test_figures_depend_neither_on_the_order_of_rows_nor_on_threads(
    flows: list[dict[str, Any]], reconciled: Reconciled
) -> None:
    shuffled = random.Random(0).sample(flows, len(flows))  # noqa: S311 - a test's shuffle
    again = run(shuffled, threads=4)
    assert again.flows.equals(reconciled.flows)
    assert again.reliabilities.equals(reconciled.reliabilities)


def test_both_sides_are_treated_alike(reconciled: Reconciled) -> None:
    """Exports and imports changed over: every weight changes over with them."""
    back = reconciled.of(BACK).select(
        exporter_iso3="importer_iso3", importer_iso3="exporter_iso3", hs_code="hs_code",
        back="weight_x",
    )  # fmt: skip
    both = reconciled.of(THERE).join(back, on=["exporter_iso3", "importer_iso3", "hs_code"])
    assert both.height == reconciled.of(THERE).height
    # The rounds begin with the exporters, so that they end a hair apart.
    assert (both["weight_x"] + both["back"] - 1).abs().max() < 1e-3


def test_the_benchmark_checks_the_estimator_that_the_models_use(reconciled: Reconciled) -> None:
    gaps = Gaps.of(reconciled.of(THERE))
    a, c, _ = contributions(gaps, PRIOR, (len(GOOD_AND_BAD), len(USUAL), 4))
    modelled = reconciled.reliability(THERE)
    for role, names, added in (("exporter", GOOD_AND_BAD, a), ("importer", USUAL, c)):
        for name, number in zip(sorted(names), added, strict=True):
            assert modelled[role, name] == pytest.approx(1 / number, rel=1e-6)


def test_no_production_figure_scores_a_reporter() -> None:
    """A production figure may be inferred from the very imports that it would confirm."""
    asked, seen = ["int_trade__reconciled"], set()
    models = {file.stem: file for file in (PROJECT_ROOT / "dbt_project").rglob("*.sql")}
    while asked:
        name = asked.pop()
        if name in seen or name not in models:
            continue
        seen.add(name)
        text = models[name].read_text(encoding="utf-8")
        asked += [part.split("'")[1] for part in text.split("ref(")[1:]]
    assert "int_trade__reliability" in seen
    assert "fct_trade_report" in seen
    assert not {name for name in seen if "production" in name or "dependent" in name}


# The comparison with BACI


def cells(*rows: tuple[str, str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, orient="row",
                        schema=["exporter_iso3", "importer_iso3", "hs_code", "usd"])  # fmt: skip


def test_shares_of_the_three_largest_are_compared_country_by_country() -> None:
    ours = cells(("AAA", "X", "1", 50), ("BBB", "X", "1", 30), ("DDD", "X", "1", 20))
    theirs = cells(("AAA", "X", "1", 40), ("BBB", "X", "1", 30), ("CCC", "X", "1", 30),
                   ("AAA", "X", "2", 1))  # fmt: skip
    found = world_agreement(ours, theirs, ("usd", "usd"), "exporter_iso3")
    assert found["codes"] == 1
    assert found["same_top1"] == 1
    # 10 points of AAA, none of BBB, 30 of CCC.
    assert found["top3_error_points"] == pytest.approx(40 / 3)


def test_the_comparison_shows_both_methods_for_every_figure() -> None:
    flows = run(
        [
            *noisy(10, exporters=GOOD_AND_BAD, importers=USUAL, codes=1),
            flow("EXP", "III", m_cif_usd=None, m_kg=None),
            flow("III", "IMP", x_usd=None, x_kg=None, m_has_freight=True),
            flow("III", "EXP", x_kg=None, m_kg=None),
        ]
    ).flows
    baci = flows.select(
        "exporter_iso3",
        "importer_iso3",
        "hs_code",
        baci_usd="reconciled_usd",
        baci_kg="reconciled_kg",
    )
    tables = compare(flows, baci, 1000.0)
    summary = tables["Beside the plain mean"]
    assert summary["monazite is no worse"].drop_nulls().all()
    assert summary["plain mean, flat 8 %"].null_count() == 0
    values = tables["Values, cell by cell"].filter(pl.col("method") == "monazite")
    assert dict(zip(values["cells of"], values["cells"], strict=True)) == {
        "both reports": 97, "one report": 2, "export report only": 1, "import report only": 1,
        "all": 99,
    }  # fmt: skip
    imputed = tables["How the weights came about"].filter(
        pl.col("quantity_method") == "median_unit_value"
    )
    assert imputed["flows"].to_list() == [1]


def test_a_hidden_weight_is_guessed_by_the_unit_value_of_the_other() -> None:
    """Both sides at a dollar a kilogram, however far apart: then the unit value tells all."""
    rows = noisy(12, exporters=GOOD_AND_BAD, importers=USUAL, codes=1)
    flows = run([{**row, "x_kg": row["x_usd"], "m_kg": row["m_cif_usd"]} for row in rows]).flows
    hidden = one_weight_hidden(flows)
    assert hidden["weight_of"].to_list() == ["exporter", "importer"]
    assert hidden["flows"].to_list() == [96, 96]
    assert hidden["mean_gap_at_unit_value"].max() < 0.01 < hidden["mean_gap_as_it_is"].min()


def test_several_years_are_told_together() -> None:
    flows = run(noisy(11, exporters=GOOD_AND_BAD, importers=USUAL, codes=1)).flows
    cells = with_alternatives(flows).with_columns(
        baci_usd=pl.col("reconciled_usd"), baci_kg=pl.col("reconciled_kg")
    )
    baci = cells.select("exporter_iso3", "importer_iso3", "hs_code", "baci_usd", "baci_kg")
    summary = compare(flows, baci, 1000.0)["Beside the plain mean"]
    told = over_years(pl.concat([cells, cells]), [summary, summary])
    values = told["Values of all years, cell by cell"].filter(pl.col("method") == "monazite")
    assert dict(zip(values["cells of"], values["cells"], strict=True))["all"] == 2 * flows.height
    years = told["Years in which monazite is no worse"]
    assert years.filter(pl.col("measure") == "same_top1")["no worse"].to_list() == [2, 2, 2, 2]
    # No correlation of a single code.
    assert years.filter(pl.col("measure") == "hhi_corr")["of years"].to_list() == [0, 0, 0, 0]


def test_the_error_is_told_by_kind_of_cell() -> None:
    rows = [
        # n_reports, x_usd, m_cif_usd, m_fob_usd, reconciled_usd, baci_usd
        (1, 100.0, None, None, 100.0, 100.0),
        (1, None, 110.0, 100.0, 100.0, 900.0),
        (2, 100.0, 150.0, 140.0, 120.0, 125.0),
        (2, 100.0, 900.0, 800.0, 450.0, 900.0),
        (2, 100.0, 900.0, 800.0, 450.0, 100.0),
        (2, 100.0, 900.0, 800.0, 450.0, 700.0),
        (2, 100.0, 900.0, 800.0, 450.0, 9_000.0),
    ]
    names = ("n_reports", "x_usd", "m_cif_usd", "m_fob_usd", "reconciled_usd", "baci_usd")
    found = where_the_error_lies(pl.DataFrame(rows, schema=names, orient="row"))
    assert dict(zip(found["kind"], found["cells"], strict=True)) == {
        "BACI outside both reports": 1,
        "further apart, BACI is one report alone": 2,
        "further apart, BACI weighs both": 1,
        "one report": 1,
        "one report, BACI another figure (factor 1.5)": 1,
        "reports within a factor of two": 1,
    }
    assert found["share_of_error"].sum() == pytest.approx(1)


def test_the_benchmark_learns_freight_from_the_flows_that_the_models_learn_it_from() -> None:
    """Pairs of which one trades every year: counting it once tells more of the others."""
    flows = [
        flow(f"E{pair:02d}", "MMM", reference_year=year, m_has_freight=True, x_usd=x_usd)
        | {"m_cif_usd": 100_000.0, "m_own_fob_usd": None}
        for pair, years, x_usd in (*((k, 1, 95_000.0) for k in range(1, 40)), (0, 200, 82_000.0))
        for year in range(1800, 1800 + years)
    ]
    too_little = [
        flow("SML", "MMM", m_has_freight=True, x_usd=9_000.0),
        flow("FAR", "MMM", m_has_freight=True, x_usd=100_000.0, m_cif_usd=200_001.0),
        flow("FOB", "MMM", x_usd=95_000.0, m_cif_usd=100_000.0),
    ]
    mirror = pl.DataFrame([*flows, *too_little], schema=_MIRROR)
    assert freight_pairs(mirror).height == len(flows)
    tried = held_out_freight(mirror, priors=(20,))
    error = dict(zip(tried["freight"], tried["mean_abs_error"], strict=True))
    assert error["by code, a pair counting once"] < error["by code"]
    assert error["by code, a pair counting once"] < error["flat 8 %"]
    with duckdb.connect() as database:
        database.register("int_trade__mirror", mirror)
        [row] = database.execute(model_sql("int_trade__freight")).pl().to_dicts()
    assert row["n_pairs"] == 40
    pooled = (40 * 0.05 + 20 * (1 - 1 / 1.08)) / 60
    assert row["freight_share"] == pytest.approx((40 * 0.05 + 20 * pooled) / 60)
    assert held_out_freight(mirror.head(0)).is_empty()


def _read_by(model: str) -> set[str]:
    """Names of all models and seeds that ``model`` rests on, itself included."""
    files = {file.stem: file for file in (PROJECT_ROOT / "dbt_project" / "models").rglob("*.sql")}
    found: set[str] = set()
    waiting = [model]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            if name in files:
                waiting += re.findall(r"ref\('(\w+)'\)", files[name].read_text("utf-8"))
    return found


@pytest.mark.parametrize("model", ["int_trade__reliability", "mart_mirror_gap"])
def test_production_never_scores_how_reliable_a_report_is(model):
    """Some production is inferred from the partner's trade: it would confirm its own source."""
    rests_on = _read_by(model)
    assert "fct_trade_report" in rests_on
    assert not {name for name in rests_on if "production" in name or "supply_balance" in name}
