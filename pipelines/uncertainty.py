"""Monte Carlo draws of supplier lists: how sure the measures of concentration and dependency are.

Each supplier's quantity is drawn as ``quantity * exp(sigma_ln * z) + half_width * (2 u - 1)``, cut
at zero: a log-normal error of measurement around the median, and a uniform one for rounding or for
a range. The numbers ``z`` and ``u`` of a supplier follow from the seed and its name alone, so that
results do not depend on the order of rows, on threads or on what else is drawn, and two lists that
share a supplier share its error (common random numbers). They come from Philox, keyed by SHA-256,
through arithmetic that NumPy promises to keep: raw words, logarithm, cosine.

Suppliers that a publisher does not name are drawn as one quantity and split, draw by draw, into one
to ``most_hidden`` suppliers by a flat Dirichlet distribution.

:sources: Philox: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (2011). Normal numbers:
    Box and Muller (1958).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["QUANTILES", "normal", "simulate", "uniform"]

Doubles: TypeAlias = npt.NDArray[np.float64]
_Rows: TypeAlias = npt.NDArray[np.int64]
_Source: TypeAlias = Callable[[int, str, int], Doubles]

QUANTILES = (0.05, 0.50, 0.95)
#: So many draws are worked on at once (2 MB of doubles): they stay in the processor's cache.
_BLOCK = 1 << 18
_WHOLE_LIST = -1
_RESULT = pl.Schema(
    [
        ("list_key", pl.String()),
        ("supplier_iso3", pl.String()),
        ("metric", pl.String()),
        ("p05", pl.Float64()),
        ("p50", pl.Float64()),
        ("p95", pl.Float64()),
        ("probabilities", pl.List(pl.Float64())),
    ]
)


def uniform(seed: int, label: str, n: int) -> Doubles:
    """``n`` numbers between 0 and 1, both excluded, that ``seed`` and ``label`` alone decide."""
    key = int.from_bytes(hashlib.sha256(f"{seed}|{label}".encode()).digest()[:16], "little")
    words = np.random.Philox(key=key).random_raw(n)
    return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, label: str, n: int) -> Doubles:
    """``n`` standard normal numbers that ``seed`` and ``label`` alone decide."""
    both = uniform(seed, f"normal|{label}", 2 * n)
    radius: Doubles = np.sqrt(-2.0 * np.log(both[:n]))
    return radius * np.cos(2.0 * np.pi * both[n:])


def _hidden_concentration(seed: int, n: int, most_hidden: int) -> Doubles:
    """Sum of squared shares of unnamed suppliers within their total, shape ``(n,)``.

    Exponential numbers divided by their sum are a flat Dirichlet distribution.
    """
    parts = -np.log(uniform(seed, "hidden|parts", n * most_hidden)).reshape(n, most_hidden)
    how_many = np.floor(uniform(seed, "hidden|number", n) * most_hidden) + 1
    parts[np.arange(most_hidden)[None, :] >= how_many[:, None]] = 0.0
    concentration: Doubles = (parts**2).sum(axis=1) / parts.sum(axis=1) ** 2
    return concentration


@dataclass(frozen=True, slots=True)
class _Suppliers:
    """Suppliers of all lists, sorted by list and name, and the numbers that each name draws."""

    name: _Rows
    quantity: Doubles
    sigma_ln: Doubles
    half_width: Doubles
    z: Doubles
    u: Doubles

    def draw(self, rows: _Rows) -> Doubles:
        """Quantities of the suppliers ``rows``, shape ``(len(rows), draws)``."""
        names = self.name[rows]
        drawn: Doubles = self.z[names]
        drawn *= self.sigma_ln[rows, None]
        np.exp(drawn, out=drawn)
        drawn *= self.quantity[rows, None]
        # Where no row has a width nothing is added, so that leaving it out changes no number.
        if self.half_width[rows].any():
            drawn += self.half_width[rows, None] * (2.0 * self.u[names] - 1.0)
            np.maximum(drawn, 0.0, out=drawn)
        return drawn


class _Results:
    """Quantiles and probabilities by measure, gathered block by block.

    :param limits: limits by measure; :param draws: number of draws.
    """

    def __init__(self, limits: Mapping[str, Sequence[float]], draws: int) -> None:
        self._limits = limits
        self._ranks = np.array([math.ceil(quantile * draws) - 1 for quantile in QUANTILES])
        self._mirrored = draws - 1 - self._ranks
        self._kept: dict[str, list[tuple[_Rows, _Rows, Doubles, Doubles]]] = {}

    def add(self, metric: str, lists: _Rows, names: _Rows | None, values: Doubles) -> None:
        """Take ``values``, shape ``(len(lists), draws)``, which are put in another order."""
        above = self._above(metric, values)
        values.partition(self._ranks, axis=1)
        self._keep(metric, lists, names, values[:, self._ranks], above)

    def add_hhi(self, lists: _Rows, values: Doubles) -> None:
        """Take the index and the effective number, whose draws are the inverse ones."""
        above = self._above("hhi", values)
        values.partition(np.concatenate([self._ranks, self._mirrored]), axis=1)
        self._keep("hhi", lists, None, values[:, self._ranks], above)
        inverse = 1.0 / values[:, self._mirrored]
        self._keep("n_eff", lists, None, inverse, np.empty((len(lists), 0)))

    def frame(self, lists: pl.Series, names: pl.Series) -> pl.DataFrame:
        """All that was taken, with the names of lists and suppliers, sorted by them."""
        frames = [
            self._frame(metric, [np.concatenate(part) for part in zip(*kept, strict=True)])
            for metric, kept in self._kept.items()
        ]
        if not frames:
            return pl.DataFrame(schema=_RESULT)
        rows = pl.concat(frames)
        whole = rows["name"] == _WHOLE_LIST
        return (
            rows.with_columns(
                list_key=lists.gather(rows["list"]),
                supplier_iso3=names.gather(rows["name"].set(whole, None)),
            )
            .select(_RESULT.names())
            .sort("list_key", "supplier_iso3", "metric")
        )

    def _above(self, metric: str, values: Doubles) -> Doubles:
        limits = self._limits.get(metric, ())
        above = np.empty((len(values), len(limits)))
        for column, limit in enumerate(limits):
            above[:, column] = np.count_nonzero(values > limit, axis=1) / values.shape[1]
        return above

    def _keep(
        self, metric: str, lists: _Rows, names: _Rows | None, ordered: Doubles, above: Doubles
    ) -> None:
        of = np.full(len(lists), _WHOLE_LIST) if names is None else names
        self._kept.setdefault(metric, []).append((lists, of, ordered, above))

    @staticmethod
    def _frame(metric: str, parts: Sequence[npt.NDArray[Any]]) -> pl.DataFrame:
        lists, names, ordered, above = parts
        width = above.shape[1]
        probabilities = (
            pl.Series(above, dtype=pl.Array(pl.Float64, width)).arr.to_list()
            if width
            else pl.repeat(None, len(lists), dtype=pl.List(pl.Float64), eager=True)
        )
        return pl.DataFrame(
            {
                "list": lists,
                "name": names,
                "metric": pl.repeat(metric, len(lists), eager=True),
                "p05": ordered[:, 0],
                "p50": ordered[:, 1],
                "p95": ordered[:, 2],
                "probabilities": probabilities,
            }
        )


def simulate(
    suppliers: pl.DataFrame,
    reliance: pl.DataFrame,
    *,
    limits: Mapping[str, Sequence[float]],
    draws: int,
    seed: int,
    most_hidden: int,
) -> pl.DataFrame:
    """Quantiles of every measure of every list, and how often it lies above each limit.

    :param suppliers: one row a list and supplier: ``list_key``, ``supplier_iso3`` (null where
        unnamed: at most one a list), ``quantity`` (at least 0, one unit within a list),
        ``sigma_ln`` (log standard deviation), ``half_width`` (in the unit of the quantity),
        ``is_wanted`` (whether its own share is measured).
    :param reliance: net import reliance of some lists: ``list_key``, ``reliance_key`` (equal keys
        share their draws), ``reliance_low``, ``reliance_high`` (0 to 1).
    :param limits: limits by measure, in the unit of the measure.
    :param draws: number of draws; :param seed: of all of them.
    :param most_hidden: unnamed suppliers are split into at most so many.
    :returns: ``list_key``, ``supplier_iso3`` (null for measures of the list), ``metric``, ``p05``,
        ``p50``, ``p95``, and ``probabilities``: the share of draws above each of the metric's
        ``limits``, in their order; null where it has none. Of a list: ``hhi``, ``n_eff``, ``cr1``,
        ``cr3`` and, with a reliance, ``max_dependency`` (reliance times the largest share). Of a
        wanted supplier: ``share`` and, with a reliance, ``dependency``. A quantile is the
        smallest draw that at least that share of the draws does not exceed.
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
    pool = _Suppliers(
        name=named["name"].to_numpy(),
        quantity=named["quantity"].to_numpy(),
        sigma_ln=named["sigma_ln"].to_numpy(),
        half_width=named["half_width"].to_numpy(),
        z=_bank(normal, seed, names.to_list(), draws),
        u=_bank(uniform, seed, [f"width|{name}" for name in names], draws),
    )
    unnamed = place.join(
        suppliers.filter(pl.col("supplier_iso3").is_null()),
        on="list_key",
        how="left",
        maintain_order="left",
    )
    rest = _Suppliers(
        name=np.zeros(len(lists), dtype=np.int64),
        quantity=unnamed["quantity"].fill_null(0.0).to_numpy(),
        sigma_ln=unnamed["sigma_ln"].fill_null(0.0).to_numpy(),
        half_width=unnamed["half_width"].fill_null(0.0).to_numpy(),
        z=_bank(normal, seed, ["unnamed"], draws),
        u=_bank(uniform, seed, ["width|unnamed"], draws),
    )
    hidden = _hidden_concentration(seed, draws, most_hidden)
    shares = place.join(reliance, on="list_key", how="left", maintain_order="left")
    relied = _Reliance(shares, seed, draws)
    wanted = named["is_wanted"].to_numpy()

    results = _Results(limits, draws)
    counts = np.bincount(named["list"].to_numpy(), minlength=len(lists))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    for chosen, n in _blocks(counts, draws):
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
        results.add_hhi(chosen, squares / total**2)
        results.add("cr3", chosen, None, largest.sum(axis=0) / total)
        cr1 = largest[0] / total
        known = relied.is_known[chosen]
        if known.any():
            of = chosen[known]
            results.add("max_dependency", of, None, cr1[known] * relied.draw(of))
        results.add("cr1", chosen, None, cr1)
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
                results.add("dependency", of, pool.name[rows[asked][both]], dependency)
            results.add("share", chosen[asked], pool.name[rows[asked]], share)
    return results.frame(lists, names)


class _Reliance:
    """Net import reliance of the lists that have one, uniform between its ends."""

    def __init__(self, shares: pl.DataFrame, seed: int, draws: int) -> None:
        self.is_known: npt.NDArray[np.bool_] = shares["reliance_key"].is_not_null().to_numpy()
        self._low = shares["reliance_low"].fill_null(0.0).to_numpy()
        self._width = shares["reliance_high"].fill_null(0.0).to_numpy() - self._low
        keys = shares["reliance_key"].drop_nulls().unique().sort()
        code = pl.DataFrame({"reliance_key": keys, "code": np.arange(len(keys))})
        self._code = (
            shares.join(code, on="reliance_key", how="left", maintain_order="left")["code"]
            .fill_null(0)
            .to_numpy()
        )
        self._u = _bank(uniform, seed, [f"reliance|{key}" for key in keys], draws)

    def draw(self, lists: _Rows) -> Doubles:
        """Shape ``(len(lists), draws)``, 0 to 1."""
        drawn: Doubles = (
            self._low[lists, None] + self._width[lists, None] * self._u[self._code[lists]]
        )
        return drawn


def _bank(source: _Source, seed: int, labels: Sequence[str], draws: int) -> Doubles:
    bank = np.empty((len(labels), draws))
    for row, label in enumerate(labels):
        bank[row] = source(seed, label, draws)
    return bank


def _blocks(counts: _Rows, draws: int) -> Iterator[tuple[_Rows, int]]:
    """Lists of one length together, as many as fit into a block."""
    size = max(1, _BLOCK // draws)
    for n in np.unique(counts):
        alike = np.flatnonzero(counts == n)
        for start in range(0, len(alike), size):
            yield alike[start : start + size], int(n)
