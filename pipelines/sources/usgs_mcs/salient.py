"""Salient statistics of the United States, by commodity, statistic, form and year.

Layouts (told by ``layouts.sniff``): until 2025 one file a commodity, a row a year and a column a
statistic; from 2026 on the sections "Salient Statistics" of the long file, a row a figure. Names
are read by :mod:`pipelines.sources.usgs_mcs.salient_grammar`. Units are the publisher's own
(``unit_label``); nothing is converted here but bounds in words ("Less than 50,000 tons" in a
column of million metric tons).

The last year of an edition is estimated: the summaries head its column with ``e``, the column
files say so in their metadata only, the long file row by row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources.base import CELL_COLUMNS, QUARANTINE_REASON, TableSpec
from pipelines.sources.labels import clean, resolve_labels
from pipelines.sources.tokens import parse_values
from pipelines.sources.usgs_mcs.layouts import ROW_NUMBER, Layout, Sheet, in_section
from pipelines.sources.usgs_mcs.salient_grammar import (
    FIXED_UNITS,
    Reading,
    Unit,
    Vocabulary,
    fold,
    read_header,
    read_line,
)

__all__ = ["SALIENT", "TABLES", "WORDS", "placed", "read", "resolve_commodities"]

SALIENT = "raw_usgs_mcs__salient"

TABLES: dict[str, TableSpec] = {
    SALIENT: TableSpec(
        columns={
            **CELL_COLUMNS,
            "chapter_text": pl.String(),
            "commodity_text": pl.String(),
            "commodity_label": pl.String(),
            "statistic_text": pl.String(),
            "repeat_number": pl.Int32(),
            "statistic": pl.String(),
            "form_label": pl.String(),
            "unit_text": pl.String(),
            "unit_label": pl.String(),
            "reference_year": pl.Int32(),
            "is_estimated_column": pl.Boolean(),
            "note_text": pl.String(),
            "basis_text": pl.String(),
            "critical_text": pl.String(),
        },
        key=("commodity_label", "statistic_text", "repeat_number", "reference_year"),
    )
}

#: Words of the summaries that stand in place of a number.
WORDS = {
    "na": "not_available",
    "w": "withheld",
    "xx": "not_applicable",
    "e": "net_exporter",
    "s": "below_half_unit",
    "less than ½ unit": "below_half_unit",
    "less than 1/2 unit": "below_half_unit",
    "less than one-half unit": "below_half_unit",
    "less than a half unit": "below_half_unit",
    "—": "zero",
    "–": "zero",
    "-": "zero",
    "--": "zero",
    "large": "qualitative",
    "moderate": "qualitative",
    "small": "qualitative",
    "very small": "qualitative",
    "variable": "qualitative",
}

_YEAR = r"^\s*[eE]?((?:19|20)\d{2})(?:\.0)?\s*e?\s*$"
_LESS_THAN = re.compile(r"^less than ([\d,]*\.?\d+) ([a-z ]+?)\.?$")
#: Statistics that may fall below zero: stocks that the Government takes up print as negative.
_SIGNED = ("shipments",)
_QUANTITIES = frozenset({"mass", "carat", "volume", "area", "value"})


def read(edition: Edition, sheet: Sheet) -> dict[str, pl.DataFrame]:
    """The salient statistics of a table of the data release; none if it holds none.

    :returns: ``{"raw_usgs_mcs__salient": rows}`` with ``quarantine_reason``.
    :raises DocumentUnreadable: a column is missing.
    :raises UnknownLabel: a commodity, statistic or unit is in no map.
    """
    if sheet.layout is Layout.SALIENT:
        frame = _read_columns(edition, sheet)
    elif sheet.layout is Layout.LONG:
        frame = _read_rows(edition, sheet)
    else:
        return {}
    return {SALIENT: frame} if frame.height else {}


def _read_columns(edition: Edition, sheet: Sheet) -> pl.DataFrame:
    vocabulary = Vocabulary.load()
    columns = sheet.columns
    roles = {fold(name).replace(" ", ""): c for c, name in reversed(columns.items())}
    source = roles.get("datasource") or roles.get("source")
    missing = ["DataSource"] * (source is None) + [
        name for name in ("Commodity", "Year") if name.lower() not in roles
    ]
    if missing or source is None:
        raise DocumentUnreadable(
            f"column missing: {', '.join(missing)}",
            where=f"{sheet.name}, row 1",
            remedy="the layout has changed: compare the header with the last edition's",
        )
    keys = {source: "release", roles["commodity"]: "commodity_text", roles["year"]: "year_text"}
    named = [c for c in columns if c not in keys]
    if not named:
        raise DocumentUnreadable("no column of statistics", where=f"{sheet.name}, row 1")
    seen = [fold(columns[c]) for c in named]
    repeats = {c: seen[: i + 1].count(seen[i]) for i, c in enumerate(named)}
    doubled = [c for i, c in enumerate(named) if seen.count(seen[i]) > 1]
    cells = (
        sheet.frame.unpivot(
            on=named, index=[ROW_NUMBER, *keys], variable_name="__c", value_name="value_text"
        )
        .rename(keys)
        .with_columns(
            pl.col("__c").str.slice(1).cast(pl.Int32).alias("column_number"),
            pl.col("__c").replace_strict(columns, return_dtype=pl.String).alias("column_name"),
            pl.col("__c").replace_strict(repeats, return_dtype=pl.Int32).alias("repeat_number"),
            clean(pl.col("release"))
            .str.replace_all(" ", "")
            .fill_null(clean(pl.col("release").drop_nulls().first()).str.replace_all(" ", "")),
        )
        .with_columns(
            pl.col("column_name").alias("statistic_text"),
            *(
                pl.lit(None, pl.String).alias(c)
                for c in ("chapter_text", "note_text", "basis_text", "critical_text")
            ),
        )
    )
    cells = resolve_commodities(edition, vocabulary, placed(edition, sheet, cells)).with_columns(
        pl.col("year_text").str.extract(_YEAR).cast(pl.Int32, strict=False).alias("reference_year")
    )
    names = ["release", "commodity_label", "column_name", "repeat_number"]
    readings: list[Reading] = []
    found = (
        cells.select(names)
        .filter(pl.col("commodity_label").is_not_null())
        .unique(maintain_order=True)
    )
    for release, commodity, name, repeat in found.iter_rows():
        reading = read_header(vocabulary, commodity, name, release=release or "", repeat=repeat)
        if isinstance(reading, str):
            if name:
                raise _unreadable(edition, f"{sheet.name}, row 1", reading)
            reading = Reading("", "", None, None, fault="content in a column without a name")
        readings.append(reading)
    readings = _borrow_units(found.get_column("commodity_label").to_list(), readings)
    cells = _read_as(cells, found, readings, ambiguous=pl.col("__c").is_in(doubled))
    released = pl.col("release").str.extract(r"((?:19|20)\d{2})").cast(pl.Int32, strict=False)
    marked = pl.col("year_text").str.contains(r"(?i)e\s*$|^\s*e")
    nameless = (pl.col("column_name") == "") & pl.col("__fault").is_not_null()
    filled = pl.col("value_text").is_not_null()
    return _valued(
        cells.with_columns(
            # One figure a year below no name means that the names have moved: none is sure.
            pl.when((nameless & filled).sum().over("column_number").max() * 2 > sheet.frame.height)
            .then(pl.lit("columns and names do not line up: a column of figures has no name"))
            .when(nameless & filled)
            .then("__fault")
            .alias("__misplaced")
        ).filter(~nameless | filled),
        vocabulary,
        estimated=marked | (pl.col("reference_year") == released - 1),
    )


def _read_rows(edition: Edition, sheet: Sheet) -> pl.DataFrame:
    vocabulary = Vocabulary.load()
    place = next(c for c, name in sheet.columns.items() if fold(name) == "value")
    line = ("chapter_text", "commodity_text", "statistic_text", "year_text")
    cells = (
        sheet.long()
        .filter(in_section("salient"))
        .select(
            ROW_NUMBER,
            pl.lit(int(place[1:]), pl.Int32).alias("column_number"),
            pl.lit(sheet.columns[place]).alias("column_name"),
            pl.col("value").alias("value_text"),
            pl.col("mcs_chapter").alias("chapter_text"),
            pl.col("commodity").alias("commodity_text"),
            "country",
            pl.col("statistics").alias("kind_text"),
            pl.col("statistics_detail").alias("statistic_text"),
            pl.col("unit").alias("printed_unit"),
            pl.col("year").alias("year_text"),
            pl.col("notes").alias("note_text"),
            pl.col("other_notes").alias("basis_text"),
            pl.col("is_critical_mineral").alias("critical_text"),
        )
        .with_columns(
            pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over(line).alias("repeat_number")
        )
    )
    if cells.is_empty():
        return cells
    cells = resolve_commodities(edition, vocabulary, placed(edition, sheet, cells)).with_columns(
        pl.col("year_text").str.extract(_YEAR).cast(pl.Int32, strict=False).alias("reference_year")
    )
    last_year = cells.get_column("reference_year").max()
    release = f"MCS{last_year + 1}" if isinstance(last_year, int) else ""
    names = ["commodity_label", "kind_text", "statistic_text", "printed_unit", "repeat_number"]
    readings: list[Reading] = []
    found = (
        cells.select(ROW_NUMBER, *names)
        .filter(pl.col("commodity_label").is_not_null())
        .unique(names, keep="first", maintain_order=True)
    )
    for row, commodity, kind, text, unit, repeat in found.iter_rows():
        reading = read_line(
            vocabulary,
            commodity,
            kind or "",
            text or "",
            unit,
            release=release,
            repeat=repeat,
        )
        if isinstance(reading, str):
            raise _unreadable(edition, f"{sheet.name}, row {row}", reading)
        readings.append(reading)
    doubled = pl.col("repeat_number").max().over(line) > 1
    cells = _read_as(cells, found.drop(ROW_NUMBER), readings, ambiguous=doubled)
    marked = pl.col("note_text").str.contains(r"(?i)(^|--)\s*estimated\.")
    is_foreign = clean(pl.col("country")).str.to_lowercase() != "united states"
    return _valued(
        cells.with_columns(
            pl.when(is_foreign)
            .then(pl.format("{} in the statistics of the United States", "country"))
            .alias("__misplaced")
        ),
        vocabulary,
        estimated=marked,
    )


def _unreadable(edition: Edition, where: str, what: str) -> UnknownLabel:
    return UnknownLabel(
        f"{what} in {edition.edition_id}",
        where=where,
        remedy="add it to the salient maps of usgs_mcs in dbt_project/seeds/labels",
    )


def placed(edition: Edition, sheet: Sheet, cells: pl.DataFrame) -> pl.DataFrame:
    """``cells`` with edition, document and sheet."""
    document = sheet.part.document
    return cells.with_columns(
        pl.lit(edition.edition_id).alias("source_edition_id"),
        pl.lit(sheet.part.name).alias("document_name"),
        pl.lit(document.sha256).alias("document_sha256"),
        pl.lit(sheet.sheet, pl.String).alias("sheet"),
    )


def resolve_commodities(
    edition: Edition, vocabulary: Vocabulary, cells: pl.DataFrame
) -> pl.DataFrame:
    """``cells`` with ``commodity_label``, told from ``commodity_text`` without regard to case.

    :raises UnknownLabel: no map knows the commodity.
    """
    known = frozenset(vocabulary.commodities)
    found = resolve_labels(
        cells,
        "commodity_text",
        known,
        edition=edition,
        kind="commodity",
        into="commodity_label",
        normalise=lambda text: clean(text).str.to_lowercase(),
    )
    return found.with_columns(
        pl.col("commodity_label").replace_strict(
            dict(vocabulary.commodities), default=None, return_dtype=pl.String
        )
    )


def _borrow_units(commodities: Sequence[str | None], readings: list[Reading]) -> list[Reading]:
    """A quantity without a unit has that of the other quantities of its file, if they share one."""

    def of_quantity(reading: Reading) -> bool:
        return reading.statistic not in FIXED_UNITS and reading.statistic != "price"

    shared: dict[tuple[str | None, str | None], set[Unit]] = {}
    for commodity, reading in zip(commodities, readings, strict=True):
        unit = reading.unit
        if of_quantity(reading) and unit and unit.dimension in _QUANTITIES:
            shared.setdefault((commodity, reading.subject), set()).add(unit)
    return [
        replace(reading, unit=next(iter(units)))
        if reading.unit is None
        and of_quantity(reading)
        and len(units := shared.get((commodity, reading.subject), set())) == 1
        else reading
        for commodity, reading in zip(commodities, readings, strict=True)
    ]


def _read_as(
    cells: pl.DataFrame, names: pl.DataFrame, readings: Sequence[Reading], *, ambiguous: pl.Expr
) -> pl.DataFrame:
    """``cells`` with what their names say: ``names`` and ``readings`` go together by position.

    Equal names within one document cannot be told apart, so their forms are numbered: no map
    takes such a form for the one it knows.
    """
    meanings = names.with_columns(
        pl.Series("statistic", [r.statistic for r in readings], pl.String),
        pl.Series("__form", [r.form for r in readings], pl.String),
        pl.Series("unit_text", [r.unit_text for r in readings], pl.String),
        pl.Series("unit_label", [r.unit.label if r.unit else None for r in readings], pl.String),
        pl.Series("__size", [r.unit.size if r.unit else None for r in readings], pl.Float64),
        pl.Series("__subject", [r.subject for r in readings], pl.String),
        pl.Series("__fault", [r.fault for r in readings], pl.String),
        pl.Series("__listed", [r.is_listed for r in readings], pl.Boolean),
    )
    numbered = pl.format("{} [{}]", "__form", "repeat_number").str.strip_chars()
    return cells.join(
        meanings, on=names.columns, how="left", nulls_equal=True, maintain_order="left"
    ).with_columns(
        pl.when(ambiguous & ~pl.col("__listed"))
        .then(numbered)
        .otherwise("__form")
        .replace("", None)
        .alias("form_label"),
        pl.coalesce("__subject", "commodity_label").alias("commodity_label"),
    )


def _valued(cells: pl.DataFrame, vocabulary: Vocabulary, *, estimated: pl.Expr) -> pl.DataFrame:
    """``cells`` with their figures, and the reason of those that cannot be let in."""
    is_reliance = pl.col("statistic") == "net_import_reliance"
    is_signed = pl.col("statistic").is_in(_SIGNED)
    token = clean(pl.col("value_text").fill_null("")).str.replace_all("−", "-")
    lower = token.str.to_lowercase()
    cells = cells.with_columns(
        pl.when(lower.str.starts_with("variable"))
        .then(pl.lit("variable"))
        # Windows-1252 has no minus sign: what stood as one until 2025 is a question mark in 2026.
        .when(is_signed & token.str.contains(r"^\?\d"))
        .then(token.str.replace(r"^\?", "-"))
        .otherwise(token)
        .alias("__token"),
        estimated.fill_null(value=False).alias("is_estimated_column"),
    )
    cells = cells.with_columns(_bounds_in_words(cells, vocabulary))
    cells = parse_values(
        cells,
        WORDS,
        text="__token",
        estimated=pl.col("is_estimated_column"),
        upper=pl.when(is_reliance).then(100.0),
    )
    flag = pl.col("value_flag")
    figure = pl.coalesce("value", "value_low", "value_high")
    reason = (
        pl.when(pl.col("__misplaced").is_not_null())
        .then("__misplaced")
        .when(pl.col("commodity_label").is_null())
        .then(pl.lit("no commodity in this row"))
        .when(pl.col("reference_year").is_null())
        .then(pl.format("no year in {}", pl.col("year_text").fill_null("the row")))
        .when(flag == "unreadable")
        .then(pl.format("unreadable value {}", "value_text"))
        .when((flag == "net_exporter") & ~is_reliance)
        .then(pl.format("{} outside net import reliance", "value_text"))
        .when(figure.is_not_null() & pl.col("__fault").is_not_null())
        .then("__fault")
        .when(figure.is_not_null() & pl.col("unit_label").is_null())
        .then(pl.lit("no unit"))
        .when((figure < 0) & ~is_signed)
        .then(pl.format("negative value {}", "value_text"))
        .when(is_reliance & (figure > 100))
        .then(pl.format("net import reliance of {} percent", "value_text"))
    )
    return cells.with_columns(
        reason.alias(QUARANTINE_REASON),
        pl.when(reason.is_null())
        .then("value_flag")
        .otherwise(pl.lit("unreadable"))
        .alias("value_flag"),
    ).select(*TABLES[SALIENT].columns, QUARANTINE_REASON)


def _bounds_in_words(cells: pl.DataFrame, vocabulary: Vocabulary) -> pl.Expr:
    """Bounds in words (less than 50,000 tons) in the unit of their column."""
    bounds: dict[tuple[str, float], str] = {}
    for text, size in cells.select("__token", "__size").unique().iter_rows():
        match = _LESS_THAN.match(text.lower())
        word = vocabulary.units.get(match[2]) if match else None
        if match and word and word.size and size:
            bounds[text, size] = f"<{float(match[1].replace(',', '')) * word.size / size:.10g}"
    result = pl.col("__token")
    for (text, size), bound in bounds.items():
        hit = (pl.col("__token") == text) & (pl.col("__size") == size)
        result = pl.when(hit).then(pl.lit(bound)).otherwise(result)
    return result.alias("__token")
