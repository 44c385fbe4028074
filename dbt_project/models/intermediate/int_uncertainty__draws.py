"""Quantiles of every measure of every supplier list, by Monte Carlo (``pipelines.uncertainty``)."""

from typing import Any

import pyarrow as pa

from pipelines.uncertainty import simulate


def model(dbt: Any, session: Any) -> pa.Table:  # noqa: ARG001 - dbt hands it over
    """The table ``int_uncertainty__draws``; ``probabilities`` by position of the limit."""
    dbt.config(materialized="table")
    settings = dict(dbt.ref("ref_uncertainty_setting").project("setting, value").fetchall())
    limits: dict[str, list[float]] = {}
    rules = dbt.ref("int_uncertainty__limit").project("drawn_metric, threshold").distinct()
    for metric, limit in rules.order("drawn_metric, threshold").fetchall():
        limits.setdefault(metric, []).append(limit)
    suppliers = dbt.ref("int_uncertainty__supplier").pl()
    reliance = dbt.ref("int_uncertainty__list").filter("reliance_key is not null").pl()
    return simulate(
        suppliers,
        reliance,
        limits=limits,
        draws=int(settings["n_draws"]),
        seed=int(settings["seed"]),
        most_hidden=int(settings["most_hidden_suppliers"]),
    ).to_arrow()
