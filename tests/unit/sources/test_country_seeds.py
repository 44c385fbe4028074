"""Reference tables of countries and elements, and the maps that lead to them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.settings import PROJECT_ROOT

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
AREA_TYPES = {"country", "historical", "aggregate", "residual", "unspecified"}


def seed(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


@pytest.fixture(scope="module")
def countries() -> pl.DataFrame:
    return seed(SEEDS / "ref_country.csv")


def test_all_249_countries_stand_once_and_sorted(countries: pl.DataFrame) -> None:
    codes = countries.get_column("country_iso3").to_list()
    assert codes == sorted(set(codes))
    listed = countries.filter(pl.col("area_type") == "country")
    assert listed.height == 249
    assert listed.select(pl.col("iso2", "m49").null_count()).row(0) == (0, 0)
    assert listed.get_column("m49").str.contains(r"^\d{3}$").all()


def test_namibia_keeps_its_letters(countries: pl.DataFrame) -> None:
    namibia = countries.filter(pl.col("country_iso3") == "NAM")
    assert namibia.get_column("iso2").to_list() == ["NA"]


def test_membership_of_2020_has_27_states_without_the_united_kingdom(
    countries: pl.DataFrame,
) -> None:
    members = countries.filter(pl.col("is_eu27") == "true").get_column("country_iso3").to_list()
    assert len(members) == 27
    assert "HRV" in members
    assert "GBR" not in members


def test_withdrawn_states_have_a_last_day(countries: pl.DataFrame) -> None:
    withdrawn = countries.filter(pl.col("area_type") == "historical")
    assert {"SUN", "CSK", "YUG", "SCG", "DDR", "ANT", "ZAR"} <= set(withdrawn["country_iso3"])
    assert withdrawn.get_column("valid_to").null_count() == 0
    assert countries.filter(pl.col("country_iso3").is_in(["WLD", "EU27"])).get_column(
        "area_type"
    ).unique().to_list() == ["aggregate"]


@pytest.mark.parametrize(
    "path", sorted((SEEDS / "labels").glob("country__*.csv")), ids=lambda p: p.stem
)
def test_country_maps_lead_to_known_countries(path: Path, countries: pl.DataFrame) -> None:
    table = seed(path)
    assert table.columns[:4] == ["country_label", "country_iso3", "area_type", "note"]
    assert table.get_column("country_label").is_unique().all()
    assert set(table.get_column("area_type")) <= AREA_TYPES
    codes = set(table.get_column("country_iso3").drop_nulls())
    assert codes <= set(countries.get_column("country_iso3"))
    nowhere = table.filter(pl.col("area_type").is_in(["residual", "unspecified"]))
    assert nowhere.get_column("country_iso3").null_count() == nowhere.height
    somewhere = table.filter(pl.col("area_type") == "country")
    assert somewhere.get_column("country_iso3").null_count() == 0


@pytest.mark.parametrize(
    ("code", "iso3", "area_type"),
    [
        ("0", "WLD", "aggregate"),
        ("58", "BEL", "historical"),
        ("97", None, "aggregate"),
        ("251", "FRA", "country"),
        ("490", "TWN", "country"),
        ("492", None, "unspecified"),
        ("516", "NAM", "country"),
        ("579", "NOR", "country"),
        ("699", "IND", "country"),
        ("757", "CHE", "country"),
        ("842", "USA", "country"),
        ("899", None, "unspecified"),
    ],
)
def test_trade_codes_that_are_not_m49(code: str, iso3: str | None, area_type: str) -> None:
    table = seed(SEEDS / "labels" / "country__un.csv")
    row = table.filter(pl.col("country_label") == code)
    assert row.select("country_iso3", "area_type").rows() == [(iso3, area_type)]


def test_materials_of_the_eu_study_are_materials_of_ours() -> None:
    labels = seed(SEEDS / "labels" / "material__eu_crm.csv")
    assert labels.get_column("material_label").is_unique().all()
    assert set(labels["material"]) <= set(seed(SEEDS / "ref_material.csv")["material"])


def test_rare_earths_of_the_agencies() -> None:
    table = seed(SEEDS / "ref_element.csv")
    groups = dict(table.group_by("group_eu").len().rows())
    assert groups == {"LREE": 5, "HREE": 10, "none": 1}
    magnet = table.filter(pl.col("in_iea_magnet_ree") == "true").get_column("symbol").to_list()
    assert magnet == ["Pr", "Nd", "Tb", "Dy"]
    oxides = dict(table.select("symbol", "oxide_formula").rows())
    assert (oxides["Ce"], oxides["Pr"], oxides["Tb"], oxides["Dy"]) == (
        "CeO2",
        "Pr6O11",
        "Tb4O7",
        "Dy2O3",
    )
