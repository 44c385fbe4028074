"""Damaged and foreign bytes: the readers refuse them in one line and let nothing else out."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.catalog import load_catalog
from pipelines.errors import DocumentUnreadable, EditionRefused
from pipelines.sources import eu_crm, iso_3166, un_m49, unsd_hs, wb_wgi
from pipelines.sources.base import Document, Parsed, SourceModule
from starter.writers.spreadsheet import write_workbook

READERS: dict[str, SourceModule] = {
    "eu_crm": eu_crm,
    "wb_wgi": wb_wgi,
    "un_m49": un_m49,
    "iso_3166": iso_3166,
    "unsd_hs": unsd_hs,
}
NAMES = ("fact_Global.csv", "a.xlsx", "a.xls", "H6.json", "a.zip", "a.csv.gz")
each_reader = pytest.mark.parametrize("source_id", sorted(READERS))
each_name = pytest.mark.parametrize("name", NAMES)


def parse(source_id: str, path: Path) -> Parsed:
    edition = load_catalog().source(source_id).edition("2023")
    return READERS[source_id].parse(edition, [Document.of(path)])


@each_reader
@each_name
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 64,
        b"\xff\xfe\x00",
        b"PK\x03\x04 cut short",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 cut short",
        b"\x1f\x8b\x08 cut short",
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        b'{"statusCode": 403, "message": "Out of call volume quota"}',
        b'"unclosed, quote\n1,2\n',
        b"[" * 100_000,
        b"a,b\n1,\x00\n",
    ],
)
def test_foreign_bytes_are_refused(
    tmp_path: Path, source_id: str, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(EditionRefused) as refusal:
        parse(source_id, path)
    assert "\n" not in str(refusal.value)
    assert refusal.value.where


@each_reader
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=400), name=st.sampled_from(NAMES))
def test_no_bytes_let_a_foreign_exception_out(
    tmp_path: Path, source_id: str, content: bytes, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(EditionRefused):
        parse(source_id, path)


HEADERS = {
    "eu_crm": "Material,Stage,Country,Share,t",
    "wb_wgi": "code,countryname,year,indicator,estimate",
    "un_m49": (
        "Global Code,Global Name,Region Code,Region Name,Sub-region Code,Sub-region Name,"
        "Intermediate Region Code,Intermediate Region Name,Country or Area,M49 Code,"
        "ISO-alpha2 Code,ISO-alpha3 Code,Least Developed Countries (LDC),"
        "Land Locked Developing Countries (LLDC),Small Island Developing States (SIDS)"
    ),
    "iso_3166": "name,alpha-2,alpha-3,country-code,region,sub-region",
    "unsd_hs": "HS 2012,HS 2007,Relationship",
}
_WORDS = st.one_of(
    st.sampled_from(["Tin", "China", "CHN", "E", "4%", "<1%", "", "NA", "004", "2023", "cc", ".."]),
    st.text(max_size=8),
)


@each_reader
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.lists(_WORDS, max_size=6), min_size=1, max_size=6))
def test_any_rows_below_a_right_header_are_accounted_for(
    tmp_path: Path, source_id: str, rows: list[list[str]]
) -> None:
    cleaned = [[c.translate({10: " ", 13: " ", 34: "'", 0: " "}) for c in row] for row in rows]
    lines = [",".join(f'"{c}"' for c in row) for row in cleaned]
    path = tmp_path / "fact_Global.csv"
    path.write_bytes("\n".join([HEADERS[source_id], *lines]).encode("utf-8", "replace"))
    try:
        parsed = parse(source_id, path)
    except EditionRefused:
        return
    width = len(HEADERS[source_id].split(","))
    filled = [row for row in cleaned if any(c.strip() for c in row[:width])]
    # Two of the lists keep a column unread, so a row may be blank in all that are read.
    assert parsed.rows_out + parsed.rows_quarantined <= len(filled)
    assert parsed.rows_out + parsed.rows_quarantined >= len(
        [row for row in filled if len([c for c in row[:width] if c.strip()]) > 2]
    )


def spoiled(path: Path, spoil: Callable[[bytes], bytes]) -> Path:
    path.write_bytes(spoil(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    "spoil",
    [
        lambda b: b[: len(b) // 2],
        lambda b: b[:-30],
        lambda b: b[:60] + b"\xff" * 40 + b[100:],
    ],
)
def test_damaged_workbooks_are_refused(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    rows = [["HS 2012", "HS 2007"], *[[f"{n:06d}", f"{n:06d}"] for n in range(10_000, 10_400)]]
    write_workbook(tmp_path / "a.xlsx", {"S": rows})
    with pytest.raises(DocumentUnreadable, match=r"damaged|not a workbook"):
        parse("unsd_hs", spoiled(tmp_path / "a.xlsx", spoil))


def test_workbook_that_is_only_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("readme.txt", "no sheets here")
    with pytest.raises(DocumentUnreadable, match="workbook is damaged"):
        parse("wb_wgi", tmp_path / "a.xlsx")


@pytest.mark.reference
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_old_workbooks_cut_short_are_refused(
    tmp_path: Path, reference_data: Path, share: float
) -> None:
    folder = reference_data / "trade" / "nomenclature" / "unsd_conversion"
    content = (folder / "HS1996_to_HS1992.xls").read_bytes()
    path = tmp_path / "HS1996_to_HS1992.xls"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(EditionRefused):
        parse("unsd_hs", path)


def test_lists_are_read_from_gzip_and_from_zip(tmp_path: Path, fixtures_dir: Path) -> None:
    content = (fixtures_dir / "unsd_hs" / "H6.json").read_bytes()
    (tmp_path / "H6.json.gz").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(tmp_path / "lists.zip", "w") as archive:
        archive.writestr("lists/H6.json", content)
    for name, shown in (("H6.json.gz", "H6.json.gz"), ("lists.zip", "lists.zip/lists/H6.json")):
        table = parse("unsd_hs", tmp_path / name).tables[unsd_hs.CODE]
        assert table.get_column("document_name").unique().to_list() == [shown]
