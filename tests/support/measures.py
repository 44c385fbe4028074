"""The measures and macros of the dbt project, run the way dbt runs them, without dbt.

The macro files are rendered with Jinja and what they would execute is executed on a connection, so
that a test asks the very SQL that the marts use.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
from jinja2 import Environment

from pipelines.settings import PROJECT_ROOT

__all__ = ["create_measures", "render"]

_MACROS = PROJECT_ROOT / "dbt_project" / "macros"
#: What the macros of measures write into their SQL, all in refusals.sql.
_REFUSALS = ("refused", "unless", "unknown_areas", "with_members")


def _module(file: Path, **context: Any) -> Any:
    template = Environment(extensions=["jinja2.ext.do"], autoescape=False).from_string(  # noqa: S701 - SQL, not HTML
        file.read_text(encoding="utf-8")
    )
    return template.make_module(context)


def create_measures(connection: duckdb.DuckDBPyConnection, schema: str = "main") -> None:
    """Create all macros of measures, as the project's ``on-run-start`` does."""
    refusals = _module(_MACROS / "refusals.sql")
    context = {
        "run_query": connection.execute,
        "target": SimpleNamespace(schema=schema),
        **{name: getattr(refusals, name) for name in _REFUSALS},
    }
    # measures first: the others use them.
    for file in sorted(_MACROS.glob("*measures.sql"), key=lambda f: (f.stem != "measures", f.stem)):
        getattr(_module(file, **context), f"create_{file.stem}")()


def render(macro: str, *arguments: Any, **context: Any) -> str:
    """The SQL that the macro ``macro`` (of the file of that name) writes into a model."""
    return str(getattr(_module(_MACROS / f"{macro}.sql", **context), macro)(*arguments)).strip()
