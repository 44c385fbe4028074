"""The raw tables on disk: one Parquet a table and edition, a function of archive and readers.

::

    raw/<table>/<edition_id>.parquet          rows let in
    raw/<table>/_schema.parquet               no rows, all columns, so that no glob is empty
    raw/.editions/<edition_id>.json           what stands there, and which reader wrote it
    quarantine/<table>/<edition_id>.parquet   rows not let in, with ``quarantine_reason``

Tables are written beside their place while the reader still works and get their names when the
edition is accepted. Whatever a crash leaves between is found by :func:`refresh_raw`, which brings
everything here to what archive and readers say. The bytes depend on the rows only, not on the
batches in which they came.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.archive.files import (
    TEMPORARY,
    make_folder,
    remove_temporary,
    sync_folder,
    writing,
)
from pipelines.archive.profile import EditionProfile, RawState, TableProfile
from pipelines.archive.store import Archive, StoredDocument
from pipelines.catalog import Catalog, Edition
from pipelines.errors import EditionRefused, MonaziteError
from pipelines.ingest.reading import find_reader
from pipelines.settings import Settings
from pipelines.sources.base import QUARANTINE_REASON, Parsed, TableSpec

__all__ = ["EditionWriter", "ensure_schemas", "is_complete", "remove_raw", "write_table"]

#: Rows of a row group; DuckDB reads row groups in parallel and likes this size.
_ROW_GROUP = 122_880
_PREVIEW_ROWS = 5
_NAMES_SHOWN = 3
_SCHEMA_FILE = "_schema.parquet"
_OLDEST = pl.CompatLevel.oldest()


class _TableFile:
    """A Parquet file being written; rows come in any portions, row groups are all of one size."""

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        self.path = path
        self.rows = 0
        self._schema = pl.DataFrame(schema=schema).to_arrow(compat_level=_OLDEST).schema
        self._waiting: list[pl.DataFrame] = []
        self._n_waiting = 0
        with writing(path):
            make_folder(path.parent)
            handle, text = tempfile.mkstemp(
                dir=path.parent, prefix=f".{path.stem[:40]}.", suffix=TEMPORARY
            )
            self.temporary = Path(text)
            self._stream: BinaryIO = os.fdopen(handle, "wb")
            self._parquet = pq.ParquetWriter(
                self._stream,
                self._schema,
                compression="zstd",
                write_statistics=True,
                store_schema=False,
            )

    def add(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        self._waiting.append(frame)
        self._n_waiting += frame.height
        self.rows += frame.height
        if self._n_waiting >= _ROW_GROUP:
            self._write(keep=self._n_waiting % _ROW_GROUP)

    def _write(self, *, keep: int) -> None:
        whole = pl.concat(self._waiting, rechunk=True)
        ready = whole.height - keep
        with writing(self.path):
            self._parquet.write_table(
                whole.head(ready).to_arrow(compat_level=_OLDEST), row_group_size=_ROW_GROUP
            )
        self._waiting = [_copied(whole.tail(keep))] if keep else []
        self._n_waiting = keep

    def finish(self) -> None:
        """Write what waits and bring the file to the disk.

        :raises MonaziteError: writing failed, or the file does not hold all rows.
        """
        if self._n_waiting:
            self._write(keep=0)
        with writing(self.path):
            self._parquet.close()
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            stored = pq.read_metadata(self.temporary).num_rows
            if stored != self.rows:  # pragma: no cover - a fault of the library or the disk
                raise MonaziteError(
                    f"{stored:,} rows stored of {self.rows:,}", where=str(self.path)
                )
            self.temporary.chmod(0o644)

    def publish(self) -> None:
        """Give the file its name."""
        with writing(self.path):
            self.temporary.replace(self.path)
            sync_folder(self.path.parent)

    def discard(self) -> None:
        """Drop the file; nothing to do once it has its name."""
        with suppress(OSError, pa.ArrowException):
            self._parquet.close()
        self._parquet.is_open = False  # else it tries once more, aloud, when it is collected
        with suppress(OSError):
            self._stream.close()
        with suppress(OSError):
            self.temporary.unlink(missing_ok=True)


def _copied(part: pl.DataFrame) -> pl.DataFrame:
    """Some rows of a frame without the memory of all of it, which a slice would hold."""
    return part.select(pl.all().gather(pl.int_range(pl.len())))


def write_table(path: Path, frame: pl.DataFrame) -> None:
    """Write one table whole or not at all; the bytes depend on its rows only.

    :raises MonaziteError: it cannot be written.
    """
    table = _TableFile(path, frame.schema)
    try:
        table.add(frame)
        table.finish()
        table.publish()
    finally:
        table.discard()


class EditionWriter:
    """The raw tables of one edition, written beside their places until :meth:`publish`.

    Used as a context: what was not published at its end is dropped.

    :param edition: under the id that the rows shall carry.
    :param read_as: the id that the reader gave them.
    :param documents: the only ones that rows may name.
    """

    def __init__(
        self,
        settings: Settings,
        edition: Edition,
        *,
        read_as: Edition,
        specs: Mapping[str, TableSpec],
        documents: Iterable[StoredDocument],
    ) -> None:
        self._settings = settings
        self._edition_id = edition.edition_id
        self._read_as = read_as.edition_id
        self._specs = specs
        named = sorted(documents, key=lambda d: d.name)
        self._names = [d.name for d in named]
        self._sizes = {d.sha256: d.size_bytes for d in named}
        self._raw: dict[str, _TableFile] = {}
        self._quarantine: dict[str, _TableFile] = {}
        self._columns: dict[str, dict[str, int]] = {name: {} for name in specs}
        self._out_of_scope: dict[str, int] = {}
        self._parts: set[str] = set()
        self._hashes: set[str] = set()
        self.preview: dict[str, pl.DataFrame] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        place: TracebackType | None,
    ) -> None:
        self.discard()

    @property
    def _files(self) -> list[_TableFile]:
        return [*self._raw.values(), *self._quarantine.values()]

    def add(self, parsed: Parsed) -> None:
        """Append what a reader gave.

        :raises EditionRefused: the rows are not of this edition, of no document of it, or not in
            the columns that the reader promises.
        :raises MonaziteError: they cannot be written.
        """
        for name, frame in parsed.tables.items():
            spec = self._spec(name)
            self._check(name, frame, spec.schema)
            if frame.height:
                self._note(name, frame)
                self._file(self._raw, self._settings.raw_dir, name, spec.schema).add(
                    self._renamed(frame)
                )
        for name, frame in parsed.quarantined.items():
            schema = pl.Schema({**self._spec(name).schema, QUARANTINE_REASON: pl.String()})
            self._check(name, frame, schema)
            if frame.height:
                self._file(self._quarantine, self._settings.quarantine_dir, name, schema).add(
                    self._renamed(frame)
                )
        for name, count in parsed.out_of_scope.items():
            self._out_of_scope[name] = self._out_of_scope.get(name, 0) + count

    def _spec(self, name: str) -> TableSpec:
        if name not in self._specs:
            raise EditionRefused(f"the reader gave a table that it does not name: {name}")
        return self._specs[name]

    def _check(self, name: str, frame: pl.DataFrame, schema: pl.Schema) -> None:
        if frame.schema != schema:
            odd = sorted(set(frame.schema.items()) ^ set(schema.items()), key=str)
            raise EditionRefused(
                f"the reader gave other columns of {name} than it promises: "
                + (", ".join(f"{c} {t}" for c, t in odd[:4]) or "another order")
            )
        if frame.is_empty():
            return
        editions = set(frame.get_column("source_edition_id").unique().to_list())
        if editions != {self._read_as}:
            raise EditionRefused(
                f"the reader gave rows of {name} that are not of {self._read_as}: {editions}"
            )
        strange = set(frame.get_column("document_sha256").unique().to_list()) - set(self._sizes)
        if strange:
            raise EditionRefused(
                f"the reader gave rows of {name} from no document of the edition: {strange}"
            )

    def _note(self, name: str, frame: pl.DataFrame) -> None:
        counts = self._columns[name]
        nulls = frame.null_count().row(0)
        for column, n_null in zip(frame.columns, nulls, strict=True):
            counts[column] = counts.get(column, 0) + frame.height - n_null
        self._parts.update(frame.get_column("document_name").unique().drop_nulls().to_list())
        self._hashes.update(frame.get_column("document_sha256").unique().to_list())
        if name not in self.preview:
            self.preview[name] = self._renamed(_copied(frame.head(_PREVIEW_ROWS)))

    def _renamed(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self._read_as == self._edition_id:
            return frame
        return frame.with_columns(pl.lit(self._edition_id).alias("source_edition_id"))

    def _file(
        self, files: dict[str, _TableFile], folder: Path, name: str, schema: pl.Schema
    ) -> _TableFile:
        if name not in files:
            files[name] = _TableFile(folder / name / f"{self._edition_id}.parquet", schema)
        return files[name]

    def finish(self, *, reader: str) -> EditionProfile:
        """Close the tables and say what they hold.

        :raises EditionRefused: not one row can be let in.
        :raises MonaziteError: they cannot be written.
        """
        for file in self._files:
            file.finish()
        tables = {
            name: TableProfile(
                rows=self._raw[name].rows if name in self._raw else 0,
                quarantined=self._quarantine[name].rows if name in self._quarantine else 0,
                out_of_scope=self._out_of_scope.get(name, 0),
                columns=self._columns[name],
            )
            for name in self._specs
        }
        profile = EditionProfile(
            reader=reader,
            tables=tables,
            parts=tuple(sorted(self._parts)),
            size_bytes=sum(self._sizes[h] for h in self._hashes),
        )
        if not profile.rows:
            raise EditionRefused(
                f"no row of {self._edition_id} can be let in "
                f"({profile.quarantined:,} quarantined, {profile.out_of_scope:,} out of scope)",
                where=self._first_reason(),
                remedy="check that the documents are of this source and not empty",
            )
        return profile

    def _first_reason(self) -> str:
        for file in self._quarantine.values():
            first = pl.read_parquet(file.temporary, n_rows=1).row(0, named=True)
            return (
                f"{first['document_name']}, row {first['row_number']}: {first[QUARANTINE_REASON]}"
            )
        return ", ".join(self._names[:_NAMES_SHOWN])

    def publish(self, profile: EditionProfile) -> None:
        """Give the tables their names, drop those of an earlier reader, and note the state.

        :raises MonaziteError: a file cannot be named; ``refresh_raw`` will do it again.
        """
        RawState.forget(self._settings.raw_dir, self._edition_id)
        for file in self._files:
            file.publish()
        written = {file.path for file in self._files}
        for folder in (self._settings.raw_dir, self._settings.quarantine_dir):
            for name in self._specs:
                path = folder / name / f"{self._edition_id}.parquet"
                if path not in written:
                    with writing(path):
                        path.unlink(missing_ok=True)
        RawState(profile=profile).write(self._settings.raw_dir, self._edition_id)

    def discard(self) -> None:
        """Drop what was not published."""
        with ExitStack() as stack:
            for file in self._files:
                stack.callback(file.discard)


def is_complete(settings: Settings, edition_id: str, state: RawState | None) -> bool:
    """Whether the raw tables that ``state`` speaks of are there."""
    return state is not None and all(
        (folder / name / f"{edition_id}.parquet").is_file()
        for name, table in state.profile.tables.items()
        for folder, rows in (
            (settings.raw_dir, table.rows),
            (settings.quarantine_dir, table.quarantined),
        )
        if rows
    )


def remove_raw(settings: Settings, specs: Iterable[str], keep: set[str]) -> list[Path]:
    """Remove raw tables of editions that the archive does not hold, and unfinished files.

    :param specs: names of the tables to look at.
    :param keep: ids of the editions that the archive holds.
    """
    removed = []
    remove_temporary(RawState.path(settings.raw_dir, "").parent)
    for name in specs:
        for folder in (settings.raw_dir / name, settings.quarantine_dir / name):
            remove_temporary(folder)
            for path in sorted(folder.glob("*.parquet")):
                if path.stem not in keep and path.name != _SCHEMA_FILE:
                    with writing(path):
                        path.unlink(missing_ok=True)
                    removed.append(path)
    return removed


def ensure_schemas(settings: Settings, catalog: Catalog) -> None:
    """Write ``_schema.parquet`` for every table of every reader, where missing or outdated.

    :raises MonaziteError: it cannot be written.
    """
    with Archive(settings.archive_dir).lock():
        for source_id in sorted(catalog.sources):
            module = find_reader(source_id)
            for name, spec in module.TABLES.items() if module is not None else ():
                path = settings.raw_dir / name / _SCHEMA_FILE
                if not _has_schema(path, spec.schema):
                    write_table(path, spec.empty())


def _has_schema(path: Path, schema: pl.Schema) -> bool:
    try:
        return pl.read_parquet_schema(path) == schema
    except (OSError, pl.exceptions.PolarsError):
        return False
