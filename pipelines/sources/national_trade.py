"""What the readers of national trade statistics share: columns, quantities, JSON as text.

A row is what a country declares of its trade with one partner in one code of its own nomenclature
and one month. Values and quantities of the year to date are never read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import RECORD_COLUMNS, Part
from pipelines.sources.label_maps import read_map
from pipelines.sources.labels import known_labels, resolve_labels
from pipelines.sources.trade_files import decode, read_bytes

__all__ = [
    "TRADE_COLUMNS",
    "as_text",
    "first_reason",
    "known_quantity",
    "number",
    "page_of",
    "read_json",
    "refuse_missing_pages",
    "resolved",
    "weighed",
]

#: Columns that the raw table of every national publisher begins with.
TRADE_COLUMNS: dict[str, pl.DataType] = {
    **RECORD_COLUMNS,
    "flow": pl.String(),
    "partner_code": pl.String(),
    "national_code": pl.String(),
    "code_level": pl.Int8(),
    "reference_year": pl.Int16(),
    "reference_month": pl.Int8(),
    "value_text": pl.String(),
    "net_weight_kg": pl.Float64(),
    "supplementary_quantity": pl.Float64(),
    "supplementary_unit": pl.String(),
}

_PAGE = re.compile(r"^(?P<stem>.+?)(?:_p(?P<page>\d{1,4}))?\.json$", re.IGNORECASE)
_AGAIN = "fetch it again from the publisher"
FIRST_YEAR, LAST_YEAR = 1900, 2100


def read_json(part: Part) -> Any:
    """The document, numbers as the text that stands in it.

    :raises DocumentUnreadable: it is no JSON, or a web page or text stands in its place.
    """
    content = read_bytes(part)
    try:
        return json.loads(decode(content, part), parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise DocumentUnreadable(
            f"not JSON ({str(error)[:80]})", where=part.name, remedy=_AGAIN
        ) from error


def page_of(part: Part) -> tuple[str, int]:
    """What the pages of one answer are called after, and which of them this is.

    The second page of ``OTS_2024_2805`` is ``OTS_2024_2805_p2.json``.
    """
    found = _PAGE.match(part.name)
    return (found["stem"], int(found["page"] or 1)) if found else (part.name, 1)


def refuse_missing_pages(goes_on: Sequence[tuple[Part, bool]]) -> None:
    """Refuse an answer of which only a part is here.

    :param goes_on: each page, and whether the publisher says that another follows.
    :raises DocumentUnreadable: a page goes on where none follows, or one stands after the last.
    """
    pages = {page_of(part): (part, more) for part, more in goes_on}
    for (stem, page), (part, more) in pages.items():
        if more and (stem, page + 1) not in pages:
            raise DocumentUnreadable(
                "the answer goes on at a page that is not here",
                where=part.name,
                remedy="take all pages of an answer together",
            )
        if page > 1 and not pages.get((stem, page - 1), (part, False))[1]:
            raise DocumentUnreadable(
                f"page {page - 1}, which leads to this one, is not here",
                where=part.name,
                remedy="take all pages of an answer together",
            )


def as_text(value: object) -> str | None:
    """A scalar of :func:`read_json` as text; None for null and for what is no scalar."""
    if isinstance(value, str):
        # JSON may escape half of a pair of surrogates, which is no text.
        whole = value if value.isascii() else value.encode(errors="replace").decode()
        return whole.strip() or None
    if isinstance(value, bool):
        return str(value).lower()
    return None


def number(column: str) -> pl.Expr:
    """A column of text as finite numbers; null where it states none."""
    found = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when(found.is_finite()).then(found)


def known_quantity(column: str) -> pl.Expr:
    """As :func:`number`; 0 stands in trade statistics where nothing is known and gives null."""
    return pl.when(number(column) != 0).then(number(column))


def resolved(
    edition: Edition, frame: pl.DataFrame, labels: Mapping[str, tuple[str, Sequence[str]]]
) -> pl.DataFrame:
    """``frame``, once the labels in it are in the maps.

    :param labels: column to what its labels name and the maps; no map stands for the country maps
        of the source.
    :raises UnknownLabel: one is in none.
    """
    for column, (kind, maps) in labels.items():
        known = known_labels(maps or load_catalog().source(edition.source_id).country_maps)
        resolve_labels(
            frame, column, known, edition=edition, kind=kind, into="__label", marks=False
        )
    return frame


def weighed(frame: pl.DataFrame, units: str) -> pl.DataFrame:
    """Add net weight and supplementary quantity from two quantities and their units.

    :param frame: with ``quantity1_text``, ``unit1``, ``quantity2_text`` and ``unit2``; units as in
        the map.
    :param units: the map (``unit_label, quantity_unit, kg_per_unit``).
    :returns: with ``net_weight_kg`` from the first quantity whose unit is a mass of the goods, and
        ``supplementary_quantity`` in ``supplementary_unit`` from the first whose unit is not.
    """
    table = read_map(units)
    kilograms = dict(
        table.drop_nulls("kg_per_unit")
        .select("unit_label", pl.col("kg_per_unit").cast(pl.Float64))
        .iter_rows()
    )
    names = dict(
        table.filter(pl.col("kg_per_unit").is_null() & pl.col("quantity_unit").is_not_null())
        .select("unit_label", "quantity_unit")
        .iter_rows()
    )
    factor = {
        n: pl.col(f"unit{n}").replace_strict(kilograms, default=None, return_dtype=pl.Float64)
        for n in (1, 2)
    }
    name = {
        n: pl.col(f"unit{n}").replace_strict(names, default=None, return_dtype=pl.String)
        for n in (1, 2)
    }
    quantity = {n: known_quantity(f"quantity{n}_text") for n in (1, 2)}
    other = {n: pl.when(name[n].is_not_null()).then(quantity[n]) for n in (1, 2)}
    return frame.with_columns(
        pl.coalesce(quantity[1] * factor[1], quantity[2] * factor[2]).alias("net_weight_kg"),
        pl.coalesce(other[1], other[2]).alias("supplementary_quantity"),
        pl.when(other[1].is_not_null())
        .then(name[1])
        .when(other[2].is_not_null())
        .then(name[2])
        .alias("supplementary_unit"),
    )


def first_reason(
    *, value: str, quantities: Sequence[str], partner: str = "partner_code"
) -> pl.Expr:
    """Why a row cannot be let in, else null: what can be wrong with every row of trade."""

    def unreadable(column: str) -> pl.Expr:
        return pl.col(column).is_not_null() & number(column).is_null()

    return (
        pl.when(
            ~pl.col("reference_year").is_between(FIRST_YEAR, LAST_YEAR).fill_null(value=False)
            | ~pl.col("reference_month").is_between(1, 12).fill_null(value=False)
        )
        .then(pl.lit("month is unreadable"))
        .when(pl.col(partner).is_null())
        .then(pl.lit("partner is blank"))
        .when(pl.col("national_code").is_null())
        .then(pl.lit("not a commodity code"))
        .when(pl.col(value).is_null())
        .then(pl.lit("value is blank"))
        .when(number(value).is_null())
        .then(pl.lit("value is unreadable"))
        .when(number(value) < 0)
        .then(pl.lit("value is negative"))
        .when(pl.any_horizontal(unreadable(c) for c in quantities))
        .then(pl.lit("quantity is unreadable"))
        .when(pl.any_horizontal((number(c) < 0).fill_null(value=False) for c in quantities))
        .then(pl.lit("quantity is negative"))
    )
