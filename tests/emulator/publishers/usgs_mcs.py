"""ScienceBase: the list of data releases, their items, their files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

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


def routes(emulator: Emulator) -> list[Route]:
    """The listing below the parent, one item a release, and the starter's files."""
    source = load_catalog().source("usgs_mcs")
    folder = emulator.starter / "usgs_mcs"
    releases = {}
    for sheet in sorted(folder.glob("*/edition.yml")):
        told = yaml.safe_load(sheet.read_text(encoding="utf-8"))
        known = source.known(told["label"])
        assert known is not None
        assert known.item_id is not None
        files = {
            p.name: p.read_bytes() for p in sorted(sheet.parent.iterdir()) if p.name != sheet.name
        }
        releases[known.item_id] = (told, files)

    def item(item_id: str) -> dict[str, object]:
        told, files = releases[item_id]
        version = f" (ver. {told['version']})" if told.get("version") not in (None, "1.0") else ""
        return {
            "id": item_id,
            "title": f"Mineral Commodity Summaries {told['label']} Data Release{version}",
            "link": {"rel": "self", "url": f"{_BASE}/item/{item_id}"},
            "files": [
                {
                    "name": name,
                    "size": len(content),
                    "checksum": {"value": hashlib.md5(content).hexdigest(), "type": "MD5"},  # noqa: S324
                    "downloadUri": f"{_BASE}/file/get/{item_id}?name={name}",
                    "url": f"{_BASE}/file/get/{item_id}?name={name}",
                }
                for name, content in files.items()
            ],
        }

    async def listing(request: Request) -> Response:
        wanted = request.query_params.get("parentId")
        items = [item(i) for i in releases] if wanted == PARENT_ID else []
        rows = [{k: i[k] for k in ("id", "title", "link")} for i in items]
        return JSONResponse({"total": len(rows), "items": rows})

    async def one(request: Request) -> Response:
        item_id = request.path_params["item_id"]
        if item_id not in releases:
            return Response("no such item", status_code=404, media_type="text/plain")
        return JSONResponse(item(item_id))

    async def file(request: Request) -> Response:
        _, files = releases[request.path_params["item_id"]]
        return file_response(request, files[request.query_params["name"]])

    return [
        Route("/catalog/items", listing),
        Route("/catalog/item/{item_id}", one),
        Route("/catalog/file/get/{item_id}", file),
    ]
