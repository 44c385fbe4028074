"""Measures made of several supplier lists, of parts of one, or of shares and governance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.uncertainty.balances import Balanced
from pipelines.uncertainty.figures import (
    UNNAMED,
    Doubles,
    Figures,
    Quantiles,
    Rows,
    Terms,
    bank,
    batches,
    hidden_concentration,
    normal,
    over_runs,
    starts_of,
    sums,
    uniform,
)

__all__ = ["Inputs", "composites"]

_FIGURE = ["error_key", "reference_year", "quantity", "sigma_ln", "half_width"]
#: The governance indicators run from about -2.5 (worst) to 2.5 (best).
_BEST, _RANGE = 2.5, 5.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the measures are made of. ``mart`` and ``mart_row_key`` name the row that is measured.

    :ivar suppliers: of the lists, as :func:`~pipelines.uncertainty.lists.simulate` takes them.
    :ivar combinations: one row a measured row and list: ``mart``, ``mart_row_key``, ``position``,
        ``list_key``, ``balance_key``, ``members``. The position is 1 but for: the stages of a
        chain (1 is the stage that is held to be the bottleneck), the five years of a trend (1 is
        the first), the two years of a switch (1 is before). ``members`` are the countries of a
        partner share. ``balance_key`` leads to the production of a GeoPolRisk, whose list is the
        world's production, and to the published demand that a coverage is set against.
    :ivar governed: one row a supplier of an index of governance: ``mart``, ``mart_row_key``,
        ``country_iso3``, ``error_key``, ``reference_year``, ``quantity``, ``sigma_ln``,
        ``half_width``, ``weight``, ``estimate`` (about -2.5 to 2.5; null where none is held,
        which counts no risk), ``standard_error``.
    :ivar parts: as :func:`~pipelines.uncertainty.balances.balance` takes them, and ``demand``.
    :ivar reliance: one row a measured net import reliance: ``mart_row_key``, ``reliance_key``,
        ``reliance_low``, ``reliance_high``.
    """

    suppliers: pl.DataFrame
    combinations: pl.DataFrame
    governed: pl.DataFrame
    parts: pl.DataFrame
    reliance: pl.DataFrame


def composites(
    inputs: Inputs,
    balanced: Balanced,
    *,
    terms: Terms,
    limits: Mapping[str, Sequence[float]],
) -> pl.DataFrame:
    """Quantiles of every measure, and how often it lies above each limit.

    ======================  ===================  ==================================================
    mart                    metric               of a draw
    ======================  ===================  ==================================================
    mart_partner_share      group_share          what the members supply over the list
    mart_n1_coverage        n1_gross             supply less the largest supplier's, over demand
    mart_eu_supply_risk     sr_stage             sum of weight x share squared x risk
    mart_geopolrisk         supply_risk          HHI of production x risk-weighted imports over
                                                 imports and production
    mart_import_reliance    import_reliance      see :mod:`pipelines.uncertainty.balances`
    mart_stage_bottleneck   bottleneck_margin    largest share at the named stage less the largest
                                                 one at another stage (-1 to 1)
    mart_supplier_switch    reallocation         half the sum of the changes of shares
    mart_trend              dln_hhi_5y           slope of the logarithm of the HHI, a year
    ======================  ===================  ==================================================

    :param balanced: net import reliances that are drawn from their balance.
    :param terms: how it is drawn.
    :param limits: limits by metric.
    :returns: ``mart``, ``mart_row_key``, ``metric``, ``p05``, ``p50``, ``p95``,
        ``probabilities``: as :func:`~pipelines.uncertainty.lists.simulate` gives them.
    """
    keys = (
        pl.concat(
            [
                inputs.combinations.select("mart", "mart_row_key"),
                inputs.governed.select("mart", "mart_row_key"),
                inputs.reliance.select(
                    pl.lit("mart_import_reliance").alias("mart"), "mart_row_key"
                ),
            ]
        )
        .unique()
        .sort("mart", "mart_row_key")
        .with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("code"))
    )
    work = _Work(
        combinations=inputs.combinations.join(keys, on=["mart", "mart_row_key"]),
        governed=inputs.governed.join(keys, on=["mart", "mart_row_key"]),
        suppliers=inputs.suppliers,
        results=Quantiles(limits, terms.draws),
        hidden=hidden_concentration(terms),
        terms=terms,
    )
    work.partner_share()
    work.n1_coverage(inputs.parts)
    work.stage_bottleneck()
    work.trend()
    work.supplier_switch()
    work.supply_risk()
    work.geopolrisk(inputs.parts)
    work.import_reliance(
        inputs.reliance.join(
            keys.filter(pl.col("mart") == "mart_import_reliance"), on="mart_row_key"
        ),
        balanced,
    )
    drawn = work.results.frame()
    return (
        drawn.with_columns(
            mart=keys["mart"].gather(drawn["key"]),
            mart_row_key=keys["mart_row_key"].gather(drawn["key"]),
        )
        .select("mart", "mart_row_key", "metric", "p05", "p50", "p95", "probabilities")
        .sort("mart", "mart_row_key", "metric")
    )


@dataclass(frozen=True, slots=True)
class _Lists:
    """Measures of some lists: a row a list, a column a draw."""

    code: Rows
    position: Rows
    total: Doubles
    hhi: Doubles
    cr1: Doubles


@dataclass(frozen=True, slots=True)
class _Work:
    """Tables whose rows carry the ``code`` of what is measured, and where results go."""

    combinations: pl.DataFrame
    governed: pl.DataFrame
    suppliers: pl.DataFrame
    results: Quantiles
    hidden: Doubles
    terms: Terms

    def partner_share(self) -> None:
        asked = self._of("mart_partner_share")
        lists = asked.select("list_key").unique().sort("list_key").with_row_index("list")
        rows = (
            lists.join(self.suppliers, on="list_key")
            .sort("list", "error_key")
            .with_row_index("row")
        )
        members = (
            asked.explode("members")
            .join(
                rows.select("list", "list_key", "supplier_iso3", "row"),
                left_on=["list_key", "members"],
                right_on=["list_key", "supplier_iso3"],
            )
            .sort("list", "code", "row")
        )
        without = asked.join(members, on="code", how="anti")
        self.results.add_zero("group_share", _ints(without, "code"))
        pool = Figures.of(rows, self.terms)
        of_list, member_list = _ints(rows, "list"), _ints(members, "list")
        member_row, member_code = _ints(members, "row"), _ints(members, "code")
        for part in batches(of_list, self.terms.draws):
            drawn = pool.draw(part)
            held = of_list[part]
            total = sums(drawn, starts_of(held))
            first, last = np.searchsorted(member_list, [held[0], held[-1] + 1])
            if first == last:
                continue
            starts = starts_of(member_code[first:last])
            inside = sums(drawn[member_row[first:last] - part.start], starts)
            # Lists are numbered without gaps, and each has its suppliers in one part.
            inside /= total[member_list[first:last][starts] - held[0]]
            self.results.add("group_share", member_code[first:last][starts], inside)

    def n1_coverage(self, parts: pl.DataFrame) -> None:
        asked = self._of("mart_n1_coverage")
        demand = asked.join(parts.filter(pl.col("role") == "demand"), on="balance_key").sort("code")
        pool, demanded = Figures.of(demand, self.terms), _ints(demand, "code")
        for lists in self._lists(asked):
            left = 1.0 - lists.cr1
            known = np.flatnonzero(np.isin(lists.code, demanded))
            rows = np.searchsorted(demanded, lists.code[known])
            left[known] *= lists.total[known] / pool.draw(rows)
            self.results.add("n1_gross", lists.code, left)

    def stage_bottleneck(self) -> None:
        for lists in self._lists(self._of("mart_stage_bottleneck")):
            starts = starts_of(lists.code)
            named = lists.cr1[starts]
            lists.cr1[starts] = -np.inf
            margin = named - over_runs(np.maximum, lists.cr1, starts)
            self.results.add("bottleneck_margin", lists.code[starts], margin)

    def trend(self) -> None:
        for lists in self._lists(self._of("mart_trend")):
            starts = starts_of(lists.code)
            year = lists.position.astype(np.float64)
            n = np.diff(np.append(starts, len(year)))
            year -= np.repeat(np.add.reduceat(year, starts) / n, n)
            year /= np.repeat(np.add.reduceat(year**2, starts), n)
            slope = sums(np.log(lists.hhi) * year[:, None], starts)
            self.results.add("dln_hhi_5y", lists.code[starts], slope)

    def supplier_switch(self) -> None:
        asked = self._of("mart_supplier_switch").join(self.suppliers, on="list_key")
        before, after = (
            asked.filter(pl.col("position") == position).select("code", *_FIGURE)
            for position in (1, 2)
        )
        rows = (
            before.join(after, on=["code", "error_key"], how="full", coalesce=True, suffix="_2")
            .with_columns(pl.col(pl.Float64).fill_null(0.0))
            .sort("code", "error_key")
        )
        earlier = Figures.of(rows, self.terms)
        later = Figures.of(
            rows.select(
                "error_key", pl.col("^.*_2$").name.map(lambda name: name.removesuffix("_2"))
            ),
            self.terms,
        )
        code = _ints(rows, "code")
        for part in batches(code, self.terms.draws):
            starts = starts_of(code[part])
            n = np.diff(np.append(starts, part.stop - part.start))
            change = earlier.draw(part)
            change /= np.repeat(sums(change, starts), n, axis=0)
            shares = later.draw(part)
            shares /= np.repeat(sums(shares, starts), n, axis=0)
            change -= shares
            np.abs(change, out=change)
            self.results.add("reallocation", code[part][starts], sums(change, starts) / 2)

    def supply_risk(self) -> None:
        for code, drawn, risk, weight in self._governed("mart_eu_supply_risk"):
            starts = starts_of(code)
            index = sums(drawn**2 * risk * weight[:, None], starts)
            self.results.add("sr_stage", code[starts], index)

    def geopolrisk(self, parts: pl.DataFrame) -> None:
        asked = self._of("mart_geopolrisk")
        worlds = asked["list_key"].unique().sort()
        world = {key: row for row, key in enumerate(worlds)}
        concentration = np.full((len(worlds), self.terms.draws), np.nan)
        numbered = pl.DataFrame({"list_key": worlds}).with_columns(
            pl.int_range(pl.len()).alias("code"), pl.lit(1).alias("position")
        )
        for lists in self._lists(numbered):
            concentration[lists.code] = lists.hhi
        production = parts.filter(pl.col("role") == "production")
        own = asked.join(production, on="balance_key").sort("code", "error_key")
        pool = Figures.of(own, self.terms)
        own_code = _ints(own, "code")
        world_of = dict(zip(asked["code"], (world[key] for key in asked["list_key"]), strict=True))
        for code, drawn, risk, _ in self._governed("mart_geopolrisk"):
            starts = starts_of(code)
            codes = code[starts]
            supply = sums(drawn, starts)
            first, last = np.searchsorted(own_code, [codes[0], codes[-1] + 1])
            if first < last:
                made = slice(int(first), int(last))
                runs = starts_of(own_code[made])
                supply[np.searchsorted(codes, own_code[made][runs])] += sums(pool.draw(made), runs)
            score = sums(drawn * risk, starts)
            score /= supply
            score *= concentration[[world_of[key] for key in codes]]
            self.results.add("supply_risk", codes, score)

    def import_reliance(self, asked: pl.DataFrame, balanced: Balanced) -> None:
        from_balance = asked.filter(pl.col("reliance_key").is_in(list(balanced.row_of)))
        rows = np.array([balanced.row_of[key] for key in from_balance["reliance_key"]], dtype=int)
        even = asked.join(from_balance, on="code", how="anti").sort("code")
        labels = even["reliance_key"].unique().sort()
        place = {key: row for row, key in enumerate(labels)}
        numbers = bank(
            uniform, self.terms.seed, [f"reliance|{key}" for key in labels], self.terms.draws
        )
        low, high = even["reliance_low"].to_numpy(), even["reliance_high"].to_numpy()
        drawn = numbers[np.array([place[key] for key in even["reliance_key"]], dtype=int)]
        for codes, values in (
            (_ints(from_balance, "code"), balanced.drawn[rows]),
            (_ints(even, "code"), low[:, None] + (high - low)[:, None] * drawn),
        ):
            self.results.add("import_reliance", codes, values)

    def _of(self, mart: str) -> pl.DataFrame:
        return self.combinations.filter(pl.col("mart") == mart)

    def _lists(self, asked: pl.DataFrame) -> Iterator[_Lists]:
        """What is measured of every list, the lists of a code together and in order."""
        rows = (
            asked.select("code", "position", "list_key")
            .join(self.suppliers, on="list_key")
            .sort("code", "position", "error_key")
        )
        pool = Figures.of(rows, self.terms)
        code, position = _ints(rows, "code"), _ints(rows, "position")
        lists = rows.select(pl.struct("code", "position").rle_id())["code"].to_numpy()
        is_rest = rows["supplier_iso3"].is_null().to_numpy()
        for part in batches(code, self.terms.draws):
            starts = starts_of(lists[part])
            drawn = pool.draw(part)
            total = sums(drawn, starts)
            squares = drawn**2
            rest = is_rest[part]
            squares[rest] *= self.hidden
            drawn[rest] = 0.0
            yield _Lists(
                code=code[part][starts],
                position=position[part][starts],
                total=total,
                hhi=sums(squares, starts) / total**2,
                cr1=over_runs(np.maximum, drawn, starts) / total,
            )

    def _governed(self, mart: str) -> Iterator[tuple[Rows, Doubles, Doubles, Doubles]]:
        """Code, drawn quantity, drawn risk (0 to 1) and weight of every supplier, code by code."""
        rows = (
            self.governed.filter(pl.col("mart") == mart)
            .with_columns(pl.col("country_iso3").fill_null(UNNAMED))
            .sort("code", "error_key", "weight", "quantity")
        )
        pool = Figures.of(rows, self.terms)
        code, weight = _ints(rows, "code"), rows["weight"].to_numpy()
        countries = rows["country_iso3"].unique().sort()
        errors = bank(
            normal, self.terms.seed, [f"governance|{name}" for name in countries], self.terms.draws
        )
        place = {name: row for row, name in enumerate(countries)}
        country = np.array([place[name] for name in rows["country_iso3"]], dtype=int)
        # Without an estimate there is no risk: as if the best one.
        estimate = rows["estimate"].fill_null(np.inf).to_numpy()
        error = rows["standard_error"].fill_null(0.0).to_numpy()
        for part in batches(code, self.terms.draws):
            risk = errors[country[part]]
            risk *= -error[part, None]
            risk += _BEST - estimate[part, None]
            risk /= _RANGE
            np.clip(risk, 0.0, 1.0, out=risk)
            yield code[part], pool.draw(part), risk, weight[part]


def _ints(frame: pl.DataFrame, name: str) -> npt.NDArray[np.int64]:
    return frame[name].cast(pl.Int64).to_numpy()
