"""United Nations Statistics Division, standard country or area codes (M49).

One row an area: its three-digit M49 code, its ISO 3166-1 codes, and the regions it lies in. Two
layouts: UNSD's own download (CSV with commas or semicolons, or XLSX), and the compilation
``country-codes.csv``, where the codes stand among those of many other agencies. Codes are text:
M49 is padded to three digits, and Namibia's alpha-2 is the letters ``NA``.
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
from pipelines.sources.codelists import ISO2, ISO3, Layout, match, numeric_code, tick
from pipelines.sources.corrections import apply_corrections
from pipelines.sources.grids import read_grids

__all__ = ["TABLES", "parse"]

AREA = "raw_un_m49__area"

_TEXTS = (
    "global_code",
    "global_name",
    "region_code",
    "region_name",
    "sub_region_code",
    "sub_region_name",
    "intermediate_region_code",
    "intermediate_region_name",
    "area_text",
    "m49_text",
    "m49_code",
    "iso2_code",
    "iso3_code",
)
_GROUPS = ("is_ldc", "is_lldc", "is_sids")

TABLES: dict[str, TableSpec] = {
    AREA: TableSpec(
        columns={
            **RECORD_COLUMNS,
            **dict.fromkeys(_TEXTS, pl.String()),
            **dict.fromkeys(_GROUPS, pl.Boolean()),
        },
        key=("document_name", "m49_code"),
    ),
}

_REGIONS = {
    "global_code": "Global Code",
    "global_name": "Global Name",
    "region_code": "Region Code",
    "region_name": "Region Name",
    "sub_region_code": "Sub-region Code",
    "sub_region_name": "Sub-region Name",
    "intermediate_region_code": "Intermediate Region Code",
    "intermediate_region_name": "Intermediate Region Name",
    "is_ldc": "Least Developed Countries (LDC)",
    "is_lldc": "Land Locked Developing Countries (LLDC)",
    "is_sids": "Small Island Developing States (SIDS)",
}
_LAYOUTS = (
    Layout(
        columns={
            **_REGIONS,
            "area_text": "Country or Area",
            "m49_text": "M49 Code",
            "iso2_code": "ISO-alpha2 Code",
            "iso3_code": "ISO-alpha3 Code",
        },
        passed_over=frozenset({"Developed / Developing Countries"}),
    ),
    Layout(
        columns={
            **_REGIONS,
            "area_text": "CLDR display name",
            "m49_text": "M49",
            "iso2_code": "ISO3166-1-Alpha-2",
            "iso3_code": "ISO3166-1-Alpha-3",
        },
        is_compilation=True,
    ),
)


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """Every area of the lists.

    :raises DocumentUnreadable: no list of areas, or a header that is not known.
    """
    frames: list[pl.DataFrame] = []
    found: list[str] = []
    for part in parts(documents):
        found.append(part.name)
        for grid in read_grids(part):
            hit = match(grid, _LAYOUTS)
            if hit is not None:
                frames.append(_areas(grid.placed(grid.select(*hit), edition)))
    if not frames:
        raise DocumentUnreadable(
            "no list of areas (expected the columns Country or Area, M49 Code, ...)",
            where=", ".join(found[:5]) or edition.edition_id,
            remedy="import the CSV of https://unstats.un.org/unsd/methodology/m49/overview/",
        )
    return Parsed.of(TABLES, apply_corrections(edition, {AREA: pl.concat(frames)}))


def _areas(frame: pl.DataFrame) -> pl.DataFrame:
    regions = ("global_code", "region_code", "sub_region_code", "intermediate_region_code")
    frame = frame.with_columns(
        numeric_code("m49_text").alias("m49_code"),
        *(numeric_code(c).alias(c) for c in regions),
        *(pl.col(c).str.strip_chars().name.keep() for c in ("iso2_code", "iso3_code")),
        *(tick(c).alias(c) for c in _GROUPS),
    )
    reason = (
        pl.when(pl.col("m49_code").is_null())
        .then(pl.lit("M49 code is not a number of up to three digits"))
        .when(pl.col("area_text").is_null())
        .then(pl.lit("area has no name"))
        .when(~pl.col("iso2_code").str.contains(ISO2) | ~pl.col("iso3_code").str.contains(ISO3))
        .then(pl.lit("ISO code is not two or three capital letters"))
        .when(pl.col("iso2_code").is_null() != pl.col("iso3_code").is_null())
        .then(pl.lit("one of the two ISO codes is missing"))
        .otherwise(None)
    )
    return frame.with_columns(reason.alias(QUARANTINE_REASON)).select(
        *TABLES[AREA].columns, QUARANTINE_REASON
    )
