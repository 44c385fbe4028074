"""e-Stat: the interface, the list pages and the files of Japan's trade statistics, synthetic.

World: ``newest`` month; ``app_id``, the only one that is known (None for any); ``cells`` of an
answer; ``release``, a number that goes into the numbers of files; ``error``, a status that the
interface tells with 200; ``no_data``, it has none on anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.emulator.files import file_response
from tests.emulator.publishers._national import figure, is_traded, months_of

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

HOSTS = ("api.e-stat.go.jp", "www.e-stat.go.jp")

COUNTRIES = {"103": "Republic of Korea", "105": "People's Republic of China", "304": "USA"}
CODES = ("280530000", "284610000", "284690210", "850511000", "870323915")
#: Table of the interface, its flow and years.
TABLES = {
    "0003425294": ("Import", 2021, 2025),
    "0003425293": ("Export", 2021, 2025),
    "0004049326": ("Import", 2026, 2026),
    "0004049325": ("Export", 2026, 2026),
}
SECTIONS = {
    1: "Section VI Chapter 28-38",
    2: "Section XVI Chapter 84-85",
    3: "Section XVII Chapter 86-89",
}
_TCLASS = {"000001013181": "Export", "000001013182": "Import"}
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_ITEMS = ("Quantity1", "Quantity2", "Value")


def _line(flow: str, code: str, country: str, year: int, newest: str) -> dict[str, str] | None:
    """Columns of the file by name; None where there is no trade. Months to come read 0."""
    if not is_traded("jp", flow, code, country, year):
        return None
    line = {"Unit1": "", "Unit2": "KG"}
    published = months_of(year, newest)
    for number, name in enumerate(_MONTHS, start=1):
        for item in _ITEMS:
            is_stated = number in published and item != "Quantity1"
            line[f"{item}-{name}"] = (
                str(figure(flow, code, country, year, number, item)) if is_stated else "0"
            )
    for item in _ITEMS:
        line[f"{item}-Year"] = str(sum(int(line[f"{item}-{m}"]) for m in _MONTHS))
    return line


def _file(flow: str, year: int, section: int, newest: str) -> bytes:
    periods = ("Year", *_MONTHS)
    names = [f"{item}-{p if p == 'Year' else p[:3]}" for p in periods for item in _ITEMS]
    lines = [",".join(["Exp or Imp", "Year", "HS", "Country", "Unit1", "Unit2", *names])]
    chapters = re.findall(r"\d+", SECTIONS[section])
    for code in CODES:
        if not int(chapters[0]) <= int(code[:2]) <= int(chapters[1]):
            continue
        for country in COUNTRIES:
            line = _line(flow, code, country, year, newest)
            if line is not None:
                figures = [line[f"{item}-{p}"] for p in periods for item in _ITEMS]
                head = ["1" if flow == "Export" else "2", str(year), f"'{code}'", country]
                lines.append(",".join([*head, "  ", line["Unit2"], *figures]))
    return ("\r\n".join(lines) + "\r\n").encode()


def routes(emulator: Emulator) -> list[Route]:
    """Both hosts; a path belongs to one of them only."""
    world: dict[str, Any] = emulator.world["jp_customs"]
    world |= {"newest": "2026-09", "app_id": None, "cells": 100_000}
    world |= {"release": 1, "error": None, "no_data": False}

    def refusal(root: str, request: Request) -> Response | None:
        status, said = world["error"], "an error of the emulator"
        shown = request.query_params.get("appId")
        if not shown or world["app_id"] not in (None, shown):
            status, said = 100, "Authentication failed. Check the application ID."
        if status is None:
            return None
        return JSONResponse({root: {"RESULT": {"STATUS": status, "ERROR_MSG": said}}})

    async def stats_list(request: Request) -> Response:
        refused = refusal("GET_STATS_LIST", request)
        if refused is not None:
            return refused
        tables = [
            {
                "@id": table_id,
                "STAT_NAME": {"@code": "00350300", "$": "Trade Statistics of Japan (synthetic)"},
                "STATISTICS_NAME": f"Commodity by Country ({flow} Jan-Dec)",
                "TITLE": {"@no": "1", "$": f"{flow} {first}-{last}"},
                "SURVEY_DATE": f"{first}01-{last}12",
                "UPDATED_DATE": f"{world['newest']}-28" if last == 2026 else "2026-03-13",
            }
            for table_id, (flow, first, last) in TABLES.items()
        ]
        other = {"@id": "0003000001", "STATISTICS_NAME": "Principal Commodity", "TITLE": "Import",
                 "SURVEY_DATE": "2025", "UPDATED_DATE": "2026-03-13"}  # fmt: skip
        return JSONResponse(
            {
                "GET_STATS_LIST": {
                    "RESULT": {"STATUS": 0, "ERROR_MSG": "Successfully completed."},
                    "DATALIST_INF": {"NUMBER": len(tables) + 1, "TABLE_INF": [*tables, other]},
                }
            }
        )

    async def stats_data(request: Request) -> Response:
        refused = refusal("GET_STATS_DATA", request)
        if refused is not None:
            return refused
        query = request.query_params
        flow, first, last = TABLES[query["statsDataId"]]
        year = int(query["cdTime"][:4])
        codes = [c for c in CODES if c in query["cdCat01"].split(",")]
        items = ["Unit1", "Unit2", *(f"{i}-Year" for i in _ITEMS)]
        items += [f"{i}-{m}" for m in _MONTHS for i in _ITEMS]
        cells = []
        for code in codes if first <= year <= last else ():
            for country in COUNTRIES:
                line = _line(flow, code, country, year, world["newest"])
                for number, item in enumerate(items, start=10) if line else ():
                    if line and line[item]:
                        cells.append(
                            {"@cat01": code, "@cat02": f"{number}0", "@area": f"50{country}",
                             "@time": f"{year}000000", "$": line[item]}
                        )  # fmt: skip
        if not cells or world["no_data"]:
            return JSONResponse(
                {"GET_STATS_DATA": {"RESULT": {"STATUS": 1, "ERROR_MSG": "No data."}}}
            )
        start, size = int(query["startPosition"]), min(int(query["limit"]), world["cells"])
        page = cells[start - 1 : start - 1 + size]
        told: dict[str, Any] = {
            "TOTAL_NUMBER": len(cells),
            "FROM_NUMBER": start,
            "TO_NUMBER": start - 1 + len(page),
        }
        if told["TO_NUMBER"] < len(cells):
            told["NEXT_KEY"] = told["TO_NUMBER"] + 1
        classes = {
            "cat01": ("Commodity", {c: f"Commodity {c}" for c in codes}),
            "cat02": ("Quantity-Value by Commodity", {f"{n}0": i for n, i in enumerate(items, 10)}),
            "area": ("Country", {f"50{c}": f"{c}_{name}" for c, name in COUNTRIES.items()}),
            "time": ("Year", {f"{year}000000": str(year)}),
        }
        return JSONResponse(
            {
                "GET_STATS_DATA": {
                    "RESULT": {"STATUS": 0, "ERROR_MSG": "Successfully completed."},
                    "PARAMETER": {"LANG": "E", "STATS_DATA_ID": query["statsDataId"]},
                    "STATISTICAL_DATA": {
                        "RESULT_INF": told,
                        "TABLE_INF": {
                            "@id": query["statsDataId"],
                            "TITLE": {"@no": "1", "$": f"Commodity by Country ({flow}), synthetic"},
                        },
                        "CLASS_INF": {
                            "CLASS_OBJ": [
                                {"@id": i, "@name": name, "CLASS": _few(codes_of)}
                                for i, (name, codes_of) in classes.items()
                            ]
                        },
                        "DATA_INF": {"VALUE": page if len(page) > 1 else page[0]},
                    },
                }
            }
        )

    async def meta_info(request: Request) -> Response:
        refused = refusal("GET_META_INFO", request)
        if refused is not None:
            return refused
        classes = {
            "cat01": ("Commodity", {c: f"Commodity {c}" for c in CODES}),
            "area": ("Country", {f"50{c}": f"{c}_{name}" for c, name in COUNTRIES.items()}),
        }
        objects = [
            {"@id": i, "@name": name, "CLASS": _few(found)} for i, (name, found) in classes.items()
        ]
        return JSONResponse(
            {
                "GET_META_INFO": {
                    "RESULT": {"STATUS": 0, "ERROR_MSG": "Successfully completed."},
                    "METADATA_INF": {"CLASS_INF": {"CLASS_OBJ": objects}},
                }
            }
        )

    async def listing(request: Request) -> Response:
        query = request.query_params
        flow = _TCLASS[query["tclass2"]]
        if "year" in query:
            year = int(query["year"][:4])
            rows = [
                f"<li>{text} <a href='/en/stat-search/file-download?statInfId="
                f"{_number(flow, year, n)}&amp;fileKind=1'>CSV</a></li>"
                for n, text in SECTIONS.items()
            ]
        else:
            last = int(world["newest"][:4])
            rows = [
                f"<a href='/en/stat-search/files?page=1&amp;tclass2={query['tclass2']}"
                f"&amp;year={year}0&amp;month={month}'>{year} {month}</a>"
                for year in range(last, last - 3, -1)
                for month in ("11010301", "12040605")
            ]
        return HTMLResponse(f"<html><body>{''.join(rows)}</body></html>")

    def _number(flow: str, year: int, section: int) -> str:
        # What a release replaces is the running year.
        release = world["release"] if str(year) == world["newest"][:4] else 0
        return f"0000{release:02}{year % 100:02}{'1' if flow == 'Export' else '2'}{section:03}"

    async def download(request: Request) -> Response:
        number = re.fullmatch(r"0000\d\d(\d\d)([12])(\d{3})", request.query_params["statInfId"])
        if number is None or int(number[3]) not in SECTIONS:
            return PlainTextResponse("not found", 404)
        flow = "Export" if number[2] == "1" else "Import"
        content = _file(flow, 2000 + int(number[1]), int(number[3]), world["newest"])
        return file_response(request, content, media_type="text/csv")

    return [
        Route("/rest/3.0/app/json/getStatsList", stats_list),
        Route("/rest/3.0/app/json/getMetaInfo", meta_info),
        Route("/rest/3.0/app/json/getStatsData", stats_data),
        Route("/en/stat-search/files", listing),
        Route("/stat-search/file-download", download),
    ]


def _few(codes: dict[str, str]) -> Any:
    """A list of one is written as the thing itself."""
    entries = [{"@code": c, "@name": n, "@level": "1"} for c, n in codes.items()]
    return entries if len(entries) > 1 else entries[0]
