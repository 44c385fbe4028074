"""Broken and foreign documents in place of the Mineral Commodity Summaries."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.catalog import load_catalog
from pipelines.errors import DocumentUnreadable, EditionRefused, MonaziteError, UnknownLabel
from pipelines.sources import usgs_mcs
from pipelines.sources.base import Document, Parsed
from pipelines.sources.usgs_mcs.world import WORLD

Parse = Callable[..., Parsed]
LONG = Path("2027") / "MCS2027_Commodities_Data.csv"
ONE = Path("2024") / "mcs2024-antim_world.csv"


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    def run(name: str, content: bytes, label: str = "2027") -> Parsed:
        path = tmp_path / name
        path.write_bytes(content)
        edition = load_catalog().source("usgs_mcs").edition(label)
        return usgs_mcs.parse(edition, [Document.of(path)])

    return run


@pytest.fixture
def long(fixtures_dir: Path) -> bytes:
    return (fixtures_dir / "usgs_mcs" / LONG).read_bytes()


@pytest.fixture
def one(fixtures_dir: Path) -> bytes:
    return (fixtures_dir / "usgs_mcs" / ONE).read_bytes()


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def test_truncated_zip_is_refused(parse: Parse, one: bytes) -> None:
    whole = zipped("mcs2024-antim_world.csv", one)
    with pytest.raises(DocumentUnreadable, match=r"world\.zip"):
        parse("world.zip", whole[: len(whole) // 2], "2024")


def test_damaged_member_is_refused(parse: Parse, one: bytes) -> None:
    whole = bytearray(zipped("mcs2024-antim_world.csv", one))
    whole[60:80] = bytes(20)
    with pytest.raises(DocumentUnreadable):
        parse("world.zip", bytes(whole), "2024")


def test_zip_of_a_version_that_nobody_reads_is_refused(parse: Parse, one: bytes) -> None:
    whole = bytearray(zipped("mcs2024-antim_world.csv", one))
    at = whole.rindex(b"PK\x01\x02")
    whole[at + 6] = 250
    with pytest.raises(DocumentUnreadable, match=r"zip is damaged"):
        parse("world.zip", bytes(whole), "2024")


@pytest.mark.parametrize("name", ["MCS2027_Commodities_Data.csv", "world.zip"])
def test_web_page_in_place_of_data_is_refused(parse: Parse, name: str) -> None:
    with pytest.raises(DocumentUnreadable, match="web page"):
        parse(name, b"<!DOCTYPE html><html><body>503</body></html>")


@pytest.mark.parametrize("content", [b"", b"\x00\xff\x00" * 99, b"a,b,c\r\n1,2,3\r\n"])
def test_data_file_without_data_is_refused(parse: Parse, content: bytes) -> None:
    with pytest.raises(DocumentUnreadable, match=r"mcs2027-raree_world\.csv"):
        parse("mcs2027-raree_world.csv", content)


def test_nothing_readable_says_what_was_found(parse: Parse) -> None:
    with pytest.raises(DocumentUnreadable, match=r"readme\.pdf.*expected the world tables"):
        parse("readme.pdf", b"%PDF-1.7")


@pytest.mark.parametrize("column", ["Commodity", "Country", "Value", "Section"])
def test_missing_column_of_the_long_file_is_named(parse: Parse, long: bytes, column: str) -> None:
    head, _, rest = long.partition(b"\r\n")
    broken = head.replace(b"," + column.encode() + b",", b",Something,") + b"\r\n" + rest
    with pytest.raises(DocumentUnreadable, match=column.lower()):
        parse("MCS2027_Commodities_Data.csv", broken)


def test_missing_and_unknown_columns_are_named(parse: Parse, one: bytes) -> None:
    with pytest.raises(DocumentUnreadable, match="column missing: 'country'"):
        parse("mcs2024-antim_world.csv", one.replace(b"Country,", b"Land,", 1), "2024")
    with pytest.raises(DocumentUnreadable, match="column unknown: 'Smelted_t'"):
        parse("mcs2024-antim_world.csv", one.replace(b"Prod_t_2022", b"Smelted_t", 1), "2024")
    with pytest.raises(DocumentUnreadable, match="without a unit in its name: 'Prod_2022'"):
        parse("mcs2024-antim_world.csv", one.replace(b"Prod_t_2022", b"Prod_2022", 1), "2024")


def test_new_country_is_named_with_its_place(parse: Parse, long: bytes) -> None:
    with pytest.raises(UnknownLabel, match=r"'Freedonia'.*row 2\b"):
        parse("MCS2027_Commodities_Data.csv", long.replace(b"Slovakia", b"Freedonia"))


def test_unknown_unit_series_chapter_section_and_statistic_are_named(
    parse: Parse, long: bytes
) -> None:
    name = "MCS2027_Commodities_Data.csv"
    for old, new, said in (
        (b",metric tons,2025", b",bushels,2025", "unknown unit 'bushels'"),
        (b"Mine production,metric", b"Moon production,metric", "unknown series 'cobalt: moon"),
        (b"COBALT,", b"UNOBTAINIUM,", "unknown chapter 'unobtainium'"),
        (b"World Mine", b"Lunar Mine", "unknown Section 'Lunar Mine"),
        (b",Production,Mine", b",Hopes,Mine", "unknown statistic 'Hopes'"),
    ):
        with pytest.raises(UnknownLabel, match=said):
            parse(name, long.replace(old, new, 1))


def test_document_of_another_edition_is_refused(parse: Parse, one: bytes) -> None:
    with pytest.raises(DocumentUnreadable, match="document of edition 2024"):
        parse("mcs2024-antim_world.csv", one, "2023")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"1,200"', b'"-1,200"', "negative production: -1,200"),
        (b'"1,200"', b"?1", "unreadable value ?1"),
        (b'"1,200"', b"E", "unreadable value E"),
        (b'"1,200"', b"1e300", "1e300 is beyond any production"),
        (b'metric tons,2025,"1,200"', b'metric tons,25,"1,200"', "no year for this figure"),
        (b'metric tons,2025,"1,200"', b',2025,"1,200"', "no unit for this figure"),
        (b"C\xf4te d\x92Ivoire", b"", "no country in this row"),
    ],
)
def test_bad_rows_are_quarantined_with_a_reason(
    parse: Parse, long: bytes, old: bytes, new: bytes, reason: str
) -> None:
    assert old in long
    parsed = parse("MCS2027_Commodities_Data.csv", long.replace(old, new, 1))
    assert parsed.quarantined[WORLD]["quarantine_reason"].to_list() == [reason]
    assert parsed.rows_out == 9


def test_second_row_of_a_key_is_quarantined(parse: Parse, long: bytes) -> None:
    parsed = parse(
        "MCS2027_Commodities_Data.csv", long.replace(b"C\xf4te d\x92Ivoire", b"Slovakia")
    )
    assert parsed.quarantined[WORLD]["quarantine_reason"][0].startswith("duplicate key")
    assert parsed.rows_out + parsed.rows_quarantined == 10


def test_second_equal_world_row_is_a_duplicate(parse: Parse, long: bytes) -> None:
    twice = long.replace(
        b"World total,Production,Mine production,",
        b"World total,Production,Mine production: rounded,",
        1,
    )
    parsed = parse("MCS2027_Commodities_Data.csv", twice)
    assert parsed.quarantined[WORLD]["value"].to_list() == [2750.0]


def test_cells_under_no_header_are_quarantined(parse: Parse, one: bytes) -> None:
    parsed = parse("mcs2024-antim_world.csv", one.replace(b"700,,,", b"700,,stray,"), "2024")
    assert parsed.quarantined[WORLD]["quarantine_reason"].to_list() == ["the column has no name"]
    assert parsed.quarantined[WORLD]["value_text"].to_list() == ["stray"]
    assert parsed.rows_out == 27


def test_correction_that_no_longer_fits_refuses_the_edition(parse: Parse) -> None:
    mended = (
        b"Source,Country,Type,Prod_t_est_2022,Prod_t_est_2023,Prod_notes,Reserves_t,Reserves_notes"
        b'\r\nMCS2024,Canada,"Refinery production, contained selenium",110,120,,6000,\r\n'
    )
    with pytest.raises(EditionRefused, match="ref_correction usgs_mcs-world-2024-selenium-unit"):
        parse("mcs2024-selen_world.csv", mended, "2024")


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_bytes_let_a_foreign_exception_out(
    data: st.DataObject, parse: Parse, long: bytes, one: bytes
) -> None:
    content = bytearray(data.draw(st.sampled_from([long, one, zipped("a_world.csv", one)])))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=6)) or b","
    name = data.draw(st.sampled_from(["mcs2024-antim_world.csv", "world.zip", "a.csv", "a.xlsx"]))
    with contextlib.suppress(MonaziteError):
        parsed = parse(name, bytes(content), "2024")
        assert parsed.rows_out + parsed.rows_quarantined > 0
