"""What the summaries call series, countries and estimates, and how it is read."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.catalog import load_catalog
from pipelines.errors import UnknownLabel
from pipelines.sources.label_maps import read_map, read_reference
from pipelines.sources.usgs_mcs.countries import resolve_countries
from pipelines.sources.usgs_mcs.layouts import Layout, sniff
from pipelines.sources.usgs_mcs.notes import read_note
from pipelines.sources.usgs_mcs.series import MEASURES, load_series

EDITION = load_catalog().source("usgs_mcs").edition("2024")


@pytest.mark.parametrize(
    ("chapter", "measure", "text", "label"),
    [
        ("antimony", "production", "Mine production, contained antimony", "mine production"),
        ("antimony", "production", "Mine production, antimony content", "mine production"),
        ("antimony", "production", "Mine production: rounded", "mine production"),
        ("antimony", "reserves", "Mine production, antimony content", "reserves"),
        ("chromium", "production", "Mne production, grosss weight, marketable chromite ore",
         "mine production"),
        ("clays", "production", "Mine poduction, Fuller's earth",
         "mine production, fuller's earth"),
        ("clays", "production", "Mine production: Fuller’s earth, rounded",
         "mine production, fuller's earth"),
        ("copper", "production", "Refinery production, copper", "refinery production"),
        ("copper", "reserves", "Refinery production, copper", "refinery reserves"),
        ("iron ore", "production",
         "Iron ore - mine production - usable ore -thousand metric tons",
         "mine production, usable ore"),
        ("iron ore", "production", "Mine production: Iron content, rounded",
         "mine production, content"),
        ("iron oxide pigments", "production", None, "mine production"),
        ("rare earths", "production",
         "Rare earths, mine production, rare-earth-oxide equivalent, metric tons",
         "mine production"),
        ("platinum-group metals", "reserves", "PGM reserves: rounded", "reserves"),
        ("cesium", "reserves", "Two countries were estimated to have less than 5,000 tons",
         "reserves"),
    ],
)  # fmt: skip
def test_wordings_lead_to_one_series(
    chapter: str, measure: str, text: str | None, label: str
) -> None:
    assert load_series().label(chapter, measure, [text]) == f"{chapter}: {label}"


@pytest.mark.parametrize(
    ("area", "label"),
    [
        ("World total (ilmenite and rutile, rounded)", "ilmenite and rutile"),
        ("World total (ilmenite, rounded)", "ilmenite"),
    ],
)
def test_name_of_a_total_may_name_the_series(area: str, label: str) -> None:
    chapter = "titanium mineral concentrates"
    text = "Mine production, ilmentite, titanium dioxide (TiO2) content"
    assert load_series().label(chapter, "production", [text], area).endswith(f", {label}")


def test_new_word_makes_no_known_series() -> None:
    maps = load_series()
    assert maps.label("cobalt", "production", ["Mine production, recycled"]) not in maps.known
    assert maps.label("cobalt", "production", ["Refinery production"]) in maps.known


def test_every_series_leads_to_its_own_label() -> None:
    maps = load_series()
    for (chapter, measure), group in maps.labels.items():
        assert measure in MEASURES
        assert chapter in maps.chapters.values()
        for label in group.values():
            assert maps.label(chapter, measure, [label.partition(": ")[2]]) == label


def test_series_lead_to_known_materials_and_stages() -> None:
    series = read_map("series__usgs_mcs")
    materials = set(read_reference("ref_material")["material"])
    assert set(series["material"]) <= materials
    assert set(series["stage"]) <= {"mine", "refining", "metal", "product"}
    assert set(series["basis"].drop_nulls()) == {"gross_t", "reo_t", "element_t", "oxide_t"}
    assert series["series_label"].is_unique().all()
    rare_earths = series.filter(pl.col("series_label") == "rare earths: mine production")
    assert rare_earths.select("material", "stage", "basis").row(0) == (
        "REE_total",
        "mine",
        "reo_t",
    )


def test_all_rare_earth_elements_are_materials() -> None:
    materials = set(read_reference("ref_material")["material"])
    lanthanides = {"La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd"}
    lanthanides |= {"Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu"}
    assert {"Sc", "Y", *lanthanides} <= materials
    assert {"REE_total", "LREE", "HREE", "NdPr", "magnet_ree", "magnet_ndfeb"} <= materials
    assert {"ree_compounds", "ree_metals", "permanent_magnets"} <= materials


def resolve(*labels: str) -> list[str]:
    frame = pl.DataFrame({"name": labels, "document_name": "x.csv", "row_number": 2})
    return resolve_countries(frame, "name", edition=EDITION)["country_label"].to_list()


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Chile", "Chile"),
        ("France", "France"),
        ("Greece", "Greece"),
        ("Greecee", "Greece"),
        ("Ukraine", "Ukraine"),
        ("Namibia", "Namibia"),
        ("Turkiye", "Turkiye"),
        ("Türkiye", "Türkiye"),
        ("Japane", "Japan"),
        ("Germany6", "Germany"),
        ("Korea, Republic ofe", "Korea, Republic of"),
        ("Congo (Kinshasa)", "Congo (Kinshasa)"),
        ("United\xa0States", "United States"),
        ("Canada ", "Canada"),
        ("World total (rounded)10", "World total (rounded)"),
        ("United States (crude)", "United States (crude)"),
        ("Slovakia (crude)", "Slovakia"),
        ("Peru, ulexite", "Peru"),
        ("WORLD TOTAL", "World total"),
        ("Other countries (crude)", "Other countries"),
    ],
)
def test_countries_are_known_by_many_spellings(label: str, expected: str) -> None:
    assert resolve(label) == [expected]


@pytest.mark.parametrize(
    "label",
    [
        "Freedonia",
        "Congo",
        "Korea (crude)",
        "China, Taiwan",
        "United States, excluding Alaska",
        "World total, smelters",
    ],
)
def test_names_that_could_be_two_areas_are_refused(label: str) -> None:
    with pytest.raises(UnknownLabel, match=r"unknown country"):
        resolve(label)


@pytest.mark.parametrize(
    ("text", "year", "estimated", "reported"),
    [
        ("Estimated.", 2022, True, False),
        ("Estimated. -- Crude ore.", 2022, True, False),
        ("Estimated .-- Source: a company.", 2022, True, False),
        ("Also estimated in 2022", 2022, True, False),
        ("Also estimated in 2022", 2023, False, False),
        ("Production in 2021 is also estimated", 2021, True, False),
        ("Reported production in 2021.", 2021, False, True),
        ("Processed ore sold, reported", 2021, False, True),
        ("Estimated to be large", 2021, False, False),
        ("Estimated reserves data were included only if recent", 2021, False, False),
        ("Other countries estimated to have capacity", 2021, False, False),
    ],
)
def test_notes_tell_estimates(text: str, year: int, estimated: bool, reported: bool) -> None:
    note = read_note(text)
    assert (0 in note.estimated or year in note.estimated) is estimated
    assert (0 in note.reported or year in note.reported) is reported


@pytest.mark.parametrize(
    ("text", "year", "flag"),
    [
        ("W for 23-24", 2023, "withheld"),
        ("na for 2023", 2023, "not_available"),
        ("na for 2023", 2024, None),
        ("NA (Reserve data is thousand metric tons).", 2024, "not_available"),
        ("xx", 2024, "not_applicable"),
        ("Less than 1/2 unit", 2024, "below_half_unit"),
        ("Included with “Other countries.”", 2024, "included_elsewhere"),
        ('Categorized as "large"', 2024, "qualitative"),
        ("Moderate to Large", 2024, "qualitative"),
        ("Excludes U.S. production.", 2024, None),
        ("", 2024, None),
    ],
)
def test_notes_stand_for_numbers(text: str, year: int, flag: str | None) -> None:
    assert read_note(text).flag_in(year) == flag


@given(st.text(max_size=80))
def test_any_note_can_be_read(text: str) -> None:
    note = read_note(text)
    assert all(y == 0 or 1900 <= y < 2100 for y in (*note.estimated, *note.reported))


@pytest.mark.parametrize(
    ("header", "layout"),
    [
        ("Source,Country,Type,Prod_t_2020,Prod_t_Est_2021", Layout.WORLD_PER_COMMODITY),
        ("Source,Type,Prod_t_2020", Layout.WORLD_PER_COMMODITY),
        ("Source,Country,Type,Cap_t_est_2021,Cap_t_est_2022", Layout.WORLD_PER_COMMODITY),
        ("SOURCE,COMMODITY,COUNTRY,TYPE,UNIT_MEAS,PROD_2023,PROD_NOTES", Layout.WORLD_WIDE),
        ("DataSource,Commodity,Year,USprod_t", Layout.SALIENT),
        ("Source,Country,Commodity_Count,Map_Class", Layout.OTHER),
        ("Source,Year,Critical_mineral,Primary_prod,Prod_notes", Layout.OTHER),
        ("", Layout.OTHER),
    ],
)
def test_layout_is_told_from_the_header(header: str, layout: Layout) -> None:
    assert sniff(header.split(",")) is layout
