"""JSON in pages of at most twenty rows.

``world["toy_pages"]``: ``years`` (year to rows), ``updated``, ``left`` (requests, None for any).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

HOSTS = ("api.pages.example.org",)
_CAP = 20


def routes(emulator: Emulator) -> list[Route]:
    """The list of years, and their rows."""
    world = emulator.world["toy_pages"]
    world.setdefault("years", {2023: 30, 2024: 55})
    world.setdefault("left", None)
    world.setdefault("updated", "2026-01-31")

    def refusal() -> Response | None:
        if world["left"] is None:
            return None
        if world["left"] == 0:
            told = {"statusCode": 403, "message": "Out of call volume quota."}
            return JSONResponse(told, status_code=403)
        world["left"] -= 1
        return None

    async def years(request: Request) -> Response:
        listed = [{"year": y, "updated": world["updated"]} for y in world["years"]]
        return refusal() or JSONResponse({"years": listed})

    async def data(request: Request) -> Response:
        year = int(request.query_params["year"])
        offset = int(request.query_params["offset"])
        total = world["years"][year]
        rows = [
            {"place": f"Place {n}", "amount": year + n}
            for n in range(offset, min(offset + _CAP, total))
        ]
        told = {"note": "synthetic", "total": total, "offset": offset, "rows": rows}
        return refusal() or JSONResponse(told)

    return [Route("/v1/years", years), Route("/v1/data", data)]
