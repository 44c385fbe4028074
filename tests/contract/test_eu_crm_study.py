"""The EU study's own files, and the starter's copy of their figures."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.settings import PROJECT_ROOT
from pipelines.sources import eu_crm
from pipelines.sources.base import Document, Parsed
from starter.writers import eu_crm as writer

pytestmark = pytest.mark.reference

EDITION = load_catalog().source("eu_crm").edition("2023")


@pytest.fixture(scope="module")
def study(reference_data: Path) -> Parsed:
    files = sorted((reference_data / "trade" / "eu_crm").iterdir())
    return eu_crm.parse(EDITION, [Document.of(f) for f in files])


def test_every_row_of_the_files_is_there(study: Parsed) -> None:
    assert not study.quarantined
    shares = study.tables[eu_crm.SHARE]
    assert dict(shares.group_by("scope").len().rows()) == {"world": 2561, "eu": 907}
    assert study.tables[eu_crm.CRITICALITY].height == 2 * 355


@pytest.mark.parametrize(
    ("material", "stage", "country", "percent"),
    [
        ("Dysprosium", "refining", "China", 100.0),
        ("Dysprosium", "mine", "China", 84.4),
        ("Dysprosium", "mine", "Myanmar", 9.3),
        ("Neodymium", "refining", "China", 84.9),
        ("Neodymium", "refining", "Malaysia", 10.5),
    ],
)
def test_world_shares_read_by_hand(
    study: Parsed, material: str, stage: str, country: str, percent: float
) -> None:
    row = study.tables[eu_crm.SHARE].filter(
        (pl.col("scope") == "world")
        & (pl.col("material_label") == material)
        & (pl.col("stage") == stage)
        & (pl.col("country_label") == country)
    )
    assert row.get_column("value").to_list() == [percent]


def test_indices_of_2023_read_by_hand(study: Parsed) -> None:
    table = study.tables[eu_crm.CRITICALITY].filter(pl.col("assessment_year") == 2023)
    for material, supply_risk, importance in (("HREEs", 5.1, 4.2), ("LREEs", 3.7, 5.9)):
        rows = table.filter(pl.col("material_label") == material)
        assert dict(rows.select("measure", "value").rows()) == {"sr": supply_risk, "ei": importance}


def test_no_two_rows_of_a_material_meet_in_one_country(study: Parsed) -> None:
    labels = PROJECT_ROOT / "dbt_project" / "seeds" / "labels"
    materials = pl.read_csv(labels / "material__eu_crm.csv", infer_schema=False)
    countries = pl.read_csv(labels / "country__eu_crm.csv", infer_schema=False)
    joined = (
        study.tables[eu_crm.SHARE]
        .join(materials.select("material_label", "material"), on="material_label")
        .join(countries.select("country_label", "country_iso3"), on="country_label")
        .filter(pl.col("country_iso3").is_not_null())
    )
    assert joined.filter(
        pl.struct("scope", "material", "stage", "country_iso3").is_duplicated()
    ).is_empty()


def test_starter_carries_the_same_figures(
    study: Parsed, reference_data: Path, tmp_path: Path
) -> None:
    writer.write(reference_data, tmp_path)
    files = sorted((tmp_path / "2023").glob("*.csv"))
    copy = eu_crm.parse(EDITION, [Document.of(f) for f in files])
    assert not copy.quarantined
    for name, spec in eu_crm.TABLES.items():
        columns = [*spec.key, "value_text", "value", "value_low", "value_high", "value_flag"]
        if name == eu_crm.SHARE:
            columns += ["trade_parameter", "reference_year"]
        assert (
            copy.tables[name]
            .select(columns)
            .sort(spec.key)
            .equals(study.tables[name].select(columns).sort(spec.key))
        )
