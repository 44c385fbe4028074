"""Models of the dbt project as plain SQL, for tests that run one of them on tables of their own."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment

from pipelines.settings import PROJECT_ROOT
from tests.support.measures import render

__all__ = ["model_sql"]

_MODELS = PROJECT_ROOT / "dbt_project" / "models"


def model_sql(name: str) -> str:
    """The query of model ``name``; a ``ref`` stands for the table of its own name."""
    [file] = _MODELS.rglob(f"{name}.sql")
    template = Environment(autoescape=False).from_string(file.read_text(encoding="utf-8"))  # noqa: S701 - SQL, not HTML

    def import_at_fob(*arguments: Any) -> str:
        return render("import_at_fob", *arguments)

    return template.render(ref=lambda model: model, import_at_fob=import_at_fob)
