"""Comext through the interface and as bulk files. Figures are invented."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import py7zr
import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, EditionRefused, UnknownLabel
from pipelines.sources import eurostat_comext
from pipelines.sources.base import Document, Parsed
from pipelines.sources.eurostat_comext.reading import read_rows

HEADER = "DATAFLOW,LAST UPDATE,freq,reporter,partner,product,flow,indicators,TIME_PERIOD,OBS_VALUE"
FLAGGED = HEADER + ",OBS_FLAG"
BULK = (
    "REPORTER,PARTNER,TRADE_TYPE,PRODUCT_NC,PRODUCT_SITC,FLOW,TRANSPORT_MODE,STAT_PROCEDURE,"
    "SUPPL_UNIT,PERIOD,VALUE_EUR,VALUE_NAC,QUANTITY_KG,QUANTITY_SUPPL_UNIT"
)
KEPT = frozenset({"28053010", "85051110"})


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("eurostat_comext").edition("2024")


def line(
    indicator: str = "VALUE_IN_EUROS",
    value: str = "7",
    *,
    reporter: str = "DE",
    partner: str = "CN",
    product: str = "28053010",
    flow: str = "1",
    period: str = "2024-03",
    freq: str = "M",
) -> str:
    told = "ESTAT:DS-045409(1.0),15/09/26 11:00:00"
    return f"{told},{freq},{reporter},{partner},{product},{flow},{indicator},{period},{value}"


def bulk_line(
    product: str = "28053010",
    *,
    reporter: str = "DE",
    partner: str = "CN",
    mode: str = "1",
    period: str = "202401",
    values: str = "7,7,70,0",
) -> str:
    return f"{reporter},{partner},E,{product},52599,1,{mode},1,NO_SU,{period},{values}"


def read(
    folder: Path,
    edition: Edition,
    content: str | bytes,
    *,
    name: str = "answer.csv",
    keep_codes: frozenset[str] | None = None,
) -> Parsed:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return eurostat_comext.parse(edition, [Document.of(path)], keep_codes=keep_codes)


def answer(*lines: str, header: str = HEADER) -> str:
    return "\r\n".join([header, *lines, ""])


def packed(content: str, name: str = "full_v2_202401.dat") -> bytes:
    stream = io.BytesIO()
    with py7zr.SevenZipFile(stream, "w") as archive:
        archive.writestr(content, name)
    return stream.getvalue()


def table(parsed: Parsed) -> pl.DataFrame:
    return parsed.tables[eurostat_comext.TRADE]


def reasons(parsed: Parsed) -> list[str]:
    return parsed.quarantined[eurostat_comext.TRADE].get_column("quarantine_reason").to_list()


def test_weights_of_the_interface_are_in_hundreds_of_kilograms(
    tmp_path: Path, edition: Edition
) -> None:
    parsed = read(
        tmp_path,
        edition,
        answer(
            line("VALUE_IN_EUROS", "204"),
            line("QUANTITY_IN_100KG", "12.50"),
            line("SUPPLEMENTARY_QUANTITY", "3"),
        ),
    )
    frame = table(parsed)
    assert frame.select("measure", "value_text", "value").rows() == [
        ("trade_value_eur", "204", 204.0),
        ("net_weight_kg", "12.50", 1250.0),
        ("supplementary_quantity", "3", 3.0),
    ]
    row = frame.row(0, named=True)
    assert (row["reference_year"], row["reference_month"], row["code_level"]) == (2024, 3, 8)
    assert row["row_number"] == 2


def test_a_blank_value_is_kept_with_its_flag(tmp_path: Path, edition: Edition) -> None:
    parsed = read(
        tmp_path,
        edition,
        answer(line(value="") + ",c", line("QUANTITY_IN_100KG", "1") + ",", header=FLAGGED),
    )
    assert table(parsed).select("value", "obs_flag", "is_confidential").rows() == [
        (None, "c", True),
        (100.0, None, False),
    ]


def test_years_stand_beside_months_under_their_own_frequency(
    tmp_path: Path, edition: Edition
) -> None:
    parsed = read(tmp_path, edition, answer(line(), line(freq="A", period="2024")))
    assert table(parsed).select("freq_code", "reference_month").rows() == [("M", 3), ("A", None)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (line(period="2024-13"), "period is unreadable"),
        (line(period="March"), "period is unreadable"),
        (line(period="2024"), "period and frequency differ"),
        (line(product="rare earths"), "not a product code"),
        (line(value="many"), "value is unreadable"),
        (line(value="inf"), "value is unreadable"),
        (line(value="-1"), "value is negative"),
    ],
)
def test_a_bad_row_waits_with_its_reason(
    tmp_path: Path, edition: Edition, row: str, reason: str
) -> None:
    parsed = read(tmp_path, edition, answer(row, line(partner="US")))
    assert reasons(parsed) == [reason]
    assert parsed.rows_out == 1


def test_a_row_that_stands_twice_waits(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, answer(line(), line(value="8")))
    assert (parsed.rows_out, parsed.rows_quarantined) == (1, 1)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (line(reporter="ZY"), "unknown country 'ZY'"),
        (line(partner="ZY"), "unknown country 'ZY'"),
        (line(partner=""), "unknown country ''"),
        (line(flow="3"), "unknown flow '3'"),
        (line("VALUE_IN_DOLLARS"), "unknown indicator 'VALUE_IN_DOLLARS'"),
    ],
)
def test_an_unknown_code_refuses_with_its_place(
    tmp_path: Path, edition: Edition, row: str, what: str
) -> None:
    with pytest.raises(UnknownLabel) as refusal:
        read(tmp_path, edition, answer(line(), row))
    assert what in str(refusal.value)
    assert "answer.csv, row 3" in str(refusal.value)


def test_the_united_kingdom_and_its_parts_are_told_apart(tmp_path: Path, edition: Edition) -> None:
    rows = [line(partner=p) for p in ("GB", "XU", "XI", "QZ", "WORLD", "NA")]
    frame = table(read(tmp_path, edition, answer(*rows)))
    assert frame.select("partner_code", "partner_part_of").rows() == [
        ("GB", None), ("XU", "GB"), ("XI", "GB"), ("QZ", None), ("WORLD", None), ("NA", None),
    ]  # fmt: skip


def test_of_a_bulk_file_only_wanted_codes_are_kept(tmp_path: Path, edition: Edition) -> None:
    rows = [bulk_line(p) for p in ("28053010", "99999999", "850511XX", "28053090")]
    content = packed("\n".join([BULK, *rows, bulk_line(mode="4"), ""]))
    parsed = read(tmp_path, edition, content, name="full_v2_202401.7z", keep_codes=KEPT)
    frame = table(parsed)
    assert parsed.rows_out_of_scope == 2
    # Three indicators a row.
    assert frame.get_column("product_code").to_list() == (
        ["28053010"] * 3 + ["850511XX"] * 3 + ["28053010"] * 3
    )
    assert frame.get_column("is_confidential").to_list() == [False] * 3 + [True] * 3 + [False] * 3
    assert frame.get_column("row_number").unique().sort().to_list() == [2, 4, 6]
    assert frame.get_column("document_name")[0] == "full_v2_202401.7z/full_v2_202401.dat"
    first = frame.head(3)
    assert first.select("indicator", "value").rows() == [
        ("VALUE_EUR", 7.0), ("QUANTITY_KG", 70.0), ("QUANTITY_SUPPL_UNIT", 0.0),
    ]  # fmt: skip
    assert first.select("reference_year", "reference_month", "freq_code").row(0) == (2024, 1, "M")


def test_a_bulk_file_gives_the_same_plain_and_packed(tmp_path: Path, edition: Edition) -> None:
    content = "\n".join([BULK, *(bulk_line(mode=m) for m in "1234"), ""])
    plain = table(read(tmp_path, edition, content, name="full_v2_202401.dat", keep_codes=KEPT))
    zipped = table(
        read(tmp_path, edition, packed(content), name="full_v2_202401.7z", keep_codes=KEPT)
    )
    columns = [c for c in plain.columns if not c.startswith("document")]
    assert plain.select(columns).equals(zipped.select(columns))


def test_month_52_is_a_year_as_a_whole(tmp_path: Path, edition: Edition) -> None:
    content = "\n".join([BULK, bulk_line(period="202452"), ""])
    frame = table(read(tmp_path, edition, content, name="full_v2_202452.dat"))
    assert frame.select("freq_code", "reference_month").unique().rows() == [("A", None)]


def test_a_bulk_file_that_unpacks_too_far_is_refused(tmp_path: Path, edition: Edition) -> None:
    path = tmp_path / "full_v2_202401.7z"
    path.write_bytes(packed("\n".join([BULK, *[bulk_line()] * 5000])))
    with pytest.raises(DocumentUnreadable, match=r"too large|more than"):
        read_rows(edition, [Document.of(path)], keep_codes=KEPT, max_bytes=100_000)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("answer.csv", b""),
        ("answer.csv", b"<S:Fault><faultstring>EXTRACTION_TOO_BIG</faultstring></S:Fault>"),
        ("answer.csv", b"<!doctype html><title>Busy</title>"),
        ("answer.csv", HEADER.encode()),
        ("answer.csv", answer(line())[:-12].rsplit(",", 2)[0].encode()),
        ("answer.csv", answer(line(), header=HEADER.replace("flow", "direction")).encode()),
        ("answer.csv", answer(line(), header=HEADER.replace("freq", "flow")).encode()),
        ("answer.xlsx", b"PK"),
        ("full.7z", b"7z\xbc\xaf\x27\x1c" + b"\0" * 40),
        ("full.7z", b"no archive"),
        ("full.7z", packed(BULK + "\n" + bulk_line() + "\n")[:-20]),
        ("full.7z", packed("words", "readme.txt")),
        ("full.7z", packed("")),
        ("full.7z", packed("a,b\n1,2\n")),
        ("full.7z", packed(BULK + "\n" + bulk_line() + "\n" + bulk_line()[:30])),
        ("notes.txt", b"words"),
    ],
)
def test_bytes_in_no_layout_are_refused_in_one_line(
    tmp_path: Path, edition: Edition, name: str, content: bytes
) -> None:
    with pytest.raises(EditionRefused) as refusal:
        read(tmp_path, edition, content, name=name, keep_codes=KEPT)
    assert "\n" not in str(refusal.value)


def test_a_bulk_file_is_not_read_before_a_code_is_chosen(tmp_path: Path, edition: Edition) -> None:
    content = "\n".join([BULK, bulk_line(), ""])
    with pytest.raises(DocumentUnreadable, match=r"no code .* is chosen"):
        read(tmp_path, edition, content, name="full.dat", keep_codes=frozenset())
    assert read(tmp_path, edition, answer(line()), keep_codes=frozenset()).rows_out == 1


def test_a_bulk_month_without_a_wanted_code_is_empty_and_counted(
    tmp_path: Path, edition: Edition
) -> None:
    content = packed("\n".join([BULK, bulk_line("99999999"), ""]))
    parsed = read(tmp_path, edition, content, name="full_v2_202401.7z", keep_codes=KEPT)
    assert (parsed.rows_out, parsed.rows_out_of_scope) == (0, 1)
