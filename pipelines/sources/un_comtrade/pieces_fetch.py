"""What is asked of UN Comtrade, cut into requests whose answers stay whole.

The interface has no pages: an answer is cut at a number of rows, and says nothing. So a year is
asked in pieces, each the product of lists (reporters, periods, codes, flows), sized by what the
publisher says that it holds, and a piece whose answer reaches the cap is halved. The address of a
piece says all that it covers, so that what an archived answer holds is told by its address.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

__all__ = ["MOST_PERIODS", "Cell", "Piece", "expected_rows", "missing_pieces", "plan"]

#: Reporter and period, both as the publisher writes them (``"842"``, ``"2024"`` or ``"202401"``).
Cell = tuple[str, str]

#: Periods that a call may name.
MOST_PERIODS: Final = 12
# A longer address is answered with a page that is no answer (Azure, 2,048 characters of query).
_MOST_CODES = 180
_MOST_REPORTERS = 40
#: Headings and subheadings of a revision, over which the records of a data set are spread.
_ALL_CODES = 6_900
#: Rows that are expected of a piece, as a part of the cap: codes are not traded evenly.
_FILLED = 0.25

_PATH = re.compile(r"/(?:get|preview)/C/(?P<frequency>[AM])/HS$")
#: Without these, breakdowns come beside the totals.
_FIXED: Final = {"partner2Code": "0", "motCode": "0", "customsCode": "C00"}
_LISTS: Final = ("reporterCode", "period", "cmdCode", "flowCode", "partnerCode")


@dataclass(frozen=True, slots=True)
class Piece:
    """One request.

    :ivar frequency: ``A`` or ``M``.
    :ivar partners: codes; empty for all.
    """

    frequency: str
    reporters: tuple[str, ...]
    periods: tuple[str, ...]
    codes: tuple[str, ...]
    flows: tuple[str, ...]
    partners: tuple[str, ...] = ()

    @classmethod
    def of_url(cls, url: str) -> Piece | None:
        """The piece that was asked with this address; None where it is another request."""
        parts = urlsplit(url)
        path = _PATH.search(parts.path)
        asked = {k: v[-1] for k, v in parse_qs(parts.query).items()}
        if path is None or any(asked.get(name) != code for name, code in _FIXED.items()):
            return None
        told = [tuple(asked[name].split(",")) if name in asked else () for name in _LISTS]
        if not all(told[:-1]):
            return None
        return cls(path["frequency"], *told)

    def query(self, max_records: int) -> str:
        """The query of the address, commas left as they are: they are many."""
        lists = (self.reporters, self.periods, self.codes, self.flows, self.partners)
        asked = {name: ",".join(codes) for name, codes in zip(_LISTS, lists, strict=True) if codes}
        asked |= _FIXED | {"maxRecords": str(max_records)}
        return "&".join(f"{name}={value}" for name, value in asked.items())

    def name(self, label: str) -> str:
        """The name of the document that holds the answer; the same for the same piece."""
        digest = hashlib.sha256(self.query(0).encode()).hexdigest()[:10]
        others = len(self.reporters) - 1
        more = f"+{others}" if others else ""
        return f"{label}-{self.reporters[0]}{more}-{digest}.json"

    def cells(self) -> Iterator[Cell]:
        """Every reporter and period."""
        return ((reporter, period) for reporter in self.reporters for period in self.periods)

    def overlaps(self, other: Piece) -> bool:
        """Whether both cover the same reporter, period, code and flow."""
        return all(
            set(getattr(self, name)) & set(getattr(other, name))
            for name in ("reporters", "periods", "codes", "flows")
        )

    def halves(self, all_partners: Sequence[str]) -> tuple[Piece, Piece] | None:
        """Two pieces that cover the same once, or None where nothing is left to be split.

        Periods go first, since an answer for one period stays good when another is revised; then
        reporters for the same reason; then codes, flows and, at last, partners.

        :param all_partners: every partner that there is, for a piece that names none.
        """
        for name in ("periods", "reporters", "codes", "flows"):
            codes: tuple[str, ...] = getattr(self, name)
            if len(codes) > 1:
                return self._halved(name, codes)
        partners = self.partners or tuple(all_partners)
        return self._halved("partners", partners) if len(partners) > 1 else None

    def _halved(self, name: str, codes: tuple[str, ...]) -> tuple[Piece, Piece]:
        middle = len(codes) // 2
        lower: dict[str, Any] = {name: codes[:middle]}
        upper: dict[str, Any] = {name: codes[middle:]}
        return replace(self, **lower), replace(self, **upper)


def expected_rows(records: int, codes: int) -> float:
    """Rows of so many codes in a data set of so many records, were they spread evenly."""
    return records * codes / _ALL_CODES


def plan(
    frequency: str,
    wanted: Mapping[Cell, Mapping[tuple[str, ...], Collection[str]]],
    records: Mapping[Cell, int],
    cap: int,
) -> list[Piece]:
    """Pieces that cover ``wanted`` once.

    :param wanted: by cell, the codes that are wanted of each list of flows.
    :param records: of each cell's data set, all codes together; unknown ones count as none.
    :param cap: rows at which an answer is cut.
    """
    by_reporter: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for (reporter, period), flows in wanted.items():
        for flow, codes in flows.items():
            if codes:
                by_reporter[reporter, flow, tuple(sorted(codes))].append(period)
    alike: dict[tuple[tuple[str, ...], ...], list[tuple[str, float]]] = defaultdict(list)
    for (reporter, flow, all_codes), all_periods in by_reporter.items():
        for periods in _chunks(sorted(all_periods), MOST_PERIODS):
            rows = sum(
                expected_rows(records.get((reporter, period), 0), len(all_codes))
                for period in periods
            )
            parts = max(math.ceil(rows / (cap * _FILLED)), math.ceil(len(all_codes) / _MOST_CODES))
            size = math.ceil(len(all_codes) / parts)
            for codes in _chunks(all_codes, size):
                alike[periods, codes, flow].append((reporter, rows * len(codes) / len(all_codes)))
    return [
        Piece(frequency, reporters, periods, codes, flow)
        for (periods, codes, flow), reporters_rows in sorted(alike.items())
        for reporters in _packed(reporters_rows, cap * _FILLED)
    ]


def _packed(reporters: Iterable[tuple[str, float]], room: float) -> Iterator[tuple[str, ...]]:
    """Reporters in order, as many together as there is room for."""
    together: list[str] = []
    filled = 0.0
    for reporter, rows in sorted(reporters, key=lambda r: (int(r[0]), r)):
        if together and (filled + rows > room or len(together) == _MOST_REPORTERS):
            yield tuple(together)
            together, filled = [], 0.0
        together.append(reporter)
        filled += rows
    if together:
        yield tuple(together)


def _chunks(items: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return (tuple(items[i : i + size]) for i in range(0, len(items), max(size, 1)))


def missing_pieces(
    cells: Iterable[Cell],
    codes: Iterable[str],
    flows: Sequence[str],
    held: Iterable[Piece],
    all_partners: Collection[str],
) -> dict[Cell, dict[tuple[str, ...], list[str]]]:
    """What of ``cells`` x ``codes`` x ``flows`` no piece of ``held`` covers, as :func:`plan` reads.

    A piece that names partners covers its part; all parts together cover the whole.
    """
    whole: dict[Cell, set[tuple[str, str]]] = defaultdict(set)
    parts: dict[tuple[Cell, str, str], set[str]] = defaultdict(set)
    for piece in held:
        pairs = {(code, flow) for code in piece.codes for flow in piece.flows}
        for cell in piece.cells():
            if not piece.partners:
                whole[cell] |= pairs
                continue
            for code, flow in pairs:
                part = parts[cell, code, flow]
                part.update(piece.partners)
                if part >= set(all_partners):
                    whole[cell].add((code, flow))
    wanted: dict[Cell, dict[tuple[str, ...], list[str]]] = {}
    all_codes = sorted(set(codes))
    for cell in cells:
        there = whole.get(cell, set())
        lacking: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for code in all_codes:
            absent = tuple(flow for flow in flows if (code, flow) not in there)
            if absent:
                lacking[absent].append(code)
        if lacking:
            wanted[cell] = dict(lacking)
    return wanted
