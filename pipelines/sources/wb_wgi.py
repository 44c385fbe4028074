"""World Bank, Worldwide Governance Indicators: six indices of governance by country and year.

Four layouts are known. Three are workbooks or CSV, told by their headers, on whichever sheet they
stand:

``long``
    one sheet or CSV, one row a country, year and indicator: ``code, countryname, year, indicator,
    estimate, stddev, nsource, pctrank, pctranklower, pctrankupper`` (the 2024 update);
``sheets``
    one sheet an indicator (``va, pv, ge, rq, rl, cc``), one row a country and year, headers in
    words: ``Economy (code), Year, Governance estimate (approx. -2.5 to +2.5), ...`` (2025 on);
``wide``
    one sheet an indicator, one row a country, the years side by side, each over ``Estimate,
    StdErr, NumSrc, Rank, Lower, Upper`` (to 2023).

The fourth is the World Bank's interface: JSON, one or more pages a series
(:mod:`pipelines.sources.wb_wgi_pages`). It fills the same table with the same figures.

Units: ``estimate`` and its error and bounds are in units of a standard normal distribution, about
-2.5 to 2.5, higher is better governed; percentile ranks 0 to 100; scores 0 to 100. ``..`` says
not available. Countries are matched by code, since names vary: some codes are not ISO 3166-1.
Values of the underlying sources, which some workbooks carry in further columns, belong to third
parties and are not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.catalog import Edition
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
from pipelines.sources.trade_files import place
from pipelines.sources.wb_wgi_fetch import fetch
from pipelines.sources.wb_wgi_pages import Page, check_series, read_page, series_frame

__all__ = ["TABLES", "fetch", "parse"]

ESTIMATE = "raw_wb_wgi__estimate"

TABLES: dict[str, TableSpec] = {
    ESTIMATE: TableSpec(
        columns={
            **CELL_COLUMNS,
            "indicator": pl.String(),
            "country_code_text": pl.String(),
            "country_text": pl.String(),
            "country_label": pl.String(),
            "reference_year": pl.Int32(),
            "measure": pl.String(),
        },
        key=("indicator", "country_label", "reference_year", "measure"),
    ),
}

#: Measure to the values it may take.
_RANGES: dict[str, tuple[float, float]] = {
    "estimate": (-6.0, 6.0),
    "estimate_lower": (-9.0, 9.0),
    "estimate_upper": (-9.0, 9.0),
    "stddev": (0.0, 6.0),
    "nsource": (0.0, 1000.0),
    "pctrank": (0.0, 100.0),
    "pctranklower": (0.0, 100.0),
    "pctrankupper": (0.0, 100.0),
    "score": (0.0, 100.0),
    "score_stddev": (0.0, 100.0),
    "score_lower": (-100.0, 200.0),
    "score_upper": (-100.0, 200.0),
}
#: Header, in lower case, to measure: one row a country and year.
_MEASURES: dict[str, str] = {
    "estimate": "estimate",
    "stddev": "stddev",
    "nsource": "nsource",
    "pctrank": "pctrank",
    "pctranklower": "pctranklower",
    "pctrankupper": "pctrankupper",
    "governance estimate (approx. -2.5 to +2.5)": "estimate",
    "standard error (estimate)": "stddev",
    "number of sources": "nsource",
    "lower threshold (90% conf. int. estimate)": "estimate_lower",
    "upper threshold (90% conf. int. estimate)": "estimate_upper",
    "governance score (0-100)": "score",
    "standard error (gov. score)": "score_stddev",
    "lower threshold (90% conf. int. score)": "score_lower",
    "upper threshold (90% conf. int. score)": "score_upper",
}
#: Ending of a series' id to measure, for series that are not called by one of the headers. What
#: ``SE`` is an error of, estimate or score, only the header tells.
_SERIES_MEASURES: dict[str, str] = {
    "EST": "estimate",
    "SR": "nsource",
    "SC": "score",
    "SC_LB": "score_lower",
    "SC_UB": "score_upper",
}
_WIDE_MEASURES: dict[str, str] = {
    "estimate": "estimate",
    "stderr": "stddev",
    "numsrc": "nsource",
    "rank": "pctrank",
    "p-rank": "pctrank",
    "lower": "pctranklower",
    "upper": "pctrankupper",
}
_DIMENSIONS: dict[str, str] = {
    "code": "country_code_text",
    "economy (code)": "country_code_text",
    "countryname": "country_text",
    "economy (name)": "country_text",
    "year": "__year",
    "indicator": "__indicator",
    "governance dimension": "__indicator",
}
#: Follow from the other columns, or describe the country and not its governance.
_PASSED_OVER = frozenset(
    {
        "codeindyr",
        "id variable (economy code/ gov. dimension/ year)",
        "region",
        "income classification",
    }
)
#: Columns of the underlying sources: ``eiu``, ``EIU mean``.
_SOURCE_COLUMN = re.compile(r"^[a-z0-9]{2,4}(?: mean)?$")
_WIDE_CODE = frozenset({"code", "wbcode"})
_WIDE_NAME = frozenset({"country/territory", "country", "economy"})
_WORDS = {
    "..": "not_available",
    "": "not_available",
    "#n/a": "not_available",
    "n/a": "not_available",
    "na": "not_available",
}
_INDICATORS: dict[str, str] = {
    "controlofcorruption": "cc",
    "governmenteffectiveness": "ge",
    "politicalstability": "pv",
    "regulatoryquality": "rq",
    "ruleoflaw": "rl",
    "voiceandaccountability": "va",
}
_NOT_LETTER = re.compile(r"[^a-z]+")
_YEAR = r"^((?:19|20)\d{2})(?:\.0+)?$"
_HEADER_ROWS = 40


def _indicator(text: str | None) -> str | None:
    """The indicator that a cell or the name of a sheet tells, or None."""
    letters = _NOT_LETTER.sub("", (text or "").casefold())
    if letters in _INDICATORS.values():
        return letters
    return next((code for name, code in _INDICATORS.items() if letters.startswith(name)), None)


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """Every value of the six indicators.

    :raises DocumentUnreadable: no sheet in a known layout, or a header that is not known.
    :raises UnknownLabel: a country code or an indicator that no map knows.
    """
    frames: list[pl.DataFrame] = []
    found: list[str] = []
    pages: list[tuple[Part, Page]] = []
    for part in parts(documents):
        found.append(part.name)
        if part.suffix == ".json":
            pages.append((part, read_page(part.read(), part.name)))
            continue
        for grid in read_grids(part):
            found.append(grid.place)
            frame = _read(grid)
            if frame is not None and frame.height:
                frames.append(_finish(edition, grid.placed(frame, edition), grid.place))
    frames += _read_pages(edition, pages)
    if not frames:
        raise DocumentUnreadable(
            "no sheet in a known layout of the governance indicators "
            "(expected a header with a country code, a year and an estimate)",
            where=", ".join(found[:8]) or edition.edition_id,
            remedy="import the data workbook (wgidataset.xlsx)",
        )
    return Parsed.of(TABLES, apply_corrections(edition, {ESTIMATE: pl.concat(frames)}))


def _read_pages(edition: Edition, pages: Sequence[tuple[Part, Page]]) -> list[pl.DataFrame]:
    """The values of the interface's pages, a frame a page.

    :raises DocumentUnreadable: the pages of a series are not one whole, or the series are of
        different states of the database.
    """
    by_series: dict[str | None, list[Page]] = {}
    for _, page in pages:
        by_series.setdefault(page.series, []).append(page)
    for one in by_series.values():
        check_series(one)
    states = sorted({(page.updated, page.place) for _, page in pages})
    if states and states[0][0] != states[-1][0]:
        raise DocumentUnreadable(
            f"series of two states of the database: {states[0][0]} and {states[-1][0]}",
            where=f"{states[0][1]} and {states[-1][1]}",
            remedy="import each as its own edition",
        )
    frames = []
    for part, page in pages:
        frame = series_frame(page, _MEASURES, _SERIES_MEASURES)
        if frame is not None:
            placed = place(frame, edition.edition_id, part, None)
            frames.append(_finish(edition, placed, part.name))
    return frames


def _read(grid: Grid) -> pl.DataFrame | None:
    """The values of ``grid`` in long form, or None if it is a sheet of another kind."""
    for row_number, cells in grid.head(_HEADER_ROWS):
        headers = {number: text.casefold() for number, text in cells.items()}
        names = set(headers.values())
        if names & {"code", "economy (code)"} and "year" in names:
            return _read_rows(grid, row_number, cells)
        if names & _WIDE_CODE and "estimate" in names:
            return _read_wide(grid, row_number, headers)
    return None


# -- one row a country and year -------------------------------------------------------------------


def _read_rows(grid: Grid, header_row: int, cells: Mapping[int, str]) -> pl.DataFrame:
    dimensions: dict[str, int] = {}
    measures: dict[str, int] = {}
    seen_source = False
    for number, text in cells.items():
        header = text.casefold()
        target = measures if header in _MEASURES else dimensions
        name = _MEASURES.get(header) or _DIMENSIONS.get(header)
        if name is None:
            if header in _PASSED_OVER:
                continue
            # Columns of sources follow the measures; before them a short header is a surprise.
            if measures and _SOURCE_COLUMN.match(header):
                seen_source = True
                continue
            raise DocumentUnreadable(
                f"column {text!r} is not known",
                where=f"{grid.place}, row {header_row}",
                remedy="the layout has changed: teach the reader what the column means",
            )
        if name in target:
            raise DocumentUnreadable(f"column {text!r} stands twice", where=grid.place)
        target[name] = number
    if "estimate" not in measures:
        raise DocumentUnreadable(
            "column 'estimate' is missing", where=f"{grid.place}, row {header_row}"
        )
    if not seen_source:
        grid.refuse_stray(header_row, frozenset(cells))
    frame = grid.select(header_row, {**dimensions, **measures})
    from_sheet = _indicator(grid.sheet)
    if "__indicator" not in dimensions:
        if from_sheet is None:
            raise DocumentUnreadable(
                "neither a column nor the name of the sheet tells the indicator", where=grid.place
            )
        frame = frame.with_columns(pl.lit(from_sheet).alias("__indicator"))
    if "country_text" not in dimensions:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("country_text"))
    return frame.unpivot(
        on=list(measures),
        index=["row_number", "country_code_text", "country_text", "__year", "__indicator"],
        variable_name="measure",
        value_name="value_text",
    ).with_columns(
        pl.col("measure").replace_strict(measures, return_dtype=pl.Int32).alias("column_number"),
        pl.col("measure")
        .replace_strict({m: cells[n] for m, n in measures.items()}, return_dtype=pl.String)
        .alias("column_name"),
    )


# -- one row a country, years side by side --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    """A column of a wide sheet: which measure of which year."""

    column: int
    year: str
    measure: str
    header: str


def _read_wide(grid: Grid, header_row: int, headers: Mapping[int, str]) -> pl.DataFrame:
    indicator = _indicator(grid.sheet) or next(
        (i for _, row in grid.head(_HEADER_ROWS) for t in row.values() if (i := _indicator(t))),
        None,
    )
    if indicator is None:
        raise DocumentUnreadable("nothing tells the indicator of this sheet", where=grid.place)
    code = next(n for n, h in headers.items() if h in _WIDE_CODE)
    name = next((n for n, h in headers.items() if h in _WIDE_NAME), None)
    blocks: list[_Block] = []
    years = _years_above(grid, header_row)
    for number, header in sorted(headers.items()):
        if number in {code, name}:
            continue
        measure = _WIDE_MEASURES.get(header)
        if measure is None:
            raise DocumentUnreadable(
                f"column {header!r} is not known", where=f"{grid.place}, row {header_row}"
            )
        # The year stands over each column, or over the first of its block only.
        year = years.get(number) or (blocks[-1].year if blocks else None)
        if year is None or (measure == "estimate" and number not in years):
            raise DocumentUnreadable(
                f"no year stands over column {number}", where=f"{grid.place}, row {header_row}"
            )
        if any(b.year == year and b.measure == measure for b in blocks):
            raise DocumentUnreadable(
                f"{header!r} of {year} stands twice", where=f"{grid.place}, row {header_row}"
            )
        blocks.append(_Block(number, year, measure, header))
    grid.refuse_stray(header_row, frozenset(headers))
    wanted = {str(b.column): b.column for b in blocks}
    texts = {"country_code_text": code, **({"country_text": name} if name else {})}
    frame = grid.select(header_row, {**texts, **wanted})
    if name is None:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("country_text"))
    # Notes below the table: text in the first column, and nothing else.
    frame = frame.filter(
        pl.col("country_code_text").is_not_null()
        | pl.any_horizontal(pl.col(list(wanted)).is_not_null())
    )
    by_column = {str(b.column): b for b in blocks}
    return (
        frame.unpivot(
            on=list(wanted),
            index=["row_number", "country_code_text", "country_text"],
            variable_name="__column",
            value_name="value_text",
        )
        .with_columns(
            pl.col("__column").cast(pl.Int32).alias("column_number"),
            *(
                pl.col("__column")
                .replace_strict(
                    {c: getattr(b, attribute) for c, b in by_column.items()},
                    return_dtype=pl.String,
                )
                .alias(target)
                for attribute, target in (
                    ("year", "__year"),
                    ("measure", "measure"),
                    ("header", "column_name"),
                )
            ),
            pl.lit(indicator).alias("__indicator"),
        )
        .drop("__column")
    )


def _years_above(grid: Grid, header_row: int) -> dict[int, str]:
    """Column to the year that stands nearest above ``header_row``."""
    years: dict[int, str] = {}
    for row_number, cells in grid.head(_HEADER_ROWS):
        if row_number < header_row:
            found = {n: m[1] for n, t in cells.items() if (m := re.match(_YEAR, t))}
            # A year in a title is one; the row over the table holds several, or the only column.
            if found:
                years = found
    return years


# -- all layouts ----------------------------------------------------------------------------------


def _finish(edition: Edition, frame: pl.DataFrame, where: str) -> pl.DataFrame:
    texts = frame.get_column("__indicator").unique().to_list()
    indicators = {t: _indicator(t) for t in texts if t is not None}
    lost = sorted(t for t, code in indicators.items() if code is None)
    if lost:
        row = frame.filter(pl.col("__indicator") == lost[0]).row(0, named=True)
        raise UnknownLabel(
            f"unknown indicator {lost[0]!r} in {edition.edition_id}",
            where=f"{where}, row {row['row_number']}",
            remedy=f"the indicators are {', '.join(sorted(_INDICATORS.values()))}",
        )
    frame = resolve_labels(
        frame,
        "country_code_text",
        known_labels(["country__wgi"]),
        edition=edition,
        kind="country",
        into="country_label",
        marks=False,
    ).with_columns(
        pl.col("__indicator")
        .replace_strict(indicators, default=None, return_dtype=pl.String)
        .alias("indicator"),
        clean(pl.col("__year")).str.extract(_YEAR).cast(pl.Int32).alias("reference_year"),
    )
    frame = parse_values(frame, _WORDS)
    low, high = (
        pl.col("measure").replace_strict(
            {m: limits[i] for m, limits in _RANGES.items()}, default=None, return_dtype=pl.Float64
        )
        for i in (0, 1)
    )
    reason = (
        pl.when(pl.col("country_label").is_null())
        .then(pl.lit("country code is blank"))
        .when(pl.col("indicator").is_null())
        .then(pl.lit("indicator is blank"))
        .when(pl.col("reference_year").is_null())
        .then(pl.lit("year is not a year"))
        .when(pl.col("measure").is_null())
        .then(pl.lit("nothing tells what the series measures"))
        .when(pl.col("value_flag") == "unreadable")
        .then(pl.lit("value is not a number"))
        .when((pl.col("value") < low) | (pl.col("value") > high))
        .then(pl.lit("value is outside the range of the measure"))
        .otherwise(None)
    )
    return (
        frame.with_columns(reason.alias(QUARANTINE_REASON))
        .select(*TABLES[ESTIMATE].columns, QUARANTINE_REASON)
        .sort("row_number", "column_number")
    )
