"""The publishers' own lists of codes and conversion workbooks, and the starter's copy."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.settings import PROJECT_ROOT
from pipelines.sources import iso_3166, un_m49, unsd_hs
from pipelines.sources.base import Document, Parsed
from starter.writers import unsd_hs as writer

pytestmark = pytest.mark.reference

CATALOG = load_catalog()
SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"


@pytest.fixture(scope="module")
def conversions(reference_data: Path) -> Parsed:
    folder = reference_data / "trade" / "nomenclature" / "unsd_conversion"
    documents = [Document.of(f) for f in sorted(folder.iterdir())]
    return unsd_hs.parse(CATALOG.source("unsd_hs").edition("all"), documents)


def test_every_pair_of_the_six_workbooks_is_there(conversions: Parsed) -> None:
    assert not conversions.quarantined
    counts = conversions.tables[unsd_hs.CONVERSION].group_by("from_revision", "kind").len()
    assert {(r, k): n for r, k, n in counts.rows()} == {
        ("HS96", "conversion"): 5130,
        ("HS96", "correlation"): 5426,
        ("HS02", "conversion"): 5223,
        ("HS02", "correlation"): 5611,
        ("HS07", "conversion"): 5052,
        ("HS07", "correlation"): 5664,
        ("HS12", "conversion"): 5205,
        ("HS12", "correlation"): 5364,
        ("HS17", "conversion"): 5388,
        ("HS17", "correlation"): 6141,
        ("HS22", "conversion"): 5613,
        ("HS22", "correlation"): 15657,
    }


def test_cobalt_moves_as_the_manifest_says(conversions: Parsed) -> None:
    table = conversions.tables[unsd_hs.CONVERSION].filter(
        (pl.col("kind") == "conversion") & (pl.col("from_code") == "810520")
    )
    moved = dict(table.select("from_revision", "to_code").rows())
    assert moved["HS02"] == "810510"
    assert moved["HS07"] == "810520"


def test_hs_lists_hold_every_code(reference_data: Path) -> None:
    folder = reference_data / "trade" / "comtrade" / "comtradr"
    files = [*sorted((folder / "csv_converted").glob("cmd_h?.csv")), folder / "reference/HS.json"]
    parsed = unsd_hs.parse(
        CATALOG.source("unsd_hs").edition("all"), [Document.of(f) for f in files]
    )
    assert not parsed.quarantined
    table = parsed.tables[unsd_hs.CODE]
    assert dict(table.group_by("hs_revision").len().rows()) == {
        "HS92": 6382,
        "HS96": 6475,
        "HS02": 6570,
        "HS07": 6374,
        "HS12": 6530,
        "HS17": 6709,
        "HS22": 6940,
        "HS": 8262,
    }
    magnets = table.filter(pl.col("hs_code") == "850511").get_column("hs_revision")
    assert magnets.n_unique() == 8


def test_list_with_sections_is_hs_2022(reference_data: Path) -> None:
    path = reference_data / "trade" / "nomenclature" / "hs" / "harmonized-system.csv"
    edition = CATALOG.source("unsd_hs").edition("HS2022")
    table = unsd_hs.parse(edition, [Document.of(path)]).tables[unsd_hs.CODE]
    assert (table.height, table.get_column("hs_revision").unique().to_list()) == (6940, ["HS22"])


def test_ref_country_agrees_with_iso_and_m49(reference_data: Path) -> None:
    country = reference_data / "trade" / "nomenclature" / "country"
    m49 = un_m49.parse(
        CATALOG.source("un_m49").edition("2025"), [Document.of(country / "UNSD-en.csv")]
    )
    iso_files = sorted((reference_data / "production" / "iso").glob("*.csv"))
    iso = iso_3166.parse(
        CATALOG.source("iso_3166").edition("2025"), [Document.of(f) for f in iso_files]
    )
    assert not m49.quarantined
    assert not iso.quarantined
    ours = pl.read_csv(SEEDS / "ref_country.csv", infer_schema=False).filter(
        pl.col("area_type") == "country"
    )
    expected = sorted(ours.select("country_iso3", "iso2", "m49").rows())
    areas = m49.tables[un_m49.AREA].select("iso3_code", "iso2_code", "m49_code").rows()
    assert sorted(areas) == expected
    listed = iso.tables[iso_3166.COUNTRY]
    for name in listed.get_column("document_name").unique():
        one = listed.filter(pl.col("document_name") == name)
        assert sorted(one.select("iso3_code", "iso2_code", "numeric_code").rows()) == expected


def test_both_m49_layouts_agree(reference_data: Path) -> None:
    country = reference_data / "trade" / "nomenclature" / "country"
    columns = ["m49_code", "iso2_code", "iso3_code", "region_code", "sub_region_code", "is_ldc"]
    tables = [
        un_m49.parse(CATALOG.source("un_m49").edition("2025"), [Document.of(country / name)])
        .tables[un_m49.AREA]
        .filter(pl.col("iso3_code") != "TWN")
        .select(columns)
        .sort("m49_code")
        for name in ("UNSD-en.csv", "country-codes.csv")
    ]
    assert tables[0].equals(tables[1])


def test_trade_codes_of_the_publishers_are_all_mapped(reference_data: Path) -> None:
    trade = reference_data / "trade"
    known = set(
        pl.read_csv(SEEDS / "labels" / "country__un.csv", infer_schema=False)["country_label"]
    )
    folder = trade / "comtrade" / "comtradr" / "csv_converted"
    lists = [folder / f"{name}.csv" for name in ("country_codes", "partner", "reporter")]
    lists += sorted((trade / "baci").rglob("*country_codes*.csv"))
    for path in lists:
        table = pl.read_csv(path, infer_schema=False, encoding="utf8-lossy")
        assert set(table.to_series(0)) <= known, path.name


def test_starter_carries_the_same_pairs(
    conversions: Parsed, reference_data: Path, tmp_path: Path
) -> None:
    writer.write(reference_data, tmp_path)
    key = list(unsd_hs.TABLES[unsd_hs.CONVERSION].key)
    copies = [
        unsd_hs.parse(
            CATALOG.source("unsd_hs").edition(folder.name),
            [Document.of(f) for f in folder.glob("*.xlsx")],
        ).tables[unsd_hs.CONVERSION]
        for folder in sorted(tmp_path.iterdir())
    ]
    assert len(copies) == 6
    copy = pl.concat(copies).select(*key, "relationship").sort(key)
    heading = [pl.col(c).str.slice(0, 4).is_in(writer.HEADINGS) for c in ("from_code", "to_code")]
    original = (
        conversions.tables[unsd_hs.CONVERSION]
        .filter(heading[0] | heading[1])
        .select(*key, "relationship")
        .sort(key)
    )
    assert copy.equals(original)
