"""Runs the checks on a database and writes down what they found."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from pipelines.errors import BuildFailed
from quality.suites import Check

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCHEMA", "CheckResult", "open_build", "run_checks", "write_results"]

SCHEMA = pl.Schema(
    {
        "source_id": pl.String(),
        "check_id": pl.String(),
        "suite": pl.String(),
        "table_name": pl.String(),
        "severity": pl.String(),
        "status": pl.String(),
        "n_evaluated": pl.Int64(),
        "n_failed": pl.Int64(),
        "detail": pl.String(),
    }
)
#: Rows that a detail shows, so that it stays one line.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found.

    :ivar status: passed, warned or failed.
    :ivar n_evaluated: rows that were looked at.
    :ivar n_failed: rows outside of what was expected, summed over the columns that are judged.
    :ivar detail: what was found, in one line.
    """

    check: Check
    status: str
    n_evaluated: int
    n_failed: int
    detail: str

    @property
    def passed(self) -> bool:
        """True where every expectation was met."""
        return self.status == "passed"


def open_build(folder: Path) -> duckdb.DuckDBPyConnection:
    """The build database of ``folder``, read-only; what only the build needs is ``work``.

    :raises BuildFailed: there is no build.
    """
    build, work = folder / "monazite.duckdb", folder / "work.duckdb"
    for path in (build, work):
        if not path.is_file():
            raise BuildFailed(
                "nothing to check: there is no build",
                where=str(path),
                remedy="run `monazite run`, or materialise the models first",
            )
    connection = duckdb.connect(str(build), read_only=True)
    quoted = str(work).replace("'", "''")
    connection.execute(f"ATTACH '{quoted}' AS work (READ_ONLY)")
    return connection


def run_checks(connection: duckdb.DuckDBPyConnection, checks: Sequence[Check]) -> list[CheckResult]:
    """Run ``checks`` on the tables of ``connection``, one result each, in their order.

    SQL or an expectation that cannot be run is a failure of its check and of no other.
    """
    editions = _Editions(connection)
    batches = None
    results = []
    for check in checks:
        try:
            lacking = editions.lacking(check)
            # Sorted, so that the same data give the same words.
            query = f"SELECT * FROM ({check.sql}) ORDER BY ALL"  # noqa: S608 - our own SQL
            frame = None if lacking else connection.execute(query).df()
        except duckdb.Error as error:
            results.append(_unjudged(check, f"cannot be run: {str(error).splitlines()[0]}"))
            continue
        if frame is None:
            results.append(_unjudged(check, f"not looked at: {lacking}", success=True))
        elif frame.empty:
            results.append(_unjudged(check, "nothing to look at", success=check.may_be_empty))
        else:
            batches = batches or _Batches()
            results.append(_result(check, frame, batches.validate(check, frame)))
    return results


class _Editions:
    """How many editions the staging tables hold, each counted once."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._counted: dict[str, int] = {}

    def lacking(self, check: Check) -> str:
        """What ``check`` needs and is not held, in words; empty where nothing is lacking."""
        return "; ".join(
            f"{table} holds {self._count(table)} of {wanted} editions"
            for table, wanted in check.needs.items()
            if self._count(table) < wanted
        )

    def _count(self, table: str) -> int:
        if table not in self._counted:
            query = f"SELECT count(DISTINCT source_edition_id) FROM work.staging.{table}"  # noqa: S608
            row = self._connection.execute(query).fetchone()
            self._counted[table] = row[0] if row else 0
        return self._counted[table]


class _Batches:
    """Great Expectations, set up once for many frames."""

    def __init__(self) -> None:
        # Imported here: it takes seconds, and nobody else needs it. What it imports that Python
        # will drop one day is for its makers to mend.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            import great_expectations as gx
            from great_expectations.data_context.types.base import ProgressBarsConfig

        self._suite = gx.ExpectationSuite
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._source = context.data_sources.add_pandas("marts")

    def validate(self, check: Check, frame: pd.DataFrame) -> Any:
        """Great Expectations' verdict on ``frame``, with all rows that broke something."""
        batch = (
            self._source.add_dataframe_asset(check.id)
            .add_batch_definition_whole_dataframe("all")
            .get_batch({"dataframe": frame})
        )
        expected = [(e.type, e.kwargs) for e in check.expectations]
        no_nulls = [("expect_column_values_to_not_be_null", {"column": c}) for c in check.columns]
        suite = self._suite(
            name=check.id,
            expectations=[{"type": t, "kwargs": kwargs} for t, kwargs in (*no_nulls, *expected)],
        )
        return batch.validate(suite, result_format="COMPLETE")


def _status(check: Check, *, success: bool) -> str:
    if success:
        return "passed"
    return "failed" if check.severity == "error" else "warned"


def _unjudged(check: Check, detail: str, *, success: bool = False) -> CheckResult:
    return CheckResult(
        check=check,
        status=_status(check, success=success),
        n_evaluated=0,
        n_failed=0,
        detail=detail,
    )


def _result(check: Check, frame: pd.DataFrame, outcome: Any) -> CheckResult:
    # Two limits on one column, a tight one for most rows and a wide one for all, break together.
    broken: dict[str, tuple[int, str]] = {}
    allowed = []
    for item in outcome.results:
        count = int((item.result or {}).get("unexpected_count") or 0)
        judged = item.expectation_config.kwargs.get("column", item.expectation_config.type)
        if not item.success:
            if max(count, 1) > broken.get(judged, (0, ""))[0]:
                broken[judged] = (max(count, 1), _words(item, frame))
        elif count:
            allowed.append(f"{count} outside, as many as are allowed: {_words(item, frame)}")
    return CheckResult(
        check=check,
        status=_status(check, success=bool(outcome.success)),
        n_evaluated=len(frame),
        n_failed=sum(count for count, _ in broken.values()),
        detail="; ".join(words for _, words in broken.values())
        or "; ".join([f"{len(frame)} rows as expected", *allowed]),
    )


def _words(item: Any, frame: pd.DataFrame) -> str:
    """Which expectation, and the rows that are furthest outside of it."""
    result = item.result or {}
    limits = item.expectation_config.kwargs
    column = limits.get("column")
    text = item.expectation_config.type.removeprefix("expect_").replace("_", " ")
    if column:
        text += f" ({column})"
    if exception := _exception(item.exception_info or {}):
        return f"{text}: {exception}"
    rows = [_position(row) for row in result.get("unexpected_index_list") or []]
    if rows:
        rows.sort(key=lambda row: -_distance(frame.at[row, column], limits))
        shown = " | ".join(_row(frame.loc[row]) for row in rows[:_SHOWN])
        more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        return f"{text}: {shown}{more}"
    return f"{text}: observed {result.get('observed_value')}"


def _exception(info: Mapping[str, Any]) -> str | None:
    """The message of an exception, which stands at the top or one level below, by metric."""
    if "raised_exception" in info:
        return str(info["exception_message"]) if info["raised_exception"] else None
    found = (_exception(below) for below in info.values() if isinstance(below, Mapping))
    return next((message for message in found if message), None)


def _distance(value: Any, limits: Mapping[str, Any]) -> float:
    """How many times a value exceeds or falls short of its limits; 0 where that has no meaning."""
    low, high = limits.get("min_value"), limits.get("max_value")
    if high is not None and value > high:
        return float(value / high if high > 0 else value - high)
    if low is not None and value < low:
        return float(low / value if value > 0 else inf)
    return 0.0


def _row(row: Any) -> str:
    return ", ".join(
        f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in row.items()
    )


def _position(row: Any) -> int:
    return int(row) if not isinstance(row, dict) else int(next(iter(row.values())))


def write_results(path: Path, results: Iterable[CheckResult]) -> None:
    """Write one row a check to a Parquet file (columns: :data:`SCHEMA`)."""
    rows = [
        {
            "source_id": r.check.source,
            "check_id": r.check.id,
            "suite": r.check.suite,
            "table_name": r.check.table,
            "severity": r.check.severity,
            "status": r.status,
            "n_evaluated": r.n_evaluated,
            "n_failed": r.n_failed,
            "detail": r.detail,
        }
        for r in results
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows, schema=SCHEMA).sort("check_id").write_parquet(path)
