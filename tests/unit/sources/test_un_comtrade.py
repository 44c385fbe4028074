"""Answers, exports and extracts of UN Comtrade, in its layouts with invented figures."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.catalog import Edition, EditionScope, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources.base import QUARANTINE_REASON, Document, Parsed
from pipelines.sources.un_comtrade import KEY, TABLES, TRADE, _totals, parse
from pipelines.sources.un_comtrade.fields import API_FIELDS, LEGACY_FIELDS

ROW: dict[str, Any] = {
    "typeCode": "C",
    "freqCode": "A",
    "refPeriodId": 20230101,
    "refYear": 2023,
    "refMonth": 52,
    "period": "2023",
    "reporterCode": 392,
    "reporterISO": None,
    "flowCode": "M",
    "partnerCode": 156,
    "partner2Code": 0,
    "classificationCode": "H6",
    "classificationSearchCode": "HS",
    "isOriginalClassification": True,
    "cmdCode": "280530",
    "aggrLevel": None,
    "customsCode": "C00",
    "mosCode": "0",
    "motCode": 0,
    "qtyUnitCode": 8,
    "qty": 12.5,
    "isQtyEstimated": True,
    "netWgt": 12.5,
    "isNetWgtEstimated": False,
    "cifvalue": 100.25,
    "fobvalue": None,
    "primaryValue": 100.25,
    "isReported": True,
    "isAggregate": False,
}


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("un_comtrade").edition("asked-for")


@pytest.fixture
def folder(fixtures_dir: Path) -> Path:
    return fixtures_dir / "un_comtrade"


def _answer(path: Path, rows: list[dict[str, Any]], **envelope: Any) -> Document:
    body = {"elapsedTime": "0.01 secs", "count": len(rows), "data": rows, "error": ""} | envelope
    path.write_text(json.dumps(body), encoding="utf-8")
    return Document.of(path)


def _written(path: Path, text: str) -> Document:
    path.write_text(text, encoding="utf-8", newline="")
    return Document.of(path)


def _csv(rows: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _first(parsed: Parsed) -> dict[str, Any]:
    return parsed.tables[TRADE].row(0, named=True)


def _reasons(parsed: Parsed) -> list[str]:
    return parsed.quarantined[TRADE].get_column(QUARANTINE_REASON).to_list()


def test_source_is_an_extract_that_must_not_be_passed_on() -> None:
    source = load_catalog().source("un_comtrade")
    assert source.scope is EditionScope.EXTRACT
    assert source.licence.redistribution == "no"


def test_answer_of_the_api(edition: Edition, tmp_path: Path) -> None:
    parsed = parse(edition, [_answer(tmp_path / "a.json", [ROW])])
    assert parsed.tables[TRADE].schema == TABLES[TRADE].schema
    assert _first(parsed) == {
        "source_edition_id": edition.edition_id,
        "document_name": "a.json",
        "document_sha256": Document.of(tmp_path / "a.json").sha256,
        "sheet": None,
        "row_number": 1,
        "type_code": "C",
        "freq_code": "A",
        "reference_year": 2023,
        "reference_month": None,
        "reporter_code": "392",
        "partner_code": "156",
        "partner2_code": "0",
        "flow_code": "M",
        "classification": "H6",
        "hs_code": "280530",
        "code_level": 6,
        "customs_code": "C00",
        "mot_code": "0",
        "value_text": "100.25",
        "primary_value_usd": 100.25,
        "cif_value_usd": 100.25,
        "fob_value_usd": None,
        "net_weight_text": "12.5",
        "net_weight_kg": 12.5,
        "quantity_text": "12.5",
        "quantity": 12.5,
        "quantity_unit": "kg",
        "is_reported": True,
        "is_aggregate": False,
        "is_net_weight_estimated": False,
        "is_quantity_estimated": True,
        "is_total": True,
        "n_rows_of_key": 1,
    }


def test_bare_array_is_the_same_as_an_envelope(edition: Edition, tmp_path: Path) -> None:
    bare = _written(tmp_path / "a.json", json.dumps([ROW]))
    assert _first(parse(edition, [bare]))["primary_value_usd"] == 100.25


def test_every_digit_of_a_number_survives(edition: Edition, tmp_path: Path) -> None:
    text = json.dumps([ROW]).replace('"primaryValue": 100.25', '"primaryValue": 4579376430.000')
    row = _first(parse(edition, [_written(tmp_path / "a.json", text)]))
    assert (row["value_text"], row["primary_value_usd"]) == ("4579376430.000", 4579376430.0)


@pytest.mark.parametrize("missing", [None, 0, 0.0])
def test_weight_of_zero_is_missing_and_keeps_its_text(
    edition: Edition, tmp_path: Path, missing: float | None
) -> None:
    row = ROW | {"netWgt": missing, "qty": missing, "qtyUnitCode": -1}
    found = _first(parse(edition, [_answer(tmp_path / "a.json", [row])]))
    assert found["net_weight_kg"] is None
    assert found["quantity"] is None
    assert found["quantity_unit"] is None
    assert found["net_weight_text"] == (None if missing is None else str(missing))


def test_months_are_told_and_month_52_is_the_year(edition: Edition, tmp_path: Path) -> None:
    month = ROW | {"freqCode": "M", "refMonth": 4, "period": "202304"}
    table = parse(edition, [_answer(tmp_path / "a.json", [ROW, month])]).tables[TRADE]
    assert table.select("freq_code", "reference_month").rows() == [("A", None), ("M", 4)]
    assert table.get_column("n_rows_of_key").to_list() == [1, 1]


def test_portal_export_ends_its_rows_with_a_comma(edition: Edition, folder: Path) -> None:
    table = parse(edition, [Document.of(folder / "portal.csv")]).tables[TRADE]
    assert table.select("partner_code", "mot_code", "is_total", "n_rows_of_key").rows() == [
        ("156", "0", True, 2),
        ("156", "1000", False, 2),
        ("704", "2100", False, 1),
        ("842", "0", True, 1),
    ]
    last = table.row(3, named=True)
    assert (last["hs_code"], last["code_level"]) == ("0101", 4)
    assert (last["flow_code"], last["reference_month"]) == ("RX", 4)
    assert (last["quantity"], last["quantity_unit"]) == (3.0, "items")
    assert last["row_number"] == 5


def test_key_of_breakdowns_only_has_no_total(edition: Edition, folder: Path) -> None:
    table = parse(edition, [Document.of(folder / "portal.csv")]).tables[TRADE]
    alone = table.filter(pl.col("partner_code") == "704")
    assert alone.get_column("is_total").to_list() == [False]


def test_portal_export_in_an_older_encoding(edition: Edition, folder: Path, tmp_path: Path) -> None:
    text = (folder / "portal.csv").read_text().replace("Japan", "Côte")
    path = tmp_path / "portal.csv"
    path.write_bytes(text.encode("cp1252"))
    assert parse(edition, [Document.of(path)]).rows_out == 4


def test_header_beside_its_columns_is_refused(
    edition: Edition, folder: Path, tmp_path: Path
) -> None:
    # What reading the portal's file with its first column as an index leaves behind.
    lines = (folder / "portal.csv").read_text().splitlines()
    shifted = [lines[0], *(line.split(",", 1)[1] for line in lines[1:])]
    document = _written(tmp_path / "shifted.csv", "\n".join(shifted) + "\n")
    with pytest.raises(DocumentUnreadable, match=r"header is shifted .* 'A' stands under type"):
        parse(edition, [document])


def test_values_beyond_the_header_are_refused(
    edition: Edition, folder: Path, tmp_path: Path
) -> None:
    text = (folder / "portal.csv").read_text().replace("True,\n", "True,surplus\n")
    with pytest.raises(DocumentUnreadable, match="shifted"):
        parse(edition, [_written(tmp_path / "a.csv", text)])


def test_extract_of_nine_columns_marks_one_total_a_key(edition: Edition, folder: Path) -> None:
    table = parse(edition, [Document.of(folder / "extract.csv")]).tables[TRADE]
    shown = table.select("reporter_code", "partner_code", "value_text", "is_total", "n_rows_of_key")
    assert shown.rows() == [
        ("276", "156", "40", False, 3),
        ("276", "156", "100", True, 3),
        ("276", "156", "60", False, 3),
        ("276", "0", "100", True, 1),
        ("392", "156", "5.5", True, 1),
    ]
    assert table.get_column("freq_code").unique().to_list() == ["A"]
    assert table.get_column("classification").null_count() == 5
    assert table.get_column("net_weight_kg").to_list() == [4.0, 10.0, 6.0, None, None]


def test_extract_may_be_packed(edition: Edition, folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "comtrade_2022.csv.gz"
    packed.write_bytes(gzip.compress((folder / "extract.csv").read_bytes()))
    zipped = tmp_path / "all.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(folder / "extract.csv", "deep/extract.csv")
    assert parse(edition, [Document.of(packed)]).rows_out == 5
    both = parse(edition, [Document.of(packed), Document.of(zipped)]).tables[TRADE]
    assert both.filter("is_total").height == 3
    assert both.get_column("n_rows_of_key").max() == 6


def test_subset_with_the_query_repeated_is_read(edition: Edition, tmp_path: Path) -> None:
    row = {
        "mineral": "sample",
        "stage": "primary",
        "hs_code_queried": "260400",
        "hs_description": "sample",
        "period": "2001",
        "reporterCode": "842.0",
        "partnerCode": "0",
        "flowCode": "X",
        "cmdCode": "260400",
        "primaryValue": "7.5",
        "netWgt": "",
        "qtyUnitAbbr": "kg",
    }
    found = _first(parse(edition, [_written(tmp_path / "a.csv", _csv([row]))]))
    assert (found["reporter_code"], found["reference_year"]) == ("842", 2001)
    assert (found["type_code"], found["is_total"]) == (None, True)
    assert found["quantity_unit"] == "kg"


def test_row_index_of_a_data_frame_is_no_column(edition: Edition, tmp_path: Path) -> None:
    rows = [{"": str(i), **ROW, "partnerCode": partner} for i, partner in enumerate((156, 704))]
    parsed = parse(edition, [_written(tmp_path / "a.csv", _csv(rows))])
    assert parsed.tables[TRADE].get_column("partner_code").to_list() == ["156", "704"]


def test_tab_separated_bulk_file_is_read(edition: Edition, tmp_path: Path) -> None:
    text = _csv([ROW]).replace(",", "\t")
    assert parse(edition, [_written(tmp_path / "bulk.tsv", text)]).rows_out == 1


def test_workbook_of_the_portal(edition: Edition, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Sheet1"
    book["Sheet1"].append(list(ROW))
    book["Sheet1"].append([v if v is not None else "" for v in (ROW | {"cmdCode": 10121}).values()])
    book.create_sheet("Sheet2")
    book.create_sheet("Notes").append(["some", "words"])
    path = tmp_path / "TradeData.xlsx"
    book.save(path)
    row = _first(parse(edition, [Document.of(path)]))
    assert (row["sheet"], row["row_number"], row["hs_code"]) == ("Sheet1", 2, "010121")
    assert row["is_reported"] is True


def test_columns_of_the_former_portal(edition: Edition, tmp_path: Path) -> None:
    names = {field: name for name, field in LEGACY_FIELDS.items() if field}
    row = dict.fromkeys(LEGACY_FIELDS, "") | {
        names["classificationCode"]: "H4",
        names["refYear"]: "2015",
        names["period"]: "2015",
        names["flowCode"]: "3",
        names["reporterCode"]: "276",
        names["partnerCode"]: "0",
        names["cmdCode"]: "2606",
        names["qtyUnitCode"]: "1",
        names["primaryValue"]: "50",
        names["netWgt"]: "4",
    }
    text = _csv([{name.title(): value for name, value in row.items()}])
    found = _first(parse(edition, [_written(tmp_path / "old.csv", text)]))
    assert len(row) == 35
    assert (found["flow_code"], found["classification"]) == ("RX", "H4")
    assert (found["net_weight_kg"], found["quantity_unit"]) == (4.0, None)


@pytest.mark.parametrize(
    ("rows", "cap"), [(500, "keyless preview cuts answers at 500"), (100_000, "keyed call")]
)
def test_answer_at_a_cap_is_never_taken_for_whole(
    edition: Edition, tmp_path: Path, rows: int, cap: str
) -> None:
    small = {k: ROW[k] for k in ("period", "reporterCode", "partnerCode", "flowCode", "cmdCode")}
    data = [small | {"primaryValue": 1}] * rows
    with pytest.raises(DocumentUnreadable, match=cap):
        parse(edition, [_answer(tmp_path / "a.json", data)])
    with pytest.raises(DocumentUnreadable, match=cap):
        parse(edition, [_written(tmp_path / "a.csv", _csv(data))])


def test_count_that_differs_from_the_rows_is_refused(edition: Edition, tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="count says 733 rows, data holds 1"):
        parse(edition, [_answer(tmp_path / "a.json", [ROW], count=733)])


def test_empty_answer_beside_data_is_fine_and_alone_is_not(
    edition: Edition, tmp_path: Path
) -> None:
    empty = _answer(tmp_path / "empty.json", [])
    full = _answer(tmp_path / "full.json", [ROW])
    assert parse(edition, [empty, full]).rows_out == 1
    with pytest.raises(DocumentUnreadable, match="holds no rows"):
        parse(edition, [empty])


NOT_TRADE: dict[str, str] = {
    "codes.json": '{"results": [{"id": "01", "text": "x"}], "className": "HS"}',
    "listing.json": '{"count": 1, "data": [{"fileUrl": "x", "reporterCode": 4}], "error": ""}',
    "availability.json": '{"count": 1, "data": [{"datasetCode": 1, "totalRecords": 5}]}',
    "metadata.json": '{"count": 1, "data": [{"period": 1992, "notes": []}]}',
    "manifest.json": '{"schema_version": "1", "files": []}',
    "areas.csv": "id,country,iso_3\n4,Sample,AAA\n",
    "units.csv": "qtyCode,qtyAbbr,qtyDescription\n8,kg,x\n",
    "LICENSE": "words",
}


@pytest.mark.parametrize("name", NOT_TRADE)
def test_lists_and_listings_are_passed_over_beside_data_and_refused_alone(
    edition: Edition, tmp_path: Path, name: str
) -> None:
    other = _written(tmp_path / name, NOT_TRADE[name])
    assert parse(edition, [other, _answer(tmp_path / "a.json", [ROW])]).rows_out == 1
    with pytest.raises(DocumentUnreadable, match="no trade among the documents") as caught:
        parse(edition, [other])
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '{"statusCode": 401, "message": "denied"}', "error answer: status 401: denied"),
        ("a.json", '{"count": 0, "data": [], "error": "bad cmdCode"}', "error answer: bad cmdCode"),
        ("a.json", '{"data": [{"typeCode": "C"', "not readable JSON"),
        ("a.json", "[1, 2]", "a row is no object"),
        ("a.json", "7", "no rows in this JSON"),
        ("a.json", "[" * 100_000, "not readable JSON"),
        ("a.R", "structure(list())", r"\.r is no layout"),
        ("a.csv", "basket,product,share\nx,y,1\n", "columns basket, product, share are no layout"),
        ("a.csv", "", "no layout"),
        ("a.csv", "<html><body>", "a web page"),
        ("a.csv", "period,reporterCode\n2023,4\n", "columns missing: partnerCode, flowCode"),
        ("a.csv", "period,reporterCode,period\n1,2,3\n", "stands twice"),
    ],
)
def test_foreign_and_damaged_documents_are_refused_in_one_line(
    edition: Edition, tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=message) as caught:
        parse(edition, [_written(tmp_path / name, text)])
    assert "\n" not in str(caught.value)


def test_unknown_column_is_named(edition: Edition, tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="unknown columns: 'novelty'"):
        parse(edition, [_answer(tmp_path / "a.json", [ROW | {"novelty": 1}])])


def test_cut_export_is_refused_with_its_row(edition: Edition, folder: Path, tmp_path: Path) -> None:
    text = (folder / "portal.csv").read_text()
    with pytest.raises(DocumentUnreadable, match=r"cut short.*row 5"):
        parse(edition, [_written(tmp_path / "a.csv", text[:-60])])


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"reporterCode": 9876}, "country '9876'"),
        ({"partnerCode": "ABC"}, "country 'ABC'"),
        ({"partner2Code": 9876}, "country '9876'"),
        ({"flowCode": "Z"}, "flow 'Z'"),
        ({"qtyUnitCode": 77}, "quantity unit '77'"),
    ],
)
def test_unknown_codes_refuse_the_edition(
    edition: Edition, tmp_path: Path, change: dict[str, Any], kind: str
) -> None:
    with pytest.raises(UnknownLabel, match=f"unknown {kind}.*row 2"):
        parse(edition, [_answer(tmp_path / "a.json", [ROW, ROW | change])])


def test_other_classifications_are_refused(edition: Edition, tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="classification S3 is no revision"):
        parse(edition, [_answer(tmp_path / "a.json", [ROW | {"classificationCode": "S3"}])])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"primaryValue": None}, "value is blank"),
        ({"primaryValue": "1,5x"}, "value is unreadable"),
        ({"primaryValue": "inf"}, "value is unreadable"),
        ({"primaryValue": -1}, "value is negative"),
        ({"netWgt": "heavy"}, "weight or quantity is unreadable"),
        ({"netWgt": -2}, "weight or quantity is negative"),
        ({"cmdCode": "28x"}, "not a commodity code"),
        ({"cmdCode": None}, "not a commodity code"),
        ({"refYear": "later"}, "year is unreadable"),
        ({"period": "2022"}, "period and year differ"),
        ({"period": "20231"}, "period is unreadable"),
        ({"partnerCode": None}, "reporter or partner is blank"),
        ({"flowCode": None}, "flow is blank"),
        ({"cifvalue": "x"}, "CIF or FOB value is unreadable"),
    ],
)
def test_single_bad_rows_are_quarantined(
    edition: Edition, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    parsed = parse(edition, [_answer(tmp_path / "a.json", [ROW, ROW | change])])
    assert _reasons(parsed) == [reason]
    assert parsed.rows_out == 1
    assert _first(parsed)["n_rows_of_key"] == 1


def test_names_and_letters_may_be_absent(edition: Edition, tmp_path: Path) -> None:
    full = dict.fromkeys(API_FIELDS) | ROW | {"reporterISO": "JPN ", "reporterDesc": "Japan"}
    assert parse(edition, [_answer(tmp_path / "a.json", [full])]).rows_out == 1


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.booleans(), st.booleans()),
        min_size=1,
        max_size=40,
    )
)
def test_a_key_has_one_total_where_it_has_a_candidate(
    rows: list[tuple[str, int, bool, bool]],
) -> None:
    frame = pl.DataFrame(
        {
            **{name: [row[0] for row in rows] for name in KEY},
            "primary_value_usd": [float(row[1]) for row in rows],
            "__is_part": [row[2] for row in rows],
            QUARANTINE_REASON: ["bad" if row[3] else None for row in rows],
        },
        schema_overrides={QUARANTINE_REASON: pl.String},
    )
    marked = _totals(frame)
    assert marked.height == len(rows)
    for key in {row[0] for row in rows}:
        mine = marked.filter(pl.col("hs_code") == key)
        values = [float(v) for k, v, part, bad in rows if k == key and not part and not bad]
        totals = mine.filter("is_total").get_column("primary_value_usd").to_list()
        assert totals == ([max(values)] if values else [])
        good = sum(1 for k, _, _, bad in rows if k == key and not bad)
        assert mine.get_column("n_rows_of_key").unique().to_list() == [good]
