"""The codes of national tariffs that are asked for: seed ``ref_national_code``.

Columns that are read: ``national_system`` (``CN8``), ``national_code``, ``valid_from`` and
``valid_to`` (a year or a date; empty where the code has always been, or still is). Other columns
are the models'.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.errors import MonaziteError
from pipelines.sources.label_maps import read_reference

__all__ = ["national_codes"]

_SEED = "ref_national_code"
_COLUMNS = ("national_system", "national_code", "valid_from", "valid_to")
_YEAR = r"^(\d{4})(?:-\d{2}-\d{2})?$"


def national_codes(seeds_dir: Path, system: str, *, year: int | None = None) -> list[str]:
    """The codes of ``system``, sorted, each once; empty where the seed or the system is absent.

    :param year: only those that are valid on a day of this year.
    :raises MonaziteError: the seed lacks a column, or a bound of validity is no year or date.
    """
    file = seeds_dir / f"{_SEED}.csv"
    if not file.is_file():
        return []
    frame = read_reference(_SEED, seeds_dir)
    missing = [c for c in _COLUMNS if c not in frame.columns]
    if missing:
        raise MonaziteError(f"columns missing: {', '.join(missing)}", where=str(file))
    mine = frame.filter(pl.col("national_system") == system).with_columns(
        pl.col(c).str.extract(_YEAR).cast(pl.Int32).alias(f"__{c}")
        for c in ("valid_from", "valid_to")
    )
    for column in ("valid_from", "valid_to"):
        wrong = mine.filter(pl.col(column).is_not_null() & pl.col(f"__{column}").is_null())
        if wrong.height:
            raise MonaziteError(
                f"{column} {wrong.get_column(column)[0]!r} is neither a year nor a date",
                where=f"{file}, {system} {wrong.get_column('national_code')[0]}",
            )
    if year is not None:
        mine = mine.filter(
            (pl.col("__valid_from").fill_null(0) <= year)
            & (pl.col("__valid_to").fill_null(9999) >= year)
        )
    return sorted(set(mine.get_column("national_code").drop_nulls().to_list()))
