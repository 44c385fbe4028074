"""CEPII: the page of BACI with its links, and one zip a revision.

The starter holds a revision in several zips by years; here it is one, as the publisher offers it.
``world["cepii_baci"]`` holds

* ``files``: name of a zip to a file on the disk, offered beside the starter's;
* ``cut_after``: name of a zip to bytes after which the next answer with it breaks off, once.
"""

from __future__ import annotations

import io
import re
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.emulator.files import file_response, path_response

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

HOSTS = ("www.cepii.fr",)

_BASE = "/DATA_DOWNLOAD/baci"
_MODIFIED = "Thu, 22 Jan 2026 09:30:00 GMT"


def routes(emulator: Emulator) -> list[Route]:
    """The page, and the zips."""
    world: dict[str, Any] = emulator.world["cepii_baci"]
    world.setdefault("files", {})
    world.setdefault("cut_after", {})
    folder = emulator.starter / "cepii_baci"
    packed = {_zip_name(p): p for p in sorted(folder.iterdir()) if p.is_dir()}

    @cache
    def content(name: str) -> bytes:
        return _joined(packed[name])

    async def page(request: Request) -> Response:
        names = sorted({*packed, *world["files"]})
        links = "".join(f'<li><a href="../data/{n}">{n}</a></li>' for n in names)
        return HTMLResponse(f"<!DOCTYPE html><html><body><ul>{links}</ul></body></html>")

    async def data(request: Request) -> Response:
        name = request.path_params["name"]
        if name in world["files"]:
            cut = world["cut_after"].pop(name, None) if request.method == "GET" else None
            path: Path = world["files"][name]
            return path_response(
                request,
                path,
                media_type="application/zip",
                last_modified=_MODIFIED,
                cut_after=cut,
            )
        if name not in packed:
            return HTMLResponse("<h1>404 Not Found</h1>", status_code=404)
        return file_response(
            request, content(name), media_type="application/zip", last_modified=_MODIFIED
        )

    return [
        Route(f"{_BASE}/doc/baci_webpage.html", page),
        Route(f"{_BASE}/data/{{name}}", data),
    ]


def _zip_name(folder: Path) -> str:
    """``HS92-V202601`` -> ``BACI_HS92_V202601.zip``."""
    return f"BACI_{folder.name.replace('-', '_')}.zip"


def _joined(folder: Path) -> bytes:
    """The zips of a folder as one: every year file and code list once."""
    members: dict[str, bytes] = {}
    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                members.setdefault(re.split(r"[\\/]", info.filename)[-1], archive.read(info))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as whole:
        for name, body in members.items():
            whole.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
