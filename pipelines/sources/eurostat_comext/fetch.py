"""Eurostat Comext: the years that have changed, through the interface; months of the bulk files.

An edition is a year: SDMX-CSV of the chosen codes, all partners, the members and the EU as
reporters, in as few requests as stay below the interface's limit of cells. It estimates them from
the dimensions that are asked for, so requests are made so small that the estimate stays below; an
answer of 413, or a message that the answer will be made later, splits a request by codes, then
months, then reporters. Nothing says how many rows an answer should have; a length that is announced
is compared.

Freshness: every row carries ``LAST UPDATE`` of the whole data set, so one small request tells
whether anything is new. If it is, the last years are asked for again (``revised_years``), and years
that are not held; a year of which only the date of update differs is unchanged. That date is the
edition's version and day of publication.

Bulk files (``editions=["full-202401"]``) are for backfill: a month of all codes, of which the
reader keeps the chosen ones. They are never fetched unasked.

Not seen live: everything. Columns, the form of dates, the refusals and the listing's parameters are
as public clients show them; the limit of five million cells is one that the interface names; how a
message of a later answer looks (an XML envelope with status 200, or status 202) is reported and
both are taken for it.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from pipelines.catalog import Source
from pipelines.errors import FetchFailed, UsageError
from pipelines.settings import Settings
from pipelines.sources.fetching import (
    FetchedDocument,
    FetchedEdition,
    FetchFailure,
    FetchResult,
    HeldDocument,
    HeldEdition,
    Known,
    safe_file_name,
)
from pipelines.sources.http import Expected, NotPublished, PublisherClient, TooMuchAsked
from pipelines.sources.label_maps import read_reference
from pipelines.sources.national_codes import national_codes

__all__ = ["fetch"]

DATAFLOW: Final = "DS-045409"
SYSTEM: Final = "CN8"
INDICATORS: Final = ("VALUE_IN_EUROS", "QUANTITY_IN_100KG", "SUPPLEMENTARY_QUANTITY")
FLOWS: Final = ("1", "2")
#: The members' aggregate as it is a reporter, and all partners as one.
_UNION, _WORLD = "EU27_2020", "WORLD"
#: More partners than the interface has, groups included; for the estimate of cells.
_PARTNERS: Final = 320
_CELLS: Final = 5_000_000
_BULK_FOLDER: Final = "comext/COMEXT_DATA/PRODUCTS"
_BULK_LABEL = re.compile(r"full-(?P<month>\d{4}(?:0[1-9]|1[0-2]))")
_BULK_NAME = re.compile(r"full(?:_v\d+)?_(?P<month>\d{6})\.7z", re.IGNORECASE)
_YEAR_LABEL = re.compile(r"(?:19|20)\d{2}")
_DATE = re.compile(r"(\d{2})/(\d{2})/(\d{2}|\d{4})(?:\s+\d{2}:\d{2}(?::\d{2})?)?")
_HEADER = b"DATAFLOW,"
_LAST_UPDATE = "LAST UPDATE"
_STATE = "seen.json"
#: Bytes; no row of codes and figures is longer.
_LONGEST_ROW = 4096
_CHANGED = "the publisher's interface may have changed; see docs/sources/eurostat_comext.md"


@dataclass(frozen=True, slots=True)
class _Request:
    """What one request asks for: codes and reporters over months of one year (1 to 12)."""

    year: int
    codes: tuple[str, ...]
    reporters: tuple[str, ...]
    first_month: int = 1
    last_month: int = 12

    @property
    def cells(self) -> int:
        """The interface's estimate, from above."""
        months = self.last_month - self.first_month + 1
        series = len(self.codes) * len(self.reporters) * _PARTNERS * len(FLOWS) * len(INDICATORS)
        return series * months

    @property
    def name(self) -> str:
        """Name of the document; no two requests of an edition share it."""
        name = f"{self.year}-{self.first_month:02d}-{self.last_month:02d}-{_span(self.codes)}"
        return f"{name}-{_span(self.reporters)}.csv"

    def url(self, base: str, dataflow: str) -> str:
        key = ".".join(
            ["M", "+".join(self.reporters), "", "+".join(self.codes), "+".join(FLOWS),
             "+".join(INDICATORS)]
        )  # fmt: skip
        period = urlencode(
            {
                "startPeriod": f"{self.year}-{self.first_month:02d}",
                "endPeriod": f"{self.year}-{self.last_month:02d}",
                "format": "SDMX-CSV",
                "compressed": "false",
            }
        )
        return f"{base}/comext/dissemination/sdmx/2.1/data/{dataflow}/{key}?{period}"

    def halves(self) -> tuple[_Request, _Request] | None:
        """The same in two; None where it asks for one code, month and reporter."""
        for name in ("codes", "months", "reporters"):
            if name == "months":
                if self.last_month > self.first_month:
                    middle = (self.first_month + self.last_month) // 2
                    return replace(self, last_month=middle), replace(self, first_month=middle + 1)
                continue
            values = getattr(self, name)
            if len(values) > 1:
                middle = len(values) // 2
                return (
                    replace(self, **{name: values[:middle]}),
                    replace(self, **{name: values[middle:]}),
                )
        return None


def _span(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{values[0]}_{values[-1]}_{len(values)}"


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def fetch(
    source: Source,
    known: Known,
    client: PublisherClient,
    into: Path,
    *,
    seeds_dir: Path | None = None,
    state_dir: Path | None = None,
    years: Sequence[int] | None = None,
    editions: Sequence[str] | None = None,
    codes: Sequence[str] | None = None,
    dataflow: str = DATAFLOW,
    revised_years: int = 2,
    now: Callable[[], datetime] = _utc_now,
) -> FetchResult:
    """Bring the years that are new or changed, or those that are named.

    :param years: these years through the interface, whether or not anything is new.
    :param editions: labels: years (``2024``), months of the bulk files (``full-202401``).
    :param codes: CN8 codes in place of those of ``ref_national_code``.
    :param dataflow: the data set.
    :param revised_years: years before this one that are asked for again after an update.
    :raises UsageError: no code is chosen, or a label is neither a year nor a month.
    :raises FetchFailed: the interface could not be had, or does not say when it was updated.
    """
    checked_at = now()
    seeds = seeds_dir or Settings().seeds_dir
    base = (source.endpoint or "").rstrip("/")
    wanted, months = _labels(years, editions)
    errand = _Errand(
        source=source,
        known=known,
        client=client,
        folder=into,
        base=base,
        dataflow=dataflow,
        codes=tuple(sorted(set(codes))) if codes else None,
        seeds=seeds,
        reporters=_reporters(seeds),
    )
    if months:
        await errand.bring_months(months)
    if wanted or not months:
        state = state_dir / _STATE if state_dir else None
        await errand.bring_years(wanted, checked_at.year, revised_years, state)
    return FetchResult(
        source.source_id,
        checked_at,
        editions=tuple(sorted(errand.editions, key=lambda e: e.label)),
        unchanged=tuple(errand.unchanged),
        failures=tuple(errand.failures),
        notes=tuple(errand.notes),
    )


def _labels(
    years: Sequence[int] | None, editions: Sequence[str] | None
) -> tuple[list[int], list[str]]:
    """Years and bulk months that are named.

    :raises UsageError: a label is neither.
    """
    wanted = {int(y) for y in years or ()}
    months: set[str] = set()
    for label in editions or ():
        bulk = _BULK_LABEL.fullmatch(label)
        if bulk:
            months.add(bulk["month"])
        elif _YEAR_LABEL.fullmatch(label):
            wanted.add(int(label))
        else:
            raise UsageError(
                f"{label!r} is no edition of eurostat_comext",
                remedy="name a year (2024) or a month of the bulk files (full-202401)",
            )
    return sorted(wanted), sorted(months)


def _reporters(seeds: Path) -> tuple[str, ...]:
    members = read_reference("ref_country", seeds)
    codes = members.filter(members["is_eu27"] == "true").get_column("iso2").to_list()
    return (*sorted(codes), _UNION)


class _Errand:
    """What is brought in one call."""

    def __init__(
        self,
        *,
        source: Source,
        known: Known,
        client: PublisherClient,
        folder: Path,
        base: str,
        dataflow: str,
        codes: tuple[str, ...] | None,
        seeds: Path,
        reporters: tuple[str, ...],
    ) -> None:
        self.source = source
        self.known = known
        self.client = client
        self.folder = folder
        self.base = base
        self.dataflow = dataflow
        self.codes = codes
        self.seeds = seeds
        self.reporters = reporters
        self.editions: list[FetchedEdition] = []
        self.unchanged: list[str] = []
        self.failures: list[FetchFailure] = []
        self.notes: list[str] = []

    # Years, through the interface

    async def bring_years(
        self, wanted: list[int], this_year: int, revised_years: int, state: Path | None
    ) -> None:
        """``wanted``, or where it is empty what the last update may have changed."""
        if not self._codes_of(None):
            raise UsageError(
                "no code of the Combined Nomenclature is chosen",
                remedy="fill ref_national_code, or set codes in monazite.toml, "
                "[fetch.eurostat_comext]",
            )
        updated = await self._last_update(this_year)
        what = {"dataflow": self.dataflow, "reporters": list(self.reporters)}
        told = _read(state)
        shown = told.get("years", {}) if told.get("what") == what else {}
        first = self.source.api.first_year or this_year
        asked: list[int] = []
        for year in wanted or range(first, this_year + 1):
            held = self._newest(str(year))
            before = shown.get(str(year), {})
            # What is new to the chosen codes is asked for in years long past as well.
            is_as_asked = before.get("codes") == self._codes_of(year)
            is_seen = (
                is_as_asked
                and told.get("updated") == updated
                and before.get("documents") == _hashes(held.documents if held else ())
            )
            is_past = is_as_asked and held is not None and year < this_year - revised_years
            if wanted or not (is_seen or is_past):
                asked.append(year)
            elif held is not None:
                self.unchanged.append(str(year))
        for year in asked:
            try:
                documents = await self._bring_year(year, _day(updated))
            except FetchFailed as error:
                self.failures.append(FetchFailure(str(year), error))
                shown.pop(str(year), None)
            else:
                shown[str(year)] = {"codes": self._codes_of(year), "documents": documents}
        _write(state, {"what": what, "updated": updated, "years": shown})

    def _codes_of(self, year: int | None) -> list[str]:
        if self.codes is not None:
            return list(self.codes)
        return national_codes(self.seeds, SYSTEM, year=year)

    def _newest(self, label: str) -> HeldEdition | None:
        return next((e for e in reversed(self.known.originals()) if e.label == label), None)

    async def _last_update(self, this_year: int) -> str:
        """When the data set was updated, as its rows say: two years of the EU's imports."""
        request = ".".join(
            ["M", _UNION, _WORLD, "+".join(self._codes_of(None)), FLOWS[0], INDICATORS[0]]
        )
        period = urlencode(
            {
                "startPeriod": f"{this_year - 2}-01",
                "endPeriod": f"{this_year}-12",
                "format": "SDMX-CSV",
                "compressed": "false",
            }
        )
        url = f"{self.base}/comext/dissemination/sdmx/2.1/data/{self.dataflow}/{request}?{period}"
        body = await self.client.get_bytes(url)
        told = {(row.get(_LAST_UPDATE) or "").strip() for row in _records(body)} - {""}
        if len(told) != 1 or _day(*told) is None:
            raise FetchFailed(
                "the data set does not say when it was updated"
                if not told
                else f"no date of update: {', '.join(sorted(told))[:80]}",
                where=self.client.cited(url),
                remedy=_CHANGED,
            )
        return told.pop()

    async def _bring_year(self, year: int, updated: date | None) -> list[str]:
        """Hashes of the documents that are held, or handed on, of ``year``."""
        label = str(year)
        documents: list[FetchedDocument] = []
        codes = self._codes_of(year)
        for request in _requests(year, codes, self.reporters, self._most_cells()):
            documents += [d async for d in self._ask(request, self.folder / label, updated)]
        if not documents:
            self.notes.append(f"{label}: no trade in the chosen codes")
            return []
        held = self._newest(label)
        if held is not None and _digest(documents) == _digest(held.documents):
            self.unchanged.append(label)
            return _hashes(held.documents)
        version = updated.strftime("%Y%m%d") if updated else None
        self.editions.append(
            FetchedEdition(
                label=label,
                version=version,
                published=updated,
                documents=tuple(documents),
                replaces=self.known.edition(label, version),
                title=f"{self.source.title}, {label}",
                url=self.source.homepage,
                version_note=f"last update {updated}" if updated else None,
            )
        )
        return _hashes(documents)

    def _most_cells(self) -> int:
        return self.source.api.rows_per_answer or _CELLS

    async def _ask(self, request: _Request, folder: Path, updated: date | None) -> Any:
        """The documents that answer ``request``, split until the interface gives them.

        :param updated: of which update they must be.
        :raises FetchFailed: it does not, or gives something else than a table of what was asked.
        """
        url = request.url(self.base, self.dataflow)
        target = folder / safe_file_name(request.name)
        try:
            document = await self.client.download(url, target)
        except NotPublished:
            return  # nothing is traded in it
        except TooMuchAsked as error:
            refusal: FetchFailed = error
        else:
            with document.path.open("rb") as handle:
                head = handle.read(4096)
            if head.removeprefix(b"\xef\xbb\xbf").startswith(_HEADER):
                if _has_rows(document.path):
                    _refuse_others(document.path, request, updated, self.client.cited(url))
                    yield document
                return
            document.path.unlink()
            if not head.lstrip().startswith(b"<"):
                raise FetchFailed(
                    "no table of trade came", where=self.client.cited(url), remedy=_CHANGED
                )
            refusal = FetchFailed(
                "the interface wants to answer later", where=self.client.cited(url)
            )
        halves = request.halves()
        if halves is None:
            raise refusal
        for half in halves:
            async for document in self._ask(half, folder, updated):
                yield document

    # Months, as bulk files

    async def bring_months(self, months: Sequence[str]) -> None:
        """:raises FetchFailed: the listing could not be had, or lists nothing of the kind."""
        listed = await self._listing()
        for month in months:
            label = f"full-{month}"
            entry = listed.get(month)
            if entry is None:
                failure = FetchFailed(
                    f"no bulk file of {month} is listed",
                    where=f"{self.base}/dissemination/files?dir={quote(_BULK_FOLDER, safe='')}",
                    remedy=f"there are {min(listed)} to {max(listed)}",
                )
                self.failures.append(FetchFailure(label, failure))
                continue
            try:
                await self._bring_month(label, entry)
            except FetchFailed as error:
                self.failures.append(FetchFailure(label, error))

    async def _listing(self) -> dict[str, dict[str, str]]:
        query = urlencode(
            {
                "dir": _BULK_FOLDER,
                "format": "csv",
                "hierarchy": "false",
                "sizeFormat": "NONE",
                "dateFormat": "ISO",
            }
        )
        url = f"{self.base}/dissemination/files?{query}"
        body = await self.client.get_bytes(url)
        found: dict[str, dict[str, str]] = {}
        for row in _records(body):
            name = (row.get("NAME") or "").strip().rsplit("/", 1)[-1]
            told = _BULK_NAME.fullmatch(name)
            # A year as a whole is listed as its month 52.
            if told and 1 <= int(told["month"][4:]) <= 12:
                found[told["month"]] = {k: v or "" for k, v in row.items() if k} | {"NAME": name}
        if not found:
            raise FetchFailed(
                "no monthly bulk file is listed", where=self.client.cited(url), remedy=_CHANGED
            )
        return found

    async def _bring_month(self, label: str, entry: dict[str, str]) -> None:
        name = safe_file_name(entry["NAME"])
        size = int(entry["SIZE"]) if entry.get("SIZE", "").strip().isdigit() else None
        held = self._newest(label)
        before = held.document(name=name) if held else None
        if before is not None and size is not None and before.size_bytes == size:
            self.unchanged.append(label)
            return
        file = quote(f"{_BULK_FOLDER}/{entry['NAME']}", safe="")
        document = await self.client.download(
            f"{self.base}/dissemination/files?file={file}",
            self.folder / label / name,
            expected=Expected(size_bytes=size),
        )
        if before is not None and document.sha256 == before.sha256:
            self.unchanged.append(label)
            return
        self.editions.append(
            FetchedEdition(
                label=label,
                documents=(document,),
                replaces=held,
                title=f"{self.source.title}, bulk file of {label.removeprefix('full-')}",
                url=self.source.homepage,
            )
        )


def _requests(
    year: int, codes: Sequence[str], reporters: tuple[str, ...], most_cells: int
) -> Iterator[_Request]:
    """As few requests as stay below ``most_cells`` each."""
    if not codes:
        return
    single = _Request(year, (codes[0],), reporters).cells
    at_once = max(1, most_cells // single)
    for start in range(0, len(codes), at_once):
        yield _Request(year, tuple(codes[start : start + at_once]), reporters)


def _day(told: str) -> date | None:
    """The day of ``15/09/26 11:00:00``, which is written day, month, year."""
    match = _DATE.fullmatch(told.strip())
    if match is None:
        return None
    day, month, year = (int(n) for n in match.groups())
    try:
        return date(year if year > 99 else 2000 + year, month, day)
    except ValueError:
        return None


def _records(body: bytes | None) -> list[dict[str, str]]:
    """Rows of a small table by column; none where it cannot be read as one."""
    text = io.StringIO((body or b"").decode("utf-8-sig", errors="replace"))
    with contextlib.suppress(csv.Error):
        return list(csv.DictReader(text))
    return []


def _has_rows(path: Path) -> bool:
    with path.open("rb") as handle:
        handle.readline()
        return any(line.strip() for line in handle)


def _refuse_others(path: Path, request: _Request, updated: date | None, where: str) -> None:
    """Refuse a table whose first or last row is cut, was not asked for, or is of another update.

    :raises FetchFailed: it is.
    """
    header, first, last = _ends(path)
    for line in (first, last):
        fields = line.split(",")
        if len(fields) != len(header):
            raise FetchFailed(
                f"a row has {len(fields)} fields where the header has {len(header)}: the table is "
                "cut",
                where=where,
                remedy="run again later",
            )
        row = dict(zip(header, fields, strict=True))
        month = row.get("TIME_PERIOD", "")
        months = (
            f"{request.year}-{request.first_month:02d}",
            f"{request.year}-{request.last_month:02d}",
        )
        if row.get("product") not in request.codes or not months[0] <= month <= months[1]:
            raise FetchFailed(
                f"a row is of {row.get('product')} in {month}, which was not asked for"[:200],
                where=where,
                remedy=_CHANGED,
            )
        if updated is not None and _day(row.get(_LAST_UPDATE, "")) != updated:
            raise FetchFailed(
                f"the data set was updated meanwhile ({row.get(_LAST_UPDATE, '')[:20]})",
                where=where,
                remedy="run again later",
            )


def _ends(path: Path) -> tuple[list[str], str, str]:
    """Header, first and last row of a table that has rows."""
    with path.open("rb") as handle:
        header, first = (handle.readline().decode("utf-8-sig", "replace") for _ in range(2))
        begins = handle.tell() - len(first.encode())
        handle.seek(max(begins, path.stat().st_size - _LONGEST_ROW))
        last = handle.read().decode("utf-8", "replace").rstrip().splitlines()[-1]
    return header.strip().split(","), first.strip(), last


def _hashes(documents: Sequence[FetchedDocument | HeldDocument]) -> list[str]:
    return sorted(d.sha256 for d in documents)


def _digest(documents: Sequence[FetchedDocument | HeldDocument]) -> str | None:
    """Of all rows but for the date of update; None where bytes cannot be read as a table."""
    rows: list[bytes] = []
    for document in documents:
        try:
            header, *lines = (document.path.read_bytes() if document.path else b"").splitlines()
            at = header.removeprefix(b"\xef\xbb\xbf").split(b",").index(_LAST_UPDATE.encode())
        except (OSError, ValueError):
            return None
        for line in lines:
            fields = line.split(b",")
            rows.append(b",".join(fields[:at] + fields[at + 1 :]))
    return hashlib.sha256(b"\n".join(sorted(r for r in rows if r))).hexdigest()


def _read(file: Path | None) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _write(file: Path | None, told: dict[str, Any]) -> None:
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(told), encoding="utf-8")
    temporary.replace(file)
