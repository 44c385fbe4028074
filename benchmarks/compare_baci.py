"""Flows reconciled by Monazite beside CEPII BACI and beside the plain mean of both reports.

::

    python benchmarks/compare_baci.py --comtrade FILE --baci FILE

builds ``int_trade__reconciled`` from an extract of UN Comtrade in a temporary home, with the same
readers and dbt models as a release, and compares it with a BACI file of the same year on the codes
that both have. The named alternative is what many analysts do: imports less a flat 8 % freight, and
the plain mean where both sides report.

BACI is another reconciliation of the same reports, not the truth: the comparison shows where the
two differ, and nothing in the models is fitted to it. The two figures that the models do choose are
checked without it: the strength of the prior of the reliability on pairs held out, the bound of a
weight's plausibility with the other side's weight as referee. Last figures: compare_baci.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
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
from pipelines.night import prepare_build
from pipelines.resources import dbt_environment, dbt_executable
from pipelines.settings import Settings
from pipelines.sources.label_maps import read_map

FLOW = ("exporter_iso3", "importer_iso3", "hs_code")
#: The flat freight of older practice.
FLAT_CIF_FOB = 1.08
#: Weights below this (1 kg) and values below this (1 USD) say nothing in logarithms.
LEAST = 1.0
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
    environment = build(home, {"un_comtrade": comtrade}, "int_trade__reconciled")
    with duckdb.connect(environment["MONAZITE_WORK_DB"], read_only=True) as database:
        return database.sql("from intermediate.int_trade__reconciled").pl()


def read_baci(path: Path, year: int) -> pl.DataFrame:
    """Exporter, importer, code, ``baci_usd`` and, where the file has them, ``baci_kg``.

    Layouts: the publisher's (``t,i,j,k,v,q``: numeric codes, thousand USD, tonnes) or
    ``i,j,cmd,value`` (ISO3, USD), as CSV or Parquet.

    :raises UsageError: neither layout, or not a flow of ``year``.
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
    if found.is_empty():
        raise UsageError(f"no flow of {year}", where=str(path))
    return found.group_by(FLOW).agg(
        pl.sum("baci_usd"),
        # A sum over unknown weights is unknown.
        pl.when(pl.col("baci_kg").null_count() == 0).then(pl.sum("baci_kg")).alias("baci_kg"),
    )


def with_alternative(flows: pl.DataFrame) -> pl.DataFrame:
    """The flows with ``flat_usd`` and ``flat_kg``: the plain means of what is reported."""
    return flows.with_columns(
        pl.mean_horizontal("x_usd", pl.col("m_cif_usd") / FLAT_CIF_FOB).alias("flat_usd"),
        pl.mean_horizontal("x_kg", "m_kg").alias("flat_kg"),
    )


def agreement(cells: pl.DataFrame, ours: str, theirs: str) -> dict[str, float]:
    """How near ``ours`` is to ``theirs``, both in one unit, over cells that have both."""
    both = cells.filter((pl.col(ours) >= LEAST) & (pl.col(theirs) >= LEAST)).select(
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
    flows = with_alternative(flows.filter(pl.col("hs_code").is_in(codes)))
    baci = baci.filter(pl.col("hs_code").is_in(codes))
    cells = flows.join(baci, on=FLOW, how="inner")
    groups = {
        "both reports": cells.filter(pl.col("n_reports") == 2),
        "export report only": cells.filter(pl.col("method_id") == "export_report"),
        "import report only": cells.filter(pl.col("method_id").str.starts_with("import_report")),
        "all": cells,
    }
    values, weights = [], []
    for group, rows in groups.items():
        for method, usd, kg in (
            ("monazite", "reconciled_usd", "reconciled_kg"),
            ("plain mean, flat 8 %", "flat_usd", "flat_kg"),
        ):
            head = {"cells of": group, "method": method}
            values.append({**head, **agreement(rows, usd, "baci_usd")})
            weights.append({**head, **agreement(rows, kg, "baci_kg")})
    theirs = suppliers(baci, "baci_usd")
    sources = [
        {
            "method": method,
            **concentration_agreement(suppliers(flows, column), theirs, least_usd),
        }
        for method, column in (
            ("monazite", "reconciled_usd"),
            ("plain mean, flat 8 %", "flat_usd"),
        )
    ]
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
    tables = {
        "What is compared": held,
        "Values, cell by cell": pl.DataFrame(values),
        f"Sources of importers and codes above {least_usd:,.0f} USD": pl.DataFrame(sources),
    }
    if baci["baci_kg"].null_count() < baci.height:
        tables["Weights, cell by cell"] = pl.DataFrame(weights)
    return tables


def held_out_reliability(
    flows: pl.DataFrame, priors: tuple[float, ...] = (0, 1, 5, 10, 20, 40, 1e6), folds: int = 10
) -> pl.DataFrame:
    """Mean log-likelihood of the gaps of pairs held out, by strength of the prior.

    The model of int_trade__reliability: the gap of a pair's total is exponential with mean
    1 / (e m), each reporter getting ``prior`` pseudo-pairs of the mean gap. A huge prior is no
    reliability at all.
    """
    both = (
        flows.filter(pl.col("n_reports") == 2)
        .group_by("exporter_iso3", "importer_iso3")
        .agg(pl.sum("x_usd"), pl.sum("m_fob_usd"), pl.sum("m_cif_usd"))
        .filter(pl.col("x_usd") + pl.col("m_cif_usd") >= 100_000)
        .sort("exporter_iso3", "importer_iso3")
    )
    x, m_fob = both["x_usd"].to_numpy(), both["m_fob_usd"].to_numpy()
    gap = np.maximum(0.01, np.abs(x - m_fob) / (x + m_fob))
    exporter = both["exporter_iso3"].rank("dense").to_numpy().astype(int) - 1
    importer = both["importer_iso3"].rank("dense").to_numpy().astype(int) - 1
    fold = np.random.default_rng(0).integers(0, folds, both.height)
    found = []
    for prior in priors:
        likelihood = 0.0
        for held_out in range(folds):
            known, asked = fold != held_out, fold == held_out
            e, m = _reliability(gap[known], exporter[known], importer[known], both.height, prior)
            rate = e[exporter[asked]] * m[importer[asked]]
            likelihood += float((np.log(rate) - rate * gap[asked]).sum())
        found.append(
            {"pseudo_pairs": prior, "pairs": both.height, "mean_log_lik": likelihood / both.height}
        )
    return pl.DataFrame(found)


def _reliability(
    gap: np.ndarray, exporter: np.ndarray, importer: np.ndarray, size: int, prior: float
) -> tuple[np.ndarray, np.ndarray]:
    """The rounds of int_trade__reliability; countries without pairs are typical."""
    mean = gap.mean()
    e = np.full(size, 1 / np.sqrt(mean))
    m = e.copy()
    n_e, n_m = np.bincount(exporter, minlength=size), np.bincount(importer, minlength=size)
    for _ in range(25):
        told = np.bincount(exporter, gap * m[importer], minlength=size) + prior * np.sqrt(mean)
        e = np.where(told > 0, (n_e + prior) / np.where(told > 0, told, 1), e)
        told = np.bincount(importer, gap * e[exporter], minlength=size) + prior * np.sqrt(mean)
        m = np.where(told > 0, (n_m + prior) / np.where(told > 0, told, 1), m)
    return e, m


def weight_referee(flows: pl.DataFrame) -> pl.DataFrame:
    """Whether a weight or value over the median unit value is nearer to the other side's weight.

    By how many robust deviations of its code and year the unit value lies from the median.
    """
    both = flows.filter((pl.col("x_kg") > 0) & (pl.col("m_kg") > 0))
    sides = pl.concat(
        [
            both.select("hs_code", usd=pl.col(usd), kg=pl.col(kg), other=pl.col(other))
            for usd, kg, other in (("x_usd", "x_kg", "m_kg"), ("m_fob_usd", "m_kg", "x_kg"))
        ]
    ).with_columns((pl.col("usd") / pl.col("kg")).log().alias("ln_uv"))
    usual = (
        sides.filter(pl.col("usd") >= 1000)
        .group_by("hs_code")
        .agg(
            pl.median("ln_uv").alias("median"),
            ((pl.col("ln_uv") - pl.median("ln_uv")).abs().median() * 1.4826).alias("spread"),
        )
    )
    judged = sides.join(usual, on="hs_code").with_columns(
        ((pl.col("ln_uv") - pl.col("median")).abs() / pl.max_horizontal("spread", pl.lit(0.05)))
        .floor()
        .clip(0, 8)
        .cast(pl.Int32)
        .alias("deviations_from"),
        (pl.col("kg") / pl.col("other")).log().abs().alias("reported"),
        (pl.col("usd").log() - pl.col("median") - pl.col("other").log()).abs().alias("imputed"),
    )
    return (
        judged.group_by("deviations_from")
        .agg(
            pl.len().alias("weights"),
            pl.mean("reported").alias("mean_gap_reported"),
            pl.mean("imputed").alias("mean_gap_imputed"),
            pl.median("reported").alias("median_gap_reported"),
            pl.median("imputed").alias("median_gap_imputed"),
        )
        .sort("deviations_from")
    )


def show(console: Console, title: str, frame: pl.DataFrame) -> None:
    """Print one table."""
    table = Table(title=title, title_justify="left")
    for column, kind in frame.schema.items():
        table.add_column(column, justify="right" if kind.is_numeric() else "left")
    for row in frame.iter_rows():
        table.add_row(
            *(
                f"{cell:,.4f}"
                if isinstance(cell, float) and abs(cell) < 1000
                else f"{cell:,.0f}"
                if isinstance(cell, int | float)
                else str(cell)
                for cell in row
            )
        )
    console.print(table)


def main(
    *,
    comtrade: Annotated[list[Path], Parameter(help="Extract of UN Comtrade; may be repeated.")],
    baci: Annotated[list[Path], Parameter(help="BACI file of the same year; may be repeated.")],
    least_usd: Annotated[
        float, Parameter(help="Importers and codes below this total are left out of the sources.")
    ] = 100_000,
    out: Annotated[Path | None, Parameter(help="Write the tables as JSON here.")] = None,
) -> None:
    """Compare the flows that Monazite reconciles with CEPII BACI."""
    console = Console(width=150)
    with tempfile.TemporaryDirectory(prefix="monazite-benchmark-") as folder:
        flows = reconciled(comtrade, Path(folder))
    years = flows["reference_year"].unique().sort().to_list()
    results: dict[str, dict[str, list[dict[str, object]]]] = {}
    for year in years:
        flows_of_year = flows.filter(pl.col("reference_year") == year)
        for file in baci:
            tables = compare(flows_of_year, read_baci(file, year), least_usd)
            console.rule(f"{year}: {', '.join(f.name for f in comtrade)} beside {file.name}")
            for title, frame in tables.items():
                show(console, title, frame)
            results[f"{year} {file.name}"] = {t: f.to_dicts() for t, f in tables.items()}
        console.rule(f"{year}: without BACI")
        checks = {
            "Reliability: likelihood of pairs held out": held_out_reliability(flows_of_year),
            "Weights: the other side as referee": weight_referee(flows_of_year),
        }
        for title, frame in checks.items():
            show(console, title, frame)
        results[f"{year} without BACI"] = {t: f.to_dicts() for t, f in checks.items()}
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
