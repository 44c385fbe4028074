"""A failing check of severity error holds a release back; a warning does not."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import polars as pl
import pytest

from quality.suites import load_checks

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("starter")]

#: World trade of one year in thousand dollars: a warning.
TO_WARN = """update mart_concentration set quantity_total = quantity_total / 1000
    where scope = 'world_exports' and basis = 'usd' and reference_year = 2010"""
#: Japan's sources of rare-earth metals are gone: an error.
TO_FAIL = """update mart_concentration set geo_iso3 = 'JPX'
    where geo_iso3 = 'JPN' and material = 'ree_metals'"""


@pytest.fixture(scope="module")
def wired() -> SimpleNamespace:
    """Dagster and what is wired with it; imported here, because it takes seconds and warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dagster

        import assets.release
        from pipelines.jobs import nightly
        from pipelines.resources import Warehouse
        from quality.checks import quality_checks
    return SimpleNamespace(
        dg=dagster,
        release=assets.release,
        nightly=nightly,
        warehouse=Warehouse,
        quality_checks=quality_checks,
    )


@pytest.fixture
def home(wired, starter_home: Path, tmp_path: Path, monkeypatch) -> Iterator[Path]:
    """MONAZITE_HOME with a finished build that is due, and last night's release."""
    monkeypatch.setenv("MONAZITE_HOME", str(tmp_path))
    build = tmp_path / "build"
    build.mkdir()
    for name in ("monazite.duckdb", "work.duckdb"):
        shutil.copyfile(starter_home / "build" / name, build / name)
    plan = {"release_id": "tonight", "is_due": True, "edition_ids": []}
    (build / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (tmp_path / "release" / "last_night").mkdir(parents=True)
    (tmp_path / "release" / "current").symlink_to("last_night")

    def make_release(settings, catalog, release_id, manifest, *, stale):
        assert stale == {}
        folder = settings.release_dir / release_id
        folder.mkdir()
        current = settings.release_dir / "current"
        current.unlink()
        current.symlink_to(release_id)
        return SimpleNamespace(release_id=release_id, path=folder, tables={})

    monkeypatch.setattr(wired.release, "make_release", make_release)
    monkeypatch.setattr(
        wired.release, "dbt_project", lambda _: SimpleNamespace(manifest_path=tmp_path)
    )
    yield tmp_path
    shutil.rmtree(build)


@pytest.fixture
def run_the_night(wired, home: Path):
    """Runs the nightly job on a build with a fault; only dbt's models are stood in for."""
    dg = wired.dg
    tables = sorted({check.table for check in load_checks()})

    def run(fault: str, *, built: bool = True) -> Any:
        # As dbt's models do, it yields nothing where nothing is new.
        @dg.multi_asset(
            name="warehouse", specs=[dg.AssetSpec(table, skippable=True) for table in tables]
        )
        def warehouse_models():
            for table in tables if built else []:
                yield dg.MaterializeResult(asset_key=table)

        with duckdb.connect(str(home / "build" / "monazite.duckdb")) as connection:
            connection.execute(fault)
        released = [dg.AssetKey(table) for table in tables if not table.startswith("stg_")]
        definitions = dg.Definitions(
            assets=[warehouse_models, wired.release.release_asset(released)],
            asset_checks=[wired.quality_checks()],
            jobs=[wired.nightly],
            resources={"warehouse": wired.warehouse()},
        )
        return definitions.resolve_job_def("nightly").execute_in_process(raise_on_error=False)

    return run


def current(home: Path) -> str:
    return (home / "release" / "current").readlink().name


def evaluations(result: Any) -> dict[str, Any]:
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def materialised(result: Any) -> set[str]:
    return {e.asset_key.to_user_string() for e in result.get_asset_materialization_events()}


@pytest.fixture
def written(home: Path):
    """What the checks wrote down, by check."""
    path = home / "build" / "raw" / "raw_monazite__quality" / "quality.parquet"
    return lambda: {row["check_id"]: row for row in pl.read_parquet(path).to_dicts()}


def test_a_failing_error_check_holds_the_release_back(home, run_the_night, written):
    result = run_the_night(TO_FAIL)
    assert not result.success
    assert current(home) == "last_night"
    assert not (home / "release" / "tonight").exists()
    assert "mart_concentration" in materialised(result)
    assert "release" not in materialised(result)
    found = evaluations(result)["headline_importers_are_there_every_year"]
    assert not found.passed
    assert found.severity.value == "ERROR"
    assert found.blocking
    assert "geo_iso3=JPN" in found.metadata["detail"].text
    # The others are told all the same, and what was found is kept.
    assert set(evaluations(result)) == {check.id for check in load_checks()}
    assert written()["headline_importers_are_there_every_year"]["status"] == "failed"


def test_a_warning_does_not_hold_the_release_back(home, run_the_night, written):
    result = run_the_night(TO_WARN)
    assert result.success
    assert "release" in materialised(result)
    assert current(home) == "tonight"
    found = evaluations(result)["trade_does_not_jump_between_years"]
    assert not found.passed
    assert found.severity.value == "WARN"
    warned = {name for name, row in written().items() if row["status"] != "passed"}
    assert "trade_does_not_jump_between_years" in warned
    assert warned <= {check.id for check in load_checks() if check.severity == "warning"}


def test_nothing_is_checked_where_nothing_was_built(home, run_the_night):
    result = run_the_night(TO_FAIL, built=False)
    assert result.success
    assert evaluations(result) == {}
    assert materialised(result) == set()
    assert current(home) == "last_night"


def test_without_a_build_the_checks_say_what_is_missing(home, run_the_night):
    (home / "build" / "work.duckdb").unlink()
    result = run_the_night(TO_WARN)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "nothing to check: there is no build" in failure.step_failure_data.error_display_string
    assert current(home) == "last_night"
