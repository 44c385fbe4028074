"""SQL from anybody on a release, written out as a table, CSV, JSON or Parquet.

Only one statement is taken, and only one that reads. The release is opened read-only with the
doors shut (:mod:`pipelines.publish.reader`), so this is a matter of clear messages, not of safety.
"""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import duckdb

from pipelines.errors import UsageError
from pipelines.publish.sql import cause

__all__ = ["TABLE_LIMIT", "Format", "run_query", "write_rows"]

#: A table on a screen shows this many rows at most; it says so when there are more.
TABLE_LIMIT = 200

_CHUNK_ROWS = 10_000
_READING = {
    duckdb.StatementType.SELECT,
    duckdb.StatementType.EXPLAIN,
    duckdb.StatementType.PRAGMA,
    duckdb.StatementType.MULTI,
}
_REMEDY = "write one SELECT, FROM, WITH, DESCRIBE, SHOW, SUMMARIZE, PIVOT or EXPLAIN"


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def run_query(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    fmt: Format | str = Format.TABLE,
    out: Path | BinaryIO | None = None,
) -> int:
    """Run one reading statement and write its rows.

    :param fmt: ``table`` (the first :data:`TABLE_LIMIT` rows), ``csv``, ``json`` (an array of
        objects), ``parquet``. Dates are ISO 8601; lists stay lists, in CSV as JSON.
    :param out: a file to write, a stream of bytes, or None for standard output. A file appears
        only when it is whole.
    :returns: how many rows were written.
    :raises UsageError: an unknown format, not exactly one reading statement, an error in the SQL
        (with DuckDB's own message), or a file that cannot be written.
    """
    try:
        chosen = Format(fmt)
    except ValueError:
        remedy = f"choose one of {', '.join(Format)}"
        raise UsageError(f"no format {str(fmt)!r}", remedy=remedy) from None
    if chosen is Format.PARQUET and out is None and sys.stdout.isatty():
        raise UsageError("Parquet is not for a screen", remedy="name a file with --out")
    _refuse_writing(connection, sql)
    try:
        if chosen is Format.PARQUET:
            relation = connection.sql(sql)
            with _opened(out) as stream:
                return _write_parquet(relation, stream)
        connection.execute(sql)
        with _opened(out) as stream:
            names = [str(column[0]) for column in connection.description or ()]
            return write_rows(names, _rows(connection), chosen, stream)
    except duckdb.Error as error:
        raise UsageError(cause(error)) from error


def write_rows(
    names: Sequence[str], rows: Iterator[Sequence[Any]], fmt: Format, stream: BinaryIO
) -> int:
    """Write rows as a table, CSV or JSON, in UTF-8; returns how many.

    :raises UsageError: for Parquet, which needs types and not only values.
    """
    if fmt is Format.PARQUET:
        raise UsageError("these rows are not written as Parquet", remedy="choose csv or json")
    text = TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
    write = {Format.CSV: _write_csv, Format.JSON: _write_json, Format.TABLE: _write_table}[fmt]
    try:
        return write(_unique(names), rows, text)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; what is still buffered has nowhere to go.
        if stream is sys.stdout.buffer:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        with suppress(BrokenPipeError):
            text.detach()


def _refuse_writing(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    try:
        kinds = [statement.type for statement in connection.extract_statements(sql)]
    except duckdb.Error as error:
        raise UsageError(cause(error)) from error
    if not kinds:
        raise UsageError("there is no statement", remedy=_REMEDY)
    # A PIVOT without an IN list makes a temporary type of its own before it selects; DuckDB 2
    # calls the two MULTI.
    if kinds[0] == duckdb.StatementType.CREATE and _first_word(sql) != "create":
        kinds = [kind for kind in kinds if kind != duckdb.StatementType.CREATE]
    if len(kinds) != 1:
        raise UsageError(f"there are {len(kinds)} statements", remedy="give one at a time")
    if kinds[0] not in _READING:
        raise UsageError(f"a release is only read, not changed: {kinds[0].name}", remedy=_REMEDY)


def _first_word(sql: str) -> str:
    tokens = duckdb.tokenize(sql)
    start = tokens[0][0] if tokens else 0
    rest = sql.encode()[start:].decode().split(None, 1)
    return rest[0].lower() if rest else ""


def _rows(connection: duckdb.DuckDBPyConnection) -> Iterator[Sequence[Any]]:
    while chunk := connection.fetchmany(_CHUNK_ROWS):
        yield from chunk


@contextmanager
def _opened(out: Path | BinaryIO | None) -> Iterator[BinaryIO]:
    if out is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if not isinstance(out, Path):
        yield out
        return
    partial = out.with_name(f".{out.name}.partial")
    try:
        with partial.open("wb") as stream:
            yield stream
        partial.replace(out)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(out)) from error
    finally:
        partial.unlink(missing_ok=True)


def _unique(names: Sequence[str]) -> list[str]:
    """Names that tell columns apart: a second ``a`` becomes ``a_1``."""
    taken: list[str] = []
    for name in names:
        found, number = name, 0
        while found in taken:
            number += 1
            found = f"{name}_{number}"
        taken.append(found)
    return taken


def _plain(value: Any) -> Any:
    """A value as JSON has it: dates as ISO texts, what is no number as null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, UUID | timedelta):
        return str(value)
    return str(value)


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def _text(value: Any) -> str:
    """A value as CSV and the table have it; a null is an empty field."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return _json(value)
    if isinstance(value, date | datetime | time | bytes | bytearray | memoryview):
        return str(_plain(value))
    return str(value)


def _write_csv(names: list[str], rows: Iterator[Sequence[Any]], stream: TextIOWrapper) -> int:
    output = csv.writer(stream, lineterminator="\n")
    output.writerow(names)
    written = 0
    for row in rows:
        output.writerow([_text(value) for value in row])
        written += 1
    stream.flush()
    return written


def _write_json(names: list[str], rows: Iterator[Sequence[Any]], stream: TextIOWrapper) -> int:
    written = 0
    for row in rows:
        stream.write(",\n" if written else "[\n")
        stream.write(_json(dict(zip(names, row, strict=True))))
        written += 1
    stream.write("\n]\n" if written else "[]\n")
    stream.flush()
    return written


def _write_table(names: list[str], rows: Iterator[Sequence[Any]], stream: TextIOWrapper) -> int:
    """Rows below each other; where they are wider than the screen, one column a line."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    shown: list[Sequence[Any]] = []
    has_more = False
    for row in rows:
        if len(shown) == TABLE_LIMIT:
            has_more = True
            break
        shown.append(row)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, name in enumerate(names):
        is_number = any(isinstance(row[position], int | float | Decimal) for row in shown)
        table.add_column(Text(_visible(name)), justify="right" if is_number else "left")
    for row in shown:
        table.add_row(*(Text(_visible(_cell(value))) for value in row))
    console = Console(file=stream, width=None if stream.isatty() else 10_000, soft_wrap=True)
    needed = Measurement.get(console, console.options.update(max_width=100_000), table).maximum
    if needed <= console.width or not stream.isatty():
        Console(file=stream, width=max(needed, 1), legacy_windows=False).print(table)
    else:
        longest = max(len(_visible(name)) for name in names)
        for number, row in enumerate(shown, start=1):
            stream.write(f"row {number}\n")
            for name, value in zip(names, row, strict=True):
                stream.write(f"  {_visible(name):<{longest}}  {_visible(_cell(value))}\n")
    count = f"{len(shown):,} row{'' if len(shown) == 1 else 's'}"
    if has_more:
        count = f"only the first {count} are shown; --format csv, json or parquet writes all"
    stream.write(f"({count})\n")
    stream.flush()
    return len(shown)


def _cell(value: Any) -> str:
    return "NULL" if value is None else _text(value)


def _visible(text: str) -> str:
    """Text without control characters: a document's bytes must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def _write_parquet(relation: duckdb.DuckDBPyRelation, stream: BinaryIO) -> int:
    # DuckDB itself may not write files here, so the rows go through Arrow.
    import pyarrow as pa
    import pyarrow.parquet as pq

    reader = relation.to_arrow_reader(_CHUNK_ROWS * 10)
    names = _unique(reader.schema.names)
    schema = pa.schema(
        [column.with_name(name) for column, name in zip(reader.schema, names, strict=True)]
    )
    written = 0
    with pq.ParquetWriter(stream, schema, compression="zstd") as output:
        for batch in reader:
            output.write_batch(batch.rename_columns(names))
            written += batch.num_rows
    return written
