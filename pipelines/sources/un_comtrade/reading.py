"""From documents to rows of text under the API's field names; what is not trade is told apart.

What can come: answers of the API (JSON envelope ``elapsedTime, count, data, error`` or the bare
array of rows), portal exports (CSV, XLSX), bulk files (tab-separated), extracts that scripts wrote
from them, and, among these, lists of codes, availability and listings that hold no trade.

An answer that may have been cut is never taken for whole: the keyless preview stops at 500 rows,
a keyed call at 100,000 or 250,000, without a word.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.errors import DocumentUnreadable, NothingInScope
from pipelines.sources.base import Document, Part
from pipelines.sources.grids import WORKBOOK_SUFFIXES, Grid, workbook_grids
from pipelines.sources.trade_files import (
    PROSE_SUFFIXES,
    decode,
    open_parts,
    read_bytes,
    split_header,
)
from pipelines.sources.un_comtrade.fields import (
    API_FIELDS,
    EXTRACT_FIELDS,
    REFERENCE_FIELDS,
    REQUIRED_FIELDS,
    ROW_CAPS,
    canonical_header,
)

__all__ = ["Rows", "read_rows"]

_EXPECTED = "expected API answers (JSON), portal exports (CSV, XLSX) or extracts with their fields"
_SPLIT = "split the request by period, reporter or product until every answer stays below the cap"
_TYPES, _FREQUENCIES = ("C", "S"), ("A", "Q", "M")
# Answers of other services, told by fields that only they have.
_OTHER_ANSWERS = {
    "fileUrl": "a listing of bulk files",
    "notes": "publication metadata",
    "publicationNote": "publication metadata",
    "datasetChecksum": "availability of data sets (getDa)",
    "totalRecords": "availability of data sets (getDa)",
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one document or sheet.

    :ivar frame: text columns under API field names, and ``row_number`` (JSON: the row's place in
        ``data``; tables: the line or sheet row, header included).
    """

    part: Part
    sheet: str | None
    frame: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _NotTrade:
    """A document of the publisher that holds no trade."""

    part: Part
    what: str


def read_rows(documents: Sequence[Document]) -> list[Rows]:
    """All rows of ``documents``; code lists, listings and prose beside data are passed over.

    :raises DocumentUnreadable: nothing is trade; a document is damaged, in a foreign layout, has
        columns that nobody knows, a shifted header, or may have been cut at a cap.
    """
    found: list[Rows] = []
    others: list[_NotTrade] = []
    for part in open_parts(documents):
        if part.suffix in PROSE_SUFFIXES:
            others.append(_NotTrade(part, "prose"))
            continue
        for result in _read(part):
            if isinstance(result, Rows):
                found.append(result)
            else:
                others.append(result)
    if not found:
        if not others:
            raise DocumentUnreadable("no documents", remedy=_EXPECTED)
        raise DocumentUnreadable(
            f"no trade among the documents: {others[0].what}",
            where=others[0].part.name,
            remedy=_EXPECTED,
        )
    if not any(rows.frame.height for rows in found):
        raise NothingInScope(
            "the answer holds no rows", where=found[0].part.name, remedy="widen the request"
        )
    return found


def _read(part: Part) -> list[Rows | _NotTrade]:
    if part.suffix == ".json":
        return [_json(part)]
    if part.suffix in {".csv", ".tsv"}:
        return [_text_table(part)]
    if part.suffix in WORKBOOK_SUFFIXES:
        return _workbook(part)
    raise DocumentUnreadable(
        f"{part.suffix} is no layout of UN Comtrade", where=part.name, remedy=_EXPECTED
    )


# --- JSON -------------------------------------------------------------------------------------


def _json(part: Part) -> Rows | _NotTrade:
    try:
        # Numbers stay text, so that every digit survives.
        loaded = json.loads(
            decode(read_bytes(part), part), parse_float=str, parse_int=str, parse_constant=str
        )
    except (json.JSONDecodeError, RecursionError) as error:
        raise DocumentUnreadable(
            f"not readable JSON ({str(error)[:120]})",
            where=part.name,
            remedy="the answer is cut short or is no JSON: ask again",
        ) from error
    if isinstance(loaded, list):
        return _answer(part, loaded)
    if not isinstance(loaded, dict):
        raise DocumentUnreadable("no rows in this JSON", where=part.name, remedy=_EXPECTED)
    _refuse_error_answer(part, loaded)
    if isinstance(loaded.get("results"), list):
        return _NotTrade(part, f"a list of codes ({loaded.get('className') or 'reference'})")
    data = loaded.get("data")
    if not isinstance(data, list):
        keys = ", ".join(str(key)[:40] for key in list(loaded)[:6])
        return _NotTrade(part, f"JSON without an array `data` (keys {keys})")
    count = loaded.get("count")
    if count is not None and str(count) != str(len(data)):
        raise DocumentUnreadable(
            f"count says {count} rows, data holds {len(data)}: the answer was cut",
            where=part.name,
            remedy=_SPLIT,
        )
    return _answer(part, data)


def _refuse_error_answer(part: Part, answer: dict[str, Any]) -> None:
    said = answer.get("error") or answer.get("errorObject")
    if not said and "statusCode" in answer:
        said = f"status {answer['statusCode']}: {answer.get('message', '')}"
    if said:
        raise DocumentUnreadable(
            f"an error answer: {str(said)[:160]}", where=part.name, remedy="ask again"
        )


def _answer(part: Part, data: list[Any]) -> Rows | _NotTrade:
    fields: dict[str, None] = {}
    for number, row in enumerate(data, start=1):
        if not isinstance(row, dict):
            raise DocumentUnreadable(
                "a row is no object", where=f"{part.name}, row {number}", remedy=_EXPECTED
            )
        fields.update(dict.fromkeys(row))
    for field, what in _OTHER_ANSWERS.items():
        if field in fields:
            return _NotTrade(part, what)
    names = list(fields)
    if not names:
        return Rows(part, None, pl.DataFrame(schema={"row_number": pl.Int64()}))
    _refuse_cap(part, None, len(data))
    columns = {name: [_scalar(row.get(name), part) for row in data] for name in names}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String())).with_row_index(
        "row_number", offset=1
    )
    return _named(part, None, frame, names)


def _scalar(value: Any, part: Part) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    raise DocumentUnreadable("a field holds an array or object", where=part.name, remedy=_EXPECTED)


# --- tables -----------------------------------------------------------------------------------


def _text_table(part: Part) -> Rows | _NotTrade:
    text = decode(read_bytes(part), part).strip("\r\n")
    head = text.partition("\n")[0].strip("\r")
    separator = "\t" if head.count("\t") > head.count(",") else ","
    names = split_header(head, separator)
    what = _is_reference(names)
    if what:
        return _NotTrade(part, what)
    width, rows = _measure(text, part, separator, len(names))
    # The portal ends every row, not the header, with a separator.
    extra = [f"__extra_{i}" for i in range(width - len(names))]
    if rows == 0:
        frame = pl.DataFrame(schema={"row_number": pl.Int64(), **dict.fromkeys(names, pl.String())})
        return _named(part, None, frame, names)
    labels = [f"__column_{i}" for i in range(len(names))] + extra
    try:
        frame = pl.read_csv(
            text.encode(),
            has_header=False,
            skip_rows=1,
            separator=separator,
            new_columns=labels,
            infer_schema=False,
            row_index_name="row_number",
            row_index_offset=2,
        )
    except pl.exceptions.PolarsError as error:
        raise DocumentUnreadable(
            f"not a readable table ({str(error).splitlines()[0][:160]})", where=part.name
        ) from error
    for column in extra:
        stray = frame.filter(pl.col(column).is_not_null())
        if stray.height:
            raise DocumentUnreadable(
                f"rows have {width} fields where the header has {len(names)}: it is shifted",
                where=f"{part.name}, row {stray.get_column('row_number')[0]}",
                remedy="download the file again; do not edit its header",
            )
    frame = frame.drop(extra).filter(~pl.all_horizontal(pl.exclude("row_number").is_null()))
    if frame.height != rows:
        raise DocumentUnreadable(
            f"{frame.height} rows read where {rows} stand: quoting is broken", where=part.name
        )
    return _table(part, None, names, frame)


def _measure(text: str, part: Part, separator: str, columns: int) -> tuple[int, int]:
    """Fields of a row and number of rows; every row must have as many fields as the first.

    :raises DocumentUnreadable: a row has more or fewer.
    """
    width, rows = columns, 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for number, row in enumerate(reader, start=1):
            if number == 1 or not any(row):
                continue
            if rows == 0:
                width = max(columns, len(row))
            rows += 1
            if len(row) != width:
                raise DocumentUnreadable(
                    f"{len(row)} fields where {width} are expected: the file is cut short "
                    "or damaged",
                    where=f"{part.name}, row {number}",
                    remedy="download the file again",
                )
    except csv.Error as error:
        raise DocumentUnreadable(
            f"not a readable table ({error})", where=f"{part.name}, row {reader.line_num}"
        ) from error
    return width, rows


def _is_reference(names: Sequence[str]) -> str | None:
    lower = {name.lower() for name in names}
    if any(fields <= lower for fields in REFERENCE_FIELDS):
        return f"a list of codes ({', '.join(names[:4])})"
    return None


def _workbook(part: Part) -> list[Rows | _NotTrade]:
    read_bytes(part)
    results = [_sheet(part, grid) for grid in workbook_grids(part)]
    return results or [_NotTrade(part, "a workbook without rows")]


def _sheet(part: Part, grid: Grid) -> Rows | _NotTrade:
    number, head = next(iter(grid.head(1)))
    fields, _ = canonical_header(list(head.values()))
    if sum(field is not None for field in fields) < len(EXTRACT_FIELDS):
        return _NotTrade(part, f"sheet {grid.sheet} has none of its fields")
    grid.refuse_stray(number, frozenset(head))
    columns = {f"__column_{column}": column for column in head}
    return _table(part, grid.sheet, list(head.values()), grid.select(number, columns))


def _table(part: Part, sheet: str | None, names: list[str], frame: pl.DataFrame) -> Rows:
    """A table whose columns, after ``row_number``, carry ``names``."""
    if len({name.lower() for name in names}) != len(names):
        twice = next(n for n in names if [m.lower() for m in names].count(n.lower()) > 1)
        raise DocumentUnreadable(f"column {twice!r} stands twice", where=_place(part, sheet))
    columns = frame.columns[1:]
    if names[0].lower() in {"", "unnamed: 0"} and _is_counter(frame.get_column(columns[0])):
        # The row index that data frames write before the first column.
        frame, names, columns = frame.drop(columns[0]), names[1:], columns[1:]
    frame = frame.rename(dict(zip(columns, names, strict=True)))
    _refuse_cap(part, sheet, 0 if _is_extract(names) else frame.height)
    return _named(part, sheet, frame, names)


def _is_counter(column: pl.Series) -> bool:
    number = column.cast(pl.Int64, strict=False)
    return bool(number.is_not_null().all() and (number.diff().drop_nulls() == 1).all())


def _is_extract(names: Sequence[str]) -> bool:
    return {name.lower() for name in names} == set(EXTRACT_FIELDS)


# --- what all share ---------------------------------------------------------------------------


def _place(part: Part, sheet: str | None) -> str:
    return f"{part.name}, sheet {sheet}" if sheet else part.name


def _refuse_cap(part: Part, sheet: str | None, rows: int) -> None:
    if rows in ROW_CAPS:
        raise DocumentUnreadable(
            f"exactly {rows:,} rows: {ROW_CAPS[rows]} without saying so, so rows may be missing",
            where=_place(part, sheet),
            remedy=_SPLIT,
        )


def _named(part: Part, sheet: str | None, frame: pl.DataFrame, names: list[str]) -> Rows:
    """``frame`` with API field names; blank fields are null.

    :raises DocumentUnreadable: shifted header, unknown or missing columns.
    """
    _refuse_shift(part, sheet, frame)
    fields, unknown = canonical_header(names)
    where = _place(part, sheet)
    if all(field is None for field in fields):
        shown = ", ".join(name[:40] or "(blank)" for name in names[:12])
        raise DocumentUnreadable(
            f"columns {shown} are no layout of UN Comtrade", where=where, remedy=_EXPECTED
        )
    if unknown:
        raise DocumentUnreadable(
            f"unknown columns: {', '.join(repr(name[:40]) for name in unknown[:6])}",
            where=where,
            remedy=f"keep the fields of the API ({len(API_FIELDS)} are known) and leave out others",
        )
    there = {field for field in fields if field}
    missing = [field for field in REQUIRED_FIELDS if field not in there]
    if not there & {"period", "refYear"}:
        missing.append("period")
    if missing:
        raise DocumentUnreadable(
            f"columns missing: {', '.join(missing)}", where=where, remedy=_EXPECTED
        )
    return Rows(
        part,
        sheet,
        frame.select(
            pl.col("row_number").cast(pl.Int64),
            *(
                pl.col(name).str.strip_chars().replace("", None).alias(field)
                for name, field in zip(names, fields, strict=True)
                if field
            ),
        ),
    )


def _refuse_shift(part: Part, sheet: str | None, frame: pl.DataFrame) -> None:
    """Refuse a table whose header stands beside its columns.

    Reading a portal export with a row index taken from its first column moves every value one
    header to the left.
    """
    for column, allowed in (("typeCode", _TYPES), ("freqCode", _FREQUENCIES)):
        if column not in frame.columns:
            continue
        wrong = frame.filter(~pl.col(column).str.strip_chars().is_in(allowed))
        if wrong.height:
            row = wrong.row(0, named=True)
            raise DocumentUnreadable(
                f"the header is shifted against the columns: {row[column]!r} stands under {column}"
                f" where one of {', '.join(allowed)} must",
                where=f"{_place(part, sheet)}, row {row['row_number']}",
                remedy="read the portal's file without taking its first column for an index",
            )
