"""Real DataWeb downloads, compared with what another reader finds in the same cells."""

from __future__ import annotations

import warnings
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.sources import usitc_dataweb
from pipelines.sources.base import Document, Parsed
from starter.writers import usitc_dataweb as writer

pytestmark = pytest.mark.reference

TRADE = "raw_usitc_dataweb__trade"


@pytest.fixture(scope="module")
def reports(reference_data: Path) -> Parsed:
    edition = load_catalog().source("usitc_dataweb").edition(writer.LABEL)
    documents = [Document.of(reference_data / path) for path in writer.ORIGINALS]
    return usitc_dataweb.parse(edition, documents)


def test_file_names_tell_one_edition() -> None:
    source = load_catalog().source("usitc_dataweb")
    labels = {source.label_from_name(path.name) for path in writer.ORIGINALS}
    assert labels == {writer.LABEL}


def test_every_row_and_year_is_there(reports: Parsed) -> None:
    assert not reports.quarantined
    rows = 474 * 4 + 33 * 2 + 398 * 2 + 401 * 2 + 138 * 2
    assert reports.tables[TRADE].height == rows * 34


FIGURES = [
    ("import", "Customs Value", "France", "2846", "2023", 4_448_714, "reported"),
    ("import", "First Unit of Quantity", "France", "2846", "2023", 77_714, "reported"),
    ("export", "FAS Value", "France", "2846", "2023 Jan - Apr", 1_320_245, "reported"),
    ("export", "FAS Value", "China", "2846", "2026", None, "not_available"),
    ("export", "First Unit of Quantity", "Japan", "8505", "1993", None, "withheld"),
]


@pytest.mark.parametrize("figure", FIGURES)
def test_figures(reports: Parsed, figure: tuple[object, ...]) -> None:
    columns = ["flow", "valuation_text", "country_label", "hts_code", "period_text"]
    found = reports.tables[TRADE].filter(**dict(zip(columns, figure, strict=False)))
    assert figure in found.select(*columns, "value", "value_flag").rows()


def test_cells_stand_where_another_reader_finds_them(reports: Parsed, reference_data: Path) -> None:
    path = reference_data / writer.ORIGINALS[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the other reader misses a default style
        book = openpyxl.load_workbook(path, data_only=True)
    rows = reports.tables[TRADE].filter(
        pl.col("document_name") == path.name, pl.col("hts_code") == "2846"
    )
    assert rows.height > 2000
    for row in rows.sample(500, seed=7).iter_rows(named=True):
        cell = book[row["sheet"]].cell(row["row_number"], row["column_number"]).value
        assert float(cell) == float(row["value_text"])


def test_no_figure_of_the_running_year_is_a_zero(reports: Parsed) -> None:
    running = reports.tables[TRADE].filter(
        (pl.col("reference_year") == 2026) & ~pl.col("is_year_to_date")
    )
    assert set(running["value_flag"]) == {"not_available"}


def test_starter_reads_like_the_original(
    reports: Parsed, reference_data: Path, tmp_path: Path
) -> None:
    writer.write(reference_data, tmp_path / "a")
    writer.write(reference_data, tmp_path / "b")
    documents = sorted((tmp_path / "a" / writer.LABEL).glob("*.xlsx"))
    for document in documents:
        twin = tmp_path / "b" / writer.LABEL / document.name
        assert document.read_bytes() == twin.read_bytes()
    edition = load_catalog().source("usitc_dataweb").edition(writer.LABEL)
    again = usitc_dataweb.parse(edition, [Document.of(path) for path in documents]).tables[TRADE]
    key = list(usitc_dataweb.TABLES[TRADE].key)
    own = {"document_name", "document_sha256", "row_number"}
    names = [column for column in again.columns if column not in own]
    wanted = reports.tables[TRADE].filter(
        pl.col("hts_code").str.contains(f"^(?:{'|'.join(writer.CODES)})")
    )
    assert again.select(names).sort(key).equals(wanted.select(names).sort(key))
