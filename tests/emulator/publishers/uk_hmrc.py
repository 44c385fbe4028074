"""HM Revenue and Customs: the table OTS with synthetic figures.

World: ``newest`` month; ``page_rows`` of an answer; ``throttle``, how the next requests are turned
away, first to last: ``"text"`` (a sentence with status 200), a status, or None (it is answered).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.emulator.publishers._national import figure, is_traded, month_number, months_of

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

HOSTS = ("api.uktradeinfo.com",)
_URL = "https://api.uktradeinfo.com/OTS"

#: CountryId to alpha code, name, and whether it is in the EU.
COUNTRIES = {
    400: ("US", "United States", False),
    720: ("CN", "China", False),
    4: ("DE", "Germany", True),
}
PORTS = (11, 12)
_FIRST_YEAR = 2016
_SENTENCE = "The request was rejected because too many requests were made. Please try again later."


def routes(emulator: Emulator) -> list[Route]:
    """The table."""
    world: dict[str, Any] = emulator.world["uk_hmrc"]
    world |= {"newest": "2026-09", "page_rows": 40_000, "throttle": []}

    async def table(request: Request) -> Response:
        if world["throttle"]:
            kind = world["throttle"].pop(0)
            if kind == "text":
                return PlainTextResponse(_SENTENCE)
            if kind is not None:
                return HTMLResponse("<html><body>Ip Forbidden</body></html>", kind)
        query = dict(request.query_params)
        if "$orderby" in query:
            return PlainTextResponse("The query specified in the URI is not valid.", 400)
        wanted = query.get("$filter", "")
        codes = [int(c) for c in re.findall(r"CommodityId eq (\d+)", wanted)]
        bounds = {op: int(m) for op, m in re.findall(r"MonthId (ge|le|eq) (\d{6})", wanted)}
        low = bounds.get("eq", bounds.get("ge", 0))
        high = bounds.get("eq", bounds.get("le", 999912))
        rows = [
            row
            for code in codes or [28_461_000]
            for row in _rows(code, max(low, _FIRST_YEAR * 100), high, world["newest"])
        ]
        if query.get("$expand") != "Country":
            for row in rows:
                del row["Country"]
        skip, size = int(query.get("$skip", 0)), world["page_rows"]
        if "$top" in query:
            rows = rows[: int(query["$top"])]
        answer: dict[str, Any] = {
            "@odata.context": "https://api.uktradeinfo.com/$metadata#OTS",
            "value": rows[skip : skip + size],
        }
        if skip + size < len(rows):
            answer["@odata.nextLink"] = f"{_URL}?{urlencode(query | {'$skip': skip + size})}"
        return Response(json.dumps(answer), media_type="application/json;odata.metadata=minimal")

    return [Route("/OTS", table)]


def _rows(code: int, low: int, high: int, newest: str) -> list[dict[str, Any]]:
    found = []
    last = min(high, month_number(newest))
    for year in range(low // 100, last // 100 + 1):
        for month in months_of(year, newest):
            if not low <= year * 100 + month <= last:
                continue
            for country, (alpha, name, is_eu) in COUNTRIES.items():
                for flow in (1, 2) if is_eu else (3, 4):
                    if not is_traded("uk", code, year, country, flow):
                        continue
                    for port in PORTS:
                        key = (code, year, month, country, flow, port)
                        hidden = figure("hidden", *key, most=20) == 1
                        found.append(
                            {
                                "MonthId": year * 100 + month,
                                "FlowTypeId": flow,
                                "SuppressionIndex": 4 if hidden else 0,
                                "CommodityId": code,
                                "CommoditySitcId": 52_595,
                                "CountryId": country,
                                "PortId": port,
                                "Value": float(figure("value", *key)),
                                "NetMass": 0.0 if hidden else float(figure("mass", *key)),
                                "SuppUnit": 0.0,
                                "Country": {
                                    "CountryId": country,
                                    "CountryCodeNumeric": f"{country:03}",
                                    "CountryName": name,
                                    "CountryCodeAlpha": alpha,
                                },
                            }
                        )
    return found
