"""A first night on an empty home, asking the publishers, brings the figures of the starter.

The publishers are the emulator, which serves the starter's figures in the publishers' own form, so
whatever differs was lost or changed by asking, archiving or reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.ingest import IngestResult
from pipelines.night import bring_in
from pipelines.settings import Settings
from tests.emulator.app import Emulator
from tests.emulator.serving import serving

pytestmark = pytest.mark.slow

SOURCES = ("usgs_mcs", "usgs_myb", "wb_wgi", "cepii_baci")
#: Where a row stands: the starter's documents are cut and named differently from the publishers'.
PLACE = ("document_name", "document_sha256", "sheet", "row_number", "column_number", "column_name")
#: Editions that the publisher has and the starter does not.
ONLY_LIVE = {"usgs_myb-ds140_2020"}


@dataclass(frozen=True)
class Homes:
    """Two warehouses as far as their raw tables."""

    starter: Settings
    live: Settings
    results: dict[str, list[IngestResult]]
    emulator: Emulator


@pytest.fixture(scope="module")
def homes(starter_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homes]:
    starter, live = Settings(home=starter_home), Settings(home=tmp_path_factory.mktemp("live"))
    catalog = load_catalog()
    emulator = Emulator(only=SOURCES)
    with serving(emulator) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONAZITE_HTTP_MIRROR", address)
        patch.setenv("MONAZITE_HTTP_SPACING_SECONDS", "0")
        results = {s: bring_in(live, catalog, s, live=True) for s in SOURCES}
        yield Homes(starter, live, results, emulator)


def editions(settings: Settings, source_id: str) -> set[str]:
    found = settings.raw_dir.glob(f"raw_{source_id}__*/{source_id}-*.parquet")
    return {path.stem for path in found} - ONLY_LIVE


def figures(path: Path, source_id: str) -> pl.DataFrame:
    """The rows of a raw table without their places, in an order of their own."""
    frame = pl.read_parquet(path)
    if source_id == "wb_wgi":
        # The interface has today's codes, or none; the map brings both to the same area. Its
        # words for nothing are null where the workbook has two points.
        seeds = Settings().seeds_dir / "labels" / "country__wgi.csv"
        areas = pl.read_csv(seeds, infer_schema=False).select("country_label", "country_iso3")
        frame = (
            frame.join(areas, on="country_label", how="left", validate="m:1")
            .with_columns(
                pl.coalesce("country_iso3", pl.lit("Kosovo")).alias("country_label"),
                pl.when(pl.col("value_flag") != "not_available").then("value_text"),
            )
            .drop("country_iso3", "country_code_text")
        )
    frame = frame.drop(PLACE, strict=False)
    return frame.sort(frame.columns)


@pytest.mark.parametrize("source_id", SOURCES)
def test_every_edition_of_the_starter_comes_and_is_let_in(homes: Homes, source_id: str) -> None:
    assert editions(homes.live, source_id) == editions(homes.starter, source_id)
    assert all(r.refused is None and r.changed for r in homes.results[source_id])


@pytest.mark.parametrize("source_id", SOURCES)
def test_raw_tables_hold_the_same_figures(homes: Homes, source_id: str) -> None:
    tables = 0
    for folder in sorted(homes.starter.raw_dir.glob(f"raw_{source_id}__*")):
        for path in sorted(folder.glob(f"{source_id}-*.parquet")):
            ours = figures(path, source_id)
            theirs = figures(homes.live.raw_dir / folder.name / path.name, source_id)
            assert theirs.schema == ours.schema
            assert theirs.height == ours.height, (folder.name, path.stem)
            assert theirs.equals(ours), (folder.name, path.stem)
            tables += 1
    assert tables


@pytest.mark.parametrize("source_id", SOURCES)
def test_a_second_night_asks_little_and_stores_nothing(homes: Homes, source_id: str) -> None:
    before = {p: p.stat().st_mtime_ns for p in homes.live.root.rglob("*") if p.is_file()}
    homes.emulator.requests.clear()
    results = bring_in(homes.live, load_catalog(), source_id, live=True)
    assert results
    assert all(r.refused is None and not r.changed for r in results)
    assert len(homes.emulator.requests) <= 10
    after = {p: p.stat().st_mtime_ns for p in homes.live.root.rglob("*") if p.is_file()}
    changed = {p.name for p in after if after[p] != before.get(p)}
    assert changed <= {"requests.json"}
