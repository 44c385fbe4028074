"""Average yearly prices of rare-earth oxides by element and purity, in dollars per kilogram.

The oxide's purity (percent) stands between product and years. The numbers behind a product are
those of the notes that name the price reporter and the terms of delivery; they are kept as marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import CELL_COLUMNS, TableSpec
from pipelines.sources.label_maps import attach
from pipelines.sources.labels import known_labels, resolve_labels
from pipelines.sources.tokens import parse_values
from pipelines.sources.usgs_myb.printed import (
    VOCABULARY,
    PrintedTable,
    is_estimate,
    quarantine,
    says_estimate,
    squeeze,
    unit_label,
)
from pipelines.sources.usgs_myb.production import header_spans, year_columns
from pipelines.sources.workbook import cell_frame

__all__ = ["SPEC", "read"]

SPEC = TableSpec(
    columns={
        **CELL_COLUMNS,
        "table_label": pl.String(),
        "product_text": pl.String(),
        "element": pl.String(),
        "purity_text": pl.String(),
        "reference_year": pl.Int16(),
        "marker_text": pl.String(),
        "unit_text": pl.String(),
        "unit_label": pl.String(),
    },
    key=("product_text", "purity_text", "reference_year"),
)


def read(edition: Edition, table: PrintedTable) -> pl.DataFrame:
    """The cells of ``table``.

    :raises DocumentUnreadable: an unknown layout.
    :raises UnknownLabel: a product or unit that the maps do not know.
    """
    dtypes = dict(SPEC.columns)
    made = ("column_number", "column_name", "value_text", "table_label", "purity_text",
            "reference_year", "marker_text", "unit_text")  # fmt: skip
    frame = cell_frame(
        edition,
        list(_cells(table)),
        {
            **{n: dtypes[n] for n in made},
            "__product": pl.String(),
            "__reading": pl.String(),
            "__is_estimate": pl.Boolean(),
        },
    )
    frame = resolve_labels(
        frame, "__product", known_labels(["product__usgs_myb"]), edition=edition,
        kind="product", into="product_text",
    )  # fmt: skip
    frame = attach(frame, "product_text", "product__usgs_myb", {"element": "element"})
    frame = resolve_labels(
        frame, "unit_text", known_labels(["unit__usgs"]),
        edition=edition, kind="unit", into="unit_label", normalise=unit_label, marks=False,
    )  # fmt: skip
    # What follows the known name are its marks: ``Scandium2, 3``.
    marks = pl.col("__product").str.strip_prefix(pl.col("product_text"))
    frame = frame.with_columns(
        pl.concat_str(
            pl.when(marks != "").then(marks), "marker_text", separator="; ", ignore_nulls=True
        )
        .replace("", None)
        .alias("marker_text")
    )
    read_values = parse_values(
        frame,
        VOCABULARY,
        text="__reading",
        estimated=pl.col("__is_estimate") | says_estimate(pl.col("marker_text")),
    )
    return read_values.with_columns(quarantine()).drop("__product", "__reading", "__is_estimate")


def _cells(table: PrintedTable) -> Iterator[dict[str, object]]:
    header_row, years = year_columns(table)
    header = {c: squeeze(t) for c, t in table.sheet.row(header_row).items() if squeeze(t)}
    purity: int | None = None
    for column, text in header.items():
        # The header of the purity runs over two lines: ``Purity`` above ``(percent)``.
        over = squeeze(table.sheet.text(header_row - 1, column) or "")
        name = f"{over} {text}".lower()
        if "purity" in name:
            purity = column
        elif column not in years and not (column == 1 and text.lower().startswith("product")):
            raise DocumentUnreadable(
                f"unknown column {text!r} in {table.label}",
                where=table.sheet.place(header_row, column),
                remedy="the layout has changed: extend pipelines/sources/usgs_myb",
            )
    spans = header_spans(table, header_row, sorted(years))
    first = min(years)
    for number, row in table.body(header_row):
        if number >= table.notes_start:
            break
        product = squeeze(row.get(1, ""))
        if re.fullmatch(r"(?:.+:)?", product) and not any(c >= first for c in row):
            continue
        for column, (year, marks) in years.items():
            figure = table.figure(number, spans[column])
            yield {
                "part": table.sheet.part,
                "sheet": table.sheet.name,
                "row_number": number,
                "column_number": figure.column,
                "column_name": header[column],
                "value_text": figure.text,
                "__reading": figure.reading,
                "__is_estimate": is_estimate(figure.marks) or is_estimate(marks),
                "table_label": table.label,
                "__product": product,
                "purity_text": squeeze(row.get(purity, "")) if purity else None,
                "reference_year": year,
                "marker_text": figure.marks,
                "unit_text": table.unit,
            }
