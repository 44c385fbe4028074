"""Raw tables on disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from pipelines.archive.store import StoredDocument
from pipelines.catalog import Edition
from pipelines.errors import MonaziteError
from pipelines.ingest import ensure_schemas
from pipelines.ingest.raw import EditionWriter, write_table
from pipelines.settings import Settings
from pipelines.sources.base import RECORD_COLUMNS, Parsed, TableSpec
from tests.support.house import House

TABLE = "raw_toy__flow"
SPECS = {
    TABLE: TableSpec(
        columns={**RECORD_COLUMNS, "day": pl.Date(), "year": pl.Int16(), "is_new": pl.Boolean()}
    )
}
EDITION = Edition(source_id="toy", label="2026", citation="c")


DOCUMENT = StoredDocument(
    name="a.csv", sha256="ab", size_bytes=7, retrieved_at=datetime(2026, 1, 1, tzinfo=UTC)
)


def frame(start: int, stop: int) -> pl.DataFrame:
    numbers = list(range(start, stop))
    return pl.DataFrame(
        {
            "source_edition_id": ["toy-2026"] * len(numbers),
            "document_name": ["a.csv"] * len(numbers),
            "document_sha256": ["ab"] * len(numbers),
            "sheet": [None] * len(numbers),
            "row_number": numbers,
            "day": [None] * len(numbers),
            "year": [2020] * len(numbers),
            "is_new": [n % 2 == 0 for n in numbers],
        },
        schema=SPECS[TABLE].schema,
    )


def write(home: Path, batches: Sequence[pl.DataFrame]) -> Path:
    settings = Settings(home=home)
    with EditionWriter(
        settings,
        EDITION,
        read_as=EDITION,
        specs=SPECS,
        documents=[DOCUMENT],
    ) as writer:
        for batch in batches:
            writer.add(Parsed(tables={TABLE: batch}))
        writer.publish(writer.finish(reader="r"))
    return settings.raw_dir / TABLE / "toy-2026.parquet"


def test_bytes_do_not_depend_on_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.ingest.raw._ROW_GROUP", 100)
    whole = write(tmp_path / "1", [frame(0, 250)])
    pieces = write(tmp_path / "2", [frame(n, n + 1) for n in range(250)])
    chunks = write(tmp_path / "3", [frame(0, 199), frame(199, 201), frame(201, 250)])

    assert whole.read_bytes() == pieces.read_bytes() == chunks.read_bytes()
    metadata = pq.read_metadata(whole)
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [
        100,
        100,
        50,
    ]
    column = metadata.row_group(0).column(4)
    assert column.compression == "ZSTD"
    assert (column.statistics.min, column.statistics.max) == (0, 99)


def test_types_survive_and_duckdb_reads_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, [frame(0, 3)])

    assert pl.read_parquet(path).equals(frame(0, 3))
    assert pl.read_parquet_schema(path) == SPECS[TABLE].schema
    with duckdb.connect() as connection:
        types = connection.read_parquet(str(path)).dtypes
    assert [str(t) for t in types] == [
        *["VARCHAR"] * 4,
        "BIGINT",
        "DATE",
        "SMALLINT",
        "BOOLEAN",
    ]


def test_nothing_has_its_name_before_it_is_published(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with EditionWriter(
        settings,
        EDITION,
        read_as=EDITION,
        specs=SPECS,
        documents=[DOCUMENT],
    ) as writer:
        writer.add(Parsed(tables={TABLE: frame(0, 3)}))
        writer.finish(reader="r")
        assert list(settings.raw_dir.rglob("*.parquet")) == []
    assert [p for p in settings.raw_dir.rglob("*") if p.is_file()] == []


def test_every_reader_has_its_empty_tables(house: House) -> None:
    ensure_schemas(house.settings, house.catalog)

    found = {p.parent.name: p for p in house.settings.raw_dir.rglob("_schema.parquet")}
    assert sorted(found) == ["raw_toy_bulk__flow", "raw_toy_mine__note", "raw_toy_mine__production"]
    assert pl.read_parquet(found["raw_toy_bulk__flow"]).shape == (0, 7)
    times = {name: path.stat().st_mtime_ns for name, path in found.items()}

    ensure_schemas(house.settings, house.catalog)
    assert {n: p.stat().st_mtime_ns for n, p in found.items()} == times

    house.change_reader("toy_bulk", '"value_kusd": pl.Float64()', '"value_musd": pl.Float64()')
    found["raw_toy_mine__note"].write_bytes(b"damaged")
    ensure_schemas(house.settings, house.catalog)
    assert "value_musd" in pl.read_parquet_schema(found["raw_toy_bulk__flow"])
    assert pl.read_parquet(found["raw_toy_mine__note"]).is_empty()


def test_a_source_without_a_reader_is_passed_over_but_a_broken_one_is_not(house: House) -> None:
    (house.readers / "toy_bulk.py").unlink()
    house.forget_readers()
    ensure_schemas(house.settings, house.catalog)

    house.change_reader("toy_mine", "import polars as pl", "import no_such_library")
    with pytest.raises(MonaziteError, match="the reader of toy_mine cannot be imported: Module"):
        ensure_schemas(house.settings, house.catalog)


def test_a_table_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, frame(0, 2))
    write_table(path, frame(0, 0))

    assert pl.read_parquet(path).equals(frame(0, 0))
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]
