"""The Critical Minerals Dataset: blocks side by side, scenarios, licence; invented figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources import iea_cm
from pipelines.sources.base import Document, Parsed
from starter.writers.spreadsheet import Cell, write_workbook

Rows = Sequence[Sequence[Cell]]

NOTICE: Rows = [[None, "Creative Commons Attribution 4.0 license (CC BY 4.0)."]]
TITLE = "Total supply for key minerals, base case (kt)"
YEARS: list[Cell] = [2001, 2005]
SUPPLY: Rows = [
    [],
    [TITLE],
    [],
    [None, *YEARS, None, None, *YEARS],
    [],
    ["Magnet rare earth elements - Mining", None, None, None,
     "Magnet rare earth elements - Refining"],
    ["China", 4, 5.5, None, "China", 6, 7],
    ["Myanmar", 1, 0, None],
    ["Rest of world", 2, 3, None, "Rest of world", 0.5, 1],
    ["Total", 7, 8.5, None, "Total clean technologies", 6.5, 8],
    ["Top 3 share", 1, 0.9, None, "Top 3 share", 1, 1],
    [],
    ["Notes: invented."],
    ["More words."],
]  # fmt: skip
DEMAND: Rows = [
    ["Demand for key minerals (kt)"],
    [],
    [None, None, None, "Stated scenario", None, None, "Pledged scenario"],
    [None, 2001, None, 2005, 2010, None, 2005, 2010],
    [],
    ["Copper"],
    ["Wind", 1, None, 2, 3, None, 4, None, None, "Wind", "Copper"],
    ["Total demand", 1, None, 2, 3, None, 4, 5],
    ["Share of wind in total demand", 1, None, 1, 1, None, 1, 1],
]


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("iea_cm").edition("2001-01")


def read(folder: Path, edition: Edition, sheets: Mapping[str, Rows]) -> Parsed:
    write_workbook(folder / "data.xlsx", sheets)
    return iea_cm.parse(edition, [Document.of(folder / "data.xlsx")])


def supply(parsed: Parsed, *columns: str) -> list[tuple[object, ...]]:
    return parsed.tables["raw_iea_cm__supply"].select(columns).rows()


def test_mining_and_refining_stand_side_by_side(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"2 Supply": SUPPLY, "Notice": NOTICE})
    rows = supply(parsed, "stage", "country_label", "row_kind", "reference_year", "value")
    assert [row for row in rows if row[3] == 2001] == [
        ("mine", "China", "country", 2001, 4.0),
        ("mine", "Myanmar", "country", 2001, 1.0),
        ("mine", "Rest of world", "residual", 2001, 2.0),
        ("mine", "Total", "total", 2001, 7.0),
        ("mine", None, "share", 2001, 1.0),
        ("refining", "China", "country", 2001, 6.0),
        ("refining", "Rest of world", "residual", 2001, 0.5),
        ("refining", "Total clean technologies", "total", 2001, 6.5),
        ("refining", None, "share", 2001, 1.0),
    ]


def test_years_after_the_base_year_are_projections(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"2 Supply": SUPPLY, "Notice": NOTICE})
    found = supply(parsed, "reference_year", "is_projection", "value_flag", "scenario_text")
    assert set(found) == {
        (2001, False, "reported", "base case"),
        (2005, True, "estimated", "base case"),
        (2005, True, "zero", "base case"),
    }


def test_shares_have_their_own_unit(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"2 Supply": SUPPLY, "Notice": NOTICE})
    units = set(supply(parsed, "row_kind", "unit_label"))
    assert units == {
        ("country", "kt"), ("residual", "kt"), ("total", "kt"), ("share", "share"),
    }  # fmt: skip


def test_places_are_those_of_the_sheet(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"2 Supply": SUPPLY, "Notice": NOTICE})
    rows = supply(parsed, "sheet", "row_number", "column_number", "value_text", "stage")
    assert rows[1] == ("2 Supply", 7, 3, "5.5", "mine")
    assert ("2 Supply", 9, 6, "0.5", "refining") in rows


def test_case_above_the_years_takes_precedence(tmp_path: Path, edition: Edition) -> None:
    sheet = [list(row) for row in SUPPLY]
    sheet[1] = ["Total supply for key minerals (kt)"]
    sheet[2] = [None, "Base case", None, None, None, "High case"]
    parsed = read(tmp_path, edition, {"2 Supply": sheet, "Notice": NOTICE})
    assert set(supply(parsed, "stage", "scenario_text")) == {
        ("mine", "Base case"), ("refining", "High case"),
    }  # fmt: skip


def test_demand_by_scenario_with_the_base_year_shared(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"1 Demand": DEMAND, "2 Supply": SUPPLY, "Notice": NOTICE})
    demand = parsed.tables["raw_iea_cm__demand"]
    wanted = ["section_text", "row_text", "row_kind", "scenario_text", "reference_year", "value"]
    assert demand.filter(row_text="Wind").select(wanted).rows() == [
        ("Copper", "Wind", "use", None, 2001, 1.0),
        ("Copper", "Wind", "use", "Stated scenario", 2005, 2.0),
        ("Copper", "Wind", "use", "Stated scenario", 2010, 3.0),
        ("Copper", "Wind", "use", "Pledged scenario", 2005, 4.0),
        ("Copper", "Wind", "use", "Pledged scenario", 2010, None),
    ]
    assert set(demand["row_kind"]) == {"use", "total", "share"}
    assert demand["topic_text"][0] == "Demand for key minerals"


def test_magnet_rare_earths_are_never_all_rare_earths() -> None:
    from pipelines.sources.label_maps import read_map

    series = read_map("material__iea_cm")
    rows = series.filter(series["material_label"].str.contains("(?i)rare earth"))
    assert set(rows["material"]) == {"magnet_ree"}


@pytest.mark.parametrize(
    "notice",
    [
        "Please note that your use of this data is subject to our terms and conditions.",
        "Creative Commons Attribution-NonCommercial 4.0, CC BY-NC 4.0",
        "CC BY-NC-SA 4.0",
    ],
)
def test_workbook_under_other_terms_is_refused(
    tmp_path: Path, edition: Edition, notice: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=r"does not state CC BY 4\.0"):
        read(tmp_path, edition, {"2 Supply": SUPPLY, "Notice": [[notice]]})


def test_demand_alone_is_refused(tmp_path: Path, edition: Edition) -> None:
    with pytest.raises(DocumentUnreadable, match="no sheet of supply by country"):
        read(tmp_path, edition, {"1 Demand": DEMAND, "Notice": NOTICE})


def changed(row: int, column: int, value: Cell) -> Rows:
    sheet = [list(r) for r in SUPPLY]
    sheet[row - 1] += [None] * (column - len(sheet[row - 1]))
    sheet[row - 1][column - 1] = value
    return sheet


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        (changed(7, 1, "Atlantis"), "unknown country 'Atlantis'"),
        (changed(6, 1, "Unobtainium - Mining"), "unknown material 'Unobtainium - Mining'"),
        (changed(2, 1, "Total supply for key minerals (Mt)"), "unknown unit 'Mt'"),
        (changed(2, 1, "Total supply for key minerals"), "names no unit"),
        (changed(2, 1, "Prices (kt)"), "neither of supply nor of demand"),
        (changed(4, 8, "Change"), "unknown column 'Change'"),
        (changed(7, 8, 3), "figure '3' in a column without a year"),
        (changed(12, 1, "Some words"), "neither a block nor a row with figures"),
        (changed(5, 1, "Chile"), "stands above the first block"),
    ],
)
def test_unknown_names_and_layouts_are_refused(
    tmp_path: Path, edition: Edition, sheet: Rows, message: str
) -> None:
    with pytest.raises((DocumentUnreadable, UnknownLabel), match=message):
        read(tmp_path, edition, {"2 Supply": sheet, "Notice": NOTICE})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((7, 2, -4), "negative amount"),
        ((7, 2, "many"), "unreadable number: many"),
        ((7, 2, "1e999"), "unreadable number: 1e999"),
        ((11, 3, 90), "share above 1"),
        ((8, 1, None), "row without a label"),
        ((8, 1, "China"), "duplicate key"),
    ],
)
def test_bad_rows_are_quarantined(
    tmp_path: Path, edition: Edition, change: tuple[int, int, Cell], reason: str
) -> None:
    parsed = read(tmp_path, edition, {"2 Supply": changed(*change), "Notice": NOTICE})
    bad = parsed.quarantined["raw_iea_cm__supply"]["quarantine_reason"]
    assert bad.str.starts_with(reason).all()
    assert parsed.rows_out + parsed.rows_quarantined == 18
