"""World tables of the Mineral Commodity Summaries, on small documents in the agency's layouts."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.sources import usgs_mcs
from pipelines.sources.base import Document, Parsed
from pipelines.sources.corrections import read_corrections
from pipelines.sources.usgs_mcs.world import WORLD


def parse(label: str, *paths: Path) -> Parsed:
    edition = load_catalog().source("usgs_mcs").edition(label)
    return usgs_mcs.parse(edition, [Document.of(p) for p in paths], read_corrections().clear())


def world(label: str, *paths: Path) -> pl.DataFrame:
    parsed = parse(label, *paths)
    assert not parsed.quarantined
    return parsed.tables[WORLD]


def cell(frame: pl.DataFrame, country: str, measure: str, year: int) -> dict[str, object]:
    found = frame.filter(
        pl.col("country_label") == country,
        pl.col("measure") == measure,
        pl.col("reference_year") == year,
    )
    return found.row(0, named=True)


@pytest.fixture
def folder(fixtures_dir: Path) -> Path:
    return fixtures_dir / "usgs_mcs"


@pytest.fixture
def antimony(folder: Path) -> pl.DataFrame:
    return world("2024", folder / "2024" / "mcs2024-antim_world.csv")


def test_layout_of_2022_has_no_reserves(folder: Path) -> None:
    frame = world("2022", folder / "2022" / "mcs2022-raree_world.csv")
    assert set(frame["measure"]) == {"production"}
    assert set(frame["series_label"]) == {"rare earths: mine production"}
    assert cell(frame, "United States", "production", 2020)["value_flag"] == "reported"
    assert cell(frame, "United States", "production", 2021)["value_flag"] == "estimated"
    assert cell(frame, "Fiji", "production", 2021)["value_flag"] == "withheld"


def test_one_row_a_value_cell_with_its_place(antimony: pl.DataFrame) -> None:
    assert antimony.height == 9 * 3
    chile = cell(antimony, "Chile", "production", 2023)
    assert (chile["row_number"], chile["column_number"]) == (2, 5)
    assert chile["column_name"] == "Prod_t_est_2023"
    assert (chile["value"], chile["unit_text"], chile["unit_label"]) == (10.0, "t", "t")
    assert chile["chapter_text"] == "antim"
    assert chile["chapter_label"] == "antimony"


def test_footnote_marks_go_and_names_keep_their_letters(antimony: pl.DataFrame) -> None:
    assert set(antimony["country_label"]) == {
        "Chile",
        "Japan",
        "Germany",
        "Namibia",
        "United States",
        "Korea, Republic of",
        "Peru",
        "Other countries",
        "World total (rounded)",
    }
    assert "Japane" in set(antimony["country_text"])


def test_reserves_belong_to_the_data_year(antimony: pl.DataFrame) -> None:
    reserves = antimony.filter(pl.col("measure") == "reserves")
    assert reserves["reference_year"].unique().to_list() == [2023]
    assert reserves["series_label"].unique().to_list() == ["antimony: reserves"]


@pytest.mark.parametrize(
    ("place", "flag", "value"),
    [
        (("Chile", "production", 2022), "zero", 0.0),
        (("Japan", "production", 2022), "estimated", 300.0),
        (("Germany", "production", 2022), "withheld", None),
        (("Namibia", "production", 2022), "reported", 40.0),
        (("Namibia", "production", 2023), "estimated", 50.0),
        (("Namibia", "reserves", 2023), "not_available", None),
        (("United States", "production", 2022), "below_half_unit", None),
        (("United States", "reserves", 2023), "qualitative", None),
        (("Korea, Republic of", "reserves", 2023), "lower_bound", None),
        (("Other countries", "reserves", 2023), "included_elsewhere", None),
    ],
)
def test_zero_withheld_missing_and_bounds_stay_apart(
    antimony: pl.DataFrame, place: tuple[str, str, int], flag: str, value: float | None
) -> None:
    found = cell(antimony, *place)
    assert (found["value_flag"], found["value"]) == (flag, value)


def test_half_unit_and_bound_have_ends(antimony: pl.DataFrame) -> None:
    half = cell(antimony, "United States", "production", 2022)
    assert (half["value_low"], half["value_high"]) == (0.0, 0.5)
    bound = cell(antimony, "Korea, Republic of", "reserves", 2023)
    assert (bound["value_low"], bound["value_high"]) == (90.0, None)


def test_type_column_is_known_by_its_place_and_empty_measures_are_left_out(folder: Path) -> None:
    frame = world("2024", folder / "2024" / "mcs2024-mica_world.csv")
    assert frame["series_label"].unique().to_list() == ["mica (natural): sheet production"]
    assert frame["value"].to_list() == [1000.0, 1100.0]


def test_zip_members_are_read_as_one_edition(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "world.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("mcs2024-antim_world.csv", "mcs2024-mica_world.csv"):
            archive.write(folder / "2024" / name, f"world/{name}")
        archive.writestr("world/mcs2024-antim_meta.xml", "<metadata/>")
        archive.writestr("world/readme.txt", "Revision notes")
    frame = world("2024", path)
    assert frame.height == 29
    assert "world.zip/world/mcs2024-mica_world.csv" in set(frame["document_name"])


def test_wide_layout_takes_words_from_notes(folder: Path) -> None:
    frame = world("2025", folder / "2025" / "MCS2025_World_Data.csv")
    flags = {
        (r["country_label"], r["measure"], r["reference_year"]): r["value_flag"]
        for r in frame.filter(pl.col("chapter_label") == "barite").iter_rows(named=True)
    }
    assert flags["United States", "production", 2023] == "withheld"
    assert flags["United States", "production", 2024] == "withheld"
    assert flags["United States", "reserves", 2024] == "not_available"
    assert flags["Peru", "production", 2023] == "not_available"
    assert flags["Peru", "production", 2024] == "estimated"
    assert flags["Peru", "reserves", 2024] == "qualitative"
    assert flags["Greece", "production", 2023] == "reported"
    assert flags["World total (rounded)", "reserves", 2024] == "included_elsewhere"
    assert (
        not frame.filter(pl.col("chapter_label") == "barite")["measure"].is_in(["capacity"]).any()
    )


def test_wide_layout_cannot_tell_zero_from_missing(folder: Path) -> None:
    frame = world("2025", folder / "2025" / "MCS2025_World_Data.csv")
    empty = cell(frame, "Other Countries", "production", 2024)
    assert (empty["value_text"], empty["value_flag"], empty["value"]) == (None, "blank", None)


def test_capacity_of_a_producing_series(folder: Path) -> None:
    frame = world("2025", folder / "2025" / "MCS2025_World_Data.csv")
    capacity = cell(frame, "Canada", "capacity", 2023)
    assert capacity["series_label"] == "aluminum: smelter capacity"
    assert capacity["value_flag"] == "estimated"
    assert cell(frame, "Canada", "production", 2023)["value_flag"] == "reported"


def test_long_layout_of_a_later_edition(folder: Path) -> None:
    frame = world("2027", folder / "2027" / "MCS2027_Commodities_Data.csv")
    cobalt = frame.filter(pl.col("chapter_label") == "cobalt")
    assert cell(cobalt, "Slovakia", "production", 2025)["value_flag"] == "zero"
    assert cell(cobalt, "Côte d’Ivoire", "production", 2025)["value_flag"] == "reported"
    assert cell(cobalt, "Türkiye", "production", 2026)["value_flag"] == "estimated"
    spread = cell(cobalt, "Congo (Kinshasa)", "production", 2026)
    assert (spread["value_flag"], spread["value_low"], spread["value_high"]) == (
        "range",
        50.0,
        300.0,
    )
    assert cell(cobalt, "Fiji", "reserves", 2026)["value_flag"] == "qualitative"
    assert cell(cobalt, "China", "capacity", 2026)["series_label"] == "cobalt: refinery capacity"
    assert frame["critical_text"].unique().to_list() == ["Yes"]


def test_two_world_rows_of_a_series_are_kept_apart(folder: Path) -> None:
    frame = world("2027", folder / "2027" / "MCS2027_Commodities_Data.csv")
    totals = frame.filter(
        pl.col("series_label") == "cobalt: mine production",
        pl.col("country_label").str.starts_with("World"),
    )
    assert dict(totals.select("country_label", "value").iter_rows()) == {
        "World total (rounded)": 2800.0,
        "World total": 2750.0,
    }


def test_long_layout_reads_utf8_as_well(folder: Path, tmp_path: Path) -> None:
    original = folder / "2027" / "MCS2027_Commodities_Data.csv"
    path = tmp_path / original.name
    path.write_bytes(original.read_bytes().decode("cp1252").encode("utf-8-sig"))
    columns = ["series_label", "country_label", "reference_year", "value", "value_flag"]
    assert world("2027", path).select(columns).equals(world("2027", original).select(columns))


def test_tables_of_one_name_and_another_content_are_quarantined(
    folder: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "mcs2024-antim_salient.csv"
    wrong.write_bytes((folder / "2024" / "mcs2024-antim_world.csv").read_bytes())
    parsed = parse("2024", folder / "2024" / "mcs2024-antim_world.csv", wrong)
    assert parsed.tables[WORLD].height == 27
    reasons = parsed.quarantined[WORLD]["quarantine_reason"].unique().to_list()
    assert reasons == ["a world table in a document of salient statistics"]
    assert parsed.quarantined[WORLD].height == 27


def test_corrections_of_chapters_that_are_absent_are_passed_over(folder: Path) -> None:
    edition = load_catalog().source("usgs_mcs").edition("2024")
    path = folder / "2024" / "mcs2024-antim_world.csv"
    assert usgs_mcs.parse(edition, [Document.of(path)]).tables[WORLD].height == 27
