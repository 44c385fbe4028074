"""A zip and a gzip a year; a download is redirected to a store, as object stores are used."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.emulator.files import file_response

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

HOSTS = ("files.example.org", "store.example.org")


def _table(year: int, rows: int) -> bytes:
    lines = [f"Place {n},{year + n}" for n in range(rows)]
    return "\n".join(["place,amount", *lines]).encode()


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def routes(emulator: Emulator) -> list[Route]:
    """The list of files, the door to the store, and the store."""
    world = emulator.world["toy_files"]
    years = world.setdefault("years", {2023: 25, 2024: 60})

    def files(year: int) -> dict[str, bytes]:
        table = _table(year, years[year])
        return {
            f"large_{year}.zip": _zip(f"large_{year}.csv", table),
            f"small_{year}.csv.gz": gzip.compress(_table(year, 5), mtime=0),
        }

    async def listing(request: Request) -> Response:
        items = [
            {
                "year": year,
                "files": [
                    {"name": name, "url": f"https://files.example.org/get/{year}/{name}"}
                    for name in files(year)
                ],
            }
            for year in years
        ]
        return JSONResponse({"note": "synthetic", "total": len(items), "items": items})

    async def door(request: Request) -> Response:
        # The store's address repeats what was asked, parameters included.
        path = request.url.path.rpartition("/get/")[2]
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"https://store.example.org/{path}{query}", status_code=302)

    async def store(request: Request) -> Response:
        year, name = int(request.path_params["year"]), request.path_params["name"]
        return file_response(request, files(year)[name])

    return [
        Route("/list", listing),
        Route("/get/{year:int}/{name}", door),
        Route("/{year:int}/{name}", store),
    ]
