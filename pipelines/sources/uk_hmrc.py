"""HM Revenue and Customs: UK imports and exports by month, country and commodity code.

Documents are answers of the table ``OTS`` of the trade information service (OData 4, JSON) with the
country of each row (``$expand=Country``). A long answer comes in pages, each a document of its own
(``..._p2.json``); a page that announces another one which is not there is refused.

A row is a port, so that a flow is the sum of its rows; none of them is a total. ``CommodityId`` is
the eight-digit code as a number, without leading zeros. Values are pounds sterling, imports CIF and
exports FOB; net mass is kilograms. A row whose ``SuppressionIndex`` is not 0 leaves something out
to keep a trader's secret; what it does state is kept, and a mass of 0 is never read as none traded.

Source: https://api.uktradeinfo.com
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import QUARANTINE_REASON, Document, Parsed, Part, TableSpec
from pipelines.sources.label_maps import attach
from pipelines.sources.national_trade import (
    TRADE_COLUMNS,
    as_text,
    first_reason,
    known_quantity,
    number,
    read_json,
    refuse_missing_pages,
    resolved,
)
from pipelines.sources.trade_files import open_parts, place
from pipelines.sources.uk_hmrc_fetch import NEXT_LINK, fetch

__all__ = ["TABLES", "fetch", "parse"]

TRADE = "raw_uk_hmrc__trade"

TABLES: dict[str, TableSpec] = {
    TRADE: TableSpec(
        columns={
            **TRADE_COLUMNS,
            "flow_type": pl.String(),
            "suppression_index": pl.String(),
            "is_confidential": pl.Boolean(),
            "country_id": pl.String(),
            "port_id": pl.String(),
            "sitc_id": pl.String(),
            "trade_value_gbp": pl.Float64(),
            "net_mass_text": pl.String(),
            "supplementary_text": pl.String(),
        },
        key=(
            "flow_type",
            "suppression_index",
            "country_id",
            "port_id",
            "sitc_id",
            "national_code",
            "reference_year",
            "reference_month",
        ),
    )
}

_FLOWS = "flow__hmrc"
#: Our name to the publisher's.
_FIELDS = {
    "month_text": "MonthId",
    "flow_type": "FlowTypeId",
    "suppression_index": "SuppressionIndex",
    "code_text": "CommodityId",
    "sitc_id": "CommoditySitcId",
    "country_id": "CountryId",
    "port_id": "PortId",
    "value_text": "Value",
    "net_mass_text": "NetMass",
    "supplementary_text": "SuppUnit",
}
_NEEDED = {"MonthId", "FlowTypeId", "CommodityId", "Value", "NetMass"}
_NOT_SUPPRESSED = "0"


@dataclass(frozen=True, slots=True)
class _Answer:
    """One page.

    :ivar goes_on: the publisher has more.
    """

    part: Part
    rows: list[dict[str, Any]]
    goes_on: bool


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """All rows.

    :raises DocumentUnreadable: a document is no answer of the table, lacks the country, or a page
        is missing.
    :raises UnknownLabel: a country or flow type is in no map.
    """
    answers = [_read(part) for part in open_parts(documents)]
    if not answers:
        raise DocumentUnreadable("no document with trade", remedy="fetch the edition again")
    refuse_missing_pages([(answer.part, answer.goes_on) for answer in answers])
    frame = pl.concat([_text(edition, answer) for answer in answers])
    frame = resolved(
        edition,
        _typed(frame),
        {"partner_code": ("country", ()), "flow_type": ("flow type", (_FLOWS,))},
    )
    frame = attach(frame, "flow_type", _FLOWS, {"flow": "flow"})
    return Parsed.of(TABLES, {TRADE: frame})


def _read(part: Part) -> _Answer:
    answer = read_json(part)
    rows = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DocumentUnreadable(
            "not an answer of the table OTS (JSON with rows in `value`)",
            where=part.name,
            remedy="a notice of throttling may have come instead: fetch it again",
        )
    for at, row in enumerate(rows, start=1):
        lacking = sorted(_NEEDED - row.keys())
        if not isinstance(row.get("Country", ""), dict | None):
            lacking.append("Country")
        if lacking:
            raise DocumentUnreadable(
                f"field {lacking[0]} is missing",
                where=f"{part.name}, row {at}",
                remedy="ask the table OTS with $expand=Country",
            )
    return _Answer(part=part, rows=rows, goes_on=bool(answer.get(NEXT_LINK)))


def _text(edition: Edition, answer: _Answer) -> pl.DataFrame:
    columns = {
        name: [as_text(row.get(field)) for row in answer.rows] for name, field in _FIELDS.items()
    }
    columns["partner_code"] = [
        as_text((row["Country"] or {}).get("CountryCodeAlpha")) for row in answer.rows
    ]
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String()))
    return place(
        frame.with_row_index("row_number", offset=1), edition.edition_id, answer.part, None
    )


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    month = pl.col("month_text").str.extract_groups(r"^(?P<year>\d{4})(?P<month>\d{2})$")
    code = pl.col("code_text")
    suppressed = pl.col("suppression_index").fill_null(_NOT_SUPPRESSED) != _NOT_SUPPRESSED
    return frame.with_columns(
        month.struct.field("year").cast(pl.Int16, strict=False).alias("reference_year"),
        month.struct.field("month").cast(pl.Int8, strict=False).alias("reference_month"),
        pl.when(code.str.contains(r"^\d{7,8}$")).then(code.str.zfill(8)).alias("national_code"),
        pl.lit(8, pl.Int8).alias("code_level"),
        suppressed.alias("is_confidential"),
        number("value_text").alias("trade_value_gbp"),
        known_quantity("net_mass_text").alias("net_weight_kg"),
        known_quantity("supplementary_text").alias("supplementary_quantity"),
        # The unit is the code's in the tariff of the day; the table does not tell it.
        pl.lit(None, pl.String).alias("supplementary_unit"),
    ).with_columns(
        pl.when(pl.col("flow_type").is_null())
        .then(pl.lit("flow is blank"))
        .otherwise(
            first_reason(value="value_text", quantities=("net_mass_text", "supplementary_text"))
        )
        .alias(QUARANTINE_REASON)
    )
