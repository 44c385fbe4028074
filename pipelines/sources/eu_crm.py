"""European Commission, study on the critical raw materials for the EU: supply shares, SR and EI.

The study comes as a report; its annex tables circulate as CSV with the headers ``Material, Stage,
Country, Share, t`` (one file for the world, one for EU sourcing) and ``Material, Year, SR, EI``.
The two share files have the same columns, so the file name says which is which.

* A share is printed in percent of its material, stage and scope (``4%``, ``<0.1%``). Shares of a
  material need not add up to 100: the study rounds, and leaves small suppliers out.
* ``Stage``: ``E`` extraction, ``P`` processing. ``t`` is the trade parameter of the supply risk
  formula (no unit; 1 is neutral, below 1 inside the EU and with trade partners, above 1 where
  exports are restricted).
* ``SR`` supply risk and ``EI`` economic importance are indices (0 to about 10); ``-`` says that
  the material was not assessed in that year.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources.base import (
    CELL_COLUMNS,
    QUARANTINE_REASON,
    Document,
    Parsed,
    Part,
    TableSpec,
    parts,
)
from pipelines.sources.corrections import apply_corrections
from pipelines.sources.grids import Grid, read_grids
from pipelines.sources.labels import clean, known_labels, resolve_labels
from pipelines.sources.tokens import parse_values

__all__ = ["TABLES", "parse"]

SHARE = "raw_eu_crm__supply_share"
CRITICALITY = "raw_eu_crm__criticality"

TABLES: dict[str, TableSpec] = {
    SHARE: TableSpec(
        columns={
            **CELL_COLUMNS,
            "scope": pl.String(),
            "material_text": pl.String(),
            "material_label": pl.String(),
            "stage_text": pl.String(),
            "stage": pl.String(),
            "country_text": pl.String(),
            "country_label": pl.String(),
            "trade_parameter_text": pl.String(),
            "trade_parameter": pl.Float64(),
            "period_start_year": pl.Int32(),
            "reference_year": pl.Int32(),
        },
        key=("scope", "material_label", "stage", "country_label"),
    ),
    CRITICALITY: TableSpec(
        columns={
            **CELL_COLUMNS,
            "material_text": pl.String(),
            "material_label": pl.String(),
            "assessment_year": pl.Int32(),
            "measure": pl.String(),
        },
        key=("material_label", "assessment_year", "measure"),
    ),
}

_SHARE_HEADERS = ("Material", "Stage", "Country", "Share", "t")
_CRITICALITY_HEADERS = ("Material", "Year", "SR", "EI")
#: Tables of the study that say nothing of suppliers: shares of uses, and groupings of materials.
_OTHER_TABLES = (
    frozenset({"material", "application", "share"}),
    frozenset({"screened_material"}),
)
_STAGES = {"E": "mine", "P": "refining"}
_MEASURES = {"SR": "sr", "EI": "ei"}
_WORDS = {"-": "not_available", "–": "not_available", "n/a": "not_available"}
_STUDY_NAME = re.compile(r"(?i)eu[ _\-]*(?:crm|critical[ _\-]*raw[ _\-]*materials?)")
_WORLD = re.compile(r"(?i)global|world")
_EU = re.compile(r"(?i)(?:^|[^a-z])eu(?:27|28)?(?:$|[^a-z0-9]|supply|sourcing|share)")
_PERIOD = re.compile(r"((?:19|20)\d{2})\D{1,3}((?:19|20)\d{2})")


@dataclass(frozen=True, slots=True)
class _Period:
    """Years that the study's shares are a mean of; both null where the catalogue does not say."""

    start: int | None
    end: int | None

    @classmethod
    def of(cls, edition: Edition) -> _Period:
        known = load_catalog().source("eu_crm").known(edition.label)
        match = _PERIOD.search(edition.layout or (known.layout if known else None) or "")
        return cls(int(match[1]), int(match[2])) if match else cls(None, None)


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """Every share and index of the documents.

    :raises DocumentUnreadable: no document of the study, a changed header, or a share file whose
        name tells neither world nor EU.
    :raises UnknownLabel: a material, stage or country that no map knows.
    """
    period = _Period.of(edition)
    frames: dict[str, list[pl.DataFrame]] = {SHARE: [], CRITICALITY: []}
    found: list[str] = []
    for part in parts(documents):
        found.append(part.name)
        for grid in read_grids(part):
            table, columns, header_row = _layout(grid)
            if table == SHARE:
                frames[SHARE].append(_shares(edition, grid, columns, header_row, period))
            elif table == CRITICALITY:
                frames[CRITICALITY].append(_criticality(edition, grid, columns, header_row))
    tables = {name: pl.concat(pieces) for name, pieces in frames.items() if pieces}
    if not tables:
        raise DocumentUnreadable(
            "no table of the critical raw materials study "
            f"(expected the columns {', '.join(_SHARE_HEADERS)} or "
            f"{', '.join(_CRITICALITY_HEADERS)})",
            where=", ".join(found[:5]) or edition.edition_id,
            remedy="import the CSV files of the study's annex",
        )
    return Parsed.of(TABLES, apply_corrections(edition, tables))


def _layout(grid: Grid) -> tuple[str | None, dict[str, int], int]:
    """Which table ``grid`` is, its columns by header, and the row of the header."""
    header_row, cells = next(grid.head(1), (0, {}))
    headers: dict[str, int] = {}
    for number, text in cells.items():
        if text.casefold() in headers:
            raise DocumentUnreadable(f"column {text!r} stands twice", where=grid.place)
        headers[text.casefold()] = number
    names = set(headers)
    if any(known <= names for known in _OTHER_TABLES):
        return None, {}, header_row
    for table, wanted in ((SHARE, _SHARE_HEADERS), (CRITICALITY, _CRITICALITY_HEADERS)):
        expected = {w.casefold(): w for w in wanted}
        if len(names & set(expected)) < 2:
            continue
        missing = [w for c, w in expected.items() if c not in names]
        unknown = [cells[headers[n]] for n in headers if n not in expected]
        if missing or unknown:
            what = [f"column {m!r} is missing" for m in missing]
            what += [f"column {u!r} is not known" for u in unknown]
            raise DocumentUnreadable(
                "; ".join(what),
                where=grid.place,
                remedy=f"expected {', '.join(wanted)}",
            )
        grid.refuse_stray(header_row, frozenset(headers.values()))
        return table, {expected[n]: number for n, number in headers.items()}, header_row
    return None, {}, header_row


def _scope(part: Part) -> str:
    """``world`` or ``eu``, as the file name tells."""
    name = _STUDY_NAME.sub(" ", part.base_name)
    if _WORLD.search(name):
        return "world"
    if _EU.search(name):
        return "eu"
    raise DocumentUnreadable(
        "the file name tells neither world nor EU shares, and the columns are the same",
        where=part.name,
        remedy="name it with Global or EU, such as fact_GlobalSupplyShares.csv",
    )


def _material(edition: Edition, frame: pl.DataFrame) -> pl.DataFrame:
    return resolve_labels(
        frame,
        "material_text",
        known_labels(["material__eu_crm"]),
        edition=edition,
        kind="material",
        into="material_label",
        marks=False,
    )


def _shares(
    edition: Edition, grid: Grid, columns: dict[str, int], header_row: int, period: _Period
) -> pl.DataFrame:
    frame = grid.select(
        header_row,
        {
            "material_text": columns["Material"],
            "stage_text": columns["Stage"],
            "country_text": columns["Country"],
            "value_text": columns["Share"],
            "trade_parameter_text": columns["t"],
        },
    )
    frame = _material(edition, grid.placed(frame, edition))
    frame = resolve_labels(
        frame,
        "country_text",
        known_labels(["country__eu_crm"]),
        edition=edition,
        kind="country",
        into="country_label",
        marks=False,
    )
    frame = frame.with_columns(
        clean(pl.col("stage_text"))
        .str.to_uppercase()
        .replace_strict(_STAGES, default=None, return_dtype=pl.String)
        .alias("stage"),
        clean(pl.col("trade_parameter_text"))
        .cast(pl.Float64, strict=False)
        .alias("trade_parameter"),
        clean(pl.col("value_text")).str.replace(r"\s*%$", "").alias("__percent"),
        pl.lit(_scope(grid.part)).alias("scope"),
        pl.lit(columns["Share"]).alias("column_number"),
        pl.lit("Share").alias("column_name"),
        pl.lit(period.start, pl.Int32).alias("period_start_year"),
        pl.lit(period.end, pl.Int32).alias("reference_year"),
    )
    unknown = frame.filter(pl.col("stage").is_null() & pl.col("stage_text").is_not_null())
    if unknown.height:
        row = unknown.row(0, named=True)
        raise UnknownLabel(
            f"unknown stage {row['stage_text']!r} in {edition.edition_id}",
            where=f"{grid.place}, row {row['row_number']}",
            remedy="the study writes E (extraction) or P (processing)",
        )
    frame = parse_values(frame, _WORDS, text="__percent", upper=pl.lit(100.0))
    _refuse_fractions(grid, frame)
    reason = (
        pl.when(pl.any_horizontal(pl.col("material_text", "stage_text", "country_text").is_null()))
        .then(pl.lit("material, stage or country is blank"))
        .when(pl.col("value_flag") == "unreadable")
        .then(pl.lit("share is not a number"))
        .when((pl.col("value_low") < 0) | (pl.col("value_high") > 100))
        .then(pl.lit("share is below 0 or above 100 percent"))
        .when(
            pl.col("trade_parameter_text").is_not_null()
            & ~(pl.col("trade_parameter") > 0).fill_null(value=False)
        )
        .then(pl.lit("trade parameter is not a number above zero"))
        .otherwise(None)
    )
    return frame.with_columns(reason.alias(QUARANTINE_REASON)).select(
        *TABLES[SHARE].columns, QUARANTINE_REASON
    )


def _refuse_fractions(grid: Grid, frame: pl.DataFrame) -> None:
    """Refuse a file whose shares look like fractions of 1: no percent sign, none above 1."""
    numbers = frame.filter(pl.col("value").is_not_null())
    signs = numbers.get_column("value_text").str.contains("%").sum()
    highest = numbers.get_column("value").max()
    if numbers.height > 1 and not signs and isinstance(highest, float) and highest <= 1:
        raise DocumentUnreadable(
            "shares carry no percent sign and none is above 1: they look like fractions",
            where=grid.place,
            remedy="write them in percent, as the study prints them",
        )


def _criticality(
    edition: Edition, grid: Grid, columns: dict[str, int], header_row: int
) -> pl.DataFrame:
    frame = grid.select(
        header_row,
        {
            "material_text": columns["Material"],
            "__year": columns["Year"],
            "SR": columns["SR"],
            "EI": columns["EI"],
        },
    )
    frame = _material(edition, grid.placed(frame, edition))
    year = clean(pl.col("__year")).str.extract(r"^((?:19|20)\d{2})(?:\.0)?$").cast(pl.Int32)
    frame = (
        frame.with_columns(year.alias("assessment_year"))
        .unpivot(
            on=list(_MEASURES),
            index=[c for c in (*frame.columns, "assessment_year") if c not in _MEASURES],
            variable_name="column_name",
            value_name="value_text",
        )
        .with_columns(
            pl.col("column_name").replace_strict(_MEASURES).alias("measure"),
            pl.col("column_name")
            .replace_strict({m: columns[m] for m in _MEASURES}, return_dtype=pl.Int32)
            .alias("column_number"),
        )
        .sort("row_number", "column_number")
    )
    frame = parse_values(frame, _WORDS)
    reason = (
        pl.when(pl.col("material_text").is_null())
        .then(pl.lit("material is blank"))
        .when(pl.col("assessment_year").is_null())
        .then(pl.lit("year of the assessment is not a year"))
        .when(pl.col("value_flag") == "unreadable")
        .then(pl.lit("index is not a number"))
        .when(pl.col("value") < 0)
        .then(pl.lit("index is below zero"))
        .otherwise(None)
    )
    return frame.with_columns(reason.alias(QUARANTINE_REASON)).select(
        *TABLES[CRITICALITY].columns, QUARANTINE_REASON
    )
