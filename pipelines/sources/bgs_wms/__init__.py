"""British Geological Survey, World Mineral Statistics: production by country and year since 1970.

Documents: pages of the OGC API (GeoJSON) and its CSV exports. Both carry the same fields, found by
name: their order differs between exports, newer ones add ``synthetic_id``, ``x`` and ``y`` may
lack. A field that is not known here is passed over. An edition is production of the commodities
that are mapped; imports and exports are counted and left out.

Pages tell how many features match (``numberMatched``). The pages of one request must agree in it,
hold no feature twice and together as many as they tell, else the edition is refused.

Units differ within a commodity (``tonnes (metric)``, ``kilograms (metal content)``). Nil is printed
``-----``, not available ``...``; ``0`` is nil or below half a unit, which the precision tells. An
estimate is told by the notes of a figure only. Years of some countries end in March or June, as the
notes say. There is no world total. Countries are matched by name: the codes beside it are not
reliable.

Sub-commodities overlap (lithium minerals and their lithium content, rare-earth minerals and
oxides): ``series__bgs_wms`` says which may be summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources.base import (
    CELL_COLUMNS,
    QUARANTINE_REASON,
    Document,
    Parsed,
    TableSpec,
)
from pipelines.sources.bgs_wms.fetch import fetch
from pipelines.sources.bgs_wms.reading import COLUMN, read_features
from pipelines.sources.corrections import apply_corrections
from pipelines.sources.label_maps import attach
from pipelines.sources.labels import clean, known_labels, resolve_labels
from pipelines.sources.tokens import parse_values

__all__ = ["TABLES", "fetch", "parse"]

PRODUCTION = "raw_bgs_wms__production"

TABLES: dict[str, TableSpec] = {
    PRODUCTION: TableSpec(
        columns={
            **CELL_COLUMNS,
            "quantity_text": pl.String(),
            "precision_text": pl.String(),
            "commodity_text": pl.String(),
            "sub_commodity_text": pl.String(),
            "commodity_label": pl.String(),
            "series_label": pl.String(),
            "yearbook_table_text": pl.String(),
            "country_text": pl.String(),
            "country_label": pl.String(),
            "country_iso3_text": pl.String(),
            "reference_year": pl.Int16(),
            "unit_label": pl.String(),
            "figure_notes_text": pl.String(),
            "table_notes_text": pl.String(),
        },
        key=("series_label", "country_label", "reference_year", "yearbook_table_text"),
    )
}

_STATISTIC = "Production"
_OTHER_STATISTICS = frozenset({"Imports", "Exports"})
_VOCABULARY = {"-----": "zero", "...": "not_available", "": "not_available"}
#: What ``data_precision_description`` says of a figure; null says nothing.
_BELOW_HALF = "Quantity is more than 0 but less than 0.5"
_PRECISIONS = frozenset({_BELOW_HALF, "Figures not available", "Nil (nothing produced)"})
#: Two printings of one figure may differ by rounding.
_ROUNDING = 0.5
_YEAR = r"^((?:19|20)\d{2})(?:-01-01(?:[T ]00:00:00(?:\.0+)?Z?)?)?$"


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """All figures of production, in the units in which they are printed.

    :raises DocumentUnreadable: as :func:`~pipelines.sources.bgs_wms.reading.read_features`; or no
        figure of production among the features.
    :raises UnknownLabel: a commodity, series, unit, country, precision or kind of statistic that
        is in no map, or a unit that contradicts what the series weighs.
    """
    frame = read_features(edition, documents)
    frame, left_out = _production(edition, frame)
    frame = _named(edition, frame)
    figures = _figures(frame)
    parsed = Parsed.of(TABLES, apply_corrections(edition, {PRODUCTION: figures}))
    return replace(parsed, out_of_scope={PRODUCTION: left_out} if left_out else {})


def _production(edition: Edition, frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The rows of production, and how many others there are."""
    known = frozenset({_STATISTIC}) | _OTHER_STATISTICS
    kind = clean(pl.col("bgs_statistic_type_trans"))
    frame = resolve_labels(
        frame.with_columns(kind.fill_null("")),
        "bgs_statistic_type_trans",
        known,
        edition=edition,
        kind="kind of statistic",
        into="__statistic",
        marks=False,
    )
    mine = frame.filter(pl.col("__statistic") == _STATISTIC)
    if mine.is_empty():
        raise DocumentUnreadable(
            "no figure of production",
            where=frame.get_column("document_name")[0],
            remedy=f"ask with bgs_statistic_type_trans={_STATISTIC}",
        )
    return mine, frame.height - mine.height


def _named(edition: Edition, frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with the labels of commodity, series, country and unit."""
    frame = frame.with_columns(
        clean(pl.col("bgs_sub_commodity_trans")).replace("", None).alias("__sub"),
        clean(pl.col("data_precision_description")).replace("", None).alias("__precision"),
        # A blank is a name as well, and one that no map knows.
        pl.col("bgs_commodity_trans", "units").fill_null(""),
    )
    for column, known, kind, into in (
        (
            "bgs_commodity_trans",
            known_labels(["commodity__bgs_wms"]),
            "commodity",
            "commodity_label",
        ),
        (
            "country_trans",
            known_labels(load_catalog().source(edition.source_id).country_maps),
            "country",
            "country_label",
        ),
        ("units", known_labels(["unit__bgs_wms"]), "unit", "unit_label"),
        ("__precision", _PRECISIONS, "precision", "__precision"),
    ):
        frame = resolve_labels(
            frame, column, known, edition=edition, kind=kind, into=into, marks=False
        )
    frame = attach(frame, "commodity_label", "commodity__bgs_wms", {"is_used": "__is_used"})
    is_used = pl.col("__is_used") == "true"
    frame = frame.with_columns(
        pl.concat_str("commodity_label", "__sub", separator=": ", ignore_nulls=True).alias(
            "__series"
        )
    )
    used = resolve_labels(
        frame.filter(is_used),
        "__series",
        known_labels(["series__bgs_wms"]),
        edition=edition,
        kind="series",
        into="series_label",
        marks=False,
    )
    unused = frame.filter(~is_used).with_columns(pl.col("__series").alias("series_label"))
    _refuse_contradicting_unit(edition, used)
    return pl.concat([used, unused]).sort("__order")


def _refuse_contradicting_unit(edition: Edition, frame: pl.DataFrame) -> None:
    """:raises UnknownLabel: a unit of metal content where the series weighs something else."""
    told = attach(frame, "series_label", "series__bgs_wms", {"basis": "__basis"})
    told = attach(told, "unit_label", "unit__bgs_wms", {"content": "__content"})
    wrong = told.filter((pl.col("__content") == "metal") & (pl.col("__basis") != "element_t"))
    if wrong.height:
        row = wrong.row(0, named=True)
        raise UnknownLabel(
            f"series {row['series_label']!r} in {row['unit_label']!r}, but its basis is "
            f"{row['__basis']}, in {edition.edition_id}",
            where=f"{row['document_name']}, row {row['row_number']}",
            remedy="the publisher counts it anew: correct series__bgs_wms in "
            "dbt_project/seeds/labels",
        )


def _is_estimate() -> pl.Expr:
    """Whether the notes of a figure call it an estimate."""
    words = pl.col("concat_figure_notes_text").str.to_lowercase().str.split("|")
    marks = pl.col("concat_figure_notes_code").str.split("|")
    return (
        words.list.eval(pl.element().str.contains(r"^\s*estimates?\.?\s*$")).list.any()
        | marks.list.eval(pl.element().str.strip_chars() == "*").list.any()
    ).fill_null(value=False)


def _figures(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of the table, with ``quarantine_reason``."""
    quantity = pl.col("quantity").str.strip_chars()
    frame = frame.with_columns(
        pl.coalesce(pl.col(COLUMN), quantity).alias("value_text"),
        _is_estimate().alias("__is_estimate"),
        quantity.cast(pl.Float64, strict=False).alias("__quantity"),
        clean(pl.col("year")).str.extract(_YEAR).cast(pl.Int16).alias("reference_year"),
    )
    frame = parse_values(frame, _VOCABULARY, estimated=pl.col("__is_estimate"))
    below = (pl.col("__precision") == _BELOW_HALF).fill_null(value=False)
    is_figure = pl.col("value").is_not_null()
    frame = frame.with_columns(
        pl.when(below & (pl.col("value") == 0))
        .then(pl.lit("below_half_unit"))
        .otherwise("value_flag")
        .alias("value_flag")
    ).with_columns(
        pl.when(pl.col("value_flag") != "below_half_unit").then("value").alias("value"),
        pl.when(pl.col("value_flag") == "below_half_unit")
        .then(0.5)
        .otherwise("value_high")
        .alias("value_high"),
    )
    contradicts = (
        (pl.col("__precision") == "Figures not available")
        & (pl.col("value_flag") != "not_available")
    ) | ((pl.col("__precision") == "Nil (nothing produced)") & (pl.col("value_flag") != "zero"))
    reason = (
        pl.when(pl.col("reference_year").is_null())
        .then(pl.lit("year is not a year"))
        .when(pl.col("country_label").is_null())
        .then(pl.lit("country is blank"))
        .when(pl.col("value_flag") == "unreadable")
        .then(pl.lit("figure is unreadable"))
        .when(
            quantity.is_not_null()
            & (quantity != "")
            & ~pl.col("__quantity").is_finite().fill_null(value=False)
        )
        .then(pl.lit("quantity is unreadable"))
        .when((pl.col("value") < 0) | (pl.col("__quantity") < 0))
        .then(pl.lit("figure is negative"))
        .when(contradicts | (below & (pl.col("value_flag") != "below_half_unit")))
        .then(pl.lit("figure contradicts its precision"))
        .when(
            is_figure
            & pl.col("__quantity").is_not_null()
            & ((pl.col("value") - pl.col("__quantity")).abs() > _ROUNDING)
        )
        .then(pl.lit("figure and its printed form differ"))
        .when(pl.col("value_flag").is_in(["not_available"]) & (pl.col("__quantity") > 0))
        .then(pl.lit("figure and its printed form differ"))
    )
    return frame.select(
        *CELL_COLUMNS,
        pl.col("quantity").alias("quantity_text"),
        pl.col("data_precision_description").alias("precision_text"),
        pl.col("bgs_commodity_trans").alias("commodity_text"),
        pl.col("bgs_sub_commodity_trans").alias("sub_commodity_text"),
        "commodity_label",
        "series_label",
        pl.col("yearbook_table_trans").alias("yearbook_table_text"),
        pl.col("country_trans").alias("country_text"),
        "country_label",
        pl.col("country_iso3_code").alias("country_iso3_text"),
        "reference_year",
        "unit_label",
        pl.col("concat_figure_notes_text").alias("figure_notes_text"),
        pl.col("concat_table_notes_text").alias("table_notes_text"),
        reason.alias(QUARANTINE_REASON),
    )
