"""US Census Bureau: the international trade API with synthetic figures.

World: ``newest`` month (``2026-09``); ``not_served``, codes that give 204; ``missing``, countries
that the rows leave out although the total holds them; ``key_required``; ``key``, the only one that
is known (None for any); ``left``, requests that are answered before the quota is spent (None for no
end).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from tests.emulator.publishers._national import figure, is_traded, months_of

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

HOSTS = ("api.census.gov",)

COUNTRIES = {"1220": "CANADA", "4280": "GERMANY", "5700": "CHINA", "5880": "JAPAN"}
#: Groups by code, with their members.
GROUPS = {
    "0003": ("EUROPEAN UNION", ("4280",)),
    "0014": ("PACIFIC RIM COUNTRIES", ("5700", "5880")),
    "4XXX": ("EUROPE", ("4280",)),
    "5XXX": ("ASIA", ("5700", "5880")),
}
TOTAL = ("TOTAL FOR ALL COUNTRIES", tuple(COUNTRIES))
_VARIABLES = {
    "imports": {"I_COMMODITY", "GEN_VAL_MO", "CON_VAL_MO", "GEN_QY1_MO", "GEN_QY2_MO"},
    "exports": {"E_COMMODITY", "DF", "ALL_VAL_MO", "QTY_1_MO", "QTY_2_MO"},
}
_SHARED = {"CTY_CODE", "CTY_NAME", "SUMMARY_LVL", "UNIT_QY1", "UNIT_QY2", "COMM_LVL", "time"}
_RANGE = re.compile(r"from (\d{4})-(\d{2}) to (\d{4})-(\d{2})")


def routes(emulator: Emulator) -> list[Route]:
    """The two data sets, and the page that asks for a key."""
    world: dict[str, Any] = emulator.world["us_census"]
    world |= {"newest": "2026-09", "not_served": set(), "missing": set()}
    world |= {"key_required": False, "key": None, "left": None}

    async def dataset(request: Request) -> Response:
        shown = request.query_params.get("key")
        if world["key_required"] and shown is None:
            return RedirectResponse("https://api.census.gov/data/missing_key.html", 302)
        if shown is not None and world["key"] not in (None, shown):
            return RedirectResponse("https://api.census.gov/data/invalid_key.html", 302)
        if world["left"] is not None:
            if world["left"] == 0:
                return PlainTextResponse("You have exceeded your daily limit", 429)
            world["left"] -= 1
        flow = request.path_params["flow"]
        query = {k: v for k, v in request.query_params.items() if k != "key"}
        columns = query.pop("get").split(",")
        unknown = (set(columns) | set(query)) - _SHARED - _VARIABLES[flow]
        if unknown:
            return PlainTextResponse(f"error: error: unknown variable '{min(unknown)}'", 400)
        code = query["I_COMMODITY" if flow == "imports" else "E_COMMODITY"]
        if code in world["not_served"] or query["COMM_LVL"] != f"HS{len(code)}":
            return Response(status_code=204)
        first, _, last, _ = map(int, _RANGE.fullmatch(query["time"]).groups())  # type: ignore[union-attr]
        rows = [
            record
            for year in range(first, last + 1)
            for month in months_of(year, world["newest"])
            for record in _records(flow, code, year, month, world["missing"])
            if query.get("CTY_CODE") in (None, record["CTY_CODE"])
        ]
        if "DF" not in columns:
            rows = [r for r in rows if r.get("DF") in (None, "-")]
        if not rows:
            return Response(status_code=204)
        header = [*columns, *query]
        return JSONResponse([header, *([r[name] for name in header] for r in rows)])

    async def no_key(request: Request) -> Response:
        return HTMLResponse("<html><body>A valid key must be included.</body></html>")

    return [
        Route("/data/timeseries/intltrade/{flow:str}/hs", dataset),
        Route("/data/missing_key.html", no_key),
        Route("/data/invalid_key.html", no_key),
    ]


def _records(
    flow: str, code: str, year: int, month: int, missing: set[str]
) -> list[dict[str, str]]:
    """Rows of a month: countries, groups and the total."""
    found = []
    origins = ("1", "2") if flow == "exports" else ("",)
    traded = {c: is_traded(flow, code, year, c) for c in COUNTRIES}
    areas = {c: (name, (c,)) for c, name in COUNTRIES.items()} | GROUPS | {"-": TOTAL}
    for area, (name, members) in areas.items():
        partners = [c for c in members if traded[c]]
        if not partners or area in missing:
            continue
        for told in (*origins, "-") if flow == "exports" else origins:
            goods = origins if told == "-" else (told,)
            keys = [(flow, code, year, month, c, o) for c in partners for o in goods]
            value = str(sum(figure("value", *k) for k in keys))
            mass = str(sum(figure("mass", *k) for k in keys))
            is_group = len(members) > 1 or area in GROUPS
            found.append(
                {
                    "CTY_CODE": area,
                    "CTY_NAME": name,
                    "SUMMARY_LVL": "CGP" if is_group and area != "-" else "DET",
                    "COMM_LVL": f"HS{len(code)}",
                    "time": f"{year}-{month:02}",
                    "UNIT_QY1": "KG",
                    "UNIT_QY2": "-",
                    "I_COMMODITY": code,
                    "E_COMMODITY": code,
                    "GEN_VAL_MO": value,
                    "CON_VAL_MO": value,
                    "GEN_QY1_MO": mass,
                    "GEN_QY2_MO": "0",
                    "ALL_VAL_MO": value,
                    "QTY_1_MO": mass,
                    "QTY_2_MO": "0",
                }
                | ({"DF": told} if flow == "exports" else {})
            )
    return found
