"""Where goods come from behind the countries that pass them on, solved for every market at once.

A market is one material and stage in one year and vintage. With production ``P``, trade ``T``
(exporter by importer) and what a country has, ``A = P + imports``, all on one basis, and every
country handing on a like mixture of what it has, the shares ``C`` of the origins (rows) in what
each country has (columns) follow from ``C diag(A) = diag(P) + C T``, that is::

    C = diag(P / A) (I - T / A)^-1

A hub that produces nothing vanishes, columns sum to 1, and without re-exports ``C`` is the direct
share. Where production is known only to lie between a floor and a ceiling, so do the shares:
one origin's share grows with its own production and shrinks with everybody else's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["MARKET", "Market", "Shares", "origins", "ranges", "solve"]

#: What tells markets apart.
MARKET = ("vintage_id", "material", "stage", "reference_year")
#: Exports that exceed imports by less than this part are noise of the last digits.
_NOISE = 1e-9
#: The balance is solved again for what is left of it, until so little is left.
_TOLERANCE = 1e-12
_MOST_ITERATIONS = 20
_AT_A_TIME = 50
_UNIVERSES = pl.Series(["supply", "imports"])

_PIECE = {
    "importer": pl.Int64,
    "origin": pl.Int64,
    "universe": pl.Int64,
    "direct_share": pl.Float64,
    "lookthrough_share": pl.Float64,
    "lookthrough_low": pl.Float64,
    "lookthrough_high": pl.Float64,
    "quantity": pl.Float64,
    "residual": pl.Float64,
    "iterations": pl.Int32,
    "market": pl.UInt32,
}

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Market:
    """Quantities of one market in one unit, countries in one order.

    :ivar floor: least that each country produces; never below what its exports exceed its imports
        by, which it must have made or taken from stocks.
    :ivar ceiling: most that each country produces; infinite where nobody knows.
    :ivar trade: exporter by importer, nothing on the diagonal.
    :ivar is_unfed: countries that pass goods round among themselves with no production behind
        them: nobody knows where these come from.
    """

    floor: Floats
    ceiling: Floats
    trade: Floats
    is_unfed: Flags
    cases: dict[tuple[bool, float], tuple[Floats, Floats]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, floor: Floats, trade: Floats, ceiling: Floats | None = None) -> Market:
        """The market of what is known, self-trade dropped and production raised to net exports.

        :param ceiling: by default production is known, and so the floor.
        """
        trade = np.where(np.eye(len(trade), dtype=bool), 0.0, trade)
        exports, imports = trade.sum(axis=1), trade.sum(axis=0)
        net = exports - imports
        net = np.where(net > _NOISE * np.maximum(exports, imports), net, 0.0)
        made = np.maximum(floor, net)
        most = made if ceiling is None else np.maximum(ceiling, made)
        return cls(made, most, trade, _unfed(made, trade))

    @property
    def imports(self) -> Floats:
        """What each country takes from others."""
        imports: Floats = self.trade.sum(axis=0)
        return imports

    def own(self, production: Floats) -> Floats:
        """Part of what a country has that it made itself; 0 where it has nothing."""
        made = _over(production, production + self.imports, where=np.isfinite(production))
        return np.where(np.isinf(production), 1.0, made)

    def followed(self, *, most: bool, lost: float) -> tuple[Floats, Floats]:
        """``T / A`` and ``(I - T / A)^-1``, worked out once for each case.

        :param most: with production at the ceiling, else at the floor.
        :param lost: part of what unfed countries have that is not followed.
        """
        case = (most and bool((self.ceiling > self.floor).any()), lost * self.is_unfed.any())
        if case not in self.cases:
            production = self.ceiling if most else self.floor
            passed = _over(self.trade, production + self.imports) * (1.0 - lost * self.is_unfed)
            identity = np.eye(len(passed))
            inverse = np.linalg.inv(identity - passed) if passed.any() else identity
            self.cases[case] = passed, inverse.astype(np.float64, copy=False)
        return self.cases[case]


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of origins (rows) in the supply of holders (columns), 0 to 1.

    :ivar supply: quantity that each holder has.
    :ivar direct: of who delivered, own production included.
    :ivar lookthrough: of who produced.
    :ivar unknown: by holder, the part that comes from unfed countries.
    :ivar residual: by holder, what is left of the balance (share).
    :ivar iterations: how often the balance was solved.
    """

    supply: Floats
    direct: Floats
    lookthrough: Floats
    unknown: Floats
    residual: Floats
    iterations: int


def origins(market: Market, blocs: Flags | None = None) -> Shares:
    """Who produced what each holder has, production taken at the floor.

    Columns of ``direct`` sum to 1, and so do those of ``lookthrough`` with ``unknown``; a holder
    that has nothing has a column of zeros.

    :param blocs: country by bloc, true for members: holders beside the countries, trade among
        their members left out.
    """
    passed, inverse = market.followed(most=False, lost=1.0)
    sources = np.diag(market.own(market.floor))
    shares = market.own(market.floor)[:, None] * inverse
    iterations = 1
    while True:
        left = sources + shares @ passed - shares
        residual = np.abs(left).max(axis=0, initial=0.0)
        if residual.max(initial=0.0) <= _TOLERANCE or iterations == _MOST_ITERATIONS:
            break
        shares = shares + left @ inverse
        iterations += 1
    shares = np.maximum(shares, 0.0)
    unknown = market.is_unfed @ inverse
    blocs = np.zeros((len(passed), 0), dtype=bool) if blocs is None else blocs
    received, made = _across(market.trade, blocs), market.floor[:, None] * blocs
    has, have = market.floor + market.imports, received.sum(axis=0) + made.sum(axis=0)
    received, made = _over(received, have), _over(made, have)
    return Shares(
        np.append(has, have),
        np.hstack([sources + _over(market.trade, has), received + made]),
        np.hstack([shares, shares @ received + made]),
        np.append(unknown, unknown @ received),
        np.append(residual, residual @ received),
        iterations,
    )


def ranges(market: Market) -> tuple[Floats, Floats]:
    """The least and the most that each origin (rows) can be of what each country has (columns).

    Goods that are followed back from a country stay where they were made. The chance that they
    ever come to an origin is least where all others make as much as they can, and most where they
    make as little; whether they stay there follows from the origin's own least and most.
    """
    imports = _over(market.trade, market.imports)
    low, high = market.own(market.floor), market.own(market.ceiling)
    extremes = []
    for others_most, stays in ((True, low), (False, high)):
        # All but nothing is lost, so that goods passed round without end have an end.
        _, inverse = market.followed(most=others_most, lost=_NOISE)
        comes = inverse / np.diag(inverse)[:, None]
        returns = np.einsum("ij,ji->i", comes, imports)
        extremes.append(comes * _over(stays, 1.0 - (1.0 - stays) * returns)[:, None])
    return np.clip(extremes[0], 0.0, 1.0), np.clip(extremes[1], 0.0, 1.0)


def solve(
    trade: pl.DataFrame,
    production: pl.DataFrame,
    *,
    bloc: str,
    members: Collection[str],
    least_share: float,
    least_part: float,
) -> Iterator[pl.DataFrame]:
    """Look through every market, a few at a time, so that they need not fit into memory together.

    :param trade: :data:`MARKET`, ``exporter_iso3``, ``importer_iso3`` (null where unspecified) and
        ``quantity``.
    :param production: :data:`MARKET`, ``country_iso3``, ``floor`` and ``ceiling`` in the unit of
        the trade (no ceiling: null), and ``is_known``, one a market: whether production is
        published so that shares can be solved. The ceiling of the row without a country is what
        the publisher names no country for, and so the ceiling of each country without a row.
    :param bloc: an importer made of ``members``, trade among them left out.
    :param least_share: where shares are only bounded, pairs whose direct share and whose most are
        below it are left out,
    :param least_part: and so are importers that take less than this part of the market's trade.
    :returns: frames of :data:`MARKET`, ``importer_iso3``, ``origin_iso3`` (null: unknown),
        ``universe`` (``supply`` or ``imports``), ``direct_share``, ``lookthrough_share``,
        ``lookthrough_low``, ``lookthrough_high``, ``quantity`` (of the universe), ``iterations``
        and ``residual``.
        Where production is not known there is no supply, and ``lookthrough_share`` is null.
    """
    codes = ["", *sorted(_names(trade, production) | set(members)), bloc]
    number = {code: n for n, code in enumerate(codes)}
    inside = np.zeros(len(codes), dtype=bool)
    inside[[number[member] for member in members]] = True
    markets = trade.select(MARKET).unique().sort(MARKET).with_row_index("market")
    flows = _numbered(trade, markets, number, "exporter_iso3", "importer_iso3")
    unbounded = production.with_columns(pl.col("ceiling").fill_null(float("inf")))
    made = _numbered(unbounded, markets, number, "country_iso3")
    names = pl.Series([None, *codes[1:]], dtype=pl.String)
    parts = zip(_parts(flows, len(markets)), _parts(made, len(markets)), strict=True)
    pieces = (
        piece.rows(market)
        for market, (of_trade, of_production) in enumerate(parts)
        for piece in _one(of_trade, of_production, inside, (least_share, least_part))
    )
    # An empty frame first, so that there always is one.
    yield _named(pl.DataFrame(schema=_PIECE), names, markets)
    while few := list(islice(pieces, _AT_A_TIME)):
        yield _named(pl.concat(few), names, markets)


def _named(found: pl.DataFrame, names: pl.Series, markets: pl.DataFrame) -> pl.DataFrame:
    """With names in the place of numbers."""
    return (
        found.with_columns(
            importer_iso3=names.gather(found["importer"]),
            origin_iso3=names.gather(found["origin"]),
            universe=_UNIVERSES.gather(found["universe"]),
        )
        .fill_nan(None)
        .join(markets, on="market", how="left", maintain_order="left")
        .select(
            *MARKET,
            "importer_iso3",
            "origin_iso3",
            "universe",
            "direct_share",
            "lookthrough_share",
            "lookthrough_low",
            "lookthrough_high",
            "quantity",
            "iterations",
            "residual",
        )
    )


def _over(part: Floats, whole: Floats, *, where: Flags | bool = True) -> Floats:
    """``part / whole``, 0 where there is no whole."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.zeros(part.shape), where=(whole > 0) & where)


def _across(trade: Floats, blocs: Flags) -> Floats:
    """What each bloc's members take from each country that is not one of them."""
    return np.where(blocs, 0.0, trade @ blocs)


def _unfed(production: Floats, trade: Floats) -> Flags:
    """Countries that have goods but that no production reaches, along any path."""
    fed = production > 0
    sends = trade > 0
    while True:
        more = fed | sends[fed].any(axis=0)
        if (more == fed).all():
            return ~fed & sends.any(axis=0)
        fed = more


def _names(trade: pl.DataFrame, production: pl.DataFrame) -> set[str]:
    columns = (trade["exporter_iso3"], trade["importer_iso3"], production["country_iso3"])
    return set(pl.concat(columns).drop_nulls().unique())


def _numbered(
    rows: pl.DataFrame, markets: pl.DataFrame, number: dict[str, int], *countries: str
) -> pl.DataFrame:
    """Rows with the numbers of market and countries, in the order of the markets."""
    return (
        rows.join(markets, on=MARKET, how="inner")
        .with_columns(
            pl.col(name)
            .fill_null("")
            .replace_strict(list(number), list(number.values()), return_dtype=pl.Int64)
            for name in countries
        )
        .sort("market", *countries)
    )


def _parts(rows: pl.DataFrame, markets: int) -> Iterator[pl.DataFrame]:
    """The rows of each market, without a copy."""
    places = np.searchsorted(rows["market"].to_numpy(), np.arange(markets + 1))
    for first, last in pairwise(places):
        yield rows[int(first) : int(last)]


def _one(
    flows: pl.DataFrame, made: pl.DataFrame, inside: Flags, listing: tuple[float, float]
) -> Iterator[_Piece]:
    """What one market says of supply, where that is known, and of imports."""
    exporter, importer = flows["exporter_iso3"].to_numpy(), flows["importer_iso3"].to_numpy()
    producer = made["country_iso3"].to_numpy()
    # Unspecified areas (0) send as one place and take as another, which nobody hears of again.
    present = np.unique(np.concatenate([[0], exporter, importer, producer]))
    sink = len(present)
    trade = np.zeros((sink + 1, sink + 1))
    takes = np.where(importer == 0, sink, np.searchsorted(present, importer))
    np.add.at(trade, (np.searchsorted(present, exporter), takes), flows["quantity"].to_numpy())
    floor, ceiling, is_known = _production(present, made)
    market = Market.of(floor, trade, ceiling)
    blocs = np.append(inside[present], False)[:, None]
    received = _across(market.trade, blocs)
    low, high = ranges(market)
    of_imports = np.hstack([market.trade, received])
    imports = of_imports.sum(axis=0)
    direct = _over(of_imports, imports)
    least, most = low @ direct, high @ direct
    places = (np.concatenate([present, [0, len(inside) - 1]]), np.append(present, 0))
    if is_known:
        shares = origins(market, blocs)
        # What nobody knows the origin of joins what came from unspecified areas.
        held = shares.lookthrough.copy()
        held[0] += shares.unknown
        through = held[:, : sink + 1] @ direct
        listed = (direct > 0) | (through >= _NOISE)
        residual, iterations = shares.residual[: sink + 1] @ direct, shares.iterations
        yield _Piece(
            0,
            *places,
            shares.supply,
            (shares.direct, held, *_of_supply(market, low, high, blocs)),
            (shares.direct > 0) | (held >= _NOISE),
            shares.residual,
            iterations,
        )
    else:
        through, residual = np.full_like(direct, np.nan), np.full(len(imports), np.nan)
        iterations = 1
        listed = (direct > 0) & (direct >= listing[0]) | (most >= listing[0])
        listed &= imports >= listing[1] * market.trade.sum()
    yield _Piece(1, *places, imports, (direct, through, least, most), listed, residual, iterations)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one market says of one universe; origins by holders.

    :ivar holders: numbers of the countries, of the sink of unspecified areas, and of the bloc.
    :ivar origins: numbers of the countries and of the sink.
    :ivar shares: direct, looked through, least and most.
    """

    universe: int
    holders: Integers
    origins: Integers
    quantity: Floats
    shares: tuple[Floats, Floats, Floats, Floats]
    listed: Flags
    residual: Floats
    iterations: int

    def rows(self, market: int) -> pl.DataFrame:
        """The pairs that are listed, unspecified areas not among the holders."""
        rows, columns = np.nonzero(self.listed & (self.holders != 0))
        direct, through, low, high = (figures[rows, columns] for figures in self.shares)
        # The last digits of sums that are worked out in two ways.
        inside = np.where(np.isnan(through), direct, through)
        return pl.DataFrame(
            {
                "importer": self.holders[columns],
                "origin": self.origins[rows],
                "universe": np.full(len(rows), self.universe),
                "direct_share": direct,
                "lookthrough_share": through,
                "lookthrough_low": np.minimum(low, inside),
                "lookthrough_high": np.clip(high, inside, np.maximum(inside, 1.0)),
                "quantity": self.quantity[columns],
                "residual": self.residual[columns],
                "iterations": np.full(len(rows), self.iterations, dtype=np.int32),
                "market": np.full(len(rows), market, dtype=np.uint32),
            },
            schema=_PIECE,
        )


def _of_supply(market: Market, low: Floats, high: Floats, blocs: Flags) -> tuple[Floats, Floats]:
    """Ranges of the countries' supply, and with them those of the blocs'."""
    received = _across(market.trade, blocs)
    made = np.where(blocs, market.floor[:, None], 0.0)
    more = np.where(blocs, (market.ceiling - market.floor)[:, None], 0.0)
    supply = received.sum(axis=0) + made.sum(axis=0)
    least = _over(low @ received + made, supply + more.sum(axis=0))
    most = _over(high @ received + made + more, supply + more, where=np.isfinite(more))
    return np.hstack([low, least]), np.hstack([high, np.where(np.isinf(more), 1.0, most)])


def _production(present: Integers, made: pl.DataFrame) -> tuple[Floats, Floats, bool]:
    """Floor and ceiling by country, unspecified areas first and their sink last."""
    floor = np.zeros(len(present) + 1)
    if made.is_empty():
        return floor, np.full_like(floor, np.inf), False
    country = made["country_iso3"].to_numpy()
    most = made["ceiling"].to_numpy()
    is_known = bool(made["is_known"][0])
    unnamed = most[country == 0].sum() if is_known else np.inf
    ceiling = np.full_like(floor, unnamed)
    ceiling[[0, -1]] = 0.0
    places = np.searchsorted(present, country[country > 0])
    ceiling[places] = 0.0
    np.add.at(ceiling, places, most[country > 0])
    np.add.at(floor, places, made["floor"].to_numpy()[country > 0])
    return floor, ceiling, is_known
