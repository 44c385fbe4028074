"""``monazite scenario``: what a cut of supply would leave importers without, on a release."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.commands.home import read_settings
from pipelines.errors import UsageError
from pipelines.publish.query import Format, run_query
from pipelines.publish.reader import open_release
from pipelines.publish.sql import literal, text_list

__all__ = ["Cut", "show_scenario"]


@dataclass(frozen=True, slots=True)
class Cut:
    """The parameters of the macro ``scenario``; docs/methods/scenario.md says what each does.

    :ivar countries: whose exports are cut, ISO 3166-1 alpha-3 or EU27 for its members.
    :ivar year: whose trade is taken; None for the newest.
    :ivar partners: importers served first, in the same codes.
    :ivar basis: ``gross_t`` or ``usd``; None for the one that is held, tonnes first.
    """

    countries: Sequence[str]
    material: str
    stage: str | None = None
    year: int | None = None
    fraction: float = 1.0
    months: float = 12.0
    spare_capacity: float = 0.0
    stock_months: float = 0.0
    partners: Sequence[str] = ()
    basis: str | None = None
    elasticity_low: float = 0.2
    elasticity_high: float = 1.0


def show_scenario(
    cut: Cut, *, importers: Sequence[str], form: str, release: str | None, out: Path | None
) -> int:
    """Write one row an importer, the largest gap first.

    :param importers: only these; all where empty.
    :raises UsageError: a parameter cannot be, or the release holds no imports to cut.
    """
    for name in ("spare_capacity", "stock_months"):
        if not math.isfinite(getattr(cut, name)):
            raise UsageError(f"{name} is {getattr(cut, name)}", remedy="give a finite number")
    if not 0 < cut.elasticity_low <= cut.elasticity_high < math.inf:
        raise UsageError(
            f"--elasticity is {cut.elasticity_low:g} to {cut.elasticity_high:g}",
            remedy="give two finite numbers above 0, the smaller first",
        )
    with open_release(read_settings(), release) as connection:
        _check_areas(connection, (*cut.countries, *cut.partners, *importers))
        stage, year, basis = held = _held(connection, cut)
        _check_importers(connection, importers, cut.material, held)
        chosen = (
            f"importer_iso3 in ({', '.join(map(literal, importers))})"
            if importers
            else "loss_quantity > 0"
        )
        sql = f"""
            select
                importer_iso3 as importer,
                round(imports_quantity, 1) as imports,
                round(loss_quantity, 1) as loss,
                round(offset_spare_quantity, 1) as from_spare,
                round(offset_stock_quantity, 1) as from_stock,
                round(gap_quantity, 1) as gap,
                round(100 * gap_share_of_imports, 1) as gap_percent_of_imports,
                round(100 * gap_share_of_consumption, 1) as gap_percent_of_consumption,
                round(covered_days, 0) as covered_days,
                round(100 * (exp(world_ln_price_change_low) - 1), 0) as price_percent_low,
                round(100 * (exp(world_ln_price_change_high) - 1), 0) as price_percent_high
            from scenario(
                {text_list(cut.countries)}, {literal(cut.material)}, {literal(stage)}, {year},
                fraction := {float(cut.fraction)}, months := {float(cut.months)},
                spare_capacity := {float(cut.spare_capacity)},
                stock_months := {float(cut.stock_months)},
                partners := {text_list(cut.partners)}, quantity_basis := {literal(basis)},
                elasticity_low := {float(cut.elasticity_low)},
                elasticity_high := {float(cut.elasticity_high)}
            )
            where {chosen}
            order by gap_quantity desc, importer_iso3
        """  # noqa: S608 - texts are literals
        rows = run_query(connection, sql, form or Format.TABLE, out)
        # A reader that stops early makes the number of rows written 0.
        is_lost = bool(rows) or bool(connection.execute(sql).fetchone())
    unit = "tonnes, gross" if basis == "gross_t" else "USD"
    loses = "" if is_lost else "; nobody loses any imports"
    sys.stderr.write(
        f"{cut.material}, {stage}, trade of {year}, {unit}; {cut.fraction:.0%} of the exports of "
        f"{', '.join(cut.countries)} missing for {cut.months:g} months{loses}. An assumption, no "
        f"forecast{f'; {rows:,} rows written to {out}' if out else ''}.\n"
    )
    return 0


def _check_areas(connection: duckdb.DuckDBPyConnection, codes: Sequence[str]) -> None:
    """:raises UsageError: a code is of no country that the release knows, nor EU27."""
    known = {
        row[0]
        for row in connection.execute(
            "select country_iso3 from dim_country where country_iso3 != 'WLD'"
        ).fetchall()
    }
    for code in codes:
        if code not in known:
            raise UsageError(
                f"{code!r} is no country of this release",
                remedy="write ISO 3166-1 alpha-3, such as CHN, or EU27; "
                '`monazite sql "select country_iso3, country_name from dim_country"` lists all',
            )


def _check_importers(
    connection: duckdb.DuckDBPyConnection,
    importers: Sequence[str],
    material: str,
    held: tuple[str, int, str],
) -> None:
    """:raises UsageError: no imports of one of them are held at this stage, year and basis."""
    found = {
        row[0]
        for row in connection.execute(
            """
            select distinct importer_iso3
            from mart_import_dependency
            where
                material = ? and stage = ? and reference_year = ? and basis = ?
                and vintage_id = 'latest'
            """,
            [material, *held],
        ).fetchall()
    }
    for importer in importers:
        if importer not in found:
            stage, year, basis = held
            raise UsageError(
                f"no imports of {material} ({stage}, {basis}) by {importer} are held for {year}",
                remedy="leave out --importer to see everybody who loses, or choose another --year",
            )


def _held(connection: duckdb.DuckDBPyConnection, cut: Cut) -> tuple[str, int, str]:
    """Stage, year and basis of imports that the release holds and the cut fits.

    :raises UsageError: there are none; the message names what there is.
    """
    found = connection.execute(
        """
        select stage, reference_year, basis
        from mart_import_dependency
        where
            material = ? and vintage_id = 'latest' and basis in ('gross_t', 'usd')
            and (? is null or stage = ?)
            and (? is null or reference_year = ?)
            and (? is null or basis = ?)
        group by all
        order by reference_year desc, basis
        """,
        [cut.material, *(v for v in (cut.stage, cut.year, cut.basis) for _ in range(2))],
    ).fetchall()
    stages = sorted({row[0] for row in found})
    if not found:
        raise UsageError(
            f"no imports of {cut.material!r} are held that fit stage, year and basis",
            remedy='see `monazite sql "select distinct material, stage, basis from '
            "mart_import_dependency where basis != 'share'\"`",
        )
    if len(stages) > 1:
        raise UsageError(
            f"{cut.material} is traded at several stages",
            remedy=f"choose one with --stage: {', '.join(stages)}",
        )
    return str(found[0][0]), int(found[0][1]), str(found[0][2])
