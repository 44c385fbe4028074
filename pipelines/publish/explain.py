# ruff: noqa: S608 - names are checked against the release and quoted, texts are escaped
"""From a mart row back to the cells, documents, urls and hashes behind it.

Two kinds of evidence stand in ``mart_provenance``. A *cell* is one figure of a measured document,
with its row and column. A *row set* is a predicate on a facts table, for bulk trade, where listing
millions of cells would help nobody: it is counted, and its largest rows are shown.

The condition comes from the caller. It is taken as one expression and nothing else, and it runs on
a connection that can neither write nor reach another file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from pipelines.errors import UsageError
from pipelines.publish.licence_gate import EDITIONS, PROVENANCE
from pipelines.publish.sql import cause, literal, quoted

__all__ = ["EXPLAIN_LIMIT", "ExplainedRow", "Explanation", "explain"]

#: So many mart rows are explained at most.
EXPLAIN_LIMIT = 100
_SAMPLE_ROWS = 3
_CELLS = "fct_source_cell"
_DOCUMENTS = "dim_document"
#: The facts that a row set without a table's name speaks of.
_BULK_FACTS = "fct_trade_flow"
_ROW_SET = re.compile(
    r"^\s*(?P<table>(?:fct|ref)_\w+)\s*(?:\bwhere\b|:)\s*(?P<predicate>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_LEADING_WHERE = re.compile(r"^\s*where\b", re.IGNORECASE)
#: Row sets are shown with the largest of these first.
_SIZES = ("_usd", "_kg", "_t")

_CELL_COLUMNS = (
    "document_name",
    "document_sha256",
    "sheet",
    "row_number",
    "column_number",
    "column_name",
    "value_text",
    "value",
    "value_low",
    "value_high",
    "value_flag",
)
_PROVENANCE_COLUMNS = ("role", "weight", "method_chain", "source_edition_id")
_EDITION_COLUMNS = (
    "source_id",
    "published_date",
    "published_precision",
    "licence_name",
    "citation",
    "doi",
)
_DOCUMENT_COLUMNS = (
    "size_bytes",
    "url",
    "is_reexpressed",
    "original_url",
    "original_sha256",
    "original_place",
)


@dataclass(frozen=True, slots=True)
class ExplainedRow:
    """A mart row and what stands behind it.

    :ivar values: the mart row, by column.
    :ivar evidence: one entry a cell, or a row set and document. Keys: ``role``, ``weight``,
        ``method_chain``, ``source_edition_id``, the edition's columns, the cell's columns, the
        document's columns, and for row sets ``row_set``, ``row_set_rows`` (how many facts rows
        stand in the document) and ``row_set_sample`` (the largest of all, with the first
        document). ``note`` says why something is absent.
    """

    row_key: str
    values: Mapping[str, Any]
    evidence: Sequence[Mapping[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What :func:`explain` found.

    :ivar matched: mart rows that meet the condition; ``rows`` holds the first of them.
    """

    mart: str
    matched: int
    rows: Sequence[ExplainedRow]

    def records(self) -> list[dict[str, Any]]:
        """One flat record a piece of evidence, for CSV and JSON; a bare row has one too."""
        flat: list[dict[str, Any]] = []
        for row in self.rows:
            found: Sequence[Mapping[str, Any]] = row.evidence or [{"note": "no provenance"}]
            flat += [{"mart": self.mart, "row_key": row.row_key, **entry} for entry in found]
        return flat


def explain(
    connection: duckdb.DuckDBPyConnection, mart: str, where: str, *, limit: int = EXPLAIN_LIMIT
) -> Explanation:
    """Explain the rows of a mart that meet a condition, in the order of their keys.

    :param connection: an open release (:func:`pipelines.publish.reader.open_release`).
    :param where: a condition on the columns of the mart, with or without ``WHERE`` before it.
    :param limit: explain so many rows at most.
    :raises UsageError: no such mart, or a condition that DuckDB cannot take.
    """
    columns = _columns(connection)
    marts = [
        table
        for table, names in columns.items()
        if table.startswith("mart_") and "row_key" in names and table != PROVENANCE
    ]
    if mart not in marts:
        close = difflib.get_close_matches(mart, marts, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"choose one of {', '.join(marts)}"
        raise UsageError(f"no mart {mart!r} that can be explained", remedy=remedy)
    if PROVENANCE not in columns:
        raise UsageError("this release has no provenance", remedy="explain the complete one")
    condition = _LEADING_WHERE.sub("", where, count=1).strip()
    if not condition:
        raise UsageError("the condition is empty", remedy="give one such as \"material = 'Nd'\"")
    try:
        chosen = connection.table(f"main.{quoted(mart)}").filter(duckdb.SQLExpression(condition))
        matched = len(chosen)
        found = chosen.order("row_key").limit(limit)
        names = found.columns
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    except duckdb.Error as error:
        raise UsageError(f"the condition cannot be taken: {cause(error)}") from error
    evidence = _Evidence(connection, columns).of(mart, [str(row["row_key"]) for row in rows])
    return Explanation(
        mart=mart,
        matched=matched,
        rows=[
            ExplainedRow(
                row_key=str(row["row_key"]),
                values=row,
                evidence=evidence.get(str(row["row_key"]), []),
            )
            for row in rows
        ],
    )


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    rows = connection.execute(
        "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
        "WHERE schema_name = 'main' AND database_name = current_database() AND NOT internal "
        "GROUP BY table_name ORDER BY table_name"
    ).fetchall()
    return dict(rows)


class _Evidence:
    """Looks provenance up in one release; each row set is counted once."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, columns: Mapping[str, Sequence[str]]
    ) -> None:
        self._connection = connection
        self._columns = columns
        self._row_sets: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._known_documents: dict[str, list[dict[str, Any]]] = {}

    def of(self, mart: str, row_keys: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Evidence by row key, cells before row sets, heaviest first."""
        found: dict[str, list[dict[str, Any]]] = {}
        if not row_keys:
            return found
        for entry in self._provenance(mart, row_keys):
            row_key = str(entry.pop("row_key"))
            row_set = entry.get("row_set")
            if row_set is None:
                entries = [entry]
            else:
                edition = str(entry["source_edition_id"])
                entries = [{**entry, **more} for more in self._row_set(str(row_set), edition)]
            found.setdefault(row_key, []).extend(entries)
        return found

    def _provenance(self, mart: str, row_keys: Sequence[str]) -> list[dict[str, Any]]:
        cells = self._chosen(_CELLS, _CELL_COLUMNS, "c")
        editions = self._chosen(EDITIONS, _EDITION_COLUMNS, "e")
        documents = self._chosen(_DOCUMENTS, _DOCUMENT_COLUMNS, "d")
        provenance = self._chosen(PROVENANCE, _PROVENANCE_COLUMNS, "p")
        joins = ""
        if cells:
            joins += f" LEFT JOIN main.{_CELLS} AS c ON p.cell_id = c.cell_id"
        if editions:
            joins += f" LEFT JOIN main.{EDITIONS} AS e ON p.source_edition_id = e.source_edition_id"
        if cells and documents:
            # A document that stands twice in an edition is told once.
            joins += (
                " LEFT JOIN (SELECT DISTINCT ON (source_edition_id, document_sha256) * "
                f"FROM main.{_DOCUMENTS} ORDER BY source_edition_id, document_sha256, "
                "document_name) AS d ON c.source_edition_id = d.source_edition_id "
                "AND c.document_sha256 = d.document_sha256"
            )
        absent = "p.cell_id IS NOT NULL" + (" AND c.cell_id IS NULL" if cells else "")
        columns = [
            "p.row_key",
            *provenance,
            *editions,
            "p.cell_id",
            *cells,
            *(documents if cells else ()),
            "p.row_set",
            f"CASE WHEN {absent} THEN 'the cell is not in this release' END AS note",
        ]
        heaviest = "p.weight DESC NULLS LAST, " if 'p."weight"' in provenance else ""
        return self._records(
            f"SELECT {', '.join(columns)} FROM main.{PROVENANCE} AS p{joins} "
            f"WHERE p.mart = {literal(mart)} "
            f"AND p.row_key IN ({', '.join(literal(key) for key in row_keys)}) "
            f"ORDER BY p.row_key, p.row_set NULLS FIRST, {heaviest}p.role, p.source_edition_id, "
            "p.cell_id"
        )

    def _chosen(self, table: str, wanted: Sequence[str], alias: str) -> list[str]:
        present = self._columns.get(table, ())
        return [f"{alias}.{quoted(column)}" for column in wanted if column in present]

    def _records(self, sql: str) -> list[dict[str, Any]]:
        self._connection.execute(sql)
        names = [str(column[0]) for column in self._connection.description or ()]
        return [dict(zip(names, row, strict=True)) for row in self._connection.fetchall()]

    def _row_set(self, row_set: str, edition: str) -> list[dict[str, Any]]:
        """A row set, one entry a document that its rows stand in, the fullest first."""
        key = (row_set, edition)
        if key not in self._row_sets:
            self._row_sets[key] = self._read_row_set(row_set, edition)
        return self._row_sets[key]

    def _read_row_set(self, row_set: str, edition: str) -> list[dict[str, Any]]:
        parts = _ROW_SET.match(row_set)
        table = parts["table"].lower() if parts else _BULK_FACTS
        predicate = parts["predicate"] if parts else row_set
        unread: dict[str, Any] = {"row_set_rows": None, "row_set_sample": []}
        if table not in self._columns:
            unread["note"] = f"{table} is not in this release"
            return [{**document, **unread} for document in self._documents(edition)]
        try:
            facts = self._connection.table(f"main.{quoted(table)}")
            facts = facts.filter(duckdb.SQLExpression(predicate))
            shown = self._largest(facts, self._columns[table])
            if {"source_edition_id", "document_name"} <= set(self._columns[table]):
                places = "source_edition_id, document_name"
                counted = facts.aggregate(f"{places}, count(*) AS n", places).fetchall()
                entries = [
                    {**self._document(e, name), "source_edition_id": e, "row_set_rows": n}
                    for e, name, n in sorted(counted, key=lambda c: (-c[2], str(c[0]), str(c[1])))
                ]
            else:
                rows = len(facts)
                entries = [{**d, "row_set_rows": rows} for d in self._documents(edition) if rows]
        except duckdb.Error as error:
            unread["note"] = f"the row set cannot be read: {cause(error)}"
            return [{**document, **unread} for document in self._documents(edition)]
        if not entries:
            none = {"row_set_rows": 0, "note": "no such rows are in this release"}
            entries = [{**document, **none} for document in self._documents(edition)]
        return [{**e, "row_set_sample": [] if n else shown} for n, e in enumerate(entries)]

    def _largest(
        self, facts: duckdb.DuckDBPyRelation, columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        size = next((c for ending in _SIZES for c in columns if c.endswith(ending)), None)
        ordered = facts.order(f"{quoted(size)} DESC NULLS LAST") if size else facts
        sample = ordered.limit(_SAMPLE_ROWS)
        names = sample.columns
        return [dict(zip(names, row, strict=True)) for row in sample.fetchall()]

    def _documents(self, edition: str) -> list[dict[str, Any]]:
        """The documents of an edition; one empty entry where none is known."""
        if edition not in self._known_documents:
            wanted = ("document_name", "document_sha256", *_DOCUMENT_COLUMNS)
            chosen = self._chosen(_DOCUMENTS, wanted, "d")
            self._known_documents[edition] = (
                self._records(
                    f"SELECT {', '.join(chosen)} FROM main.{_DOCUMENTS} AS d "
                    f"WHERE d.source_edition_id = {literal(edition)} ORDER BY ALL"
                )
                if chosen
                else []
            )
        return self._known_documents[edition] or [{}]

    def _document(self, edition: str, name: str) -> dict[str, Any]:
        """The document that a row stands in: itself, or the zip that it is a member of."""
        holders = [
            document
            for document in self._documents(str(edition))
            if f"{name}/".startswith(f"{document.get('document_name')}/")
        ]
        found = max(holders, key=lambda d: len(d["document_name"]), default={})
        return {**found, "document_name": name}
