"""World production, capacity and reserves: one row a value cell.

Three layouts hold the same content (:mod:`~pipelines.sources.usgs_mcs.layouts`):

* 2022 to 2024, one file a commodity: ``Source,Country,Type,Prod_t_2021,Prod_t_est_2022,Prod_notes,
  Reserves_t,Reserves_notes``. Measure, unit, year and estimate stand in the name of the column.
* 2025, one wide file: ``...,COMMODITY,COUNTRY,TYPE,UNIT_MEAS,PROD_2023,PROD_EST_ 2024,PROD_NOTES,
  CAP_2023,...``. Words such as ``NA`` stand in the note, the cell of the value is empty; zero is
  empty as well, so an empty cell without such a note is ``blank``.
* 2026 and later, the long file: a row a figure, zero is ``—``.

A measure that a series leaves empty throughout is not published, and gives no rows. Units are
those of the publisher (``unit_label``); nothing is converted here. Reserves belong to the data year
of the edition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources.base import CELL_COLUMNS, QUARANTINE_REASON, TableSpec
from pipelines.sources.labels import clean, known_labels, resolve_labels
from pipelines.sources.tokens import parse_values
from pipelines.sources.usgs_mcs.countries import resolve_countries
from pipelines.sources.usgs_mcs.layouts import ROW_NUMBER, Layout, Sheet, in_section
from pipelines.sources.usgs_mcs.notes import read_note
from pipelines.sources.usgs_mcs.series import load_series

__all__ = ["TABLES", "WORLD", "quarantine", "read"]

WORLD = "raw_usgs_mcs__world_production"

TABLES: dict[str, TableSpec] = {
    WORLD: TableSpec(
        columns={
            **CELL_COLUMNS,
            "chapter_text": pl.String(),
            "chapter_label": pl.String(),
            "section_text": pl.String(),
            "commodity_text": pl.String(),
            "country_text": pl.String(),
            "country_label": pl.String(),
            "type_text": pl.String(),
            "series_label": pl.String(),
            "measure": pl.String(),
            "unit_text": pl.String(),
            "unit_label": pl.String(),
            "reference_year": pl.Int16(),
            "is_estimated_column": pl.Boolean(),
            "note_text": pl.String(),
            "basis_text": pl.String(),
            "critical_text": pl.String(),
        },
        key=("series_label", "country_label", "reference_year"),
    )
}
_UNIT_MAP = "unit__usgs"
#: Words of the world tables that stand in place of a number. ``E`` is none of them: it marks net
#: exporters in the tables of import reliance and means nothing here.
_WORDS = {
    "na": "not_available",
    "n/a": "not_available",
    "w": "withheld",
    "xx": "not_applicable",
    "—": "zero",
    "–": "zero",
    "-": "zero",
    "--": "zero",
    "s": "below_half_unit",
    "less than ½ unit": "below_half_unit",
    "less than 1/2 unit": "below_half_unit",
    "moderate to large": "qualitative",
    "small to moderate": "qualitative",
}
_MEASURE_OF_PREFIX = {
    "prod": "production",
    "production": "production",
    "cap": "capacity",
    "capacity": "capacity",
    "reserve": "reserves",
    "reserves": "reserves",
}
_MEASURE_OF_STATISTIC = {
    "production": "production",
    "capacity": "capacity",
    "production capacity": "capacity",
    "reserve": "reserves",
    "reserves": "reserves",
}
_YEAR = re.compile(r"^(19|20)\d{2}$")
_EDITION_IN_CELL = r"(?i)\bMCS\s*(\d{4})\b"
_SLUG = re.compile(r"^(?:mcs[\s_-]*\d{4}[\s_-]*)?(?P<slug>.+?)(?:[\s_-]+world.*)?$", re.IGNORECASE)
#: Greatest year and value that a table of this kind can hold.
_YEARS = (1900, 2100)
_LARGEST = 1e15


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a world table, read from its name."""

    name: str
    column: str
    measure: str
    is_note: bool = False
    year: int | None = None
    is_estimated: bool = False
    unit: str | None = None
    words: str | None = None

    @property
    def number(self) -> int:
        return int(self.column[1:])


def read(edition: Edition, sheet: Sheet) -> dict[str, pl.DataFrame] | None:
    """The world tables of ``sheet``, or None if it holds none.

    Rows are complete but for :func:`quarantine`, which comes after the corrections.

    :raises DocumentUnreadable: a column is missing or unknown.
    :raises UnknownLabel: a country, chapter, series or unit that no map knows.
    """
    if sheet.layout is Layout.WORLD_PER_COMMODITY:
        cells = _per_commodity(edition, sheet)
    elif sheet.layout is Layout.WORLD_WIDE:
        cells = _wide(edition, sheet)
    elif sheet.layout is Layout.LONG:
        cells = _long(sheet)
    else:
        return None
    if cells.is_empty():
        return None
    name = sheet.part.base_name.lower()
    misfiled = "salient" in name and "world" not in name
    document = sheet.part.document
    cells = cells.with_columns(
        pl.lit(edition.edition_id).alias("source_edition_id"),
        pl.lit(sheet.part.name).alias("document_name"),
        pl.lit(document.sha256).alias("document_sha256"),
        pl.lit(sheet.sheet, pl.String).alias("sheet"),
        pl.lit(
            "a world table in a document of salient statistics" if misfiled else None, pl.String
        ).alias(QUARANTINE_REASON),
    )
    cells = _with_values(cells)
    cells = _with_series(edition, cells)
    cells = resolve_countries(cells, "__area", edition=edition)
    cells = resolve_labels(
        cells,
        "unit_text",
        known_labels([_UNIT_MAP]),
        edition=edition,
        kind="unit",
        into="unit_label",
        normalise=lambda text: clean(text).str.to_lowercase().replace("", None),
        marks=False,
    )
    stray = _stray_cells(edition, sheet)
    frame = cells.select(*TABLES[WORLD].columns, QUARANTINE_REASON)
    return {WORLD: frame if stray is None else pl.concat([frame, stray], how="diagonal_relaxed")}


def quarantine(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with ``quarantine_reason`` for the rows that cannot be let in."""
    figure = pl.max_horizontal("value", "value_low", "value_high")
    lowest = pl.min_horizontal("value", "value_low", "value_high")
    year = pl.col("reference_year")
    reason = (
        pl.when(pl.col(QUARANTINE_REASON).is_not_null())
        .then(QUARANTINE_REASON)
        .when(pl.col("country_label").is_null())
        .then(pl.lit("no country in this row"))
        .when(year.is_null() | ~year.is_between(*_YEARS))
        .then(pl.lit("no year for this figure"))
        .when(pl.col("value_flag") == "unreadable")
        .then(pl.format("unreadable value {}", pl.col("value_text").fill_null("")))
        .when(lowest < 0)
        .then(pl.format("negative {}: {}", "measure", "value_text"))
        .when(figure.is_not_null() & ~(figure <= _LARGEST))
        .then(pl.format("{} is beyond any {}", "value_text", "measure"))
        .when(figure.is_not_null() & pl.col("unit_label").is_null())
        .then(pl.lit("no unit for this figure"))
    )
    return frame.with_columns(reason.alias(QUARANTINE_REASON))


def _refuse_columns(sheet: Sheet, what: str, names: Sequence[str]) -> DocumentUnreadable:
    return DocumentUnreadable(
        f"column {what}: {', '.join(repr(n) for n in names)}",
        where=f"{sheet.name}, row 1",
        remedy="the layout has changed: compare the header with the last edition's",
    )


def _read_columns(sheet: Sheet, plain: Sequence[str]) -> tuple[dict[str, str], list[_Column]]:
    """Columns named in ``plain`` (lower case) and those that hold figures and notes.

    :raises DocumentUnreadable: a column that is neither, or one of ``plain`` missing.
    """
    units = known_labels([_UNIT_MAP])
    named: dict[str, str] = {}
    read: list[_Column] = []
    unknown: list[str] = []
    for column, name in sheet.columns.items():
        folded = re.sub(r"\s+", "", name).lower()
        if not folded:
            continue
        if folded in plain and folded not in named:
            named[folded] = column
            continue
        tokens = [t for t in folded.split("_") if t]
        measure = _MEASURE_OF_PREFIX.get(tokens[0])
        years = [int(t) for t in tokens[1:] if _YEAR.match(t)]
        found = [t for t in tokens[1:] if t in units]
        words = [t for t in tokens[1:] if not _YEAR.match(t) and t not in {*units, "est", "e"}]
        is_note = bool({"note", "notes"} & set(words))
        if measure is None or len(years) > 1 or len(found) > 1:
            unknown.append(name)
            continue
        read.append(
            _Column(
                name=name,
                column=column,
                measure=measure,
                is_note=is_note,
                year=years[0] if years else None,
                is_estimated="est" in tokens or "e" in tokens[1:],
                unit=found[0] if found else None,
                words=" ".join(words) or None,
            )
        )
    if "type" in plain and "type" not in named and unknown:
        # One release wrote what the column holds into its header: it stands after the country.
        after = f"c{int(named['country'][1:]) + 1}" if "country" in named else None
        if after and sheet.columns.get(after) == unknown[0]:
            named["type"] = after
            unknown.pop(0)
    missing = [p for p in plain if p not in named]
    if missing:
        raise _refuse_columns(sheet, "missing", missing)
    if unknown:
        raise _refuse_columns(sheet, "unknown", unknown)
    return named, read


def _check_edition(edition: Edition, sheet: Sheet, column: str) -> None:
    """Refuse a document that names another edition than the one it is brought in as."""
    wanted = re.match(r"(\d{4})", edition.label)
    cells = sheet.frame.select(
        ROW_NUMBER, pl.col(column).str.extract(_EDITION_IN_CELL).alias("year")
    )
    other = cells.filter(pl.col("year") != (wanted[1] if wanted else pl.col("year")))
    if other.height:
        raise DocumentUnreadable(
            f"document of edition {other['year'][0]} among those of {edition.edition_id}",
            where=f"{sheet.name}, row {other[ROW_NUMBER][0]}",
            remedy="import it under its own edition label",
        )


def _unpivot(sheet: Sheet, index: dict[str, str], columns: Sequence[_Column]) -> pl.DataFrame:
    """One row a cell of ``columns``; ``index`` maps our names to columns of the sheet."""
    figures = [c for c in columns if not c.is_note]
    notes = {c.measure: c for c in columns if c.is_note}
    if not figures:
        raise _refuse_columns(sheet, "missing", ["a column of production, capacity or reserves"])
    if len(notes) == 1 and len({c.measure for c in figures}) == 1:
        # A file with one measure may call its notes those of another.
        notes = {figures[0].measure: next(iter(notes.values()))}
    data_year = max((c.year for c in figures if c.year), default=None)
    if data_year is None:
        raise _refuse_columns(sheet, "missing", ["a column of figures with a year in its name"])
    pieces = []
    for c in figures:
        years = [f.year for f in figures if f.measure == c.measure and f.year]
        note = notes.get(c.measure)
        pieces.append(
            sheet.frame.select(
                ROW_NUMBER,
                *(pl.col(column).alias(name) for name, column in index.items()),
                pl.lit(c.number, pl.Int32).alias("column_number"),
                pl.lit(c.name).alias("column_name"),
                pl.col(c.column).alias("value_text"),
                pl.lit(c.measure).alias("measure"),
                pl.lit(c.words, pl.String).alias("__column_words"),
                pl.lit(c.unit, pl.String).alias("__column_unit"),
                pl.lit(c.year or data_year, pl.Int16).alias("reference_year"),
                pl.lit(c.is_estimated).alias("is_estimated_column"),
                pl.lit(c.year == min(years, default=None)).alias("__earliest"),
                (pl.col(note.column) if note else pl.lit(None, pl.String)).alias("note_text"),
            )
        )
    return pl.concat(pieces)


def _per_commodity(edition: Edition, sheet: Sheet) -> pl.DataFrame:
    named, columns = _read_columns(sheet, ("source", "country", "type"))
    _check_edition(edition, sheet, named["source"])
    lacking = [c.name for c in columns if not c.is_note and c.unit is None]
    if lacking:
        raise _refuse_columns(sheet, "without a unit in its name", lacking)
    slug = re.sub(r"\.\w+$", "", sheet.part.base_name)
    match = _SLUG.match(re.sub(r"[\s_-]salient$", "", slug, flags=re.IGNORECASE))
    cells = _unpivot(sheet, {"country_text": named["country"], "type_text": named["type"]}, columns)
    return cells.with_columns(
        pl.lit(match["slug"].lower() if match else slug).alias("chapter_text"),
        pl.col("__column_unit").alias("unit_text"),
        pl.col("country_text").alias("__area"),
        *_absent("section_text", "commodity_text", "basis_text", "critical_text"),
    )


def _wide(edition: Edition, sheet: Sheet) -> pl.DataFrame:
    plain = ("source", "commodity", "country", "type", "unit_meas")
    named, columns = _read_columns(sheet, plain)
    _check_edition(edition, sheet, named["source"])
    index = {
        "commodity_text": named["commodity"],
        "country_text": named["country"],
        "type_text": named["type"],
        "unit_text": named["unit_meas"],
    }
    return _unpivot(sheet, index, columns).with_columns(
        pl.col("commodity_text").alias("chapter_text"),
        pl.col("country_text").alias("__area"),
        *_absent("section_text", "basis_text", "critical_text"),
    )


def _long(sheet: Sheet) -> pl.DataFrame:
    place = next(c for c, name in sheet.columns.items() if name.strip().lower() == "value")
    rows = sheet.long().filter(in_section("world"))
    statistic = clean(pl.col("statistics")).str.to_lowercase()
    unknown = rows.filter(~statistic.is_in(list(_MEASURE_OF_STATISTIC)).fill_null(value=False))
    if unknown.height:
        row = unknown.row(0, named=True)
        raise UnknownLabel(
            f"unknown statistic {row['statistics']!r} in a world table",
            where=f"{sheet.name}, row {row[ROW_NUMBER]}",
            remedy="add it to pipelines/sources/usgs_mcs/world.py with the measure that it is",
        )
    rounded = pl.col("statistics_detail").fill_null("").str.contains(r"(?i)\brounded\b")
    area = clean(pl.col("country"))
    return rows.select(
        ROW_NUMBER,
        pl.lit(int(place[1:]), pl.Int32).alias("column_number"),
        pl.lit(sheet.columns[place]).alias("column_name"),
        pl.col("value").alias("value_text"),
        pl.col("mcs_chapter").alias("chapter_text"),
        pl.col("section").alias("section_text"),
        pl.col("commodity").alias("commodity_text"),
        pl.col("country").alias("country_text"),
        # What the releases before said in the name of the area is said in the statistic here.
        pl.when(rounded & area.str.contains(r"(?i)^(world total|other countries)$"))
        .then(area + " (rounded)")
        .otherwise(area)
        .alias("__area"),
        pl.col("statistics_detail").alias("type_text"),
        statistic.replace_strict(_MEASURE_OF_STATISTIC, default=None, return_dtype=pl.String).alias(
            "measure"
        ),
        pl.lit(None, pl.String).alias("__column_words"),
        pl.col("unit").alias("unit_text"),
        pl.col("year")
        .str.extract(r"^\s*((?:19|20)\d{2})\s*$")
        .cast(pl.Int16)
        .alias("reference_year"),
        pl.lit(value=False).alias("is_estimated_column"),
        pl.lit(value=True).alias("__earliest"),
        pl.col("notes").alias("note_text"),
        pl.col("other_notes").alias("basis_text"),
        pl.col("is_critical_mineral").alias("critical_text"),
    )


def _absent(*names: str) -> list[pl.Expr]:
    return [pl.lit(None, pl.String).alias(n) for n in names]


def _stray_cells(edition: Edition, sheet: Sheet) -> pl.DataFrame | None:
    """Cells under a column without a name: nobody can say what they are."""
    columns = [c for c, name in sheet.columns.items() if not name]
    if not columns:
        return None
    index = [ROW_NUMBER]
    cells = sheet.frame.unpivot(
        on=columns, index=index, variable_name="__c", value_name="value_text"
    )
    return cells.filter(pl.col("value_text").is_not_null()).select(
        pl.lit(edition.edition_id).alias("source_edition_id"),
        pl.lit(sheet.part.name).alias("document_name"),
        pl.lit(sheet.part.document.sha256).alias("document_sha256"),
        pl.lit(sheet.sheet, pl.String).alias("sheet"),
        ROW_NUMBER,
        pl.col("__c").str.slice(1).cast(pl.Int32).alias("column_number"),
        pl.lit("").alias("column_name"),
        "value_text",
        pl.lit("unreadable").alias("value_flag"),
        pl.lit("the column has no name").alias(QUARANTINE_REASON),
        *_absent(
            *(
                n
                for n in TABLES[WORLD].columns
                if n.endswith(("_text", "_label")) and n != "value_text"
            )
        ),
    )


def _with_series(edition: Edition, cells: pl.DataFrame) -> pl.DataFrame:
    """Chapter, measure and series of each cell.

    :raises UnknownLabel: a chapter or series that no map knows.
    """
    maps = load_series()
    cells = resolve_labels(
        cells,
        "chapter_text",
        frozenset(maps.chapters),
        edition=edition,
        kind="chapter",
        into="chapter_label",
        normalise=lambda text: clean(text).str.to_lowercase().str.replace_all("—", "-"),
    ).with_columns(
        pl.col("chapter_label").replace_strict(
            dict(maps.chapters), default=None, return_dtype=pl.String
        )
    )
    detail = pl.col("type_text").fill_null("").str.to_lowercase()
    in_brackets = pl.col("section_text").str.extract(r"(\([^)]*\))")
    total = pl.col("__area").fill_null("").str.to_lowercase().str.starts_with("world")
    same = clean(pl.col("commodity_text")).str.to_lowercase().str.replace_all("—", "-")
    is_part = pl.col("section_text").is_not_null() & (same != pl.col("chapter_label"))
    cells = cells.with_columns(
        # The columns of production hold capacity where the type says so.
        pl.when(
            (pl.col("measure") == "production")
            & detail.str.contains("capacity")
            & ~detail.str.contains("production")
        )
        .then(pl.lit("capacity"))
        .otherwise("measure")
        .alias("measure"),
        pl.when(pl.col("__column_words").is_null()).then("type_text").alias("__type"),
        pl.when(is_part).then("commodity_text").alias("__part"),
        in_brackets.alias("__section"),
        pl.when(total).then("__area").alias("__total"),
    )
    texts = ["__type", "__column_words", "__part", "__section"]
    found = cells.select("chapter_label", "measure", "__total", *texts).unique(maintain_order=True)
    labels = [
        None if chapter is None else maps.label(chapter, measure, rest, total)
        for chapter, measure, total, *rest in found.iter_rows()
    ]
    joined = cells.join(
        found.with_columns(pl.Series("__series", labels, pl.String)),
        on=found.columns,
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return resolve_labels(
        joined,
        "__series",
        maps.known,
        edition=edition,
        kind="series",
        into="series_label",
        marks=False,
    )


def _with_values(cells: pl.DataFrame) -> pl.DataFrame:
    """Values and flags; series that are empty throughout are left out."""
    found = cells.select("note_text", "value_text", "reference_year").unique(maintain_order=True)
    notes = {text: read_note(text) for text in found.get_column("note_text").unique().to_list()}
    words = {text: read_note(text) for text in found.get_column("value_text").unique().to_list()}
    rows = [(notes[n], words[v], y) for n, v, y in found.iter_rows()]
    said = found.with_columns(
        pl.Series("__note_flag", [n.flag_in(y) for n, _, y in rows], pl.String),
        pl.Series("__word_flag", [w.flag for _, w, _ in rows], pl.String),
        pl.Series("__estimated", [_speaks_of(n.estimated, y) for n, _, y in rows], pl.Boolean),
        pl.Series("__reported", [y in n.reported for n, _, y in rows], pl.Boolean),
        pl.Series("__reported_here", [0 in n.reported for n, _, _ in rows], pl.Boolean),
    )
    cells = cells.join(said, on=found.columns, how="left", nulls_equal=True, maintain_order="left")
    is_empty = clean(pl.col("value_text").fill_null("")) == ""
    group = ["chapter_text", "type_text", "measure", "__column_words"]
    is_held = ~is_empty | pl.col("__note_flag").is_not_null()
    cells = cells.filter(is_held.any().over(group))
    all_estimated = (pl.col("measure") != "reserves") & pl.col("type_text").fill_null(
        ""
    ).str.contains(r"(?i)\bestimated\s*$")
    reported = pl.col("__reported") | (pl.col("__reported_here") & pl.col("__earliest"))
    cells = parse_values(
        cells,
        _WORDS,
        estimated=(pl.col("is_estimated_column") | all_estimated | pl.col("__estimated"))
        & ~reported,
    )
    flag = pl.col("value_flag")
    return cells.with_columns(
        pl.when((flag == "blank") & pl.col("__note_flag").is_not_null())
        .then("__note_flag")
        .when((flag == "unreadable") & pl.col("__word_flag").is_not_null())
        .then("__word_flag")
        .otherwise(flag)
        .alias("value_flag")
    ).with_columns(
        *(
            pl.when(pl.col("value_flag") == "below_half_unit")
            .then(pl.lit(bound))
            .otherwise(pl.col(name))
            .alias(name)
            for name, bound in (("value_low", 0.0), ("value_high", 0.5))
        ),
    )


def _speaks_of(years: tuple[int, ...], year: int | None) -> bool:
    return 0 in years or year in years
