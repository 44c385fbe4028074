"""Eurostat Comext: trade of EU members by partner and code of the Combined Nomenclature, monthly.

Two layouts, told by their headers:

``interface``
    answers in SDMX-CSV (``DATAFLOW, LAST UPDATE, freq, reporter, partner, product, flow,
    indicators, TIME_PERIOD, OBS_VALUE, OBS_FLAG``): a row an indicator; weights in 100 kg;
``bulk``
    the monthly files (``full_v2_YYYYMM.7z`` holding one ``.dat``, or that alone): a row a flow,
    trade type, mode of transport and statistical procedure, with value, weight and supplementary
    quantity side by side. Of these only the codes that are asked for are let in (``keep_codes``),
    and with them what is kept back below the same six digits (``850511XX``).

The raw table has a row an indicator in both. ``value`` is in EUR, kg, or the supplementary unit.
The interface gives groups of countries beside their members, and GB beside its parts XI and XU:
``partner_part_of`` says so. The value in national currency of the bulk files is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.settings import Settings
from pipelines.sources.base import (
    QUARANTINE_REASON,
    RECORD_COLUMNS,
    Document,
    Parsed,
    TableSpec,
)
from pipelines.sources.eurostat_comext.fetch import fetch
from pipelines.sources.eurostat_comext.reading import DIMENSIONS, read_rows
from pipelines.sources.label_maps import attach
from pipelines.sources.labels import known_labels, resolve_labels
from pipelines.sources.national_codes import national_codes

__all__ = ["TABLES", "fetch", "mapped_codes", "parse"]

TRADE = "raw_eurostat_comext__trade"
SYSTEM = "CN8"

_KEY = (
    "freq_code",
    "reporter_code",
    "partner_code",
    "product_code",
    "flow_code",
    "trade_type",
    "transport_mode",
    "stat_procedure",
    "reference_year",
    "reference_month",
    "indicator",
)

TABLES: dict[str, TableSpec] = {
    TRADE: TableSpec(
        columns={
            **RECORD_COLUMNS,
            "layout": pl.String(),
            "dataflow": pl.String(),
            "last_update_text": pl.String(),
            "freq_code": pl.String(),
            "reference_year": pl.Int16(),
            "reference_month": pl.Int8(),
            "reporter_code": pl.String(),
            "partner_code": pl.String(),
            "partner_part_of": pl.String(),
            "product_code": pl.String(),
            "code_level": pl.Int8(),
            "flow_code": pl.String(),
            "flow": pl.String(),
            "valuation": pl.String(),
            "trade_type": pl.String(),
            "transport_mode": pl.String(),
            "stat_procedure": pl.String(),
            "supplementary_unit": pl.String(),
            "indicator": pl.String(),
            "measure": pl.String(),
            "value_text": pl.String(),
            "value": pl.Float64(),
            "obs_flag": pl.String(),
            "is_confidential": pl.Boolean(),
        },
        key=_KEY,
    )
}

_FIRST_YEAR, _LAST_YEAR = 1976, 2100
_PERIOD = r"^(\d{4})(?:-?(\d{2}))?$"
#: Stands for the months of a year in the bulk files.
_WHOLE_YEAR = 52
_CODE = r"^(?:TOTAL|[0-9A-Z]{2,8})$"
_KEPT_BACK = r"^\d+X+$"
#: No supplementary unit.
_NO_UNIT = "NO_SU"


def mapped_codes(seeds: Path | None = None) -> frozenset[str]:
    """Codes of the Combined Nomenclature that are asked for, of any year, for ``keep_codes``."""
    return frozenset(national_codes(seeds or Settings().seeds_dir, SYSTEM))


def parse(
    edition: Edition,
    documents: Sequence[Document],
    *,
    keep_codes: AbstractSet[str] | None = None,
) -> Parsed:
    """All rows of answers of the interface; of bulk files those of ``keep_codes``.

    :param keep_codes: codes of eight digits; flows of others in bulk files are counted in
        ``Parsed.out_of_scope``. None lets all in.
    :raises DocumentUnreadable: as :func:`~.reading.read_rows`; or no row is left.
    :raises UnknownLabel: a reporter, partner, flow or indicator is in no map.
    """
    frame, left_out = read_rows(edition, documents, keep_codes=keep_codes)
    if frame.is_empty() and not left_out:
        names = ", ".join(d.name for d in documents[:4])
        raise DocumentUnreadable(
            f"no trade in it ({names})", remedy="ask for codes and months that have trade"
        )
    frame = _typed(_resolved(edition, frame))
    parsed = Parsed.of(TABLES, {TRADE: frame})
    return replace(parsed, out_of_scope={TRADE: left_out} if left_out else {})


def _resolved(edition: Edition, frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with what the maps say, once all its codes are in them.

    :raises UnknownLabel: one is not.
    """
    countries = known_labels(load_catalog().source(edition.source_id).country_maps)
    frame = frame.with_columns(pl.col(DIMENSIONS).fill_null(""))
    for column, known, kind in (
        ("reporter", countries, "country"),
        ("partner", countries, "country"),
        ("flow", known_labels(["flow__eurostat_comext"]), "flow"),
        ("indicator", known_labels(["indicator__eurostat_comext"]), "indicator"),
    ):
        frame = resolve_labels(
            frame, column, known, edition=edition, kind=kind, into=column, marks=False
        )
    frame = attach(frame, "partner", "country__comext", {"part_of": "partner_part_of"})
    frame = frame.rename({"flow": "flow_code"})
    frame = attach(
        frame, "flow_code", "flow__eurostat_comext", {"flow": "flow", "valuation": "valuation"}
    )
    return attach(
        frame,
        "indicator",
        "indicator__eurostat_comext",
        {"measure": "measure", "factor": "__factor"},
    )


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of the table, with ``quarantine_reason``."""
    period = pl.col("period")
    number = pl.col("value_text").cast(pl.Float64, strict=False)
    month = period.str.extract(_PERIOD, 2).cast(pl.Int16)
    frame = frame.with_columns(
        period.str.extract(_PERIOD, 1).cast(pl.Int16).alias("reference_year"),
        month.alias("__month"),
        pl.when(number.is_finite()).then(number).alias("__number"),
        pl.col("product").str.to_uppercase().alias("product_code"),
    )
    is_month = pl.col("__month").is_between(1, 12)
    frequency = pl.coalesce("freq", pl.when(is_month).then(pl.lit("M")).otherwise(pl.lit("A")))
    is_kept_back = (
        pl.col("obs_flag").str.to_lowercase().str.contains("c", literal=True)
        | pl.col("product_code").str.contains(_KEPT_BACK)
    ).fill_null(value=False)
    reason = (
        pl.when(
            ~pl.col("reference_year").is_between(_FIRST_YEAR, _LAST_YEAR).fill_null(value=False)
            | ~(pl.col("__month").is_null() | is_month | (pl.col("__month") == _WHOLE_YEAR))
        )
        .then(pl.lit("period is unreadable"))
        .when(frequency != pl.when(is_month).then(pl.lit("M")).otherwise(pl.lit("A")))
        .then(pl.lit("period and frequency differ"))
        .when(~pl.col("product_code").str.contains(_CODE))
        .then(pl.lit("not a product code"))
        .when(pl.col("value_text").is_not_null() & pl.col("__number").is_null())
        .then(pl.lit("value is unreadable"))
        .when(pl.col("__number") < 0)
        .then(pl.lit("value is negative"))
    )
    return frame.select(
        *RECORD_COLUMNS,
        "layout",
        "dataflow",
        pl.col("last_update").alias("last_update_text"),
        frequency.alias("freq_code"),
        "reference_year",
        pl.when(is_month).then("__month").cast(pl.Int8).alias("reference_month"),
        pl.col("reporter").alias("reporter_code"),
        pl.col("partner").alias("partner_code"),
        "partner_part_of",
        "product_code",
        pl.when(pl.col("product_code") == "TOTAL")
        .then(0)
        .otherwise(pl.col("product_code").str.len_chars())
        .cast(pl.Int8, strict=False)
        .alias("code_level"),
        "flow_code",
        "flow",
        "valuation",
        "trade_type",
        "transport_mode",
        "stat_procedure",
        pl.when(pl.col("supplementary_unit") != _NO_UNIT)
        .then("supplementary_unit")
        .alias("supplementary_unit"),
        "indicator",
        "measure",
        "value_text",
        (pl.col("__number") * pl.col("__factor").cast(pl.Float64)).alias("value"),
        "obs_flag",
        is_kept_back.alias("is_confidential"),
        reason.alias(QUARANTINE_REASON),
    )
