"""CEPII BACI: which release there is, and its zips.

BACI has no interface, only files: ``data/BACI_<HS revision>_V<release>.zip`` of up to some
gigabytes, in a new release every January, named by year and month (``V202601``), sometimes with a
letter after a correction (``V202401b``) and once in February (``V202102``). The page that describes
the data (``doc/baci_webpage.html``) links to them. The newest release is taken from that page and,
where the page cannot be had or links to none, found by asking for the names that a release would
have.

Nothing here was tried against the live server. The address of the zips is one that many users
quote; that the page links to them is known from one of them; that the server tells ETag, length and
ranges is an assumption, without which the file is brought whole every time it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from pipelines.catalog import Source
from pipelines.errors import FetchFailed, UsageError
from pipelines.sources.fetching import (
    FetchedEdition,
    FetchFailure,
    FetchResult,
    HeldDocument,
    Known,
)
from pipelines.sources.http import NotModified, NotPublished, Probe, PublisherClient

__all__ = ["BASE_URL", "fetch"]

BASE_URL: Final = "https://www.cepii.fr/DATA_DOWNLOAD/baci"

#: What the warehouse takes its trade from: the longest series, and the revisions in which its later
#: codes appear. ``revisions`` of ``[fetch.cepii_baci]`` in ``monazite.toml`` asks for others.
_DEFAULT_REVISIONS: Final = ("HS92", "HS02", "HS17")
_PAGE = "doc/baci_webpage.html"
_LINK = re.compile(r"BACI_(?P<revision>HS\d{2})_V(?P<release>\d{6}[a-z]?)\.zip", re.IGNORECASE)
_REVISION = re.compile(r"HS\d{2}")
_RELEASE = re.compile(r"\d{6}[a-z]?")
#: Endings that releases have had, the later first.
_ENDINGS = ("02", "01b", "01")
#: How many years back a release is looked for.
_YEARS = 3


async def fetch(
    source: Source,
    known: Known,
    client: PublisherClient,
    into: Path,
    *,
    editions: Sequence[str] | None = None,
    revisions: Sequence[str] = _DEFAULT_REVISIONS,
    release: str | None = None,
    today: date | None = None,
) -> FetchResult:
    """Bring the newest release of each revision that is not held, gigabytes and all.

    :param editions: these alone, by label (``HS92-V202601``); earlier releases are offered for a
        year or so.
    :param revisions: HS revisions (``HS92``, ``HS17``).
    :param release: this release (``202501``) in place of the newest.
    :param today: from which the search for a release begins; today by default.
    :raises UsageError: an edition, revision or release is not written as CEPII writes it.
    :raises FetchFailed: no release could be found.
    """
    asked = _asked(editions, revisions, release)
    checked_at = datetime.now(UTC)
    base = (source.endpoint or BASE_URL).rstrip("/")
    year = (today or checked_at.date()).year
    linked, notes = await _linked(base, client)
    brought: list[FetchedEdition] = []
    unchanged: list[str] = []
    failures: list[FetchFailure] = []
    for revision, told in asked:
        wanted = told or max(linked.get(revision, ()), default=None)
        try:
            wanted = wanted or await _newest(base, revision, year, client, _held(known, revision))
            edition = await _bring(
                source, known, client, into, base=base, revision=revision, release=wanted
            )
        except FetchFailed as error:
            label = _label(source, revision, wanted) if wanted else revision
            failures.append(FetchFailure(label, error))
            continue
        if edition is None:
            unchanged.append(_label(source, revision, wanted))
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


def _asked(
    editions: Sequence[str] | None, revisions: Sequence[str], release: str | None
) -> list[tuple[str, str | None]]:
    """Revisions with their releases; no release stands for the newest.

    :raises UsageError: one is not written as CEPII writes it.
    """
    asked: list[tuple[str, str | None]] = [(revision, release) for revision in revisions]
    if editions is not None:
        parts = [label.partition("-V") for label in editions]
        asked = [(revision, told) for revision, _, told in parts]
    for revision, told in asked:
        if not _REVISION.fullmatch(revision):
            raise UsageError(f"{revision!r} is not an HS revision", remedy="write it as HS92")
        if told is not None and not _RELEASE.fullmatch(told):
            raise UsageError(f"{told!r} is not a release of BACI", remedy="write it as 202601")
    return asked


def _file_name(revision: str, release: str) -> str:
    return f"BACI_{revision}_V{release}.zip"


def _label(source: Source, revision: str, release: str) -> str:
    """The edition's label as the catalogue tells it from the name of the file."""
    return source.label_from_name(_file_name(revision, release)) or f"{revision}-V{release}"


async def _linked(base: str, client: PublisherClient) -> tuple[dict[str, set[str]], list[str]]:
    """Releases by revision that the page links to, and a note where it told none."""
    try:
        page = await client.get_text(f"{base}/{_PAGE}")
    except FetchFailed as error:
        return {}, [f"page of BACI could not be read, releases were looked for by name: {error}"]
    found: dict[str, set[str]] = {}
    for link in _LINK.finditer(page):
        found.setdefault(link["revision"].upper(), set()).add(link["release"].lower())
    notes = [] if found else ["page of BACI links to no release, looked for by name"]
    return found, notes


def _candidates(year: int) -> Iterator[str]:
    """Names that releases would have, the newest first."""
    for back in range(_YEARS):
        for ending in _ENDINGS:
            yield f"{year - back}{ending}"


def _held(known: Known, revision: str) -> str:
    """The newest release of a revision that is held (``202601``); empty where none is."""
    names = (d.name for edition in known.originals() for d in edition.documents)
    found = (link for name in names for link in _LINK.finditer(name))
    return max(
        (f["release"].lower() for f in found if f["revision"].upper() == revision), default=""
    )


async def _newest(base: str, revision: str, year: int, client: PublisherClient, held: str) -> str:
    """The newest release that the server has, as far back as the one that is held.

    :raises FetchFailed: it has none, or could not be asked.
    """
    for candidate in _candidates(year):
        if candidate <= held:
            # Older ones say nothing new, even where a passing fault hides this one.
            return held
        if await client.probe(f"{base}/data/{_file_name(revision, candidate)}") is not None:
            return candidate
    raise FetchFailed(
        f"no release of BACI {revision} since {year - _YEARS + 1}",
        where=f"{base}/data",
        remedy="look at the publisher's page; then name the release, or import the file",
    )


async def _bring(
    source: Source,
    known: Known,
    client: PublisherClient,
    into: Path,
    *,
    base: str,
    revision: str,
    release: str,
) -> FetchedEdition | None:
    """The edition, or None where it is held as the publisher offers it."""
    name = _file_name(revision, release)
    url = f"{base}/data/{name}"
    label = _label(source, revision, release)
    announced = source.known(label)
    version = announced.version if announced else None
    held = known.edition(label, version)
    old = held.document(name=name) if held else None
    probe = await client.probe(url)
    if probe is None:
        raise NotPublished(
            f"the publisher does not offer {name}: nothing or a web page is there",
            where=url,
            remedy="look at the publisher's page; releases are withdrawn when newer ones come",
        )
    if old is not None and _is_the_same(probe, old):
        return None
    document = await client.download(url, into / label / name, held=old)
    if isinstance(document, NotModified) or (old and old.sha256 == document.sha256):
        return None
    return FetchedEdition(
        label=label,
        version=version,
        published=announced.published if announced else None,
        documents=(document,),
        replaces=held,
        title=f"BACI {revision}, release {release}",
        doi=announced.doi if announced else None,
        url=source.homepage,
        version_note=f"V{release}",
    )


def _is_the_same(probe: Probe, held: HeldDocument) -> bool:
    """Whether gigabytes can be left where they are.

    A file that was imported by hand has no validator to compare; its size has to do.
    """
    same = probe.is_same_as(held)
    if same is None:
        return probe.size_bytes is not None and probe.size_bytes == held.size_bytes
    return same
