"""Concentration of one list of suppliers: what must hold for any quantities and any residual."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.settings import PROJECT_ROOT
from tests.support.measures import create_measures
from tests.support.models import model_sql

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
quantity = st.floats(min_value=1e-3, max_value=1e9, allow_nan=False)


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        create_measures(connection)
        connection.execute(
            f"""
            create table ref_threshold as from read_csv('{SEEDS / "ref_threshold.csv"}');
            create table int_concentration (
                material varchar, stage varchar, scope varchar, geo_iso3 varchar,
                reference_year integer, basis varchar, vintage_id varchar,
                source_edition_id varchar, source_edition_ids varchar[], flow_source varchar,
                quantities double[], suppliers varchar[], residual double, named_sum double,
                n_unquantified integer, printed_total double, n_source_cells integer,
                evidence_grade varchar
            )
            """
        )
        yield connection


def measured(connection: Any, quantities: list[float], residual: float) -> dict[str, Any]:
    ranked = sorted(quantities, reverse=True)
    connection.execute("delete from int_concentration")
    connection.execute(
        """
        insert into int_concentration values (
            'ore', 'mine', 'world_production', 'WLD', 2024, 'gross_t', 'latest', 'mines',
            ['mines'], null, $ranked::double[], $names, $residual, $total, 0, null, 1, 'A'
        )
        """,
        {
            "ranked": ranked,
            "names": [f"C{n:02}" for n in range(len(ranked))],
            "residual": residual,
            "total": sum(ranked),
        },
    )
    rows = connection.execute(model_sql("mart_concentration")).pl().to_dicts()
    assert len(rows) == 1
    return rows[0]


def test_one_named_supplier_is_not_compared_with_the_residual(database):
    row = measured(database, [1000.0], residual=200.0)
    assert row["n_suppliers"] == 1
    assert (row["hhi_norm"], row["evenness"]) == (None, None)
    assert row["hhi"] == pytest.approx((1000 / 1200) ** 2)
    assert row["hhi_high"] == pytest.approx((1000**2 + 200**2) / 1200**2)


def test_two_named_suppliers_are_normalised_with_the_residual_as_a_third(database):
    row = measured(database, [50.0, 30.0], residual=20.0)
    assert row["hhi_norm"] == pytest.approx((0.38 - 1 / 3) / (2 / 3))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    quantities=st.lists(quantity, min_size=1, max_size=12),
    residual=st.one_of(st.just(0.0), quantity),
)
@example(quantities=[3.0], residual=2.0)
def test_normalised_index_and_evenness_need_two_named_suppliers(database, quantities, residual):
    row = measured(database, quantities, residual)
    assert row["n_suppliers"] == len(quantities)
    assert (row["hhi_norm"] is None) == (row["evenness"] is None) == (len(quantities) == 1)
    for figure in (row["hhi_norm"], row["evenness"]):
        assert figure is None or -1e-9 <= figure <= 1 + 1e-9
