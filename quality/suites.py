"""The checks as data: one YAML a suite below ``suites/``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Check", "Expectation", "load_checks"]

_FOLDER = Path(__file__).resolve().parent / "suites"

StagingTable = Annotated[str, Field(pattern=r"^stg_[a-z0-9_]+$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expectation(_Entry):
    """One expectation of Great Expectations, by its registered name."""

    type: str = Field(pattern=r"^expect_[a-z_]+$")
    kwargs: dict[str, Any]


class Check(_Entry):
    """What is selected, what is expected of it, how bad a failure is.

    A column that an expectation names must hold no null: Great Expectations passes nulls over, and
    a figure that could not be computed is no figure that holds.

    :ivar id: name of the check, in Dagster and in ``mart_data_quality``.
    :ivar suite: name of the YAML file.
    :ivar table: the table that it looks at; the check is shown there.
    :ivar source: publisher whose figures it guards and shows, or ``all`` where several publishers
        are held against each other. ``mart_data_quality`` is passed on by this column.
    :ivar severity: an error blocks the release, a warning does not.
    :ivar why: what is expected, and which fault would break it.
    :ivar needs: staging tables, and how many editions each must hold for the check to make sense.
        Where they do not, the check passes and says that it did not look: a house is not blocked
        by a publisher that it does not hold.
    :ivar sql: DuckDB SQL on the build database; one row a thing that is judged.
    :ivar may_be_empty: true where the editions that are needed need not hold anything to look at.
        Otherwise an empty selection fails.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    suite: str
    table: str
    source: str = "all"
    severity: Literal["error", "warning"]
    why: str
    needs: Mapping[StagingTable, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    sql: str
    expectations: tuple[Expectation, ...] = Field(min_length=1)
    may_be_empty: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the expectations judge, each once, in their order."""
        named = (e.kwargs["column"] for e in self.expectations if "column" in e.kwargs)
        return tuple(dict.fromkeys(named))


@lru_cache(maxsize=4)
def load_checks(folder: Path = _FOLDER) -> tuple[Check, ...]:
    """All checks, in the order of files and entries.

    :raises ValueError: an id stands twice, or an entry is not a check.
    """
    checks = tuple(
        Check(suite=path.stem, **entry)
        for path in sorted(folder.glob("*.yml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
    )
    ids = [check.id for check in checks]
    if len(set(ids)) != len(ids):
        raise ValueError(f"checks named twice: {sorted({i for i in ids if ids.count(i) > 1})}")
    return checks
