"""World Mining Data: a sheet a mineral, years side by side, marks of the row; invented figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, EditionRefused, UnknownLabel
from pipelines.sources import wmd
from pipelines.sources.base import Document, Parsed
from starter.writers.spreadsheet import Cell, write_workbook

Rows = Sequence[Sequence[Cell]]

HEADER: list[Cell] = ["Country", "unit", "2001", "2002", "data source"]
RARE_EARTHS: Rows = [
    ["Rare Earths (REO)"],
    HEADER,
    ["China", "metr. t", "11", "12", "r"],
    ["Cote d'Ivoire", "metr. t", "3", None, "e"],
    ["Korea, South", "metr. t", "0", "-", "p"],
    ["Total", "metr. t", "14", "12"],
    ["r reported, p provisional, e estimated"],
]
GOLD: Rows = [["Gold"], HEADER, ["Türkiye", "kg", "1 500", 2.5, "r"]]


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("wmd").edition("2004")


def read(folder: Path, edition: Edition, sheets: Mapping[str, Rows]) -> Parsed:
    write_workbook(folder / "6.4. Production.xlsx", sheets)
    return wmd.parse(edition, [Document.of(folder / "6.4. Production.xlsx")])


def rows(parsed: Parsed, *columns: str) -> list[tuple[object, ...]]:
    return parsed.tables["raw_wmd__production"].select(columns).rows()


def test_every_country_and_year_is_a_cell(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"Rare Earths (REO)": RARE_EARTHS, "Gold": GOLD})
    assert rows(parsed, "series_label", "country_label", "reference_year", "value") == [
        ("Rare Earths (REO)", "China", 2001, 11.0),
        ("Rare Earths (REO)", "China", 2002, 12.0),
        ("Rare Earths (REO)", "Cote d'Ivoire", 2001, 3.0),
        ("Rare Earths (REO)", "Cote d'Ivoire", 2002, None),
        ("Rare Earths (REO)", "Korea, South", 2001, 0.0),
        ("Rare Earths (REO)", "Korea, South", 2002, None),
        ("Rare Earths (REO)", "Total", 2001, 14.0),
        ("Rare Earths (REO)", "Total", 2002, 12.0),
        ("Gold", "Türkiye", 2001, 1500.0),
        ("Gold", "Türkiye", 2002, 2.5),
    ]
    assert not parsed.quarantined


def test_the_mark_of_the_row_and_of_the_cell_count(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"Rare Earths (REO)": RARE_EARTHS})
    flags = {
        row[:2]: row[2] for row in rows(parsed, "country_label", "reference_year", "value_flag")
    }
    assert flags["China", 2001] == "reported"
    assert flags["Cote d'Ivoire", 2001] == "estimated"
    assert flags["Cote d'Ivoire", 2002] == "blank"
    assert flags["Korea, South", 2001] == "zero"
    assert flags["Korea, South", 2002] == "not_available"


def test_the_place_of_a_cell_is_that_of_the_sheet(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"Gold": GOLD})
    places = rows(parsed, "sheet", "row_number", "column_number", "column_name", "unit_label")
    assert places == [("Gold", 3, 3, "2001", "kg"), ("Gold", 3, 4, "2002", "kg")]


def test_years_as_numbers_and_without_title_are_read(tmp_path: Path, edition: Edition) -> None:
    sheet: Rows = [["Country", "unit", 2001, 2002], ["Peru", "t", 1, 2]]
    parsed = read(tmp_path, edition, {"Tin": sheet})
    assert rows(parsed, "reference_year", "value", "source_text", "title_text") == [
        (2001, 1.0, None, None),
        (2002, 2.0, None, None),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["Peru", "t", "many", 2], "unreadable number: many"),
        (["Peru", "t", -1, 2], "negative amount"),
        (["Peru", None, 1, 2], "row without a unit"),
        ([None, "t", 1, 2], "row without a country"),
    ],
)
def test_a_bad_row_is_set_aside(
    tmp_path: Path, edition: Edition, row: list[Cell], reason: str
) -> None:
    parsed = read(tmp_path, edition, {"Tin": [["Tin"], HEADER, ["Chile", "t", 1, 2], row]})
    assert reason in parsed.quarantined["raw_wmd__production"]["quarantine_reason"].to_list()
    kept = parsed.tables["raw_wmd__production"].height
    assert kept + parsed.quarantined["raw_wmd__production"].height == 4


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ({"Unobtainium": GOLD}, "unknown series 'Unobtainium'"),
        ({"Gold": [["Gold"], HEADER, ["Chyna", "kg", 1, 2]]}, "unknown country 'Chyna'"),
        ({"Gold": [["Gold"], HEADER, ["China", "stone", 1, 2]]}, "unknown unit 'stone'"),
    ],
)
def test_a_name_in_no_map_refuses_the_edition(
    tmp_path: Path, edition: Edition, sheets: Mapping[str, Rows], message: str
) -> None:
    with pytest.raises(UnknownLabel, match=message):
        read(tmp_path, edition, sheets)


def test_a_sheet_of_words_is_passed_over(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"Notes": [["Country names follow ..."]], "Gold": GOLD})
    assert {row[0] for row in rows(parsed, "sheet")} == {"Gold"}


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        ([["Gold"], ["Rank", "Share"], ["China", 1]], "no header with Country, unit and years"),
        ([["Country", "2001"], ["China", 1]], "no header with Country, unit and years"),
        ([["Country", "unit", 2001, 2001], ["China", "t", 1, 2]], "a year stands twice"),
        ([["Country", "unit", 2001], ["China", "t", 1, 2]], "a column without a year"),
        ([["Country", "unit", 2001]], "no sheet of production by country"),
        ([["Words", "alone"]], "no sheet of production by country"),
    ],
)
def test_another_layout_refuses_the_edition(
    tmp_path: Path, edition: Edition, sheet: Rows, message: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=message):
        read(tmp_path, edition, {"Gold": sheet})


@settings(max_examples=25, deadline=None, derandomize=True)
@given(content=st.binary(max_size=400), name=st.sampled_from(["a.xlsx", "a.xls", "a.csv", "a.zip"]))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = tmp_path_factory.mktemp("wmd") / name
    path.write_bytes(content)
    with pytest.raises(EditionRefused):
        wmd.parse(load_catalog().source("wmd").edition("2004"), [Document.of(path)])


def test_the_file_name_tells_the_edition_only_where_it_has_a_year() -> None:
    source = load_catalog().source("wmd")
    assert source.label_from_name("WMD2026_6.4.xlsx") == "2026"
    assert source.label_from_name("World_Mining_Data_2025.xlsx") == "2025"
    assert (
        source.label_from_name(
            "6.4. Production_of_Mineral_Raw_Materials_of_individual_Countries_by_Minerals.xlsx"
        )
        is None
    )


def test_nothing_of_it_may_be_passed_on() -> None:
    assert load_catalog().source("wmd").licence.redistribution.value == "no"
