"""ISO 3166-1 country codes, from public compilations.

One row a country: alpha-2, alpha-3 and numeric code, all as text (Namibia's alpha-2 is the
letters ``NA``; numeric codes are padded to three digits). Two layouts: ``all.csv`` of
ISO-3166-Countries-with-Regional-Codes, and ``country-codes.csv`` of Frictionless Data.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import (
    QUARANTINE_REASON,
    RECORD_COLUMNS,
    Document,
    Parsed,
    TableSpec,
    parts,
)
from pipelines.sources.codelists import ISO2, ISO3, Layout, match, numeric_code
from pipelines.sources.corrections import apply_corrections
from pipelines.sources.grids import read_grids

__all__ = ["TABLES", "parse"]

COUNTRY = "raw_iso_3166__country"

_TEXTS = (
    "iso2_code",
    "iso3_code",
    "numeric_text",
    "numeric_code",
    "name_text",
    "region_name",
    "sub_region_name",
    "independence_text",
)

TABLES: dict[str, TableSpec] = {
    COUNTRY: TableSpec(
        columns={**RECORD_COLUMNS, **dict.fromkeys(_TEXTS, pl.String())},
        key=("document_name", "iso3_code"),
    ),
}

_LAYOUTS = (
    Layout(
        columns={
            "name_text": "name",
            "iso2_code": "alpha-2",
            "iso3_code": "alpha-3",
            "numeric_text": "country-code",
            "region_name": "region",
            "sub_region_name": "sub-region",
        },
        passed_over=frozenset(
            {
                "iso_3166-2",
                "intermediate-region",
                "region-code",
                "sub-region-code",
                "intermediate-region-code",
            }
        ),
    ),
    Layout(
        columns={
            "name_text": "CLDR display name",
            "iso2_code": "ISO3166-1-Alpha-2",
            "iso3_code": "ISO3166-1-Alpha-3",
            "numeric_text": "ISO3166-1-numeric",
            "region_name": "Region Name",
            "sub_region_name": "Sub-region Name",
            "independence_text": "is_independent",
        },
        is_compilation=True,
    ),
)


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """Every country of the lists.

    :raises DocumentUnreadable: no list of countries, or a header that is not known.
    """
    frames: list[pl.DataFrame] = []
    found: list[str] = []
    for part in parts(documents):
        found.append(part.name)
        for grid in read_grids(part):
            hit = match(grid, _LAYOUTS)
            if hit is not None:
                frames.append(_countries(grid.placed(grid.select(*hit), edition)))
    if not frames:
        raise DocumentUnreadable(
            "no list of countries (expected alpha-2, alpha-3 and numeric codes)",
            where=", ".join(found[:5]) or edition.edition_id,
            remedy="import all.csv or country-codes.csv of one of the compilations",
        )
    return Parsed.of(TABLES, apply_corrections(edition, {COUNTRY: pl.concat(frames)}))


def _countries(frame: pl.DataFrame) -> pl.DataFrame:
    if "independence_text" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("independence_text"))
    frame = frame.with_columns(
        numeric_code("numeric_text").alias("numeric_code"),
        *(pl.col(c).str.strip_chars().name.keep() for c in ("iso2_code", "iso3_code")),
    )
    reason = (
        pl.when(~pl.col("iso2_code").str.contains(ISO2).fill_null(value=False))
        .then(pl.lit("alpha-2 is not two capital letters"))
        .when(~pl.col("iso3_code").str.contains(ISO3).fill_null(value=False))
        .then(pl.lit("alpha-3 is not three capital letters"))
        .when(pl.col("numeric_code").is_null())
        .then(pl.lit("numeric code is not a number of up to three digits"))
        .when(pl.col("name_text").is_null())
        .then(pl.lit("country has no name"))
        .otherwise(None)
    )
    return frame.with_columns(reason.alias(QUARANTINE_REASON)).select(
        *TABLES[COUNTRY].columns, QUARANTINE_REASON
    )
