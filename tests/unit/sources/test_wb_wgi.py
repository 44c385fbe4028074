"""The governance indicators in their three layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources import wb_wgi
from pipelines.sources.base import Document, Parsed
from starter.writers.spreadsheet import Cell, write_workbook

LONG = ["codeindyr", "code", "countryname", "year", "indicator"]
LONG += ["estimate", "stddev", "nsource", "pctrank", "pctranklower", "pctrankupper"]
IN_WORDS = [
    "ID variable (economy code/ gov. dimension/ year)",
    "Economy (name)",
    "Economy (code)",
    "Region",
    "Income classification",
    "Year",
    "Governance dimension",
    "Number of sources",
    "Governance estimate (approx. -2.5 to +2.5)",
    "Standard error (estimate)",
    "Lower threshold (90% conf. int. estimate)",
    "Upper threshold (90% conf. int. estimate)",
    "Governance score (0-100)",
    "Standard error (gov. score)",
    "Lower threshold (90% conf. int. score)",
    "Upper threshold (90% conf. int. score)",
]
BLOCK = ["Estimate", "StdErr", "NumSrc", "Rank", "Lower", "Upper"]
KEY = ["indicator", "country_label", "reference_year", "measure", "value"]


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("wb_wgi").edition("2024")


def read(folder: Path, edition: Edition, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> Parsed:
    write_workbook(folder / "wgidataset.xlsx", sheets)
    return wb_wgi.parse(edition, [Document.of(folder / "wgidataset.xlsx")])


def estimates(parsed: Parsed) -> list[tuple[object, ...]]:
    table = parsed.tables[wb_wgi.ESTIMATE].filter(pl.col("measure") == "estimate")
    return table.select("indicator", "country_label", "reference_year", "value").rows()


def long_row(code: str, year: int, indicator: str, *values: Cell) -> list[Cell]:
    return [f"{code}{indicator}{year}", code, f"Land {code}", year, indicator, *values]


def test_long_layout_gives_a_row_a_measure_with_its_place(tmp_path: Path, edition: Edition) -> None:
    parsed = read(
        tmp_path,
        edition,
        {"Sheet1": [LONG, long_row("CHN", 2023, "rl", -0.03, 0.15, 10, 51.4, 44.8, 58.0)]},
    )
    table = parsed.tables[wb_wgi.ESTIMATE]
    assert table.get_column("measure").to_list() == LONG[5:]
    assert table.get_column("column_number").to_list() == [6, 7, 8, 9, 10, 11]
    assert table.get_column("value").to_list() == [-0.03, 0.15, 10, 51.4, 44.8, 58.0]
    assert table.row(0, named=True)["country_text"] == "Land CHN"
    assert table.get_column("row_number").unique().to_list() == [2]


def test_two_points_say_not_available(tmp_path: Path, edition: Edition) -> None:
    dots = [".."] * 6
    table = read(
        tmp_path,
        edition,
        {
            "S": [
                LONG,
                long_row("ASM", 1996, "cc", *dots),
                long_row("AFG", 1996, "cc", 0.0, *dots[1:]),
            ]
        },
    ).tables[wb_wgi.ESTIMATE]
    assert table.group_by("value_flag").len().sort("value_flag").rows() == [
        ("not_available", 11),
        ("zero", 1),
    ]


@pytest.mark.parametrize("code", ["ADO", "ANT", "KSV", "ROM", "TMP", "WBG", "ZAR", "XKX", "NAM"])
def test_codes_outside_iso_are_known(tmp_path: Path, edition: Edition, code: str) -> None:
    parsed = read(tmp_path, edition, {"S": [LONG[:6], long_row(code, 2020, "cc", 0.5)]})
    assert estimates(parsed) == [("cc", code, 2020, 0.5)]


def test_one_sheet_an_indicator_with_headers_in_words(tmp_path: Path, edition: Edition) -> None:
    def row(code: str, indicator: str, *values: float) -> list[Cell]:
        return [f"{code}{indicator}2024", "Land", code, "Asia", "High", 2024, indicator, *values]

    values = (8, -1.0, 0.2, -1.33, -0.67, 30.0, 4.0, 23.4, 36.6)
    parsed = read(
        tmp_path,
        edition,
        {
            "va": [[*IN_WORDS, "EIU mean", "FRH mean"], [*row("CHN", "va", *values), 0.1, 0.2]],
            "cc": [[*IN_WORDS, "EIU mean"], row("COD", "cc", *values)],
        },
    )
    assert estimates(parsed) == [("va", "CHN", 2024, -1.0), ("cc", "COD", 2024, -1.0)]
    measures = parsed.tables[wb_wgi.ESTIMATE].filter(pl.col("indicator") == "va")
    assert measures.select("measure", "value").rows() == [
        ("nsource", 8.0),
        ("estimate", -1.0),
        ("stddev", 0.2),
        ("estimate_lower", -1.33),
        ("estimate_upper", -0.67),
        ("score", 30.0),
        ("score_stddev", 4.0),
        ("score_lower", 23.4),
        ("score_upper", 36.6),
    ]


def test_sheet_name_tells_the_indicator_where_no_column_does(
    tmp_path: Path, edition: Edition
) -> None:
    rows = [["Economy (code)", "Year", IN_WORDS[8]], ["PER", 2024, 0.25]]
    assert estimates(read(tmp_path, edition, {"rl": rows})) == [("rl", "PER", 2024, 0.25)]
    with pytest.raises(DocumentUnreadable, match="tells the indicator"):
        read(tmp_path, edition, {"Sheet1": rows})


def wide(*, repeat_year: bool) -> list[list[Cell]]:
    years: list[Cell] = [None, None]
    for year in (2002, 2003):
        years += [year] * 6 if repeat_year else [year, *[None] * 5]
    return [
        ["Worldwide Governance Indicators, 1996-2022"],
        ["Control of Corruption"],
        [None],
        years,
        ["Country/Territory", "Code", *BLOCK, *BLOCK],
        ["Aruba", "ABW", *["#N/A"] * 6, 1.2, 0.3, 2, 88.0, 70.0, 95.0],
        ["Zaire", "ZAR", -1.4, 0.2, 6, 3.0, 0.0, 9.0, -1.3, 0.2, 6, 4.0, 0.5, 10.0],
        ["Note: a line below the table"],
    ]


@pytest.mark.parametrize("repeat_year", [True, False])
def test_wide_layout_with_the_years_side_by_side(
    tmp_path: Path, edition: Edition, repeat_year: bool
) -> None:
    parsed = read(
        tmp_path,
        edition,
        {"Introduction": [["About"]], "ControlofCorruption": wide(repeat_year=repeat_year)},
    )
    assert not parsed.quarantined
    assert estimates(parsed) == [
        ("cc", "ABW", 2002, None),
        ("cc", "ABW", 2003, 1.2),
        ("cc", "ZAR", 2002, -1.4),
        ("cc", "ZAR", 2003, -1.3),
    ]
    cell = parsed.tables[wb_wgi.ESTIMATE].filter(pl.col("value") == 95.0).row(0, named=True)
    assert (cell["measure"], cell["row_number"], cell["column_number"]) == ("pctrankupper", 6, 14)
    missing = parsed.tables[wb_wgi.ESTIMATE].filter(pl.col("value").is_null())
    assert missing.get_column("value_flag").unique().to_list() == ["not_available"]


def test_wide_layout_without_years_is_refused(tmp_path: Path, edition: Edition) -> None:
    with pytest.raises(DocumentUnreadable, match="no year stands over column 3"):
        read(tmp_path, edition, {"RuleofLaw": [["Country/Territory", "Code", *BLOCK]]})


def test_csv_of_the_long_layout_is_read(tmp_path: Path, edition: Edition) -> None:
    path = tmp_path / "wgidataset.csv"
    path.write_text("code,countryname,year,indicator,estimate\nNAM,Namibia,2022.0,PV,0.6\n")
    assert estimates(wb_wgi.parse(edition, [Document.of(path)])) == [("pv", "NAM", 2022, 0.6)]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ([*LONG[:5], "stddev"], "column 'estimate' is missing"),
        ([*LONG, "Confidence of the analyst"], "column 'Confidence of the analyst' is not known"),
        ([*LONG, "estimate"], "column 'estimate' stands twice"),
    ],
)
def test_changed_header_is_refused_by_name(
    tmp_path: Path, edition: Edition, header: list[Cell], message: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=message):
        read(tmp_path, edition, {"Sheet1": [header]})


def test_unknown_code_and_indicator_are_refused(tmp_path: Path, edition: Edition) -> None:
    with pytest.raises(UnknownLabel, match=r"unknown country 'QQQ' .*sheet S, row 2"):
        read(tmp_path, edition, {"S": [LONG[:6], long_row("QQQ", 2020, "cc", 0.5)]})
    with pytest.raises(UnknownLabel, match=r"unknown indicator 'xx' .*sheet S, row 2"):
        read(tmp_path, edition, {"S": [LONG[:6], long_row("CHN", 2020, "xx", 0.5)]})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (long_row("CHN", 2020, "cc", 55), "value is outside the range of the measure"),
        (long_row("CHN", 2020, "cc", "low"), "value is not a number"),
        (["x", "CHN", "China", "soon", "cc", 0.5], "year is not a year"),
        (["x", None, "China", 2020, "cc", 0.5], "country code is blank"),
        (["x", "CHN", "China", 2020, None, 0.5], "indicator is blank"),
        (
            long_row("PER", 2020, "cc", 0.4),
            "duplicate key (indicator, country_label, reference_year, measure)",
        ),
    ],
)
def test_bad_rows_are_set_aside_with_a_reason(
    tmp_path: Path, edition: Edition, row: list[Cell], reason: str
) -> None:
    parsed = read(tmp_path, edition, {"S": [LONG[:6], long_row("PER", 2020, "cc", 0.5), row]})
    assert parsed.rows_out == 1
    bad = parsed.quarantined[wb_wgi.ESTIMATE]
    assert bad.get_column("quarantine_reason").to_list() == [reason]


def test_workbook_of_something_else_is_refused_with_what_was_found(
    tmp_path: Path, edition: Edition
) -> None:
    with pytest.raises(DocumentUnreadable, match=r"no sheet .*sheet Prices"):
        read(tmp_path, edition, {"Prices": [["metal", "price"], ["tin", 3]]})
