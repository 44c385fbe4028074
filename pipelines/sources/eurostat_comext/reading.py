"""From answers of the interface and bulk files to rows of text, one an indicator.

A bulk file unpacks to some gigabytes, of which a few thousand rows are wanted: it is unpacked
piece by piece and only lines of wanted codes are kept.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

import polars as pl
import py7zr
from py7zr.exceptions import ArchiveError
from py7zr.io import Py7zIO, WriterFactory

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import MAX_MEMBER_BYTES, PLACE_COLUMNS, Document, Part, refuse_html
from pipelines.sources.trade_files import (
    PROSE_SUFFIXES,
    first_line,
    open_parts,
    place,
    read_bytes,
    split_header,
)

__all__ = ["DIMENSIONS", "INTERFACE_FIELDS", "read_rows"]

#: Codes that every row has.
DIMENSIONS: Final = ["reporter", "partner", "product", "flow", "indicator", "period"]
#: Fields of an answer of the interface and what they are called here. The last may lack.
INTERFACE_FIELDS: Final = {
    "DATAFLOW": "dataflow",
    "LAST UPDATE": "last_update",
    "freq": "freq",
    "reporter": "reporter",
    "partner": "partner",
    "product": "product",
    "flow": "flow",
    "indicators": "indicator",
    "TIME_PERIOD": "period",
    "OBS_VALUE": "value_text",
    "OBS_FLAG": "obs_flag",
}
_OPTIONAL = frozenset({"OBS_FLAG"})
#: Fields of a bulk file and what they are called here; other nomenclatures are not read.
_BULK_FIELDS: Final = {
    "REPORTER": "reporter",
    "PARTNER": "partner",
    "TRADE_TYPE": "trade_type",
    "PRODUCT_NC": "product",
    "FLOW": "flow",
    "TRANSPORT_MODE": "transport_mode",
    "STAT_PROCEDURE": "stat_procedure",
    "SUPPL_UNIT": "supplementary_unit",
    "PERIOD": "period",
}
_BULK_VALUES = ("VALUE_EUR", "QUANTITY_KG", "QUANTITY_SUPPL_UNIT")
_BULK_OPTIONAL = frozenset({"TRANSPORT_MODE", "SUPPL_UNIT"})
_COLUMNS = (
    "layout",
    "dataflow",
    "last_update",
    "freq",
    "reporter",
    "partner",
    "product",
    "flow",
    "trade_type",
    "transport_mode",
    "stat_procedure",
    "supplementary_unit",
    "indicator",
    "period",
    "value_text",
    "obs_flag",
)
_EXPECTED = "expected SDMX-CSV of the interface, or full_v2_YYYYMM.7z of the bulk files"
_AGAIN = "fetch it again from the publisher"
_KEPT_BACK = b"X"
_HS6 = 6
_LONGEST_LINE = 1 << 20
# What py7zr and the unpackers below it raise on bytes that are not what they claim to be.
_PACKING_ERRORS = (
    ArchiveError,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    OverflowError,
)


def read_rows(
    edition: Edition,
    documents: Sequence[Document],
    *,
    keep_codes: AbstractSet[str] | None,
    max_bytes: int = MAX_MEMBER_BYTES,
) -> tuple[pl.DataFrame, int]:
    """Rows with the place columns and ``_COLUMNS`` as text, and how many were left out.

    :param keep_codes: as in :func:`pipelines.sources.eurostat_comext.parse`.
    :param max_bytes: to which a bulk file may unpack.
    :raises DocumentUnreadable: a document is in no layout, cut short, damaged, packed in a way that
        is not read, or unpacks to more than ``max_bytes``.
    """
    frames: list[pl.DataFrame] = []
    left_out = 0
    is_data = False
    for part in open_parts(documents):
        if part.suffix == ".7z":
            found = _unpack(part, keep_codes, max_bytes)
        elif part.suffix in (".csv", ".dat"):
            found = _sift(part, read_bytes(part), keep_codes)
        elif part.suffix in PROSE_SUFFIXES:
            continue
        else:
            raise DocumentUnreadable(
                f"{part.suffix} is no layout of Comext", where=part.name, remedy=_EXPECTED
            )
        for sifted in found:
            is_data = True
            left_out += sifted.left_out
            frames.append(_rows(edition, part, sifted))
    if not is_data:
        names = ", ".join(d.name for d in documents[:4]) or "nothing"
        raise DocumentUnreadable(f"no data among the documents ({names})", remedy=_EXPECTED)
    return pl.concat(frames), left_out


@dataclass
class _Sifted:
    """Lines of a table that are kept, with their numbers.

    :ivar name: of the table, as a place.
    :ivar header: names of its columns.
    """

    name: str
    header: list[str]
    lines: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    left_out: int = 0

    @property
    def is_bulk(self) -> bool:
        return "PRODUCT_NC" in self.header


def _check_header(name: str, header: Sequence[str]) -> None:
    """:raises DocumentUnreadable: the columns are those of no layout."""
    is_bulk = "PRODUCT_NC" in header
    wanted = [*_BULK_FIELDS, *_BULK_VALUES] if is_bulk else list(INTERFACE_FIELDS)
    optional = _BULK_OPTIONAL if is_bulk else _OPTIONAL
    missing = [c for c in wanted if c not in header and c not in optional]
    twice = [c for c in wanted if header.count(c) > 1]
    if missing or twice:
        problem = (
            f"columns missing: {', '.join(missing[:8])}" if missing else f"{twice[0]} stands twice"
        )
        raise DocumentUnreadable(problem, where=f"{name}, row 1", remedy=_EXPECTED)


def _sift(part: Part, content: bytes, keep_codes: AbstractSet[str] | None) -> list[_Sifted]:
    """A table that is not packed: an answer as a whole, of a bulk file the wanted lines."""
    sieve = _Sieve(part.name, keep_codes, len(content))
    refuse_html(part, content[:512])
    if content.lstrip().startswith(b"<"):
        raise DocumentUnreadable(
            "an XML message stands where a table was expected", where=part.name, remedy=_EXPECTED
        )
    sieve.write(content)
    sieve.close()
    return [sieve.result()]


class _Sieve(Py7zIO):
    """Takes a table piece by piece and keeps lines of wanted codes.

    :param name: of the table, for messages.
    :param keep_codes: as in :func:`read_rows`.
    :param max_bytes: after which nothing more is taken.
    """

    def __init__(self, name: str, keep_codes: AbstractSet[str] | None, max_bytes: int) -> None:
        self.name = name
        self.failure: DocumentUnreadable | None = None
        self._max_bytes = max_bytes
        self._taken = 0
        self._rest = b""
        self._number = 0
        self._sifted: _Sifted | None = None
        self._product = 0
        self._wanted: Callable[[bytes], bool] = lambda _: True
        self._keep = None if keep_codes is None else frozenset(c.encode() for c in keep_codes)
        self._below = frozenset(c[:_HS6] for c in self._keep or ())

    def write(self, s: bytes | bytearray) -> int:
        """Take a piece; after a failure the rest is passed over."""
        if self.failure is None:
            try:
                self._take(bytes(s))
            except DocumentUnreadable as error:
                self.failure = error
        return len(s)

    def _take(self, piece: bytes) -> None:
        self._taken += len(piece)
        if self._taken > self._max_bytes:
            raise DocumentUnreadable(
                f"unpacks to more than {self._max_bytes:,} bytes", where=self.name, remedy=_AGAIN
            )
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise DocumentUnreadable(
                "a line never ends: not a table", where=self.name, remedy=_EXPECTED
            )
        self._lines(lines)

    def _lines(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            self._number += 1
            clean = line.rstrip(b"\r")
            if self._sifted is None:
                header = split_header(first_line(clean))
                _check_header(self.name, header)
                self._sifted = _Sifted(self.name, header)
                if self._sifted.is_bulk and self._keep is not None:
                    if not self._keep:
                        raise DocumentUnreadable(
                            "no code of the Combined Nomenclature is chosen to be kept",
                            where=self.name,
                            remedy="fill ref_national_code in dbt_project/seeds",
                        )
                    self._product = header.index("PRODUCT_NC")
                    self._wanted = self._is_wanted
            elif not clean.strip():
                continue
            elif self._wanted(clean):
                self._sifted.lines.append(clean)
                self._sifted.numbers.append(self._number)
            else:
                self._sifted.left_out += 1

    def _is_wanted(self, line: bytes) -> bool:
        fields = line.split(b",", self._product + 1)
        if len(fields) <= self._product:
            return True  # cut short: the count of its fields refuses it
        code = fields[self._product].strip(b' "')
        return code in (self._keep or ()) or (
            code.endswith(_KEPT_BACK) and code[:_HS6] in self._below
        )

    def close(self) -> None:
        """The table is at its end."""
        if self.failure is None and self._rest:
            try:
                self._lines([self._rest])
            except DocumentUnreadable as error:
                self.failure = error
        self._rest = b""

    def result(self) -> _Sifted:
        """What was kept.

        :raises DocumentUnreadable: the table could not be taken.
        """
        if self.failure is not None:
            raise self.failure
        if self._sifted is None:
            raise DocumentUnreadable("the table is empty", where=self.name, remedy=_EXPECTED)
        return self._sifted

    def read(self, size: int | None = None) -> bytes:
        """Nothing: what is taken is not given back."""
        del size
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Nothing: what is taken is not given back."""
        del offset, whence
        return 0

    def flush(self) -> None:
        """Nothing is held back."""

    def size(self) -> int:
        """Bytes taken."""
        return self._taken


class _Sieves(WriterFactory):
    def __init__(self, part: Part, keep_codes: AbstractSet[str] | None, max_bytes: int) -> None:
        self.made: list[_Sieve] = []
        self._part = part
        self._keep_codes = keep_codes
        self._max_bytes = max_bytes

    def create(self, filename: str) -> Py7zIO:
        sieve = _Sieve(f"{self._part.name}/{filename}", self._keep_codes, self._max_bytes)
        self.made.append(sieve)
        return sieve


def _unpack(part: Part, keep_codes: AbstractSet[str] | None, max_bytes: int) -> list[_Sifted]:
    """The tables of a bulk file.

    :raises DocumentUnreadable: as :func:`read_rows`.
    """
    if part.member is not None:
        raise DocumentUnreadable(
            "a 7z inside a zip is not read", where=part.name, remedy="import the 7z by itself"
        )
    with part.document.path.open("rb") as handle:
        refuse_html(part, handle.read(512))
    try:
        with py7zr.SevenZipFile(part.document.path, max_extract_size=max_bytes) as archive:
            tables = [
                info.filename
                for info in archive.list()
                if not info.is_directory and info.filename.lower().endswith((".dat", ".csv"))
            ]
            sieves = _Sieves(part, keep_codes, max_bytes)
            if tables:
                archive.extract(targets=tables, factory=sieves)
    except _PACKING_ERRORS as error:
        said = " ".join(str(error).split())[:160] or type(error).__name__
        raise DocumentUnreadable(
            f"7z is cut short, damaged, encrypted or too large ({said})",
            where=part.name,
            remedy=_AGAIN,
        ) from error
    if not tables:
        raise DocumentUnreadable("no table in the 7z", where=part.name, remedy=_EXPECTED)
    for sieve in sieves.made:
        sieve.close()
    return [sieve.result() for sieve in sieves.made]


def _rows(edition: Edition, part: Part, sifted: _Sifted) -> pl.DataFrame:
    """The kept lines as rows, one an indicator."""
    frame = _table(sifted)
    frame = (
        frame.select("row_number", *_renamed(frame, _BULK_FIELDS), *_BULK_VALUES)
        .unpivot(
            on=_BULK_VALUES,
            index=["row_number", *(n for c, n in _BULK_FIELDS.items() if c in frame.columns)],
            variable_name="indicator",
            value_name="value_text",
        )
        .sort("row_number", maintain_order=True)
        if sifted.is_bulk
        else frame.select("row_number", *_renamed(frame, INTERFACE_FIELDS))
    )
    frame = frame.with_columns(
        pl.lit("bulk" if sifted.is_bulk else "interface").alias("layout"),
        *(pl.lit(None, pl.String).alias(c) for c in _COLUMNS[1:] if c not in frame.columns),
    )
    named = place(frame, edition.edition_id, part, None)
    return named.with_columns(pl.lit(sifted.name).alias("document_name")).select(
        *PLACE_COLUMNS, *_COLUMNS
    )


def _renamed(frame: pl.DataFrame, names: dict[str, str]) -> list[pl.Expr]:
    return [pl.col(c).alias(n) for c, n in names.items() if c in frame.columns]


def _table(sifted: _Sifted) -> pl.DataFrame:
    """The kept lines under the names of the header, blanks taken off, with ``row_number``.

    :raises DocumentUnreadable: a line is cut short, or is no text.
    """
    schema = {"row_number": pl.Int64(), **dict.fromkeys(sifted.header, pl.String())}
    if not sifted.lines:
        return pl.DataFrame(schema=schema)
    for number, line in zip(sifted.numbers, sifted.lines, strict=True):
        if line.count(b",") != len(sifted.header) - 1:
            raise DocumentUnreadable(
                f"{line.count(b',') + 1} fields where the header has {len(sifted.header)}: the "
                "file is cut short or damaged",
                where=f"{sifted.name}, row {number}",
                remedy=_AGAIN,
            )
    try:
        frame = pl.read_csv(
            b"\n".join(sifted.lines),
            has_header=False,
            new_columns=sifted.header,
            infer_schema=False,
            quote_char=None,
        )
    except pl.exceptions.PolarsError as error:
        raise DocumentUnreadable(
            f"not a readable table ({str(error).splitlines()[0][:160]})",
            where=sifted.name,
            remedy=_AGAIN,
        ) from error
    if frame.height != len(sifted.lines):
        raise DocumentUnreadable(
            f"{frame.height} rows read from {len(sifted.lines)} lines", where=sifted.name
        )
    return frame.select(
        pl.Series("row_number", sifted.numbers, pl.Int64),
        *(pl.col(c).str.strip_chars(' "\r').replace("", None) for c in sifted.header),
    )
