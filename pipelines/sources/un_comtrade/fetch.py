"""UN Comtrade: which data sets are new or changed, and their rows of the mapped codes.

An edition is a frequency and a year (``A2022``, ``M2025``). What is new is told by the list of data
sets (``getDA``), which has a checksum for every reporter and period: a night with nothing new asks
for that list and for nothing else. Otherwise the pieces that hold a changed data set are asked
again (:mod:`.pieces_fetch`), the others are taken from the archive, and the list of the edition's
periods is archived beside them, so that the archive alone says under which checksum each row came.
Answers carry their own duration, so the same rows come in other bytes: a changed data set whose
rows of our codes are the same makes no edition, and ``confirmed.json`` remembers that (if it is
lost, they are compared once more).

With a key, annual data of the last ten years of all reporters and monthly data of the last two
years of a few are asked; without one, the preview's 500 rows an answer allow annual data of two
years of those few.
A year takes several nights where the day's requests do not suffice: whole answers wait in the
:class:`~pipelines.sources.spool.Spool`, and an edition is handed on when all of its answers are
there. Newest years go first.

Never seen live: ``getDA`` (its fields and whether it is cut are taken from documentation),
monthly answers, re-imports and re-exports, all errors (bodies as users quote them), and whether
``totalRecords`` counts what is asked for here; it only sizes the first cut. Seen in recorded
answers: the envelope, its rows, an empty answer, the preview.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pipelines.catalog import Source
from pipelines.errors import FetchFailed, UsageError
from pipelines.sources.allowance import QuotaSpent
from pipelines.sources.cepii_baci import mapped_codes
from pipelines.sources.fetching import (
    FetchedDocument,
    FetchedEdition,
    FetchFailure,
    FetchResult,
    HeldDocument,
    HeldEdition,
    Known,
)
from pipelines.sources.http import PublisherClient
from pipelines.sources.label_maps import read_map, read_reference
from pipelines.sources.spool import Spool
from pipelines.sources.un_comtrade.answers_fetch import (
    Availability,
    DataSet,
    availability,
    content_digest,
    read_answer,
    refuse_others,
    rows_by_cell,
)
from pipelines.sources.un_comtrade.fields import ROW_CAPS
from pipelines.sources.un_comtrade.pieces_fetch import (
    MOST_PERIODS,
    Cell,
    Piece,
    expected_rows,
    missing_pieces,
    plan,
)

__all__ = ["BASE_URL", "FOCUS", "fetch"]

logger = logging.getLogger(__name__)

BASE_URL: Final = "https://comtradeapi.un.org"
#: Reporters of whom more is asked: the largest traders of the mapped codes.
FOCUS: Final = ("CHN", "EU27", "JPN", "KOR", "USA")
#: Re-imports and re-exports are parts of M and X; they tell where goods only pass through.
FLOWS: Final = ("M", "X", "RM", "RX")

_ANNUAL_YEARS, _PREVIEW_YEARS, _MONTHLY_YEARS = 10, 2, 2
_MONTHS: Final = tuple(f"{month:02d}" for month in range(1, 13))
#: An empty answer is asked for twice, and a reporter without a row is refused, from so many
#: expected rows on.
_DOUBTFUL_ROWS, _IMPOSSIBLE_ROWS = 10, 50
#: A list of so many data sets, or a multiple, may have been cut.
_LIST_STEP = 500
_CONFIRMED, _CAPPED = "confirmed.json", "capped.json"
#: ISO code and kind of every area, by the publisher's code.
_Areas = dict[str, tuple[str | None, str]]
_AGAIN = "run again later: what is whole is kept"


@dataclass(frozen=True, slots=True)
class _Wish:
    """An edition that is to be held as the publisher offers it."""

    frequency: str
    year: int

    @property
    def label(self) -> str:
        return f"{self.frequency}{self.year}"

    @property
    def periods(self) -> tuple[str, ...]:
        if self.frequency == "A":
            return (str(self.year),)
        return tuple(f"{self.year}{month}" for month in _MONTHS)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is asked of every edition.

    :ivar known: what the archive holds.
    :ivar state_dir: what outlives the night.
    :ivar cap: rows at which an answer is cut.
    :ivar partners: every partner code that there is.
    :ivar reporters: codes of those that are asked, by frequency; None for all but groups.
    :ivar groups: codes of reporters that are sums of others.
    """

    source_id: str
    known: Known
    state_dir: Path
    client: PublisherClient
    base: str
    cap: int
    codes: frozenset[str]
    flows: tuple[str, ...]
    partners: tuple[str, ...]
    reporters: Mapping[str, frozenset[str] | None]
    groups: frozenset[str]

    def is_cut(self, rows: int) -> bool:
        """Whether an answer of so many rows may have been cut."""
        return rows >= self.cap or rows in ROW_CAPS

    def is_asked(self, frequency: str, reporter: str) -> bool:
        chosen = self.reporters[frequency]
        return reporter not in self.groups and (chosen is None or reporter in chosen)

    def url(self, piece: Piece) -> str:
        service = "data/v1/get" if self.client.has_key else "public/v1/preview"
        query = piece.query(self.cap)
        return f"{self.base}/{service}/C/{piece.frequency}/HS?{query}"

    def list_url(self, frequency: str, periods: Sequence[str]) -> str:
        """Lists are asked for without a key, since they are given so."""
        return f"{self.base}/public/v1/getDA/C/{frequency}/HS?period={','.join(periods)}"


async def fetch(
    source: Source,
    known: Known,
    client: PublisherClient,
    into: Path,  # noqa: ARG001 - answers lie in the spool until the edition is held
    *,
    seeds_dir: Path,
    state_dir: Path,
    years: Sequence[int] | None = None,
    editions: Sequence[str] | None = None,
    frequencies: Sequence[str] | None = None,
    first_year: int | None = None,
    monthly_first_year: int | None = None,
    reporters: Sequence[str] | None = None,
    monthly_reporters: Sequence[str] = FOCUS,
    flows: Sequence[str] = FLOWS,
    renew_days: int = 0,
    today: date | None = None,
) -> FetchResult:
    """Bring the years of which a data set is new or changed, newest first.

    :param years: these only, in all ``frequencies``.
    :param editions: these labels only (``A2022``).
    :param frequencies: ``A``, ``M`` or both; without a key ``A`` alone where None.
    :param first_year: of annual data; ten years back where None, two without a key.
    :param monthly_first_year: of monthly data; last year where None.
    :param reporters: of annual data, as ISO 3166-1 alpha-3 or ``EU27`` for its members; all where
        None, without a key :data:`FOCUS`.
    :param monthly_reporters: of monthly data.
    :param flows: as the publisher calls them.
    :param renew_days: an edition that came within so many days is left as it is; each renewal is
        a whole revision, and some reporter or other changes every night.
    :param today: from which years are counted.
    :raises UsageError: an option cannot be.
    :raises FetchFailed: the list of data sets could not be had.
    """
    checked_at = datetime.now(UTC)
    year = (today or checked_at.date()).year
    has_key = client.has_key
    areas = _areas(source, seeds_dir)
    order = _Order(
        source_id=source.source_id,
        known=known,
        state_dir=state_dir,
        client=client,
        base=(source.endpoint or BASE_URL).rstrip("/"),
        cap=_cap(source, has_key=has_key),
        codes=mapped_codes(seeds_dir),
        flows=_known_flows(flows, seeds_dir),
        partners=tuple(sorted((code for code in areas if code.isdecimal()), key=int)),
        reporters={
            "A": _reporter_codes(areas, seeds_dir, reporters or (None if has_key else FOCUS)),
            "M": _reporter_codes(areas, seeds_dir, monthly_reporters),
        },
        groups=frozenset(code for code, (_, kind) in areas.items() if kind == "aggregate"),
    )
    wishes = _wishes(
        years,
        editions,
        tuple(frequencies or (("A", "M") if has_key else ("A",))),
        {
            "A": first_year or year - (_ANNUAL_YEARS if has_key else _PREVIEW_YEARS),
            "M": monthly_first_year or year + 1 - _MONTHLY_YEARS,
        },
        year,
    )
    # Who names a year wants it now.
    is_named = years is not None or editions is not None
    renewed_before = checked_at - timedelta(days=0 if is_named else renew_days)
    offered = await _offered(order, wishes)
    if not offered:
        raise FetchFailed(
            "the publisher lists no data set of the years asked for",
            where=order.list_url(wishes[0].frequency, wishes[0].periods),
            remedy="look at the publisher's page of availability; see docs/sources/un_comtrade.md",
        )
    return await _bring_all(order, wishes, offered, checked_at, renewed_before)


# --- what is asked ------------------------------------------------------------------------------


def _cap(source: Source, *, has_key: bool) -> int:
    cap = source.api.rows_per_answer if has_key else source.api.rows_per_preview
    if cap is None:
        raise UsageError(
            "the catalogue does not say at how many rows an answer is cut",
            where=f"pipelines/catalog/{source.source_id}.yml",
            remedy="set api.rows_per_answer and api.rows_per_preview",
        )
    return cap


def _areas(source: Source, seeds_dir: Path) -> _Areas:
    return {
        label: (iso3, kind)
        for name in source.country_maps
        for label, iso3, kind in read_map(name, seeds_dir)
        .select("country_label", "country_iso3", "area_type")
        .iter_rows()
    }


def _known_flows(flows: Sequence[str], seeds_dir: Path) -> tuple[str, ...]:
    table = read_map("flow__un_comtrade", seeds_dir)
    known = set(table.get_column("flow_code").to_list())
    for flow in flows:
        if flow not in known:
            raise UsageError(
                f"{flow!r} is no flow of UN Comtrade", remedy=f"use {', '.join(sorted(known))}"
            )
    return tuple(dict.fromkeys(flows))


def _reporter_codes(
    areas: _Areas, seeds_dir: Path, names: Sequence[str] | None
) -> frozenset[str] | None:
    """The publisher's codes of countries; None stays None.

    :raises UsageError: a name is none of a country.
    """
    if names is None:
        return None
    countries = read_reference("ref_country", seeds_dir)
    members = {
        iso3
        for iso3, is_member in countries.select("country_iso3", "is_eu27").iter_rows()
        if is_member == "true"
    }
    wanted: set[str] = set()
    for name in names:
        wanted |= members if name == "EU27" else {name}
    codes = {code: iso3 for code, (iso3, _) in areas.items() if iso3 in wanted}
    unknown = sorted(wanted - {iso3 for iso3 in codes.values() if iso3})
    if unknown:
        raise UsageError(
            f"{', '.join(map(repr, unknown[:5]))} reports no trade",
            where="reporters of un_comtrade",
            remedy="write countries as ISO 3166-1 alpha-3 (JPN), the members of the EU as EU27",
        )
    return frozenset(codes)


def _wishes(
    years: Sequence[int] | None,
    editions: Sequence[str] | None,
    frequencies: Sequence[str],
    first: Mapping[str, int],
    last: int,
) -> list[_Wish]:
    """The editions that are looked at, newest year first.

    :raises UsageError: there are none, or one is written in another way.
    """
    for frequency in frequencies:
        if frequency not in first:
            raise UsageError(f"{frequency!r} is no frequency", remedy="use A, M or both")
    if editions is not None:
        wishes = {_wish(label) for label in editions}
        wishes = {w for w in wishes if years is None or w.year in years}
    else:
        wishes = {
            _Wish(frequency, year)
            for frequency in frequencies
            for year in (years if years is not None else range(first[frequency], last + 1))
        }
    if not wishes:
        raise UsageError("no year is left to be asked for", remedy="give others")
    return sorted(wishes, key=lambda w: (-w.year, w.frequency))


def _wish(label: str) -> _Wish:
    frequency, year = label[:1], label[1:]
    if frequency not in ("A", "M") or len(year) != 4 or not year.isdecimal():
        raise UsageError(
            f"{label!r} is no edition that can be asked for",
            remedy="write it as A2022 for a year, M2025 for the months of one",
        )
    return _Wish(frequency, int(year))


# --- the list of data sets ----------------------------------------------------------------------


async def _offered(order: _Order, wishes: Sequence[_Wish]) -> dict[_Wish, Availability]:
    """Data sets of every edition that has any, asked for in as few requests as may be."""
    found: dict[str, dict[Cell, DataSet]] = {}
    for frequency in dict.fromkeys(w.frequency for w in wishes):
        periods = [p for w in wishes if w.frequency == frequency for p in w.periods]
        sets = found.setdefault(frequency, {})
        for start in range(0, len(periods), MOST_PERIODS):
            sets |= await _listed(order, frequency, periods[start : start + MOST_PERIODS])
    offered = {
        wish: {cell: s for cell, s in found[wish.frequency].items() if cell[1] in wish.periods}
        for wish in wishes
    }
    return {wish: sets for wish, sets in offered.items() if sets}


async def _listed(order: _Order, frequency: str, periods: Sequence[str]) -> dict[Cell, DataSet]:
    url = order.list_url(frequency, periods)
    body = await order.client.get_bytes(url, accept="application/json")
    rows = read_answer(body or b"", url)
    if not _may_be_cut(rows):
        return _sets(rows, periods, url)
    if len(periods) == 1:
        raise _cut_list(len(rows), url)
    found: dict[Cell, DataSet] = {}
    for period in periods:
        found |= await _listed(order, frequency, [period])
    return found


def _sets(rows: list[dict[str, Any]], periods: Collection[str], where: str) -> dict[Cell, DataSet]:
    sets = availability(rows, where)
    other = next((period for _, period in sets if period not in periods), None)
    if other is not None:
        raise FetchFailed(
            f"a data set of {other} is listed, which was not asked for", where=where, remedy=_AGAIN
        )
    return sets


def _may_be_cut(rows: Sequence[Any]) -> bool:
    """Where lists are cut, if they are, nobody says; but not in the middle of a hundred."""
    return bool(rows) and len(rows) % _LIST_STEP == 0


def _cut_list(rows: int, url: str) -> FetchFailed:
    return FetchFailed(
        f"the list of data sets of one period has {rows:,} rows, at which answers are cut",
        where=url,
        remedy="the publisher's interface may have changed; see docs/sources/un_comtrade.md",
    )


# --- what is held -------------------------------------------------------------------------------


@dataclass
class _Held:
    """What the archive holds of an edition, and under which keys."""

    edition: HeldEdition | None
    keys: dict[Cell, str] = field(default_factory=dict)
    listing: HeldDocument | None = None
    pieces: dict[str, tuple[Piece, HeldDocument]] = field(default_factory=dict)

    @classmethod
    def of(cls, edition: HeldEdition | None, wish: _Wish, confirmed: Mapping[str, Any]) -> _Held:
        held = cls(edition)
        if edition is None:
            return held
        held.listing = edition.document(name=_listing_name(wish))
        if held.listing is None or held.listing.path is None:
            return held  # somebody else's extract under this label: nothing tells how old it is
        try:
            where = str(held.listing.path)
            sets = availability(read_answer(held.listing.path.read_bytes(), where), where)
        except (OSError, FetchFailed):
            return held
        held.keys = {cell: one.key for cell, one in sets.items()}
        told = confirmed.get(wish.label, {})
        if told.get("listing") == held.listing.sha256:
            held.keys |= {(r, p): key for r, p, key in told.get("keys", ())}
        for document in edition.documents:
            piece = Piece.of_url(document.url or "")
            if piece is not None and document.path is not None:
                held.pieces[document.name] = piece, document
        return held

    def stale(self, sets: Availability) -> set[str]:
        """Names of documents that hold a data set which the publisher has changed since.

        One that the publisher lists no more is kept: a list may be short for a night.
        """
        return {
            name
            for name, (piece, _) in self.pieces.items()
            if any(cell in sets and sets[cell].key != self.keys.get(cell) for cell in piece.cells())
        }


def _listing_name(wish: _Wish) -> str:
    return f"{wish.label}-availability.json"


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _write_state(path: Path, state: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(state), encoding="utf-8")
    temporary.replace(path)


# --- bringing -----------------------------------------------------------------------------------


async def _bring_all(
    order: _Order,
    wishes: Sequence[_Wish],
    offered: Mapping[_Wish, Availability],
    checked_at: datetime,
    renewed_before: datetime,
) -> FetchResult:
    editions: list[FetchedEdition] = []
    unchanged: list[str] = []
    failures: list[FetchFailure] = []
    notes: list[str] = []
    waiting = list(wishes)
    while waiting:
        wish = waiting.pop(0)
        held = order.known.edition(wish.label)
        if wish not in offered:
            if held is not None:
                notes.append(f"{wish.label}: the publisher lists no data set; held as it was")
            continue
        errand = _Errand(order, wish, held)
        if errand.is_behind(offered[wish]) and errand.is_younger_than(renewed_before):
            notes.append(f"{wish.label}: has changed, and waits for its day (renew_days)")
            continue
        try:
            edition = await errand.bring(offered[wish])
        except QuotaSpent as error:
            failures.append(FetchFailure(wish.label, error))
            if waiting:
                later = ", ".join(w.label for w in waiting)
                notes.append(f"not looked at, since no request is left today: {later}")
            break
        except FetchFailed as error:
            failures.append(FetchFailure(wish.label, error))
            continue
        if edition is None:
            unchanged.append(wish.label)
        else:
            editions.append(edition)
    return FetchResult(
        source_id=order.source_id,
        checked_at=checked_at,
        editions=tuple(sorted(editions, key=lambda e: e.label)),
        unchanged=tuple(sorted(unchanged)),
        failures=tuple(failures),
        notes=tuple(notes),
    )


class _Errand:
    """One edition being brought."""

    def __init__(self, order: _Order, wish: _Wish, held: HeldEdition | None) -> None:
        self._order = order
        self._wish = wish
        self._state = order.state_dir / _CONFIRMED
        self._held = _Held.of(held, wish, _read_state(self._state))
        self._spool = Spool(order.state_dir / wish.label)
        self._sets: Availability = {}

    def is_behind(self, sets: Availability) -> bool:
        """Whether ``sets`` hold what is not held."""
        self._sets = sets
        return bool(self._pieces())

    def is_younger_than(self, moment: datetime) -> bool:
        """Whether the edition that is held was fetched after ``moment``."""
        listing = self._held.listing
        return (
            listing is not None
            and listing.retrieved_at is not None
            and listing.retrieved_at > moment
        )

    async def bring(self, sets: Availability) -> FetchedEdition | None:
        """The edition, or None where what the publisher offers is held.

        :raises QuotaSpent: no request is left; the next call goes on.
        :raises FetchFailed: an answer could not be had whole.
        """
        if not self.is_behind(sets):
            self._spool.clear()  # what was handed on has arrived
            return None
        # The list is archived with the rows that are asked under it, so it comes before them.
        listing = await self._list()
        pieces = self._pieces()
        brought: dict[str, FetchedDocument] = {}
        for number, piece in enumerate(pieces, start=1):
            logger.info("%s: answer %d of %d", self._wish.label, number, len(pieces))
            for document in await self._ask(piece):
                brought[document.name] = document
        self._refuse_silence(brought.values())
        stale = self._held.stale(self._sets)
        if self._is_all_the_same(brought.values(), stale):
            self._confirm()
            self._spool.clear()
            return None
        kept = [
            document.again()
            for name, (held, document) in self._held.pieces.items()
            # A part by partner gives way to the whole, where there are more partners by now.
            if name not in stale and not any(held.overlaps(piece) for piece in pieces)
        ]
        days = [one.released for cell, one in self._wanted().items() if one.released is not None]
        frequency = "annual" if self._wish.frequency == "A" else "monthly"
        return FetchedEdition(
            label=self._wish.label,
            published=max(days, default=None),
            documents=tuple(sorted((*brought.values(), *kept, listing), key=lambda d: d.name)),
            replaces=self._held.edition,
            title=f"UN Comtrade, {frequency} data of {self._wish.year}",
        )

    def _wanted(self) -> dict[Cell, DataSet]:
        return {
            cell: one
            for cell, one in self._sets.items()
            if self._order.is_asked(self._wish.frequency, cell[0])
        }

    def _pieces(self) -> list[Piece]:
        """What has to be asked. Data sets that changed are not put together with those that are
        asked again only because a former answer holds both.
        """
        held, order = self._held, self._order
        stale = held.stale(self._sets)
        wanted = missing_pieces(
            self._wanted(),
            order.codes,
            order.flows,
            [piece for name, (piece, _) in held.pieces.items() if name not in stale],
            order.partners,
        )
        records = {cell: one.records for cell, one in self._sets.items()}
        changed = {
            cell: codes
            for cell, codes in wanted.items()
            if self._sets[cell].key != held.keys.get(cell)
        }
        others = {cell: codes for cell, codes in wanted.items() if cell not in changed}
        return [
            piece
            for part in (changed, others)
            for piece in plan(self._wish.frequency, part, records, order.cap)
        ]

    async def _list(self) -> FetchedDocument:
        """The list of the edition's data sets as a document; what is asked follows it."""
        url = self._order.list_url(self._wish.frequency, self._wish.periods)
        path = self._spool.folder / _listing_name(self._wish)
        document = await self._order.client.download(url, path)
        rows = read_answer(path.read_bytes(), document.url)
        if _may_be_cut(rows):
            raise _cut_list(len(rows), url)
        sets = _sets(rows, self._wish.periods, document.url)
        lost = len(self._sets.keys() - sets.keys())
        if lost:
            raise FetchFailed(
                f"the list lacks {lost} data sets that it had a moment ago",
                where=document.url,
                remedy=_AGAIN,
            )
        self._sets = sets
        return document

    async def _ask(self, piece: Piece) -> list[FetchedDocument]:
        """The whole answer to ``piece``, in as many documents as it takes."""
        name = piece.name(self._wish.label)
        key = json.dumps([self._sets[cell].key for cell in piece.cells()])
        kept = self._spool.get(name, key=key)
        if kept is not None:
            return [kept]
        if name not in self._capped():
            document, rows = await self._answer(piece, name)
            if not rows and self._expected(piece) >= _DOUBTFUL_ROWS:
                document, rows = await self._answer(piece, name)
            if not self._order.is_cut(len(rows)):
                refuse_others(rows, piece, document.url)
                return [self._spool.keep(document, key=key)]
            document.path.unlink()
            self._note_capped(name, rows, document.url)
        halves = piece.halves(self._order.partners)
        if halves is None:
            raise FetchFailed(
                "the answer for one reporter, period, code, flow and partner reaches the "
                f"{self._order.cap:,} rows at which answers are cut",
                where=self._order.url(piece),
                remedy="it cannot be had whole; see docs/sources/un_comtrade.md",
            )
        return [document for half in halves for document in await self._ask(half)]

    async def _answer(
        self, piece: Piece, name: str
    ) -> tuple[FetchedDocument, list[dict[str, Any]]]:
        path = self._spool.folder / name
        document = await self._order.client.download(self._order.url(piece), path)
        try:
            return document, read_answer(path.read_bytes(), document.url)
        except FetchFailed:
            path.unlink()
            raise

    def _capped(self) -> Collection[str]:
        """Names of pieces whose answers were cut, so that they are not asked a second night."""
        names: list[str] = _read_state(self._spool.folder / _CAPPED).get("names", [])
        return names

    def _note_capped(self, name: str, rows: Sequence[Mapping[str, Any]], where: str) -> None:
        """:raises FetchFailed: a partner is in no map, and would be lost in a split by partner."""
        unknown = {str(row.get("partnerCode")) for row in rows} - set(self._order.partners)
        if unknown:
            raise FetchFailed(
                f"partner {min(unknown)[:20]} is in no map",
                where=where,
                remedy="add it to the country maps that the catalogue entry names",
            )
        names = [*self._capped(), name]
        _write_state(self._spool.folder / _CAPPED, {"names": names})

    def _expected(self, piece: Piece) -> float:
        records = sum(self._sets[cell].records for cell in piece.cells())
        return expected_rows(records, len(piece.codes))

    def _refuse_silence(self, documents: Collection[FetchedDocument]) -> None:
        """Refuse a reporter of whom all codes were asked and no row came, though it has many.

        :raises FetchFailed: there is one; its answers are forgotten.
        """
        rows = rows_by_cell(document.path for document in documents)
        asked = self._asked_in_full(documents)
        for cell in sorted(asked):
            expected = expected_rows(self._sets[cell].records, len(self._order.codes))
            if expected < _IMPOSSIBLE_ROWS or rows[cell]:
                continue
            for document in documents:
                piece = Piece.of_url(document.url)
                if piece is not None and cell in set(piece.cells()):
                    document.path.unlink()
            raise FetchFailed(
                f"no row of reporter {cell[0]} in {cell[1]}, of whom the publisher lists "
                f"{self._sets[cell].records:,} records",
                where=self._order.list_url(self._wish.frequency, [cell[1]]),
                remedy="run again later: the answer was empty twice",
            )

    def _asked_in_full(self, documents: Collection[FetchedDocument]) -> set[Cell]:
        pieces = [p for d in documents if (p := Piece.of_url(d.url)) is not None]
        cells = {cell for piece in pieces for cell in piece.cells()}
        order = self._order
        lacking = missing_pieces(cells, order.codes, order.flows, pieces, order.partners)
        return cells - lacking.keys()

    def _is_all_the_same(
        self, documents: Collection[FetchedDocument], stale: Collection[str]
    ) -> bool:
        """Whether the answers hold the rows of the documents whose place they would take."""
        if self._held.edition is None or self._held.listing is None:
            return False
        former = [self._held.pieces[name] for name in stale]
        paths = [document.path for _, document in former if document.path is not None]
        pieces = [p for d in documents if (p := Piece.of_url(d.url)) is not None]
        order = self._order
        cells = {cell for piece in pieces for cell in piece.cells()}
        # Codes and data sets that were never asked belong into the archive even where empty.
        if missing_pieces(cells, order.codes, order.flows, [p for p, _ in former], order.partners):
            return False
        return content_digest(d.path for d in documents) == content_digest(paths)

    def _confirm(self) -> None:
        """Remember that what is held is what the publisher has under its present keys."""
        if self._held.listing is None:
            return
        state = _read_state(self._state)
        keys = [[reporter, period, one.key] for (reporter, period), one in self._sets.items()]
        state[self._wish.label] = {"listing": self._held.listing.sha256, "keys": keys}
        _write_state(self._state, state)
