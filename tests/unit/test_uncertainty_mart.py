"""Rows of `mart_uncertainty`: the point beside its interval, to the last digit."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.measures import create_measures
from tests.support.models import create_table, model_sql

MODEL = model_sql("mart_uncertainty")
MARTS = {
    "mart_concentration":
        "row_key scope material stage basis geo_iso3 reference_year hhi n_eff cr1 cr3 hhi_low "
        "hhi_high residual_share n_suppliers_unquantified top_share",
    "mart_dependency_flags":
        "row_key importer_iso3 material stage reference_year basis dependency_basis hhi_imports "
        "max_dependency",
    "mart_import_dependency":
        "row_key importer_iso3 material stage reference_year basis partner_iso3 share_of_imports "
        "dependency dependency_low dependency_high",
    "mart_partner_share": "row_key group_share",
    "mart_n1_coverage": "row_key n1_gross n1_gross_low n1_gross_high",
    "mart_eu_supply_risk": "row_key sr_stage",
    "mart_geopolrisk": "row_key supply_risk supply_risk_low supply_risk_high",
    "mart_import_reliance": "row_key import_reliance import_reliance_low import_reliance_high",
    "mart_supplier_switch": "row_key reallocation",
    "mart_trend": "row_key dln_hhi_5y",
    "mart_stage_bottleneck": "row_key bottleneck_stage concentration_keys",
}  # fmt: skip
LINEAGE = "vintage_id source_edition_id source_edition_ids evidence_grade"
OF = ("latest", "e", ["e"], "B")
TABLES = {
    **{name: f"{columns} {LINEAGE}" for name, columns in MARTS.items()},
    "int_uncertainty__combination": "mart mart_row_key list_key",
    "int_uncertainty__draws":
        "list_key supplier_iso3 mart mart_row_key metric p05 p50 p95 probabilities",
}  # fmt: skip
TEXTS = (
    "row_key scope material stage basis geo_iso3 importer_iso3 dependency_basis partner_iso3 "
    "bottleneck_stage vintage_id source_edition_id evidence_grade mart mart_row_key list_key "
    "supplier_iso3 metric"
)
#: Types of columns that hold no measure.
KINDS = {
    **dict.fromkeys(TEXTS.split(), "varchar"),
    **dict.fromkeys(["reference_year", "n_suppliers_unquantified"], "integer"),
    **dict.fromkeys(["concentration_keys", "source_edition_ids"], "varchar[]"),
    "probabilities": "double[]",
}
#: Measures whose mart has bounds of them.
BOUNDED = {"import_reliance", "n1_gross", "supply_risk"}
ONE_SIDE = "the errors of single figures move the measure to one side of the point"
few = settings(max_examples=12, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        create_measures(connection)
        for name, columns in TABLES.items():
            kinds = ", ".join(
                f"{column} {KINDS.get(column, 'double')}" for column in columns.split()
            )
            connection.execute(f"create table {name} ({kinds})")
        create_table(
            connection,
            "ref_uncertainty_setting",
            "setting value",
            ("n_draws", 1000.0),
            ("seed", 7.0),
        )
        create_table(
            connection,
            "int_uncertainty__limit",
            "threshold_id rule_set threshold mart metric drawn_metric position",
            ("eu_sr", "eu_sr", 1.0, "mart_eu_supply_risk", "sr_stage", "sr_stage", 1),
            ("named", "named", 0.0, "mart_stage_bottleneck", "bottleneck_margin", "margin", 1),
        )
        yield connection


def uncertainty(connection: Any, draws: list[tuple[Any, ...]], **marts: list[tuple[Any, ...]]):
    """Rows of the mart by metric, for draws ``(mart, metric, p05, p50, p95, probabilities)``."""
    rows = {name: [(*row, *OF) for row in found] for name, found in marts.items()}
    rows["int_uncertainty__combination"] = [(mart, "row", "list") for mart, *_ in draws]
    rows["int_uncertainty__draws"] = [(None, None, mart, "row", *found) for mart, *found in draws]
    for name in TABLES:
        connection.execute(f"delete from {name}")
    for name, found in rows.items():
        marks = ", ".join("?" for _ in found[0])
        connection.executemany(f"insert into {name} values ({marks})", found)
    columns = "metric, point, p05, p50, p95, threshold, probability_above, caveat"
    answer = connection.execute(f"select {columns} from ({MODEL})").fetchall()
    return {row[0]: dict(zip(columns.split(", "), row, strict=True)) for row in answer}


@few
@given(
    point=st.floats(min_value=0, max_value=1),
    below=st.floats(min_value=-1e-5, max_value=0.1),
    above=st.floats(min_value=-1e-5, max_value=0.1),
)
def test_a_point_lies_in_its_interval_to_the_last_digit_or_a_caveat_says_why(
    database, point, below, above
):
    p05, p95 = sorted((point - below, point + above))
    row = uncertainty(
        database,
        [("mart_supplier_switch", "reallocation", p05, (p05 + p95) / 2, p95, None)],
        mart_supplier_switch=[("row", point)],
    )["reallocation"]
    assert row["p05"] <= row["p50"] <= row["p95"]
    assert (row["caveat"] is None) == (row["p05"] <= row["point"] <= row["p95"])
    # What the draws hold, the row holds; what they miss by more than rounding, it misses.
    if p05 <= point <= p95:
        assert row["caveat"] is None
    elif max(p05 - point, point - p95) > 1e-6:
        assert row["caveat"] == ONE_SIDE
    assert [row["p05"], row["p95"]] == pytest.approx([p05, p95], abs=1e-6)


@pytest.mark.parametrize("digits", [0.1234567890123, 2 / 3, 1e-7, 1.0])
def test_an_interval_without_width_is_the_point_whatever_its_digits(database, digits):
    noise = digits * (1 + 1e-15)
    row = uncertainty(
        database,
        [("mart_partner_share", "group_share", noise, noise, noise, None)],
        mart_partner_share=[("row", digits)],
    )["group_share"]
    assert row["caveat"] is None


def test_the_caveat_names_what_moves_the_point(database):
    def caveat(mart: str, metric: str, point: float, unnamed: float = 0, bounds: int = 0):
        listed = ("list", "s", "m", "mine", "usd", "WLD", 2023, *[0.5] * 6, unnamed, bounds, 0.5)
        known = (point, 0.0, 1.0) if metric in BOUNDED else (point,)
        drawn = [(mart, metric, 0.3, 0.4, 0.5, None)]
        return uncertainty(
            database, drawn, **{mart: [("row", *known)]}, mart_concentration=[listed]
        )[metric]["caveat"]

    assert caveat("mart_trend", "dln_hhi_5y", 0.4) is None
    assert caveat("mart_trend", "dln_hhi_5y", 0.2) == ONE_SIDE
    assert "nobody names" in caveat("mart_trend", "dln_hhi_5y", 0.2, unnamed=0.1)
    assert "nobody names" in caveat("mart_geopolrisk", "supply_risk", 0.2, unnamed=0.1)
    # Their total is the same, however the rest is split.
    assert caveat("mart_n1_coverage", "n1_gross", 0.2, unnamed=0.1) == ONE_SIDE
    assert "only a bound" in caveat("mart_n1_coverage", "n1_gross", 0.2, bounds=1)
    assert "an end of what it can be" in caveat("mart_import_reliance", "import_reliance", 1.0)
    assert caveat("mart_import_reliance", "import_reliance", 0.9) == ONE_SIDE


def test_the_margin_is_that_of_the_named_stage_and_its_threshold_has_a_probability(database):
    def listed(key: str, stage: str, share: float) -> tuple[Any, ...]:
        return (key, "s", "m", stage, "usd", "WLD", 2023, *[0.5] * 6, 0.0, 0, share)

    found = uncertainty(
        database,
        [("mart_stage_bottleneck", "bottleneck_margin", -0.1, 0.05, 0.2, [0.7])],
        mart_stage_bottleneck=[("row", "refining", ["a", "b", "c"])],
        mart_concentration=[
            listed("a", "mine", 0.5), listed("b", "refining", 0.6), listed("c", "metal", 0.4)
        ],
    )["bottleneck_margin"]  # fmt: skip
    assert found["point"] == pytest.approx(0.1)
    assert (found["threshold"], found["probability_above"]) == (0.0, 0.7)
    assert found["caveat"] is None
