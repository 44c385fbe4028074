"""US trade in rare earths and magnets for the starter, in the layout of a DataWeb download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from pipelines.catalog import load_catalog
from pipelines.sources import usitc_dataweb
from pipelines.sources.base import Document
from starter.writers.common import Original, write_edition
from starter.writers.spreadsheet import Cell, write_workbook

__all__ = ["CODES", "LABEL", "ORIGINALS", "write"]

LABEL = "1993-2026"
ORIGINALS = (
    Path("trade/usitc/us_domestic_exports_1993-2026.xlsx"),
    Path("trade/usitc/us_imports_for_consumption_1993-2026.xlsx"),
)
#: Rare-earth compounds, rare-earth metals, magnets; codes that begin like this are carried over.
CODES = {"2846": "Rare-earth compounds", "280530": "Rare-earth metals", "8505": "Magnets"}


def write(originals: Path, out: Path) -> None:
    """Write ``out/1993-2026/`` from the two workbooks below ``originals``."""
    source = load_catalog().source("usitc_dataweb")
    edition = source.edition(LABEL)
    folder = out / LABEL
    sheets_of: list[Original] = []
    for path in ORIGINALS:
        original = Document.of(originals / path)
        parsed = usitc_dataweb.parse(edition, [original])
        trade = parsed.tables["raw_usitc_dataweb__trade"].filter(
            pl.col("hts_code").str.contains(f"^(?:{'|'.join(CODES)})")
        )
        query = parsed.tables["raw_usitc_dataweb__query"]
        sheets = {query["sheet"][0]: _query(query, trade)}
        for sheet in trade.partition_by("sheet", maintain_order=True):
            sheets[sheet["sheet"][0]] = list(_sheet(sheet, _heading(trade)))
        write_workbook(folder / path.name, sheets)
        sheets_of.append(
            Original(
                document=path.name,
                url=source.homepage,
                sha256=original.sha256,
                place=f"rows of {', '.join(trade['hts_code'].unique().sort())}",
            )
        )
    write_edition(folder, edition, sheets_of)


def _query(query: pl.DataFrame, trade: pl.DataFrame) -> list[list[Cell]]:
    """The parameters, with the codes that were carried over."""
    codes = ", ".join(trade["hts_code"].unique().sort())
    rows: list[list[Cell]] = []
    step: str | None = None
    for row in query.iter_rows(named=True):
        if row["step_text"] is not None and row["step_text"] != step:
            step = row["step_text"]
            rows.append([step])
        rows.append([row["key"], codes if row["key"] == "Commodity List" else row["value"]])
    return rows


def _heading(trade: pl.DataFrame) -> str:
    """The periods of the report, as the title of every sheet names them."""
    months = trade["period_text"].str.extract(r"(Jan - \w+)$").drop_nulls().unique().sort()
    return f"Annual + Year-To-Date Data from {months[0]}" if months.len() else "Annual Data"


def _sheet(cells: pl.DataFrame, heading: str) -> Iterator[list[Cell]]:
    """One data sheet: title, row count, header, rows, and for values the total."""
    index = ["valuation_text", "country_text", "hts_code", "quantity_unit_text"]
    periods = cells.unique("column_number").sort("column_number")["column_name"].to_list()
    wide = cells.pivot("column_name", index=index, values="value_text").sort(index)
    has_counts = cells["suppressed_text"].is_not_null().any()
    counts = cells.pivot("column_name", index=index, values="suppressed_text").sort(index)
    yield [f"{cells['flow_text'][0]}|{heading}"]
    yield ["Data Row Count", wide.height]
    headers = [*periods, *(f"{p}_Suppressed" for p in periods if has_counts)]
    yield ["Data Type", "Country", "HTS Number", "Description", "Quantity Description", *headers]
    for row, suppressed in zip(
        wide.iter_rows(named=True), counts.iter_rows(named=True), strict=True
    ):
        figures = [_number(row[p]) for p in periods]
        if has_counts:
            figures += [_number(suppressed[p]) for p in periods]
        kind, country, code, unit = (row[name] for name in index)
        words = next(text for prefix, text in CODES.items() if code.startswith(prefix))
        yield [kind, country, code, words, unit, *figures]
    if not has_counts:
        totals = [round(wide[p].cast(pl.Float64).sum()) for p in periods]
        yield ["Total: ", None, None, None, None, *(f"{total:,}" for total in totals)]


def _number(text: str | None) -> Cell:
    if text is None:
        return None
    return float(text) if "." in text else int(text)
