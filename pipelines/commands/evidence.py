"""What ``monazite explain`` shows on a screen: each row's figures, cells and flows, then documents.

It keeps to :data:`WIDTH` columns. Documents are numbered and told once, below all rows, with their
url and sha256, so that a row's cells need one line each.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from pipelines.commands.display import visible
from pipelines.publish.explain import ExplainedRow, Explanation

__all__ = ["WIDTH", "countries_of", "evidence_lines", "figure"]

WIDTH = 118
_LONGEST_VALUE = 28
#: More originals of one document than this are only counted.
_HASHES_SHOWN = 3
_NO_EVIDENCE = "no cell or set of flows is recorded behind this row"
#: Where a cell's country stands: table, column with the cells.
_FACTS = {
    "fct_production": "unnest(cell_ids)",
    "fct_supply_balance": "cell_id",
}


def countries_of(connection: duckdb.DuckDBPyConnection, explanation: Explanation) -> dict[str, str]:
    """Cell to the country that the facts give it, or the publisher's name where it has no code."""
    wanted = sorted(
        {str(e["cell_id"]) for row in explanation.rows for e in row.evidence if e.get("cell_id")}
    )
    present = {row[0] for row in connection.execute("show tables").fetchall()}
    facts = [
        f"select {cells} as cell_id, coalesce(country_iso3, country_name_reported) as country "  # noqa: S608
        f"from {table}"
        for table, cells in _FACTS.items()
        if table in present
    ]
    if not wanted or not facts:
        return {}
    rows = connection.execute(
        f"select cell_id, any_value(country) from ({' union all '.join(facts)}) "  # noqa: S608
        "where cell_id in (select unnest(?)) and country is not null "
        "group by cell_id having count(distinct country) = 1",
        [wanted],
    ).fetchall()
    return dict(rows)


def figure(value: Any) -> str:
    """A number with six digits that count, thousands apart; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or not math.isfinite(value):
        return f"{value:,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"
    return f"{value:.6g}"


def evidence_lines(explanation: Explanation, countries: Mapping[str, str]) -> Iterator[str]:
    """The lines of the answer; every control character is made visible.

    :param countries: of :func:`countries_of`.
    """
    documents: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
    for row in explanation.rows:
        yield f"{explanation.mart}  {visible(row.row_key)}"
        yield from _values(row)
        yield ""
        yield from _evidence(row, countries, documents)
        yield ""
    if documents:
        yield "documents"
    for number, entry in documents.values():
        yield from _document(number, entry)


def _values(row: ExplainedRow) -> Iterator[str]:
    keys = set(row.row_key.split("|"))
    told = [
        f"{name} {figure(value)}"
        for name, value in row.values.items()
        if value is not None and not isinstance(value, list | dict) and str(value) not in keys
        if name != "row_key"
    ]
    yield from _wrapped("  ", ", ".join(told))


def _wrapped(lead: str, text: str) -> list[str]:
    return textwrap.wrap(
        visible(text),
        width=WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _evidence(
    row: ExplainedRow,
    countries: Mapping[str, str],
    documents: dict[tuple[str, str], tuple[int, Mapping[str, Any]]],
) -> Iterator[str]:
    cells: list[tuple[str, ...]] = []
    sets: list[tuple[int, Mapping[str, Any]]] = []
    for entry in sorted(row.evidence, key=_order):
        key = (str(entry.get("source_edition_id")), str(entry.get("document_name")))
        number, _ = documents.setdefault(key, (len(documents) + 1, entry))
        if entry.get("row_set") is not None:
            sets.append((number, entry))
        else:
            country = countries.get(str(entry.get("cell_id")), "")
            cells.append((*_cell(entry, country), f"[{number}] {_place(entry)}"))
    if not cells and not sets:
        yield f"  {_NO_EVIDENCE}"
    if cells:
        yield from _table(("role", "country", "value", "flag", "place"), cells)
    for number, entry in sets:
        yield from _row_set(number, entry)


def _order(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    """Cells before flows; within a role the largest first."""
    value = entry.get("value")
    size = -value if isinstance(value, int | float) else math.inf
    return (entry.get("row_set") is not None, str(entry.get("role")), size)


def _cell(entry: Mapping[str, Any], country: str) -> tuple[str, str, str, str]:
    text = " ".join(str(entry.get("value_text") or "").split())
    if len(text) > _LONGEST_VALUE:
        text = f"{text[: _LONGEST_VALUE - 1]}…"
    role, flag = str(entry.get("role") or ""), str(entry.get("value_flag") or "")
    return role, country, text, flag


def _place(entry: Mapping[str, Any]) -> str:
    if entry.get("note"):
        return str(entry["note"])
    place = [f"sheet {entry['sheet']}"] if entry.get("sheet") else []
    if entry.get("row_number") is not None:
        place.append(f"row {entry['row_number']}")
    if entry.get("column_number") is not None:
        name = " ".join(str(entry.get("column_name") or "").split())
        place.append(f"column {entry['column_number']}{f' ({name})' if name else ''}")
    return ", ".join(place)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    shown = [[visible(cell) for cell in row] for row in (names, *rows)]
    widths = [max(len(row[i]) for row in shown) for i in range(len(names))]
    for row in shown:
        line = "  ".join(
            cell.rjust(width) if name == "value" else cell.ljust(width)
            for name, cell, width in zip(names, row, widths, strict=True)
        )
        yield f"  {line}".rstrip()


def _row_set(number: int, entry: Mapping[str, Any]) -> Iterator[str]:
    rows = entry.get("row_set_rows")
    count = "rows" if rows is None else f"{rows:,} row{'' if rows == 1 else 's'}"
    yield from _wrapped(
        "  ", f"{entry.get('role')}: {count} in [{number}] where {entry['row_set']}"
    )
    if entry.get("note"):
        yield from _wrapped("    ", str(entry["note"]))
    sample = [_flow(row) for row in entry.get("row_set_sample") or ()]
    if sample:
        yield from _wrapped("    ", f"largest: {'; '.join(sample)}")


def _flow(row: Mapping[str, Any]) -> str:
    """One row of a set: who to whom, how much, in which line of the document."""
    parties = [str(v) for k, v in row.items() if k.endswith("_iso3") and v is not None]
    told = [" to ".join(parties), str(row.get("hs_code") or "")]
    told += [
        f"{figure(v)} {k.rsplit('_', 1)[-1].upper() if k.endswith('_usd') else 'kg'}"
        for k, v in row.items()
        if k in {"trade_value_usd", "net_weight_kg"} and v is not None
    ]
    if row.get("row_number") is not None:
        told.append(f"row {row['row_number']}")
    return ", ".join(part for part in told if part)


def _document(number: int, entry: Mapping[str, Any]) -> Iterator[str]:
    published = entry.get("published_date")
    if entry.get("published_precision") == "month":
        published = f"{published}"[:7]
    when = f"published {published}" if published else "day of publication unknown"
    yield visible(
        f"  [{number}] {entry.get('document_name') or 'no document recorded'}, "
        f"{entry.get('source_edition_id')}, {when}"
    )
    yield from _told("url", entry.get("url") or entry.get("original_url"))
    yield from _told("sha256", entry.get("document_sha256"))
    if entry.get("is_reexpressed"):
        yield from _told("note", "figures written anew; url is that of the publisher's original")
        hashes = str(entry.get("original_sha256") or "").split()
        several = f"{len(hashes)} documents; --format json names all"
        yield from _told(
            "original sha256", several if len(hashes) > _HASHES_SHOWN else " ".join(hashes)
        )
        yield from _told("original place", entry.get("original_place"))


def _told(name: str, value: Any) -> list[str]:
    return _wrapped(f"      {name:<15}  ", str(value)) if value else []
