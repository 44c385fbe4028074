"""USGS ScienceBase: items, their children and their files.

The catalogue of the U.S. Geological Survey answers in JSON:

* ``/catalog/items?parentId=..&max=..&offset=..&format=json``: ``total``, ``items`` and, where more
  follow, ``nextlink``;
* ``/catalog/item/<id>?format=json``: ``title``, ``dates``, ``identifiers`` and ``files``, each with
  ``name``, ``url``, ``size`` and ``checksum`` (``{"type": "MD5", "value": ...}``); files may also
  stand in ``facets``.

Seen as a stored answer: the listing of one parent, with ``total``, ``items``, ``id`` and ``title``.
Known only from the publisher's own client library and from other users: ``nextlink``, ``files``,
``facets``, ``checksum``, ``dates``, ``identifiers``, and that a listed file may be a dead link or
have no bytes. Nothing here was tried against the live service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pipelines.errors import FetchFailed
from pipelines.sources.http import Expected, PublisherClient
from pipelines.sources.redaction import redact

__all__ = ["BASE_URL", "ScienceBase", "ScienceBaseFile", "ScienceBaseItem"]

BASE_URL: Final = "https://www.sciencebase.gov/catalog"

_PAGE = 100
#: Far more than any parent holds; a listing that never ends is broken off.
_MOST_PAGES = 100
_ITEM_ID = re.compile(r"[0-9a-f]{24}")
_DOI = re.compile(r"\b10\.\d{4,9}/[^\s\"'<>,;]+")
_DIGEST_LENGTH = {"md5": 32, "sha256": 64}


@dataclass(frozen=True, slots=True)
class ScienceBaseFile:
    """A file of an item, as listed.

    :ivar size_bytes: None where the listing does not say.
    """

    name: str
    url: str
    size_bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None

    @property
    def expected(self) -> Expected:
        """What a download is compared with."""
        return Expected(size_bytes=self.size_bytes, md5=self.md5, sha256=self.sha256)


@dataclass(frozen=True, slots=True)
class ScienceBaseItem:
    """An item of the catalogue.

    :ivar dates: type of date, lower case (``publication``), to the days that are told in full.
    :ivar url: the page to cite.
    """

    item_id: str
    title: str
    url: str
    files: tuple[ScienceBaseFile, ...] = ()
    dates: Mapping[str, Sequence[date]] | None = None
    doi: str | None = None


class ScienceBase:
    """Reads the catalogue through a :class:`~pipelines.sources.http.PublisherClient`."""

    def __init__(self, client: PublisherClient, base_url: str = BASE_URL) -> None:
        self._client = client
        self._base = base_url.rstrip("/")

    async def children(self, parent_id: str, *, fields: Sequence[str]) -> list[ScienceBaseItem]:
        """All items below ``parent_id``, page by page, in the publisher's order.

        :param fields: what the listing is asked to contain (``title``, ``files``).
        :raises FetchFailed: a page could not be had, or the pages do not make up the total.
        """
        address = f"{self._base}/items"
        found: dict[str, ScienceBaseItem] = {}
        offset = 0
        for page in range(_MOST_PAGES):
            answer = await self._client.get_json(
                address,
                {
                    "parentId": parent_id,
                    "max": _PAGE,
                    "offset": offset,
                    "fields": ",".join(["id", *fields]),
                    "format": "json",
                },
            )
            where = f"{address}?parentId={parent_id}, page {page + 1}"
            listing = _mapping(answer, where)
            items = _sequence(listing.get("items"), where)
            # A page may be shorter than was asked for.
            offset += len(items)
            before = len(found)
            for entry in items:
                item = self._item(_mapping(entry, where), where)
                found[item.item_id] = item
            total = listing.get("total")
            is_short = isinstance(total, int) and len(found) < total
            if not is_short and not listing.get("nextlink"):
                return list(found.values())
            if len(found) == before:
                raise FetchFailed(
                    f"listing stops after {len(found)} of {total} items",
                    where=where,
                    remedy="run again later",
                )
        raise FetchFailed(
            f"listing has more than {_MOST_PAGES} pages", where=f"{address}?parentId={parent_id}"
        )

    async def item(self, item_id: str) -> ScienceBaseItem:
        """An item with its files.

        :raises FetchFailed: it could not be had, or is not an item.
        """
        address = f"{self._base}/item/{item_id}"
        answer = await self._client.get_json(address, {"format": "json"})
        return self._item(_mapping(answer, address), address)

    def _item(self, entry: Mapping[str, Any], where: str) -> ScienceBaseItem:
        item_id, title = entry.get("id"), entry.get("title")
        if not isinstance(item_id, str) or not _ITEM_ID.fullmatch(item_id):
            raise _changed(f"item id {str(item_id)[:40]!r} is not one of ScienceBase", where)
        if not isinstance(title, str) or not title.strip():
            raise _changed(f"item {item_id} has no title", where)
        return ScienceBaseItem(
            item_id=item_id,
            title=" ".join(title.split()),
            url=f"{self._base}/item/{item_id}",
            files=tuple(_files(entry, where)),
            dates=_dates(entry),
            doi=_doi(entry),
        )


def _changed(what: str, where: str) -> FetchFailed:
    return FetchFailed(
        what,
        where=redact(where),
        remedy="the publisher's interface may have changed; see docs/sources",
    )


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _changed(f"an object was expected, {type(value).__name__} came", where)
    return value


def _sequence(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise _changed(f"a list was expected, {type(value).__name__} came", where)
    return value


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    """The objects of an optional list."""
    if isinstance(value, list):
        yield from (v for v in value if isinstance(v, dict))


def _files(entry: Mapping[str, Any], where: str) -> Iterator[ScienceBaseFile]:
    seen: set[tuple[str, str]] = set()
    groups = [entry, *_objects(entry.get("facets"))]
    for listed in (f for group in groups for f in _objects(group.get("files"))):
        name = listed.get("name")
        url = listed.get("downloadUri") or listed.get("url")
        if not isinstance(name, str) or not isinstance(url, str) or not name or not url:
            raise _changed("a listed file has no name or no address", where)
        if (name, url) in seen:
            continue
        seen.add((name, url))
        size = listed.get("size")
        digests = _digests(listed.get("checksum"))
        yield ScienceBaseFile(
            name=name,
            url=url,
            size_bytes=size if isinstance(size, int) and size >= 0 else None,
            md5=digests.get("md5"),
            sha256=digests.get("sha256"),
        )


def _digests(checksum: object) -> dict[str, str]:
    if not isinstance(checksum, dict):
        return {}
    kind = str(checksum.get("type", "")).lower().replace("-", "")
    value = str(checksum.get("value", "")).lower()
    is_digest = len(value) == _DIGEST_LENGTH.get(kind) and re.fullmatch("[0-9a-f]+", value)
    return {kind: value} if is_digest else {}


def _dates(entry: Mapping[str, Any]) -> dict[str, list[date]]:
    dates: dict[str, list[date]] = {}
    for told in _objects(entry.get("dates")):
        kind, text = str(told.get("type", "")).lower(), str(told.get("dateString", ""))
        # A month or a year is not a day; nothing is made up.
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}(T.*)?", text):
            try:
                day = date.fromisoformat(text[:10])
            except ValueError:
                continue
            dates.setdefault(kind, []).append(day)
    return dates


def _doi(entry: Mapping[str, Any]) -> str | None:
    texts = [i.get("key") for i in _objects(entry.get("identifiers"))]
    texts += [w.get("uri") for w in _objects(entry.get("webLinks"))]
    texts.append(entry.get("citation"))
    for text in texts:
        match = _DOI.search(text) if isinstance(text, str) else None
        if match:
            return match[0].rstrip(".)]}")
    return None
