"""Flows reconciled by Monazite beside CEPII BACI and beside the plain mean of both reports.

::

    python benchmarks/compare_baci.py --comtrade FILE --baci FILE

builds ``int_trade__reconciled`` from an extract of UN Comtrade in a temporary home, with the same
readers and dbt models as a release, and compares it with a BACI file on the codes and years that
both have. The named alternative is what many analysts do: imports less a flat 8 % freight, and the
plain mean where both sides report. CEPII leaves an import that nobody else reports at its CIF
value; the release takes freight off, and a row of its own has such imports as reported.

BACI is another reconciliation of the same reports, not the truth: the comparison shows where the
two differ, and nothing in the models is fitted to it. What the models do choose is checked without
it: the strength of the prior of the reliability on flows held out, freight on pairs of countries
held out, the weight of one side alone on weights hidden, the bound of a weight's plausibility with
the other side as referee. Last figures: compare_baci.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import cyclopts
import duckdb
import numpy as np
import polars as pl
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from pipelines.catalog import load_catalog
from pipelines.errors import BuildFailed, MonaziteError, UsageError
from pipelines.ingest import ingest_documents
from pipelines.settings import Settings
from pipelines.sources.label_maps import read_map

FLOW = ("exporter_iso3", "importer_iso3", "hs_code")
#: The flat freight of older practice.
FLAT_CIF_FOB = 1.08
MONAZITE, AT_CIF, PLAIN = "monazite", "monazite, one-sided imports at CIF", "plain mean, flat 8 %"
#: Columns of value (USD) and weight (kg) of each method.
METHODS = {
    MONAZITE: ("reconciled_usd", "reconciled_kg"),
    AT_CIF: ("at_cif_usd", "reconciled_kg"),
    PLAIN: ("flat_usd", "flat_kg"),
}
#: As in int_trade__reliability.
ROUNDS, PRIOR, LEAST_GAP, LEAST_USD = 30, 40, 0.01, 1000.0
#: As in int_trade__freight.
FREIGHT_LEAST_USD, FREIGHT_BOUNDS = 10_000.0, (0.0, 0.2)
_S19 = "S19"  # BACI's own code for Taiwan


def build(
    home: Path, documents: dict[str, list[Path]], *models: str, as_of: date | None = None
) -> dict[str, str]:
    """Import ``documents`` (by source) into ``home`` and build ``models`` and what they need.

    :param as_of: leave out editions published later, or on a day that nobody knows.
    :returns: the environment of the build; ``MONAZITE_BUILD_DB`` holds facts and marts,
        ``MONAZITE_WORK_DB`` the intermediate models.
    :raises MonaziteError: the documents cannot be let in, or dbt fails.
    """
    # Dagster takes seconds to import, and who only compares tables does without.
    from pipelines.night import prepare_build
    from pipelines.resources import dbt_environment, dbt_executable

    settings = Settings(home=home)
    catalog = load_catalog()
    for source_id, files in documents.items():
        result = ingest_documents(settings, catalog, source_id, files, label="benchmark")
        if result.refused:
            raise UsageError(result.refused)
    prepare_build(settings, catalog, as_of=as_of)
    environment = dbt_environment(settings)
    project, target = str(settings.dbt_project_dir), str(home / "dbt")
    done = subprocess.run(  # noqa: S603 - our own executable, no user input
        [
            dbt_executable(),
            "--quiet",
            "build",
            "--select",
            *(f"+{model}" for model in models),
            "--exclude-resource-type",
            "test",
            "unit_test",
            "--project-dir",
            project,
            "--profiles-dir",
            project,
            "--target-path",
            target,
            "--log-path",
            target,
        ],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildFailed(f"dbt cannot build {models}: {(done.stdout + done.stderr)[-800:]}")
    return environment


def reconciled(comtrade: list[Path], home: Path) -> pl.DataFrame:
    """``int_trade__reconciled`` of these documents, built in ``home``."""
    return _with_mirror(comtrade, home)[0]


def _with_mirror(comtrade: list[Path], home: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``int_trade__reconciled`` and ``int_trade__mirror`` of these documents."""
    environment = build(home, {"un_comtrade": comtrade}, "int_trade__reconciled")
    with duckdb.connect(environment["MONAZITE_WORK_DB"], read_only=True) as database:
        return (
            database.sql("from intermediate.int_trade__reconciled").pl(),
            database.sql("from intermediate.int_trade__mirror").pl(),
        )


def read_baci(path: Path, year: int, *, several: bool = False) -> pl.DataFrame:
    """Exporter, importer, code, ``baci_usd`` and, where the file has them, ``baci_kg``.

    Layouts: the publisher's (``t,i,j,k,v,q``: numeric codes, thousand USD, tonnes) or
    ``i,j,cmd,value`` (ISO3, USD), as CSV or Parquet.

    A file of the second layout names no year: it is taken as one of ``year``.

    :param several: whether other years will be asked for, too.
    :returns: no rows where the file has no flow of ``year``.
    :raises UsageError: neither layout, or a file without years where several are asked for.
    """
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path)
    else:
        frame = pl.read_csv(path, infer_schema=False)
    if {"t", "i", "j", "k", "v", "q"} <= set(frame.columns):
        codes = read_map("country__un").select("country_label", "country_iso3")
        frame = frame.filter(pl.col("t").cast(pl.Int32) == year)
        for role, column in (("exporter", "i"), ("importer", "j")):
            named = codes.rename({"country_label": column, "country_iso3": f"{role}_iso3"})
            frame = frame.with_columns(pl.col(column).cast(pl.String)).join(named, on=column)
        found = frame.select(
            "exporter_iso3",
            "importer_iso3",
            pl.col("k").cast(pl.String).str.zfill(6).alias("hs_code"),
            (pl.col("v").cast(pl.Float64) * 1000).alias("baci_usd"),
            (pl.col("q").cast(pl.Float64, strict=False) * 1000).alias("baci_kg"),
        )
    elif {"i", "j", "cmd", "value"} <= set(frame.columns):
        if several:
            raise UsageError(
                f"{path.name} does not say of which year it is",
                where=str(path),
                remedy="give --year, the year of the file",
            )
        found = frame.select(
            pl.col("i").replace(_S19, "TWN").alias("exporter_iso3"),
            pl.col("j").replace(_S19, "TWN").alias("importer_iso3"),
            pl.col("cmd").cast(pl.String).str.zfill(6).alias("hs_code"),
            pl.col("value").cast(pl.Float64).alias("baci_usd"),
            pl.lit(None, pl.Float64).alias("baci_kg"),
        )
    else:
        raise UsageError(
            f"{path.name} has the columns {', '.join(frame.columns)}",
            where=str(path),
            remedy="give a BACI file with t,i,j,k,v,q or i,j,cmd,value",
        )
    return found.group_by(FLOW).agg(
        pl.sum("baci_usd"),
        # A sum over unknown weights is unknown.
        pl.when(pl.col("baci_kg").null_count() == 0).then(pl.sum("baci_kg")).alias("baci_kg"),
    )


def with_alternatives(flows: pl.DataFrame) -> pl.DataFrame:
    """The flows with the columns of the other methods."""
    return flows.with_columns(
        pl.mean_horizontal("x_usd", pl.col("m_cif_usd") / FLAT_CIF_FOB).alias("flat_usd"),
        pl.mean_horizontal("x_kg", "m_kg").alias("flat_kg"),
        pl.when(pl.col("x_usd").is_null())
        .then("m_cif_usd")
        .otherwise("reconciled_usd")
        .alias("at_cif_usd"),
    )


def agreement(cells: pl.DataFrame, ours: str, theirs: str) -> dict[str, float]:
    """How near ``ours`` is to ``theirs``, both in one unit, over cells that have both."""
    both = cells.filter((pl.col(ours) > 0) & (pl.col(theirs) > 0)).select(
        pl.col(ours).log().alias("ours"), pl.col(theirs).log().alias("theirs")
    )
    gap = both.select((pl.col("ours") - pl.col("theirs")).alias("gap")).get_column("gap")
    return {
        "cells": both.height,
        "corr_log": _number(both.select(pl.corr("ours", "theirs")).item()),
        "median_ratio": _number(gap.median(), exponential=True),
        "median_abs_gap": _number(gap.abs().median()),
        "within_5pc": _number((gap.abs() <= 0.05).mean()),
        "within_25pc": _number((gap.abs() <= 0.25).mean()),
    }


def _number(value: object, *, exponential: bool = False) -> float:
    if not isinstance(value, int | float):
        return float("nan")
    return float(pl.Series([float(value)]).exp().item()) if exponential else float(value)


def _shares(flows: pl.DataFrame, amount: str, country: str) -> pl.DataFrame:
    """Each country's share of the world's trade in a code, largest first."""
    return (
        flows.filter(pl.col(amount) > 0)
        .group_by("hs_code", country)
        .agg(pl.sum(amount).alias("amount"))
        .with_columns((pl.col("amount") / pl.sum("amount").over("hs_code")).alias("share"))
        .sort("hs_code", "share", country, descending=[False, True, False])
    )


def world_agreement(
    flows: pl.DataFrame, baci: pl.DataFrame, columns: tuple[str, str], country: str
) -> dict[str, float]:
    """How alike the world's exporters or importers of a code look, over the codes of both.

    ``top3_error_points``: mean absolute difference of the shares of BACI's three largest, in
    percentage points.

    :param columns: amount in ``flows`` and in ``baci``.
    :param country: ``exporter_iso3`` or ``importer_iso3``.
    """
    ours, theirs = (
        _shares(frame, amount, country)
        for frame, amount in zip((flows, baci), columns, strict=True)
    )
    theirs = theirs.join(ours.select("hs_code").unique(), on="hs_code", how="semi")
    largest = (
        theirs.group_by("hs_code", maintain_order=True)
        .head(3)
        .join(ours, on=["hs_code", country], how="left", suffix="_ours")
        .with_columns(pl.col("share_ours").fill_null(0.0))
    )
    by_code = [
        frame.group_by("hs_code").agg(
            pl.first(country).alias("top"), (pl.col("share") ** 2).sum().alias("hhi")
        )
        for frame in (ours, theirs)
    ]
    both = by_code[0].join(by_code[1], on="hs_code", suffix="_baci")
    return {
        "codes": both.height,
        "same_top1": int((both["top"] == both["top_baci"]).sum()),
        "top3_error_points": 100 * _number((largest["share"] - largest["share_ours"]).abs().mean()),
        "hhi_corr": _number(both.select(pl.corr("hhi", "hhi_baci")).item()),
    }


def suppliers(flows: pl.DataFrame, value: str) -> pl.DataFrame:
    """Per importer and code: total, largest supplier, share of the three largest, HHI."""
    return (
        flows.filter(pl.col(value) > 0)
        .sort(value, "exporter_iso3", descending=[True, False])
        .group_by("importer_iso3", "hs_code", maintain_order=True)
        .agg(
            pl.sum(value).alias("total"),
            pl.first("exporter_iso3").alias("top"),
            (pl.col(value).head(3).sum() / pl.col(value).sum()).alias("cr3"),
            ((pl.col(value) / pl.col(value).sum()) ** 2).sum().alias("hhi"),
        )
    )


def concentration_agreement(
    ours: pl.DataFrame, theirs: pl.DataFrame, least_usd: float
) -> dict[str, float]:
    """How alike an importer's sources look, over importers and codes above ``least_usd``."""
    both = ours.join(theirs, on=["importer_iso3", "hs_code"], suffix="_baci").filter(
        pl.col("total_baci") >= least_usd
    )
    return {
        "importers_x_codes": both.height,
        "top1_agreement": _number((both["top"] == both["top_baci"]).mean()),
        "cr3_abs_error": _number((both["cr3"] - both["cr3_baci"]).abs().mean()),
        "hhi_corr": _number(both.select(pl.corr("hhi", "hhi_baci")).item()),
        "hhi_abs_error": _number((both["hhi"] - both["hhi_baci"]).abs().mean()),
    }


def compare(flows: pl.DataFrame, baci: pl.DataFrame, least_usd: float) -> dict[str, pl.DataFrame]:
    """All tables of the comparison, by title."""
    codes = sorted(set(flows["hs_code"]) & set(baci["hs_code"]))
    flows = with_alternatives(flows.filter(pl.col("hs_code").is_in(codes)))
    baci = baci.filter(pl.col("hs_code").is_in(codes))
    cells = flows.join(baci, on=FLOW, how="inner")
    tables = {
        "Values, cell by cell": _cell_by_cell(_value_groups(cells), 0, "baci_usd"),
        "World exporters and importers, by code": _world(flows, baci, 0, "baci_usd"),
        f"Sources of importers and codes above {least_usd:,.0f} USD": pl.DataFrame(
            {
                "method": method,
                **concentration_agreement(
                    suppliers(flows, columns[0]), suppliers(baci, "baci_usd"), least_usd
                ),
            }
            for method, columns in METHODS.items()
        ),
    }
    if baci["baci_kg"].null_count() < baci.height:
        # Only cells of which BACI has a weight: elsewhere the sums would be of different trade.
        weighed = baci.filter(pl.col("baci_kg").is_not_null())
        kept = flows.join(weighed, on=FLOW, how="semi")
        groups = _weight_groups(kept.join(weighed, on=FLOW))
        by_weight = [
            _cell_by_cell(groups, 1, "baci_kg"),
            _world(kept, weighed, 1, "baci_kg"),
        ]
        tables["Weights, cell by cell"] = by_weight[0]
        tables["World exporters and importers, by code and weight"] = by_weight[1]
    held = pl.DataFrame(
        {
            "codes": [len(codes)],
            "flows_monazite": [flows.height],
            "flows_baci": [baci.height],
            "in_both": [cells.height],
            "usd_monazite": [flows["reconciled_usd"].sum()],
            "usd_plain_mean": [flows["flat_usd"].sum()],
            "usd_baci": [baci["baci_usd"].sum()],
        }
    )
    return {
        "What is compared": held,
        "Beside the plain mean": _summary(tables),
        **tables,
        "Where the squared log error lies": where_the_error_lies(cells),
        "How the weights came about": quantity_methods(flows),
    }


def over_years(cells: pl.DataFrame, summaries: list[pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """The cells of several years taken together, and in how many years each figure is no worse.

    :param cells: flows of all years with ``baci_usd`` and ``baci_kg``.
    :param summaries: "Beside the plain mean" of each year.
    """
    weighed = cells.filter(pl.col("baci_kg").is_not_null())
    no_worse = pl.col("monazite is no worse")
    return {
        "Values of all years, cell by cell": _cell_by_cell(_value_groups(cells), 0, "baci_usd"),
        "Weights of all years, cell by cell": _cell_by_cell(_weight_groups(weighed), 1, "baci_kg"),
        "Years in which monazite is no worse": pl.concat(summaries)
        .group_by("of", "cells or side", "measure", maintain_order=True)
        .agg(no_worse.sum().alias("no worse"), no_worse.count().alias("of years")),
    }


def where_the_error_lies(cells: pl.DataFrame) -> pl.DataFrame:
    """Which part of the squared log error, the mean taken off, lies in which kind of cell."""

    def gap(of: str, beside: str) -> pl.Expr:
        return (pl.col(of) / pl.col(beside)).log().abs()

    off = (pl.col("reconciled_usd") / pl.col("baci_usd")).log()
    baci = pl.col("baci_usd")
    # BACI gives whole dollars or a thousandth of a thousand.
    is_one = pl.any_horizontal(
        *((gap("baci_usd", side) < 0.0005) | ((baci - pl.col(side)).abs() <= 1)
          for side in ("x_usd", "m_cif_usd"))
    )  # fmt: skip
    low, high = pl.min_horizontal("x_usd", "m_fob_usd"), pl.max_horizontal("x_usd", "m_cif_usd")
    kind = (
        pl.when(pl.col("n_reports") == 1)
        .then(
            pl.when(off.abs() < np.log(1.5))
            .then(pl.lit("one report"))
            .otherwise(pl.lit("one report, BACI another figure (factor 1.5)"))
        )
        .when((baci < low * 0.95) | (baci > high * 1.05))
        .then(pl.lit("BACI outside both reports"))
        .when(gap("x_usd", "m_fob_usd") < np.log(2))
        .then(pl.lit("reports within a factor of two"))
        .when(is_one)
        .then(pl.lit("further apart, BACI is one report alone"))
        .otherwise(pl.lit("further apart, BACI weighs both"))
    )
    return (
        cells.filter((pl.col("reconciled_usd") > 0) & (baci > 0))
        .with_columns(((off - off.mean()) ** 2).alias("squared"), kind.alias("kind"))
        .group_by("kind")
        .agg(pl.len().alias("cells"), baci.sum(), pl.sum("squared"))
        .sort("kind")
        .with_columns((pl.col("squared") / pl.sum("squared")).alias("share_of_error"))
        .drop("squared")
    )


def _value_groups(cells: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {
        "both reports": cells.filter(pl.col("n_reports") == 2),
        "one report": cells.filter(pl.col("n_reports") == 1),
        "export report only": cells.filter(pl.col("method_id") == "export_report"),
        "import report only": cells.filter(pl.col("method_id").str.starts_with("import_report")),
        "all": cells,
    }


def _weight_groups(cells: pl.DataFrame) -> dict[str, pl.DataFrame]:
    reported = (pl.col("x_kg") > 0).fill_null(False), (pl.col("m_kg") > 0).fill_null(False)
    return {
        "both weights": cells.filter(reported[0] & reported[1]),
        "one weight": cells.filter(reported[0] ^ reported[1]),
        "no weight reported": cells.filter(~(reported[0] | reported[1])),
        "any weight reported": cells.filter(reported[0] | reported[1]),
    }


def _methods(measure: int) -> dict[str, str]:
    """Columns by method; where two methods share one, the first."""
    found: dict[str, str] = {}
    for method, columns in METHODS.items():
        if columns[measure] not in found.values():
            found[method] = columns[measure]
    return found


def _cell_by_cell(groups: dict[str, pl.DataFrame], measure: int, theirs: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "cells of": group,
            "method": method,
            **agreement(rows, column, theirs),
        }
        for group, rows in groups.items()
        for method, column in _methods(measure).items()
    )


def _world(flows: pl.DataFrame, baci: pl.DataFrame, measure: int, theirs: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "side": side,
            "method": method,
            **world_agreement(flows, baci, (column, theirs), f"{side}_iso3"),
        }
        for side in ("exporter", "importer")
        for method, column in _methods(measure).items()
    )


def _summary(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Every figure that the plain mean is to be beaten on, both methods side by side."""
    asked = [
        ("Values, cell by cell", "cells of", group, measure)
        for group in ("all", "both reports", "one report")
        for measure in ("corr_log", "median_ratio")
    ]
    for title in (
        "World exporters and importers, by code",
        "World exporters and importers, by code and weight",
    ):
        asked += [
            (title, "side", side, measure)
            for side in ("exporter", "importer")
            for measure in ("same_top1", "top3_error_points", "hhi_corr")
        ]
    asked += [
        ("Weights, cell by cell", "cells of", group, "corr_log")
        for group in ("any weight reported", "both weights", "one weight")
    ]
    rows = []
    for title, column, group, measure in asked:
        if title not in tables:
            continue
        found = tables[title].filter(pl.col(column) == group)
        values = dict(zip(found["method"], found[measure].cast(pl.Float64), strict=True))
        distance = {
            method: abs(value - 1)
            if measure == "median_ratio"
            else value
            if measure == "top3_error_points"
            else -value
            for method, value in values.items()
        }
        rows.append(
            {
                "of": title,
                "cells or side": group,
                "measure": measure,
                **{method: values.get(method) for method in METHODS},
                "monazite is no worse": _no_worse(distance[MONAZITE], distance[PLAIN]),
            }
        )
    return pl.DataFrame(rows)


def _no_worse(ours: float, theirs: float) -> bool | None:
    """To the digits that are shown; unknown where too few cells give a figure."""
    return None if np.isnan(ours + theirs) else round(ours - theirs, 4) <= 0


def quantity_methods(flows: pl.DataFrame) -> pl.DataFrame:
    """How many flows, and how much of their value and weight, have a weight of each origin."""
    return (
        flows.group_by("quantity_method")
        .agg(pl.len().alias("flows"), pl.sum("reconciled_usd"), pl.sum("reconciled_kg"))
        .select(
            "quantity_method",
            "flows",
            (pl.col("flows") / pl.sum("flows")).alias("share_of_flows"),
            (pl.col("reconciled_usd") / pl.sum("reconciled_usd")).alias("share_of_usd"),
            (pl.col("reconciled_kg") / pl.sum("reconciled_kg")).alias("share_of_kg"),
        )
        .sort("flows", descending=True)
    )


@dataclass(frozen=True)
class Gaps:
    """Log gaps of flows that both sides report, by number of exporter, importer and code."""

    gap: np.ndarray
    exporter: np.ndarray
    importer: np.ndarray
    code: np.ndarray

    @classmethod
    def of(cls, flows: pl.DataFrame) -> Gaps:
        """The value gaps of int_trade__reliability."""
        both = flows.filter(
            (pl.col("n_reports") == 2) & (pl.max_horizontal("x_usd", "m_fob_usd") > LEAST_USD)
        ).sort(FLOW)
        numbers = [both[name].rank("dense").to_numpy().astype(int) - 1 for name in FLOW]
        return cls(np.maximum(LEAST_GAP, np.abs(both["ln_ratio"].to_numpy())), *numbers)

    def only(self, kept: np.ndarray) -> Gaps:
        """The flows that ``kept`` marks, numbered as before."""
        return Gaps(*(part[kept] for part in (self.gap, self.exporter, self.importer, self.code)))


def contributions(
    gaps: Gaps, prior: float, sizes: tuple[int, int, int], rounds: int = ROUNDS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What exporters and importers add to the log gap, and the relative gap of codes.

    The rounds of int_trade__reliability, for the check on flows held out.

    :param sizes: numbers of exporters, importers and codes.
    """
    n_exporters, n_importers, n_codes = sizes
    mean = gaps.gap.mean()
    of_code = (np.bincount(gaps.code, gaps.gap, n_codes) + prior * mean) / (
        np.bincount(gaps.code, minlength=n_codes) + prior
    )
    relative = of_code / mean
    gap = gaps.gap / relative[gaps.code]
    mean = gap.mean()
    typical = mean / 2
    a, c = np.full(n_exporters, typical), np.full(n_importers, typical)

    def renewed(own: np.ndarray, role: np.ndarray) -> np.ndarray:
        both = a[gaps.exporter] + c[gaps.importer]
        told = np.bincount(role, gap / both**2, own.size) + prior * mean / (own + typical) ** 2
        expected = np.bincount(role, 1 / both, own.size) + prior / (own + typical)
        return np.asarray(own * told / expected)

    for _ in range(rounds):
        a = renewed(a, gaps.exporter)
        c = renewed(c, gaps.importer)
    return a, c, relative


def held_out_reliability(
    flows: pl.DataFrame,
    priors: tuple[float, ...] = (1, 5, 10, 20, 40, 80, 160, 1e6),
    folds: int = 10,
) -> pl.DataFrame:
    """Mean log-likelihood of the gaps of flows held out, by strength of the prior.

    The gap is exponential about the mean that int_trade__reliability models. A huge prior is no
    reliability at all.
    """
    gaps = Gaps.of(flows)
    if gaps.gap.size < folds:
        return pl.DataFrame({"pseudo_flows": [], "flows": [], "mean_log_lik": []})
    sizes = gaps.exporter.max() + 1, gaps.importer.max() + 1, gaps.code.max() + 1
    fold = np.random.default_rng(0).integers(0, folds, gaps.gap.size)
    found = []
    for prior in priors:
        likelihood = 0.0
        for held_out in range(folds):
            asked = gaps.only(fold == held_out)
            a, c, relative = contributions(gaps.only(fold != held_out), prior, sizes)
            mean = relative[asked.code] * (a[asked.exporter] + c[asked.importer])
            likelihood += float((-np.log(mean) - asked.gap / mean).sum())
        found.append(
            {
                "pseudo_flows": prior,
                "flows": gaps.gap.size,
                "mean_log_lik": likelihood / gaps.gap.size,
            }
        )
    return pl.DataFrame(found)


def freight_pairs(mirror: pl.DataFrame) -> pl.DataFrame:
    """The flows that tell freight in int_trade__freight, and what they tell."""
    fob = pl.coalesce("m_own_fob_usd", "x_usd")
    return (
        mirror.filter(
            pl.col("m_has_freight")
            & (fob >= FREIGHT_LEAST_USD)
            & (pl.col("m_cif_usd") >= FREIGHT_LEAST_USD)
            & ((fob / pl.col("m_cif_usd")).log().abs() < np.log(2))
        )
        .select(*FLOW, "reference_year", (1 - fob / pl.col("m_cif_usd")).alias("freight_share"))
        .sort(*FLOW, "reference_year")
    )


def held_out_freight(
    mirror: pl.DataFrame, priors: tuple[float, ...] = (5, 10, 20, 40, 80), folds: int = 10
) -> pl.DataFrame:
    """Mean error of the freight share of pairs of countries held out, by way of estimating it.

    Every pair held out counts alike, however many its flows: freight is taken off imports of pairs
    that nobody has told of.
    """
    told = freight_pairs(mirror)
    sides = ["exporter_iso3", "importer_iso3"]
    pairs = told.select(sides).unique().sort(sides)
    if pairs.height < folds:
        return pl.DataFrame({"freight": [], "pseudo_observations": [], "mean_abs_error": []})
    fold = np.random.default_rng(0).integers(0, folds, pairs.height)
    told = told.join(pairs.with_columns(pl.Series("fold", fold)), on=sides).with_columns(
        pl.lit("all").alias("everything"), pl.lit(1 - 1 / FLAT_CIF_FOB).alias("centre")
    )
    tried: list[tuple[str, list[list[str]], bool, float]] = [
        ("flat 8 %", [], False, 0),
        ("by code and year", [["reference_year"], ["reference_year", "hs_code"]], False, 20),
        ("by code", [["everything"], ["hs_code"]], False, 20),
        *(
            ("by code, a pair counting once", [["everything"], ["hs_code"]], True, prior)
            for prior in priors
        ),
    ]
    found = []
    for name, levels, once, prior in tried:
        errors = []
        for held_out in range(folds):
            kept = told.filter(pl.col("fold") != held_out)
            asked = told.filter(pl.col("fold") == held_out)
            if once:
                kept = kept.group_by("hs_code", *sides).agg(
                    pl.median("freight_share"), pl.first("everything", "centre")
                )
            for keys in levels:
                drawn = kept.group_by(keys).agg(
                    (
                        (pl.len() * pl.median("freight_share") + prior * pl.first("centre"))
                        / (pl.len() + prior)
                    ).alias("drawn")
                )
                kept, asked = (
                    frame.join(drawn, on=keys, how="left")
                    .with_columns(pl.coalesce("drawn", "centre").alias("centre"))
                    .drop("drawn")
                    for frame in (kept, asked)
                )
            error = (pl.col("freight_share") - pl.col("centre").clip(*FREIGHT_BOUNDS)).abs()
            errors.append(asked.select(*sides, error.alias("error")))
        of_pairs = pl.concat(errors).group_by(sides).agg(pl.mean("error"))
        found.append(
            {
                "freight": name,
                "pseudo_observations": float(prior),
                "mean_abs_error": _number(of_pairs["error"].mean()),
            }
        )
    return pl.DataFrame(found)


def one_weight_hidden(flows: pl.DataFrame) -> pl.DataFrame:
    """The weight from both sides, guessed as if one side had reported none.

    The other side's weight as it is, or at that side's unit value, as int_trade__reconciled has it.
    """
    both = flows.filter(
        (pl.col("quantity_method") == "both_reports")
        & (pl.max_horizontal("x_usd", "m_fob_usd") > LEAST_USD)
    )
    found = []
    for side, usd, kg in (("exporter", "x_usd", "x_kg"), ("importer", "m_fob_usd", "m_kg")):
        as_it_is = (pl.col(kg) / pl.col("reconciled_kg")).log()
        at_unit_value = as_it_is + (pl.col("reconciled_usd") / pl.col(usd)).log()
        found.append(
            both.select(
                pl.lit(side).alias("weight_of"),
                pl.len().alias("flows"),
                as_it_is.abs().mean().alias("mean_gap_as_it_is"),
                at_unit_value.abs().mean().alias("mean_gap_at_unit_value"),
            )
        )
    return pl.concat(found)


def weight_referee(flows: pl.DataFrame) -> pl.DataFrame:
    """Whether a unit value or the median of its code is nearer to the other side's unit value.

    By the factor between unit value and median, in half powers of ten.
    """
    both = flows.filter((pl.col("x_kg") > 0) & (pl.col("m_kg") > 0)).with_columns(
        (pl.col("x_usd") / pl.col("x_kg")).log().alias("x_ln_uv"),
        (pl.col("m_fob_usd") / pl.col("m_kg")).log().alias("m_ln_uv"),
    )
    sides = pl.concat(
        [
            both.select("hs_code", usd=pl.col(usd), ln_uv=pl.col(own), other=pl.col(other))
            for usd, own, other in (
                ("x_usd", "x_ln_uv", "m_ln_uv"),
                ("m_fob_usd", "m_ln_uv", "x_ln_uv"),
            )
        ]
    )
    usual = (
        sides.filter(pl.col("usd") >= LEAST_USD)
        .group_by("hs_code")
        .agg(pl.median("ln_uv").alias("median"))
    )
    judged = sides.join(usual, on="hs_code").with_columns(
        ((pl.col("ln_uv") - pl.col("median")).abs() / np.log(10) * 2).floor().clip(0, 6)
        .alias("step"),
        (pl.col("ln_uv") - pl.col("other")).abs().alias("kept"),
        (pl.col("median") - pl.col("other")).abs().alias("replaced"),
    )  # fmt: skip
    return (
        judged.group_by("step")
        .agg(
            pl.len().alias("weights"),
            pl.mean("kept").alias("mean_gap_kept"),
            pl.mean("replaced").alias("mean_gap_replaced"),
            (pl.col("replaced") < pl.col("kept")).mean().alias("replaced_is_nearer"),
        )
        .sort("step")
        .select(pl.lit(10.0).pow(pl.col("step") / 2).alias("factor_from"), pl.exclude("step"))
    )


def show(console: Console, title: str, frame: pl.DataFrame) -> None:
    """Print one table."""
    table = Table(title=title, title_justify="left")
    for column, kind in frame.schema.items():
        table.add_column(column, justify="right" if kind.is_numeric() else "left")
    for row in frame.iter_rows():
        table.add_row(*map(_cell, row))
    console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        whole = abs(value) >= 1000 or (abs(value) > 1 and float(value).is_integer())
        return f"{value:,.0f}" if whole or isinstance(value, int) else f"{value:,.4f}"
    return str(value)


def main(
    *,
    comtrade: Annotated[list[Path], Parameter(help="Extract of UN Comtrade; may be repeated.")],
    baci: Annotated[list[Path], Parameter(help="BACI file of the same year; may be repeated.")],
    least_usd: Annotated[
        float, Parameter(help="Importers and codes below this total are left out of the sources.")
    ] = 100_000,
    year: Annotated[
        list[int] | None, Parameter(help="Years to compare; left out: all that the extract has.")
    ] = None,
    out: Annotated[Path | None, Parameter(help="Write the tables as JSON here.")] = None,
) -> None:
    """Compare the flows that Monazite reconciles with CEPII BACI."""
    console = Console(width=170)
    with tempfile.TemporaryDirectory(prefix="monazite-benchmark-") as folder:
        flows, mirror = _with_mirror(comtrade, Path(folder))
    years = flows["reference_year"].unique().sort().to_list()
    if year:
        years = [held for held in years if held in year]
    results: dict[str, dict[str, list[dict[str, object]]]] = {}
    compared: dict[str, list[tuple[pl.DataFrame, pl.DataFrame]]] = {}

    def tell(title: str, key: str, tables: dict[str, pl.DataFrame]) -> None:
        console.rule(title)
        for name, frame in tables.items():
            show(console, name, frame)
        results[key] = {name: frame.to_dicts() for name, frame in tables.items()}

    sources = ", ".join(file.name for file in comtrade)
    for one in years:
        flows_of_year = flows.filter(pl.col("reference_year") == one)
        for file in baci:
            theirs = read_baci(file, one, several=len(years) > 1)
            if theirs.is_empty():
                console.print(f"{file.name} has no flow of {one}")
                continue
            tables = compare(flows_of_year, theirs, least_usd)
            tell(f"{one}: {sources} beside {file.name}", f"{one} {file.name}", tables)
            cells = with_alternatives(flows_of_year).join(theirs, on=FLOW)
            compared.setdefault(file.name, []).append((cells, tables["Beside the plain mean"]))
        checks = {
            "Reliability: likelihood of flows held out": held_out_reliability(flows_of_year),
            "Weights: one side's hidden": one_weight_hidden(flows_of_year),
            "Weights: the other side as referee": weight_referee(flows_of_year),
        }
        tell(f"{one}: without BACI", f"{one} without BACI", checks)
    for name, found in compared.items():
        if len(found) > 1:
            tables = over_years(pl.concat([cells for cells, _ in found]), [s for _, s in found])
            tell(f"all years: {sources} beside {name}", f"all years {name}", tables)
    freight = {"Freight: pairs of countries held out": held_out_freight(mirror)}
    tell("all years: without BACI", "all years without BACI", freight)
    if not compared:
        raise UsageError(
            "no year of the extract is in the BACI files",
            where=", ".join(map(str, [*comtrade, *baci])),
            remedy="give an extract and a BACI file of the same year",
        )
    if out is not None:
        out.write_bytes(_json(results))


def _json(results: dict[str, dict[str, list[dict[str, object]]]]) -> bytes:
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, dict[str, list[dict[str, object]]]]).dump_json(results, indent=1)


if __name__ == "__main__":
    app = cyclopts.App(name="compare_baci")
    app.default(main)
    try:
        app()
    except MonaziteError as error:
        sys.stderr.write(f"compare_baci: {error}\n")
        sys.exit(1)
