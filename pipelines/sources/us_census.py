"""US Census Bureau: US imports and exports by month, country and tariff code.

Documents are answers of the international trade API (``timeseries/intltrade``, data sets
``imports/hs`` and ``exports/hs``): an array of arrays of text, the first of them the header. What
is asked for comes first, then the conditions of the request, so that a column may stand twice.

Rows of countries are let in. The total (country ``-``) and the groups of countries (codes that
begin with ``00`` or hold an ``X``) come with them: they are left out, and the total is held against
the sum of the countries. Where the two differ, a country is missing or stands twice, and all rows
of that code and month are quarantined. Exports come apart as domestic and foreign goods (``DF`` 1
and 2) where it was asked for; the row of both together is left out then.

Values are US dollars: imports at customs value (``GEN_VAL_MO``, general imports), exports at free
alongside ship (``ALL_VAL_MO``). Codes are HTS (imports) or Schedule B (exports) with ten digits, or
HS with six where nothing is served at ten.

Source: https://api.census.gov/data/timeseries/intltrade
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import QUARANTINE_REASON, Document, Parsed, Part, TableSpec
from pipelines.sources.national_trade import (
    TRADE_COLUMNS,
    as_text,
    first_reason,
    number,
    read_json,
    resolved,
    weighed,
)
from pipelines.sources.trade_files import open_parts, place
from pipelines.sources.us_census_fetch import fetch

__all__ = ["TABLES", "fetch", "parse"]

TRADE = "raw_us_census__trade"

TABLES: dict[str, TableSpec] = {
    TRADE: TableSpec(
        columns={
            **TRADE_COLUMNS,
            "partner_text": pl.String(),
            "origin_code": pl.String(),
            "trade_value_usd": pl.Float64(),
            "consumption_value_usd": pl.Float64(),
            "total_value_usd": pl.Float64(),
            "quantity1_text": pl.String(),
            "unit1": pl.String(),
            "quantity2_text": pl.String(),
            "unit2": pl.String(),
        },
        key=(
            "flow",
            "partner_code",
            "origin_code",
            "national_code",
            "reference_year",
            "reference_month",
        ),
    )
}

_UNITS = "quantity_unit__census"


@dataclass(frozen=True, slots=True)
class _Layout:
    """Column names of a data set.

    :ivar fields: our name to the publisher's.
    """

    flow: str
    code: str
    value: str
    fields: dict[str, str]


_SHARED = {
    "partner_code": "CTY_CODE",
    "partner_text": "CTY_NAME",
    "summary_level": "SUMMARY_LVL",
    "level_text": "COMM_LVL",
    "time_text": "time",
    "year_text": "YEAR",
    "month_text": "MONTH",
    "origin_code": "DF",
    "unit1": "UNIT_QY1",
    "unit2": "UNIT_QY2",
}
_LAYOUTS = (
    _Layout(
        flow="import",
        code="I_COMMODITY",
        value="GEN_VAL_MO",
        fields=_SHARED
        | {
            "code_text": "I_COMMODITY",
            "value_text": "GEN_VAL_MO",
            "consumption_text": "CON_VAL_MO",
            "quantity1_text": "GEN_QY1_MO",
            "quantity2_text": "GEN_QY2_MO",
        },
    ),
    _Layout(
        flow="export",
        code="E_COMMODITY",
        value="ALL_VAL_MO",
        fields=_SHARED
        | {
            "code_text": "E_COMMODITY",
            "value_text": "ALL_VAL_MO",
            "quantity1_text": "QTY_1_MO",
            "quantity2_text": "QTY_2_MO",
        },
    ),
)
_NAMES = tuple(dict.fromkeys(name for layout in _LAYOUTS for name in layout.fields))
_MONTH = r"^(?P<year>\d{4})-(?P<month>\d{2})$"
_ALL_COUNTRIES = "-"
#: Values are whole dollars, so countries add up exactly.
_ROUNDING_USD = 0.5
_BOTH_ORIGINS = "-"
_CELL = ("flow", "national_code", "reference_year", "reference_month", "origin_code")


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """All rows of countries.

    :raises DocumentUnreadable: a document is no answer of one of the two data sets, or has no row.
    :raises UnknownLabel: a country or a unit of quantity is in no map.
    """
    found = [_read(edition, part) for part in open_parts(documents)]
    if not found:
        raise DocumentUnreadable("no document with trade", remedy="fetch the edition again")
    frame = _typed(pl.concat(found))
    is_group = pl.col("partner_code").str.contains(r"^00|X") | (
        pl.col("partner_code") == _ALL_COUNTRIES
    )
    is_left_out = is_group.fill_null(value=False) | pl.col("__is_both")
    countries = frame.filter(~is_left_out)
    countries = resolved(
        edition,
        countries,
        {
            "partner_code": ("country", ()),
            "unit1": ("quantity unit", (_UNITS,)),
            "unit2": ("quantity unit", (_UNITS,)),
        },
    )
    totals = frame.filter((pl.col("partner_code") == _ALL_COUNTRIES) & ~pl.col("__is_both"))
    countries = pl.concat(
        [_held_against_total(countries, totals), _without_countries(totals, countries)],
        how="diagonal",
    )
    parsed = Parsed.of(TABLES, {TRADE: weighed(countries, _UNITS)})
    return replace(parsed, out_of_scope={TRADE: frame.height - countries.height})


def _read(edition: Edition, part: Part) -> pl.DataFrame:
    """The rows of one answer as text under our names."""
    answer = read_json(part)
    if not (
        isinstance(answer, list)
        and len(answer) > 1
        and all(isinstance(row, list) for row in answer)
        and all(as_text(name) for name in answer[0])
    ):
        raise DocumentUnreadable(
            "not an answer of the international trade API (a header and rows)", where=part.name
        )
    header = [as_text(name) or "" for name in answer[0]]
    layout = next((x for x in _LAYOUTS if {x.code, x.value} <= set(header)), None)
    if layout is None or not {"CTY_CODE"} <= set(header) or not {"time", "YEAR"} & set(header):
        raise DocumentUnreadable(
            f"columns {', '.join(header)[:120]} are not those of imports/hs or exports/hs",
            where=part.name,
            remedy="ask for country, commodity, month and monthly value",
        )
    for at, row in enumerate(answer[1:], start=2):
        if len(row) != len(header):
            raise DocumentUnreadable(
                f"{len(row)} fields where the header has {len(header)}: the answer is cut short",
                where=f"{part.name}, row {at}",
            )
    places = {name: header.index(field) for name, field in layout.fields.items() if field in header}
    columns = {
        name: [as_text(row[places[name]]) if name in places else None for row in answer[1:]]
        for name in _NAMES
    }
    frame = pl.DataFrame(columns, schema=dict.fromkeys(_NAMES, pl.String()))
    return place(
        frame.with_row_index("row_number", offset=2).with_columns(
            pl.lit(layout.flow).alias("flow")
        ),
        edition.edition_id,
        part,
        None,
    )


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of the table but those that need other rows, with ``quarantine_reason``."""
    month = pl.col("time_text").str.extract_groups(_MONTH)
    code = pl.col("code_text").str.strip_chars()
    is_code = code.str.contains(r"^(?:\d{6}|\d{10})$")
    frame = frame.with_columns(
        pl.coalesce(month.struct.field("year"), "year_text")
        .cast(pl.Int16, strict=False)
        .alias("reference_year"),
        pl.coalesce(month.struct.field("month"), "month_text")
        .cast(pl.Int8, strict=False)
        .alias("reference_month"),
        pl.when(is_code).then(code).alias("national_code"),
        number("value_text").alias("trade_value_usd"),
        number("consumption_text").alias("consumption_value_usd"),
    ).with_columns(pl.col("national_code").str.len_chars().cast(pl.Int8).alias("code_level"))
    # Where domestic and foreign goods are told apart, the row of both repeats them.
    goods = [c for c in _CELL if c != "origin_code"]
    is_apart = (pl.col("origin_code") != _BOTH_ORIGINS).fill_null(value=False)
    stated = pl.concat_str(pl.lit("HS"), pl.col("code_level").cast(pl.String))
    return frame.with_columns(
        ((pl.col("origin_code") == _BOTH_ORIGINS) & is_apart.any().over(goods))
        .fill_null(value=False)
        .alias("__is_both"),
        pl.when((pl.col("level_text") != stated).fill_null(value=False))
        .then(pl.lit("code and level differ"))
        .otherwise(
            first_reason(value="value_text", quantities=("quantity1_text", "quantity2_text"))
        )
        .alias(QUARANTINE_REASON),
    )


def _held_against_total(countries: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """``countries`` with the publisher's total, quarantined where they do not add up to it."""
    told = totals.group_by(*_CELL).agg(
        pl.col("trade_value_usd").first().alias("total_value_usd"),
        pl.lit(value=True).alias("__is_told"),
    )
    joined = countries.join(
        told, on=list(_CELL), how="left", nulls_equal=True, maintain_order="left"
    )
    added = pl.col("trade_value_usd").sum().over(_CELL)
    is_met = (added - pl.col("total_value_usd")).abs() <= _ROUNDING_USD
    differs = pl.col("__is_told").is_not_null() & ~is_met.fill_null(value=False)
    return joined.with_columns(
        pl.when(pl.col(QUARANTINE_REASON).is_null() & differs)
        .then(pl.lit("countries do not add up to the publisher's total"))
        .otherwise(pl.col(QUARANTINE_REASON))
        .alias(QUARANTINE_REASON)
    )


def _without_countries(totals: pl.DataFrame, countries: pl.DataFrame) -> pl.DataFrame:
    """Totals of trade with nobody, for quarantine: their countries are missing."""
    return (
        totals.filter((pl.col("trade_value_usd") != 0).fill_null(value=True))
        .join(countries, on=list(_CELL), how="anti", nulls_equal=True)
        .with_columns(
            pl.col("trade_value_usd").alias("total_value_usd"),
            pl.lit("total of no countries").alias(QUARANTINE_REASON),
        )
    )
