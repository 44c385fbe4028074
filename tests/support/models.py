"""Models of the dbt project as SQL for a plain DuckDB connection: ``ref('x')`` is table ``x``.

A test fills the tables that a model reads with a few invented rows and asks the very SQL that the
build runs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import duckdb
import polars as pl
from jinja2 import Environment

from pipelines.settings import PROJECT_ROOT
from tests.support.measures import render

__all__ = ["create_table", "model_sql"]

_MODELS = PROJECT_ROOT / "dbt_project" / "models"
#: Macros that models write into their SQL, each in a file of its name.
_MACROS = ("row_key", "import_at_fob", "half_unit", "of_choice", "uncertainty_setting")


def model_sql(name: str) -> str:
    """The query of the model ``name``.

    :raises FileNotFoundError: there is no such model.
    """
    file = next(_MODELS.rglob(f"{name}.sql"), None)
    if file is None:
        raise FileNotFoundError(f"no model {name} below {_MODELS}")
    template = Environment(extensions=["jinja2.ext.do"], autoescape=False).from_string(  # noqa: S701 - SQL, not HTML
        file.read_text(encoding="utf-8")
    )
    tables = {"ref": lambda table: table}
    macros = {macro: partial(render, macro, **tables) for macro in _MACROS}
    return template.render(**tables, **macros)


def create_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: str, *rows: tuple[Any, ...]
) -> None:
    """Create the table ``name`` of ``rows``; ``columns`` are their names with blanks between."""
    connection.register("rows_of_a_test", pl.DataFrame(rows, columns.split(), orient="row"))
    connection.execute(f"create or replace table {name} as from rows_of_a_test")
    connection.unregister("rows_of_a_test")
