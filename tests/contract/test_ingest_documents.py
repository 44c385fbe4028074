"""Publishers' real documents through the door, one edition after the other."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.ingest import ingest_documents, refresh_raw, write_edition_tables
from pipelines.settings import Settings

pytestmark = [pytest.mark.reference, pytest.mark.slow]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_consecutive_editions_of_the_summaries_are_let_in_and_kept_whole(
    settings: Settings, reference_data: Path
) -> None:
    catalog = load_catalog()
    folder = reference_data / "production" / "usgs_mcs"
    years = ("2024", "2026", "2025")  # not in order: 2025 is compared with 2024, not with 2026

    results = [
        ingest_documents(settings, catalog, "usgs_mcs", [folder / year], label=year)
        for year in years
    ]

    assert [r.refused for r in results] == [None, None, None]
    for result in results:
        for table, count in result.tables.items():
            path = settings.raw_dir / table / f"{result.edition_id}.parquet"
            assert (pl.read_parquet(path).height if path.exists() else 0) == count
    # The data file of 2026 has 8,886 rows of figures.
    assert results[1].rows + results[1].quarantined == 8886
    again = ingest_documents(settings, catalog, "usgs_mcs", [folder / "2025"], label="2025")
    assert (again.changed, again.digest) == (False, results[2].digest)
    assert refresh_raw(settings, catalog, ["usgs_mcs"]) == []


def test_a_workbook_and_loose_tables_are_let_in(settings: Settings, reference_data: Path) -> None:
    catalog = load_catalog()

    governance = ingest_documents(
        settings, catalog, "wb_wgi", [*(reference_data / "production" / "wgi").glob("*.xlsx")]
    )
    shares = ingest_documents(
        settings,
        catalog,
        "eu_crm",
        [reference_data / "trade" / "eu_crm" / "fact_GlobalSupplyShares.csv"],
        label="2023",
    )

    assert (governance.refused, shares.refused) == (None, None)
    # 32,100 rows of six figures each.
    assert governance.rows + governance.quarantined == 192_600
    counts = write_edition_tables(settings, catalog)
    assert (counts["raw_monazite__edition"], counts["raw_monazite__document"]) == (2, 2)
