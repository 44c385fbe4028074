"""US International Trade Commission, DataWeb: US trade by partner and tariff code.

A download is a workbook: a sheet of query parameters, then one sheet a measure (customs or FAS
value, first and second unit of quantity), each once for full years and once for the year to date.
A row is a country, a tariff code and a unit of quantity; a column is a year. Exports and imports
come as two workbooks and make one edition.

What a zero means is told here, since DataWeb prints ``0`` for four different things:

* nothing was traded: ``zero``;
* the year is not over or not out yet (the newest year of a running year to date):
  ``not_available``;
* the quantity was withheld (its ``_Suppressed`` column is not 0): ``withheld``, or ``lower_bound``
  where a part of it is given;
* the code has no unit of quantity (``no units collected``): ``not_applicable``.

Values are US dollars; quantities are in the unit that stands beside them. Imports for consumption
and general imports are different statistics, so an edition holds one of them only.

Source: https://dataweb.usitc.gov
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import CELL_COLUMNS, RECORD_COLUMNS, Document, Parsed, TableSpec
from pipelines.sources.corrections import apply_corrections
from pipelines.sources.label_maps import attach
from pipelines.sources.labels import clean, known_labels, resolve_labels
from pipelines.sources.tokens import parse_values
from pipelines.sources.workbook import Sheet, Workbook, cell_frame, read_workbooks

__all__ = ["TABLES", "parse"]

_TRADE = "raw_usitc_dataweb__trade"
_QUERY = "raw_usitc_dataweb__query"

TABLES: dict[str, TableSpec] = {
    _TRADE: TableSpec(
        columns={
            **CELL_COLUMNS,
            "flow": pl.String(),
            "flow_text": pl.String(),
            "valuation_text": pl.String(),
            "measure": pl.String(),
            "country_text": pl.String(),
            "country_label": pl.String(),
            "hts_code": pl.String(),
            "code_level": pl.Int8(),
            "quantity_unit_text": pl.String(),
            "quantity_unit_label": pl.String(),
            "suppressed_text": pl.String(),
            "reference_year": pl.Int16(),
            "period_text": pl.String(),
            "is_year_to_date": pl.Boolean(),
        },
        key=(
            "flow",
            "valuation_text",
            "country_label",
            "hts_code",
            "quantity_unit_text",
            "period_text",
        ),
    ),
    _QUERY: TableSpec(
        columns={
            **RECORD_COLUMNS,
            "step_text": pl.String(),
            "key": pl.String(),
            "value": pl.String(),
        }
    ),
}

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PERIOD = re.compile(
    r"(?i)(?:year[ _])?(?P<year>(?:19|20)\d{2})"
    r"(?P<ytd>[ _]?(?:year[ _-]to[ _-]date|ytd))?(?P<suppressed>[ _]?suppressed)?"
)
_TO_DATE = re.compile(r"(?i)(?P<months>jan\w*\s*-\s*(?P<last>[a-z]{3})\w*)\s*$")
_DIMENSIONS = {
    "data type": "valuation_text",
    "country": "country_text",
    "hts number": "__code",
    "schedule b number": "__code",
    "description": "__description",
    "quantity description": "quantity_unit_text",
}
_NEEDED = {
    "Data Type": "valuation_text",
    "HTS Number": "__code",
    "Quantity Description": "quantity_unit_text",
}
_NO_UNIT = "no units collected"
_VALUE_PREFIX = r"(?i)^value for:\s*"
_AGAIN = "download the report again from dataweb.usitc.gov"


@dataclass(frozen=True, slots=True)
class _Query:
    """What was asked, as the sheet of query parameters says.

    :ivar rows: row number, step, key and value.
    """

    sheet: Sheet
    rows: tuple[tuple[int, str | None, str, str | None], ...]

    def value(self, key: str, step: str = "") -> str | None:
        """The first value of ``key``, within steps whose name contains ``step``."""
        for _, step_text, name, value in self.rows:
            if name.lower() == key.lower() and step.lower() in (step_text or "").lower():
                return value
        return None

    def needed(self, key: str) -> str:
        """Like :meth:`value`, refusing where it is missing."""
        value = self.value(key)
        if value is None:
            raise DocumentUnreadable(
                f"query parameter {key!r} is missing", where=self.sheet.place(), remedy=_AGAIN
            )
        return value

    @property
    def downloaded(self) -> date:
        """The day of the download."""
        text = self.needed("Download Date")
        try:
            return date.fromisoformat(text[:10])
        except ValueError as error:
            raise DocumentUnreadable(
                f"download date {text!r} is not a date", where=self.sheet.place()
            ) from error


@dataclass(frozen=True, slots=True)
class _Header:
    """Where the columns of a data sheet stand.

    :ivar periods: column number to (printed header, year, is year to date).
    :ivar suppressed: value column to the column that counts what was suppressed in it.
    :ivar to_date: months of the year to date (``Jan - Apr``) and the number of the last.
    """

    row: int
    dimensions: dict[str, int]
    periods: dict[int, tuple[str, int, bool]]
    suppressed: dict[int, int]
    to_date: tuple[str, int] | None
    row_count: int


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """Read the workbooks of an edition.

    :raises DocumentUnreadable: no workbook, no query sheet, a layout or classification that is not
        read here, or fewer rows than the sheet says it has.
    :raises UnknownLabel: a country, trade flow or data type that the maps do not know.
    """
    queries: list[pl.DataFrame] = []
    cells: list[pl.DataFrame] = []
    for workbook in read_workbooks(documents):
        query = _query(workbook)
        queries.append(_query_frame(edition, query))
        cells.extend(
            _sheet_cells(edition, sheet, query)
            for sheet in workbook.sheets
            if sheet is not query.sheet and _is_data(sheet)
        )
    if not cells:
        raise DocumentUnreadable("no sheet with trade data in the workbooks", remedy=_AGAIN)
    trade = _typed(edition, pl.concat(cells, how="diagonal"))
    frames = {_TRADE: trade, _QUERY: pl.concat(queries)}
    return Parsed.of(TABLES, apply_corrections(edition, frames))


def _query(workbook: Workbook) -> _Query:
    for sheet in workbook.sheets:
        texts = {(row.get(1) or "").strip().lower() for row in sheet.rows.values()}
        if "trade flow" not in texts:
            continue
        rows: list[tuple[int, str | None, str, str | None]] = []
        step: str | None = None
        for number, row in sheet.rows.items():
            key, value = (row.get(1) or "").strip(), (row.get(2) or "").strip() or None
            if value is None and key.lower().startswith("step "):
                step = key
            else:
                rows.append((number, step, key, value))
        query = _Query(sheet=sheet, rows=tuple(rows))
        if not query.needed("Classification System").upper().startswith(("HTS", "SCHEDULE B")):
            raise DocumentUnreadable(
                f"classification {query.value('Classification System')!r} is not read here",
                where=sheet.place(),
                remedy="download the report by HTS items",
            )
        if query.value("Data Format") not in {None, "1"}:
            raise DocumentUnreadable(
                f"figures are in units of {query.value('Data Format')}",
                where=sheet.place(),
                remedy="download the report in single dollars and units (data format 1)",
            )
        return query
    raise DocumentUnreadable(
        f"no sheet of query parameters (sheets: {workbook.sheet_names})",
        where=workbook.part.name,
        remedy="give a DataWeb download with its query sheet",
    )


def _query_frame(edition: Edition, query: _Query) -> pl.DataFrame:
    rows = [
        {
            "part": query.sheet.part,
            "sheet": query.sheet.name,
            "row_number": number,
            "step_text": step,
            "key": key,
            "value": value,
        }
        for number, step, key, value in query.rows
    ]
    text = pl.String()
    return cell_frame(edition, rows, {"step_text": text, "key": text, "value": text})


def _header_row(sheet: Sheet) -> int | None:
    for number, row in list(sheet.rows.items())[:10]:
        if any(text.strip().lower() == "data type" for text in row.values()):
            return number
    return None


def _is_data(sheet: Sheet) -> bool:
    """Whether the sheet holds trade data; a sheet of remarks does not."""
    if _header_row(sheet) is not None:
        return True
    if all(len(row) <= 2 for row in sheet.rows.values()):
        return False
    raise DocumentUnreadable(
        "no header row with 'Data Type' in the first rows", where=sheet.place(), remedy=_AGAIN
    )


def _header(sheet: Sheet) -> _Header:
    row = _header_row(sheet) or 0
    dimensions: dict[str, int] = {}
    periods: dict[int, tuple[str, int, bool]] = {}
    counts: dict[tuple[int, bool], int] = {}
    for column, text in sheet.row(row).items():
        name = text.strip()
        period = _PERIOD.fullmatch(name)
        if name.lower() in _DIMENSIONS:
            dimensions[_DIMENSIONS[name.lower()]] = column
        elif period is None:
            raise DocumentUnreadable(
                f"unknown column {name!r}",
                where=sheet.place(row, column),
                remedy="download the report by year, broken out by country and commodity only",
            )
        elif period["suppressed"]:
            counts[int(period["year"]), bool(period["ytd"])] = column
        else:
            periods[column] = (name, int(period["year"]), bool(period["ytd"]))
    missing = [n for n, c in _NEEDED.items() if c not in dimensions]
    if missing or not periods:
        raise DocumentUnreadable(
            f"columns missing: {', '.join(missing) or 'years'}", where=sheet.place(row)
        )
    above = [t.strip() for n, r in sheet.rows.items() if n < row for t in r.values()]
    to_date = next((m for t in above if (m := _TO_DATE.search(t))), None)
    count = next(
        (r[2] for n, r in sheet.rows.items() if n < row and "row count" in r.get(1, "").lower()
         and 2 in r),
        None,
    )  # fmt: skip
    if count is None or not count.replace(",", "").isdigit():
        raise DocumentUnreadable("the row count is missing", where=sheet.place(), remedy=_AGAIN)
    return _Header(
        row=row,
        dimensions=dimensions,
        periods=periods,
        suppressed={c: counts[y, t] for c, (_, y, t) in periods.items() if (y, t) in counts},
        to_date=(to_date["months"], _month(to_date["last"])) if to_date else None,
        row_count=int(count.replace(",", "")),
    )


def _month(name: str) -> int:
    """Number of a month, 12 for a name that is none."""
    short = name.lower()
    return _MONTHS.index(short) + 1 if short in _MONTHS else len(_MONTHS)


def _body(sheet: Sheet, header: _Header) -> pl.DataFrame:
    """The data rows in wide form, columns named by their number; completeness is checked."""
    first = header.dimensions["valuation_text"]
    known = [*header.dimensions.values(), *header.periods, *header.suppressed.values()]
    numbers = [n for n in sheet.rows if n > header.row]
    stray = next(((n, c) for n in numbers for c in sheet.row(n) if c not in known), None)
    if stray is not None:
        raise DocumentUnreadable("a value has no column header", where=sheet.place(*stray))
    columns = {str(c): [sheet.text(n, c) for n in numbers] for c in known}
    frame = pl.DataFrame(
        {"row_number": numbers, **columns},
        schema={"row_number": pl.Int64, **dict.fromkeys(columns, pl.String)},
    )
    is_total = pl.col(str(first)).str.strip_chars().str.to_lowercase().str.starts_with("total")
    totals = frame.filter(is_total)
    data = frame.filter(is_total.fill_null(value=False).not_())
    if data.height != header.row_count:
        raise DocumentUnreadable(
            f"{data.height} rows where the sheet says {header.row_count}: cut short or damaged",
            where=sheet.place(),
            remedy=_AGAIN,
        )
    _check_totals(sheet, header, data, totals)
    return data


def _check_totals(sheet: Sheet, header: _Header, data: pl.DataFrame, totals: pl.DataFrame) -> None:
    """Refuse where the printed total of a column is not the sum of its rows."""
    for row in totals.iter_rows(named=True):
        for column, (name, _, _) in header.periods.items():
            printed = (row[str(column)] or "").replace(",", "").strip()
            if not printed:
                continue
            figures = data[str(column)].str.replace_all(",", "").cast(pl.Float64, strict=False)
            found = float(figures.sum())
            if not _is_number(printed) or abs(float(printed) - found) >= 1:
                raise DocumentUnreadable(
                    f"rows of {name} add up to {found:,.0f} where the sheet says {printed}",
                    where=sheet.place(row["row_number"], column),
                    remedy=_AGAIN,
                )


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _sheet_cells(edition: Edition, sheet: Sheet, query: _Query) -> pl.DataFrame:
    """The cells of a data sheet in long form, with what its header says of them."""
    header = _header(sheet)
    data = _body(sheet, header)
    names = {str(c): name for name, c in header.dimensions.items()}
    if "country_text" not in header.dimensions:
        _check_all_countries(sheet, query)
    open_years = _open_years(header, query)
    just_closed = query.downloaded.year - 1 if query.downloaded.month <= 3 else None
    months = header.to_date[0] if header.to_date else "year to date"
    pieces: list[pl.DataFrame] = []
    for column, (printed, year, to_date) in header.periods.items():
        text = data[str(column)]
        is_empty = bool((text.fill_null("0").str.strip_chars() == "0").all())
        count = header.suppressed.get(column)
        pieces.append(
            data.select(
                "row_number",
                *(pl.col(number).alias(name) for number, name in names.items()),
                pl.lit(column).alias("column_number"),
                pl.lit(printed).alias("column_name"),
                pl.col(str(column)).alias("value_text"),
                (pl.col(str(count)) if count else pl.lit(None, pl.String)).alias("suppressed_text"),
                pl.lit(year).alias("reference_year"),
                pl.lit(f"{year} {months}" if to_date else str(year)).alias("period_text"),
                pl.lit(to_date).alias("is_year_to_date"),
                pl.lit(not to_date and year in open_years).alias("__is_open"),
                pl.lit(not to_date and year == just_closed and is_empty).alias("__is_not_out"),
            )
        )
    cells = pl.concat(pieces)
    has_countries = "country_text" in cells.columns
    if not has_countries:
        cells = cells.with_columns(pl.lit(None, pl.String).alias("country_text"))
    return cells.with_columns(
        pl.lit(not has_countries).alias("__all_countries"),
        pl.lit(edition.edition_id).alias("source_edition_id"),
        pl.lit(sheet.part.name).alias("document_name"),
        pl.lit(sheet.part.document.sha256).alias("document_sha256"),
        pl.lit(sheet.name).alias("sheet"),
        pl.lit(query.needed("Trade Flow")).alias("flow_text"),
    )


def _check_all_countries(sheet: Sheet, query: _Query) -> None:
    if "all" not in (query.value("Select Type", "Countries") or "").lower():
        raise DocumentUnreadable(
            "no country column, and the query adds selected countries together",
            where=sheet.place(),
            remedy="download the report with countries broken out, or for all countries",
        )


def _open_years(header: _Header, query: _Query) -> frozenset[int]:
    """Years whose twelve months were not all published when the report was made."""
    running = query.downloaded.year
    # The year to date ends with the last month that was out: in January that is one of last year.
    if header.to_date and query.downloaded.month < header.to_date[1] < len(_MONTHS):
        running -= 1
    return frozenset(year for _, year, _ in header.periods.values() if year >= running)


def _typed(edition: Edition, cells: pl.DataFrame) -> pl.DataFrame:
    """Labels resolved, values read, zeros told apart, bad rows marked."""
    cells = _resolve(edition, cells)
    unit = clean(pl.col("quantity_unit_text")).str.replace(_VALUE_PREFIX, "")
    code = pl.col("__code").str.replace_all(r"[.\s]", "")
    # Spreadsheets drop the leading zero of the codes of chapters 1 to 9.
    code = pl.when(code.str.len_chars() % 2 == 1).then(pl.format("0{}", code)).otherwise(code)
    cells = cells.with_columns(
        unit.alias("quantity_unit_label"),
        code.alias("hts_code"),
    )
    read = parse_values(cells, {})
    suppressed = (
        pl.col("suppressed_text").str.replace_all(",", "").cast(pl.Float64, strict=False) > 0
    ).fill_null(value=False)
    is_zero = pl.col("value_flag").is_in(["zero", "blank"])
    no_unit = pl.col("quantity_unit_label").str.to_lowercase() == _NO_UNIT
    is_quantity = pl.col("measure") == "quantity"
    flag = (
        pl.when(is_zero & (pl.col("__is_open") | pl.col("__is_not_out")))
        .then(pl.lit("not_available"))
        .when(is_zero & is_quantity & suppressed)
        .then(pl.lit("withheld"))
        .when(is_zero & is_quantity & no_unit)
        .then(pl.lit("not_applicable"))
        .when((pl.col("value_flag") == "reported") & (suppressed | pl.col("__is_open")))
        .then(pl.lit("lower_bound"))
        .otherwise("value_flag")
    )
    read = read.with_columns(flag.alias("value_flag"))
    has_value = pl.col("value_flag").is_in(["reported", "zero"])
    has_low = has_value | (pl.col("value_flag") == "lower_bound")
    read = read.with_columns(
        pl.when(has_value).then("value").alias("value"),
        pl.when(has_low).then("value_low").alias("value_low"),
        pl.when(has_value).then("value_high").alias("value_high"),
    )
    is_code = pl.col("hts_code").str.contains(r"^\d{2}(?:\d{2}){0,4}$").fill_null(value=False)
    return read.with_columns(
        pl.when(is_code).then(pl.col("hts_code").str.len_chars()).alias("code_level"),
        pl.when(~is_code)
        .then(pl.format("not a tariff code: {}", pl.col("__code").fill_null("")))
        .when(pl.col("country_label").is_null())
        .then(pl.lit("row without a country"))
        .when((pl.col("value_flag") == "unreadable") | pl.col("value").is_infinite())
        .then(pl.format("unreadable number: {}", pl.col("value_text").fill_null("")))
        .when(pl.col("value") < 0)
        .then(pl.lit("negative amount"))
        .alias("quarantine_reason"),
    )


def _resolve(edition: Edition, cells: pl.DataFrame) -> pl.DataFrame:
    maps = load_catalog().source("usitc_dataweb").country_maps
    cells = resolve_labels(
        cells, "flow_text", known_labels(["flow__usitc"]), edition=edition, kind="trade flow",
        into="__flow", marks=False,
    )  # fmt: skip
    cells = attach(cells, "__flow", "flow__usitc", {"flow": "flow"})
    per_flow = cells.group_by("flow").agg(pl.col("__flow").unique().sort()).sort("flow")
    for flow, kinds in per_flow.iter_rows():
        if len(kinds) > 1:
            raise DocumentUnreadable(
                f"two kinds of {flow} in one edition ({', '.join(kinds)}) would be added up",
                remedy="import them as two editions (--edition)",
            )
    cells = resolve_labels(
        cells, "valuation_text", known_labels(["valuation__usitc"]), edition=edition,
        kind="data type", into="__valuation", marks=False,
    )  # fmt: skip
    cells = attach(cells, "__valuation", "valuation__usitc", {"measure": "measure"})
    # Without a country column the report is that of all countries (checked with the query).
    cells = cells.with_columns(
        pl.when(pl.col("__all_countries"))
        .then(pl.lit("World"))
        .otherwise("country_text")
        .alias("__country")
    )
    return resolve_labels(
        cells, "__country", known_labels(maps), edition=edition, kind="country",
        into="country_label", marks=False,
    )  # fmt: skip
