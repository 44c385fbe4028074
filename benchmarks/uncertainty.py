"""Draws of supplier lists beside a plain NumPy loop over the lists.

::

    python benchmarks/uncertainty.py --lists 4000

draws as many supplier lists, of the sizes that the starter has, with the code of the release and
with the named alternative: one list after another, a fresh generator for each, ``exp`` of normal
numbers and ``numpy.quantile``, as an analyst would write it. Both run in this process, in turns,
on one thread; the figure is the ratio of their processor times. Intervals of both must agree
within the error of the draws. ::

    python benchmarks/uncertainty.py gaps --comtrade FILE

says how far two reports of a flow lie apart in an extract of UN Comtrade, reconciled by the models
of the release: what the errors in ``ref_uncertainty`` are measured on. Last figures:
uncertainty.md.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import cyclopts
import numpy as np
import numpy.typing as npt
import polars as pl
from compare_baci import reconciled
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from pipelines.errors import MonaziteError
from pipelines.uncertainty import QUANTILES, Terms, simulate

#: Lists by number of suppliers, as drawn on the starter: imports are short, exports long.
SIZES = ((1, 0.25), (3, 0.3), (6, 0.2), (12, 0.15), (30, 0.08), (80, 0.02))
SIGMA_LN = 0.15
LIMITS = (0.1, 0.15, 0.18, 0.25, 0.4)


class Disagree(MonaziteError):
    """Two ways of drawing give different intervals."""


def made_up(lists: int, seed: int) -> pl.DataFrame:
    """Invented supplier lists: log-normal quantities, every tenth list with an unnamed rest."""
    generator = np.random.default_rng(seed)
    sizes, weights = zip(*SIZES, strict=True)
    counts = generator.choice(sizes, size=lists, p=weights)
    frames = []
    for number, count in enumerate(counts):
        names: list[str | None] = [f"S{i:03}" for i in generator.choice(200, count, replace=False)]
        quantities = generator.lognormal(0, 2, count).tolist()
        if number % 10 == 0:
            names.append(None)
            quantities.append(0.1 * sum(quantities))
        frames.append(
            pl.DataFrame(
                {"supplier_iso3": names, "quantity": quantities},
                schema={"supplier_iso3": pl.String, "quantity": pl.Float64},
            ).with_columns(list_key=pl.lit(f"list {number}"))
        )
    return pl.concat(frames).with_columns(
        error_key=pl.col("supplier_iso3").fill_null("unnamed"),
        reference_year=pl.lit(2020),
        sigma_ln=pl.lit(SIGMA_LN),
        half_width=pl.lit(0.0),
        is_wanted=pl.lit(value=False),
    )


def loop(suppliers: pl.DataFrame, draws: int, seed: int) -> dict[str, npt.NDArray[np.float64]]:
    """The alternative: quantiles of the index by list."""
    found: dict[str, npt.NDArray[np.float64]] = {}
    for (key,), rows in suppliers.partition_by(
        "list_key", as_dict=True, maintain_order=True
    ).items():
        generator = np.random.default_rng([seed, len(found)])
        quantities = rows["quantity"].to_numpy()[:, None]
        is_named = rows["supplier_iso3"].is_not_null().to_numpy()
        errors = np.exp(SIGMA_LN * generator.standard_normal((len(quantities), draws)))
        drawn = quantities * errors
        total = drawn.sum(axis=0)
        squares = (drawn[is_named] ** 2).sum(axis=0)
        if not is_named.all():
            parts = generator.exponential(size=(draws, 10))
            parts[np.arange(10)[None, :] > generator.integers(0, 10, draws)[:, None]] = 0
            hidden = (parts**2).sum(axis=1) / parts.sum(axis=1) ** 2
            squares += hidden * drawn[~is_named][0] ** 2
        hhi = squares / total**2
        shares = -np.sort(-drawn[is_named], axis=0)[:3] / total
        for measure in (1 / hhi, shares[0], shares.sum(axis=0)):
            np.quantile(measure, QUANTILES)
        _ = [(hhi > limit).mean() for limit in LIMITS]
        found[str(key)] = np.quantile(hhi, QUANTILES)
    return found


def compare(
    *,
    lists: Annotated[int, Parameter(help="Supplier lists.")] = 4000,
    draws: Annotated[int, Parameter(help="Draws of each.")] = 1000,
    rounds: Annotated[int, Parameter(help="Times that each is run; the fastest counts.")] = 3,
    seed: Annotated[int, Parameter(help="Of lists and draws.")] = 1,
) -> None:
    """Print processor times, their ratio, and how far the intervals lie apart."""
    suppliers = made_up(lists, seed)
    nothing = pl.DataFrame(
        schema={
            "list_key": pl.String,
            "reliance_key": pl.String,
            "reliance_low": pl.Float64,
            "reliance_high": pl.Float64,
        }
    )
    terms = Terms(draws=draws, seed=seed, most_hidden=10, year_correlation=0.5)
    ours, theirs = [], []
    for _ in range(rounds):
        start = time.process_time()
        drawn = simulate(suppliers, nothing, terms=terms, limits={"hhi": LIMITS})
        ours.append(time.process_time() - start)
        start = time.process_time()
        looped = loop(suppliers, draws, seed)
        theirs.append(time.process_time() - start)
    hhi = drawn.filter(pl.col("metric") == "hhi")
    quantiles = hhi.select("p05", "p50", "p95").to_numpy()
    other = np.array([looped[key] for key in hhi["list_key"]])
    apart = np.abs(quantiles - other).max(axis=1)
    width = np.maximum(other[:, 2] - other[:, 0], 1e-6)
    relative = np.quantile(apart / width, 0.99)
    table = Table("", "seconds of processor", "draws a second")
    for name, times in (("monazite", ours), ("loop over lists", theirs)):
        rate = len(suppliers) * draws / min(times)
        table.add_row(name, f"{min(times):.2f}", f"{rate / 1e6:.0f} million")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console = Console()
    console.print(table)
    console.print(f"{lists} lists, {len(suppliers)} suppliers, {draws} draws")
    console.print(f"ratio {min(theirs) / min(ours):.1f}, peak memory {peak:.0f} MB")
    console.print(f"intervals apart, 99 of 100 lists: {relative:.3f} of their width at most")
    # The error of an outer quantile of n draws is about 2 / sqrt(n) of the interval's width, here
    # of two sets of draws.
    if relative > 10 / np.sqrt(draws):
        raise Disagree(
            f"intervals lie {relative:.2f} of their width apart",
            where="benchmarks/uncertainty.py",
            remedy="compare the two ways of drawing",
        )


def gaps(
    *,
    comtrade: Annotated[list[Path], Parameter(help="Extracts of UN Comtrade.")],
    least_usd: Annotated[float, Parameter(help="Flows from this value on.")] = 100_000,
) -> None:
    """Print the log deviation of a single report that the gaps of mirrored flows imply."""
    with tempfile.TemporaryDirectory(prefix="monazite-benchmark-") as folder:
        flows = reconciled(comtrade, Path(folder)).filter(pl.col("n_reports") == 2)
    both_weights = pl.col("quantity_method") == "both_reports"
    flows = flows.with_columns(
        sigma_ln_kg=pl.when(both_weights).then(
            (pl.col("x_kg") / pl.col("m_kg")).log().abs() / 2**0.5
        )
    )
    large = flows.filter(pl.col("reconciled_usd") >= least_usd)
    groups = [
        ("all", flows),
        (f"from {least_usd:,.0f} USD on", large),
        *(
            (f"grade {grade}", flows.filter(pl.col("evidence_grade") == grade))
            for grade in flows["evidence_grade"].unique().sort()
        ),
    ]
    table = Table("flows with both reports", "number", "sigma, values", "sigma, weights")
    for name, rows in groups:
        medians = rows.select(pl.median("sigma_ln", "sigma_ln_kg")).row(0)
        table.add_row(name, f"{len(rows):,}", *(f"{float(sigma):.3f}" for sigma in medians))
    Console().print(table)


if __name__ == "__main__":
    app = cyclopts.App(name="uncertainty")
    app.default(compare)
    app.command(gaps)
    try:
        app()
    except MonaziteError as error:
        sys.stderr.write(f"uncertainty: {error}\n")
        sys.exit(1)
