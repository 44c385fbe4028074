"""Models of the dbt project as SQL for a plain DuckDB connection: ``ref('x')`` is table ``x``.

A test fills the tables that a model reads with a few invented rows and asks the very SQL that the
build runs.
"""

from __future__ import annotations

from functools import partial

from jinja2 import Environment

from pipelines.settings import PROJECT_ROOT
from tests.support.measures import render

__all__ = ["model_sql"]

_MODELS = PROJECT_ROOT / "dbt_project" / "models"
#: Macros that models write into their SQL, each in a file of its name.
_MACROS = ("row_key", "import_at_fob", "half_unit", "uncertainty_setting")


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
