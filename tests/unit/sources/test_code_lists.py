"""Lists of areas (M49) and of countries (ISO 3166-1)."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources import iso_3166, un_m49
from pipelines.sources.base import Document, Parsed


@pytest.fixture
def m49() -> Edition:
    return load_catalog().source("un_m49").edition("2026-11")


@pytest.fixture
def iso() -> Edition:
    return load_catalog().source("iso_3166").edition("2026-11")


def areas(fixtures: Path, edition: Edition) -> Parsed:
    return un_m49.parse(edition, [Document.of(fixtures / "un_m49" / "UNSD-en.csv")])


def changed(folder: Path, fixtures: Path, edition: Edition, change: tuple[str, str]) -> Parsed:
    """The list of areas with one text replaced by another."""
    text = (fixtures / "un_m49" / "UNSD-en.csv").read_text(encoding="utf-8")
    path = folder / "m49.csv"
    path.write_text(text.replace(*change, 1), encoding="utf-8")
    return un_m49.parse(edition, [Document.of(path)])


def test_area_codes_stay_text_and_namibia_keeps_its_letters(
    fixtures_dir: Path, m49: Edition
) -> None:
    parsed = areas(fixtures_dir, m49)
    assert not parsed.quarantined
    assert parsed.tables[un_m49.AREA].select("m49_code", "iso2_code", "iso3_code").rows() == [
        ("516", "NA", "NAM"),
        ("004", "AF", "AFG"),
        ("533", "AW", "ABW"),
        ("680", None, None),
    ]


def test_ticks_become_true_and_false(fixtures_dir: Path, m49: Edition) -> None:
    table = areas(fixtures_dir, m49).tables[un_m49.AREA]
    assert table.select("area_text", "is_ldc", "is_lldc", "is_sids").rows()[1:3] == [
        ("Afghanistan", True, True, False),
        ("Aruba", False, False, True),
    ]


def test_semicolons_of_the_present_download_are_read_alike(
    tmp_path: Path, fixtures_dir: Path, m49: Edition
) -> None:
    text = (fixtures_dir / "un_m49" / "UNSD-en.csv").read_text(encoding="utf-8")
    path = tmp_path / "UNSD - Methodology.csv"
    path.write_text(text.replace(",", ";"), encoding="utf-8-sig")
    other = un_m49.parse(m49, [Document.of(path)]).tables[un_m49.AREA]
    columns = [c for c in other.columns if not c.startswith("document")]
    assert other.select(columns).equals(
        areas(fixtures_dir, m49).tables[un_m49.AREA].select(columns)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("M49 Code", "Code"), "column 'M49 Code' is missing"),
        (("Country or Area", "Country or Area,Capital"), "column 'Capital' is not known"),
    ],
)
def test_changed_header_is_refused_by_name(
    tmp_path: Path, fixtures_dir: Path, m49: Edition, change: tuple[str, str], message: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=message):
        changed(tmp_path, fixtures_dir, m49, change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("516,NA", "5160,NA"), "M49 code is not a number of up to three digits"),
        (("NA,NAM", "Na,NAM"), "ISO code is not two or three capital letters"),
        (("NA,NAM", ",NAM"), "one of the two ISO codes is missing"),
        (("533,AW", "004,AW"), "duplicate key (document_name, m49_code)"),
    ],
)
def test_bad_areas_are_set_aside(
    tmp_path: Path, fixtures_dir: Path, m49: Edition, change: tuple[str, str], reason: str
) -> None:
    parsed = changed(tmp_path, fixtures_dir, m49, change)
    assert parsed.tables[un_m49.AREA].height == 3
    assert parsed.quarantined[un_m49.AREA].get_column("quarantine_reason").to_list() == [reason]


def test_both_compilations_of_iso_give_the_same_codes(fixtures_dir: Path, iso: Edition) -> None:
    files = sorted((fixtures_dir / "iso_3166").iterdir())
    parsed = iso_3166.parse(iso, [Document.of(f) for f in files])
    assert not parsed.quarantined
    table = parsed.tables[iso_3166.COUNTRY]
    codes = ["iso2_code", "iso3_code", "numeric_code"]
    first = table.filter(pl.col("document_name") == "all.csv").select(codes).rows()
    second = table.filter(pl.col("document_name") == "country-codes.csv").select(codes).rows()
    assert first == [("AF", "AFG", "004"), ("NA", "NAM", "516"), ("AQ", "ATA", "010")]
    assert set(second) < set(first)
    assert table.get_column("independence_text").to_list() == [None, None, None, "Yes", "Yes"]


def test_namibia_without_its_letters_is_set_aside(
    tmp_path: Path, fixtures_dir: Path, iso: Edition
) -> None:
    text = (fixtures_dir / "iso_3166" / "all.csv").read_text(encoding="utf-8")
    path = tmp_path / "all.csv"
    path.write_text(text.replace("Namibia,NA,", "Namibia,,"), encoding="utf-8")
    bad = iso_3166.parse(iso, [Document.of(path)]).quarantined[iso_3166.COUNTRY]
    assert bad.select("iso3_code", "quarantine_reason").rows() == [
        ("NAM", "alpha-2 is not two capital letters")
    ]


def test_other_tables_are_refused_with_what_was_found(tmp_path: Path, iso: Edition) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("metal,price\ntin,3\n")
    with pytest.raises(DocumentUnreadable, match=r"no list of countries .*\[prices.csv\]"):
        iso_3166.parse(iso, [Document.of(path)])
