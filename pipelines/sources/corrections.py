"""Known errors of publishers, as rows with a reason and a guard.

``seeds/ref_correction.csv`` names a cell by edition, table and matching columns, what is expected
to stand there (the guard), what replaces it and why, with the evidence. A correction whose guard
finds something else, or nothing, refuses the edition: the publisher has changed the document, so
somebody must look.

Columns of the seed: ``correction_id, source_edition_id, table_name, match`` (``column=value``
pairs joined by `` & ``), ``column_name, expected, replacement, scale, reason, evidence_url``.
``replacement`` sets the column; ``scale`` multiplies ``value``, ``value_low`` and ``value_high``
(a unit error). ``value_text`` is never touched, so the cell still shows what was printed.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import EditionRefused, MonaziteError
from pipelines.settings import Settings

__all__ = ["apply_corrections", "read_corrections"]

_COLUMNS = (
    "correction_id",
    "source_edition_id",
    "table_name",
    "match",
    "column_name",
    "expected",
    "replacement",
    "scale",
    "reason",
    "evidence_url",
)


def read_corrections(seeds: Path | None = None) -> pl.DataFrame:
    """The corrections table, all columns as text; empty cells are null."""
    path = (seeds or Settings().seeds_dir) / "ref_correction.csv"
    frame = pl.read_csv(path, infer_schema=False)
    missing = [c for c in _COLUMNS if c not in frame.columns]
    if missing:
        raise MonaziteError(f"columns missing: {', '.join(missing)}", where=str(path))
    return frame


def _condition(match: str) -> pl.Expr:
    condition = pl.lit(value=True)
    for pair in match.split(" & "):
        column, _, value = pair.partition("=")
        condition &= pl.col(column.strip()).cast(pl.String) == value.strip()
    return condition


def apply_corrections(
    edition: Edition,
    tables: dict[str, pl.DataFrame],
    corrections: pl.DataFrame | None = None,
) -> dict[str, pl.DataFrame]:
    """``tables`` with the corrections of this edition applied.

    A correction of a table that this extract of the edition does not hold (no rows) is passed
    over; one that matches no row of a table that is there, or whose guard fails, refuses.

    :raises EditionRefused: a guard failed.
    """
    rows = read_corrections() if corrections is None else corrections
    result = dict(tables)
    for row in rows.filter(pl.col("source_edition_id") == edition.edition_id).iter_rows(named=True):
        name, column = row["table_name"], row["column_name"]
        frame = result.get(name)
        if frame is None or frame.is_empty():
            continue
        where = f"ref_correction {row['correction_id']}"
        hit = _condition(row["match"])
        found = frame.filter(hit)
        if found.is_empty():
            raise EditionRefused(
                f"correction matches no cell of {edition.edition_id}",
                where=where,
                remedy="the publisher may have mended it: check the document and the correction",
            )
        actual = found.get_column(column).cast(pl.String).unique().to_list()
        if row["expected"] is not None and actual != [row["expected"]]:
            raise EditionRefused(
                f"correction expected {row['expected']!r} in {column}, found {actual!r}",
                where=where,
                remedy="the publisher may have mended it: check the document and the correction",
            )
        if row["scale"] is not None:
            factor = float(row["scale"])
            frame = frame.with_columns(
                pl.when(hit).then(pl.col(c) * factor).otherwise(pl.col(c)).alias(c)
                for c in ("value", "value_low", "value_high")
            )
        if row["replacement"] is not None:
            dtype = frame.schema[column]
            frame = frame.with_columns(
                pl.when(hit)
                .then(pl.lit(row["replacement"]).cast(dtype))
                .otherwise(pl.col(column))
                .alias(column)
            )
        result[name] = frame
    return result
