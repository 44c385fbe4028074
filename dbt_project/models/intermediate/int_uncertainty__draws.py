"""Quantiles of every drawn measure, by Monte Carlo (``pipelines.uncertainty``)."""

from typing import Any

import polars as pl
import pyarrow as pa

from pipelines.uncertainty import Inputs, Terms, balance, composites, simulate


def model(dbt: Any, session: Any) -> pa.Table:  # noqa: ARG001 - dbt hands it over
    """The table ``int_uncertainty__draws``: measures of a list by ``list_key``, all others by
    ``mart`` and ``mart_row_key``; ``probabilities`` by position of the limit.
    """
    dbt.config(materialized="table")
    settings = dict(dbt.ref("ref_uncertainty_setting").project("setting, value").fetchall())
    limits: dict[str, list[float]] = {}
    rules = dbt.ref("int_uncertainty__limit").project("drawn_metric, threshold").distinct()
    for metric, limit in rules.order("drawn_metric, threshold").fetchall():
        limits.setdefault(metric, []).append(limit)
    terms = Terms(
        draws=int(settings["n_draws"]),
        seed=int(settings["seed"]),
        most_hidden=int(settings["most_hidden_suppliers"]),
        year_correlation=settings["year_correlation"],
    )
    suppliers = dbt.ref("int_uncertainty__supplier").pl()
    parts = dbt.ref("int_uncertainty__part").pl()
    balances = dbt.ref("int_uncertainty__balance").pl()
    balanced = balance(balances, parts, suppliers, terms=terms)
    of_lists = simulate(
        suppliers,
        dbt.ref("int_uncertainty__list").filter("reliance_key is not null").pl(),
        terms=terms,
        limits=limits,
        balanced=balanced,
    )
    # A balance of which the trade is not drawn has no draws.
    reliance = dbt.ref("int_uncertainty__reliance").pl()
    inputs = Inputs(
        suppliers=suppliers,
        combinations=dbt.ref("int_uncertainty__combination").pl(),
        governed=dbt.ref("int_uncertainty__governed").pl(),
        parts=parts,
        reliance=reliance.filter(
            (pl.col("import_reliance_source") == "published")
            | pl.col("reliance_key").is_in(list(balanced.row_of))
        ),
    )
    of_rows = composites(inputs, balanced, terms=terms, limits=limits)
    return pl.concat([of_lists, of_rows], how="diagonal").to_arrow()
