"""The yearbook's printed tables, in the layouts of several years, with invented figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources import usgs_myb
from pipelines.sources.base import Document, Parsed
from pipelines.sources.usgs_myb import oxides, printed
from starter.writers.spreadsheet import Cell, write_workbook

Rows = Sequence[Sequence[Cell]]

TITLE = "RARE EARTHS: WORLD MINE PRODUCTION, BY COUNTRY OR LOCALITY1"
UNIT = "(Metric tons, rare-earth oxide equivalent)"
HEADER: list[Cell] = ["Country or locality2", None, 2001, None, 2002, None]
NOTES: list[list[Cell]] = [
    ["eEstimated.  rRevised.  -- Zero."],
    ["1Invented."],
    ["2Less than ½ unit."],
    ["3Quota."],
]


def production(rows: Rows, *, title: str = TITLE, header: Sequence[Cell] = HEADER) -> Rows:
    return [["TABLE 8"], [title], [], [UNIT], [], header, *rows, *NOTES]


OXIDES: Rows = [
    ["TABLE 2"],
    ["RARE EARTH CONTENTS OF SELECTED SOURCE MINERALS1, 2"],
    [],
    ["(Percentage of total rare-earth oxide)"],
    [],
    [None, None, None, None, None, None, "Rare Earth Element Symbol"],
    ["Primary Source", None, "Country", None, "Location", None, "La", None, "Ce", None, "Nd"],
    ["Monazite", None, "Australia", None, "Red Hill ", None, 20, None, "<1.5", None, 7.5, "e"],
    [None, None, None, None, "Upper Lode, Western "],
    [None, None, None, None, "Australia3"],
    ["Do.", None, "do.", None, "Blue Hill4", None, 30, None, "NA", None, "--"],
    ["Xenotime", None, "India", None, "Green Beach", None, 1, None, 2, None, 3],
    ["Do., do. Ditto.  NA Not available."],
    ["1Invented."],
    ["3Source: Doe, J., and Roe, R., 2001, A title: A journal, v. 1, no. 2, p. 3-4."],
    ["4Source: Poe, P., 2002, Another title: A place, 5 p.; and Loe, L., 2003, A third, 6 p."],
]
PRICES: Rows = [
    ["TABLE 3"],
    ["AVERAGE RARE-EARTH OXIDE PRICES1"],
    ["(Dollars per kilogram)"],
    [" "],
    [None, None, "Purity"],
    ["Product (oxide)", None, "(percent)", None, "2001", None, "2002"],
    ["Scandium2, 3", None, 99.99, None, 1500, None, "1,400", "e"],
    ["Lanthanume", None, 99.5, None, 2, None, "NA"],
    ["1Invented."],
]
SALIENT: Rows = [["TABLE 1"], ["SALIENT U.S. RARE EARTH STATISTICS1"], [], [None, None, "2001"]]
EXPORTS: Rows = [["TABLE 4"], ["U.S. EXPORTS OF RARE-EARTH COMPOUNDS, BY COUNTRY OR LOCALITY1"]]


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("usgs_myb").edition("2002")


def read(folder: Path, edition: Edition, sheets: Mapping[str, Rows]) -> Parsed:
    write_workbook(folder / "tables.xlsx", sheets)
    return usgs_myb.parse(edition, [Document.of(folder / "tables.xlsx")])


def cells(parsed: Parsed, table: str, *columns: str) -> list[tuple[object, ...]]:
    return parsed.tables[f"raw_usgs_myb__{table}"].select(columns).rows()


def test_marks_of_country_and_figure_both_make_an_estimate(
    tmp_path: Path, edition: Edition
) -> None:
    rows: Rows = [
        ["Australiae", None, 10, None, 20, "r"],
        ["Chile", None, 5, "e", 6, 3],
        ["Indiae, 4", None, "--", None, "NA"],
        ["Total", None, "1,000", None, 1000],
    ]
    parsed = read(tmp_path, edition, {"T8": production(rows)})
    assert cells(
        parsed, "production", "country_label", "reference_year", "value", "value_flag",
        "marker_text", "column_number",
    ) == [
        ("Australia", 2001, 10.0, "estimated", None, 3),
        ("Australia", 2002, 20.0, "estimated", "r", 5),
        ("Chile", 2001, 5.0, "estimated", "e", 3),
        ("Chile", 2002, 6.0, "reported", "3", 5),
        ("India", 2001, 0.0, "zero", None, 3),
        ("India", 2002, None, "not_available", None, 5),
        ("Total", 2001, 1000.0, "reported", None, 3),
        ("Total", 2002, 1000.0, "reported", None, 5),
    ]  # fmt: skip


def test_series_and_unit_lose_their_marks(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"T8": production([["China3", None, 1, None, 2]])})
    assert set(cells(parsed, "production", "series_text", "unit_label", "country_text")) == {
        (TITLE[:-1], "metric tons, rare-earth oxide equivalent", "China3")
    }


def test_another_table_number_another_place_and_years_as_text(
    tmp_path: Path, edition: Edition
) -> None:
    header: list[Cell] = ["Country or locality2", None, None, "2001", None, "2002e"]
    rows: Rows = [["Burundi", "e", None, 3, None, 4], ["Brazil", None, None, 7, "e", 8]]
    title: Rows = [["RARE EARTHS: WORLD MINE PRODUCTION, BY COUNTRY OR"], ["LOCALITY1"]]
    sheet: Rows = [[], ["TABLE 9"], *title, [UNIT], header, *rows, *NOTES]
    parsed = read(tmp_path, edition, {"Table 9": sheet})
    assert cells(parsed, "production", "table_label", "country_label", "value_flag") == [
        ("TABLE 9", "Burundi", "estimated"),
        ("TABLE 9", "Burundi", "estimated"),
        ("TABLE 9", "Brazil", "estimated"),
        ("TABLE 9", "Brazil", "estimated"),
    ]


def test_estimated_in_the_title_holds_for_every_figure(tmp_path: Path, edition: Edition) -> None:
    title = "RARE EARTHS: ESTIMATED WORLD MINE PRODUCTION, BY COUNTRY OR LOCALITY1, 2"
    parsed = read(tmp_path, edition, {"T8": production([["China", None, 1, None, 2]], title=title)})
    assert {flag for (flag,) in cells(parsed, "production", "value_flag")} == {"estimated"}


def test_note_in_place_of_a_figure_that_says_half_a_unit(tmp_path: Path, edition: Edition) -> None:
    rows: Rows = [["Brazil", None, "(2)", None, "(3)"]]
    parsed = read(tmp_path, edition, {"T8": production(rows)})
    assert cells(parsed, "production", "value_text", "value_flag", "value_high") == [
        ("(2)", "below_half_unit", 0.5)
    ]
    refused = parsed.quarantined["raw_usgs_myb__production"]
    assert refused["quarantine_reason"].to_list() == ["unreadable number: (3)"]


def test_repeated_country_and_negative_tonnage_are_quarantined(
    tmp_path: Path, edition: Edition
) -> None:
    rows: Rows = [["Brazil", None, 1, None, -2], ["Brazil ", None, 3, None, 4]]
    parsed = read(tmp_path, edition, {"T8": production(rows)})
    assert parsed.rows_out + parsed.rows_quarantined == 4
    reasons = parsed.quarantined["raw_usgs_myb__production"]["quarantine_reason"].to_list()
    assert reasons[-1] == "negative amount"
    assert reasons[0].startswith("duplicate key")


def test_name_over_two_lines(tmp_path: Path, edition: Edition) -> None:
    rows: Rows = [["Papua New"], ["Guinea", None, 1, None, 2]]
    parsed = read(tmp_path, edition, {"T8": production(rows)})
    assert set(cells(parsed, "production", "country_label")) == {("Papua New Guinea",)}


def test_continued_table_is_one_table(tmp_path: Path, edition: Edition) -> None:
    first = [*production([["Brazil", None, 1, None, 2]])[:-4], ["See footnotes at end of table."]]
    again = production([["Chile", None, 3, None, 4]])
    sheet = [*first, ["TABLE 8—Continued"], *again[1:]]
    parsed = read(tmp_path, edition, {"T8": sheet})
    assert cells(parsed, "production", "table_label", "country_label", "value") == [
        ("TABLE 8", "Brazil", 1.0),
        ("TABLE 8", "Brazil", 2.0),
        ("TABLE 8", "Chile", 3.0),
        ("TABLE 8", "Chile", 4.0),
    ]


def test_unknown_country_is_named_with_its_place(tmp_path: Path, edition: Edition) -> None:
    with pytest.raises(UnknownLabel, match=r"'Atlantis'.*sheet T8, row 7"):
        read(tmp_path, edition, {"T8": production([["Atlantis", None, 1, None, 2]])})


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        (production([], title="COBALT: WORLD MINE PRODUCTION, BY COUNTRY1"), "only rare earths"),
        (production([], header=["Country", None, "Type", None, 2001, None, 2002]), "column 'Type'"),
        (production([], header=["Mine", None, 2001, None, 2002]), "column 'Mine'"),
        (production([["Brazil", None, 1, "odd", 2]]), "'odd' stands where marks"),
        (production([["Brazil"]]), "'Brazil' has no figures"),
        ([["TABLE 8"], [TITLE], [UNIT], ["Country"]], "no header row with years"),
        ([["TABLE 8"], [TITLE], HEADER, ["Brazil", None, 1]], "no unit below the title"),
        ([["TABLE 7"], ["SOMETHING NEW1"], [UNIT]], "unknown table 'SOMETHING NEW'"),
        ([["Posted"]], "neither a table of world mine production"),
    ],
)
def test_unknown_layout_is_refused(
    tmp_path: Path, edition: Edition, sheet: Rows, message: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=message):
        read(tmp_path, edition, {"T8": sheet})


def test_figures_below_the_notes_are_refused(tmp_path: Path, edition: Edition) -> None:
    sheet = [*production([["Brazil", None, 1, None, 2]]), ["Chile", None, 3, None, 4]]
    with pytest.raises(DocumentUnreadable, match="figures stand below the notes"):
        read(tmp_path, edition, {"T8": sheet})


def test_oxide_distribution_with_dittos_lines_and_citations(
    tmp_path: Path, edition: Edition
) -> None:
    sheets = {"T8": production([["Brazil", None, 1, None, 2]]), "T2": OXIDES}
    parsed = read(tmp_path, edition, sheets)
    hill = "Red Hill Upper Lode, Western Australia"
    assert cells(
        parsed, "oxide_distribution", "deposit_label", "country_label", "mineral_text", "element",
        "value", "value_high", "value_flag",
    ) == [
        (hill, "Australia", "Monazite", "La", 20.0, 20.0, "reported"),
        (hill, "Australia", "Monazite", "Ce", None, 1.5, "upper_bound"),
        (hill, "Australia", "Monazite", "Nd", 7.5, 7.5, "estimated"),
        ("Blue Hill", "Australia", "Monazite", "La", 30.0, 30.0, "reported"),
        ("Blue Hill", "Australia", "Monazite", "Ce", None, None, "not_available"),
        ("Blue Hill", "Australia", "Monazite", "Nd", 0.0, 0.0, "zero"),
        ("Green Beach", "India", "Xenotime", "La", 1.0, 1.0, "reported"),
        ("Green Beach", "India", "Xenotime", "Ce", 2.0, 2.0, "reported"),
        ("Green Beach", "India", "Xenotime", "Nd", 3.0, 3.0, "reported"),
    ]  # fmt: skip
    assert set(cells(parsed, "oxide_distribution", "deposit_label", "reference_text")) == {
        (hill, "Doe, J., and Roe, R., 2001"),
        ("Blue Hill", "Poe, P., 2002; Loe, L., 2003"),
        ("Green Beach", None),
    }


def test_percentage_above_100_is_quarantined(tmp_path: Path, edition: Edition) -> None:
    table = [list(row) for row in OXIDES]
    table[7][6] = 101
    sheets = {"T8": production([["Brazil", None, 1, None, 2]]), "T2": table}
    refused = read(tmp_path, edition, sheets).quarantined["raw_usgs_myb__oxide_distribution"]
    assert refused["quarantine_reason"].to_list() == ["above 100"]


def test_deposits_as_columns_are_refused(tmp_path: Path, edition: Edition) -> None:
    table: Rows = [*OXIDES[:5], ["Rare earth", "Red Hill", "Blue Hill"], ["Cerium", 1, 2]]
    sheets = {"T8": production([["Brazil", None, 1, None, 2]]), "T2": table}
    with pytest.raises(DocumentUnreadable, match="no header row with element symbols"):
        read(tmp_path, edition, sheets)


def test_prices_by_element_purity_and_year(tmp_path: Path, edition: Edition) -> None:
    sheets = {"T8": production([["Brazil", None, 1, None, 2]]), "T3": PRICES}
    parsed = read(tmp_path, edition, sheets)
    assert cells(
        parsed, "price", "product_text", "element", "purity_text", "reference_year", "value",
        "value_flag", "marker_text", "unit_label",
    ) == [
        ("Scandium", "Sc", "99.99", 2001, 1500.0, "reported", "2, 3", "dollars per kilogram"),
        ("Scandium", "Sc", "99.99", 2002, 1400.0, "estimated", "2, 3; e", "dollars per kilogram"),
        ("Lanthanum", "La", "99.5", 2001, 2.0, "estimated", "e", "dollars per kilogram"),
        ("Lanthanum", "La", "99.5", 2002, None, "not_available", "e", "dollars per kilogram"),
    ]  # fmt: skip


def test_tables_that_are_passed_over(tmp_path: Path, edition: Edition) -> None:
    world = production([["Brazil", None, 1, None, 2]])
    parsed = read(
        tmp_path, edition, {"Note": [["Posted"]], "T1": SALIENT, "T4": EXPORTS, "T8": world}
    )
    assert parsed.rows_out == 2


def test_historical_statistics(tmp_path: Path) -> None:
    edition = load_catalog().source("usgs_myb").edition("ds140-2020")
    sheet: Rows = [
        ["RARE EARTHS STATISTICS1"],
        ["[All quantities in metric tons (t) rare-earth oxide equivalent unless otherwise noted]"],
        ["Year", "Production", "Imports", "Unit value ($/t)", "World production"],
        [1900, 7, "NA", "W", 9],
        ["1901", 0, 1.5, 2000, 8],
        ["NA Not available."],
    ]
    parsed = read(tmp_path, edition, {"Rare earths": sheet})
    assert cells(
        parsed, "historical", "measure", "country_label", "reference_year", "value", "value_flag"
    ) == [
        ("production", "United States", 1900, 7.0, "reported"),
        ("imports", "United States", 1900, None, "not_available"),
        ("unit_value", "United States", 1900, None, "withheld"),
        ("production", "World total", 1900, 9.0, "reported"),
        ("production", "United States", 1901, 0.0, "zero"),
        ("imports", "United States", 1901, 1.5, "reported"),
        ("unit_value", "United States", 1901, 2000.0, "reported"),
        ("production", "World total", 1901, 8.0, "reported"),
    ]


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        ([["COBALT STATISTICS1"], ["Year", "Production", "Imports"], [1900, 1, 2]], "not the stat"),
        (
            [["RARE EARTHS [rare-earth oxide equivalent]"], ["Year", "Stocks", "Imports"],
             [1900, 1, 2]],
            "unknown series 'Stocks'",
        ),
        (
            [["RARE EARTHS [rare-earth oxide equivalent]"], ["Year", "Production", "Imports"],
             ["total", 1, 2]],
            "which is no year",
        ),
    ],
)  # fmt: skip
def test_unknown_historical_layout_is_refused(
    tmp_path: Path, edition: Edition, sheet: Rows, message: str
) -> None:
    with pytest.raises((DocumentUnreadable, UnknownLabel), match=message):
        read(tmp_path, edition, {"Sheet": sheet})


@pytest.mark.parametrize(
    ("text", "capitals", "expected"),
    [
        ("Autonomous Region3", False, ("Autonomous Region", "3")),
        ("Scandium2, 3", False, ("Scandium", "2, 3")),
        ("Longnan", False, ("Longnan", None)),
        ("WORLD PRODUCTIONe, 2", True, ("WORLD PRODUCTION", "e, 2")),
        ("PRICES, 2001–02", True, ("PRICES, 2001–02", None)),
    ],
)
def test_marks_come_off_words(text: str, capitals: bool, expected: tuple[str, str | None]) -> None:
    assert printed.split_marks(text, capitals=capitals) == expected


def test_short_citation_keeps_authors_and_year_only() -> None:
    note = "Source: Doe, J., and Roe, R., 2014, A long title: A Journal, v. 1, 3 p."
    assert oxides.short_citation(note) == "Doe, J., and Roe, R., 2014"
    assert oxides.short_citation("Quota.") is None


def test_every_deposit_of_the_seed_belongs_to_a_country() -> None:
    seeds = Path(__file__).resolve().parents[3] / "dbt_project" / "seeds"
    deposits = pl.read_csv(seeds / "ref_deposit.csv", infer_schema=False)
    countries = pl.read_csv(seeds / "ref_country.csv", infer_schema=False)["country_iso3"]
    labels = deposits["deposit_label"].to_list()
    assert labels == sorted(set(labels))
    assert set(deposits["country_iso3"]) <= set(countries)
    # A central value needs the weights: one deposit in the country has them by itself.
    alone = deposits.filter(pl.len().over("country_iso3") == 1)
    assert set(alone["output_share"]) == {"1"}
    assert deposits.filter(pl.len().over("country_iso3") > 1)["output_share"].is_null().all()
