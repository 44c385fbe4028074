"""The comparison with BACI on a real extract: the figures to beat, and that they are beaten."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from benchmarks.compare_baci import PLAIN, compare, read_baci, reconciled

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.slow,
    pytest.mark.reference,
    pytest.mark.xdist_group("comtrade"),
]

VALUES, WORLD = "Values, cell by cell", "World exporters and importers, by code"


@pytest.fixture(scope="module")
def tables(
    reference_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pl.DataFrame]:
    trade = reference_data / "trade"
    extract = trade / "comtrade" / "varcolacus" / "comtrade_2022.csv.gz"
    baci = trade / "baci" / "varcolacus" / "baci_2022.csv"
    if not (extract.is_file() and baci.is_file()):
        pytest.skip(f"no extract of UN Comtrade or no BACI below {trade}")
    flows = reconciled([extract], tmp_path_factory.mktemp("compare") / "home")
    return compare(flows, read_baci(baci, 2022), 100_000)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ((VALUES, "all", "corr_log"), "0.9947"),
        ((VALUES, "both reports", "corr_log"), "0.985"),
        ((VALUES, "both reports", "median_ratio"), "0.963"),
        ((WORLD, "exporter", "same_top1"), "29"),
        ((WORLD, "importer", "same_top1"), "29"),
        ((WORLD, "exporter", "top3_error_points"), "1.8"),
        ((WORLD, "importer", "top3_error_points"), "1.5"),
        ((WORLD, "exporter", "hhi_corr"), "0.970"),
        ((WORLD, "importer", "hhi_corr"), "0.994"),
    ],
)
def test_the_plain_mean_gives_the_figures_that_are_known_of_it(
    tables: dict[str, pl.DataFrame], where: tuple[str, str, str], expected: str
) -> None:
    title, group, measure = where
    [row] = tables[title].filter((pl.nth(0) == group) & (pl.col("method") == PLAIN)).to_dicts()
    digits = len(expected.partition(".")[2])
    assert f"{row[measure]:.{digits}f}" == expected


def test_the_reconciled_flows_are_no_worse_on_any_figure(tables: dict[str, pl.DataFrame]) -> None:
    summary = tables["Beside the plain mean"]
    assert summary.height == 12
    assert summary.filter(~pl.col("monazite is no worse")).is_empty()


def test_two_sided_flows_come_out_better(tables: dict[str, pl.DataFrame]) -> None:
    of_both = tables[VALUES].filter(pl.col("cells of") == "both reports")
    ours, plain = (of_both.filter(pl.col("method") == m).to_dicts()[0] for m in ("monazite", PLAIN))
    assert ours["corr_log"] > plain["corr_log"] + 0.001
    assert abs(ours["median_ratio"] - 1) < abs(plain["median_ratio"] - 1)
    assert ours["median_abs_gap"] < plain["median_abs_gap"]


def test_the_share_of_imputed_weights_is_told(tables: dict[str, pl.DataFrame]) -> None:
    shares = tables["How the weights came about"]
    assert shares["share_of_flows"].sum() == pytest.approx(1)
    imputed = shares.filter(pl.col("quantity_method") == "median_unit_value")
    assert 0 < imputed["share_of_flows"].item() < 0.05
