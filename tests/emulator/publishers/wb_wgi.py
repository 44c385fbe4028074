"""The World Bank's interface (v2, JSON): the governance indicators of the starter's workbook.

Only the estimates are served, as the starter holds no more; other series are answered as unknown.
``world["wb_wgi"]`` holds

* ``lastupdated``: the day of the load that every page names;
* ``longest_page``: rows to which a page is cut, whatever is asked for;
* ``spoil``: None, or what an answer goes through before it is sent (a function of page and body).
"""

from __future__ import annotations

import csv
import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import yaml
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.catalog import load_catalog
from pipelines.settings import PROJECT_ROOT
from pipelines.sources import wb_wgi
from pipelines.sources.base import Document

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

HOSTS = ("api.worldbank.org",)

_TITLES = {
    "cc": "Control of Corruption",
    "ge": "Government Effectiveness",
    "pv": "Political Stability and Absence of Violence/Terrorism",
    "rl": "Rule of Law",
    "rq": "Regulatory Quality",
    "va": "Voice and Accountability",
}
_MEASURE = "Governance estimate (approx. -2.5 to +2.5)"
#: Areas that the interface names without a code.
_WITHOUT_CODE = frozenset({"AIA", "ANT", "COK", "GUF", "JEY", "MTQ", "NIU", "REU", "TWN"})
_INVALID = [
    {
        "message": [
            {
                "id": "120",
                "key": "Invalid value",
                "value": "The provided parameter value is not valid",
            }
        ]
    }
]
_ROWS_A_PAGE = 50
_MOST_ROWS_A_PAGE = 32_500


def routes(emulator: Emulator) -> list[Route]:
    """One series of all countries and years, in pages."""
    world: dict[str, Any] = emulator.world["wb_wgi"]
    folder = emulator.starter / "wb_wgi" / "2024"
    told = yaml.safe_load((folder / "edition.yml").read_text(encoding="utf-8"))
    world.setdefault("lastupdated", str(told["published"]))
    world.setdefault("longest_page", _MOST_ROWS_A_PAGE)
    world.setdefault("spoil", None)

    @cache
    def rows() -> dict[str, list[dict[str, object]]]:
        return _series(folder / "wgidataset.xlsx")

    async def indicator(request: Request) -> Response:
        series = request.path_params["series"]
        query = request.query_params
        if series not in rows() or query.get("source") != "3" or query.get("format") != "json":
            return _json(_INVALID)
        length = min(int(query.get("per_page", _ROWS_A_PAGE)), world["longest_page"])
        number = int(query.get("page", 1))
        found = rows()[series]
        about = {
            "page": number,
            "pages": math.ceil(len(found) / length),
            "per_page": length,
            "total": len(found),
            "sourceid": "3",
            "lastupdated": world["lastupdated"],
        }
        body: object = [about, found[(number - 1) * length : number * length]]
        if world["spoil"] is not None:
            body = world["spoil"](number, body)
        return _json(body)

    return [Route("/v2/country/all/indicator/{series}", indicator)]


def _json(body: object) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, media_type="application/json")


def _series(workbook: Path) -> dict[str, list[dict[str, object]]]:
    """Rows by series: areas by name, those without a code first, the newest year first."""
    edition = load_catalog().source("wb_wgi").edition("2024")
    table = wb_wgi.parse(edition, [Document.of(workbook)]).tables[wb_wgi.ESTIMATE]
    alpha3, alpha2 = _codes()
    found: dict[str, list[dict[str, object]]] = {}
    areas = table.with_columns(
        pl.col("country_label").replace(alpha3).alias("code"),
    ).with_columns(pl.col("code").is_in(list(_WITHOUT_CODE)).alias("is_nameless"))
    ordered = areas.sort(
        "indicator", "is_nameless", "country_text", "reference_year",
        descending=[False, True, False, True],
    )  # fmt: skip
    for row in ordered.iter_rows(named=True):
        series = f"GOV_WGI_{row['indicator'].upper()}.EST"
        code = "" if row["is_nameless"] else row["code"]
        found.setdefault(series, []).append(
            {
                "indicator": {"id": series, "value": f"{_TITLES[row['indicator']]} - {_MEASURE}"},
                "country": {"id": alpha2.get(code, ""), "value": row["country_text"]},
                "countryiso3code": code,
                "date": str(row["reference_year"]),
                "value": row["value"],
                "unit": "",
                "obs_status": "",
                "decimal": 1,
            }
        )
    return found


def _codes() -> tuple[dict[str, str], dict[str, str]]:
    """The workbook's codes as the interface has them, and alpha-2 by alpha-3."""
    seeds = PROJECT_ROOT / "dbt_project" / "seeds"
    with (seeds / "labels" / "country__wgi.csv").open(encoding="utf-8", newline="") as stream:
        alpha3 = {r["country_label"]: r["country_iso3"] for r in csv.DictReader(stream)}
    with (seeds / "ref_country.csv").open(encoding="utf-8", newline="") as stream:
        alpha2 = {r["country_iso3"]: r["iso2"] for r in csv.DictReader(stream)}
    known = {label: code for label, code in alpha3.items() if code}
    return known | {"KSV": "XKX"}, alpha2 | {"XKX": "XK"}
