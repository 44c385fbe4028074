"""The scenario macro on small invented trade: what it conserves and which way it moves."""

from __future__ import annotations

import math

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


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as made:
        create_measures(made)
        made.execute(
            """
            create table mart_import_dependency (
                vintage_id varchar, importer_iso3 varchar, partner_iso3 varchar, material varchar,
                stage varchar, reference_year integer, basis varchar, import_reliance double,
                imports_usd double, imports_gross_t double, flow_source varchar,
                source_edition_id varchar
            )
            """
        )
        rows = [*TRADE, ("CHN", "EU27", 10.0)]
        for exporter, importer, tonnes in rows:
            reliance = 0.5 if importer == "USA" else None
            made.execute(
                "insert into mart_import_dependency values ('latest', ?, ?, 'm', 's', 2024,"
                " 'gross_t', ?, null, ?, 'toy', 'toy-1')",
                [importer, exporter, reliance, tonnes],
            )
        yield made


def _run(connection, cut=("CHN",), **parameters):
    told = ", ".join(f"{name} := {value}" for name, value in parameters.items())
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
    found = _run(connection, spare_capacity=1.0, partners="['JPN']")
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


PART = st.floats(0, 1)


@given(less=PART, more=PART, spare=st.floats(0, 2), stock=st.floats(0, 24), months=st.floats(1, 36))
@settings(max_examples=40, deadline=None)
def test_a_larger_cut_never_leaves_less_missing_and_the_gap_stays_below_the_loss(
    connection, less, more, spare, stock, months
):
    less, more = sorted((less, more))
    small = _run(connection, fraction=less, spare_capacity=spare, stock_months=stock, months=months)
    large = _run(connection, fraction=more, spare_capacity=spare, stock_months=stock, months=months)
    for importer, row in large.items():
        assert row["gap_quantity"] >= small[importer]["gap_quantity"] - 1e-6
        assert -1e-9 <= row["gap_quantity"] <= row["loss_quantity"] + 1e-9


@given(spare=st.tuples(st.floats(0, 2), st.floats(0, 2)), stock=st.tuples(PART, PART))
@settings(max_examples=40, deadline=None)
def test_more_stock_or_capacity_never_leaves_more_missing(connection, spare, stock):
    poor = _run(connection, spare_capacity=min(spare), stock_months=12 * min(stock))
    rich = _run(connection, spare_capacity=max(spare), stock_months=12 * max(stock))
    for importer, row in rich.items():
        assert row["gap_quantity"] <= poor[importer]["gap_quantity"] + 1e-6
