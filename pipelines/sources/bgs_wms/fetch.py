"""World Mineral Statistics: is there anything new, and the pages of the commodities that are used.

The API (OGC API Features, pygeoapi) pages a request by ``limit`` and ``offset`` up to
``numberMatched``. One request is made a commodity, page after page; the pages must agree and hold
each feature once. A page has no validator and carries the moment at which it was made, so bytes
never repeat: what was fetched is compared by the properties of its features, and pages of a
commodity that did not change are those that are held.

Freshness: the number of all figures of production costs one request and grows with every new year.
A revision that changes figures and adds none leaves it as it is, so that all pages are asked again
after ``recheck_days`` in any case. Nothing better is offered: no label, no date, no ETag is known.

Not seen live: everything. The fields are those of real CSV exports; the envelope, the limit of rows
a page (clients ask for 1,000 to 6,000) and the filter by property are as public clients use them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pipelines.catalog import Source
from pipelines.errors import DocumentUnreadable, FetchFailed
from pipelines.sources.bgs_wms.reading import Page, features_of, read_page
from pipelines.sources.fetching import (
    FetchedDocument,
    FetchedEdition,
    FetchResult,
    HeldDocument,
    HeldEdition,
    Known,
)
from pipelines.sources.http import PublisherClient
from pipelines.sources.label_maps import read_map

__all__ = ["fetch"]

_STATISTIC = "Production"
_ROWS = 1000
#: More pages than any commodity has; an API that never ends is not followed.
_MOST_PAGES = 200
_AGAIN = "run again later; the publisher may have been changing the collection"
_KEY_FILE = "seen.json"


@dataclass(frozen=True, slots=True)
class _Commodity:
    """A commodity as it was brought."""

    name: str
    documents: tuple[FetchedDocument, ...]
    features: tuple[str, ...]
    last_year: int

    @property
    def digest(self) -> str:
        return _digest(self.features)


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
    commodities: Sequence[str] | None = None,
    recheck_days: int = 30,
    now: Callable[[], datetime] = _utc_now,
) -> FetchResult:
    """Bring the production of all commodities that are used, if anything in it is new.

    :param commodities: in place of those that ``commodity__bgs_wms`` marks as used.
    :param recheck_days: after which all pages are looked at again although the number of figures
        is the same.
    :raises FetchFailed: the API could not be had, or its pages do not make a whole.
    """
    checked_at = now()
    base = source.endpoint or ""
    names = sorted(commodities or _used(seeds_dir))
    held = next(iter(reversed(known.originals())), None)
    state = (state_dir / _KEY_FILE) if state_dir else None
    told = _read(state)
    key = {"matched": await _matched(client, base), "commodities": names}
    if (
        held is not None
        and told.get("key") == key
        and told.get("documents") == sorted(d.sha256 for d in held.documents)
        and _is_recent(told.get("looked_at"), checked_at, recheck_days)
    ):
        return FetchResult(source.source_id, checked_at, unchanged=(held.label,))
    rows = source.api.rows_per_answer or _ROWS
    folder = into / "pages"
    brought = [await _bring(client, base, name, rows, folder) for name in names]
    label = str(max(c.last_year for c in brought))
    before = _held_by_commodity(held)
    documents = [
        document
        for commodity in brought
        for document in _kept(commodity, before.get(commodity.name, []))
    ]
    is_same = held is not None and {c.name: c.digest for c in brought} == {
        name: _digest_of_held(pages) for name, pages in before.items()
    }
    # If this does not reach the archive, the next night finds other documents held than these.
    expected = held.documents if is_same and held is not None else documents
    _write(
        state,
        {
            "key": key,
            "looked_at": checked_at.isoformat(),
            "documents": sorted(d.sha256 for d in expected),
        },
    )
    if is_same and held is not None:
        return FetchResult(source.source_id, checked_at, unchanged=(held.label,))
    return FetchResult(
        source.source_id,
        checked_at,
        editions=(
            FetchedEdition(
                label=label,
                documents=tuple(documents),
                replaces=known.edition(label),
                title=f"{source.title}, to {label}",
                url=source.homepage,
            ),
        ),
    )


def _is_recent(told: object, now: datetime, days: int) -> bool:
    """Whether ``told``, a moment as it was noted, lies less than ``days`` back."""
    try:
        return now - datetime.fromisoformat(str(told)) < timedelta(days=days)
    except (ValueError, TypeError):
        return False


def _used(seeds_dir: Path | None) -> list[str]:
    frame = read_map("commodity__bgs_wms", seeds_dir)
    return frame.filter(frame["is_used"] == "true").get_column("commodity_label").to_list()


async def _matched(client: PublisherClient, base: str) -> int:
    """How many figures of production there are."""
    url = f"{base}/items?" + urlencode(
        {"f": "json", "limit": 1, "bgs_statistic_type_trans": _STATISTIC}
    )
    return _page(
        await client.get_bytes(url, accept="application/geo+json, application/json"), url
    ).matched


def _page(content: bytes | None, url: str) -> Page:
    """:raises FetchFailed: ``content`` is no page of the API."""
    try:
        return read_page(content or b"", url)
    except DocumentUnreadable as error:
        raise FetchFailed(
            error.what,
            where=url,
            remedy="the publisher's interface may have changed; see docs/sources/bgs_wms.md",
        ) from error


async def _bring(
    client: PublisherClient, base: str, name: str, rows: int, folder: Path
) -> _Commodity:
    """All pages of a commodity.

    :raises FetchFailed: pages disagree, a feature comes twice, or some do not come.
    """
    folder.mkdir(parents=True, exist_ok=True)
    documents: list[FetchedDocument] = []
    features: list[str] = []
    seen: set[str] = set()
    years: set[int] = set()
    matched: int | None = None
    for _ in range(_MOST_PAGES):
        url = f"{base}/items?" + urlencode(
            {
                "f": "json",
                "bgs_commodity_trans": name,
                "bgs_statistic_type_trans": _STATISTIC,
                "limit": rows,
                "offset": len(features),
            }
        )
        document = await client.download(url, folder / f"{_slug(name)}-{len(features):06d}.json")
        page = _page(document.path.read_bytes(), url)
        if matched not in (None, page.matched):
            raise FetchFailed(
                f"pages disagree: {page.matched} figures of {name!r}, before {matched}",
                where=url,
                remedy=_AGAIN,
            )
        matched = page.matched
        whole = features_of(page)
        identities = [i if i is not None else f for i, f in zip(page.ids, whole, strict=True)]
        if seen.intersection(identities) or len(set(identities)) != len(identities):
            raise FetchFailed(f"a figure of {name!r} came twice", where=url, remedy=_AGAIN)
        seen.update(identities)
        strange = {str(f["bgs_commodity_trans"]) for f in page.features} - {name}
        if strange:
            raise FetchFailed(
                f"{min(strange)!r} came where {name!r} was asked for: the filter is not obeyed",
                where=url,
                remedy="the publisher's interface may have changed; see docs/sources/bgs_wms.md",
            )
        years.update(int(m[0]) for f in page.features if (m := re.match(r"\d{4}", str(f["year"]))))
        documents.append(document)
        features += whole
        if len(features) >= matched:
            break
        if not page.features or not page.has_next:
            raise FetchFailed(
                f"{len(features)} figures of {name!r} came where {matched} match",
                where=url,
                remedy=_AGAIN,
            )
    if len(features) != matched or not years:
        raise FetchFailed(
            f"{len(features)} figures of {name!r} came where {matched} match",
            where=f"{base}/items",
            remedy="if the publisher has renamed it, correct commodity__bgs_wms"
            if not features
            else _AGAIN,
        )
    return _Commodity(name, tuple(documents), tuple(features), max(years))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


# What is held


def _held_by_commodity(held: HeldEdition | None) -> dict[str, list[tuple[HeldDocument, Page]]]:
    """Pages that are held, by commodity; none where they cannot be read as such."""
    found: dict[str, list[tuple[HeldDocument, Page]]] = defaultdict(list)
    for document in held.documents if held else ():
        try:
            page = read_page(document.path.read_bytes() if document.path else b"", document.name)
            names = {str(f["bgs_commodity_trans"]) for f in page.features}
        except (OSError, DocumentUnreadable):
            return {}
        if len(names) != 1:
            return {}
        found[names.pop()].append((document, page))
    return dict(found)


def _digest_of_held(pages: Sequence[tuple[HeldDocument, Page]]) -> str:
    return _digest([f for _, page in pages for f in features_of(page)])


def _kept(
    commodity: _Commodity, before: Sequence[tuple[HeldDocument, Page]]
) -> tuple[FetchedDocument, ...]:
    """The held pages of a commodity that did not change, else the new ones."""
    if before and _digest_of_held(before) == commodity.digest:
        return tuple(document.again() for document, _ in before)
    return commodity.documents


def _digest(features: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(features)).encode()).hexdigest()


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
