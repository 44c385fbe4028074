"""Numbers that a seed and a label decide, figures drawn from them, and their quantiles.

The numbers come from Philox, keyed by SHA-256, through arithmetic that NumPy promises to keep: raw
words, logarithm, cosine.

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
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = [
    "QUANTILES",
    "UNNAMED",
    "Doubles",
    "Figures",
    "Quantiles",
    "Rows",
    "Terms",
    "bank",
    "batches",
    "hidden_concentration",
    "normal",
    "over_runs",
    "starts_of",
    "sums",
    "uniform",
]

Doubles: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.int64]
_Source: TypeAlias = Callable[[int, str, int], Doubles]

QUANTILES = (0.05, 0.50, 0.95)
#: Error key of suppliers that nobody names.
UNNAMED = "unnamed"
#: So many draws are worked on at once (2 MB of doubles): they stay in the processor's cache.
BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Terms:
    """How it is drawn.

    :ivar draws: number of draws; :ivar seed: of all of them.
    :ivar most_hidden: unnamed suppliers are split into at most so many.
    :ivar year_correlation: of the errors of one key in two years, 0 to 1.
    """

    draws: int
    seed: int
    most_hidden: int
    year_correlation: float


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


def bank(source: _Source, seed: int, labels: Sequence[str], draws: int) -> Doubles:
    """Numbers of every label by ``source`` (`normal` or `uniform`), shape ``(labels, draws)``."""
    numbers = np.empty((len(labels), draws))
    for row, label in enumerate(labels):
        numbers[row] = source(seed, label, draws)
    return numbers


def hidden_concentration(terms: Terms) -> Doubles:
    """Sum of squared shares of unnamed suppliers within their total, shape ``(draws,)``.

    Exponential numbers divided by their sum are a flat Dirichlet distribution.
    """
    seed, n, most_hidden = terms.seed, terms.draws, terms.most_hidden
    parts = -np.log(uniform(seed, "hidden|parts", n * most_hidden)).reshape(n, most_hidden)
    how_many = np.floor(uniform(seed, "hidden|number", n) * most_hidden) + 1
    parts[np.arange(most_hidden)[None, :] >= how_many[:, None]] = 0.0
    concentration: Doubles = (parts**2).sum(axis=1) / parts.sum(axis=1) ** 2
    return concentration


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures, and the numbers that each draws.

    :ivar key: row of each figure's numbers in ``z`` and ``u``.
    """

    key: Rows
    quantity: Doubles
    sigma_ln: Doubles
    half_width: Doubles
    z: Doubles
    u: Doubles

    @classmethod
    def of(cls, rows: pl.DataFrame, terms: Terms) -> Figures:
        """Figures of ``rows`` in their order: ``error_key``, ``reference_year``, ``quantity`` (at
        least 0), ``sigma_ln`` (log standard deviation), ``half_width`` (in the unit of the
        quantity). Figures of one key and year share their error; those of one key and two years
        share a part of it.
        """
        by = ["error_key", "reference_year"]
        pairs = rows.select(by).unique().sort(by)
        code = pairs.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("code"))
        coded = rows.select(by).join(
            code, on=by, how="left", maintain_order="left", nulls_equal=True
        )
        labels = [f"{key}|{year}" for key, year in pairs.rows()]
        return cls(
            key=coded["code"].to_numpy(),
            quantity=rows["quantity"].to_numpy(),
            sigma_ln=rows["sigma_ln"].to_numpy(),
            half_width=rows["half_width"].to_numpy(),
            z=_errors(pairs["error_key"], labels, terms),
            u=bank(uniform, terms.seed, [f"width|{label}" for label in labels], terms.draws),
        )

    def draw(self, rows: Rows | slice) -> Doubles:
        """Quantities of the figures ``rows``, shape ``(rows, draws)``."""
        keys = self.key[rows]
        drawn: Doubles = self.z[keys]
        drawn *= self.sigma_ln[rows, None]
        np.exp(drawn, out=drawn)
        drawn *= self.quantity[rows, None]
        # Where no row has a width nothing is added, so that leaving it out changes no number.
        if self.half_width[rows].any():
            drawn += self.half_width[rows, None] * (2.0 * self.u[keys] - 1.0)
            np.maximum(drawn, 0.0, out=drawn)
        return drawn


def _errors(keys: pl.Series, labels: Sequence[str], terms: Terms) -> Doubles:
    """Standard normal numbers of every label, of which those of one key correlate."""
    common = keys.unique().sort()
    place = {key: row for row, key in enumerate(common)}
    errors = bank(normal, terms.seed, common.to_list(), terms.draws)
    errors = errors[np.array([place[key] for key in keys], dtype=np.int64)]
    if terms.year_correlation < 1:
        errors *= math.sqrt(terms.year_correlation)
        of_year = bank(normal, terms.seed, labels, terms.draws)
        errors += math.sqrt(1 - terms.year_correlation) * of_year
    return errors


def starts_of(codes: Rows) -> Rows:
    """Where each run of equal ``codes`` begins."""
    if not len(codes):
        return np.empty(0, dtype=np.int64)
    return np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])


def over_runs(combine: np.ufunc, values: Doubles, starts: Rows) -> Doubles:
    """Rows put together by ``combine`` within the runs that begin at ``starts``."""
    found = np.empty((len(starts), values.shape[1]))
    # `reduceat` gives the same and takes ten times as long along this axis.
    for row, (start, end) in enumerate(pairwise([*starts.tolist(), len(values)])):
        combine.reduce(values[start:end], axis=0, out=found[row])
    return found


def sums(values: Doubles, starts: Rows) -> Doubles:
    """Sums within the runs of rows that begin at ``starts``."""
    return over_runs(np.add, values, starts)


def batches(groups: Rows, draws: int) -> Iterator[slice]:
    """Slices of rows sorted by ``groups``: whole groups, as many as fit into a block."""
    size = max(1, BLOCK // draws)
    starts = np.append(starts_of(groups), len(groups))
    at = 0
    while at < len(starts) - 1:
        # At least one group, however long.
        end = max(at + 1, int(np.searchsorted(starts, starts[at] + size, side="right")) - 1)
        yield slice(int(starts[at]), int(starts[end]))
        at = end


class Quantiles:
    """Quantiles and probabilities by measure, gathered block by block.

    A quantile is the smallest draw that at least that share of the draws does not exceed.

    :param limits: limits by measure; :param draws: number of draws.
    """

    #: Second key of a measure that has none.
    NONE = -1

    def __init__(self, limits: Mapping[str, Sequence[float]], draws: int) -> None:
        self._limits = limits
        self._ranks = np.array([math.ceil(quantile * draws) - 1 for quantile in QUANTILES])
        self._mirrored = draws - 1 - self._ranks
        self._kept: dict[str, list[tuple[Rows, Rows, Doubles, Doubles]]] = {}

    def add(
        self,
        metric: str,
        keys: Rows,
        values: Doubles,
        *,
        second: Rows | None = None,
        falling: Mapping[str, Callable[[Doubles], Doubles]] | None = None,
    ) -> None:
        """Take ``values``, shape ``(len(keys), draws)``, which are put in order.

        :param falling: further measures without limits, by the function of the values that gives
            them; it must fall as they rise.
        """
        limits = self._limits.get(metric, ())
        above = np.empty((len(values), len(limits)))
        for column, limit in enumerate(limits):
            above[:, column] = np.count_nonzero(values > limit, axis=1) / values.shape[1]
        values.sort(axis=1)
        of = np.full(len(keys), self.NONE) if second is None else second
        self._kept.setdefault(metric, []).append((keys, of, values[:, self._ranks], above))
        for name, turned in (falling or {}).items():
            ordered = turned(values[:, self._mirrored])
            self._kept.setdefault(name, []).append((keys, of, ordered, np.empty((len(keys), 0))))

    def add_zero(self, metric: str, keys: Rows) -> None:
        """Take a measure that is zero in every draw."""
        limits = self._limits.get(metric, ())
        above = np.tile([float(limit < 0) for limit in limits], (len(keys), 1))
        none = np.full(len(keys), self.NONE)
        self._kept.setdefault(metric, []).append(
            (keys, none, np.zeros((len(keys), len(QUANTILES))), above)
        )

    def frame(self) -> pl.DataFrame:
        """All that was taken: ``key``, ``second`` (null for none), ``metric``, ``p05``, ``p50``,
        ``p95``, and ``probabilities``: the share of draws above each of the metric's limits, in
        their order; null where it has none.
        """
        frames = [
            self._frame(metric, [np.concatenate(part) for part in zip(*kept, strict=True)])
            for metric, kept in self._kept.items()
        ]
        if not frames:
            return pl.DataFrame(
                schema={
                    "key": pl.Int64(),
                    "second": pl.Int64(),
                    "metric": pl.String(),
                    "p05": pl.Float64(),
                    "p50": pl.Float64(),
                    "p95": pl.Float64(),
                    "probabilities": pl.List(pl.Float64()),
                }
            )
        rows = pl.concat(frames)
        return rows.with_columns(second=rows["second"].set(rows["second"] == self.NONE, None))

    @staticmethod
    def _frame(metric: str, parts: Sequence[npt.NDArray[Any]]) -> pl.DataFrame:
        keys, second, ordered, above = parts
        width = above.shape[1]
        probabilities = (
            pl.Series(above, dtype=pl.Array(pl.Float64, width)).arr.to_list()
            if width
            else pl.repeat(None, len(keys), dtype=pl.List(pl.Float64), eager=True)
        )
        return pl.DataFrame(
            {
                "key": keys,
                "second": second,
                "metric": pl.repeat(metric, len(keys), eager=True),
                "p05": ordered[:, 0],
                "p50": ordered[:, 1],
                "p95": ordered[:, 2],
                "probabilities": probabilities,
            }
        )
