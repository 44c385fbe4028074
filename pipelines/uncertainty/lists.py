"""Supplier lists: how sure the measures of concentration and of dependency on a partner are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.uncertainty.balances import Balanced
from pipelines.uncertainty.figures import (
    BLOCK,
    UNNAMED,
    Doubles,
    Figures,
    Quantiles,
    Rows,
    Terms,
    bank,
    hidden_concentration,
    uniform,
)

__all__ = ["simulate"]


def simulate(
    suppliers: pl.DataFrame,
    reliance: pl.DataFrame,
    *,
    terms: Terms,
    limits: Mapping[str, Sequence[float]],
    balanced: Balanced | None = None,
) -> pl.DataFrame:
    """Quantiles of every measure of every list, and how often it lies above each limit.

    :param suppliers: one row a list and supplier: ``list_key``, ``supplier_iso3`` (null where
        unnamed: at most one a list), ``error_key`` and ``reference_year`` (equal ones share their
        errors), ``quantity`` (at least 0, one unit within a list), ``sigma_ln`` (log standard
        deviation), ``half_width`` (in the unit of the quantity), ``is_wanted`` (whether its own
        share is measured).
    :param reliance: net import reliance of some lists: ``list_key``, ``reliance_key`` (equal keys
        share their draws), ``reliance_low``, ``reliance_high`` (0 to 1).
    :param limits: limits by measure, in the unit of the measure.
    :param terms: how it is drawn.
    :param balanced: reliances that are drawn from their balance; the others are drawn evenly
        between their ends.
    :returns: ``list_key``, ``supplier_iso3`` (null for measures of the list), ``metric``, ``p05``,
        ``p50``, ``p95``, and ``probabilities``: the share of draws above each of the metric's
        ``limits``, in their order; null where it has none. Of a list: ``hhi``, ``n_eff``, ``cr1``,
        ``cr3`` and, with a reliance, ``max_dependency`` (reliance times the largest share). Of a
        wanted supplier: ``share`` and, with a reliance, ``dependency``.
    """
    named = suppliers.filter(pl.col("supplier_iso3").is_not_null()).sort(
        "list_key", "supplier_iso3"
    )
    names = named["supplier_iso3"].unique().sort()
    lists = named["list_key"].unique(maintain_order=True)
    place = pl.DataFrame({"list_key": lists, "list": np.arange(len(lists))})
    code = pl.DataFrame({"supplier_iso3": names, "name": np.arange(len(names))})
    named = named.join(place, on="list_key", how="left", maintain_order="left").join(
        code, on="supplier_iso3", how="left", maintain_order="left"
    )
    pool = Figures.of(named, terms)
    unnamed = place.join(
        suppliers.filter(pl.col("supplier_iso3").is_null()),
        on="list_key",
        how="left",
        maintain_order="left",
    )
    rest = Figures.of(
        unnamed.with_columns(
            pl.col("error_key").fill_null(UNNAMED),
            pl.col("quantity", "sigma_ln", "half_width").fill_null(0.0),
        ),
        terms,
    )
    hidden = hidden_concentration(terms)
    relied = _Reliance(
        place.join(reliance, on="list_key", how="left", maintain_order="left"),
        balanced,
        terms,
    )
    wanted = named["is_wanted"].to_numpy()
    name = named["name"].to_numpy()

    results = Quantiles(limits, terms.draws)
    counts = np.bincount(named["list"].to_numpy(), minlength=len(lists))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    for chosen, n in _blocks(counts, terms.draws):
        total = rest.draw(chosen)
        squares = total**2 * hidden
        largest = np.zeros((3, *total.shape))
        for position in range(n):
            drawn = pool.draw(first[chosen] + position)
            total += drawn
            squares += drawn**2
            np.maximum(largest[2], np.minimum(largest[1], drawn), out=largest[2])
            np.maximum(largest[1], np.minimum(largest[0], drawn), out=largest[1])
            np.maximum(largest[0], drawn, out=largest[0])
        results.add("hhi", chosen, squares / total**2, falling={"n_eff": np.reciprocal})
        results.add("cr3", chosen, largest.sum(axis=0) / total)
        cr1 = largest[0] / total
        known = relied.is_known[chosen]
        if known.any():
            of = chosen[known]
            results.add("max_dependency", of, cr1[known] * relied.draw(of))
        results.add("cr1", chosen, cr1)
        for position in range(n):
            rows = first[chosen] + position
            asked = wanted[rows]
            if not asked.any():
                continue
            share = pool.draw(rows[asked]) / total[asked]
            both = known[asked]
            if both.any():
                of = chosen[asked][both]
                dependency = share[both] * relied.draw(of)
                results.add("dependency", of, dependency, second=name[rows[asked][both]])
            results.add("share", chosen[asked], share, second=name[rows[asked]])
    drawn_rows = results.frame()
    return (
        drawn_rows.with_columns(
            list_key=lists.gather(drawn_rows["key"]),
            supplier_iso3=names.gather(drawn_rows["second"]),
        )
        .select("list_key", "supplier_iso3", "metric", "p05", "p50", "p95", "probabilities")
        .sort("list_key", "supplier_iso3", "metric")
    )


class _Reliance:
    """Net import reliance of the lists that have one: of its balance, or even between its ends."""

    def __init__(self, shares: pl.DataFrame, balanced: Balanced | None, terms: Terms) -> None:
        self.is_known: npt.NDArray[np.bool_] = shares["reliance_key"].is_not_null().to_numpy()
        keys = shares["reliance_key"].drop_nulls().unique().sort()
        code = pl.DataFrame({"reliance_key": keys, "code": np.arange(len(keys))})
        self._code = (
            shares.join(code, on="reliance_key", how="left", maintain_order="left")["code"]
            .fill_null(0)
            .to_numpy()
        )
        row_of = {} if balanced is None else balanced.row_of
        is_balanced = shares["reliance_key"].is_in(list(row_of)).fill_null(value=False).to_numpy()
        low = shares["reliance_low"].fill_null(0.0).to_numpy()
        high = shares["reliance_high"].fill_null(0.0).to_numpy()
        self._low = np.where(is_balanced, 0.0, low)
        self._width = np.where(is_balanced, 1.0, high - low)
        even = [key for key in keys if key not in row_of]
        numbers = dict(
            zip(
                even,
                bank(uniform, terms.seed, [f"reliance|{key}" for key in even], terms.draws),
                strict=True,
            )
        )
        self._drawn = np.empty((len(keys), terms.draws))
        for place, key in enumerate(keys):
            if balanced is not None and key in row_of:
                self._drawn[place] = balanced.drawn[row_of[key]]
            else:
                self._drawn[place] = numbers[key]

    def draw(self, lists: Rows) -> Doubles:
        """Shape ``(len(lists), draws)``, 0 to 1."""
        drawn: Doubles = (
            self._low[lists, None] + self._width[lists, None] * self._drawn[self._code[lists]]
        )
        return drawn


def _blocks(counts: Rows, draws: int) -> Iterator[tuple[Rows, int]]:
    """Lists of one length together, as many as fit into a block."""
    size = max(1, BLOCK // draws)
    for n in np.unique(counts):
        alike = np.flatnonzero(counts == n)
        for start in range(0, len(alike), size):
            yield alike[start : start + size], int(n)
