"""USGS Mineral Commodity Summaries: which data releases there are, and their bytes.

A data release is an item of ScienceBase below one parent, named ``Mineral Commodity Summaries
<year> Data Release``, with ``(ver. 2.0, March 2024)`` after it when it was revised. What is brought
are the documents that hold figures by country and by commodity:

* ``world`` and ``salient``: a zip each at the release itself, or one CSV a commodity at its child
  items (of the 2024 release the zip of the world tables is reported to be a dead link, and one
  child's file to be empty);
* ``commodities``: one long file with both, since 2026, at the release or at a child item.

The tables and figures of the overview chapter (``_T5_``, ``_Fig2_``, *trends*) are passed over: the
same figures stand in the documents above. The titles were seen in a stored listing; the files of an
item, their names apart from those that are held elsewhere, and its dates were not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from pipelines.catalog import Source
from pipelines.errors import FetchFailed
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
from pipelines.sources.http import NotModified, NotPublished, PublisherClient
from pipelines.sources.sciencebase import (
    BASE_URL,
    ScienceBase,
    ScienceBaseFile,
    ScienceBaseItem,
)

__all__ = ["PARENT_ID", "fetch"]

#: The item below which the National Minerals Information Center puts its data releases.
PARENT_ID: Final = "5c8c03e4e4b0938824529f7d"
#: The first release with world and salient tables as files.
FIRST_YEAR: Final = 2022

_TITLE = re.compile(
    r"(?:U\.?S\.? Geological Survey,? )?Mineral Commodity Summaries,? (?P<year>\d{4})"
    r"(?: Data Release)?\s*(?:\((?P<note>[^()]*)\))?",
    re.IGNORECASE,
)
_VERSION = re.compile(r"\bver(?:sion|s)?\.?\s*(?P<version>\d+(?:\.\d+)*)", re.IGNORECASE)
# Not from `calendar`, whose names follow the locale.
_MONTHS = {
    "january": 1,
    "february": 2,
    "march": 3,
    "april": 4,
    "may": 5,
    "june": 6,
    "july": 7,
    "august": 8,
    "september": 9,
    "october": 10,
    "november": 11,
    "december": 12,
}
_MONTH = re.compile(rf"\b({'|'.join(_MONTHS)})\s+(\d{{4}})\b", re.IGNORECASE)

#: What a release is made of, and by which file names each part is told. The first that fits holds.
_PARTS: Mapping[str, re.Pattern[str]] = {
    "overview": re.compile(r"trend|(?:^|[_\W])(?:T|Fig)\d+[_\W]", re.IGNORECASE),
    "salient": re.compile(r"salient.*\.(?:csv|zip|xlsx)$", re.IGNORECASE),
    "world": re.compile(r"world.*\.(?:csv|zip|xlsx)$", re.IGNORECASE),
    "commodities": re.compile(r"commodit(?:y|ies)[_\W]*data.*\.(?:csv|zip|xlsx)$", re.IGNORECASE),
}
#: The parts in the order in which they are looked for, with what each covers.
_COVERS: Mapping[str, frozenset[str]] = {
    "commodities": frozenset({"world", "salient"}),
    "world": frozenset({"world"}),
    "salient": frozenset({"salient"}),
}


@dataclass(frozen=True, slots=True)
class _Release:
    """A data release, as the listing names it."""

    label: str
    version: str | None
    note: str | None
    item: ScienceBaseItem


@dataclass
class _Errand:
    """One release being brought.

    :ivar missing: what its documents do not cover yet.
    :ivar documents: by name, what was brought now or is held and offered unchanged.
    """

    client: PublisherClient
    folder: Path
    held: HeldEdition | None
    missing: set[str] = field(default_factory=lambda: {"world", "salient"})
    documents: dict[str, tuple[ScienceBaseFile, FetchedDocument | HeldDocument]] = field(
        default_factory=dict
    )
    notes: list[str] = field(default_factory=list)

    async def gather(self, files: Iterable[ScienceBaseFile], *, is_last: bool = False) -> None:
        """Look among ``files`` for what is missing.

        :param is_last: there is no other place to look, so that a dead link is an error.
        """
        by_part: dict[str, list[ScienceBaseFile]] = {}
        for file in files:
            part = _part(file.name)
            if file.size_bytes == 0 and part in _COVERS:
                self.notes.append(f"{file.name} has no bytes at the publisher")
            else:
                by_part.setdefault(part, []).append(file)
        for part, covers in _COVERS.items():
            offered = by_part.get(part, [])
            # A zip holds what lies loose beside it.
            packed = [f for f in offered if f.name.lower().endswith(".zip")]
            if not covers & self.missing or not offered:
                continue
            found: dict[str, tuple[ScienceBaseFile, FetchedDocument | HeldDocument]] = {}
            try:
                for file in packed or offered:
                    name = safe_file_name(file.name, taken=[*self.documents, *found])
                    found[name] = file, await self._ask(file, name)
            except NotPublished as error:
                if is_last:
                    raise
                self.notes.append(f"passed over {part}: {error}")
                continue
            self.documents |= found
            self.missing -= covers

    @property
    def is_all_held(self) -> bool:
        """The publisher offers nothing that is not held."""
        return all(isinstance(d, HeldDocument) for _, d in self.documents.values())

    async def bring_whole(self) -> tuple[FetchedDocument, ...]:
        """All documents by name, those too that did not change: an edition is brought whole."""
        return tuple(
            [
                document
                if isinstance(document, FetchedDocument)
                else await self._download(file, name)
                for name, (file, document) in sorted(self.documents.items())
            ]
        )

    async def _ask(self, file: ScienceBaseFile, name: str) -> FetchedDocument | HeldDocument:
        """The held document where the publisher offers the same bytes, or else the new one."""
        old = self.held.document(name=name) if self.held else None
        if old is None:
            return await self._download(file, name)
        if (file.md5 and file.md5 == old.md5) or (file.sha256 and file.sha256 == old.sha256):
            return old
        answer = await self.client.download(
            file.url, self.folder / name, expected=file.expected, held=old
        )
        if isinstance(answer, NotModified) or answer.sha256 == old.sha256:
            return old
        return answer

    async def _download(self, file: ScienceBaseFile, name: str) -> FetchedDocument:
        return await self.client.download(file.url, self.folder / name, expected=file.expected)


async def fetch(
    source: Source,
    known: Known,
    client: PublisherClient,
    into: Path,
    *,
    editions: Sequence[str] | None = None,
    parent_id: str = PARENT_ID,
    first_year: int = FIRST_YEAR,
) -> FetchResult:
    """Bring the data releases that are new or changed.

    :param editions: only the releases of these years.
    :param parent_id: the ScienceBase item whose children are the releases.
    :param first_year: releases of earlier years are passed over.
    :raises FetchFailed: the list of releases could not be had, or names none.
    """
    checked_at = datetime.now(UTC)
    service = ScienceBase(client, source.endpoint or BASE_URL)
    listed = await service.children(parent_id, fields=["title"])
    releases, notes = _releases(source, listed, first_year)
    if not releases:
        raise FetchFailed(
            f"none of {len(listed)} items is a Mineral Commodity Summaries data release",
            where=f"{source.endpoint or BASE_URL}/items?parentId={parent_id}",
            remedy="the publisher may have renamed or moved them; see docs/sources",
        )
    brought: list[FetchedEdition] = []
    unchanged: list[str] = []
    failures: list[FetchFailure] = []
    for release in releases:
        if editions is not None and release.label not in editions:
            continue
        held = known.edition(release.label, release.version)
        try:
            edition, passed_over = await _bring(release, held, service, client, into)
        except FetchFailed as error:
            failures.append(FetchFailure(release.label, error))
            continue
        notes += [f"{release.label}: {n}" for n in passed_over]
        if edition is None:
            unchanged.append(release.label)
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


def _releases(
    source: Source, listed: Iterable[ScienceBaseItem], first_year: int
) -> tuple[list[_Release], list[str]]:
    """The releases by year, and a note on each that is passed over."""
    newest: dict[str, _Release] = {}
    notes: list[str] = []
    for item in listed:
        title = _TITLE.fullmatch(item.title)
        if title is None or int(title["year"]) < first_year:
            continue
        note = title["note"]
        told = _VERSION.search(note or "")
        release = _Release(
            label=title["year"],
            version=told["version"] if told else _first_version(source, title["year"]),
            note=note,
            item=item,
        )
        other = newest.get(release.label)
        if other is not None:
            older, release = sorted((other, release), key=_by_version)
            notes.append(f"{release.label}: item {older.item.item_id} is listed as well")
        newest[release.label] = release
    return [newest[label] for label in sorted(newest)], notes


def _first_version(source: Source, label: str) -> str | None:
    """What a release is called that has not been revised: as in the catalogue, or ``1.0`` where the
    catalogue speaks of a later version.
    """
    announced = source.known(label)
    version = announced.version if announced else None
    return version if version in (None, "1", "1.0") else "1.0"


def _by_version(release: _Release) -> tuple[int, ...]:
    return tuple(int(n) for n in (release.version or "1").split("."))


async def _bring(
    release: _Release,
    held: HeldEdition | None,
    service: ScienceBase,
    client: PublisherClient,
    into: Path,
) -> tuple[FetchedEdition | None, list[str]]:
    """The edition (None where it is held as it is), and notes on what was passed over."""
    item = await service.item(release.item.item_id)
    errand = _Errand(client=client, folder=into / release.label, held=held)
    await errand.gather(item.files)
    if errand.missing:
        children = await service.children(item.item_id, fields=["title", "files"])
        await errand.gather([f for child in children for f in child.files], is_last=True)
    if errand.missing:
        names = ", ".join(sorted(f.name for f in item.files)[:8]) or "no files"
        lacking = " and no ".join(sorted(errand.missing))
        raise FetchFailed(
            f"no {lacking} tables in {item.title!r} (found: {names})",
            where=item.url,
            remedy="the layout may be new; see pipelines/sources/usgs_mcs/fetch.py",
        )
    if errand.is_all_held:
        return None, errand.notes
    documents = await errand.bring_whole()
    return (
        FetchedEdition(
            label=release.label,
            version=release.version,
            published=_published(release, item),
            documents=documents,
            replaces=held,
            title=release.item.title,
            doi=item.doi,
            url=item.url,
            version_note=release.note,
        ),
        errand.notes,
    )


def _part(name: str) -> str:
    return next((part for part, names in _PARTS.items() if names.search(name)), "other")


def _published(release: _Release, item: ScienceBaseItem) -> date | None:
    """The day of publication; of a revised release only a day in the month that its title names."""
    days = [d for kind, told in (item.dates or {}).items() if "publi" in kind for d in told]
    if release.note is None:
        return min(days, default=None)
    month = _MONTH.search(release.note)
    if month is None:
        return None
    wanted = int(month[2]), _MONTHS[month[1].lower()]
    revised = [d for told in (item.dates or {}).values() for d in told]
    return max((d for d in revised if (d.year, d.month) == wanted), default=None)
