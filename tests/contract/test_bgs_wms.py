"""Real exports of the British Geological Survey, and the emulator's form held to them."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.settings import PROJECT_ROOT
from pipelines.sources import bgs_wms
from pipelines.sources.base import Document, Parsed
from tests.emulator.publishers.bgs_wms import _features

pytestmark = pytest.mark.reference

ROWS = {
    "BGS_REs_production.csv": 639,
    "BGS_cobalt_production.csv": 1_571,
    "BGS_copper_production.csv": 6_843,
    "BGS_ferroalloys_production.csv": 8_140,
    "BGS_graphite_production.csv": 991,
    "BGS_lithium_production.csv": 911,
    "BGS_magnesium_production.csv": 490,
    "BGS_manganese_production.csv": 1_576,
    "BGS_nickel_production.csv": 2_509,
    "BGS_platinum_production.csv": 1_178,
}


@pytest.fixture(scope="module")
def folder(reference_data: Path) -> Path:
    return reference_data / "production" / "bgs"


@pytest.fixture(scope="module")
def parsed(folder: Path) -> Parsed:
    edition = load_catalog().source("bgs_wms").edition("2023")
    return bgs_wms.parse(edition, [Document.of(p) for p in sorted(folder.glob("*.csv"))])


@pytest.fixture(scope="module")
def table(parsed: Parsed) -> pl.DataFrame:
    return parsed.tables[bgs_wms.PRODUCTION]


@pytest.fixture(scope="module")
def series() -> pl.DataFrame:
    path = PROJECT_ROOT / "dbt_project" / "seeds" / "labels" / "series__bgs_wms.csv"
    return pl.read_csv(path, infer_schema=False)


def test_every_row_is_let_in(parsed: Parsed, table: pl.DataFrame) -> None:
    assert parsed.rows_quarantined == parsed.rows_out_of_scope == 0
    assert dict(table.group_by("document_name").len().iter_rows()) == ROWS


def test_figures_are_those_of_the_quantity_field(table: pl.DataFrame) -> None:
    numbers = table.filter(pl.col("value_flag").is_in(["reported", "estimated", "zero"]))
    assert (numbers.get_column("value") == numbers.get_column("quantity_text").cast(float)).all()
    others = table.filter(~pl.col("value_flag").is_in(["reported", "estimated", "zero"]))
    assert others.get_column("value").null_count() == others.height


def test_the_map_holds_every_series_of_the_exports_and_no_other(
    table: pl.DataFrame, series: pl.DataFrame
) -> None:
    assert set(table.get_column("series_label")) == set(series.get_column("series_label"))


def test_the_only_code_that_names_another_country_is_congos(table: pl.DataFrame) -> None:
    path = PROJECT_ROOT / "dbt_project" / "seeds" / "labels" / "country__bgs.csv"
    joined = table.join(pl.read_csv(path, infer_schema=False), on="country_label")
    wrong = joined.filter(pl.col("country_iso3_text") != pl.col("country_iso3"))
    assert wrong.get_column("country_label").unique().to_list() == ["Congo"]


def test_primary_series_of_a_key_have_one_figure_a_country_and_form(
    table: pl.DataFrame, series: pl.DataFrame
) -> None:
    """No sum counts twice: a country's total never stands beside its parts."""
    primary = table.join(series, on="series_label").filter(
        (pl.col("is_primary") == "true")
        & (pl.col("reference_year") >= pl.col("primary_from").cast(int).fill_null(0))
    )
    several = primary.group_by("material", "stage", "basis", "country_label", "reference_year").agg(
        pl.col("series_label").sort()
    )
    combined = {
        (row["material"], tuple(row["series_label"]))
        for row in several.filter(pl.col("series_label").list.len() > 1).iter_rows(named=True)
    }
    assert {material for material, _ in combined} == {"Li", "Mn"}
    for material, labels in combined:
        assert material == "Li" or "manganese ore" not in labels
        assert material == "Mn" or all("Li content" in label for label in labels)


def test_no_primary_series_begins_with_a_fraction_of_its_producers(
    table: pl.DataFrame, series: pl.DataFrame
) -> None:
    primary = table.join(series, on="series_label").filter(
        (pl.col("is_primary") == "true")
        & (pl.col("reference_year") >= pl.col("primary_from").cast(int).fill_null(0))
    )
    counts = primary.group_by("material", "stage", "basis", "reference_year").agg(
        pl.col("country_label").n_unique().alias("n")
    )
    for key, years in counts.group_by("material", "stage", "basis"):
        ordered = years.sort("reference_year").get_column("n").to_list()
        steps = itertools.pairwise(ordered)
        assert all(min(a, b) * 2 > max(a, b) for a, b in steps), key


def test_the_emulator_has_the_fields_of_the_exports(folder: Path) -> None:
    for path in folder.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as handle:
            header = set(next(csv.reader(handle)))
        emulated = set(_features(2023, 0)[0]["properties"])
        assert header - {"x", "y"} == emulated - {"synthetic_id"}


def test_the_emulators_tokens_are_among_those_of_the_exports(table: pl.DataFrame) -> None:
    told = {
        (f["properties"]["data_precision_description"], f["properties"]["sdmx_translation"])
        for f in _features(2023, 0)
    }
    real = set(table.get_column("precision_text").unique().to_list())
    assert {precision for precision, _ in told} <= real
