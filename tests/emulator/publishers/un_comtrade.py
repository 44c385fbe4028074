"""UN Comtrade: the list of data sets, keyed and keyless answers, cut without a word at the cap.

All figures are generated from what they describe and mean nothing: ``cmdDesc`` says so where texts
are asked for (``includeDesc``). Quotas, keys and limits are worded as users of the real interface
quote them.

``world["un_comtrade"]`` holds

``key``          the key that is good; None admits any
``quota``        data answers left today; None for no end
``cap``          rows of a keyed answer
``preview_cap``  rows of a keyless one
``list_cap``     rows of a list of data sets
``versions``     (frequency, reporter, period) -> version: another one changes checksum and figures
``checksums``    (frequency, reporter, period) -> checksum, where it changes and the figures do not
``silent``       reporters of whom nothing is published yet
``instead``      responses that are given to the next data requests in place of the answer
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

HOSTS = ("comtradeapi.un.org",)

#: Reporter: how many of the partners it trades with, and whether it reports by month.
REPORTERS = {
    "36": (6, False),
    "56": (4, False),
    "156": (9, True),
    "276": (7, True),
    "392": (8, True),
    "410": (7, False),
    "842": (9, True),
}
NAMES = {
    "0": ("W00", "World"),
    "36": ("AUS", "Australia"),
    "56": ("BEL", "Belgium"),
    "156": ("CHN", "China"),
    "152": ("CHL", "Chile"),
    "180": ("COD", "Dem. Rep. of the Congo"),
    "276": ("DEU", "Germany"),
    "392": ("JPN", "Japan"),
    "410": ("KOR", "Rep. of Korea"),
    "458": ("MYS", "Malaysia"),
    "490": ("S19", "Other Asia, nes"),
    "842": ("USA", "USA"),
}
PARTNERS = tuple(code for code in NAMES if code != "0")
CODES = ("253090", "280530", "282520", "284610", "284690", "810520", "850511", "850760")
FLOWS = ("M", "X", "RX")
FIRST_YEAR = 2015
#: Records of all codes for each record of the codes that are served: what a share of them is.
_RECORDS_PER_ROW = 6_900 // 140
_FREIGHT = 1.06


def routes(emulator: Emulator) -> list[Route]:
    """The interface below ``comtradeapi.un.org``."""
    world = emulator.world["un_comtrade"]
    defaults: dict[str, object] = {
        "key": None,
        "quota": None,
        "cap": 100_000,
        "preview_cap": 500,
        "list_cap": 100_000,
        "versions": {},
        "checksums": {},
        "silent": set(),
        "instead": [],
    }
    for name, value in defaults.items():
        world.setdefault(name, value)

    async def listing(request: Request) -> Response:
        frequency = request.path_params["frequency"]
        wanted = _values(request, "period")
        rows = [
            _data_set(world, frequency, reporter, period)
            for reporter, period in _published(emulator, frequency)
            if wanted is None or period in wanted
        ]
        return _answer(rows[: world["list_cap"]])  # type: ignore[misc]

    async def data(request: Request) -> Response:
        shown = request.headers.get("ocp-apim-subscription-key") or request.query_params.get(
            "subscription-key"
        )
        if not shown:
            return _refusal(401, _NO_KEY)
        if world["key"] not in (None, shown):
            return _refusal(401, _WRONG_KEY)
        return rows_of(request, world["cap"])

    async def preview(request: Request) -> Response:
        return rows_of(request, world["preview_cap"])

    def rows_of(request: Request, cap: Any) -> Response:
        instead: Any = world["instead"]
        if instead:
            given = instead.pop(0)
            if given is not None:
                return given  # type: ignore[no-any-return]
        quota: Any = world["quota"]
        if quota is not None:
            if quota <= 0:
                return _refusal(403, _NO_QUOTA)
            world["quota"] = quota - 1
        periods = _values(request, "period") or set()
        if not 0 < len(periods) <= 12:
            return JSONResponse(
                {"errorObject": {"errorMessage": "Invalid period: 1 to 12 are allowed."}}
            )
        limit = min(cap, int(request.query_params.get("maxRecords", cap)))
        return _answer(list(_rows(emulator, request))[:limit])

    return [
        Route("/public/v1/getDA/C/{frequency}/HS", listing),
        Route("/data/v1/get/C/{frequency}/HS", data),
        Route("/public/v1/preview/C/{frequency}/HS", preview),
    ]


_NO_KEY = (
    "Access denied due to missing subscription key. Make sure to include subscription key when "
    "making requests to an API."
)
_WRONG_KEY = (
    "Access denied due to invalid subscription key. Make sure to provide a valid key for an "
    "active subscription."
)
_NO_QUOTA = "Out of call volume quota. Quota will be replenished in 10:11:12."


def too_fast(seconds: int, *, says_when: bool = True) -> Response:
    """What is answered to who asks too fast."""
    said = f"Rate limit is exceeded. Try again in {seconds} seconds."
    headers = {"Retry-After": str(seconds)} if says_when else {}
    return JSONResponse({"statusCode": 429, "message": said}, status_code=429, headers=headers)


def _refusal(status: int, said: str) -> Response:
    return JSONResponse({"statusCode": status, "message": said}, status_code=status)


def _answer(rows: list[dict[str, Any]]) -> Response:
    # The time it took is another one each time, as at the publisher.
    took = f"0.{time.monotonic_ns() % 100:02d} secs"
    return JSONResponse({"elapsedTime": took, "count": len(rows), "data": rows, "error": ""})


def _values(request: Request, name: str) -> set[str] | None:
    """The codes of a list; None where all are meant."""
    told = request.query_params.get(name)
    return set(told.split(",")) if told else None


def _published(emulator: Emulator, frequency: str) -> Iterator[tuple[str, str]]:
    """Reporters and periods: annual data after the year, monthly ones two months after."""
    silent: Any = emulator.world["un_comtrade"]["silent"]
    today = emulator.today
    for reporter, (_, is_monthly) in REPORTERS.items():
        if reporter in silent:
            continue
        for year in range(FIRST_YEAR, today.year + 1):
            if frequency == "A":
                if year < today.year:
                    yield reporter, str(year)
                continue
            for month in range(1, 13):
                if is_monthly and (year, month) < (today.year, today.month - 1):
                    yield reporter, f"{year}{month:02d}"


def _seed(*parts: object) -> int:
    return zlib.crc32("|".join(map(str, parts)).encode())


def _version(world: dict[str, Any], frequency: str, reporter: str, period: str) -> int:
    return int(world["versions"].get((frequency, reporter, period), 0))


def _data_set(world: dict[str, Any], frequency: str, reporter: str, period: str) -> dict[str, Any]:
    version = _version(world, frequency, reporter, period)
    cell = (frequency, reporter, period)
    checksum = world["checksums"].get(cell, _seed("checksum", *cell, version) - 2**31)
    rows = sum(1 for _ in _cell(world, frequency, reporter, period, flows=FLOWS, codes=CODES))
    year, month = int(period[:4]), int(period[4:] or 1)
    released = f"{year + 1}-{month:02d}-{10 + version:02d}T00:00:00"
    code = f"{year}{month:02d}01" if frequency == "A" else f"{period}01"
    return {
        "datasetCode": int(f"20{int(reporter):03d}{code}2100"),
        "typeCode": "C",
        "freqCode": frequency,
        "period": int(period),
        "reporterCode": int(reporter),
        "reporterISO": NAMES[reporter][0],
        "reporterDesc": NAMES[reporter][1],
        "classificationCode": "H6" if year >= 2022 else "H5",
        "classificationSearchCode": "HS",
        "isOriginalClassification": True,
        "isExtendedFlowCode": False,
        "isExtendedPartnerCode": False,
        "isExtendedPartner2Code": False,
        "isExtendedCmdCode": False,
        "isExtendedCustomsCode": False,
        "isExtendedMotCode": False,
        "totalRecords": rows * _RECORDS_PER_ROW,
        "datasetChecksum": checksum,
        "firstReleased": f"{year + 1}-{month:02d}-10T00:00:00",
        "lastReleased": released,
    }


def _rows(emulator: Emulator, request: Request) -> Iterator[dict[str, Any]]:
    world = emulator.world["un_comtrade"]
    frequency = request.path_params["frequency"]
    reporters, periods = _values(request, "reporterCode"), _values(request, "period")
    codes, flows = _values(request, "cmdCode"), _values(request, "flowCode")
    partners = _values(request, "partnerCode")
    has_texts = request.query_params.get("includeDesc", "").lower() == "true"
    # What is left open comes broken down beside its total.
    transports = ("0",) if _values(request, "motCode") == {"0"} else ("0", "2100")
    for reporter, period in _published(emulator, frequency):
        if not (
            (reporters is None or reporter in reporters) and (periods is None or period in periods)
        ):
            continue
        for flow, code, partner, value in _cell(
            world,
            frequency,
            reporter,
            period,
            flows=[f for f in FLOWS if flows is None or f in flows],
            codes=[c for c in CODES if codes is None or c in codes],
        ):
            if partners is not None and partner not in partners:
                continue
            for transport in transports:
                yield _row(
                    (frequency, period, reporter),
                    flow=flow,
                    partner=partner,
                    code=code,
                    transport=transport,
                    value=value,
                    has_texts=has_texts,
                )


def _cell(
    world: dict[str, Any],
    frequency: str,
    reporter: str,
    period: str,
    *,
    flows: Iterable[str],
    codes: Iterable[str],
) -> Iterator[tuple[str, str, str, float]]:
    """Flow, code, partner and value; the world is the sum of the partners."""
    version = _version(world, frequency, reporter, period)
    known = [p for p in PARTNERS if p != reporter][: REPORTERS[reporter][0]]
    for flow in flows:
        for code in codes:
            if flow == "RX" and code[:2] != "85":
                continue
            values = {
                # One figure of a shipment, whoever reports it; exporters tell a little less.
                partner: round(
                    1000.0
                    + _seed(code, period, *sorted((reporter, partner)), version) % 900_000
                    + (0 if flow == "M" else -100),
                    3,
                )
                for partner in known
            }
            yield flow, code, "0", round(sum(values.values()), 3)
            for partner, value in values.items():
                yield flow, code, partner, value


def _row(
    cell: tuple[str, str, str],
    *,
    flow: str,
    partner: str,
    code: str,
    transport: str,
    value: float,
    has_texts: bool,
) -> dict[str, Any]:
    """The 47 fields of a row, in the publisher's order and types."""
    frequency, period, reporter = cell
    year, month = int(period[:4]), int(period[4:] or 52)

    def text(words: str | None) -> str | None:
        return words if has_texts else None

    weight = round(value / 40, 2)
    is_import = flow == "M"
    return {
        "typeCode": "C",
        "freqCode": frequency,
        "refPeriodId": int(f"{year}{month if frequency == 'M' else 1:02d}01"),
        "refYear": year,
        "refMonth": month,
        "period": period,
        "reporterCode": int(reporter),
        "reporterISO": text(NAMES[reporter][0]),
        "reporterDesc": text(NAMES[reporter][1]),
        "flowCode": flow,
        "flowDesc": text({"M": "Import", "X": "Export", "RX": "Re-export"}[flow]),
        "partnerCode": int(partner),
        "partnerISO": text(NAMES[partner][0]),
        "partnerDesc": text(NAMES[partner][1]),
        "partner2Code": 0,
        "partner2ISO": text("W00"),
        "partner2Desc": text("World"),
        "classificationCode": "H6" if year >= 2022 else "H5",
        "classificationSearchCode": "HS",
        "isOriginalClassification": True,
        "cmdCode": code,
        "cmdDesc": text("synthetic, no figure of anybody's"),
        "aggrLevel": 6,
        "isLeaf": True,
        "customsCode": "C00",
        "customsDesc": text("TOTAL CPC"),
        "mosCode": "0",
        "motCode": int(transport),
        "motDesc": text("TOTAL MOT" if transport == "0" else "Sea"),
        "qtyUnitCode": 8,
        "qtyUnitAbbr": text("kg"),
        "qty": weight,
        "isQtyEstimated": False,
        "altQtyUnitCode": -1,
        "altQtyUnitAbbr": text("N/A"),
        "altQty": 0.0,
        "isAltQtyEstimated": False,
        "netWgt": weight,
        "isNetWgtEstimated": False,
        "grossWgt": 0.0,
        "isGrossWgtEstimated": False,
        "cifvalue": round(value * _FREIGHT, 3) if is_import else None,
        "fobvalue": None if is_import else value,
        "primaryValue": round(value * _FREIGHT, 3) if is_import else value,
        "legacyEstimationFlag": 0,
        "isReported": partner != "0",
        "isAggregate": partner == "0",
    }
