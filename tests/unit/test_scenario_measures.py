"""The scenario macro on small invented trade: what it conserves and which way it moves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.measures import create_measures

#: exporter, importer, tonnes a year
TRADE = [
    ("CHN", "JPN", 60.0),
    ("CHN", "USA", 120.0),
    ("AUS", "JPN", 40.0),
    ("VNM", "USA", 30.0),
    ("AUS", "CHN", 20.0),
    ("CHN", "DEU", 10.0),
]
#: The same and what members buy, of others and of each other.
TRADE_WITH_UNION = [
    *TRADE,
    ("CHN", "FRA", 30.0),
    ("CHN", "NLD", 25.0),
    ("AUS", "NLD", 8.0),
    ("DEU", "FRA", 12.0),
    ("NLD", "DEU", 20.0),
    ("FRA", "JPN", 5.0),
]
QUANTITIES = (
    "loss_quantity",
    "offset_spare_quantity",
    "offset_stock_quantity",
    "gap_quantity",
)
MEMBERS = ("DEU", "FRA", "NLD")
COUNTRIES = ("AUS", "CHN", "JPN", "USA", "VNM", *MEMBERS)
TABLE = """
    create or replace table mart_import_dependency (
        vintage_id varchar, importer_iso3 varchar, partner_iso3 varchar, material varchar,
        stage varchar, reference_year integer, basis varchar, import_reliance double,
        imports_usd double, imports_gross_t double, flow_source varchar,
        source_edition_id varchar
    )
"""


def _fill(connection: Any, trade: Iterable[tuple[str | None, str, float]]) -> None:
    """The table that the macro reads, with the Union as the sum of its members."""
    connection.execute(TABLE)
    flows = list(trade)
    union: dict[str | None, float] = {}
    for exporter, importer, tonnes in flows:
        if importer in MEMBERS and exporter not in MEMBERS:
            union[exporter] = union.get(exporter, 0) + tonnes
    rows = [*flows, *((exporter, "EU27", tonnes) for exporter, tonnes in union.items())]
    connection.execute(
        """
        insert into mart_import_dependency
        select
            'latest', importer, exporter, 'm', 's', 2024, 'gross_t',
            case when importer in ('USA', 'EU27') then 0.5 end, null, tonnes, 'toy', 'toy-1'
        from (
            select
                unnest($exporters::varchar[]) as exporter,
                unnest($importers::varchar[]) as importer,
                unnest($tonnes::double[]) as tonnes
        )
        """,
        dict(
            zip(
                ("exporters", "importers", "tonnes"),
                map(list, zip(*rows, strict=True)),
                strict=True,
            )
        ),
    )


def _create(connection: Any) -> None:
    create_measures(connection)
    connection.execute("create table dim_country (country_iso3 varchar, is_eu27 boolean)")
    connection.executemany(
        "insert into dim_country values (?, ?)",
        [
            *([country, country in MEMBERS] for country in COUNTRIES),
            ["EU27", False],
            ["WLD", False],
        ],
    )


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        _create(made)
        _fill(made, TRADE)
        yield made


@pytest.fixture(scope="module")
def invented():
    """A database whose trade every example of a property writes anew."""
    with duckdb.connect() as made:
        _create(made)
        yield made


def _run(connection, cut=("CHN",), **parameters):
    told = ", ".join(f"{name} := {value!r}" for name, value in parameters.items())
    rows = connection.sql(
        f"from scenario({list(cut)}::varchar[], 'm', 's', 2024{', ' + told if told else ''})"
    )
    names = [column[0] for column in rows.description]
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows.fetchall()}


def _total(found, column):
    return sum(row[column] for importer, row in found.items() if importer != "EU27")


def test_losses_are_the_cut_part_of_the_cut_exports(connection):
    found = _run(connection, fraction=0.5, months=6)
    assert _total(found, "loss_quantity") == pytest.approx(0.5 * 0.5 * 190)
    assert found["JPN"]["loss_quantity"] == pytest.approx(0.5 * 0.5 * 60)
    assert found["CHN"]["loss_quantity"] == 0


def test_without_offsets_the_gap_is_the_loss(connection):
    found = _run(connection)
    for row in found.values():
        assert row["gap_quantity"] == pytest.approx(row["loss_quantity"])
    assert found["USA"]["gap_share_of_imports"] == pytest.approx(0.8)
    assert found["USA"]["gap_share_of_consumption"] == pytest.approx(0.4)
    assert found["JPN"]["gap_share_of_consumption"] is None


def test_spare_capacity_is_shared_by_loss(connection):
    found = _run(connection, spare_capacity=0.5)
    spare = 0.5 * 90
    assert _total(found, "offset_spare_quantity") == pytest.approx(spare)
    assert found["JPN"]["offset_spare_quantity"] == pytest.approx(spare * 60 / 190)


def test_partners_are_served_first_and_nobody_gets_more_than_the_loss(connection):
    found = _run(connection, spare_capacity=1.0, partners=["JPN"])
    assert found["JPN"]["gap_quantity"] == pytest.approx(0)
    assert found["JPN"]["offset_spare_quantity"] == pytest.approx(60)
    assert found["USA"]["offset_spare_quantity"] == pytest.approx((90 - 60) * 120 / 130)


def test_stock_carries_what_spare_capacity_leaves(connection):
    found = _run(connection, stock_months=3)
    assert found["USA"]["offset_stock_quantity"] == pytest.approx(150 / 4)
    assert found["USA"]["covered_days"] == pytest.approx(365 * (150 / 4) / 120)
    assert found["CHN"]["covered_days"] is None


def test_the_union_is_no_further_importer(connection):
    found = _run(connection, spare_capacity=0.5)
    assert found["EU27"]["gap_quantity"] == pytest.approx(found["DEU"]["gap_quantity"])


def test_price_is_a_range_that_narrows_with_elasticity_and_has_no_end_at_a_whole_gap(connection):
    row = _run(connection, fraction=0.5)["JPN"]
    gap, demand = 0.5 * 190, 280
    assert row["world_ln_price_change_low"] == pytest.approx(-math.log(1 - gap / demand) / 1.0)
    assert row["world_ln_price_change_high"] == pytest.approx(-math.log(1 - gap / demand) / 0.2)
    whole = _run(connection, cut=("CHN", "AUS", "VNM"))["JPN"]
    assert whole["world_ln_price_change_low"] is None


def test_a_material_that_is_not_held_gives_no_row(connection):
    rows = connection.sql("from scenario(['CHN'], 'other', 's', 2024)").fetchall()
    assert rows == []


def test_the_union_is_the_sum_of_its_members_where_partners_are_served_first(invented):
    _fill(invented, TRADE_WITH_UNION)
    found = _run(invented, spare_capacity=0.3, stock_months=1, partners=["FRA"])
    for quantity in QUANTITIES:
        members = sum(found[member][quantity] for member in MEMBERS)
        assert found["EU27"][quantity] == pytest.approx(members), quantity
    assert found["FRA"]["gap_quantity"] == pytest.approx(0)
    assert found["DEU"]["gap_quantity"] > 0
    assert found["EU27"]["gap_quantity"] > 0
    assert not found["EU27"]["is_served_first"]


def test_what_members_trade_with_each_other_is_no_import_of_the_union(invented):
    _fill(invented, TRADE_WITH_UNION)
    found = _run(invented, cut=("CHN", "DEU"))
    assert found["EU27"]["imports_quantity"] == pytest.approx(10 + 30 + 25 + 8)
    assert found["EU27"]["loss_quantity"] == pytest.approx(10 + 30 + 25)
    assert found["FRA"]["loss_quantity"] == pytest.approx(30 + 12)


def test_the_union_stands_for_its_members_in_both_lists(invented):
    _fill(invented, TRADE_WITH_UNION)
    by_name = _run(invented, spare_capacity=0.6, partners=list(MEMBERS))
    assert _run(invented, spare_capacity=0.6, partners=["EU27"]) == by_name
    assert by_name["EU27"]["is_served_first"]
    assert by_name["EU27"]["gap_quantity"] == pytest.approx(0)
    cut = _run(invented, cut=("EU27",))
    assert cut == _run(invented, cut=MEMBERS)
    assert cut["FRA"]["loss_quantity"] == pytest.approx(12)
    assert cut["JPN"]["loss_quantity"] == pytest.approx(5)
    assert cut["EU27"]["loss_quantity"] == 0


def test_a_table_that_holds_the_union_alone_has_it_as_an_importer(connection):
    connection.execute(
        "create or replace table own as select * from mart_import_dependency"
        " where importer_iso3 not in ('DEU', 'FRA', 'NLD')"
    )
    found = _run(connection, spare_capacity=0.5, dependency="own")
    total = sum(row["loss_quantity"] for row in found.values())
    assert total == pytest.approx(190)
    assert found["EU27"]["offset_spare_quantity"] == pytest.approx(0.5 * 90 * 10 / 190)


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("fraction", "-1", "0 to 1"),
        ("fraction", "1.5", "0 to 1"),
        ("fraction", "null", "0 to 1"),
        ("fraction", "'nan'::double", "0 to 1"),
        ("months", "-6", "above 0"),
        ("months", "0", "above 0"),
        ("months", "null", "above 0"),
        ("months", "'inf'::double", "above 0"),
        ("stock_months", "-2", "0 or more"),
        ("stock_months", "null", "0 or more"),
        ("spare_capacity", "-0.1", "0 or more"),
        ("spare_capacity", "null", "0 or more"),
        ("elasticity_low", "0", "above 0"),
        ("elasticity_low", "2", "elasticity_low"),
        ("elasticity_high", "null", "elasticity_low"),
        ("quantity_basis", "'share'", "gross_t or usd"),
        ("partners", "null", "a list"),
        ("partners", "['']", "CHN"),
        ("partners", "['JPN', 'ZZZ']", "ZZZ"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(connection, parameter, value, allowed):
    call = f"scenario(['CHN'], 'm', 's', 2024, {parameter} := {value})"
    with pytest.raises(duckdb.InvalidInputException) as refused:
        connection.execute(f"from {call}").fetchall()
    assert parameter.split("_")[0] in str(refused.value)
    assert allowed in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "asked",
    [
        "select count(*) from {}",
        "select gap_quantity from {} where importer_iso3 = 'JPN' and gap_quantity > 1e9",
        "select importer_iso3 from {} where importer_iso3 = 'none'",
        "select is_served_first from {} where importer_iso3 = 'EU27' and basis = 'usd'",
    ],
)
def test_it_is_refused_however_it_is_asked(connection, asked):
    with pytest.raises(duckdb.InvalidInputException, match="months is -6: give a number above 0"):
        connection.execute(asked.format("scenario(['CHN'], 'm', 's', 2024, months := -6)"))


@pytest.mark.parametrize(
    "named", ["['ZZZ']", "['chn']", "[null]", "['CHN', null]", "['WLD']", "[]", "null"]
)
def test_a_cut_of_nobody_known_is_refused(connection, named):
    with pytest.raises(duckdb.InvalidInputException, match="cut_countries") as refused:
        connection.execute(f"from scenario({named}, 'not_held', 's', 2024)").fetchall()
    assert "CHN" in str(refused.value) or "at least one" in str(refused.value)


def test_the_basis_that_is_held_is_taken_and_named_tonnes_first(connection):
    connection.execute(
        "create or replace table own as from mart_import_dependency"
        " union all by name select * replace ('usd' as basis, 7 as imports_usd,"
        " null as imports_gross_t) from mart_import_dependency"
        " union all by name select * replace ('usd' as basis, 'only_usd' as material,"
        " 7 as imports_usd, null as imports_gross_t) from mart_import_dependency"
    )
    asked = "select distinct basis, imports_quantity from scenario(['CHN'], '{}', 's', 2024{},"
    asked += " dependency := 'own') where importer_iso3 = 'DEU'"
    assert connection.execute(asked.format("m", "")).fetchall() == [("gross_t", 10)]
    assert connection.execute(asked.format("only_usd", "")).fetchall() == [("usd", 7)]
    usd = asked.format("m", ", quantity_basis := 'usd'")
    assert connection.execute(usd).fetchall() == [("usd", 7)]
    tonnes = asked.format("only_usd", ", quantity_basis := 'gross_t'")
    assert connection.execute(tonnes).fetchall() == []


def test_price_and_cover_of_less_than_nothing_are_null(connection):
    asked = "select ln_price_change(-1, 10, 0.5), cover_days(-5, 10), cover_days(5, 10)"
    assert connection.execute(asked).fetchone() == (None, None, pytest.approx(182.5))


PART = st.floats(0, 1)
TONNES = st.floats(0.01, 1e6)
FLOWS = st.dictionaries(
    st.tuples(st.sampled_from((*COUNTRIES, None)), st.sampled_from(COUNTRIES)).filter(
        lambda pair: pair[0] != pair[1]
    ),
    TONNES,
    min_size=1,
    max_size=25,
).map(lambda flows: [(*pair, tonnes) for pair, tonnes in flows.items()])
AREAS = st.lists(st.sampled_from((*COUNTRIES, "EU27")), unique=True, max_size=4)
CUTS = AREAS.filter(bool)
DRAWN = {
    "fraction": PART,
    "months": st.floats(0.1, 60),
    "spare_capacity": st.floats(0, 2),
    "stock_months": st.floats(0, 24),
    "partners": AREAS,
}


def _expanded(areas: Iterable[str]) -> set[str]:
    return {c for area in areas for c in (MEMBERS if area == "EU27" else (area,))}


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-6)


@given(trade=FLOWS, cut=CUTS, drawn=st.fixed_dictionaries(DRAWN))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_losses_sum_to_the_cut_part_of_all_exports_and_a_gap_is_what_is_left(
    invented, trade, cut, drawn
):
    _fill(invented, trade)
    found = _run(invented, cut, **drawn)
    cut_exports = sum(tonnes for exporter, _, tonnes in trade if exporter in _expanded(cut))
    expected = drawn["fraction"] * drawn["months"] / 12 * cut_exports
    assert _total(found, "loss_quantity") == near(expected)
    spare = sum(t for exporter, _, t in trade if exporter not in _expanded(cut))
    spare *= drawn["spare_capacity"] * drawn["months"] / 12
    assert _total(found, "offset_spare_quantity") <= spare * (1 + 1e-9) + 1e-6
    for row in found.values():
        offsets = row["offset_spare_quantity"] + row["offset_stock_quantity"]
        assert row["loss_quantity"] == near(offsets + row["gap_quantity"])
        assert 0 <= row["gap_quantity"] <= row["loss_quantity"] * (1 + 1e-9)
        assert row["loss_quantity"] <= row["imports_quantity"] * (1 + 1e-9)
        assert row["covered_days"] is None or (
            0 <= row["covered_days"] <= drawn["months"] * 365 / 12 * (1 + 1e-9)
        )


@given(trade=FLOWS, cut=CUTS, drawn=st.fixed_dictionaries(DRAWN))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_the_union_is_the_part_of_its_members_that_comes_from_outside(invented, trade, cut, drawn):
    _fill(invented, trade)
    found = _run(invented, cut, **drawn)
    outside = [
        (exporter, importer, tonnes)
        for exporter, importer, tonnes in trade
        if importer in MEMBERS and exporter not in MEMBERS
    ]
    assert ("EU27" in found) == bool(outside)
    if not outside:
        return
    year = drawn["months"] / 12
    union = found["EU27"]
    assert union["imports_quantity"] == near(year * sum(t for *_, t in outside))
    lost = {
        member: drawn["fraction"]
        * year
        * sum(t for e, i, t in outside if i == member and e in _expanded(cut))
        for member in MEMBERS
    }
    assert union["loss_quantity"] == near(sum(lost.values()))
    parts = {m: lost[m] / found[m]["loss_quantity"] for m in MEMBERS if lost[m] > 0}
    for quantity in QUANTITIES:
        assert union[quantity] == near(sum(found[m][quantity] * p for m, p in parts.items()))
    if not _expanded(cut) & set(MEMBERS):
        for quantity in QUANTITIES:
            members = sum(found[m][quantity] for m in MEMBERS if m in found)
            assert union[quantity] == near(members)
    if "EU27" in drawn["partners"]:
        assert union["is_served_first"]


MORE = ("fraction", "months")
LESS = ("stock_months", "spare_capacity")


@pytest.mark.parametrize("parameter", [*MORE, *LESS])
@given(data=st.data())
@settings(max_examples=8, deadline=None, derandomize=True)
def test_more_of_a_parameter_moves_all_importers_one_way(invented, parameter, data):
    """A bigger or longer cut never loses less; more stock or spare never leaves more missing."""
    _fill(invented, data.draw(FLOWS))
    cut, drawn = data.draw(CUTS), data.draw(st.fixed_dictionaries(DRAWN))
    values = sorted((drawn[parameter], data.draw(DRAWN[parameter])))
    low, high = (_run(invented, cut, **{**drawn, parameter: value}) for value in values)
    for importer, row in high.items():
        before = low[importer]
        slack = 1e-9 * row["imports_quantity"] + 1e-6
        if parameter in MORE:
            assert row["loss_quantity"] >= before["loss_quantity"] - slack
            assert row["gap_quantity"] >= before["gap_quantity"] - slack
        else:
            assert row["loss_quantity"] == near(before["loss_quantity"])
            assert row["gap_quantity"] <= before["gap_quantity"] + slack
