"""The suites as Dagster asset checks: shown on the tables they look at, blocking where errors."""

from collections.abc import Iterator

import dagster as dg

from pipelines.progress import announce
from pipelines.resources import Warehouse
from quality.runner import open_build, run_checks, write_results
from quality.suites import load_checks

__all__ = ["quality_checks"]


def quality_checks() -> dg.AssetChecksDefinition:
    """All checks as one step, so that Great Expectations is loaded once.

    Where nothing is new the models yield nothing, and Dagster skips the step. Started by itself,
    it checks the build that is there.
    """
    checks = load_checks()
    by_id = {check.id: check for check in checks}
    specs = [
        dg.AssetCheckSpec(
            check.id,
            asset=check.table,
            description=check.why,
            blocking=check.severity == "error",
            metadata={"suite": check.suite, "severity": check.severity},
        )
        for check in checks
    ]

    @dg.multi_asset_check(name="quality_suites", specs=specs)
    def _checks(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse
    ) -> Iterator[dg.AssetCheckResult]:
        del context
        folder = warehouse.settings.build_dir
        announce("checking")
        with open_build(folder) as build:
            results = run_checks(build, checks)
        write_results(folder / "raw" / "raw_monazite__quality" / "quality.parquet", results)
        for result in results:
            check = by_id[result.check.id]
            yield dg.AssetCheckResult(
                asset_key=check.table,
                check_name=check.id,
                passed=result.passed,
                severity=(
                    dg.AssetCheckSeverity.ERROR
                    if check.severity == "error"
                    else dg.AssetCheckSeverity.WARN
                ),
                metadata={
                    "n_evaluated": result.n_evaluated,
                    "n_failed": result.n_failed,
                    "detail": result.detail,
                    "sql": dg.MetadataValue.md(f"```sql\n{check.sql}\n```"),
                },
            )

    return _checks
