"""Bad documents and hostile names through ``monazite import``: nothing is lost, all is told."""

from __future__ import annotations

import csv
import gzip
import io
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from pipelines.sources import base
from tests.support.command import Outcome, monazite

WORLD = "raw_usgs_mcs__world_production"
HEADER = [
    "MCS chapter", "Section", "Commodity", "Country", "Statistics", "Statistics_detail", "Unit",
    "Year", "Value", "Notes", "Is critical mineral 2025", "Other notes",
]  # fmt: skip
COUNTRIES = [
    "Australia", "Brazil", "Canada", "Chile", "China", "Cuba", "Finland", "France", "Greece",
    "India", "Indonesia", "Japan", "Madagascar", "Morocco", "Namibia", "Norway", "Peru", "Russia",
    "Ukraine", "Zambia",
]  # fmt: skip
EU_SHARES = (
    "Material,Stage,Country,Share,t\r\nDysprosium,P,China,60%,1.0\r\nDysprosium,P,Japan,40%,1.0\r\n"
)

Rows = list[list[str]]


def rows_of(year: int) -> Rows:
    """A commodity's world table in the layout of 2026; plainly invented figures."""
    place = ["COBALT", "World Mine Production and Reserves", "Cobalt"]
    what = ["Production", "Mine production", "metric tons"]
    table = [
        [*place, country, *what, str(y), f"{100 * (number + 1):,}", "", "Yes", ""]
        for y in (year - 2, year - 1)
        for number, country in enumerate(COUNTRIES)
    ]
    rounded = ["Production", "Mine production: rounded", "metric tons"]
    table += [
        [*place, "World total", *rounded, str(y), "21,000", "", "Yes", ""]
        for y in (year - 2, year - 1)
    ]
    return table


def document(year: int, change: Callable[[Rows], None] | None = None) -> bytes:
    """The long file of an edition as the agency writes it (Windows-1252, CRLF)."""
    table = [list(HEADER), *rows_of(year)]
    if change is not None:
        change(table)
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(table)
    return text.getvalue().encode("cp1252")


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


class Home:
    """A warehouse that holds an edition of the summaries and a finished release."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "home"
        self.brought = 0

    def file(self, name: str, content: bytes) -> Path:
        """A file of this name, in a folder of its own."""
        self.brought += 1
        path = self.folder / "brought" / str(self.brought) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def bring(self, source: str, *paths: Path | str, **options: str) -> Outcome:
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return monazite("import", source, *paths, *words, home=self.root)

    def bring_bytes(self, name: str, content: bytes, **options: str) -> Outcome:
        return self.bring("usgs_mcs", self.file(name, content), **options)

    def tree(self) -> dict[str, bytes]:
        """Every file that counts: not locks, not the notes of what was refused."""
        return {
            p.relative_to(self.root).as_posix(): p.read_bytes()
            for p in sorted(self.root.rglob("*"))
            if p.is_file() and p.name != ".lock" and "refusals" not in p.parts
        }

    def raw(self, edition_id: str) -> pl.DataFrame:
        return pl.read_parquet(self.root / "raw" / WORLD / f"{edition_id}.parquet")

    def quarantined(self, edition_id: str) -> pl.DataFrame:
        return pl.read_parquet(self.root / "quarantine" / WORLD / f"{edition_id}.parquet")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Home(tmp_path_factory.mktemp("built"))
    release = made.root / "release" / "0123456789ab"
    release.mkdir(parents=True)
    (release / "monazite.duckdb").write_bytes(b"the last good release")
    (release.parent / "current").symlink_to(release.name)
    told = made.bring_bytes("MCS2027_Commodities_Data.csv", document(2027))
    assert told.status == 0, told.err
    return made.root


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    shutil.copytree(built, made.root, symlinks=True)
    yield made
    assert (made.root / "release" / "current" / "monazite.duckdb").read_bytes() == (
        b"the last good release"
    )
    assert not list((made.root / "archive").glob("incoming/*"))


def is_refused(home: Home, told: Outcome, *words: str) -> None:
    """Status 1, one line with these words."""
    assert (told.status, told.out) == (1, "")
    for word in words:
        assert word in told.line


# Faults of a publisher: the edition is refused


def without(column: str) -> Callable[[Rows], None]:
    def change(table: Rows) -> None:
        place = HEADER.index(column)
        for row in table:
            del row[place]

    return change


def put(column: str, value: str, row: int = 5) -> Callable[[Rows], None]:
    def change(table: Rows) -> None:
        table[row][HEADER.index(column)] = value

    return change


REFUSED = {
    "truncated zip": (
        "MCS2028_Commodities_Data.zip",
        zipped(("MCS2028_Commodities_Data.csv", document(2028)))[:-60],
        ["cut short", "MCS2028_Commodities_Data.zip", "fetch"],
    ),
    "web page": (
        "MCS2028_Commodities_Data.csv",
        b"<!DOCTYPE html>\n<html><title>503 Service Unavailable</title></html>",
        ["a web page stands where a data file was expected", "MCS2028_Commodities_Data.csv"],
    ),
    "missing column": (
        "MCS2028_Commodities_Data.csv",
        document(2028, without("Country")),
        ["country", "MCS2028_Commodities_Data.csv"],
    ),
    "renamed column": (
        "MCS2028_Commodities_Data.csv",
        document(2028, put("Unit", "Measure", row=0)),
        ["MCS2028_Commodities_Data.csv"],
    ),
    "new country": (
        "MCS2028_Commodities_Data.csv",
        document(2028, put("Country", "Freedonia")),
        ["unknown country 'Freedonia'", "MCS2028_Commodities_Data.csv, row 6", "country map"],
    ),
    "unknown unit": (
        "MCS2028_Commodities_Data.csv",
        document(2028, put("Unit", "bushels")),
        ["unknown unit 'bushels'", "MCS2028_Commodities_Data.csv, row 6"],
    ),
    "half the rows": (
        "MCS2028_Commodities_Data.csv",
        document(2028, lambda table: table.__delitem__(slice(12, None))),
        [f"{WORLD}: 42 -> 11 rows (-74 %)", "usgs_mcs-2027", "--force 'REASON'"],
    ),
    "no bytes": (
        "MCS2028_Commodities_Data.csv",
        b"",
        ["MCS2028_Commodities_Data.csv"],
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_faulty_edition_is_refused_and_everything_stays(home: Home, fault: str) -> None:
    name, content, words = REFUSED[fault]
    before = home.tree()

    told = home.bring_bytes(name, content)

    is_refused(home, told, *words)
    assert home.tree() == before
    assert "refused: usgs_mcs-2028" in monazite("status", home=home.root).out


def test_after_a_refusal_other_sources_and_the_mended_edition_come_in(home: Home) -> None:
    name, content, _ = REFUSED["new country"]
    assert home.bring_bytes(name, content).status == 1

    shares = home.file("fact_GlobalSupplyShares.csv", EU_SHARES.encode())
    assert home.bring("eu_crm", shares, edition="2023").status == 0
    mended = home.bring_bytes(name, document(2028))

    assert mended.status == 0, mended.err
    assert home.raw("usgs_mcs-2028").height == home.raw("usgs_mcs-2027").height == 42
    status = monazite("status", home=home.root).out
    assert "refused" not in status
    assert "eu_crm-2023" in status
    assert monazite("verify", home=home.root).status == 1  # the planted release is none
    assert "archive" not in monazite("verify", home=home.root).out


def test_a_smaller_edition_comes_in_with_a_reason_that_is_kept(home: Home) -> None:
    name, content, _ = REFUSED["half the rows"]
    told = home.bring_bytes(name, content, force="the agency split the table")
    assert told.status == 0, told.err
    assert "let in all the same: " in told.out
    [manifest] = (home.root / "archive").glob("editions/usgs_mcs/usgs_mcs-2028/edition.json")
    assert "the agency split the table" in manifest.read_text()


# Faults of a row: it is quarantined with a reason


def twice(row: int, value: str) -> Callable[[Rows], None]:
    def change(table: Rows) -> None:
        again = list(table[row])
        again[HEADER.index("Value")] = value
        table.append(again)

    return change


@pytest.mark.parametrize(
    ("change", "reason", "row", "value"),
    [
        (twice(5, "7"), "duplicate key", 44, "7"),
        (twice(41, "99,000"), "duplicate key", 44, "99,000"),
        (put("Value", "-300"), "negative", 6, "-300"),
        (put("Value", "3OO"), "unreadable", 6, "3OO"),
    ],
    ids=["duplicate key", "second World row", "negative tonnage", "letters for digits"],
)
def test_a_faulty_row_is_quarantined_with_its_place_and_the_rest_comes_in(
    home: Home, change: Callable[[Rows], None], reason: str, row: int, value: str
) -> None:
    before = home.tree()
    content = document(2028, change)

    told = home.bring_bytes("MCS2028_Commodities_Data.csv", content)

    assert (told.status, told.err) == (0, "")
    bad = home.quarantined("usgs_mcs-2028").row(0, named=True)
    assert home.quarantined("usgs_mcs-2028").height == 1
    assert reason in bad["quarantine_reason"]
    assert (bad["row_number"], bad["value_text"]) == (row, value)
    assert bad["document_name"] == "MCS2028_Commodities_Data.csv"
    read = content.count(b"\r\n") - 1
    assert home.raw("usgs_mcs-2028").height == read - 1
    assert f"quarantine/{WORLD}/usgs_mcs-2028.parquet" in told.out
    after = home.tree()
    assert {name: after[name] for name in before} == before


def test_the_first_world_row_stays_when_a_second_comes(home: Home) -> None:
    home.bring_bytes("MCS2028_Commodities_Data.csv", document(2028, twice(41, "99,000")))
    world = home.raw("usgs_mcs-2028").filter(pl.col("row_number") > 41)
    assert world.get_column("row_number").to_list() == [42, 43]
    assert world.get_column("value").to_list() == [21000, 21000]


# Names and packings


LONG = "MCS2028_Commodities_Data.csv"


@pytest.mark.parametrize(
    "member",
    [
        "../../../../escaped/MCS2028_Commodities_Data.csv",
        "/escaped/MCS2028_Commodities_Data.csv",
        "..\\..\\escaped\\MCS2028_Commodities_Data.csv",
        "C:\\escaped\\MCS2028_Commodities_Data.csv",
        "мир/数据/MCS2028_Commodities_Data.csv",
        f"{'deep/' * 2000}{LONG}",
        f"a\x1b[31m\n\r\x07/{LONG}",
        "$(touch escaped)/`touch escaped`;MCS2028_Commodities_Data.csv",
    ],
    ids=["parent", "absolute", "backslash", "drive", "unicode", "deep", "control", "shell"],
)
def test_a_member_is_read_and_never_written_wherever_its_name_leads(
    home: Home, monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    elsewhere = home.folder / "a" / "b" / "c" / "d"
    elsewhere.mkdir(parents=True)
    monkeypatch.chdir(elsewhere)

    told = home.bring_bytes("release.zip", zipped((member, document(2028))), edition="2028")

    if told.status:
        assert told.line
    else:
        assert home.raw("usgs_mcs-2028").height == 42
        assert told.out.replace("\n", "").isprintable()
    assert not [p for p in home.folder.rglob("*") if "escaped" in p.name]
    assert not Path("/escaped").exists()
    assert list(elsewhere.iterdir()) == []


def test_a_symbolic_link_in_a_zip_is_not_followed(home: Home, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_bytes(document(2028))
    link = zipfile.ZipInfo("MCS2028_Commodities_Data.csv")
    link.external_attr = 0o120777 << 16
    told = home.bring_bytes("mcs2028.zip", zipped((link, str(secret).encode())))
    is_refused(home, told, "MCS2028_Commodities_Data.csv")


def encrypted() -> bytes:
    content = bytearray(zipped((LONG, document(2028))))
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def lying_about_size() -> bytes:
    content = bytearray(zipped((LONG, document(2028))))
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 10)
    return bytes(content)


PACKED = {
    "empty zip": ("mcs2028.zip", b"", "cut short"),
    "zip of nothing": ("mcs2028.zip", zipped(), "mcs2028.zip"),
    "zip in a zip": ("mcs2028.zip", zipped(("inner.zip", zipped((LONG, b"")))), "mcs2028.zip"),
    "encrypted zip": ("mcs2028.zip", encrypted(), "encrypted"),
    "zip that lies about sizes": ("mcs2028.zip", lying_about_size(), "damaged"),
    "text as zip": ("mcs2028.zip", b"not a zip", "cut short"),
    "text as workbook": ("mcs2028-dimen_salient.xlsx", b"not a workbook", "workbook"),
    "zip as workbook": ("mcs2028-dimen_salient.xlsx", zipped((LONG, b"x")), "workbook"),
    "NUL bytes": (LONG, document(2028).replace(b"Chile", b"Ch\x00ile"), "Ch\\x00ile"),
    "only NUL bytes": (LONG, bytes(5000), LONG),
    "two bytes a letter": (LONG, document(2028).decode("cp1252").encode("utf-16-be"), LONG),
    "any bytes": (LONG, bytes(range(256)) * 99, LONG),
    "an unclosed quote": (LONG, document(2028) + b'"COBALT', LONG),
    "a picture": ("MCS2028.csv", b"\x89PNG\r\n\x1a\n" + bytes(99), "MCS2028.csv"),
}


@pytest.mark.parametrize("case", PACKED)
def test_bytes_that_are_something_else_are_refused_in_one_line(home: Home, case: str) -> None:
    name, content, word = PACKED[case]
    before = home.tree()
    is_refused(home, home.bring_bytes(name, content), word)
    assert home.tree() == before


def test_a_zip_bomb_is_refused_before_it_unpacks(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "MAX_MEMBER_BYTES", 1_000_000)
    bomb = zipped((LONG, bytes(2_000_000)))
    assert len(bomb) < 10_000
    is_refused(home, home.bring_bytes("mcs2028.zip", bomb), "unpacks to more than 1,000,000 bytes")


@pytest.mark.parametrize("cut", [-20, 30, 5])
def test_a_gzip_cut_short_is_refused(home: Home, cut: int) -> None:
    content = gzip.compress(b"period,reporterCode\n" * 999)[:cut]
    told = home.bring("un_comtrade", home.file("comtrade_2022.csv.gz", content))
    is_refused(home, told, "comtrade_2022.csv.gz")


def test_names_with_shell_characters_and_blanks_are_names_and_nothing_else(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.folder)
    name = "$(touch a) `touch b`; touch c & MCS2028 'x' \"y\" Größe*?.csv"
    told = home.bring_bytes(name, document(2028))
    assert told.status == 0, told.err
    assert home.raw("usgs_mcs-2028").get_column("document_name").unique().to_list() == [name]
    assert not [p for p in home.folder.iterdir() if p.name in {"a", "b", "c"}]


@pytest.mark.parametrize("name", ["MCS2028\n_Commodities.csv", "MCS2028\x1b[31m.csv"])
def test_a_name_with_control_characters_is_wrong_usage(home: Home, name: str) -> None:
    before = home.tree()
    told = home.bring_bytes(name, document(2028))
    assert told.status == 2
    assert "rename the file" in told.line
    assert home.tree() == before


def test_a_name_that_is_no_text_is_wrong_usage(home: Home) -> None:
    path = home.file("MCS2028.csv", document(2028))
    odd = path.with_name(os.fsdecode(b"MCS2028\xff\xfe.csv"))
    try:
        path.rename(odd)
    except OSError:
        pytest.skip("this file system takes no such name")
    told = home.bring("usgs_mcs", odd)
    assert told.status == 2
    assert "not UTF-8" in told.line


def test_a_name_as_long_as_may_be(home: Home) -> None:
    name = f"{'x' * 230}_MCS2028.csv"
    assert home.bring_bytes(name, document(2028)).status == 0
    told = home.bring("usgs_mcs", home.folder / ("x" * 300))
    assert told.status in {1, 2}
    assert told.line


def test_what_is_no_document_is_wrong_usage(home: Home, tmp_path: Path) -> None:
    before = home.tree()
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    one, two = home.file("MCS2028.csv", b"1"), home.file("MCS2028.csv", b"2")
    for paths, word in (
        ([tmp_path / "empty"], "the folder holds no file"),
        ([tmp_path / "pipe"], "not a regular file"),
        ([Path("/dev/zero")], "not a regular file"),
        ([tmp_path / "loop"], "does not exist"),
        ([tmp_path / "nowhere.csv"], "does not exist"),
        ([Path()], ""),
        ([one, two], "two files are named MCS2028.csv"),
        ([home.file("MCS2027.csv", b""), home.file("MCS2028.csv", b"")], "several editions"),
    ):
        told = home.bring("usgs_mcs", *paths)
        assert told.status == 2, paths
        assert word in told.line
    assert home.tree() == before


def test_a_folder_that_holds_itself_is_walked_once(home: Home) -> None:
    path = home.file(LONG, document(2028))
    (path.parent / "again").symlink_to(".")
    told = home.bring("usgs_mcs", path.parent)
    assert told.status == 0, told.err
    assert home.raw("usgs_mcs-2028").height == 42


# Options


@pytest.mark.parametrize(
    "label", ["..", "/", "///", "", " ", "год", "x" * 81, "20\n28", "2028\x00", "-", "_"]
)
def test_a_label_that_cannot_be_one_is_wrong_usage(home: Home, label: str) -> None:
    before = home.tree()
    told = home.bring_bytes(LONG, document(2028), edition=label)
    assert told.status == 2
    assert told.line
    assert home.tree() == before


@pytest.mark.parametrize("label", ["../../../tmp/x", "/etc/2028", "20/28", "..\\2028", "2028; rm"])
def test_a_label_with_slashes_stays_below_the_warehouse(home: Home, label: str) -> None:
    path = home.file(LONG, document(2028))
    outside = {*home.folder.iterdir()}
    told = home.bring("usgs_mcs", path, edition=label)
    assert told.status == 0, told.err
    [folder] = [
        p for p in (home.root / "archive" / "editions" / "usgs_mcs").iterdir()
        if p.name != "usgs_mcs-2027"
    ]  # fmt: skip
    assert home.raw(folder.name).height == 42
    assert "/" not in folder.name
    assert {*home.folder.iterdir()} == outside


@pytest.mark.parametrize(
    "day", ["31.12.2025", "2025-02-30", "2025", "yesterday", "", "2025-1-1", "9999-12-31"]
)
def test_a_day_that_cannot_be_one_is_wrong_usage(home: Home, day: str) -> None:
    before = home.tree()
    told = home.bring_bytes(LONG, document(2028), published=day)
    assert told.status == 2
    assert told.line
    assert home.tree() == before


def test_the_day_of_publication_is_kept(home: Home) -> None:
    assert home.bring_bytes(LONG, document(2028), published="2026-02-01").status == 0
    status = monazite("status", home=home.root).out
    [row] = [line for line in status.splitlines() if "usgs_mcs-2028" in line]
    assert "2026-02-01" in row


def test_an_empty_reason_lets_nothing_in(home: Home) -> None:
    name, content, _ = REFUSED["half the rows"]
    told = home.bring_bytes(name, content, force="  ")
    assert told.status == 2
    assert "a reason is needed" in told.line
