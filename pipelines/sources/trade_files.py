"""What the readers of bulk trade share: opening packed files and telling a table's shape.

Bulk trade comes as plain tables, so a damaged one is told by counting before it is parsed: every
line must have as many separators as the header. A cut download is then one clear line with the
row where it breaks, never a quiet loss of rows. A table of gigabytes is read from its packing in
blocks of whole lines (:func:`line_blocks`), never unpacked to disk and never held whole.
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
from contextlib import ExitStack, contextmanager
from typing import IO, cast

import polars as pl

from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import MAX_MEMBER_BYTES, Document, Part, parts, refuse_html

__all__ = [
    "PROSE_SUFFIXES",
    "csv_rows",
    "decode",
    "first_line",
    "line_blocks",
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
#: Bytes of a block of lines: large enough to be parsed in one go, small beside all memory.
_BLOCK_BYTES = 4 * 1024**2
#: A line of trade has some forty bytes; what has no end within this many is no table.
_LONGEST_LINE = 64 * 1024**2


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
        raise _damaged(part, error) from error
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
    with _unpacked(part) as stream:
        head = _next(stream, size, part)
    refuse_html(part, head[:512])
    return head


def line_blocks(part: Part, size: int = _BLOCK_BYTES) -> Iterator[tuple[int, bytes]]:
    """The lines of ``part`` in blocks of about ``size`` bytes, unpacked as they are read.

    Gives the number of a block's first line, counted from 1, and its lines without the last line
    end. Blank lines at the end of the file belong to no block; an empty file has none. The memory
    needed is that of a few blocks.

    :raises DocumentUnreadable: packing damaged, encrypted or larger than allowed; a web page; a
        line without end.
    """
    row, waiting, unpacked = 1, b"", 0
    with _unpacked(part) as stream:
        while True:
            chunk = _next(stream, size, part)
            if not unpacked:
                refuse_html(part, chunk[:512])
            unpacked += len(chunk)
            if unpacked > MAX_MEMBER_BYTES:
                raise DocumentUnreadable(
                    f"unpacks to more than {MAX_MEMBER_BYTES:,} bytes",
                    where=part.name,
                    remedy=_AGAIN,
                )
            waiting += chunk
            end = waiting.rfind(b"\n") if chunk else len(waiting)
            block = waiting[: max(end, 0)].rstrip()
            if block:
                yield row, block
                row += block.count(b"\n") + 1
                # What rstrip took off: the end of the last line, and blank lines that count only
                # if others follow.
                rest = waiting[len(block) :]
                waiting = rest[rest.find(b"\n") + 1 :] if chunk else b""
            if not chunk:
                return
            if len(waiting) > _LONGEST_LINE:
                raise DocumentUnreadable(
                    f"line {row} has more than {_LONGEST_LINE:,} bytes",
                    where=part.name,
                    remedy=_AGAIN,
                )


@contextmanager
def _unpacked(part: Part) -> Iterator[IO[bytes]]:
    """``part`` as a stream of its bytes.

    :raises DocumentUnreadable: it cannot be opened.
    """
    with ExitStack() as stack:
        try:
            stream: IO[bytes]
            if part.member is not None:
                archive = stack.enter_context(zipfile.ZipFile(part.document.path))
                stream = stack.enter_context(archive.open(part.member))
            elif part.name.lower().endswith(".gz"):
                stream = cast(IO[bytes], stack.enter_context(gzip.open(part.document.path)))
            else:
                stream = stack.enter_context(part.document.path.open("rb"))
        except _PACKING_ERRORS as error:
            raise _damaged(part, error) from error
        yield stream


def _next(stream: IO[bytes], size: int, part: Part) -> bytes:
    """The next bytes, ``size`` of them unless the end comes before.

    :raises DocumentUnreadable: the packing is damaged here.
    """
    try:
        return stream.read(size)
    except _PACKING_ERRORS as error:
        raise _damaged(part, error) from error


def _damaged(part: Part, error: Exception) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"packing is damaged or encrypted ({_plain(error)})", where=part.name, remedy=_AGAIN
    )


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


def refuse_ragged(
    block: bytes, columns: int, part: Part, *, first_row: int = 1, separator: bytes = b","
) -> int:
    """Number of lines of ``block``, once every line is known to have ``columns`` fields.

    For tables whose fields never hold the separator (codes and numbers). ``block`` is whole lines
    that do not end in a blank one, as :func:`line_blocks` gives them.

    :raises DocumentUnreadable: a line has more or fewer fields; the message names the first.
    """
    lines = block.count(b"\n") + 1
    # Lines of too many and of too few fields may add up to the right number of separators; the
    # parser of the table finds those.
    if block.count(separator) != lines * (columns - 1):
        for number, line in enumerate(block.split(b"\n"), start=first_row):
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
