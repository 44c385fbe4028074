"""USGS Minerals Yearbook and Data Series 140, rare earths: which workbooks there are.

The workbooks lie in one folder of the Geological Survey's file server, named by series and year:
``myb1-<year>-raree-ert.xlsx`` (the advance release of a yearbook's tables; ``ERT`` for some
commodities), ``myb1-<year>-raree.xlsx`` and ``ds140-rare-earths-<year>.xlsx``. Editions that the
catalogue knows are asked for at their addresses, each with one conditional request. Newer ones are
those to which the publisher's page of rare-earth statistics links; where the page cannot be had or
links to no workbook, they are looked for by the names that they would have.

Nothing here was tried against the live servers. The addresses of the catalogue's editions are ones
that users quote; that the page links to the workbooks, and the name without ``-ert``, are
assumptions. The file server is Amazon S3, which answers "forbidden" for a name that it does not
have.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from pipelines.catalog import Source
from pipelines.errors import FetchFailed
from pipelines.sources.fetching import (
    FetchedDocument,
    FetchedEdition,
    FetchFailure,
    FetchResult,
    Known,
    safe_file_name,
)
from pipelines.sources.http import NotModified, PublisherClient

__all__ = ["FILES_URL", "fetch"]

#: The folder of the publisher's files.
FILES_URL: Final = (
    "https://d9-wret.s3.us-west-2.amazonaws.com/assets/palladium/production/s3fs-public/media/files"
)

_LINK = re.compile(r"""href\s*=\s*["']?(?P<url>https://[^"'\s<>]+\.xlsx?)(?=["'\s>?#])""", re.I)
#: Names that the workbook of a year may have, by the series that the label tells; the one that
#: counts first.
_NAMES: Final = {
    "": ("myb1-{year}-raree.xlsx", "myb1-{year}-raree-ert.xlsx", "myb1-{year}-raree-ERT.xlsx"),
    "ds140-": ("ds140-rare-earths-{year}.xlsx",),
}
_LABEL = re.compile(r"(?P<series>ds140-)?(?P<year>\d{4})")
_ADVANCE = re.compile(r"-ert\b", re.IGNORECASE)
#: How many years after the newest that is known are looked for by name, and how long after its year
#: a workbook comes at the earliest.
_YEARS_AHEAD = 2
_YEARS_LATE = 2


@dataclass(frozen=True, slots=True)
class _Offer:
    """A workbook that the publisher has, or is known to have had."""

    label: str
    url: str

    @property
    def name(self) -> str:
        return unquote(PurePosixPath(urlsplit(self.url).path).name)


async def fetch(
    source: Source,
    known: Known,
    client: PublisherClient,
    into: Path,
    *,
    editions: Sequence[str] | None = None,
    today: date | None = None,
) -> FetchResult:
    """Bring the workbooks that are new or changed.

    :param editions: only these labels (``2022``, ``ds140-2020``).
    :param today: from which the search for newer workbooks ends; today by default.
    """
    checked_at = datetime.now(UTC)
    day = today or checked_at.date()
    offers = {e.label: _Offer(e.label, e.url) for e in source.editions if e.url}
    linked, notes = await _linked(source, client)
    if linked:
        offers |= linked
    else:
        labels = [*offers, *(e.label for e in known.originals())]
        newer, more = await _looked_for(source, labels, day.year, client)
        offers |= newer
        notes += more
    if editions is not None:
        offers = {label: offer for label, offer in offers.items() if label in editions}
        notes += [f"{label}: not offered" for label in editions if label not in offers]
    brought: list[FetchedEdition] = []
    unchanged: list[str] = []
    failures: list[FetchFailure] = []
    for label, offer in sorted(offers.items()):
        try:
            edition = await _bring(source, known, client, into / label, offer)
        except FetchFailed as error:
            failures.append(FetchFailure(label, error))
            continue
        if edition is None:
            unchanged.append(label)
        else:
            brought.append(edition)
    return FetchResult(
        source_id=source.source_id,
        checked_at=checked_at,
        editions=tuple(brought),
        unchanged=tuple(unchanged),
        failures=tuple(failures),
        notes=tuple(notes),
    )


async def _linked(source: Source, client: PublisherClient) -> tuple[dict[str, _Offer], list[str]]:
    """Workbooks of rare earths to which the publisher's page links, by label."""
    try:
        page = await client.get_text(source.homepage)
    except FetchFailed as error:
        return {}, [f"page could not be read, workbooks were looked for by name: {error}"]
    found: dict[str, _Offer] = {}
    for link in _LINK.finditer(page):
        url = html.unescape(link["url"])
        label = source.label_from_name(unquote(PurePosixPath(urlsplit(url).path).name))
        if label is None or urlsplit(url).hostname not in source.hosts:
            continue
        # The final tables take the place of the advance release.
        if label not in found or _ADVANCE.search(found[label].url):
            found[label] = _Offer(label, url)
    notes = [] if found else ["page links to no workbook, looked for by name"]
    return found, notes


async def _looked_for(
    source: Source, labels: Sequence[str], year: int, client: PublisherClient
) -> tuple[dict[str, _Offer], list[str]]:
    """Workbooks newer than ``labels`` that the file server has, by label.

    A server that cannot be asked ends the search with a note: what is known is asked for all the
    same, and says for itself what is wrong.
    """
    found: dict[str, _Offer] = {}
    for candidate in _candidates(labels, year):
        label = source.label_from_name(candidate)
        if label is None or label in found:
            continue
        url = f"{FILES_URL}/{candidate}"
        try:
            if await client.probe(url, is_hidden=True) is not None:
                found[label] = _Offer(label, url)
        except FetchFailed as error:
            return found, [f"newer workbooks could not be looked for: {error}"]
    return found, []


def _candidates(labels: Sequence[str], year: int) -> Iterator[str]:
    """Names that workbooks newer than ``labels`` would have."""
    newest: dict[str, int] = {}
    for label in labels:
        told = _LABEL.fullmatch(label)
        if told:
            series = told["series"] or ""
            newest[series] = max(newest.get(series, 0), int(told["year"]))
    for series, names in _NAMES.items():
        known = newest.get(series, year - _YEARS_LATE - _YEARS_AHEAD)
        last = min(known + _YEARS_AHEAD, year - _YEARS_LATE)
        for wanted in range(known + 1, last + 1):
            yield from (name.format(year=wanted) for name in names)


async def _bring(
    source: Source, known: Known, client: PublisherClient, into: Path, offer: _Offer
) -> FetchedEdition | None:
    """The edition, or None where it is held as the publisher offers it."""
    held = known.edition(offer.label)
    name = safe_file_name(offer.name)
    old = held.document(name=name) if held else None
    document = await client.download(offer.url, into / name, held=old)
    if isinstance(document, NotModified) or (old and old.sha256 == document.sha256):
        return None
    announced = source.known(offer.label)
    is_announced = announced is not None and announced.url == offer.url
    return FetchedEdition(
        label=offer.label,
        published=announced.published if announced and is_announced else _uploaded(document),
        documents=(document,),
        replaces=held,
        url=offer.url,
        title=name,
    )


def _uploaded(document: FetchedDocument) -> date | None:
    """The day on which the file was laid on the server: by then it was public, not before."""
    try:
        return parsedate_to_datetime(document.last_modified or "").date()
    except ValueError:
        return None
