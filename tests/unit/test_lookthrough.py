"""Looking through: a worked example, and what must hold for any production and trade."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipelines.lookthrough import MARKET, Market, origins, ranges, solve
from tests.support.measures import create_measures
from tests.support.models import model_sql

few = settings(max_examples=25, deadline=None, derandomize=True)
quantity = st.floats(min_value=0, max_value=1e6, allow_subnormal=False).map(lambda q: round(q, 3))


@st.composite
def markets(draw: Any, most: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Production by country and trade, self-trade and idle countries included."""
    n = draw(st.integers(2, most))
    sparse = st.one_of(st.just(0.0), quantity)
    production = draw(arrays.arrays(np.float64, n, elements=sparse))
    trade = draw(arrays.arrays(np.float64, (n, n), elements=sparse))
    return production, trade


def rows(material: str, trade: dict[tuple[str | None, str | None], float]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            ("latest", material, "mine", 2024, exporter, importer, float(quantity))
            for (exporter, importer), quantity in trade.items()
        ],
        schema=[*MARKET, "exporter_iso3", "importer_iso3", "quantity"],
        orient="row",
    )


def made(
    material: str,
    production: dict[str | None, float | tuple[float, float | None]],
    *,
    is_known: bool = True,
) -> pl.DataFrame:
    """Production by country: a figure, or floor and ceiling."""
    spans = {
        country: figure if isinstance(figure, tuple) else (figure, figure)
        for country, figure in production.items()
    }
    return pl.DataFrame(
        [
            ("latest", material, "mine", 2024, country, float(floor), ceiling, is_known)
            for country, (floor, ceiling) in spans.items()
        ],
        schema={
            **dict.fromkeys(MARKET[:3], pl.String),
            "reference_year": pl.Int64,
            "country_iso3": pl.String,
            "floor": pl.Float64,
            "ceiling": pl.Float64,
            "is_known": pl.Boolean,
        },
        orient="row",
    )


def solved(
    trade: pl.DataFrame, production: pl.DataFrame, universe: str = "supply", **options: Any
) -> dict[tuple[str, str, str | None], dict[str, Any]]:
    """The result of one universe by material, importer and origin."""
    wanted = {"bloc": "EU27", "members": ["DEU", "FRA"], "least_share": 0.05, "least_part": 0.0}
    found = pl.concat(solve(trade, production, **{**wanted, **options}))
    return {
        (row["material"], row["importer_iso3"], row["origin_iso3"]): row
        for row in found.iter_rows(named=True)
        if row["universe"] == universe
    }


def near(value: float) -> Any:
    return pytest.approx(value, abs=1e-12)


# A worked example: A makes 60 and sends 30 to the hub H, which makes nothing, and 10 to J; H sends
# 20 to J; B makes 10 and sends it to J.
TRADE = {("AAA", "HHH"): 30, ("AAA", "JJJ"): 10, ("HHH", "JJJ"): 20, ("BBB", "JJJ"): 10}


def test_what_a_hub_passes_on_counts_for_who_produced_it():
    found = solved(rows("ore", TRADE), made("ore", {"AAA": 60, "BBB": 10}))
    assert found["ore", "JJJ", "AAA"]["direct_share"] == near(0.25)
    assert found["ore", "JJJ", "AAA"]["lookthrough_share"] == near(0.75)
    assert found["ore", "JJJ", "HHH"]["direct_share"] == near(0.5)
    assert found["ore", "JJJ", "HHH"]["lookthrough_share"] == near(0.0)
    assert found["ore", "JJJ", "BBB"]["lookthrough_share"] == near(0.25)
    assert found["ore", "JJJ", "BBB"]["quantity"] == 40
    assert found["ore", "AAA", "AAA"]["direct_share"] == 1


def test_an_importers_own_production_is_part_of_its_supply():
    found = solved(rows("ore", TRADE), made("ore", {"AAA": 60, "BBB": 10, "JJJ": 40}))
    assert found["ore", "JJJ", "JJJ"]["direct_share"] == near(0.5)
    assert found["ore", "JJJ", "AAA"]["lookthrough_share"] == near(0.375)


def test_of_imports_own_production_is_no_part():
    made_by = made("ore", {"AAA": 60, "BBB": 10, "JJJ": (40, 90)})
    found = solved(rows("ore", TRADE), made_by, "imports")
    first = found["ore", "JJJ", "AAA"]
    assert (first["direct_share"], first["lookthrough_share"]) == (near(0.25), near(0.75))
    assert (first["lookthrough_low"], first["lookthrough_high"]) == (near(0.75), near(0.75))
    assert first["quantity"] == 40


def test_exports_beyond_supply_are_made_or_from_stocks():
    found = solved(rows("ore", {("AAA", "JJJ"): 10}), made("ore", {"BBB": 5}))
    assert found["ore", "JJJ", "AAA"]["lookthrough_share"] == 1
    assert found["ore", "AAA", "AAA"]["quantity"] == 10


def test_without_production_trade_alone_bounds_the_shares():
    found = solved(rows("ore", TRADE), made("none", {"AAA": 60}), "imports")
    assert {row["lookthrough_share"] for row in found.values()} == {None}
    # H imports more than it exports, so it may have made nothing or all that it sends.
    hub = found["ore", "JJJ", "HHH"]
    assert (hub["lookthrough_low"], hub["lookthrough_high"]) == (0, near(0.5))
    first = found["ore", "JJJ", "AAA"]
    assert (first["lookthrough_low"], first["lookthrough_high"]) == (near(0.25), near(0.75))
    assert first["quantity"] == 40
    assert ("ore", "AAA", "AAA") not in found


def test_a_floor_of_production_raises_the_least_that_is_possible():
    found = solved(rows("ore", TRADE), made("ore", {"HHH": (30, None)}, is_known=False), "imports")
    hub = found["ore", "JJJ", "HHH"]
    assert (hub["lookthrough_low"], hub["lookthrough_high"]) == (near(0.25), near(0.5))
    assert found["ore", "JJJ", "AAA"]["lookthrough_high"] == near(0.25 + 0.5 * 0.5)


def test_what_no_country_is_named_for_may_be_anybodys():
    trade = rows("ore", {("AAA", "JJJ"): 30, ("HHH", "JJJ"): 10, ("AAA", "HHH"): 20})
    found = solved(trade, made("ore", {"AAA": 60, "JJJ": 0, None: 10}))
    # Of what J has, H sends a quarter, and may have made up to 10 beside the 20 from A.
    first = found["ore", "JJJ", "AAA"]
    assert first["lookthrough_share"] == near(1)
    assert first["lookthrough_low"] == near(0.75 + 0.25 * 20 / 30)
    assert first["lookthrough_high"] == near(1)
    hub = found["ore", "JJJ", "HHH"]
    assert (hub["lookthrough_low"], hub["lookthrough_high"]) == (0, near(0.25 * 10 / 30))
    # Everybody is named: the share stands alone.
    found = solved(trade, made("ore", {"AAA": 60, "JJJ": 0, "HHH": 0}))
    assert found["ore", "JJJ", "AAA"]["lookthrough_low"] == near(1)


def test_a_producer_that_is_withheld_may_have_made_all_it_sends():
    trade = rows("ore", {("AAA", "JJJ"): 30, ("HHH", "JJJ"): 10, ("AAA", "HHH"): 20})
    found = solved(trade, made("ore", {"AAA": 60, "HHH": (0, None)}))
    hub = found["ore", "JJJ", "HHH"]
    assert (hub["lookthrough_low"], hub["lookthrough_high"]) == (0, near(0.25))
    assert found["ore", "JJJ", "AAA"]["lookthrough_low"] == near(0.75)


def test_the_bloc_may_make_more_where_a_member_is_withheld():
    trade = rows("ore", {("AAA", "DEU"): 30})
    found = solved(trade, made("ore", {"AAA": 30, "FRA": (10, 20)}))
    bloc = found["ore", "EU27", "AAA"]
    assert bloc["lookthrough_share"] == near(0.75)
    assert (bloc["lookthrough_low"], bloc["lookthrough_high"]) == (near(0.6), near(0.75))
    own = found["ore", "EU27", "FRA"]
    assert (own["lookthrough_low"], own["lookthrough_high"]) == (near(0.2), near(0.4))
    found = solved(trade, made("ore", {"AAA": 30, "FRA": (10, None)}))
    assert found["ore", "EU27", "AAA"]["lookthrough_low"] == 0
    assert found["ore", "EU27", "FRA"]["lookthrough_high"] == 1


def test_small_importers_and_small_pairs_are_not_listed_where_shares_are_bounded():
    trade = rows("ore", {("AAA", "JJJ"): 96, ("BBB", "JJJ"): 4, ("AAA", "KKK"): 0.05})
    found = solved(trade, made("none", {}), "imports", least_part=0.001)
    assert set(found) == {("ore", "JJJ", "AAA")}
    assert len(solved(trade, made("ore", {"AAA": 100, "BBB": 5}), least_part=0.001)) == 5


def test_unspecified_areas_are_a_residual_and_what_goes_there_is_gone():
    trade = rows("ore", {(None, "JJJ"): 10, ("AAA", "JJJ"): 30, ("AAA", None): 10})
    found = solved(trade, made("ore", {"AAA": 40}))
    assert found["ore", "JJJ", None]["lookthrough_share"] == near(0.25)
    assert not [importer for _, importer, _ in found if importer is None]
    # What goes there counts as an export: A must have made 6 of the 10 that it sends.
    trade = rows("ore", {("BBB", "AAA"): 4, ("AAA", None): 10})
    found = solved(trade, made("ore", {"BBB": 4}))
    assert found["ore", "AAA", "AAA"]["lookthrough_share"] == near(0.6)


def test_goods_passed_round_without_a_producer_are_of_unknown_origin():
    trade = rows("ore", {("AAA", "BBB"): 5, ("BBB", "AAA"): 5, ("CCC", "DDD"): 1})
    found = solved(trade, made("ore", {"CCC": 2}))
    assert found["ore", "AAA", None]["lookthrough_share"] == near(1)
    assert found["ore", "AAA", "BBB"]["lookthrough_share"] == near(0)
    assert found["ore", "DDD", "CCC"]["lookthrough_share"] == near(1)
    bounded = solved(trade, made("none", {}), "imports")
    assert bounded["ore", "AAA", "BBB"]["lookthrough_high"] == near(1)


def test_the_bloc_is_its_members_without_their_trade():
    trade = rows("ore", {("AAA", "DEU"): 30, ("DEU", "FRA"): 20, ("HHH", "FRA"): 10})
    trade = pl.concat([trade, rows("ore", {("FRA", "HHH"): 1, ("AAA", "HHH"): 9})])
    found = solved(trade, made("ore", {"AAA": 50, "FRA": 10}))
    # Of 50 (30 and 10 from outside, 10 made), H sends 10, of which one tenth came from France,
    # whose own goods are a quarter of what it has (10 of 40).
    assert found["ore", "EU27", "AAA"]["direct_share"] == near(0.6)
    assert found["ore", "EU27", "HHH"]["direct_share"] == near(0.2)
    assert found["ore", "EU27", "FRA"]["direct_share"] == near(0.2)
    total = sum(r["lookthrough_share"] for (_, j, _), r in found.items() if j == "EU27")
    assert total == near(1)
    assert ("ore", "EU27", "DEU") not in found


def test_no_market_gives_no_row():
    assert solved(rows("ore", TRADE).clear(), made("ore", {"AAA": 1})) == {}


# What must hold for any production and trade


@few
@given(markets())
def test_columns_sum_to_one_or_there_is_nothing(given_market: Any):
    market = Market.of(*given_market)
    shares = origins(market)
    has = shares.supply > 0
    assert np.allclose(shares.direct.sum(axis=0), has, atol=1e-9)
    assert np.allclose(shares.lookthrough.sum(axis=0) + shares.unknown, has, atol=1e-9)
    assert (shares.lookthrough >= 0).all()
    assert shares.residual.max() < 1e-9


@few
@given(markets(), st.integers(1, 5))
def test_without_re_exports_looking_through_is_the_direct_share(given_market: Any, cut: int):
    production, trade = given_market
    exporters = np.arange(len(production)) < cut
    trade = trade * exporters[:, None] * ~exporters[None, :]
    shares = origins(Market.of(production, trade))
    assert np.allclose(shares.direct, shares.lookthrough, atol=1e-12)


@few
@given(markets())
def test_who_makes_nothing_is_no_origin(given_market: Any):
    market = Market.of(*given_market)
    idle = market.floor == 0
    assert (origins(market).lookthrough[idle] == 0).all()


@few
@given(markets(), st.randoms(use_true_random=False))
def test_the_order_of_countries_does_not_matter(given_market: Any, random: Any):
    production, trade = given_market
    order = list(range(len(production)))
    random.shuffle(order)
    found = origins(Market.of(production, trade)).lookthrough
    again = origins(Market.of(production[order], trade[np.ix_(order, order)])).lookthrough
    assert np.allclose(found[np.ix_(order, order)], again, atol=1e-9)


@few
@given(markets(), st.floats(min_value=1e-3, max_value=1e3))
def test_the_unit_does_not_matter(given_market: Any, factor: float):
    production, trade = given_market
    found = origins(Market.of(production, trade)).lookthrough
    again = origins(Market.of(production * factor, trade * factor)).lookthrough
    assert np.allclose(found, again, atol=1e-6)


@few
@given(markets(), st.data())
def test_ranges_hold_whatever_is_produced_between_floor_and_ceiling(given_market: Any, data: Any):
    floor, trade = given_market
    n = len(floor)
    parts = arrays.arrays(np.float64, n, elements=st.floats(0, 1))
    span = data.draw(arrays.arrays(np.float64, n, elements=st.one_of(st.just(0.0), quantity)))
    has_ceiling = data.draw(arrays.arrays(np.bool_, n))
    market = Market.of(floor, trade)
    ceiling = np.where(has_ceiling, market.floor + span, np.inf)
    low, high = ranges(Market.of(floor, trade, ceiling))
    produced = market.floor + data.draw(parts) * np.where(has_ceiling, span, 1e7)
    shares = origins(Market.of(produced, trade))
    inside = shares.supply > 0
    assert (low[:, inside] <= shares.lookthrough[:, inside] + shares.unknown[inside] + 1e-6).all()
    assert (shares.lookthrough <= high + 1e-6).all()


@few
@given(markets())
def test_where_production_is_known_the_range_is_the_share(given_market: Any):
    market = Market.of(*given_market)
    low, high = ranges(market)
    shares = origins(market)
    known = shares.unknown == 0
    assert np.allclose(low[:, known], shares.lookthrough[:, known], atol=1e-6)
    assert np.allclose(high[:, known], shares.lookthrough[:, known], atol=1e-6)


# Through the stages

CHAIN = """
    create table ref_chain_step as
    from (values ('c', 1, 's1', 'mine'), ('c', 2, 's2', 'refining'), ('c', 3, 's3', 'metal'))
        as steps (chain_id, step_order, material, stage)
"""


def _shares_at(stage: int, given_market: Any) -> pl.DataFrame:
    found = origins(Market.of(*given_market))
    n = len(found.lookthrough)
    names = [f"C{k:02}" for k in range(n)]
    pairs = [
        (names[i], names[j], float(found.lookthrough[i, j]))
        for i in range(n)
        for j in range(n)
        if found.lookthrough[i, j] > 0
    ]
    unknown = [(None, names[j], float(u)) for j, u in enumerate(found.unknown[:n]) if u > 0]
    stages = ("mine", "refining", "metal")
    return pl.DataFrame(
        [
            ("latest", f"s{stage}", stages[stage - 1], 2024, importer, origin, "supply", share)
            for origin, importer, share in [*pairs, *unknown]
        ],
        schema={
            **dict.fromkeys(MARKET[:3], pl.String),
            "reference_year": pl.Int64,
            "importer_iso3": pl.String,
            "origin_iso3": pl.String,
            "universe": pl.String,
            "lookthrough_share": pl.Float64,
        },
        orient="row",
    )


@pytest.fixture(scope="module")
def warehouse():
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(CHAIN)
        connection.execute(
            "create table dim_country as select * from (values ('C00', true), ('C01', true),"
            " ('C02', false), ('C03', false), ('DEU', true), ('FRA', true), ('CHE', false),"
            " ('EU27', false), ('WLD', false))"
            " as areas (country_iso3, is_eu27)"
        )
        yield connection


def _exposure(connection: Any, countries: list[str]) -> dict[tuple[str, str], float]:
    return {
        (material, importer): exposure
        for material, importer, exposure in connection.execute(
            "select material, importer_iso3, any_stage_exposure from any_stage_exposure(?)",
            [countries],
        ).fetchall()
    }


@settings(few, max_examples=8)
@given(data=st.data())
def test_exposure_grows_with_the_set_and_is_no_less_than_at_one_stage(warehouse: Any, data: Any):
    n = data.draw(st.integers(2, 4))
    shares = pl.concat(
        _shares_at(stage, data.draw(markets(n).filter(lambda m, n=n: len(m[0]) == n)))
        for stage in (1, 2, 3)
    )
    warehouse.register("mart_lookthrough", shares.to_arrow())
    names = [f"C{k:02}" for k in range(n)]
    chosen = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=2))
    smaller, larger = _exposure(warehouse, chosen[:-1]), _exposure(warehouse, chosen)
    at_one = {
        (material, importer): share
        for material, importer, share in shares.filter(pl.col("origin_iso3").is_in(chosen))
        .group_by("material", "importer_iso3")
        .agg(pl.col("lookthrough_share").sum())
        .iter_rows()
    }
    assert set(smaller) == set(larger)
    for key, exposure in larger.items():
        assert -1e-12 <= smaller[key] <= exposure + 1e-12 <= 1 + 1e-9
        assert exposure >= at_one.get(key, 0) - 1e-9


def test_all_countries_expose_all_and_the_union_is_its_members(warehouse: Any):
    shares = _shares_at(1, (np.array([9.0, 1.0, 0.0]), np.array([[0, 1, 4.0], [0, 0, 1], [0] * 3])))
    warehouse.register("mart_lookthrough", shares.to_arrow())
    everybody = ["C00", "C01", "C02"]
    assert all(e == near(1) for e in _exposure(warehouse, everybody).values())
    union = _exposure(warehouse, ["EU27"])
    assert union == _exposure(warehouse, ["C00", "C01"])
    assert max(union.values()) > 0


@pytest.mark.parametrize("named", ["['ZZZ']", "['c00']", "['C00', null]", "['WLD']", "[]", "null"])
@pytest.mark.parametrize(
    "asked",
    [
        "from {}",
        "select count(*) from {}",
        "from {} where importer_iso3 = 'C01' and material = 's1' and n_stages = 1",
    ],
)
def test_a_set_of_nobody_known_is_refused(warehouse: Any, named: str, asked: str):
    shares = _shares_at(1, (np.array([9.0, 1.0, 0.0]), np.array([[0, 1, 4.0], [0, 0, 1], [0] * 3])))
    warehouse.register("mart_lookthrough", shares.to_arrow())
    with pytest.raises(duckdb.InvalidInputException, match=r"countries (names|is) .*: give"):
        warehouse.execute(asked.format(f"any_stage_exposure({named})")).fetchall()


def test_origins_at_the_first_stage_sum_to_one_and_name_what_is_not_known(warehouse: Any):
    # The metal of C00 is made from ore of C01 alone; C02 smelts, but no ore reaches it.
    ore = _shares_at(1, (np.array([0.0, 5.0, 0.0]), np.array([[0] * 3, [3.0, 0, 0], [0] * 3])))
    metal = _shares_at(2, (np.array([4.0, 0, 1]), np.array([[0, 4.0, 0], [0] * 3, [0, 1, 0]])))
    warehouse.register("mart_lookthrough", pl.concat([ore, metal]).to_arrow())
    found = dict(
        warehouse.execute(
            "select origin_iso3, origin_share from origins_through_stages() "
            "where material = 's2' and importer_iso3 = 'C01' and n_stages = 2"
        ).fetchall()
    )
    assert found == {"C01": near(0.8), None: near(0.2)}


def _mart(connection: Any, shares: pl.DataFrame) -> pl.DataFrame:
    """The rows that mart_lookthrough makes of shares, all of one relation to production."""
    connection.register("solved", shares.to_arrow())
    connection.execute(
        """
        create or replace table int_lookthrough__shares as from solved;
        create or replace table ref_country_group as
        select 'C01' as country_iso3, true as is_default_set, null::date as valid_to;
        create or replace table int_lookthrough__market as
        select distinct
            vintage_id, material, stage, reference_year, 'monazite' as flow_source,
            'trade-1' as source_edition_id, ['trade-1', 'made-1'] as source_edition_ids,
            'made-1' as production_edition_id, 'B' as trade_grade, 'C' as production_grade,
            1.0 as weight_coverage, 0.0 as unnamed_share, 'gross_t' as basis, 'weight' as relation
        from solved
        """
    )
    return connection.execute(model_sql("mart_lookthrough")).pl()


def test_the_mart_follows_the_stages_and_keeps_who_mined_alone(warehouse: Any):
    # C00 smelts ore of C01 and of its own, and sends all metal to C02; C01 sends ore alone.
    trade = pl.concat(
        [rows("s1", {("C01", "C00"): 30}), rows("s2", {("C00", "C02"): 20})]
    ).with_columns(
        stage=pl.when(pl.col("material") == "s1").then(pl.lit("mine")).otherwise(pl.lit("refining"))
    )
    production = pl.concat([made("s1", {"C00": 10, "C01": 30}), made("s2", {"C00": 20})])
    production = production.with_columns(
        stage=pl.when(pl.col("material") == "s1").then(pl.lit("mine")).otherwise(pl.lit("refining"))
    )
    shares = pl.concat(
        solve(trade, production, bloc="EU27", members=[], least_share=0.05, least_part=0.0)
    )
    found = {
        (row["material"], row["importer_iso3"], row["origin_iso3"], row["universe"]): row
        for row in _mart(warehouse, shares).iter_rows(named=True)
    }
    smelter = found["s2", "C02", "C00", "supply"]
    assert (smelter["lookthrough_share"], smelter["first_stage_share"]) == (1, near(0.25))
    assert smelter["n_stages_chained"] == 2
    miner = found["s2", "C02", "C01", "supply"]
    assert (miner["direct_share"], miner["lookthrough_share"], miner["hidden_pp"]) == (0, 0, 0)
    assert miner["first_stage_share"] == near(0.75)
    # The default set is C01, which made none of the metal and three quarters of its ore.
    assert miner["any_stage_exposure"] == smelter["any_stage_exposure"] == near(0.75)
    assert miner["universe_quantity"] == 20
    imported = found["s2", "C02", "C00", "imports"]
    assert imported["lookthrough_share"] == 1
    assert imported["first_stage_share"] is None
    assert imported["evidence_grade"] == "C"


def _of_ore(
    connection: Any,
    trade: dict[tuple[str | None, str | None], float],
    production: dict[str | None, float | tuple[float, float | None]],
) -> dict[tuple[str, str | None, str], dict[str, Any]]:
    shares = solve(
        rows("s1", trade), made("s1", production),
        bloc="EU27", members=["DEU", "FRA"], least_share=0.05, least_part=0.0,
    )  # fmt: skip
    return {
        (row["importer_iso3"], row["origin_iso3"], row["universe"]): row
        for row in _mart(connection, pl.concat(shares)).iter_rows(named=True)
    }


def test_own_goods_that_come_back_are_marked_and_are_not_hidden_dependence(warehouse: Any):
    # C00 sends all that C01 has, and takes some of it back.
    found = _of_ore(
        warehouse,
        {("C00", "C01"): 10, ("C01", "C00"): 4, ("C02", "C00"): 4},
        {"C00": 50, "C02": 4},
    )
    returned = found["C00", "C00", "imports"]
    assert returned["is_own_return"] is True
    assert (returned["direct_share"], returned["hidden_pp"]) == (0, None)
    # What comes back holds a little of C02, since C00 hands on a mixture.
    assert 0.4 < returned["lookthrough_share"] < 0.5
    of_imports = [row for key, row in found.items() if key[0] == "C00" and key[2] == "imports"]
    assert sum(row["lookthrough_share"] for row in of_imports) == near(1)
    assert [row["origin_iso3"] for row in of_imports if row["is_own_return"]] == ["C00"]
    assert found["C00", "C02", "imports"]["hidden_pp"] > 0
    # Its own production is no import that came back, and nothing hidden either.
    own = found["C00", "C00", "supply"]
    assert (own["is_own_return"], own["hidden_pp"]) == (False, None)


def test_goods_of_a_member_come_back_to_the_union_but_not_to_another_member(warehouse: Any):
    found = _of_ore(warehouse, {("DEU", "CHE"): 10, ("CHE", "FRA"): 4}, {"DEU": 10})
    assert found["EU27", "DEU", "imports"]["lookthrough_share"] == near(1)
    assert found["EU27", "DEU", "imports"]["is_own_return"] is True
    assert found["EU27", "DEU", "imports"]["hidden_pp"] is None
    assert found["EU27", "CHE", "imports"]["is_own_return"] is False
    assert found["FRA", "DEU", "imports"]["is_own_return"] is False
    assert found["FRA", "DEU", "imports"]["hidden_pp"] == near(100)


def test_a_country_of_the_set_is_not_exposed_to_itself(warehouse: Any):
    found = _of_ore(warehouse, {("C01", "C00"): 5}, {"C00": 5, "C01": 10})
    assert {r["any_stage_exposure"] for k, r in found.items() if k[0] == "C01"} == {None}
    assert found["C00", "C01", "supply"]["any_stage_exposure"] == near(0.5)


@settings(few, max_examples=10)
@given(market=markets(5))
def test_shares_sum_to_one_with_what_comes_back(warehouse: Any, market: Any):
    production, trade = market
    names = [f"C{k:02}" for k in range(len(production))]
    found = _of_ore(
        warehouse,
        {(a, b): trade[i, j] for i, a in enumerate(names) for j, b in enumerate(names)},
        dict(zip(names, production, strict=True)),
    )
    for importer, universe in {(key[0], key[2]) for key in found}:
        listed = [r for k, r in found.items() if (k[0], k[2]) == (importer, universe)]
        assert sum(row["direct_share"] for row in listed) == pytest.approx(1, abs=1e-9)
        assert sum(row["lookthrough_share"] for row in listed) == pytest.approx(1, abs=1e-6)
        own = [row for row in listed if row["origin_iso3"] == importer]
        assert [row for row in listed if row["hidden_pp"] is None] == own
        marked = own if universe == "imports" else []
        assert [row for row in listed if row["is_own_return"]] == marked
