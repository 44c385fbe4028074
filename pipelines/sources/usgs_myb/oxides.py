"""Oxide distribution of deposits: each rare-earth oxide as a percentage of total REO.

A deposit runs over two or three lines of the location column, its figures standing in the first.
``Do.`` repeats what stands above. The number behind a location is that of the note with the
literature it comes from; of that citation only authors and year are kept. Rows add up to about 98
to 104 percent, as the agency says itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import CELL_COLUMNS, TableSpec
from pipelines.sources.label_maps import read_reference
from pipelines.sources.labels import known_labels, resolve_labels
from pipelines.sources.tokens import parse_values
from pipelines.sources.usgs_myb.printed import (
    VOCABULARY,
    PrintedTable,
    is_estimate,
    quarantine,
    split_marks,
    squeeze,
)
from pipelines.sources.usgs_myb.production import header_spans
from pipelines.sources.workbook import cell_frame

__all__ = ["SPEC", "read", "short_citation"]

SPEC = TableSpec(
    columns={
        **CELL_COLUMNS,
        "table_label": pl.String(),
        "deposit_text": pl.String(),
        "deposit_label": pl.String(),
        "country_text": pl.String(),
        "country_label": pl.String(),
        "mineral_text": pl.String(),
        "element": pl.String(),
        "reference_text": pl.String(),
        "marker_text": pl.String(),
        "unit_text": pl.String(),
    },
    key=("deposit_label", "mineral_text", "element"),
)

_DITTO = re.compile(r"(?i)do\.?")
_SOURCE = re.compile(r"(?i)^sources?:\s*")
_AUTHORS_AND_YEAR = re.compile(r"^.*?,\s*(?:19|20)\d{2}[a-z]?\b")


@dataclass
class _Deposit:
    row: int
    mineral: str
    country: str
    lines: list[str] = field(default_factory=list)


def read(edition: Edition, table: PrintedTable) -> pl.DataFrame:
    """The cells of ``table``.

    :raises DocumentUnreadable: an unknown layout (one with deposits as columns is not read).
    :raises UnknownLabel: a country that the map does not know.
    """
    dtypes = dict(SPEC.columns)
    made = ("column_number", "column_name", "value_text", "table_label", "deposit_text",
            "deposit_label", "country_text", "mineral_text", "element", "reference_text",
            "marker_text", "unit_text")  # fmt: skip
    frame = cell_frame(
        edition,
        list(_cells(table)),
        {**{n: dtypes[n] for n in made}, "__reading": pl.String(), "__is_estimate": pl.Boolean()},
    )
    maps = load_catalog().source("usgs_myb").country_maps
    frame = resolve_labels(
        frame, "country_text", known_labels(maps), edition=edition, kind="country",
        into="country_label",
    )  # fmt: skip
    read_values = parse_values(
        frame,
        VOCABULARY,
        text="__reading",
        estimated=pl.col("__is_estimate"),
        upper=pl.lit(100.0),
    )
    return read_values.with_columns(quarantine(upper=100)).drop("__reading", "__is_estimate")


def short_citation(note: str) -> str | None:
    """Authors and year of each work that a ``Source:`` note cites, None for any other note.

    >>> short_citation("Source: Doe, J., and Roe, R., 2014, A long title: A Journal, v. 1, 3 p.")
    'Doe, J., and Roe, R., 2014'
    """
    text = squeeze(note)
    if not _SOURCE.match(text):
        return None
    works = re.split(r";\s*(?:and\s+)?", _SOURCE.sub("", text))
    cited = [m.group(0) for work in works if (m := _AUTHORS_AND_YEAR.match(work))]
    return "; ".join(cited) or None


def _header(table: PrintedTable) -> tuple[int, dict[str, int], dict[int, str]]:
    elements = frozenset(read_reference("ref_element")["symbol"])
    for number, row in table.body(table.head_end):
        names = {c: squeeze(t) for c, t in row.items() if squeeze(t)}
        symbols = {c: s for c, t in names.items() if (s := split_marks(t)[0]) in elements}
        if len(symbols) < 3:
            continue
        others = {split_marks(t)[0].lower(): c for c, t in names.items() if c not in symbols}
        wanted = {"primary source": "mineral", "country": "country", "location": "location"}
        unknown = [t for t in others if t not in wanted]
        missing = [t for t in wanted if t not in others]
        if unknown or missing or len(set(symbols.values())) != len(symbols):
            what = f"unknown column {unknown[0]!r}" if unknown else (
                f"columns missing: {', '.join(missing)}" if missing else "an element twice"
            )  # fmt: skip
            raise DocumentUnreadable(
                f"{what} in {table.label}",
                where=table.sheet.place(number),
                remedy="the layout has changed: extend pipelines/sources/usgs_myb",
            )
        return number, {wanted[t]: c for t, c in others.items()}, symbols
    raise DocumentUnreadable(
        f"no header row with element symbols in {table.label}",
        where=table.sheet.place(table.head_end),
        remedy="only tables with a deposit a row and an element a column are read",
    )


def _cells(table: PrintedTable) -> Iterator[dict[str, object]]:
    header_row, places, symbols = _header(table)
    spans = header_spans(table, header_row, sorted(symbols))
    header = table.sheet.row(header_row)
    for deposit in _deposits(table, header_row, places, min(symbols)):
        printed = squeeze(" ".join(deposit.lines))
        label, marks = split_marks(printed)
        cited = [short_citation(table.notes.get(n, "")) for n in re.findall(r"\d+", marks or "")]
        for column, symbol in symbols.items():
            figure = table.figure(deposit.row, spans[column])
            yield {
                "part": table.sheet.part,
                "sheet": table.sheet.name,
                "row_number": deposit.row,
                "column_number": figure.column,
                "column_name": squeeze(header[column]),
                "value_text": figure.text,
                "__reading": figure.reading,
                "__is_estimate": is_estimate(figure.marks) or is_estimate(marks),
                "table_label": table.label,
                "deposit_text": printed,
                "deposit_label": label,
                "country_text": deposit.country,
                "mineral_text": deposit.mineral,
                "element": symbol,
                "reference_text": "; ".join(c for c in cited if c) or None,
                "marker_text": figure.marks,
                "unit_text": table.unit,
            }


def _deposits(
    table: PrintedTable, header_row: int, places: dict[str, int], first_figure: int
) -> list[_Deposit]:
    found: list[_Deposit] = []
    for number, row in table.body(header_row):
        if number >= table.notes_start:
            break
        texts = {name: squeeze(row.get(column, "")) for name, column in places.items()}
        if not any(c >= first_figure and squeeze(t) for c, t in row.items()):
            if not found or texts["mineral"] or texts["country"]:
                raise DocumentUnreadable(
                    "a row without figures that continues no location",
                    where=table.sheet.place(number),
                )
            found[-1].lines.append(texts["location"])
            continue
        above = found[-1] if found else None
        deposit = _Deposit(
            row=number,
            mineral=_said(texts["mineral"], above.mineral if above else None),
            country=_said(texts["country"], above.country if above else None),
            lines=[texts["location"]],
        )
        if not (deposit.mineral and deposit.country and texts["location"]):
            raise DocumentUnreadable(
                "mineral, country or location is missing", where=table.sheet.place(number)
            )
        found.append(deposit)
    return found


def _said(text: str, above: str | None) -> str:
    """``text``, or what stands above where it says ditto."""
    return (above or "") if _DITTO.fullmatch(text) else split_marks(text)[0]
