"""The Geological Survey's page of rare-earth statistics and its file server (Amazon S3).

The yearbook's workbook is the starter's; that of Data Series 140, which the starter does not hold,
has invented figures and says so. ``world["usgs_myb"]`` holds

* ``files``: name of a workbook to its bytes; a test adds one to make an edition appear;
* ``has_page``: whether the page can be had.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from pipelines.sources.usgs_myb.fetch import FILES_URL
from starter.writers.spreadsheet import Cell, write_workbook
from tests.emulator.files import file_response

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

_FILE_HOST, _FOLDER = FILES_URL.removeprefix("https://").split("/", 1)
_PAGE_HOST = "www.usgs.gov"
_PAGE = "/centers/national-minerals-information-center/rare-earths-statistics-and-information"
HOSTS = (_FILE_HOST, _PAGE_HOST)

_MODIFIED = "Wed, 19 Mar 2025 14:00:00 GMT"
_DENIED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
)
_SERIES = ("Production", "Imports", "Exports", "Apparent consumption", "World production")


def routes(emulator: Emulator) -> list[Route]:
    """The page that links to the workbooks, and the workbooks."""
    world: dict[str, Any] = emulator.world["usgs_myb"]
    files = {
        p.name: p.read_bytes() for p in sorted((emulator.starter / "usgs_myb").glob("*/*.xlsx"))
    }
    files["ds140-rare-earths-2020.xlsx"] = _historical()
    world.setdefault("files", files)
    world.setdefault("has_page", True)

    async def page(request: Request) -> Response:
        if not world["has_page"]:
            return HTMLResponse("<h1>Not found</h1>", status_code=404)
        links = "".join(f'<a href="{FILES_URL}/{n}">XLSX</a>' for n in world["files"])
        other = (
            '<a href="https://pubs.usgs.gov/periodicals/mcs2026/mcs2026-rare-earths.pdf">PDF</a>'
        )
        return HTMLResponse(f"<!DOCTYPE html><html><body>{links}{other}</body></html>")

    async def file(request: Request) -> Response:
        content = world["files"].get(request.path_params["name"])
        if content is None:
            return Response(_DENIED, status_code=403, media_type="application/xml")
        return file_response(request, content, last_modified=_MODIFIED)

    return [Route(_PAGE, page), Route(f"/{_FOLDER}/{{name}}", file)]


def _historical() -> bytes:
    """Data Series 140 in its layout, with invented figures."""
    rows: list[list[Cell]] = [
        ["RARE EARTHS STATISTICS (synthetic figures)"],
        ["[All quantities in metric tons (t) rare-earth oxide equivalent unless otherwise noted]"],
        ["Synthetic: invented for tests"],
        [None],
        ["Year", *_SERIES],
        *([year, 100 + year % 7, "NA", 10, "W", 1_000 + year % 11] for year in range(1990, 2021)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ds140.xlsx"
        write_workbook(path, {"Rare earths": rows})
        return path.read_bytes()
