"""``monazite sql``, ``explain`` and ``diff``: questions to a finished release."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from pipelines.commands.evidence import countries_of, evidence_lines, figure
from pipelines.commands.home import read_settings
from pipelines.errors import UsageError
from pipelines.publish.explain import explain
from pipelines.publish.query import Format, run_query, write_rows
from pipelines.publish.reader import open_release

__all__ = ["ask", "diff_vintages", "explain_rows"]

#: A line of `diff` on a screen tells so many of the cells that drove a change.
_DRIVERS_SHOWN = 3


def ask(
    query: str, *, form: str | None, release: str | None, public: bool, out: Path | None
) -> int:
    """Run one reading statement on a release.

    :param form: a :class:`Format`; None for what the suffix of ``out`` says, else a table.
    """
    text = sys.stdin.read() if query == "-" else query
    with open_release(read_settings(), release, public=public) as connection:
        rows = run_query(connection, text, form or _told_by(out), out)
    if out is not None:
        sys.stderr.write(f"{rows:,} row{'' if rows == 1 else 's'} written to {out}\n")
    return 0


def _told_by(out: Path | None) -> Format:
    suffix = out.suffix.lower().removeprefix(".") if out else ""
    return Format(suffix) if suffix in set(Format) else Format.TABLE


def explain_rows(mart: str, where: str, *, form: str, release: str | None, limit: int) -> int:
    """Write what stands behind the mart rows that meet a condition.

    :raises UsageError: no row does, or the condition cannot be taken.
    """
    with open_release(read_settings(), release) as connection:
        found = explain(connection, mart, where, limit=limit)
        countries = countries_of(connection, found)
    if not found.matched:
        raise UsageError(
            f"no row of {mart} meets the condition",
            where=where,
            remedy=f'look at `monazite sql "from {mart} limit 5"`',
        )
    if form == Format.TABLE:
        sys.stdout.flush()
        for line in evidence_lines(found, countries):
            sys.stdout.buffer.write(f"{line}\n".encode())
        sys.stdout.buffer.flush()
    else:
        records = [_completed(record, countries) for record in found.records()]
        names = list(dict.fromkeys(name for record in records for name in record))
        _write(names, [[record.get(n) for n in names] for record in records], form)
    if found.matched > len(found.rows):
        sys.stderr.write(
            f"{len(found.rows):,} of {found.matched:,} rows are explained; --limit says how many\n"
        )
    return 0


def _completed(record: Mapping[str, Any], countries: Mapping[str, str]) -> dict[str, Any]:
    """A piece of evidence with the cell's country, and with the original's url where a document
    written anew has none of its own.
    """
    return {
        **record,
        "url": record.get("url") or record.get("original_url"),
        "country": countries.get(str(record.get("cell_id"))),
    }


def diff_vintages(earlier: str, later: str, *, material: str | None, form: str) -> int:
    """Write what a revision changed between two vintages.

    :raises UsageError: one of them does not exist, or the material does not.
    """
    with open_release(read_settings()) as connection:
        known = [
            row[0]
            for row in connection.execute(
                "select vintage_id from dim_vintage order by vintage_order"
            ).fetchall()
        ]
        for vintage in (earlier, later):
            if vintage not in known:
                raise UsageError(f"no vintage {vintage!r}", remedy=f"choose of {', '.join(known)}")
        if known.index(earlier) >= known.index(later):
            raise UsageError(
                f"{earlier} is not earlier than {later}", remedy="name the earlier vintage first"
            )
        if material is not None:
            _refuse_unknown_material(connection, material)
        cursor = connection.execute(
            """
            select metric, material, stage, scope, geo_iso3, reference_year, basis,
                value_from, value_to, text_from, text_to, delta, delta_pct, threshold_crossed,
                source_edition_from, source_edition_to, driver_cells
            from mart_revision_diff
            where vintage_from = $1 and vintage_to = $2 and ($3 is null or material = $3)
            order by metric, material, stage, geo_iso3, reference_year, basis
            """,
            [earlier, later, material],
        )
        names = [str(column[0]) for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if form == Format.TABLE:
        rows = [_shown(row) for row in rows]
        names = list(_shown(dict.fromkeys(names)))
    _write(names, [list(row.values()) for row in rows], form)
    return 0


def _refuse_unknown_material(connection: duckdb.DuckDBPyConnection, material: str) -> None:
    known = [
        str(row[0]) for row in connection.execute("select material from dim_material").fetchall()
    ]
    if material not in known:
        close = [m for m in known if m.lower() == material.lower()]
        close += difflib.get_close_matches(material, known, n=2)
        remedy = (
            f"did you mean {close[0]}?" if close else 'look at `monazite sql "from dim_material"`'
        )
        raise UsageError(f"no material {material!r}", remedy=remedy)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the difference as a screen shows it: six digits, the first drivers."""
    drivers = row["driver_cells"] or []
    told = [
        f"{d['country_iso3']} {_figure(d['value_from'])} > {_figure(d['value_to'])}"
        for d in drivers[:_DRIVERS_SHOWN]
    ]
    if len(drivers) > _DRIVERS_SHOWN:
        told.append(f"and {len(drivers) - _DRIVERS_SHOWN} more")
    shown = {
        name: row[name]
        for name in ("metric", "material", "stage", "geo_iso3", "reference_year", "basis")
    }
    return shown | {
        "from": _figure(row["value_from"], row["text_from"]),
        "to": _figure(row["value_to"], row["text_to"]),
        "delta": _figure(row["delta"]),
        "drivers": "; ".join(told),
    }


def _figure(value: Any, text: Any = None) -> str:
    return figure(value) if value is not None else str(text or "")


def _write(names: Sequence[str], rows: Sequence[Sequence[Any]], form: str) -> None:
    sys.stdout.flush()
    write_rows(names, iter(rows), Format(form), sys.stdout.buffer)
    sys.stdout.buffer.flush()
