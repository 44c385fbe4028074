"""UN Comtrade: trade as reporters declared it, by partner and HS code.

Documents: answers of the API (JSON), portal exports and bulk files (CSV, XLSX, tab-separated) with
the API's fields, whole or in part, with or without names, the former portal's 35 columns, and a
nine-column extract (``year, reporter, partner, cmd, flow, value, netwgt, qty, qtyunit``). An
edition is an extract: whatever somebody asked for.

Values are current USD, imports usually CIF and exports FOB; weights are kilograms. A weight or
quantity of 0 means that none is known. A request that leaves transport, customs procedure or
second partner open gets breakdowns beside their total under one key; all rows are kept and
``is_total`` marks the total, so that sums count trade once.

Area codes are Comtrade's own, not ISO numerics. HS codes are text.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import (
    QUARANTINE_REASON,
    RECORD_COLUMNS,
    Document,
    Parsed,
    TableSpec,
)
from pipelines.sources.label_maps import read_map
from pipelines.sources.labels import known_labels, resolve_labels
from pipelines.sources.trade_files import place
from pipelines.sources.un_comtrade.fetch import fetch
from pipelines.sources.un_comtrade.fields import API_FIELDS, BREAKDOWN_FIELDS
from pipelines.sources.un_comtrade.reading import Rows, read_rows

__all__ = ["TABLES", "fetch", "parse"]

TRADE = "raw_un_comtrade__trade"

TABLES: dict[str, TableSpec] = {
    TRADE: TableSpec(
        columns={
            **RECORD_COLUMNS,
            "type_code": pl.String(),
            "freq_code": pl.String(),
            "reference_year": pl.Int16(),
            "reference_month": pl.Int8(),
            "reporter_code": pl.String(),
            "partner_code": pl.String(),
            "partner2_code": pl.String(),
            "flow_code": pl.String(),
            "classification": pl.String(),
            "hs_code": pl.String(),
            "code_level": pl.Int8(),
            "customs_code": pl.String(),
            "mot_code": pl.String(),
            "value_text": pl.String(),
            "primary_value_usd": pl.Float64(),
            "cif_value_usd": pl.Float64(),
            "fob_value_usd": pl.Float64(),
            "net_weight_text": pl.String(),
            "net_weight_kg": pl.Float64(),
            "quantity_text": pl.String(),
            "quantity": pl.Float64(),
            "quantity_unit": pl.String(),
            "is_reported": pl.Boolean(),
            "is_aggregate": pl.Boolean(),
            "is_net_weight_estimated": pl.Boolean(),
            "is_quantity_estimated": pl.Boolean(),
            "is_total": pl.Boolean(),
            "n_rows_of_key": pl.Int32(),
        },
    )
}

#: What a total and its breakdowns share.
KEY = (
    "type_code",
    "freq_code",
    "reference_year",
    "reference_month",
    "reporter_code",
    "partner_code",
    "flow_code",
    "classification",
    "hs_code",
)

_FLOW_MAP = "flow__un_comtrade"
_UNIT_MAP = "quantity_unit__un_comtrade"
_CODE = r"^(?:TOTAL|\d{2}|\d{4}|\d{4}[0-9A-Z]{2})$"
_CLASSIFICATION = r"^(?:HS|H\d{1,2})$"
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_IS_PART = "__is_part"


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """All rows of an extract.

    :raises DocumentUnreadable: as :func:`~pipelines.sources.un_comtrade.reading.read_rows`; or
        rows that are not in a revision of the Harmonized System.
    :raises UnknownLabel: an area, flow or unit code is in no map.
    """
    found = [_text(edition, rows) for rows in read_rows(documents)]
    frame = pl.concat([f for f in found if f.height])
    _refuse_other_classifications(frame)
    return Parsed.of(TABLES, {TRADE: _totals(_typed(edition, frame))})


def _text(edition: Edition, rows: Rows) -> pl.DataFrame:
    """All fields as text (absent ones null), with the place and whether a row is a breakdown."""
    frame = rows.frame
    is_part = pl.any_horizontal(
        pl.lit(value=False),
        *(
            _code(name).fill_null(total) != total
            for name, total in BREAKDOWN_FIELDS.items()
            if name in frame.columns
        ),
    )
    absent = [name for name in API_FIELDS if name not in frame.columns]
    return place(
        frame.with_columns(is_part.alias(_IS_PART)).with_columns(
            pl.lit(None, pl.String).alias(name) for name in absent
        ),
        edition.edition_id,
        rows.part,
        rows.sheet,
    ).select(*RECORD_COLUMNS, *API_FIELDS, _IS_PART)


def _refuse_other_classifications(frame: pl.DataFrame) -> None:
    code = pl.coalesce("classificationCode", "classificationSearchCode").alias("told")
    other = frame.select(*RECORD_COLUMNS, code).filter(
        ~pl.col("told").str.contains(_CLASSIFICATION)
    )
    if other.height:
        row = other.row(0, named=True)
        raise DocumentUnreadable(
            f"classification {row['told']} is no revision of the Harmonized System",
            where=f"{row['document_name']}, row {row['row_number']}",
            remedy="ask for classification HS",
        )


def _code(column: str) -> pl.Expr:
    """A code as text: ``156.0`` and ``0156`` are ``156``."""
    code = pl.col(column).str.strip_chars().str.replace(r"^(\d+)\.0+$", "$1")
    return (
        pl.when(code.str.contains(r"^\d+$"))
        .then(pl.coalesce(code.str.strip_chars_start("0").replace("", None), pl.lit("0")))
        .otherwise(code)
    )


def _digits(column: str) -> pl.Expr:
    """Digits as text, a final ``.0`` taken off."""
    return pl.col(column).str.replace(r"^(\d+)\.0+$", "$1")


def _number(column: str) -> pl.Expr:
    number = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _known_quantity(column: str) -> pl.Expr:
    # Zero stands where nothing is known.
    return pl.when(_number(column) != 0).then(_number(column))


def _flag(column: str) -> pl.Expr:
    word = pl.col(column).str.to_lowercase()
    return (
        pl.when(word.is_in(["true", "1"]))
        .then(pl.lit(value=True))
        .when(word.is_in(["false", "0"]))
        .then(pl.lit(value=False))
    )


def _map(name: str, label: str, into: str) -> dict[str, str | None]:
    return dict(read_map(name).select(label, into).iter_rows())


def _typed(edition: Edition, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of the table, with ``quarantine_reason``."""
    period = _digits("period")
    year = pl.coalesce(_digits("refYear"), period.str.slice(0, 4)).cast(pl.Int16, strict=False)
    month = pl.coalesce(
        _digits("refMonth"), pl.when(period.str.len_bytes() == 6).then(period.str.slice(4, 2))
    ).cast(pl.Int8, strict=False)
    code = _digits("cmdCode").str.to_uppercase()
    frame = frame.with_columns(
        # An odd number of digits has lost the leading zero of chapters 01 to 09.
        pl.when(code.str.contains(r"^\d(?:\d\d){0,2}$"))
        .then("0" + code)
        .otherwise(code)
        .alias("hs_code"),
        year.alias("reference_year"),
        pl.when(month.is_between(1, 12)).then(month).alias("reference_month"),
        _code("reporterCode").alias("reporterCode"),
        _code("partnerCode").alias("partnerCode"),
        _code("partner2Code").alias("partner2Code"),
        _code("flowCode").alias("flowCode"),
        pl.coalesce(_code("qtyUnitCode"), "qtyUnitAbbr").alias("__unit"),
    )
    frame = _resolved(edition, frame)
    units = _map(_UNIT_MAP, "unit_label", "quantity_unit")
    flows = _map(_FLOW_MAP, "flow_label", "flow_code")
    return frame.select(
        *RECORD_COLUMNS,
        pl.col("typeCode").alias("type_code"),
        pl.coalesce(
            "freqCode",
            pl.when(pl.col("reference_month").is_null()).then(pl.lit("A")).otherwise(pl.lit("M")),
        ).alias("freq_code"),
        "reference_year",
        "reference_month",
        pl.col("reporterCode").alias("reporter_code"),
        pl.col("partnerCode").alias("partner_code"),
        pl.col("partner2Code").alias("partner2_code"),
        pl.col("flowCode").replace(flows).alias("flow_code"),
        pl.coalesce("classificationCode", "classificationSearchCode").alias("classification"),
        "hs_code",
        pl.coalesce(
            _digits("aggrLevel").cast(pl.Int8, strict=False),
            pl.when(pl.col("hs_code") == "TOTAL")
            .then(0)
            .otherwise(pl.col("hs_code").str.len_chars())
            .cast(pl.Int8),
        ).alias("code_level"),
        pl.col("customsCode").alias("customs_code"),
        _code("motCode").alias("mot_code"),
        pl.col("primaryValue").alias("value_text"),
        _number("primaryValue").alias("primary_value_usd"),
        _number("cifvalue").alias("cif_value_usd"),
        _number("fobvalue").alias("fob_value_usd"),
        pl.col("netWgt").alias("net_weight_text"),
        _known_quantity("netWgt").alias("net_weight_kg"),
        pl.col("qty").alias("quantity_text"),
        _known_quantity("qty").alias("quantity"),
        pl.col("__unit").replace(units).alias("quantity_unit"),
        _flag("isReported").alias("is_reported"),
        _flag("isAggregate").alias("is_aggregate"),
        _flag("isNetWgtEstimated").alias("is_net_weight_estimated"),
        _flag("isQtyEstimated").alias("is_quantity_estimated"),
        _IS_PART,
        _reason(period).alias(QUARANTINE_REASON),
    )


def _reason(period: pl.Expr) -> pl.Expr:
    """Why a row cannot be let in, else null."""
    value = _number("primaryValue")

    def bad(column: str) -> pl.Expr:
        return pl.col(column).is_not_null() & _number(column).is_null()

    return (
        pl.when(
            ~pl.col("reference_year").is_between(_FIRST_YEAR, _LAST_YEAR).fill_null(value=False)
        )
        .then(pl.lit("year is unreadable"))
        .when(period.is_not_null() & ~period.str.contains(r"^\d{4}(?:0[1-9]|1[0-2]|52)?$"))
        .then(pl.lit("period is unreadable"))
        .when(period.str.slice(0, 4) != pl.col("reference_year").cast(pl.String))
        .then(pl.lit("period and year differ"))
        .when(pl.col("reporterCode").is_null() | pl.col("partnerCode").is_null())
        .then(pl.lit("reporter or partner is blank"))
        .when(pl.col("flowCode").is_null())
        .then(pl.lit("flow is blank"))
        .when(~pl.col("hs_code").str.contains(_CODE).fill_null(value=False))
        .then(pl.lit("not a commodity code"))
        .when(pl.col("primaryValue").is_null())
        .then(pl.lit("value is blank"))
        .when(value.is_null())
        .then(pl.lit("value is unreadable"))
        .when(value < 0)
        .then(pl.lit("value is negative"))
        .when(bad("netWgt") | bad("qty"))
        .then(pl.lit("weight or quantity is unreadable"))
        .when((_number("netWgt") < 0) | (_number("qty") < 0))
        .then(pl.lit("weight or quantity is negative"))
        .when(bad("cifvalue") | bad("fobvalue"))
        .then(pl.lit("CIF or FOB value is unreadable"))
    )


def _resolved(edition: Edition, frame: pl.DataFrame) -> pl.DataFrame:
    """``frame``, once all its area, flow and unit codes are in the maps.

    :raises UnknownLabel: one is not.
    """
    countries = known_labels(load_catalog().source(edition.source_id).country_maps)
    for column, kind, known in (
        ("reporterCode", "country", countries),
        ("partnerCode", "country", countries),
        ("partner2Code", "country", countries),
        ("flowCode", "flow", known_labels([_FLOW_MAP])),
        ("__unit", "quantity unit", known_labels([_UNIT_MAP])),
    ):
        lost = set(frame.get_column(column).drop_nulls().unique().to_list()) - known
        if lost:
            resolve_labels(
                frame.filter(pl.col(column).is_in(list(lost))),
                column,
                known,
                edition=edition,
                kind=kind,
                into="__label",
                marks=False,
            )
    return frame


def _totals(frame: pl.DataFrame) -> pl.DataFrame:
    """Add ``is_total`` and ``n_rows_of_key`` over the rows that are let in.

    A row that its codes call a breakdown is never the total. Among the others of a key the one of
    the largest value is: a total is at least as large as each of its parts. A key of which only
    breakdowns were asked for has no total.
    """
    good = pl.col(QUARANTINE_REASON).is_null()
    candidate = good & ~pl.col(_IS_PART)
    value = pl.when(candidate).then(pl.col("primary_value_usd"))
    return (
        frame.with_columns(
            good.sum().over(KEY).cast(pl.Int32).alias("n_rows_of_key"),
            (candidate & (value == value.max().over(KEY))).alias("__is_largest"),
        )
        .with_columns(
            (pl.col("__is_largest") & pl.struct(*KEY, "__is_largest").is_first_distinct()).alias(
                "is_total"
            )
        )
        .drop("__is_largest", _IS_PART)
    )
