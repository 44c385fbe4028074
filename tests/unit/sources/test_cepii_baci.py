"""BACI's year files and code lists, in CEPII's layout with invented figures."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import Edition, Source, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources.base import Document, Parsed
from pipelines.sources.cepii_baci import (
    COUNTRY,
    PRODUCT,
    TABLES,
    TRADE,
    mapped_codes,
    parse,
    parse_batches,
)


@pytest.fixture
def source() -> Source:
    return load_catalog().source("cepii_baci")


@pytest.fixture
def edition(source: Source) -> Edition:
    return source.edition("HS92-V202601")


@pytest.fixture
def folder(fixtures_dir: Path) -> Path:
    return fixtures_dir / "cepii_baci"


def _document(path: Path, text: str) -> Document:
    path.write_text(text, encoding="utf-8")
    return Document.of(path)


def _pack(path: Path, files: Sequence[Path], method: int = zipfile.ZIP_DEFLATED) -> Document:
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in files:
            archive.write(file, file.name)
    return Document.of(path)


def _reasons(parsed: Parsed) -> dict[str, int]:
    counts = parsed.quarantined[TRADE].get_column("quarantine_reason").value_counts()
    return dict(counts.iter_rows())


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("BACI_HS92_V202601.zip", "HS92-V202601"),
        ("BACI_HS17_V202401b.zip", "HS17-V202401b"),
        ("BACI_HS22_Y2024_V202701.csv", "HS22-V202701"),
        ("BACI_HS92_V202601_1995_1999.zip", "HS92-V202601"),
        ("product_codes_HS02_V202601.csv", "HS02-V202601"),
        ("country_codes_V202601.csv", "V202601"),
        ("trade.csv", None),
    ],
)
def test_file_name_tells_the_edition(source: Source, name: str, label: str | None) -> None:
    assert source.label_from_name(name) == label


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zip_of_a_revision_fills_all_tables(
    edition: Edition, folder: Path, tmp_path: Path, method: int
) -> None:
    readme = tmp_path / "Readme.txt"
    readme.write_text("prose")
    packed = _pack(
        tmp_path / "BACI_HS92_V202601.zip",
        [
            folder / "BACI_HS92_Y2022_V202601.csv",
            folder / "country_codes_V202601.csv",
            folder / "product_codes_HS92_V202601.csv",
            readme,
        ],
        method,
    )
    parsed = parse(edition, [packed])
    assert {name: t.height for name, t in parsed.tables.items()} == {
        TRADE: 4,
        COUNTRY: 4,
        PRODUCT: 3,
    }
    for name, table in parsed.tables.items():
        assert table.schema == TABLES[name].schema
    row = parsed.tables[TRADE].row(0, named=True)
    assert row["document_name"] == "BACI_HS92_V202601.zip/BACI_HS92_Y2022_V202601.csv"
    assert row["source_edition_id"] == edition.edition_id
    assert row["row_number"] == 2
    assert (row["hs_revision"], row["reference_year"], row["hs_code"]) == ("HS92", 2022, "280530")
    assert (row["exporter_code"], row["importer_code"]) == ("156", "392")
    assert (row["value_kusd"], row["quantity_t"]) == (12.5, 3.25)


def test_missing_quantity_is_unknown_and_keeps_its_text(edition: Edition, folder: Path) -> None:
    parsed = parse(edition, [Document.of(folder / "BACI_HS92_Y2022_V202601.csv")])
    rows = parsed.tables[TRADE].select("quantity_t_text", "quantity_t", "value_kusd_text").rows()
    assert rows == [
        ("3.25", 3.25, "12.5"),
        ("", None, "7"),
        ("0.002", 0.002, "1.001"),
        ("NA", None, "4.125"),
    ]


def test_rows_that_cannot_be_let_in_are_quarantined_with_their_reason(
    edition: Edition, folder: Path
) -> None:
    parsed = parse(edition, [Document.of(folder / "BACI_HS92_Y2023_V202601.csv")])
    assert parsed.rows_out + parsed.rows_quarantined == 11
    assert parsed.tables[TRADE].select("hs_code", "value_kusd").rows() == [
        ("280530", 13.5),
        ("028461", 2.0),
    ]
    key = "hs_revision, reference_year, exporter_code, importer_code, hs_code"
    assert _reasons(parsed) == {
        f"duplicate key ({key})": 1,
        "a country trades with itself": 1,
        "value is not positive": 2,
        "value is unreadable": 1,
        "quantity is unreadable": 1,
        "quantity is negative": 1,
        "not an HS code of six digits": 1,
        "year differs from the file name (2023)": 1,
    }


def test_file_rewritten_by_r_gets_its_zeros_back(source: Source, folder: Path) -> None:
    edition = source.edition("HS92-V202301")
    parsed = parse(edition, [Document.of(folder / "rewritten.csv")])
    assert parsed.tables[TRADE].select("hs_code", "value_kusd", "quantity_t").rows() == [
        ("010121", 0.5, 1.25),
        ("284690", 100_000.0, None),
    ]


def test_revision_that_nothing_tells_is_refused(source: Source, folder: Path) -> None:
    with pytest.raises(DocumentUnreadable, match=r"tells the HS revision .*HS92-V202601"):
        parse(source.edition("mine"), [Document.of(folder / "rewritten.csv")])


def test_name_of_the_zip_tells_the_revision_of_nameless_members(
    source: Source, folder: Path, tmp_path: Path
) -> None:
    packed = _pack(tmp_path / "BACI_HS17_V202601.zip", [folder / "rewritten.csv"])
    parsed = parse(source.edition("HS17-V202601"), [packed])
    assert parsed.tables[TRADE].get_column("hs_revision").unique().to_list() == ["HS17"]


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("BACI_HS92_Y2022_V202601.csv", "BACI_HS17_Y2021_V202601.csv"), "HS revisions"),
        (("BACI_HS92_Y2022_V202601.csv", "BACI_HS92_Y2021_V202501.csv"), "BACI versions"),
    ],
)
def test_revisions_and_versions_are_not_mixed(
    source: Source, tmp_path: Path, names: tuple[str, str], what: str
) -> None:
    text = "t,i,j,k,v,q\n{year},156,392,280530,1,1\n"
    documents = [
        _document(tmp_path / name, text.format(year=year))
        for name, year in zip(names, (2022, 2021), strict=True)
    ]
    with pytest.raises(DocumentUnreadable, match=f"two {what} in one edition"):
        parse(source.edition("both"), documents)


def test_document_of_another_edition_is_refused(source: Source, folder: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="two HS revisions in one edition: 17 and 92"):
        parse(source.edition("HS17-V202601"), [Document.of(folder / "BACI_HS92_Y2022_V202601.csv")])


def test_unknown_country_code_refuses_the_edition(edition: Edition, tmp_path: Path) -> None:
    document = _document(
        tmp_path / "BACI_HS92_Y2022_V202601.csv",
        "t,i,j,k,v,q\n2022,156,392,280530,1,1\n2022,156,9876,280530,1,1\n",
    )
    with pytest.raises(UnknownLabel, match=r"unknown country '9876'.*row 3"):
        parse(edition, [document])


def test_leading_zeros_of_country_codes_do_not_matter(edition: Edition, tmp_path: Path) -> None:
    document = _document(
        tmp_path / "BACI_HS92_Y2022_V202601.csv", "t,i,j,k,v,q\n2022,004,008,280530,1,1\n"
    )
    table = parse(edition, [document]).tables[TRADE]
    assert table.select("exporter_code", "importer_code").row(0) == ("4", "8")


def test_both_generations_of_the_country_list_are_read(source: Source, folder: Path) -> None:
    new = parse(source.edition("V202601"), [Document.of(folder / "country_codes_V202601.csv")])
    old = parse(source.edition("V202001"), [Document.of(folder / "country_codes_V202001.csv")])
    columns = ["country_code", "country_name", "country_name_full", "country_iso2", "country_iso3"]
    assert new.tables[COUNTRY].select(columns).rows()[1:3] == [
        ("490", "Sample, nes", None, None, "S19"),
        ("516", "Sample Two", None, None, "BBB"),
    ]
    assert old.tables[COUNTRY].select(columns).rows() == [
        ("156", "Sample", "Sample, Isle of", "AA", "AAA"),
        ("490", "Sample, nes", "Sample, not named", "N/A", "N/A"),
    ]


def test_list_in_an_older_encoding_is_read(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "country_codes_V201901.csv"
    path.write_bytes(
        "country_code,country_name,country_iso2,country_iso3\n384,Côte,CI,CIV\n".encode("cp1252")
    )
    parsed = parse(source.edition("V201901"), [Document.of(path)])
    assert parsed.tables[COUNTRY].get_column("country_name").to_list() == ["Côte"]


def test_codes_out_of_scope_are_counted(edition: Edition, folder: Path) -> None:
    document = Document.of(folder / "BACI_HS92_Y2022_V202601.csv")
    parsed = parse(edition, [document], keep_codes=frozenset({"280530"}))
    assert parsed.rows_out == 2
    assert parsed.out_of_scope == {TRADE: 2}
    assert parsed.rows_out + parsed.rows_quarantined + parsed.rows_out_of_scope == 4


def test_damaged_codes_are_quarantined_not_out_of_scope(edition: Edition, folder: Path) -> None:
    document = Document.of(folder / "BACI_HS92_Y2023_V202601.csv")
    parsed = parse(edition, [document], keep_codes=frozenset({"280530"}))
    assert parsed.rows_out + parsed.rows_quarantined + parsed.rows_out_of_scope == 11
    assert "not an HS code of six digits" in _reasons(parsed)


def test_a_year_without_kept_codes_gives_no_rows(edition: Edition, folder: Path) -> None:
    document = Document.of(folder / "BACI_HS92_Y2022_V202601.csv")
    parsed = parse(edition, [document], keep_codes=frozenset({"850511"}))
    assert (parsed.rows_out, parsed.rows_out_of_scope) == (0, 4)


def test_batches_give_a_year_at_a_time_and_the_same_rows(edition: Edition, folder: Path) -> None:
    names = (
        "country_codes_V202601.csv",
        "BACI_HS92_Y2022_V202601.csv",
        "BACI_HS92_Y2023_V202601.csv",
    )
    documents = [Document.of(folder / name) for name in names]
    batches = list(parse_batches(edition, documents))
    years = [b.tables[TRADE].get_column("reference_year").unique().to_list() for b in batches]
    assert years == [[], [2022], [2023]]
    whole = parse(edition, documents)
    joined = pl.concat(batch.tables[TRADE] for batch in batches)
    assert joined.equals(whole.tables[TRADE])
    assert whole.tables[COUNTRY].height == 4


def test_a_year_in_two_files_is_refused(edition: Edition, folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "copy_Y2022.csv"
    again.write_bytes((folder / "BACI_HS92_Y2022_V202601.csv").read_bytes())
    documents = [Document.of(folder / "BACI_HS92_Y2022_V202601.csv"), Document.of(again)]
    with pytest.raises(DocumentUnreadable, match="2022 stands in two files"):
        parse(edition, documents)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("BACI_HS92_Y2022_V202601.csv", "i,j,cmd,value\nABW,NLD,850511,2\n", "columns i, j, cmd"),
        ("BACI_HS92_Y2022_V202601.csv", "t,i,j,k,v,q\n", "holds no flows"),
        ("BACI_HS92_Y2022_V202601.csv", "", "no layout"),
        ("BACI_HS92_Y2022_V202601.csv", "t,i,j,k,v,q,w\n2022,4,8,1,1,1,1\n", "no layout"),
        (
            "BACI_HS92_Y2022_V202601.csv",
            "t,i,j,k,v,q\n2022,4,8,280530,1,1\n2022,4,8,28",
            "row 3.*fetch",
        ),
        ("BACI_HS92_Y2022_V202601.csv", "t,i,j,k,v,q\n2022,4,8,280530,1,1,5\n", "7 fields"),
        ("BACI_HS92_Y2022_V202601.csv", "t,i,j,k,v,q\n2021,4,8,280530,1,1\n", "no row can be let"),
        ("BACI_HS92_Y2022_V202601.csv", "<!DOCTYPE html><html></html>", "a web page"),
        ("BACI_HS92_Y2022_V202601.json", "{}", ".json is no layout"),
        ("country_codes_V202601.csv", "country_code,country_name\n4,X\n", "no layout"),
        ("product_codes_HS92_V202601.csv", "code,description\n", "holds no rows"),
        ("product_codes_HS92_V202601.csv", "code,description\n280530\n", "1 fields"),
        ("Readme.txt", "prose", "no data among the documents"),
    ],
)
def test_foreign_and_damaged_documents_are_refused_in_one_line(
    edition: Edition, tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=message) as caught:
        parse(edition, [_document(tmp_path / name, text)])
    assert "\n" not in str(caught.value)


def test_infinite_and_named_numbers_are_unreadable(edition: Edition, tmp_path: Path) -> None:
    document = _document(
        tmp_path / "BACI_HS92_Y2022_V202601.csv",
        "t,i,j,k,v,q\n2022,4,8,280530,1,1\n2022,4,12,280530,inf,1\n2022,4,24,280530,nan,1\n"
        "2022,4,28,280530,1e999,1\n2022,4,31,280530,1,inf\n",
    )
    parsed = parse(edition, [document])
    assert parsed.rows_out == 1
    assert _reasons(parsed) == {"value is unreadable": 3, "quantity is unreadable": 1}


def test_mapped_codes_are_those_of_the_seed() -> None:
    codes = mapped_codes()
    assert {"280530", "284610", "284690", "850511"} <= codes
    assert all(len(code) == 6 for code in codes)
