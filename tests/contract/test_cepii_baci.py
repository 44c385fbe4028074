"""BACI's real files, and the starter that is written from them."""

from __future__ import annotations

import zipfile
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.errors import DocumentUnreadable, EditionRefused
from pipelines.settings import Settings
from pipelines.sources.base import Document, Parsed
from pipelines.sources.cepii_baci import COUNTRY, PRODUCT, TRADE, parse
from starter.writers import cepii_baci as writer

pytestmark = pytest.mark.reference

SAMPLE = "riops_ExampleTradeData_HS92_Y2021_V202301_exporters_4_710.csv"
#: Files in a layout of the publisher, and their rows; all others are refused.
ROWS = {
    "raw_samples/country_codes_V202001.csv": 227,
    "raw_samples/country_codes_V202201.csv": 238,
    "raw_samples/geopolrisk_country_codes_V202401b.csv": 238,
    "raw_samples/geopolrisk_product_codes_HS92_V202401b.csv": 5022,
    f"raw_samples/{SAMPLE}": 71_192,
    "varcolacus/country_codes_V202601.csv": 238,
    "hs92_1995_2024/country_codes.csv": 238,
}


@pytest.fixture(scope="module")
def folder(reference_data: Path) -> Path:
    return reference_data / "trade" / "baci"


def _parse(path: Path) -> Parsed:
    source = load_catalog().source("cepii_baci")
    edition = source.edition(source.label_from_name(path.name) or "unnamed")
    return parse(edition, [Document.of(path)])


def test_every_file_is_read_or_refused_in_one_line(folder: Path) -> None:
    read: dict[str, int] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        refusal = ""
        try:
            parsed = _parse(path)
        except EditionRefused as error:
            refusal = str(error)
        if refusal:
            assert "\n" not in refusal
            assert path.name in refusal
            continue
        assert parsed.rows_quarantined == 0
        read[str(path.relative_to(folder))] = parsed.rows_out
    assert read == ROWS


def test_sample_rewritten_by_r(folder: Path) -> None:
    table = _parse(folder / "raw_samples" / SAMPLE).tables[TRADE]
    assert table.get_column("exporter_code").unique().sort().to_list() == ["4", "710"]
    assert table.get_column("quantity_t").null_count() == 2306
    assert table.filter(pl.col("hs_code").str.starts_with("0")).height == 4442
    assert table.filter(pl.col("quantity_t_text") == "NA").height == 2306
    assert table.row(0, named=True)["value_kusd"] == 52.051


def test_letters_that_a_list_lost_stay_lost(folder: Path) -> None:
    table = _parse(folder / "varcolacus" / "country_codes_V202601.csv").tables[COUNTRY]
    lost = table.filter(pl.col("country_code").is_in(["490", "516"]))
    assert lost.select("country_iso2", "country_iso3").rows() == [(None, "S19"), (None, "NAM")]


def test_product_list_keeps_leading_zeros(folder: Path) -> None:
    path = folder / "raw_samples" / "geopolrisk_product_codes_HS92_V202401b.csv"
    table = _parse(path).tables[PRODUCT]
    assert table.get_column("hs_code")[0] == "010111"
    assert table.get_column("hs_code").str.len_chars().unique().to_list() == [6]


def test_table_of_a_third_party_is_named(folder: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="columns i, j, cmd, value are no layout"):
        _parse(folder / "varcolacus" / "baci_2022.csv")


@pytest.fixture(scope="module")
def starter() -> Path:
    return Settings().starter / "cepii_baci"


@cache
def _edition(starter: Path, label: str) -> Parsed:
    edition = load_catalog().source("cepii_baci").edition(label)
    return parse(edition, [Document.of(path) for path in sorted((starter / label).glob("*.zip"))])


@pytest.mark.slow
def test_starter_holds_exactly_the_figures_of_the_original(
    starter: Path, reference_data: Path
) -> None:
    parsed = _edition(starter, "HS92-V202601")
    assert parsed.rows_quarantined == 0
    written = parsed.tables[TRADE].select(
        pl.col("reference_year").alias("t"),
        pl.col("exporter_code").cast(pl.Int16).alias("i"),
        pl.col("importer_code").cast(pl.Int16).alias("j"),
        pl.col("hs_code").alias("k"),
        pl.col("value_kusd").alias("v"),
        pl.col("quantity_t").alias("q"),
    )
    original = pl.read_parquet(
        reference_data / "trade/baci/hs92_1995_2024/baci_hs92_1995_2024_74_codes.parquet"
    ).filter(~pl.col("k").str.starts_with("27"))
    keys = ["t", "i", "j", "k"]
    # The publisher prints three decimals; a dozen of the held doubles are a last bit beside them.
    exact = original.with_columns(pl.col("v", "q").round(3)).sort(keys)
    assert written.sort(keys).equals(exact.cast(dict(written.schema)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("importer", "code", "expected"),
    [
        ("392", "284690", {"156": (211.9, 3902), "458": (175.9, 3502)}),
        ("392", "280530", {"156": (194.1, None), "704": (100.3, None), "764": (43.7, None)}),
    ],
)
def test_imports_of_japan_in_2023(
    starter: Path, importer: str, code: str, expected: dict[str, tuple[float, int | None]]
) -> None:
    table = _edition(starter, "HS92-V202601").tables[TRADE]
    flows = table.filter(
        (pl.col("importer_code") == importer)
        & (pl.col("hs_code") == code)
        & (pl.col("reference_year") == 2023)
    ).sort("value_kusd", descending=True)
    assert flows.get_column("exporter_code").head(len(expected)).to_list() == list(expected)
    for exporter, (million_usd, tonnes) in expected.items():
        row = flows.row(by_predicate=pl.col("exporter_code") == exporter, named=True)
        assert row["value_kusd"] / 1000 == pytest.approx(million_usd, abs=0.05)
        if tonnes is not None:
            assert row["quantity_t"] == pytest.approx(tonnes, abs=0.5)


@pytest.mark.slow
def test_starter_magnets_stand_in_two_revisions(starter: Path, reference_data: Path) -> None:
    original = pl.read_csv(
        reference_data / "trade/baci/varcolacus/flows/derived_850511_2002_2024.csv"
    )
    for label, first, last in (("HS02-V202601", 2002, 2016), ("HS17-V202601", 2017, 2024)):
        table = _edition(starter, label).tables[TRADE]
        mine = original.filter(pl.col("year").is_between(first, last))
        assert table.height == mine.height
        assert table.get_column("quantity_t").null_count() == table.height
        totals = table.group_by("reference_year").agg((pl.col("value_kusd") * 1000).round().sum())
        expected = mine.group_by("year").agg(pl.col("value_usd").sum().cast(pl.Float64))
        assert totals.sort("reference_year").rows() == expected.sort("year").rows()
    flows = _edition(starter, "HS02-V202601").tables[TRADE]
    for code, first, last in (("736", 2002, 2011), ("729", 2012, 2016)):
        years = flows.filter(
            (pl.col("importer_code") == code) | (pl.col("exporter_code") == code)
        ).get_column("reference_year")
        assert (years.min(), years.max()) == (first, last)


def members(folder: Path) -> dict[tuple[str, str], bytes]:
    """What the zips hold, by edition and name; how years are packed into zips may change."""
    found: dict[tuple[str, str], bytes] = {}
    for path in sorted(folder.rglob("*.zip")):
        with zipfile.ZipFile(path) as zipped:
            for name in zipped.namelist():
                content = zipped.read(name)
                assert found.setdefault((path.parent.name, name), content) == content
    return found


@pytest.mark.slow
@pytest.mark.exhaustive
def test_starter_holds_what_its_writer_makes_of_the_original(
    starter: Path, reference_data: Path, tmp_path: Path
) -> None:
    writer.write(reference_data, tmp_path)
    written, held = members(tmp_path), members(starter)
    assert written.keys() == held.keys()
    assert [name for name in held if written[name] != held[name]] == []


def test_starter_is_small_and_says_what_it_is(starter: Path) -> None:
    files = [path for path in starter.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 10_000_000
    assert max(path.stat().st_size for path in files) < 1_400_000
    source = load_catalog().source("cepii_baci")
    for path in files:
        if path.suffix == ".zip":
            assert source.label_from_name(path.name) == path.parent.name
    assert len([p for p in files if p.name == "edition.yml"]) == 3
