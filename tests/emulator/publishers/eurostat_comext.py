"""Eurostat's dissemination interface: Comext in SDMX-CSV, and the bulk files.

All figures are synthetic: they follow from the letters and digits of their key, and are small. The
forms are those that public clients show: an estimate of cells that is refused with 413 and a SOAP
fault, a fault of code 100 where nothing is found, a bulk listing in CSV, files behind a redirect.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING

import py7zr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.emulator.files import file_response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulator.app import Emulator

HOSTS = ("ec.europa.eu",)
HEADER = (
    "DATAFLOW,LAST UPDATE,freq,reporter,partner,product,flow,indicators,TIME_PERIOD,OBS_VALUE,"
    "OBS_FLAG"
)
BULK_HEADER = (
    "REPORTER,PARTNER,TRADE_TYPE,PRODUCT_NC,PRODUCT_SITC,PRODUCT_CPA21,PRODUCT_BEC,PRODUCT_BEC5,"
    "PRODUCT_SECTION,FLOW,TRANSPORT_MODE,STAT_PROCEDURE,SUPPL_UNIT,PERIOD,VALUE_EUR,VALUE_NAC,"
    "QUANTITY_KG,QUANTITY_SUPPL_UNIT"
)
PARTNERS = ("CN", "GB", "QZ", "US", "XU", "WORLD", "EXT_EU27_2020")
_ALL_PARTNERS = 300
_FOLDER = "comext/COMEXT_DATA/PRODUCTS"
#: Chapters and headings that have codes.
_TRADED = ("2504", "2805", "2825", "2846", "8105", "8505")
_FAULT = (
    "<?xml version='1.0' encoding='UTF-8'?>"
    '<S:Fault xmlns:S="http://schemas.xmlsoap.org/soap/envelope/">'
    "<faultcode>{code}</faultcode><faultstring>{text}</faultstring></S:Fault>"
)
_LATER = (
    '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>'
    "<ns0:syncResponse><queued><id>00000000-0000-0000-0000-000000000000</id>"
    "<status>SUBMITTED</status></queued></ns0:syncResponse></env:Body></env:Envelope>"
)


def _figure(*key: str) -> int:
    return 1 + zlib.crc32("|".join(key).encode()) % 97


def _months(first: str, last: str, newest: str) -> Iterator[str]:
    year, month = (int(n) for n in first.split("-"))
    while (told := f"{year}-{month:02d}") <= min(last, newest):
        yield told
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def routes(emulator: Emulator) -> list[Route]:
    """The data set, and the bulk files.

    ``world["eurostat_comext"]``: ``last_update`` as it is written; ``newest`` month; ``cap`` of
    cells; ``later``, cells above which the answer is made later, said with ``later_status``;
    ``revised``, years whose figures grew; ``one_in``, of how many pairs of reporter and code one
    is traded.
    """
    world = emulator.world["eurostat_comext"]
    world.setdefault("last_update", "15/11/26 11:00:00")
    world.setdefault("newest", "2026-09")
    world.setdefault("cap", 5_000_000)
    world.setdefault("later", None)
    world.setdefault("later_status", 200)
    world.setdefault("revised", [])
    world.setdefault("one_in", 16)

    def is_traded(reporter: str, code: str) -> bool:
        if not code.startswith(_TRADED):
            return False
        return zlib.crc32(f"{reporter} {code}".encode()) % int(str(world["one_in"])) == 0

    def value(*key: str) -> int:
        year = key[-1][:4]
        return _figure(*key) + (1 if year in list(world["revised"]) else 0)  # type: ignore[call-overload]

    async def data(request: Request) -> Response:
        freq, reporters, partners, codes, flows, indicators = (
            position.split("+") if position else []
            for position in request.path_params["key"].split(".")
        )
        asked = request.query_params
        first, last = asked["startPeriod"], asked["endPeriod"]
        months = list(_months(first, last, last))
        cells = (
            len(reporters) * (len(partners) or _ALL_PARTNERS) * len(codes) * len(flows)
            * len(indicators) * len(months)
        )  # fmt: skip
        if cells > int(str(world["cap"])):
            text = (
                f"EXTRACTION_TOO_BIG: The requested extraction is too big, estimated {cells} rows, "
                f"max authorised is {world['cap']}, please change your filters to reduce the "
                "extraction size"
            )
            return Response(_FAULT.format(code=413, text=text), 413, media_type="text/xml")
        if world["later"] is not None and cells > int(str(world["later"])):
            return Response(_LATER, int(str(world["later_status"])), media_type="text/xml")
        rows = []
        for reporter in reporters:
            for partner in partners or PARTNERS:
                for code in (c for c in codes if is_traded(reporter, c)):
                    for flow in flows:
                        for indicator in indicators:
                            for month in _months(first, last, str(world["newest"])):
                                figure: object = value(reporter, partner, code, flow, month)
                                flag = ""
                                if indicator == "QUANTITY_IN_100KG":
                                    figure = f"{int(str(figure)) / 10:.2f}"
                                elif indicator == "SUPPLEMENTARY_QUANTITY":
                                    figure = 0
                                if partner == "QZ":
                                    flag = "c"
                                rows.append(
                                    f"ESTAT:{request.path_params['flow']}(1.0),"
                                    f"{world['last_update']},{freq[0]},{reporter},{partner},{code},"
                                    f"{flow},{indicator},{month},{figure},{flag}"
                                )
        if not rows:
            text = "NO_RESULTS: The query did not return any results."
            return Response(_FAULT.format(code=100, text=text), 404, media_type="text/xml")
        return PlainTextResponse(
            "\r\n".join([HEADER, *rows, ""]), media_type="application/vnd.sdmx.data+csv"
        )

    async def files(request: Request) -> Response:
        wanted = request.query_params.get("file")
        if wanted:
            name = wanted.rsplit("/", 1)[-1]
            return RedirectResponse(
                f"https://ec.europa.eu/eurostat/api/dissemination/content/{name}", status_code=302
            )
        if request.query_params.get("dir") != _FOLDER:
            return Response("no such folder", status_code=404, media_type="text/plain")
        lines = ["NAME,SIZE,TYPE,LAST_MODIFIED"]
        for month in ("202401", "202402", "202452"):
            name = f"full_v2_{month}.7z"
            lines.append(f"{name},{len(bulk_file(month))},7z,2026-09-15T11:00:00")
        lines.append("full_partxixu_v2_202401.7z,10,7z,2026-09-15T11:00:00")
        return PlainTextResponse("\n".join(lines), media_type="text/csv")

    async def content(request: Request) -> Response:
        month = request.path_params["name"].removeprefix("full_v2_").removesuffix(".7z")
        return file_response(request, bulk_file(month), media_type="application/x-7z-compressed")

    return [
        Route("/eurostat/api/comext/dissemination/sdmx/2.1/data/{flow}/{key}", data),
        Route("/eurostat/api/dissemination/files", files),
        Route("/eurostat/api/dissemination/content/{name}", content),
    ]


_PACKED: dict[str, bytes] = {}


def bulk_table(month: str) -> str:
    """A month of all codes: two modes of transport a flow, and a row that is kept back."""
    rows = [BULK_HEADER]
    for reporter in ("DE", "FR"):
        for code in ("28053010", "850511XX", "99999999"):
            for flow in ("1", "2"):
                for mode in ("1", "4"):
                    figure = _figure(reporter, code, flow, mode, month)
                    rows.append(
                        f"{reporter},CN,E,{code},52599,201340,22,121,06,{flow},{mode},1,NO_SU,"
                        f"{month},{figure},{figure},{figure * 10},0"
                    )
    return "\n".join([*rows, ""])


def bulk_file(month: str) -> bytes:
    """The same as it is packed; always the same bytes in one process."""
    if month not in _PACKED:
        stream = io.BytesIO()
        with py7zr.SevenZipFile(stream, "w") as archive:
            archive.writestr(bulk_table(month), f"full_v2_{month}.dat")
        _PACKED[month] = stream.getvalue()
    return _PACKED[month]
