"""ScienceBase: the list of data releases among others of the same parent, items, and files.

The listing is cut into pages with ``nextlink``, and an entry has the fields that were asked for and
no others, as the stored answer of the publisher has. ``world["usgs_mcs"]`` holds

* ``longest_page``: entries to which a page is cut, whatever is asked for;
* ``titles``: item id to a title in place of its own, so that a new version appears;
* ``files``: item id to its files, name to bytes.
"""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Any

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.catalog import load_catalog
from pipelines.sources.usgs_mcs.fetch import PARENT_ID
from tests.emulator.files import file_response

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

HOSTS = ("www.sciencebase.gov",)
_BASE = "https://www.sciencebase.gov/catalog"
_LONGEST_PAGE = 100
_USUAL_PAGE = 20
#: Items of the same parent that are no data release of the summaries.
_OTHERS = {
    f"{number:024x}": f"{title} (synthetic)"
    for number, title in enumerate(
        (
            "Mineral facilities of a continent, geospatial data",
            "Minerals Yearbook, volume III, country chapters, table 1",
            "World minerals outlook data",
        ),
        start=1,
    )
}
_MONTHS = {3: "March", 4: "April"}


def routes(emulator: Emulator) -> list[Route]:
    """The listing below the parent, one item a release, and the starter's files."""
    source = load_catalog().source("usgs_mcs")
    world: dict[str, Any] = emulator.world["usgs_mcs"]
    releases: dict[str, dict[str, Any]] = {}
    files: dict[str, dict[str, bytes]] = {}
    for sheet in sorted((emulator.starter / "usgs_mcs").glob("*/edition.yml")):
        told = yaml.safe_load(sheet.read_text(encoding="utf-8"))
        known = source.known(told["label"])
        assert known is not None
        assert known.item_id is not None
        releases[known.item_id] = told | {"doi": known.doi}
        files[known.item_id] = {
            p.name: p.read_bytes() for p in sorted(sheet.parent.iterdir()) if p.name != sheet.name
        }
    world.setdefault("longest_page", _LONGEST_PAGE)
    world.setdefault("titles", {})
    world.setdefault("files", files)

    def title(item_id: str) -> str:
        if item_id in world["titles"]:
            return str(world["titles"][item_id])
        return _OTHERS.get(item_id) or _title(releases[item_id])

    def item(item_id: str) -> dict[str, object]:
        about: dict[str, object] = {
            "link": {"rel": "self", "url": f"{_BASE}/item/{item_id}"},
            "id": item_id,
            "title": title(item_id),
            "parentId": PARENT_ID,
        }
        if item_id not in releases:
            return about
        told = releases[item_id]
        addresses = {n: f"{_BASE}/file/get/{item_id}?name={n}" for n in world["files"][item_id]}
        return about | {
            "identifiers": [{"type": "DOI", "scheme": "https://doi.org", "key": told["doi"]}],
            "dates": [{"type": "Publication", "dateString": str(told["published"])}],
            "files": [
                {
                    "name": name,
                    "size": len(content),
                    "checksum": {"value": hashlib.md5(content).hexdigest(), "type": "MD5"},  # noqa: S324
                    "url": addresses[name],
                    "downloadUri": addresses[name],
                }
                for name, content in world["files"][item_id].items()
            ],
        }

    async def listing(request: Request) -> Response:
        query = request.query_params
        ids = sorted({*_OTHERS, *releases}) if query.get("parentId") == PARENT_ID else []
        start = int(query.get("offset", 0))
        length = min(int(query.get("max", _USUAL_PAGE)), world["longest_page"])
        wanted = {"id", *query.get("fields", "title,link").split(",")}
        page = [{k: v for k, v in item(i).items() if k in wanted} for i in ids]
        answer: dict[str, object] = {"total": len(ids), "items": page[start : start + length]}
        if start + length < len(ids):
            rest = request.url.include_query_params(offset=start + length, max=length).query
            answer["nextlink"] = {"rel": "next", "url": f"{_BASE}/items?{rest}"}
        return JSONResponse(answer)

    async def one(request: Request) -> Response:
        item_id = request.path_params["item_id"]
        if item_id not in releases and item_id not in _OTHERS:
            return Response("no such item", status_code=404, media_type="text/plain")
        return JSONResponse(item(item_id))

    async def file(request: Request) -> Response:
        held = world["files"].get(request.path_params["item_id"], {})
        name = request.query_params.get("name")
        if name not in held:
            return Response("no such file", status_code=404, media_type="text/plain")
        return file_response(request, held[name])

    return [
        Route("/catalog/items", listing),
        Route("/catalog/item/{item_id}", one),
        Route("/catalog/file/get/{item_id}", file),
    ]


def _title(told: dict[str, Any]) -> str:
    """As the publisher words it: from 2026 on without its own name before it."""
    name = "" if told["label"] >= "2026" else "U.S. Geological Survey "
    whole = f"{name}Mineral Commodity Summaries {told['label']} Data Release"
    if told.get("version") in (None, "1.0"):
        return whole
    day = date.fromisoformat(str(told["published"]))
    return f"{whole} (ver. {told['version']}, {_MONTHS[day.month]} {day.year})"
