"""World tables of the Mineral Commodity Summaries on the agency's documents, and the starter."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.settings import Settings
from pipelines.sources import usgs_mcs
from pipelines.sources.base import Document, Parsed
from pipelines.sources.label_maps import attach
from pipelines.sources.usgs_mcs.world import WORLD
from starter.writers import usgs_mcs as writer

pytestmark = pytest.mark.reference

REE = "rare earths: mine production"


@lru_cache(maxsize=8)
def parse(root: Path, label: str) -> Parsed:
    paths = sorted(p for p in (root / "production/usgs_mcs" / label).rglob("*") if p.is_file())
    edition = load_catalog().source("usgs_mcs").edition(label)
    return usgs_mcs.parse(edition, [Document.of(p) for p in paths])


def cells(root: Path, label: str) -> pl.DataFrame:
    frame = parse(root, label).tables[WORLD]
    meaning = {"country_iso3": "country_iso3", "area_type": "area_type"}
    return attach(frame, "country_label", "country__usgs", meaning)


@pytest.mark.parametrize(
    ("label", "rows", "quarantined"),
    [("2023", 3530, 9), ("2024", 3481, 144), ("2025", 3366, 0), ("2026", 3303, 0)],
)
def test_every_cell_is_accounted_for(
    reference_data: Path, label: str, rows: int, quarantined: int
) -> None:
    parsed = parse(reference_data, label)
    bad = parsed.quarantined.get(WORLD)
    assert parsed.tables[WORLD].height == rows
    assert (0 if bad is None else bad.height) == quarantined
    if bad is not None:
        assert set(bad["quarantine_reason"]) <= {
            "a world table in a document of salient statistics",
            "the column has no name",
        }


@pytest.mark.parametrize(
    ("label", "year", "total", "some"),
    [
        ("2025", 2023, 376_090, {"China": 255_000, "Burma": 43_000}),
        ("2025", 2024, 393_950, {"Australia": 13_000, "Thailand": 13_000, "Nigeria": 13_000}),
        ("2026", 2024, 384_000, {"Australia": 29_000, "Thailand": 2_100, "Nigeria": 1_500}),
        ("2026", 2025, 389_310, {"China": 270_000, "United States": 51_000}),
    ],
)
def test_rare_earth_mine_production(
    reference_data: Path, label: str, year: int, total: int, some: dict[str, int]
) -> None:
    rows = cells(reference_data, label).filter(
        pl.col("series_label") == REE, pl.col("reference_year") == year
    )
    assert rows.filter(pl.col("area_type") != "aggregate")["value"].sum() == total
    by_country = dict(rows.select("country_label", "value").iter_rows())
    assert {k: by_country[k] for k in some} == some


@pytest.mark.parametrize("label", writer.LABELS)
def test_no_footnote_mark_survives_in_a_country(reference_data: Path, label: str) -> None:
    frame = cells(reference_data, label)
    names = set(frame["country_label"])
    assert not names & {"Japane", "Germany6", "Chinae", "Chil", "Franc", "Greec", "Ukrain"}
    assert frame["area_type"].null_count() == 0
    plain = frame.filter(pl.col("area_type") == "country")
    assert plain["country_iso3"].null_count() == 0
    iso3 = dict(plain.select("country_label", "country_iso3").iter_rows())
    assert {k: iso3[k] for k in ("Chile", "France", "Greece", "Ukraine", "Namibia", "Turkey")} == {
        "Chile": "CHL",
        "France": "FRA",
        "Greece": "GRC",
        "Ukraine": "UKR",
        "Namibia": "NAM",
        "Turkey": "TUR",
    }


@pytest.mark.parametrize("label", writer.LABELS)
def test_no_country_stands_twice_in_a_primary_series(reference_data: Path, label: str) -> None:
    frame = attach(
        cells(reference_data, label),
        "series_label",
        "series__usgs_mcs",
        {"is_primary": "is_primary"},
    )
    primary = frame.filter(pl.col("is_primary") == "true", pl.col("area_type") == "country")
    # Helium of the United States comes in two rows, from gas and from storage.
    twice = primary.filter(
        pl.struct("series_label", "country_iso3", "reference_year").is_duplicated(),
        pl.col("chapter_label") != "helium and rare gases",
    )
    assert twice.is_empty()


@pytest.mark.parametrize("label", writer.LABELS)
def test_countries_add_up_to_the_printed_total(reference_data: Path, label: str) -> None:
    frame = cells(reference_data, label).filter(pl.col("measure") == "production")
    key = ["series_label", "reference_year", "unit_label"]
    areas = frame.filter(pl.col("area_type") != "aggregate")
    parts = areas.group_by(key).agg(pl.col("value").sum().alias("parts"))
    totals = frame.filter(pl.col("country_iso3") == "WLD", pl.col("value") > 0)
    compared = totals.join(parts, on=key).with_columns(ratio=pl.col("parts") / pl.col("value"))
    off = compared.filter((pl.col("ratio") - 1).abs() > 0.07)
    expected = {
        "2023": {"titanium mineral concentrates: mine production, ilmenite and rutile"},
    }
    assert set(off["series_label"]) <= expected.get(label, set())
    assert compared.height > 100


@pytest.mark.parametrize(
    ("label", "series", "country", "tons"),
    [
        ("2023", "vanadium: reserves", "Russia", 5_000_000),
        ("2025", "vanadium: reserves", "Russia", 5_000_000),
        ("2026", "vanadium: reserves", "Russia", 5_000_000),
        ("2023", "rhenium: reserves", "Chile", 1_300),
        ("2024", "selenium: reserves", "Canada", 6_000),
        ("2024", "talc and pyrophyllite: reserves", "United States (crude)", 140_000_000),
        ("2025", "molybdenum: reserves", "Chile", 1_400_000),
        ("2025", "iron ore: reserves, usable ore", "Australia", 58_000_000_000),
        ("2023", "zinc: reserves", "Australia", 66_000_000),
        ("2025", "titanium mineral concentrates: reserves, rutile", "Sierra Leone", 2_900_000),
    ],
)
def test_known_unit_errors_are_mended(
    reference_data: Path, label: str, series: str, country: str, tons: float
) -> None:
    frame = attach(
        cells(reference_data, label), "unit_label", "unit__usgs", {"factor_to_t": "factor_to_t"}
    )
    row = frame.filter(pl.col("series_label") == series, pl.col("country_label") == country)
    assert row["value"][0] * float(row["factor_to_t"][0]) == pytest.approx(tons)


def test_zero_lost_from_the_total_of_kaolin_is_put_back(reference_data: Path) -> None:
    row = cells(reference_data, "2025").filter(
        pl.col("series_label") == "clays: mine production, kaolin",
        pl.col("country_iso3") == "WLD",
        pl.col("reference_year") == 2024,
    )
    assert row.select("value_text", "value", "value_low", "value_high").rows() == [
        ("4400", 44_000.0, 44_000.0, 44_000.0)
    ]


def test_malformed_row_of_yttrium_is_mended(reference_data: Path) -> None:
    row = cells(reference_data, "2026").filter(pl.col("chapter_label") == "yttrium")
    assert row.select("critical_text", "value_flag", "value_low", "value_high").rows() == [
        ("Yes", "range", 10_000.0, 15_000.0)
    ]


@pytest.fixture(scope="module")
def starter() -> Path:
    return Settings().starter / "usgs_mcs"


@pytest.mark.slow
@pytest.mark.parametrize("label", writer.LABELS)
def test_starter_says_the_same_as_the_originals(
    reference_data: Path, starter: Path, label: str
) -> None:
    edition = load_catalog().source("usgs_mcs").edition(label)
    documents = [
        Document.of(p) for p in sorted((starter / label).iterdir()) if p.name != "edition.yml"
    ]
    columns = [
        *("series_label", "country_label", "measure", "reference_year", "unit_label"),
        *("value_text", "value", "value_low", "value_high", "value_flag", "critical_text"),
    ]
    original = usgs_mcs.parse(edition, writer.originals_of(reference_data, label))
    ours = usgs_mcs.parse(edition, documents)
    assert WORLD not in ours.quarantined
    left, right = (p.tables[WORLD].select(columns).sort(columns) for p in (original, ours))
    assert left.equals(right)


@pytest.mark.slow
def test_starter_is_byte_for_byte_what_its_writer_makes_of_the_originals(
    reference_data: Path, starter: Path, tmp_path: Path
) -> None:
    writer.write(reference_data, tmp_path)
    names = sorted(p.relative_to(starter) for p in starter.rglob("*") if p.is_file())
    assert len(names) == 11
    assert names == sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    for name in names:
        assert (tmp_path / name).read_bytes() == (starter / name).read_bytes()


@pytest.mark.slow
def test_starter_repeats_no_sentence_of_the_publisher(reference_data: Path, starter: Path) -> None:
    ours = usgs_mcs.parse(
        load_catalog().source("usgs_mcs").edition("2026"),
        [Document.of(starter / "2026" / "MCS2026_Commodities_Data.csv")],
    ).tables[WORLD]
    theirs = set(parse(reference_data, "2026").tables[WORLD]["note_text"].drop_nulls())
    long_notes = {note for note in theirs if len(note.split()) > 4}
    assert not long_notes & set(ours["note_text"].drop_nulls())
    assert ours["basis_text"].null_count() == ours.height
