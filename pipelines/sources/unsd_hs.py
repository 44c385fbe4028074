"""United Nations Statistics Division: codes of the Harmonized System and how revisions convert.

Two kinds of document:

*Lists of codes*: UN Comtrade's reference lists (JSON ``H0`` to ``H6``, or ``HS`` for all revisions
together; the same columns as CSV) and ``section, hscode, description, parent, level`` as CSV.
*Conversion workbooks* (``.xls``, ``.xlsx``), from one revision to an earlier one, with two sheets:

``conversion``
    each code of the later revision with the one earlier code that it is converted to;
``correlation``
    every pair of codes that share goods, with the relationship ``1:1``, ``1:n``, ``n:1`` or
    ``n:n`` as seen from the later revision.

Order and names of the sheets and place of the header differ from workbook to workbook, so the
header is looked for and the revisions are read from it. Revisions are written ``HS92`` (of 1988 and
1992, UN Comtrade's ``H0``), ``HS96`` (``H1``), ``HS02``, ``HS07``, ``HS12``, ``HS17``, ``HS22``
(``H6``) and ``HS28``. Codes are text, subheadings padded to six digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import (
    QUARANTINE_REASON,
    RECORD_COLUMNS,
    Document,
    Parsed,
    Part,
    TableSpec,
    parts,
)
from pipelines.sources.codelists import Layout, match
from pipelines.sources.corrections import apply_corrections
from pipelines.sources.grids import Grid, read_bytes, read_grids

__all__ = ["REVISIONS", "TABLES", "parse"]

CODE = "raw_unsd_hs__code"
CONVERSION = "raw_unsd_hs__conversion"

TABLES: dict[str, TableSpec] = {
    CODE: TableSpec(
        columns={
            **RECORD_COLUMNS,
            "hs_revision": pl.String(),
            "hs_code": pl.String(),
            "description_text": pl.String(),
            "parent_code": pl.String(),
            "level": pl.Int32(),
            "unit_text": pl.String(),
            "is_leaf": pl.Boolean(),
        },
        key=("hs_revision", "hs_code"),
    ),
    CONVERSION: TableSpec(
        columns={
            **RECORD_COLUMNS,
            "from_revision": pl.String(),
            "to_revision": pl.String(),
            "from_code_text": pl.String(),
            "to_code_text": pl.String(),
            "from_code": pl.String(),
            "to_code": pl.String(),
            "kind": pl.String(),
            "relationship_text": pl.String(),
            "relationship": pl.String(),
            "partial_text": pl.String(),
        },
        key=("from_revision", "to_revision", "kind", "from_code", "to_code"),
    ),
}

#: Year of a revision to its name.
REVISIONS: dict[str, str] = {
    "1988": "HS92",
    "1992": "HS92",
    "1996": "HS96",
    "2002": "HS02",
    "2007": "HS07",
    "2012": "HS12",
    "2017": "HS17",
    "2022": "HS22",
    "2028": "HS28",
}
#: UN Comtrade's name of a revision to ours.
_COMTRADE: dict[str, str] = {
    "H0": "HS92",
    "H1": "HS96",
    "H2": "HS02",
    "H3": "HS07",
    "H4": "HS12",
    "H5": "HS17",
    "H6": "HS22",
    "H7": "HS28",
}
_YEARS = "|".join(REVISIONS)
#: A header such as ``HS 2012``, ``From HS2022`` or ``HS 1988/92``, and nothing else.
_HEADER = re.compile(
    rf"^(?:from|to)?\s*HS\s*-?({_YEARS})(?:\s*/\s*(?:19)?\d{{2}})?$", re.IGNORECASE
)
_TITLE = re.compile(rf"\b(?:(H[0-7])|HS\s*-?({_YEARS}))\b", re.IGNORECASE)
_NAME = re.compile(rf"(?<![A-Za-z])(?:(H[0-7])|HS[ _-]?({_YEARS}))(?![0-9A-Za-z])", re.IGNORECASE)
#: Digits, or ``9999AA`` of the older lists.
_HS_CODE = r"^(?:\d{2}|\d{4}|\d{6}|\d{4}[A-Z]{2}|TOTAL)$"
_SUBHEADING = r"^(?:\d{6}|\d{4}[A-Z]{2})$"
_PARTIAL = frozenset({"ex", "ex.", "p", "part", "partial"})
_HEADER_ROWS = 40

_LIST_LAYOUTS = (
    Layout(
        columns={
            "hs_code": "id",
            "description_text": "text",
            "parent_code": "parent",
            "__leaf": "isLeaf",
            "__level": "aggrlevel",
            "unit_text": "standardUnitAbbr",
        },
        passed_over=frozenset({"last_modified"}),
    ),
    Layout(
        columns={
            "hs_code": "hscode",
            "description_text": "description",
            "parent_code": "parent",
            "__level": "level",
        },
        passed_over=frozenset({"section"}),
    ),
)
_JSON_KEYS = {
    "id": "hs_code",
    "text": "description_text",
    "parent": "parent_code",
    "isLeaf": "__leaf",
    "aggrLevel": "__level",
    "aggrlevel": "__level",
    "standardUnitAbbr": "unit_text",
}


def parse(edition: Edition, documents: Sequence[Document]) -> Parsed:
    """Every code of the lists and every pair of the conversion workbooks.

    :raises DocumentUnreadable: no list and no workbook between two revisions, a header that is not
        known, or a list that does not tell its revision.
    """
    frames: dict[str, list[pl.DataFrame]] = {CODE: [], CONVERSION: []}
    found: list[str] = []
    for part in parts(documents):
        found.append(part.name)
        if part.suffix == ".json":
            listed = _json_list(edition, part)
            if listed is not None:
                frames[CODE].append(listed)
            continue
        for grid in read_grids(part):
            header = _pair_header(grid)
            if header is not None:
                frames[CONVERSION].append(_pairs(edition, grid, *header))
                continue
            hit = match(grid, _LIST_LAYOUTS)
            if hit is not None:
                listed = grid.placed(grid.select(*hit), edition)
                frames[CODE].append(_codes(listed, _revision(edition, part, listed)))
    tables = {name: pl.concat(pieces) for name, pieces in frames.items() if pieces}
    if not tables:
        raise DocumentUnreadable(
            "neither a list of HS codes nor a conversion between two HS revisions",
            where=", ".join(found[:5]) or edition.edition_id,
            remedy="import a workbook of https://unstats.un.org/unsd/classifications/Econ",
        )
    return Parsed.of(TABLES, apply_corrections(edition, tables))


# -- lists ----------------------------------------------------------------------------------------


def _named(pattern: re.Pattern[str], text: str | None) -> str | None:
    found = pattern.search(text or "")
    if not found:
        return None
    return _COMTRADE[found[1].upper()] if found[1] else REVISIONS[found[2]]


def _revision(edition: Edition, part: Part, listed: pl.DataFrame) -> str:
    """The revision that a list is of: its total's text, else file name, label or catalogue."""
    totals = listed.filter(pl.col("hs_code").str.strip_chars() == "TOTAL")
    title = totals.item(0, "description_text") if totals.height else None
    from_title = _named(_TITLE, title)
    from_name = _named(_NAME, part.base_name.rsplit(".", 1)[0])
    if from_title and from_name and from_title != from_name:
        raise DocumentUnreadable(
            f"the list calls itself {from_title} and the file name says {from_name}",
            where=part.name,
            remedy="fetch the list again",
        )
    known = load_catalog().source("unsd_hs").known(edition.label)
    layouts = (edition.layout, known.layout if known else None, edition.label)
    revision = (
        from_title or from_name or next((r for t in layouts if (r := _named(_NAME, t))), None)
    )
    if revision is None:
        raise DocumentUnreadable(
            "nothing tells the revision of this list",
            where=part.name,
            remedy="name it in the file name or the edition, as in HS2022 or H6",
        )
    return revision


def _json_list(edition: Edition, part: Part) -> pl.DataFrame | None:
    """The codes of a UN Comtrade reference list, or None if it lists something else."""
    try:
        body: Any = json.loads(read_bytes(part).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DocumentUnreadable(
            f"not JSON ({error})", where=part.name, remedy="fetch the list again"
        ) from error
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
        return None
    keys = {key for row in results for key in row}
    if not {"id", "text", "parent"} <= keys:
        return None
    unknown = sorted(keys - set(_JSON_KEYS))
    if unknown:
        raise DocumentUnreadable(
            "; ".join(f"key {k!r} is not known" for k in unknown[:4]),
            where=part.name,
            remedy="the list has changed: teach the reader what the keys mean",
        )
    wanted = dict.fromkeys(_JSON_KEYS.values())
    rows = [_json_row(row) for row in results]
    frame = pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in wanted},
        schema=dict.fromkeys(wanted, pl.String),
    ).with_row_index("row_number", offset=1)
    frame = Grid(part, None, frame).placed(frame, edition)
    code = str(body.get("classCode") or "").strip().upper()
    if code and code != "HS" and code not in _COMTRADE:
        raise DocumentUnreadable(
            f"list of {code}, not of the Harmonized System",
            where=part.name,
            remedy=f"expected HS or one of {', '.join(_COMTRADE)}",
        )
    # The list of all revisions together calls its total by the latest of them.
    revision = "HS" if code == "HS" else _COMTRADE.get(code) or _revision(edition, part, frame)
    return _codes(frame, revision)


def _json_row(row: Mapping[str, Any]) -> dict[str, str | None]:
    return {_JSON_KEYS[key]: None if value is None else str(value) for key, value in row.items()}


def _codes(listed: pl.DataFrame, revision: str) -> pl.DataFrame:
    absent = [c for c in ("unit_text", "__leaf") if c not in listed.columns]
    frame = listed.with_columns(pl.lit(None, pl.String).alias(c) for c in absent).with_columns(
        pl.lit(revision).alias("hs_revision"),
        pl.col("hs_code").str.strip_chars(),
        pl.col("parent_code").str.strip_chars(),
        pl.col("__level").str.strip_chars().cast(pl.Int32, strict=False).alias("level"),
        pl.col("__leaf")
        .str.strip_chars()
        .str.to_lowercase()
        .replace_strict(
            {"1": True, "0": False, "true": True, "false": False},
            default=None,
            return_dtype=pl.Boolean,
        )
        .alias("is_leaf"),
        pl.col("row_number").cast(pl.Int64),
    )
    reason = (
        pl.when(~pl.col("hs_code").str.contains(_HS_CODE).fill_null(value=False))
        .then(pl.lit("not an HS code of two, four or six digits"))
        .when(pl.col("description_text").is_null())
        .then(pl.lit("code has no description"))
        .otherwise(None)
    )
    return frame.with_columns(reason.alias(QUARANTINE_REASON)).select(
        *TABLES[CODE].columns, QUARANTINE_REASON
    )


# -- conversions ----------------------------------------------------------------------------------


def _pair_header(grid: Grid) -> tuple[int, dict[int, str]] | None:
    """Row and cells of the header that names two revisions in two cells, or None."""
    for row_number, cells in grid.head(_HEADER_ROWS):
        if sum(bool(_HEADER.match(text)) for text in cells.values()) >= 2:
            return row_number, cells
    return None


def _pairs(edition: Edition, grid: Grid, header_row: int, cells: Mapping[int, str]) -> pl.DataFrame:
    place = f"{grid.place}, row {header_row}"
    revisions: list[tuple[int, str]] = []
    relationship: int | None = None
    partial: list[int] = []
    is_reversed = False
    for number, text in cells.items():
        revision = _HEADER.match(text)
        if revision:
            revisions.append((number, REVISIONS[revision[1]]))
            if text.casefold().startswith("to") and len(revisions) == 1:
                is_reversed = True
        elif text.casefold().startswith("relation"):
            relationship = number
        elif text.casefold() in _PARTIAL or "partial" in text.casefold():
            partial.append(number)
        else:
            raise DocumentUnreadable(
                f"column {text!r} is not known",
                where=place,
                remedy="expected two revisions of the Harmonized System and Relationship",
            )
    if len(revisions) != 2 or revisions[0][1] == revisions[1][1]:
        raise DocumentUnreadable(
            f"expected two different revisions, found {', '.join(r for _, r in revisions)}",
            where=place,
        )
    partial += _marker_columns(grid, header_row, frozenset(cells))
    grid.refuse_stray(header_row, frozenset(cells) | frozenset(partial))
    if is_reversed:
        revisions.reverse()
    (from_column, from_revision), (to_column, to_revision) = revisions
    columns = {"from_code_text": from_column, "to_code_text": to_column}
    if relationship is not None:
        columns["relationship_text"] = relationship
    markers = {f"__partial_{number}": number for number in sorted(partial)}
    frame = grid.placed(grid.select(header_row, {**columns, **markers}), edition)
    if relationship is None:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("relationship_text"))
    frame = frame.with_columns(
        pl.lit(from_revision).alias("from_revision"),
        pl.lit(to_revision).alias("to_revision"),
        pl.lit("conversion" if relationship is None else "correlation").alias("kind"),
        _subheading("from_code_text").alias("from_code"),
        _subheading("to_code_text").alias("to_code"),
        _relationship().alias("relationship"),
        (
            pl.concat_str(
                [pl.col(m).str.strip_chars() for m in markers], separator="|", ignore_nulls=True
            ).replace("", None)
            if markers
            else pl.lit(None, pl.String)
        ).alias("partial_text"),
    )
    reason = (
        pl.when(pl.any_horizontal(pl.col("from_code_text", "to_code_text").is_null()))
        .then(pl.lit("code stands on one side only"))
        .when(pl.any_horizontal(pl.col("from_code", "to_code").is_null()))
        .then(pl.lit("not a six-digit HS code"))
        .when((pl.col("kind") == "correlation") & pl.col("relationship").is_null())
        .then(pl.lit("relationship is not 1:1, 1:n, n:1 or n:n"))
        .otherwise(None)
    )
    return frame.with_columns(reason.alias(QUARANTINE_REASON)).select(
        *TABLES[CONVERSION].columns, QUARANTINE_REASON
    )


def _marker_columns(grid: Grid, header_row: int, headed: frozenset[int]) -> list[int]:
    """Columns without a header that hold nothing but ``ex``: only part of the code is meant."""
    body = grid.cells.filter(pl.col("row_number") > header_row)
    columns = [c for c in body.columns if c != "row_number" and int(c) not in headed]
    return [
        int(column)
        for column in columns
        if (texts := {t.strip().casefold() for t in body.get_column(column).drop_nulls()})
        and texts <= _PARTIAL
    ]


def _subheading(column: str) -> pl.Expr:
    """The code as six characters: points taken out, a zero that a number lost put back."""
    code = (
        pl.col(column)
        .str.replace_all(r"[\s.\u00a0']", "")
        .str.to_uppercase()
        .str.replace(r"^(\d{5})$", "0$1")
    )
    return pl.when(code.str.contains(_SUBHEADING)).then(code)


def _relationship() -> pl.Expr:
    """``1:1``, ``1:n``, ``n:1`` or ``n:n``: also printed as ``'n:n`` and ``n to 1``."""
    text = (
        pl.col("relationship_text")
        .str.to_lowercase()
        .str.replace_all(r"[\s'\u2019]", "")
        .str.replace(r"to|-|/", ":")
    )
    return pl.when(text.str.contains(r"^[1n]:[1n]$")).then(text)
