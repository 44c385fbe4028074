"""What all publishers' readers share: documents, table specifications, accounting of rows.

A reader turns documents into *raw tables*. A raw table is long: either one row a value cell
(``CELL_COLUMNS``: measured documents) or one row a record (``RECORD_COLUMNS``: bulk trade). Every
row keeps the text as the publisher wrote it and its place in the document. Rows that cannot be
let in carry a ``quarantine_reason``; :meth:`Parsed.of` splits them off, so that always

    rows read = rows out + rows quarantined.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable

__all__ = [
    "CELL_COLUMNS",
    "MAX_MEMBER_BYTES",
    "QUARANTINE_REASON",
    "RECORD_COLUMNS",
    "VALUE_COLUMNS",
    "Document",
    "Parsed",
    "Part",
    "SourceModule",
    "TableSpec",
    "parts",
    "refuse_html",
]

#: Where a row stands in its document. Rows and columns count from 1, the header included.
PLACE_COLUMNS: dict[str, pl.DataType] = {
    "source_edition_id": pl.String(),
    "document_name": pl.String(),
    "document_sha256": pl.String(),
    "sheet": pl.String(),
    "row_number": pl.Int64(),
}
#: What a token says (``tokens.parse_values``).
VALUE_COLUMNS: dict[str, pl.DataType] = {
    "value_text": pl.String(),
    "value": pl.Float64(),
    "value_low": pl.Float64(),
    "value_high": pl.Float64(),
    "value_flag": pl.String(),
}
#: A table with one row a value cell starts with these columns.
CELL_COLUMNS: dict[str, pl.DataType] = {
    **PLACE_COLUMNS,
    "column_number": pl.Int32(),
    "column_name": pl.String(),
    **VALUE_COLUMNS,
}
#: A table with one row a record starts with these columns.
RECORD_COLUMNS: dict[str, pl.DataType] = dict(PLACE_COLUMNS)

QUARANTINE_REASON = "quarantine_reason"
#: What the unpackers raise for bytes that are damaged, cut short, locked or packed unknown.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
#: A member of a zip may not unpack to more than this (a decompression bomb is refused).
MAX_MEMBER_BYTES = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class Document:
    """A publisher's file as it lies in the archive."""

    name: str
    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> Document:
        """The document at ``path``; its hash is computed here."""
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        return cls(name=name or path.name, path=path, sha256=digest)


@dataclass(frozen=True, slots=True)
class Part:
    """A readable piece of a document: the file itself, or one member of a zip.

    ``name`` is the place that ``fct_source_cell.document_name`` shows: ``world.zip/tin.csv`` for
    a member. ``base_name`` is the last component, for telling what the piece is.
    """

    name: str
    document: Document
    member: str | None = None

    @property
    def base_name(self) -> str:
        """File name without folders and without a final ``.gz``."""
        last = self.name.rsplit("/", 1)[-1]
        return last[:-3] if last.lower().endswith(".gz") else last

    @property
    def suffix(self) -> str:
        """Lower-case extension, with the dot (``.csv``)."""
        return Path(self.base_name).suffix.lower()

    def read(self) -> bytes:
        """The bytes, unpacked.

        :raises DocumentUnreadable: truncated or damaged packing, or a piece above
            :data:`MAX_MEMBER_BYTES`.
        """
        try:
            if self.member is not None:
                with zipfile.ZipFile(self.document.path) as archive:
                    if archive.getinfo(self.member).file_size > MAX_MEMBER_BYTES:
                        raise DocumentUnreadable(
                            f"member unpacks to more than {MAX_MEMBER_BYTES:,} bytes",
                            where=self.name,
                            remedy="fetch the document again from the publisher",
                        )
                    return archive.read(self.member)
            if self.name.lower().endswith(".gz"):
                with gzip.open(self.document.path) as stream:
                    content = stream.read(MAX_MEMBER_BYTES + 1)
                if len(content) > MAX_MEMBER_BYTES:
                    raise DocumentUnreadable(
                        f"gzip unpacks to more than {MAX_MEMBER_BYTES:,} bytes", where=self.name
                    )
                return content
            return self.document.path.read_bytes()
        except _DAMAGED as e:
            raise DocumentUnreadable(
                f"packing is cut short, damaged or encrypted ({e})",
                where=self.name,
                remedy="fetch the document again from the publisher",
            ) from e

    def text(self, encoding: str = "utf-8-sig") -> str:
        """The bytes as text.

        :raises DocumentUnreadable: the bytes are not in this encoding.
        """
        try:
            return self.read().decode(encoding)
        except UnicodeDecodeError as error:
            raise DocumentUnreadable(
                f"not {encoding} at byte {error.start}", where=self.name
            ) from error

    def stream(self) -> io.BytesIO:
        """The bytes as a binary stream."""
        return io.BytesIO(self.read())


def parts(documents: Sequence[Document]) -> Iterator[Part]:
    """All readable pieces of ``documents``; zips (not workbooks) are opened, folders walked.

    :raises DocumentUnreadable: a zip is truncated or damaged.
    """
    for document in documents:
        if document.name.lower().endswith(".zip"):
            try:
                with zipfile.ZipFile(document.path) as archive:
                    members = [i for i in archive.infolist() if not i.is_dir()]
            except _DAMAGED as error:
                raise DocumentUnreadable(
                    f"zip is damaged, cut short or encrypted ({error})",
                    where=document.name,
                    remedy="fetch the document again from the publisher",
                ) from error
            for info in members:
                if "__MACOSX" not in info.filename:
                    yield Part(f"{document.name}/{info.filename}", document, info.filename)
        else:
            yield Part(document.name, document)


def refuse_html(part: Part, head: bytes) -> None:
    """Refuse a web page that stands where a data file was expected.

    :raises DocumentUnreadable: ``head`` opens like HTML.
    """
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:256].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<!doctype")):
        raise DocumentUnreadable(
            "a web page stands where a data file was expected",
            where=part.name,
            remedy="download the file itself, not the page that links to it",
        )


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A raw table: its columns and what must be unique.

    :ivar columns: name to polars type, beginning with ``CELL_COLUMNS`` or ``RECORD_COLUMNS``.
    :ivar key: columns that identify a row within an edition; duplicates are quarantined. Empty
        where the place alone identifies it.
    :ivar country_label: column that holds a cleaned country label, or None.
    """

    columns: Mapping[str, pl.DataType]
    key: tuple[str, ...] = ()

    @property
    def schema(self) -> pl.Schema:
        """The columns as a polars schema."""
        return pl.Schema(dict(self.columns))

    def empty(self) -> pl.DataFrame:
        """No rows, all columns."""
        return pl.DataFrame(schema=self.schema)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reader made of an edition.

    :ivar tables: table name to rows that are let in, columns as in its :class:`TableSpec`.
    :ivar quarantined: table name to rows that are not, with ``quarantine_reason``.
    :ivar out_of_scope: table name to the number of sound rows that were read and left out because
        the caller asked for a part only (``keep_codes`` of bulk trade); rows read = rows out +
        rows quarantined + rows out of scope.
    """

    tables: dict[str, pl.DataFrame]
    quarantined: dict[str, pl.DataFrame] = field(default_factory=dict)
    out_of_scope: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        specs: Mapping[str, TableSpec],
        frames: Mapping[str, pl.DataFrame],
    ) -> Parsed:
        """Split each frame by ``quarantine_reason`` and cast it to its specification.

        ``frames`` may leave tables out (no rows) and may leave ``quarantine_reason`` out (nothing
        to quarantine). Rows that repeat a key are quarantined, all but the first.

        :raises DocumentUnreadable: a column of the specification is missing.
        """
        tables: dict[str, pl.DataFrame] = {}
        quarantined: dict[str, pl.DataFrame] = {}
        for name, spec in specs.items():
            frame = frames.get(name)
            if frame is None:
                tables[name] = spec.empty()
                continue
            missing = [c for c in spec.columns if c not in frame.columns]
            if missing:
                raise DocumentUnreadable(f"columns missing for {name}: {', '.join(missing)}")
            if QUARANTINE_REASON not in frame.columns:
                frame = frame.with_columns(pl.lit(None, pl.String).alias(QUARANTINE_REASON))
            if spec.key:
                repeats = ~pl.struct(spec.key).is_first_distinct()
                good = pl.col(QUARANTINE_REASON).is_null()
                frame = frame.sort(good.not_(), maintain_order=True).with_columns(
                    pl.when(good & repeats)
                    .then(pl.lit(f"duplicate key ({', '.join(spec.key)})"))
                    .otherwise(pl.col(QUARANTINE_REASON))
                    .alias(QUARANTINE_REASON)
                )
            is_bad = pl.col(QUARANTINE_REASON).is_not_null()
            ordered = [*spec.columns, QUARANTINE_REASON]
            frame = frame.select(ordered).cast(spec.schema)
            tables[name] = frame.filter(~is_bad).drop(QUARANTINE_REASON)
            bad = frame.filter(is_bad)
            if bad.height:
                quarantined[name] = bad
        unknown = set(frames) - set(specs)
        if unknown:
            raise ValueError(f"tables without a specification: {sorted(unknown)}")
        return cls(tables=tables, quarantined=quarantined)

    @property
    def rows_out(self) -> int:
        """Rows let in, over all tables."""
        return sum(t.height for t in self.tables.values())

    @property
    def rows_quarantined(self) -> int:
        """Rows not let in, over all tables."""
        return sum(t.height for t in self.quarantined.values())

    @property
    def rows_out_of_scope(self) -> int:
        """Rows read and left out because the caller asked for a part only, over all tables."""
        return sum(self.out_of_scope.values())


class SourceModule(Protocol):
    """What a module of :mod:`pipelines.sources` offers."""

    TABLES: Mapping[str, TableSpec]

    def parse(self, edition: Edition, documents: Sequence[Document]) -> Parsed:
        """Read the documents of an edition.

        :raises EditionRefused: the documents are not what the layout promises, or hold a label
            that no map knows.
        """
        ...
