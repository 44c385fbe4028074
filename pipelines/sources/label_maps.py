"""The maps of publishers' names with all their columns.

``labels`` tells whether a name is known; where a reader needs what the map says of it (the stage
of a series, the symbol of an element), it reads the map here. The maps are seeds of the dbt project
(``seeds/labels/<map>.csv``), so that reader and SQL share one list.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from pipelines.errors import MonaziteError
from pipelines.settings import Settings

__all__ = ["attach", "read_map", "read_reference"]


@lru_cache(maxsize=64)
def _read(path: Path, mtime_ns: int) -> pl.DataFrame:
    del mtime_ns  # part of the cache key only
    return pl.read_csv(path, infer_schema=False)


def read_map(name: str, seeds: Path | None = None) -> pl.DataFrame:
    """The map ``name`` (without ``.csv``), all columns text, empty cells null.

    :raises MonaziteError: the map does not exist or is malformed.
    """
    return _table((seeds or Settings().seeds_dir) / "labels" / f"{name}.csv")


def read_reference(name: str, seeds: Path | None = None) -> pl.DataFrame:
    """The reference table ``name`` (``seeds/<name>.csv``), all columns text, empty cells null.

    :raises MonaziteError: the table does not exist or is malformed.
    """
    return _table((seeds or Settings().seeds_dir) / f"{name}.csv")


def _table(path: Path) -> pl.DataFrame:
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, PolarsError) as error:
        raise MonaziteError(f"reference data cannot be read ({error})", where=str(path)) from error


def attach(frame: pl.DataFrame, label: str, name: str, columns: dict[str, str]) -> pl.DataFrame:
    """Add what the map ``name`` says of the labels in column ``label``.

    :param columns: column of the map to the name it gets in ``frame``. The map's first column is
        the label. Rows and their order stay as they are.
    """
    labels = read_map(name)
    key = labels.columns[0]
    wanted = labels.select(key, *columns).rename(columns).unique(key, maintain_order=True)
    return frame.join(wanted, left_on=label, right_on=key, how="left", maintain_order="left")
