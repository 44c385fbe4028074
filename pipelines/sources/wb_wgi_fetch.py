"""World Bank, Worldwide Governance Indicators: the series of the World Bank's interface.

``/v2/country/all/indicator/<series>?source=3&format=json`` gives all countries and years of one
series, in pages (:mod:`pipelines.sources.wb_wgi_pages`). A series is an indicator (``CC``, ``GE``,
``PV``, ``RL``, ``RQ``, ``VA``) and what is told of it: ``EST`` estimate, ``SE`` standard error,
``SR`` number of sources, ``SC`` score with its bounds ``SC_LB`` and ``SC_UB``. The estimates are
required; of the others a series that the publisher does not have is passed over with a note.
Percentile ranks are no longer among them.

Whether anything is new is one request: every page names the day on which the database was last
loaded (``lastupdated``), and an edition that is held was loaded on one. An update is named by the
year after the last that it describes, as the publisher names its workbooks: the 2024 update ends in
2023. The day on which it is published is that of the load, or that of the catalogue where the
workbook came later: no vintage knows figures before both.

Known from a stored answer: the form of a page, with ``lastupdated``, and areas without a code. From
other users: the names of the series and the error under status 200. Assumed: that a database is
loaded as a whole, and what the interface does while that happens; pages that do not agree are
refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from pipelines.catalog import Source
from pipelines.errors import DocumentUnreadable, FetchFailed, UsageError
from pipelines.sources.fetching import (
    FetchedDocument,
    FetchedEdition,
    FetchFailure,
    FetchResult,
    HeldEdition,
    Known,
)
from pipelines.sources.http import PublisherClient
from pipelines.sources.wb_wgi_pages import Page, Refusal, check_series, read_page

__all__ = ["BASE_URL", "KINDS", "fetch"]

BASE_URL: Final = "https://api.worldbank.org/v2"
#: What is told of an indicator; the first is required.
KINDS: Final = ("EST", "SE", "SR", "SC", "SC_LB", "SC_UB")

_INDICATORS = ("CC", "GE", "PV", "RL", "RQ", "VA")
#: The database of the governance indicators among the World Bank's.
_DATABASE = 3
#: All rows of a series, some 6,500, fit into one answer of this length.
_ROWS_A_PAGE = 20_000
_MOST_PAGES = 200
#: "Invalid value" and "The indicator was not found".
_NO_SUCH_SERIES = frozenset({"120", "175"})


async def fetch(
    source: Source,
    known: Known,
    client: PublisherClient,
    into: Path,
    *,
    kinds: Sequence[str] = KINDS,
    rows_a_page: int = _ROWS_A_PAGE,
) -> FetchResult:
    """Bring the update that the interface serves, where the day of its load is new.

    :param kinds: what is asked of each indicator; ``EST`` must be among them.
    :param rows_a_page: how long the pages are that are asked for; the publisher may cut them
        shorter.
    :raises UsageError: a kind is not one of :data:`KINDS`, or ``EST`` is missing.
    :raises FetchFailed: the interface could not be asked, or does not say when it was loaded.
    """
    if not set(kinds) <= set(KINDS) or KINDS[0] not in kinds:
        raise UsageError(
            f"kinds of governance series: {', '.join(kinds)}",
            remedy=f"choose EST and any of {', '.join(KINDS[1:])}",
        )
    checked_at = datetime.now(UTC)
    base = (source.endpoint or BASE_URL).rstrip("/")
    url = _address(base, _series(_INDICATORS[0], KINDS[0]), rows_a_page=1, page=1)
    updated = _page(await client.get_bytes(url) or b"", url).updated
    held = next((e for e in reversed(known.originals()) if _loaded_on(e) == updated), None)
    if held is not None:
        return FetchResult(source.source_id, checked_at, unchanged=(held.label,))
    errand = _Errand(client, base, into, rows_a_page, updated)
    try:
        for indicator in _INDICATORS:
            for kind in KINDS:
                if kind in kinds:
                    await errand.bring(indicator, kind)
        edition = _edition(source, known, errand)
    except FetchFailed as error:
        failure = FetchFailure(updated.isoformat(), error)
        return FetchResult(
            source.source_id, checked_at, failures=(failure,), notes=tuple(errand.notes)
        )
    return FetchResult(source.source_id, checked_at, editions=(edition,), notes=tuple(errand.notes))


class _NoSuchSeries(FetchFailed):
    """The publisher knows no series of this name."""


def _series(indicator: str, kind: str) -> str:
    return f"GOV_WGI_{indicator}.{kind}"


def _address(base: str, series: str, *, rows_a_page: int, page: int) -> str:
    return (
        f"{base}/country/all/indicator/{series}"
        f"?source={_DATABASE}&format=json&per_page={rows_a_page}&page={page}"
    )


def _page(content: bytes, url: str) -> Page:
    """:raises FetchFailed: the answer is an error or no page."""
    try:
        return read_page(content, url)
    except Refusal as error:
        kind = _NoSuchSeries if error.code in _NO_SUCH_SERIES else FetchFailed
        raise kind(error.what, where=url, remedy=error.remedy) from error
    except DocumentUnreadable as error:
        raise FetchFailed(error.what, where=url, remedy=error.remedy) from error


def _loaded_on(held: HeldEdition) -> date | None:
    """The day of the load that an edition was brought from; None for workbooks."""
    for document in held.documents:
        if document.path is None or not document.name.endswith(".json"):
            continue
        try:
            return read_page(document.path.read_bytes(), document.name).updated
        except (DocumentUnreadable, OSError):
            continue
    return None


@dataclass
class _Errand:
    """One update being brought.

    :ivar updated: the day of the load that all pages must name.
    :ivar documents: the pages that came, whole series each.
    :ivar last_years: the last year with an estimate, of each page of estimates.
    """

    client: PublisherClient
    base: str
    folder: Path
    rows_a_page: int
    updated: date
    documents: list[FetchedDocument] = field(default_factory=list)
    last_years: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    async def bring(self, indicator: str, kind: str) -> None:
        """A series with all its pages; one that is not required and not there leaves a note.

        :raises FetchFailed: a page could not be had, the pages are not one whole, or the database
            was loaded meanwhile.
        """
        series = _series(indicator, kind)
        try:
            brought = await self._pages(series)
        except _NoSuchSeries as error:
            if kind == KINDS[0]:
                raise
            self.notes.append(f"passed over {series}: {error.what}")
            return
        first = brought[0][1]
        try:
            check_series([page for _, page in brought])
        except DocumentUnreadable as error:
            raise FetchFailed(error.what, where=error.where, remedy=error.remedy) from error
        if first.series != series:
            raise FetchFailed(
                f"{series} was asked for, {first.series} came",
                where=first.place,
                remedy="run again later",
            )
        if first.updated != self.updated:
            raise FetchFailed(
                f"the database was loaded meanwhile ({self.updated} and {first.updated})",
                where=first.place,
                remedy="run again later",
            )
        self.documents += [document for document, _ in brought]
        if kind == KINDS[0]:
            self.last_years += [y for _, page in brought if (y := page.last_year) is not None]

    async def _pages(self, series: str) -> list[tuple[FetchedDocument, Page]]:
        found: list[tuple[FetchedDocument, Page]] = []
        number = pages = 1
        while number <= pages:
            url = _address(self.base, series, rows_a_page=self.rows_a_page, page=number)
            document = await self.client.download(
                url,
                self.folder / f"{series}-p{number}.json",
                max_bytes=self.client.settings.max_answer_bytes,
            )
            page = _page(document.path.read_bytes(), url)
            found.append((document, page))
            pages = page.pages
            if pages > _MOST_PAGES:
                raise FetchFailed(
                    f"{series} is said to have {pages:,} pages",
                    where=url,
                    remedy="run again later: an answer to another question may have come",
                )
            number += 1
        return found


def _edition(source: Source, known: Known, errand: _Errand) -> FetchedEdition:
    """:raises FetchFailed: not one estimate came, so that nothing tells the update."""
    if not errand.last_years:
        raise FetchFailed(
            "the interface holds not one estimate",
            where=errand.base,
            remedy="the series may have been renamed; see docs/sources/wb_wgi.md",
        )
    label = str(max(errand.last_years) + 1)
    announced = source.known(label)
    days = [errand.updated]
    if announced is not None and announced.published is not None:
        days.append(announced.published)
    return FetchedEdition(
        label=label,
        documents=tuple(errand.documents),
        published=max(days),
        replaces=known.edition(label),
        title=f"{source.title}, {label} update",
        url=source.homepage,
        version_note=f"last updated {errand.updated.isoformat()}",
    )
