"""DataWeb downloads: what a zero means, periods, completeness; invented figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources import usitc_dataweb
from pipelines.sources.base import Document, Parsed
from starter.writers.spreadsheet import Cell, write_workbook

Rows = Sequence[Sequence[Cell]]

HEAD: list[Cell] = ["Data Type", "Country", "HTS Number", "Description", "Quantity Description"]
TO_DATE = "Imports For Consumption|Annual + Year-To-Date Data from Jan - Apr"
ANNUAL = "Imports For Consumption|Annual Data"
NEEDED = {
    "Download Date": "2006-07-10 18:00:00.000",
    "Trade Flow": "Imports For Consumption",
    "Classification System": "HTS Items",
    "Data Format": "1",
}
KEY = ("valuation_text", "quantity_unit_label", "period_text", "value", "value_flag")


def query(**changes: str | None) -> Rows:
    rows: list[list[Cell]] = [["Step 1: Trade Flow and Classification System", None]]
    rows += [[key, value] for key, value in {**NEEDED, **changes}.items()]
    rows += [["Step 3: Countries", None], ["Select Type", changes.get("Countries", "Individual")]]
    return rows


def sheet(
    periods: Sequence[Cell], rows: Rows, *, title: str = TO_DATE, head: Sequence[Cell] = HEAD,
    count: int | None = None,
) -> Rows:  # fmt: skip
    data = [row for row in rows if row and row[0] != "Total: "]
    return [[title], ["Data Row Count", len(data) if count is None else count],
            [*head, *periods], *rows]  # fmt: skip


VALUE = sheet(
    [2005, 2006],
    [
        ["Customs Value", "China", "2846", "", "Value for: kilograms", 700, 0],
        ["Customs Value", "South Korea", "8505", "", "Value for: number", 0, 0],
        ["Total: ", "", "", "", "", "700", "0"],
    ],
)
VALUE_TO_DATE = sheet(
    ["2005_Year_to_date", "2006_Year_to_date"],
    [["Customs Value", "China", "2846", "", "Value for: kilograms", 300, 400]],
)
QUANTITY = sheet(
    [2005, 2006, "2005_Suppressed", "2006_Suppressed"],
    [
        ["First Unit of Quantity", "China", "2846", "", "kilograms", 50, 0, 3, 0],
        ["First Unit of Quantity", "France", "2846", "", "kilograms", 0, 0, 2, 0],
        ["First Unit of Quantity", "Japan", "2846", "", "kilograms", 0, 0, 0, 0],
        ["First Unit of Quantity", "India", "8505", "", "no units collected", 0, 0, 0, 0],
    ],
)


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("usitc_dataweb").edition("2005-2006")


def read(folder: Path, edition: Edition, *books: Mapping[str, Rows]) -> Parsed:
    documents = []
    for number, sheets in enumerate(books):
        path = folder / f"report{number}.xlsx"
        write_workbook(path, sheets)
        documents.append(Document.of(path))
    return usitc_dataweb.parse(edition, documents)


def trade(parsed: Parsed, *columns: str) -> list[tuple[object, ...]]:
    return parsed.tables["raw_usitc_dataweb__trade"].select(columns).rows()


def test_full_year_that_is_not_out_is_no_zero(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"Query": query(), "Customs Value": VALUE})
    assert trade(parsed, "country_label", "reference_year", "value", "value_flag") == [
        ("China", 2005, 700.0, "reported"),
        ("South Korea", 2005, 0.0, "zero"),
        ("China", 2006, None, "not_available"),
        ("South Korea", 2006, None, "not_available"),
    ]


def test_year_to_date_carries_its_months(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, {"Query": query(), "YTD": VALUE_TO_DATE})
    assert trade(parsed, "period_text", "is_year_to_date", "value", "column_name") == [
        ("2005 Jan - Apr", True, 300.0, "2005_Year_to_date"),
        ("2006 Jan - Apr", True, 400.0, "2006_Year_to_date"),
    ]


def test_withheld_quantity_is_no_zero_and_a_part_is_a_lower_bound(
    tmp_path: Path, edition: Edition
) -> None:
    parsed = read(tmp_path, edition, {"Query": query(), "Quantity": QUANTITY})
    table = parsed.tables["raw_usitc_dataweb__trade"].filter(reference_year=2005)
    wanted = ["country_label", "value", "value_low", "value_flag", "suppressed_text"]
    assert table.select(wanted).rows() == [
        ("China", None, 50.0, "lower_bound", "3"),
        ("France", None, None, "withheld", "2"),
        ("Japan", 0.0, 0.0, "zero", "0"),
        ("India", None, None, "not_applicable", "0"),
    ]


def test_figure_of_a_running_year_is_a_lower_bound(tmp_path: Path, edition: Edition) -> None:
    rows: Rows = [["Customs Value", "China", "2846", "", "Value for: kilograms", 700, 90]]
    parsed = read(tmp_path, edition, {"Query": query(), "V": sheet([2005, 2006], rows)})
    assert trade(parsed, "reference_year", "value", "value_low", "value_flag")[-1] == (
        2006, None, 90.0, "lower_bound",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("downloaded", "flag"), [("2007-02-20", "not_available"), ("2007-05-20", "zero")]
)
def test_newest_year_of_an_annual_report_is_out_by_spring(
    tmp_path: Path, edition: Edition, downloaded: str, flag: str
) -> None:
    rows: Rows = [["Customs Value", "China", "2846", "", "Value for: kilograms", 700, 0]]
    book = {
        "Query": query(**{"Download Date": f"{downloaded} 10:00:00"}),
        "V": sheet([2005, 2006], rows, title=ANNUAL),
    }
    assert trade(read(tmp_path, edition, book), "value_flag")[-1] == (flag,)


def test_whole_year_to_date_closes_the_year(tmp_path: Path, edition: Edition) -> None:
    rows: Rows = [["Customs Value", "China", "2846", "", "Value for: kilograms", 700, 0]]
    title = TO_DATE.replace("Apr", "Dec")
    book = {
        "Query": query(**{"Download Date": "2007-04-01"}),
        "V": sheet([2005, 2006], rows, title=title),
    }
    assert trade(read(tmp_path, edition, book), "value_flag")[-1] == ("zero",)


def test_year_to_date_of_november_read_in_january_leaves_last_year_open(
    tmp_path: Path, edition: Edition
) -> None:
    rows: Rows = [["Customs Value", "China", "2846", "", "Value for: kilograms", 700, 0]]
    book = {
        "Query": query(**{"Download Date": "2007-01-20"}),
        "V": sheet([2005, 2006], rows, title=TO_DATE.replace("Apr", "Nov")),
    }
    assert trade(read(tmp_path, edition, book), "value_flag") == [
        ("reported",), ("not_available",),
    ]  # fmt: skip


def test_codes_are_text_without_dots_and_with_their_leading_zero(
    tmp_path: Path, edition: Edition
) -> None:
    rows: Rows = [
        ["Customs Value", "China", code, "", "Value for: kilograms", 1]
        for code in (2846, "2846.90.4000", "101210000", "28053", "ores", None)
    ]
    parsed = read(tmp_path, edition, {"Query": query(), "V": sheet([2005], rows)})
    assert trade(parsed, "hts_code", "code_level") == [
        ("2846", 4), ("2846904000", 10), ("0101210000", 10), ("028053", 6),
    ]  # fmt: skip
    refused = parsed.quarantined["raw_usitc_dataweb__trade"]["quarantine_reason"].to_list()
    assert refused == ["not a tariff code: ores", "not a tariff code: "]


def test_exports_and_imports_make_one_edition(tmp_path: Path, edition: Edition) -> None:
    exports = sheet(
        [2005], [["FAS Value", "China", "2846", "", "Value for: kilograms", 5]],
        title="Domestic Exports|Annual Data",
    )  # fmt: skip
    parsed = read(
        tmp_path, edition, {"Query": query(), "V": VALUE},
        {"Query": query(**{"Trade Flow": "Domestic Exports"}), "V": exports},
    )  # fmt: skip
    assert {("import", "value_usd"), ("export", "value_usd")} == set(
        trade(parsed, "flow", "measure")
    )
    query_rows = parsed.tables["raw_usitc_dataweb__query"].filter(key="Trade Flow")
    assert query_rows["value"].to_list() == ["Imports For Consumption", "Domestic Exports"]


def test_two_kinds_of_imports_are_not_added_up(tmp_path: Path, edition: Edition) -> None:
    general = {"Query": query(**{"Trade Flow": "General Imports"}), "V": VALUE_TO_DATE}
    with pytest.raises(DocumentUnreadable, match="two kinds of import in one edition"):
        read(tmp_path, edition, {"Query": query(), "V": VALUE}, general)


def test_report_of_all_countries_together_is_the_world(tmp_path: Path, edition: Edition) -> None:
    head = [name for name in HEAD if name != "Country"]
    rows: Rows = [["Customs Value", "2846", "", "Value for: kilograms", 9]]
    book = {"Query": query(Countries="Use All Countries"), "V": sheet([2005], rows, head=head)}
    assert trade(read(tmp_path, edition, book), "country_text", "country_label") == [
        (None, "World")
    ]
    book["Query"] = query(Countries="Select Individual Countries")
    with pytest.raises(DocumentUnreadable, match="adds selected countries together"):
        read(tmp_path, edition, book)


def test_values_of_goods_and_duties_are_different_measures(
    tmp_path: Path, edition: Edition
) -> None:
    rows: Rows = [
        ["Customs Value", "China", "2846", "", "Value for: kilograms", 9],
        ["Calculated Duties", "China", "2846", "", "Value for: kilograms", 1],
    ]
    parsed = read(tmp_path, edition, {"Query": query(), "V": sheet([2005], rows)})
    assert trade(parsed, "measure", "value") == [("value_usd", 9.0), ("duties_usd", 1.0)]


def test_repeated_and_negative_rows_are_quarantined(tmp_path: Path, edition: Edition) -> None:
    rows: Rows = [
        ["Customs Value", "China", "2846", "", "Value for: kilograms", 9],
        ["Customs Value", "China", "2846", "", "Value for: kilograms", 8],
        ["Customs Value", "India", "2846", "", "Value for: kilograms", -1],
        ["Customs Value", "Japan", "2846", "", "Value for: kilograms", "n/k"],
        ["Customs Value", None, "2846", "", "Value for: kilograms", 7],
    ]
    parsed = read(tmp_path, edition, {"Query": query(), "V": sheet([2005], rows)})
    assert trade(parsed, "country_label", "value") == [("China", 9.0)]
    reasons = parsed.quarantined["raw_usitc_dataweb__trade"]["quarantine_reason"].to_list()
    assert len(reasons) == 4
    assert {reason.split(":")[0].split(" (")[0] for reason in reasons} == {
        "duplicate key", "negative amount", "unreadable number", "row without a country",
    }  # fmt: skip


ROW: Rows = [["Customs Value", "China", "2846", "", "Value for: kilograms", 9]]
MISSUM: Rows = [*ROW, ["Total: ", "", "", "", "", "10"]]


@pytest.mark.parametrize(
    ("book", "message"),
    [
        ({"V": VALUE}, "no sheet of query parameters"),
        ({"Query": query()}, "no sheet with trade data"),
        ({"Query": query(**{"Data Format": "1000"}), "V": VALUE}, "in units of 1000"),
        ({"Query": query(**{"Classification System": "SITC"}), "V": VALUE}, "'SITC' is not read"),
        ({"Query": query(**{"Download Date": "lately"}), "V": VALUE}, "is not a date"),
        ({"Query": query(**{"Trade Flow": "Trade Balance"}), "V": VALUE}, "unknown trade flow"),
        ({"Query": query(), "V": sheet([2005], ROW, count=2)}, "1 rows where the sheet says 2"),
        ({"Query": query(), "V": sheet([2005], MISSUM)}, "add up to 9 where the sheet says 10"),
        ({"Query": query(), "V": sheet(["Jan 2005"], ROW)}, "unknown column 'Jan 2005'"),
        ({"Query": query(), "V": sheet([2005], ROW, head=HEAD[:4])}, "columns missing"),
        ({"Query": query(), "V": sheet([2005], [[*ROW[0], 5]])}, "no column header"),
        (
            {"Query": query(), "V": sheet([2005], [["Customs Value", "Atlantis", *ROW[0][2:]]])},
            "unknown country 'Atlantis'",
        ),
        (
            {"Query": query(), "V": sheet([2005], [["Hope", *ROW[0][1:]]])},
            "unknown data type 'Hope'",
        ),
    ],
)
def test_unknown_names_and_layouts_are_refused(
    tmp_path: Path, edition: Edition, book: Mapping[str, Rows], message: str
) -> None:
    with pytest.raises((DocumentUnreadable, UnknownLabel), match=message):
        read(tmp_path, edition, book)
