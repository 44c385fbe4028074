"""The World Bank's own workbook, and the starter's copy of its estimates."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.sources import wb_wgi
from pipelines.sources.base import Document, Parsed
from starter.writers import wb_wgi as writer

pytestmark = pytest.mark.reference

EDITION = load_catalog().source("wb_wgi").edition("2024")


@pytest.fixture(scope="module")
def workbook(reference_data: Path) -> Parsed:
    files = sorted((reference_data / "production" / "wgi").glob("*.xlsx"))
    return wb_wgi.parse(EDITION, [Document.of(f) for f in files])


def test_every_cell_of_the_workbook_is_there(workbook: Parsed) -> None:
    assert not workbook.quarantined
    table = workbook.tables[wb_wgi.ESTIMATE]
    assert table.height == 32_100 * 6
    missing = table.filter(pl.col("value_flag") == "not_available")
    assert missing.height == 1_126 * 6
    assert missing.get_column("value_text").unique().to_list() == [".."]


def test_estimates_read_by_hand(workbook: Parsed) -> None:
    table = workbook.tables[wb_wgi.ESTIMATE].filter(pl.col("measure") == "estimate")
    first = table.filter((pl.col("country_label") == "AFG") & (pl.col("reference_year") == 1996))
    assert first.filter(pl.col("indicator") == "cc").row(0, named=True)["value"] == (
        -1.2917047739028931
    )
    last = table.filter((pl.col("country_label") == "ZWE") & (pl.col("reference_year") == 2023))
    voice = last.filter(pl.col("indicator") == "va").row(0, named=True)
    assert voice["value"] == pytest.approx(-1.092633009)
    assert voice["row_number"] == 32_101


def test_the_workbook_is_read_in_a_few_seconds(reference_data: Path) -> None:
    (path,) = (reference_data / "production" / "wgi").glob("*.xlsx")
    start = time.perf_counter()
    wb_wgi.parse(EDITION, [Document.of(path)])
    assert time.perf_counter() - start < 15


def test_starter_carries_the_same_figures(
    workbook: Parsed, reference_data: Path, tmp_path: Path
) -> None:
    writer.write(reference_data, tmp_path)
    document = tmp_path / "2024" / "wgidataset.xlsx"
    assert document.stat().st_size < 400_000
    copy = wb_wgi.parse(EDITION, [Document.of(document)]).tables[wb_wgi.ESTIMATE]
    key = list(wb_wgi.TABLES[wb_wgi.ESTIMATE].key)
    columns = [*key, "value_text", "value", "value_low", "value_high", "value_flag", "country_text"]
    original = workbook.tables[wb_wgi.ESTIMATE].filter(
        (pl.col("reference_year") >= writer.SINCE) & pl.col("measure").is_in(writer.MEASURES)
    )
    assert copy.select(columns).sort(key).equals(original.select(columns).sort(key))
