"""The nightly job as Dagster sees it, and what a second run with nothing new does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines.settings import Settings
from tests.integration.conftest import PROJECT, monazite

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("starter")]


def test_second_run_with_nothing_new_makes_no_release(starter_home):
    before = sorted(p.name for p in (starter_home / "release").iterdir())
    current = (starter_home / "release" / "current").resolve()
    modified = (current / "monazite.duckdb").stat().st_mtime_ns
    done = monazite("run", home=starter_home)
    assert done.returncode == 0, done.stderr
    assert "nothing new" in done.stdout
    assert sorted(p.name for p in (starter_home / "release").iterdir()) == before
    assert (current / "monazite.duckdb").stat().st_mtime_ns == modified


def test_dagster_keeps_the_run_with_metadata_of_every_raw_table(starter_home):
    script = """
import warnings; warnings.simplefilter("ignore")
import dagster as dg
with dg.DagsterInstance.get() as instance:
    runs = instance.get_runs()
    assert any(r.job_name == "nightly" and r.is_success for r in runs), runs
    event = instance.get_latest_materialization_event(
        dg.AssetKey("raw_usgs_mcs__world_production"))
    metadata = event.asset_materialization.metadata
    assert {"editions", "dagster/row_count", "quarantined", "sha256", "preview"} <= set(metadata)
    assert metadata["dagster/row_count"].value > 10_000
    assert instance.get_latest_materialization_event(dg.AssetKey("mart_concentration"))
    assert instance.get_latest_materialization_event(dg.AssetKey("release"))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "DAGSTER_HOME": str(starter_home / "dagster")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def unbuilt(tmp_path_factory):
    """A home where the dbt project is parsed, which takes seconds, and no night has been."""
    return tmp_path_factory.mktemp("unbuilt")


def test_definitions_are_wired_without_network_secret_or_database(unbuilt):
    script = """
import socket, warnings
warnings.simplefilter("ignore")
def refuse(*a, **k): raise AssertionError("a connection was opened")
socket.socket.connect = refuse
from pipelines.definitions import build_definitions
defs = build_definitions()
job = defs.resolve_job_def("nightly")
schedule = defs.resolve_schedule_def("every_night")
assert schedule.cron_schedule == "0 2 * * *" and schedule.execution_timezone == "UTC"
keys = {k.to_user_string() for k in defs.resolve_asset_graph().get_all_asset_keys()}
for name in ("raw_usgs_mcs__world_production", "stg_usgs_mcs__world_production",
             "int_production__harmonised", "fct_production", "mart_concentration", "release"):
    assert name in keys, name
groups = {n.group_name for n in defs.resolve_asset_graph().asset_nodes}
assert {"raw_production", "raw_trade", "raw_reference", "editions", "staging", "intermediate",
        "facts", "concentration", "dependency", "release"} <= groups, groups
"""
    env = {k: v for k, v in os.environ.items() if "KEY" not in k and "TOKEN" not in k}
    before = set(unbuilt.rglob("*.duckdb"))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**env, "MONAZITE_HOME": str(unbuilt)},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert set(unbuilt.rglob("*.duckdb")) == before


def test_seeds_pass_their_own_tests(unbuilt):
    # With the settings of a night dbt takes what it has parsed in this home already.
    settings = Settings(home=unbuilt)
    settings.build_dir.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("monazite-dbt")),
            "--quiet",
            "build",
            "--select",
            "path:seeds",
            "--indirect-selection",
            "cautious",
            "--project-dir",
            "dbt_project",
            "--profiles-dir",
            "dbt_project",
            "--target-path",
            str(unbuilt / "dbt"),
            "--log-path",
            str(unbuilt / "dbt" / "logs"),
        ],
        env={
            **os.environ,
            "MONAZITE_RAW": str(settings.build_dir / "raw"),
            "MONAZITE_BUILD_DB": str(settings.build_dir / "monazite.duckdb"),
            "MONAZITE_WORK_DB": str(settings.build_dir / "work.duckdb"),
            "MONAZITE_THREADS": str(settings.threads),
            "MONAZITE_MEMORY_LIMIT": settings.memory_limit,
        },
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_release_is_complete_and_says_where_it_is_from(starter_home):
    current = starter_home / "release" / "current"
    assert (current / "public" / "datapackage.json").is_file()
    with duckdb.connect(str(current / "monazite.duckdb"), read_only=True) as connection:
        tables = {row[0] for row in connection.execute("show tables").fetchall()}
    assert tables >= {
        "dim_material",
        "dim_stage",
        "dim_country",
        "dim_edition",
        "dim_vintage",
        "ref_threshold",
        "fct_source_cell",
        "fct_production",
        "fct_trade_report",
        "fct_trade_flow",
        "fct_price",
        "fct_supply_balance",
        "mart_concentration",
        "mart_import_dependency",
        "mart_dependency_flags",
        "mart_mirror_gap",
        "mart_revision_diff",
        "mart_claims",
        "mart_trend",
        "mart_supplier_switch",
        "mart_policy_exposure",
        "mart_event_impact",
        "mart_alerts",
        "mart_alert_series",
        "dim_control",
        "ref_agreement",
        "ref_project",
        "mart_uncertainty",
        "mart_provenance",
        "mart_data_quality",
    }


def test_as_of_builds_what_was_known_then(starter_home, tmp_path):
    """Only the plan is made: which editions would go in."""
    script = """
from datetime import date
from pipelines.catalog import load_catalog
from pipelines.night import prepare_build
from pipelines.settings import Settings
plan = prepare_build(Settings(), load_catalog(), as_of=date(2025, 6, 30))
assert not any("2026-v" in e for e in plan.edition_ids), plan
assert any(e.startswith("usgs_mcs-2025") for e in plan.edition_ids), plan
"""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("archive", "raw"):
        (home / name).symlink_to(starter_home / name)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "MONAZITE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
