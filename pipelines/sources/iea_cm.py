"""International Energy Agency, Critical Minerals Dataset: who mines and refines six minerals.

A workbook a year, one sheet a topic. The supply sheet holds blocks side by side, mining on the left
and refining on the right, each with its countries, the rest of the world, a total and the share of
the largest three. The first year is the base year, the later ones are a projection. Demand sheets
hold scenarios side by side. Units stand in the sheet's title (kt).

The rest of the world is what the agency's sheet computes as the total less the leading countries.
In some blocks it lists more countries than it takes off (2024: nickel, graphite), so that countries
and rest add up to more than the total. Cells are kept as printed; who needs parts that add up takes
the rest as the total less the listed countries.

The licence stands in the workbook and has changed: later editions say CC BY 4.0, that of July 2023
asks for an agreement before anything derived is passed on. As a source has one licence here, only
workbooks that state CC BY 4.0 are let in. "Magnet rare earths" are Nd, Pr, Dy and Tb together,
never the total of rare earths.

Source: https://www.iea.org/data-and-statistics/data-product/critical-minerals-dataset
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import CELL_COLUMNS, Document, Parsed, TableSpec
from pipelines.sources.corrections import apply_corrections
from pipelines.sources.label_maps import attach
from pipelines.sources.labels import known_labels, resolve_labels
from pipelines.sources.tokens import parse_values
from pipelines.sources.workbook import Sheet, Workbook, cell_frame, read_workbooks

__all__ = ["TABLES", "parse"]

_SUPPLY = "raw_iea_cm__supply"
_DEMAND = "raw_iea_cm__demand"

TABLES: dict[str, TableSpec] = {
    _SUPPLY: TableSpec(
        columns={
            **CELL_COLUMNS,
            "mineral_text": pl.String(),
            "material_label": pl.String(),
            "stage": pl.String(),
            "country_text": pl.String(),
            "country_label": pl.String(),
            "row_kind": pl.String(),
            "scenario_text": pl.String(),
            "reference_year": pl.Int16(),
            "is_projection": pl.Boolean(),
            "unit_text": pl.String(),
            "unit_label": pl.String(),
        },
        key=("material_label", "scenario_text", "country_text", "reference_year"),
    ),
    _DEMAND: TableSpec(
        columns={
            **CELL_COLUMNS,
            "topic_text": pl.String(),
            "section_text": pl.String(),
            "row_text": pl.String(),
            "row_kind": pl.String(),
            "scenario_text": pl.String(),
            "reference_year": pl.Int16(),
            "is_projection": pl.Boolean(),
            "unit_text": pl.String(),
            "unit_label": pl.String(),
        },
        key=("sheet", "section_text", "row_text", "scenario_text", "reference_year"),
    ),
}

_VOCABULARY = {"na": "not_available", "n/a": "not_available", "n.a": "not_available",
               "..": "not_available"}  # fmt: skip
_YEAR = re.compile(r"(?:19|20)\d{2}")
_UNIT = re.compile(r"\(([^()]+)\)\s*$")
_SCENARIO = re.compile(r"(?i),\s*([^,]*\b(?:case|scenario)\b[^,]*?)\s*$")
_NUMBER = re.compile(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?")
_NOTE = re.compile(r"(?i)notes?\b|source|[“\"*]")
_OPEN_LICENCE = re.compile(r"(?i)\bCC[ -]BY[ -]4\.0\b|Creative Commons Attribution 4\.0")
_SHARE = r"(?i)\bshare\b"
#: What an area of the country map is in a block of supply.
_ROW_KIND = {
    "country": "country",
    "historical": "country",
    "residual": "residual",
    "unspecified": "residual",
    "aggregate": "aggregate",
}


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring year columns and the column that holds the labels of their rows."""

    label_column: int
    years: Mapping[int, int]
    scenario: str | None


@dataclass(frozen=True, slots=True)
class _Layout:
    """Header of a sheet."""

    title: str
    unit: str
    header_row: int
    runs: tuple[_Run, ...]

    @property
    def base_year(self) -> int:
        """The first year that the sheet shows; those after it are projected."""
        return min(year for run in self.runs for year in run.years.values())


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """Read the workbooks of an edition.

    :raises DocumentUnreadable: no workbook, one without the supply sheet, one that does not state
        CC BY 4.0, or a sheet in an unknown layout.
    :raises UnknownLabel: a mineral or country that the maps do not know.
    """
    supply: list[dict[str, object]] = []
    demand: list[dict[str, object]] = []
    for workbook in read_workbooks(documents):
        _check_licence(workbook)
        holds_supply = False
        for sheet in workbook.sheets:
            layout = _layout(sheet)
            if layout is None:
                continue
            title = layout.title.lower()
            if "supply" in title:
                holds_supply = True
                supply.extend(_supply_cells(sheet, layout))
            elif "demand" in title:
                demand.extend(_demand_cells(sheet, layout))
            else:
                raise DocumentUnreadable(
                    f"sheet is neither of supply nor of demand: {layout.title[:80]!r}",
                    where=sheet.place(),
                    remedy="extend pipelines/sources/iea_cm.py",
                )
        if not holds_supply or not supply:
            raise DocumentUnreadable(
                f"no sheet of supply by country (sheets: {workbook.sheet_names})",
                where=workbook.part.name,
                remedy="give an edition of May 2024 or later",
            )
    frames = {
        _SUPPLY: _supply_frame(edition, supply),
        _DEMAND: _demand_frame(edition, demand),
    }
    return Parsed.of(TABLES, apply_corrections(edition, frames))


def _check_licence(workbook: Workbook) -> None:
    texts = [
        text
        for sheet in workbook.sheets
        for row in sheet.rows.values()
        for text in row.values()
        if len(text) > 6
    ]
    if not any(_OPEN_LICENCE.search(text) for text in texts):
        raise DocumentUnreadable(
            "the workbook does not state CC BY 4.0, the licence of this source",
            where=workbook.part.name,
            remedy="give an edition of May 2024 or later, or a catalogue entry of its own",
        )


def _layout(sheet: Sheet) -> _Layout | None:
    """Header of ``sheet``, None where it holds no table (cover, notice)."""
    header_row = next(
        (
            number
            for number, row in sheet.rows.items()
            if sum(bool(_YEAR.fullmatch(text.strip())) for text in row.values()) >= 2
        ),
        None,
    )
    if header_row is None:
        return None
    above = [row for number, row in sheet.rows.items() if number < header_row]
    title = next((text.strip() for row in above for text in row.values()), "")
    unit = _UNIT.search(title)
    if unit is None:
        raise DocumentUnreadable(
            f"the title names no unit in brackets: {title[:80]!r}", where=sheet.place(header_row)
        )
    years: dict[int, int] = {}
    for column, text in sheet.row(header_row).items():
        if not _YEAR.fullmatch(text.strip()):
            raise DocumentUnreadable(
                f"unknown column {text!r} beside the years", where=sheet.place(header_row, column)
            )
        years[column] = int(text)
    named = _SCENARIO.search(title[: unit.start()])
    runs: list[_Run] = []
    for columns in _neighbours(sorted(years)):
        before = columns[0] - 1
        has_labels = any(before in row for number, row in sheet.rows.items() if number > header_row)
        label_column = before if has_labels or not runs else runs[-1].label_column
        over = sheet.row(header_row - 1)
        scenario = next(
            (over[c].strip() for c in columns if c in over), named.group(1) if named else None
        )
        runs.append(_Run(label_column, {c: years[c] for c in columns}, scenario))
    return _Layout(title=title, unit=unit.group(1).strip(), header_row=header_row, runs=tuple(runs))


def _neighbours(columns: Sequence[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for column in columns:
        if run and column != run[-1] + 1:
            yield run
            run = []
        run.append(column)
    yield run


def _rows(
    sheet: Sheet, layout: _Layout, label_column: int, runs: Sequence[_Run]
) -> Iterator[tuple[int, str | None, bool]]:
    """Rows below the header: number, label, and whether figures stand beside it."""
    columns = {column for run in runs for column in run.years}
    header = sheet.row(layout.header_row)
    for number, row in sheet.rows.items():
        if number <= layout.header_row:
            continue
        label = row.get(label_column, "").strip() or None
        figures = {c: t.strip() for c, t in row.items() if c in columns}
        if label is None and figures and all(header[c].strip() == t for c, t in figures.items()):
            continue
        yield number, label, bool(figures)


def _refuse_stray(sheet: Sheet, layout: _Layout) -> None:
    """Refuse figures in a column without a year; words there are the publisher's own keys."""
    known = {column for run in layout.runs for column in (run.label_column, *run.years)}
    for number, row in sheet.rows.items():
        for column, text in row.items():
            if number > layout.header_row and column not in known and _NUMBER.fullmatch(text):
                raise DocumentUnreadable(
                    f"figure {text!r} in a column without a year",
                    where=sheet.place(number, column),
                    remedy="the layout has changed: extend pipelines/sources/iea_cm.py",
                )


def _values(sheet: Sheet, layout: _Layout, run: _Run, number: int) -> Iterator[dict[str, object]]:
    for column, year in run.years.items():
        yield {
            "part": sheet.part,
            "sheet": sheet.name,
            "row_number": number,
            "column_number": column,
            "column_name": str(year),
            "value_text": sheet.text(number, column),
            "scenario_text": run.scenario,
            "reference_year": year,
            "is_projection": year > layout.base_year,
            "unit_text": layout.unit,
        }


def _supply_cells(sheet: Sheet, layout: _Layout) -> Iterator[dict[str, object]]:
    _refuse_stray(sheet, layout)
    countries = known_labels(load_catalog().source("iea_cm").country_maps)
    for run in layout.runs:
        block: str | None = None
        for number, label, has_figures in _rows(sheet, layout, run.label_column, (run,)):
            if label is not None and not has_figures and label not in countries:
                if _NOTE.match(label):
                    break
                if " - " not in label:
                    raise DocumentUnreadable(
                        f"{label[:60]!r} is neither a block nor a row with figures",
                        where=sheet.place(number, run.label_column),
                        remedy="the layout has changed: extend pipelines/sources/iea_cm.py",
                    )
                block = label
            elif label is not None and block is None:
                raise DocumentUnreadable(
                    f"row {label[:60]!r} stands above the first block",
                    where=sheet.place(number, run.label_column),
                )
            elif label is not None or has_figures:
                for cell in _values(sheet, layout, run, number):
                    yield {**cell, "mineral_text": block, "country_text": label}


def _demand_cells(sheet: Sheet, layout: _Layout) -> Iterator[dict[str, object]]:
    _refuse_stray(sheet, layout)
    topic = layout.title[: layout.title.rindex("(")].strip()
    label_column = layout.runs[0].label_column
    section: str | None = None
    for number, label, has_figures in _rows(sheet, layout, label_column, layout.runs):
        if not has_figures:
            if label is not None and _NOTE.match(label):
                break
            section = label if label is not None else section
            continue
        for run in layout.runs:
            for cell in _values(sheet, layout, run, number):
                yield {**cell, "topic_text": topic, "section_text": section, "row_text": label}


def _typed(edition: Edition, table: str, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    made = {
        name: dtype
        for name, dtype in TABLES[table].columns.items()
        if rows and name in rows[0] and name not in {"sheet", "row_number"}
    }
    return cell_frame(edition, rows, made)


def _judged(frame: pl.DataFrame, label: str) -> pl.DataFrame:
    """Values read, units told, bad rows marked."""
    is_share = pl.col("row_kind") == "share"
    read = parse_values(
        frame, _VOCABULARY, estimated=pl.col("is_projection"), upper=pl.lit(None, pl.Float64)
    ).with_columns(
        pl.when(is_share).then(pl.lit("share")).otherwise("unit_text").alias("unit_label")
    )
    return read.with_columns(
        pl.when(pl.col(label).is_null())
        .then(pl.lit("row without a label"))
        .when((pl.col("value_flag") == "unreadable") | pl.col("value").is_infinite())
        .then(pl.format("unreadable number: {}", pl.col("value_text").fill_null("")))
        .when(pl.col("value") < 0)
        .then(pl.lit("negative amount"))
        .when(is_share & (pl.col("value") > 1))
        .then(pl.lit("share above 1"))
        .alias("quarantine_reason")
    )


def _supply_frame(edition: Edition, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    frame = _typed(edition, _SUPPLY, rows)
    maps = load_catalog().source("iea_cm").country_maps
    is_share = pl.col("country_text").str.contains(_SHARE).fill_null(value=False)
    frame = resolve_labels(
        frame,
        "mineral_text",
        known_labels(["material__iea_cm"]),
        edition=edition,
        kind="material",
        into="material_label",
        marks=False,
    )
    frame = attach(frame, "material_label", "material__iea_cm", {"stage": "stage"})
    frame = frame.with_columns(pl.when(~is_share).then("country_text").alias("__country"))
    frame = resolve_labels(
        frame, "__country", known_labels(maps), edition=edition, kind="country",
        into="country_label",
    )  # fmt: skip
    for name in maps:
        frame = attach(
            frame,
            "country_label",
            name,
            {"area_type": "__area_type", "country_iso3": "__country_iso3"},
        )
    frame = frame.with_columns(
        pl.when(is_share)
        .then(pl.lit("share"))
        .when(pl.col("__country_iso3") == "WLD")
        .then(pl.lit("total"))
        .otherwise(pl.col("__area_type").replace_strict(_ROW_KIND, default=None))
        .alias("row_kind")
    )
    judged = _judged(frame, "country_text")
    _refuse_unknown_units(edition, judged)
    return judged


def _demand_frame(edition: Edition, rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    if not rows:
        return TABLES[_DEMAND].empty()
    label = pl.col("row_text")
    frame = _typed(edition, _DEMAND, rows).with_columns(
        pl.when(label.str.contains(_SHARE))
        .then(pl.lit("share"))
        .when(label.str.contains(r"(?i)^total\b"))
        .then(pl.lit("total"))
        .otherwise(pl.lit("use"))
        .alias("row_kind")
    )
    judged = _judged(frame, "row_text")
    _refuse_unknown_units(edition, judged)
    return judged


def _refuse_unknown_units(edition: Edition, frame: pl.DataFrame) -> None:
    amounts = frame.filter(pl.col("unit_label") != "share")
    known = known_labels(["unit__usgs"])
    resolve_labels(
        amounts, "unit_label", known, edition=edition, kind="unit", into="__unit", marks=False
    )
