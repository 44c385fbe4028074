"""The real yearbook tables and historical statistics, figures checked by eye in the workbook."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.sources import usgs_myb
from pipelines.sources.base import Document, Parsed
from starter.writers import usgs_myb as writer

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def yearbook(reference_data: Path) -> Parsed:
    edition = load_catalog().source("usgs_myb").edition("2022")
    return usgs_myb.parse(edition, [Document.of(reference_data / writer.ORIGINAL)])


@pytest.fixture(scope="module")
def historical(reference_data: Path) -> pl.DataFrame:
    edition = load_catalog().source("usgs_myb").edition("ds140-2020")
    path = reference_data / "production/usgs_ds140/usgs_ds140_rare_earths_2020.xlsx"
    return usgs_myb.parse(edition, [Document.of(path)]).tables["raw_usgs_myb__historical"]


def test_file_name_tells_the_edition() -> None:
    source = load_catalog().source("usgs_myb")
    assert source.label_from_name(writer.ORIGINAL.name) == "2022"
    assert source.label_from_name("myb1-2019-raree.xlsx") == "2019"
    assert source.label_from_name("ds140-rare-earths-2020.xlsx") == "ds140-2020"


def test_nothing_is_quarantined(yearbook: Parsed) -> None:
    assert not yearbook.quarantined
    assert {name: table.height for name, table in yearbook.tables.items()} == {
        "raw_usgs_myb__production": 13 * 5,
        "raw_usgs_myb__oxide_distribution": 13 * 15,
        "raw_usgs_myb__price": 11 * 2,
        "raw_usgs_myb__historical": 0,
    }


@pytest.mark.parametrize(
    ("country", "year", "value", "flag"),
    [
        ("China", 2021, 168_000, "reported"),
        ("China", 2022, 210_000, "estimated"),
        ("Burma", 2020, 35_500, "estimated"),
        ("Burundi", 2022, 0, "zero"),
        ("United States", 2020, 39_000, "estimated"),
        ("United States", 2022, 42_500, "reported"),
        ("India", 2018, 2_900, "estimated"),
        ("Total", 2022, 297_000, "reported"),
    ],
)
def test_world_mine_production(
    yearbook: Parsed, country: str, year: int, value: float, flag: str
) -> None:
    table = yearbook.tables["raw_usgs_myb__production"]
    row = table.filter(country_label=country, reference_year=year)
    assert row.select("value", "value_flag").rows() == [(value, flag)]


OXIDES = [
    ("Bayan Obo, Nei Mongol Autonomous Region", "Nd", 18.5, 18.5, "reported"),
    ("Mount Weld Central Lanthanide, Western Australia", "Dy", 0.25, 0.25, "reported"),
    ("Longnan, Jiangxi Province", "Ce", 0, 1.09, "upper_bound"),
    ("Longnan, Jiangxi Province", "Y", 64.9, 64.9, "reported"),
    ("Mountain Pass, CA", "Dy", None, None, "not_available"),
    ("Southeast Guangdong Province", "Tb", 1.2, 1.2, "reported"),
]


@pytest.mark.parametrize("figure", OXIDES)
def test_oxide_distribution(yearbook: Parsed, figure: tuple[object, ...]) -> None:
    columns = ["deposit_label", "element", "value_low", "value_high", "value_flag"]
    table = yearbook.tables["raw_usgs_myb__oxide_distribution"]
    assert figure in table.select(columns).rows()


def test_oxides_of_a_deposit_add_up_to_about_100_percent(yearbook: Parsed) -> None:
    table = yearbook.tables["raw_usgs_myb__oxide_distribution"]
    sums = table.group_by("deposit_label").agg(pl.col("value_high").sum())["value_high"]
    assert sums.is_between(97.8, 103.6).all()


def test_every_deposit_is_in_the_seed(yearbook: Parsed) -> None:
    seeds = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"
    known = set(pl.read_csv(seeds / "ref_deposit.csv", infer_schema=False)["deposit_label"])
    assert set(yearbook.tables["raw_usgs_myb__oxide_distribution"]["deposit_label"]) == known


def test_prices(yearbook: Parsed) -> None:
    table = yearbook.tables["raw_usgs_myb__price"].filter(reference_year=2022)
    prices = dict(table.select("element", "value").rows())
    assert (prices["Sc"], prices["Nd"], prices["Tb"], prices["Dy"]) == (2100, 134, 2050, 382)


def test_historical_statistics(historical: pl.DataFrame) -> None:
    assert historical.height == 121 * 7
    by_key = {
        (row["series_label"], row["reference_year"]): (row["value"], row["value_flag"])
        for row in historical.iter_rows(named=True)
    }
    assert by_key["Production", 1900] == (227, "reported")
    assert by_key["Production", 2018] == (14_000, "reported")
    assert by_key["Production", 2001] == (0, "zero")
    assert by_key["Apparent consumption", 2011] == (None, "not_available")
    assert by_key["World production", 2020] == (243_000, "reported")


def test_starter_reads_like_the_original(
    yearbook: Parsed, reference_data: Path, tmp_path: Path
) -> None:
    writer.write(reference_data, tmp_path / "a")
    writer.write(reference_data, tmp_path / "b")
    (document,) = (tmp_path / "a" / writer.LABEL).glob("*.xlsx")
    twin = tmp_path / "b" / writer.LABEL / document.name
    assert document.read_bytes() == twin.read_bytes()
    edition = load_catalog().source("usgs_myb").edition(writer.LABEL)
    again = usgs_myb.parse(edition, [Document.of(document)])
    for name, table in yearbook.tables.items():
        names = [c for c in table.columns if c not in {"document_name", "document_sha256"}]
        assert again.tables[name].select(names).equals(table.select(names)), name
