"""What UN Comtrade answers, held against what was asked.

The envelope is ``{elapsedTime, count, data, error}``; an error may come with status 200, as
``error`` or ``errorObject``. Availability (``getDA``) has the same envelope, and one row a data
set: ``reporterCode, period, totalRecords, datasetChecksum, lastReleased`` and others.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.errors import FetchFailed
from pipelines.sources.un_comtrade.pieces_fetch import Cell, Piece

__all__ = [
    "Availability",
    "DataSet",
    "availability",
    "content_digest",
    "read_answer",
    "refuse_others",
    "rows_by_cell",
]

_CHANGED = "the publisher's interface may have changed; see docs/sources/un_comtrade.md"
_AGAIN = "run again later: what is whole is kept"
#: Fields of a row that say which it is; a totals-only answer has each combination once.
_KEY = (
    "reporterCode",
    "period",
    "flowCode",
    "partnerCode",
    "cmdCode",
    "partner2Code",
    "motCode",
    "customsCode",
    "mosCode",
    "classificationCode",
)


@dataclass(frozen=True, slots=True)
class DataSet:
    """What one reporter has sent for one period.

    :ivar key: differs when the publisher has changed it.
    :ivar records: its rows, all codes together.
    :ivar released: when it was last released, None where that is not told.
    """

    key: str
    records: int
    released: date | None


Availability = Mapping[Cell, DataSet]


def read_answer(body: bytes, where: str) -> list[dict[str, Any]]:
    """The rows of an answer that says of itself that it is whole.

    :raises FetchFailed: it is no answer, tells an error, or counts other rows than it holds.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise FetchFailed("answer is not JSON", where=where, remedy=_AGAIN) from None
    if not isinstance(told, dict):
        raise FetchFailed("answer is JSON without an envelope", where=where, remedy=_CHANGED)
    said = _error(told)
    if said:
        raise FetchFailed(f"the publisher answers with an error: {said}", where=where)
    rows, count = told.get("data"), told.get("count")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FetchFailed("answer holds no list `data` of rows", where=where, remedy=_CHANGED)
    if isinstance(count, bool) or not isinstance(count, int):
        raise FetchFailed("answer does not count its rows", where=where, remedy=_CHANGED)
    if count != len(rows):
        raise FetchFailed(
            f"answer counts {count:,} rows and holds {len(rows):,}", where=where, remedy=_AGAIN
        )
    return rows


def _error(told: Mapping[str, Any]) -> str:
    """What an answer says went wrong, in one short line; empty where nothing did."""
    said = told.get("error") or told.get("errorObject") or ""
    if not said and "statusCode" in told and "data" not in told:
        said = f"{told['statusCode']} {told.get('message', '')}"
    if isinstance(said, Mapping):
        said = said.get("errorMessage") or said.get("message") or json.dumps(said)
    return " ".join("".join(c if c.isprintable() else " " for c in str(said)).split())[:200]


def refuse_others(rows: Iterable[Mapping[str, Any]], piece: Piece, where: str) -> None:
    """Refuse rows that ``piece`` did not ask for, and the same key twice.

    :raises FetchFailed: there is one.
    """
    asked: dict[str, Collection[str]] = {
        "typeCode": ("C",),
        "freqCode": (piece.frequency,),
        "reporterCode": frozenset(piece.reporters),
        "period": frozenset(piece.periods),
        "cmdCode": frozenset(piece.codes),
        "flowCode": frozenset(piece.flows),
        "partner2Code": ("0",),
        "motCode": ("0",),
        "customsCode": ("C00",),
    }
    if piece.partners:
        asked["partnerCode"] = frozenset(piece.partners)
    seen: set[tuple[Any, ...]] = set()
    for number, row in enumerate(rows, start=1):
        for name, codes in asked.items():
            if str(row.get(name)) not in codes:
                raise FetchFailed(
                    f"row {number} has {name} {str(row.get(name))[:40]}, which was not asked for",
                    where=where,
                    remedy=_AGAIN,
                )
        key = tuple(row.get(name) for name in _KEY)
        if key in seen:
            told = ", ".join(str(part)[:20] for part in key[:5])
            raise FetchFailed(f"row {number} is there twice ({told})", where=where, remedy=_AGAIN)
        seen.add(key)


def availability(rows: Iterable[Mapping[str, Any]], where: str) -> dict[Cell, DataSet]:
    """Data sets by reporter and period; several of one cell count as one.

    :raises FetchFailed: a row names no reporter or period, or nothing that tells a change.
    """
    found: dict[Cell, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        cell = str(row.get("reporterCode") or ""), str(row.get("period") or "")
        is_told = row.get("datasetChecksum") is not None or row.get("lastReleased")
        if not (cell[0].isdecimal() and cell[1].isdecimal() and is_told):
            raise FetchFailed(
                "a data set without reporterCode, period or datasetChecksum",
                where=where,
                remedy=_CHANGED,
            )
        found[cell].append(row)
    return {cell: _data_set(rows_of_cell) for cell, rows_of_cell in found.items()}


def _data_set(rows: Iterable[Mapping[str, Any]]) -> DataSet:
    keys: list[str] = []
    records = 0
    released: list[date] = []
    for row in rows:
        # The checksum is of the content; a date alone would change with every release.
        told = row.get("datasetChecksum")
        keys.append(str(row.get("lastReleased") if told is None else told))
        count = row.get("totalRecords")
        records += count if isinstance(count, int) and count > 0 else 0
        try:
            released.append(date.fromisoformat(str(row.get("lastReleased"))[:10]))
        except ValueError:
            continue
    return DataSet(
        key=" ".join(sorted(keys)), records=records, released=max(released, default=None)
    )


def content_digest(paths: Iterable[Path]) -> int:
    """A number that is the same for the same rows, whatever their order and how they are packed."""
    total = 0
    for path in paths:
        for row in read_answer(path.read_bytes(), str(path)):
            text = json.dumps(row, sort_keys=True).encode()
            total += int.from_bytes(hashlib.blake2b(text, digest_size=16).digest())
    return total


def rows_by_cell(paths: Iterable[Path]) -> Counter[Cell]:
    """How many rows the answers at ``paths`` hold of each reporter and period."""
    return Counter(
        (str(row["reporterCode"]), str(row["period"]))
        for path in paths
        for row in read_answer(path.read_bytes(), str(path))
    )
