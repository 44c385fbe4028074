"""What the readers of bulk trade share: opening packed files and telling a table's shape.

Bulk trade comes as plain tables, so a damaged one is told by counting before it is parsed: every
line must have as many separators as the header. A cut download is then one clear line with the
row where it breaks, never a quiet loss of rows.
"""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence

import polars as pl

from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import MAX_MEMBER_BYTES, Document, Part, parts, refuse_html

__all__ = [
    "PROSE_SUFFIXES",
    "csv_rows",
    "decode",
    "first_line",
    "open_parts",
    "place",
    "read_bytes",
    "read_head",
    "refuse_ragged",
    "split_header",
]

#: What comes beside data and holds none.
PROSE_SUFFIXES = frozenset({".txt", ".md", ".pdf", ".html", ".htm", ".xml", ".docx", ".rtf", ""})

# What zipfile, gzip, bz2 and lzma raise on bytes that are not what they claim to be.
_PACKING_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    IndexError,
    KeyError,
)
_AGAIN = "fetch the document again from the publisher"


def open_parts(documents: Sequence[Document]) -> list[Part]:
    """All readable pieces of ``documents`` (``base.parts``), in their order.

    :raises DocumentUnreadable: a zip is damaged in any way.
    """
    found: list[Part] = []
    for document in documents:
        try:
            found.extend(parts([document]))
        except _PACKING_ERRORS as error:
            raise DocumentUnreadable(
                f"zip is damaged ({_plain(error)})", where=document.name, remedy=_AGAIN
            ) from error
    return found


def read_bytes(part: Part) -> bytes:
    """The bytes of ``part``, unpacked; a web page in place of data is refused.

    :raises DocumentUnreadable: packing damaged, encrypted or larger than allowed; a web page.
    """
    try:
        content = part.read()
    except _PACKING_ERRORS as error:
        raise DocumentUnreadable(
            f"packing is damaged or encrypted ({_plain(error)})", where=part.name, remedy=_AGAIN
        ) from error
    if len(content) > MAX_MEMBER_BYTES:
        raise DocumentUnreadable(
            f"unpacks to more than {MAX_MEMBER_BYTES:,} bytes", where=part.name, remedy=_AGAIN
        )
    refuse_html(part, content[:512])
    return content


def read_head(part: Part, size: int = 65536) -> bytes:
    """The first ``size`` bytes of ``part``, unpacked, so that a large file is told from its header.

    :raises DocumentUnreadable: as :func:`read_bytes`.
    """
    try:
        if part.member is not None:
            with (
                zipfile.ZipFile(part.document.path) as archive,
                archive.open(part.member) as packed,
            ):
                head = packed.read(size)
        elif part.name.lower().endswith(".gz"):
            with gzip.open(part.document.path) as packed:
                head = packed.read(size)
        else:
            with part.document.path.open("rb") as plain:
                head = plain.read(size)
    except _PACKING_ERRORS as error:
        raise DocumentUnreadable(
            f"packing is damaged or encrypted ({_plain(error)})", where=part.name, remedy=_AGAIN
        ) from error
    refuse_html(part, head[:512])
    return head


def _plain(error: Exception) -> str:
    return (str(error) or type(error).__name__).replace("\n", " ")[:160]


def decode(content: bytes, part: Part) -> str:
    """UTF-8 text, or Windows-1252 where it is not UTF-8 (older lists and portal exports).

    :raises DocumentUnreadable: neither, or NUL bytes stand in it (UTF-16, a binary file).
    """
    if b"\x00" in content:
        raise DocumentUnreadable(
            "not text: NUL bytes stand in it",
            where=part.name,
            remedy="save it as UTF-8 text or fetch it again",
        )
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DocumentUnreadable("neither UTF-8 nor Windows-1252 text", where=part.name, remedy=_AGAIN)


def first_line(content: bytes) -> str:
    """The first line, without byte-order mark and line end; bytes that are no text become ``?``."""
    head = content[:65536].removeprefix(b"\xef\xbb\xbf")
    return head.split(b"\n", 1)[0].decode("utf-8", errors="replace").strip("\r\n ")


def split_header(line: str, separator: str = ",") -> list[str]:
    """Column names of a header line, quotes and surrounding blanks taken off."""
    try:
        row = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return [line]
    return [name.strip() for name in row]


def refuse_ragged(content: bytes, columns: int, part: Part, separator: bytes = b",") -> int:
    """Number of lines, header included, once every line is known to have ``columns`` fields.

    For tables whose fields never hold the separator (codes and numbers). ``content`` must not end
    in blank lines.

    :raises DocumentUnreadable: a line has more or fewer fields; the message names the first.
    """
    lines = content.count(b"\n") + 1
    if content.count(separator) != lines * (columns - 1):
        for number, line in enumerate(content.split(b"\n"), start=1):
            fields = line.count(separator) + 1
            if fields != columns:
                raise DocumentUnreadable(
                    f"{fields} fields where the header has {columns}: the file is cut short "
                    "or damaged",
                    where=f"{part.name}, row {number}",
                    remedy=_AGAIN,
                )
    return lines


def csv_rows(text: str, part: Part, separator: str = ",") -> Iterator[list[str]]:
    """Rows of a small table, blank lines passed over.

    :raises DocumentUnreadable: quoting is broken.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DocumentUnreadable(
                f"not a readable table ({error})", where=f"{part.name}, row {reader.line_num}"
            ) from error
        if any(field.strip() for field in row):
            yield row


def place(frame: pl.DataFrame, edition_id: str, part: Part, sheet: str | None) -> pl.DataFrame:
    """``frame`` (with ``row_number``) with the other columns that say where a row stands."""
    return frame.with_columns(
        pl.lit(edition_id).alias("source_edition_id"),
        pl.lit(part.name).alias("document_name"),
        pl.lit(part.document.sha256).alias("document_sha256"),
        pl.lit(sheet, pl.String).alias("sheet"),
        pl.col("row_number").cast(pl.Int64),
    )
