"""The OGC API of the British Geological Survey: one collection, paged, filtered by property.

All figures are synthetic: small numbers that follow from the place of their row, and a note on
every table that says so. The series are those of ``series__bgs_wms``.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.sources.label_maps import read_map

if TYPE_CHECKING:
    from tests.emulator.app import Emulator

HOSTS = ("ogcapi.bgs.ac.uk",)
COLLECTION = "https://ogcapi.bgs.ac.uk/collections/world-mineral-statistics"
_COUNTRIES = (
    ("Australia", "AUS", "AU", 134.0, -25.0),
    ("China", "CHN", "CN", 103.0, 36.0),
    # The publisher's own codes: the first is the other Congo's.
    ("Congo", "COD", "CG", 15.0, -1.0),
    ("Zaire", "ZAR", "ZR", 23.0, -3.0),
    ("Rhodesia", None, None, None, None),
)
#: Who leads in what, by the beginning of the series, so that the figures do not gainsay those of
#: other publishers altogether; China in all else.
_LEADERS = {
    "cobalt, mine": "Zaire",
    "copper, mine": ("Chile", "CHL", "CL", -71.0, -30.0),
    "lithium": "Australia",
    "manganese": ("South Africa", "ZAF", "ZA", 24.0, -29.0),
    "nickel, mine": ("Indonesia", "IDN", "ID", 118.0, -2.0),
    "platinum group metals, mine: Palladium": ("Russia", "RUS", "RU", 100.0, 60.0),
    "platinum": ("South Africa", "ZAF", "ZA", 24.0, -29.0),
}
_LEAD = 50
_FIRST_YEAR = 2021
#: An answer holds no more than this, whatever limit is asked for.
_MOST_ROWS = 5000
_PAGING = frozenset({"f", "limit", "offset", "lang"})
_NOTE = "Synthetic figures of an emulator."


def _cell(number: int, figure: int) -> tuple[float | None, str, str | None, tuple[str, str]]:
    """Quantity, its printed form, what is said of its precision, and the codes for that."""
    if number % 11 == 0:
        return 0.0, "-----", "Nil (nothing produced)", ("A", "Normal Value")
    if number % 13 == 0:
        return None, "...", "Figures not available", ("O", "Missing value")
    if number % 17 == 0:
        return 0.0, "0", "Quantity is more than 0 but less than 0.5", ("N", "Not Significant")
    return float(figure), str(figure), None, ("A", "Normal value")


def _features(last_year: int, revision: int) -> list[dict[str, Any]]:
    """All features; a ``revision`` changes one figure of cobalt and no number of rows."""
    series = read_map("series__bgs_wms").get_column("series_label").to_list()
    found = []
    places = itertools.product(series, _COUNTRIES, range(_FIRST_YEAR, last_year + 1))
    for number, (label, place, year) in enumerate(places, start=1):
        commodity, _, sub = label.partition(": ")
        leader = next((who for what, who in _LEADERS.items() if label.startswith(what)), "China")
        country = place
        if not isinstance(leader, str):
            # In the place of a country, so that every series has as many rows.
            country, leader = (leader if place is _COUNTRIES[0] else place), leader[0]
        name, iso3, iso2, x, y = country
        if name == "Rhodesia" and commodity != "nickel, mine":
            continue
        figure = 10 + number % 90
        if label == "cobalt, mine" and name == "China" and year == last_year:
            figure += revision
        if name == leader:
            number_of_cell, figure = 1, figure * _LEAD
        else:
            number_of_cell = number
        quantity, printed, precision, sdmx = _cell(number_of_cell, figure)
        is_estimate = number % 7 == 0
        metal = commodity.endswith(", mine")
        weight = "kilograms" if commodity.startswith("platinum") else "tonnes"
        content = "metal content" if metal else "metric"
        found.append(
            {
                "type": "Feature",
                "id": number,
                "geometry": None if x is None else {"type": "Point", "coordinates": [x, y]},
                "properties": {
                    "country_iso3_code": iso3,
                    "erml_group": None,
                    "sdmx_translation": sdmx[1],
                    "pole_of_inaccessibility_longitude": x,
                    "erml_commodity": None,
                    "units": f"{weight} ({content})",
                    "year": f"{year}-01-01T00:00:00",
                    "pole_of_inaccessibility_latitude": y,
                    "erml_sub_commodity": None,
                    "concat_table_notes_code": None,
                    "yearbook_table_id": 900,
                    "cgi_commodity_url": None,
                    "quantity": quantity,
                    "yearbook_table_trans": f"Production of {commodity}",
                    "bgs_commodity_code": "900",
                    "concat_table_notes_text": _NOTE,
                    "bgs_statistic_type_trans": "Production",
                    "bgs_commodity_trans": commodity,
                    "quantity_in_book_style": printed,
                    "concat_figure_notes_code": "*" if is_estimate else None,
                    "country_trans": name,
                    "bgs_sub_commodity_trans": sub or None,
                    "data_precision_description": precision,
                    "concat_figure_notes_text": "Estimates." if is_estimate else None,
                    "country_iso2_code": iso2,
                    "sdmx_code": sdmx[0],
                    "synthetic_id": number,
                },
            }
        )
    return found


def routes(emulator: Emulator) -> list[Route]:
    """The items of the collection.

    ``world["bgs_wms"]``: ``last_year``; ``revision``, which changes a figure and no number of
    rows; ``most_rows`` of an answer; ``duplicate`` and ``lose``, offsets at which a page repeats
    its first feature or leaves it out.
    """
    world = emulator.world["bgs_wms"]
    world.setdefault("last_year", 2023)
    world.setdefault("revision", 0)
    world.setdefault("most_rows", _MOST_ROWS)

    async def items(request: Request) -> Response:
        asked = dict(request.query_params)
        wanted = {k: v for k, v in asked.items() if k not in _PAGING}
        features = _features(int(str(world["last_year"])), int(str(world["revision"])))
        known = features[0]["properties"]
        for name in wanted:
            if name not in known:
                return JSONResponse(
                    {
                        "code": "InvalidParameterValue",
                        "description": f"unknown query parameter {name}",
                    },
                    status_code=400,
                )
        matching = [
            f for f in features if all(str(f["properties"][k]) == v for k, v in wanted.items())
        ]
        limit = min(int(asked.get("limit", 10)), int(str(world["most_rows"])))
        offset = int(asked.get("offset", 0))
        page = matching[offset : offset + limit]
        if page and world.get("duplicate") == offset and len(page) > 1:
            page = [page[0], page[0], *page[2:]]
        if page and world.get("lose") == offset:
            page = page[1:]
        query = urlencode({k: v for k, v in asked.items() if k not in ("f", "offset")})
        links = [
            {
                "type": "application/geo+json",
                "rel": "self",
                "href": f"{COLLECTION}/items?f=json&{query}",
            }
        ]
        if offset + limit < len(matching):
            links.append(
                {
                    "type": "application/geo+json",
                    "rel": "next",
                    "href": f"{COLLECTION}/items?offset={offset + limit}&{query}",
                }
            )
        world["served"] = int(str(world.get("served", 0))) + 1
        return JSONResponse(
            {
                "type": "FeatureCollection",
                "features": page,
                "numberMatched": len(matching),
                "numberReturned": len(page),
                "links": links,
                "timeStamp": f"2026-11-25T02:00:00.{int(str(world['served'])):06d}Z",
            },
            media_type="application/geo+json",
        )

    return [Route("/collections/world-mineral-statistics/items", items)]
