"""The night as Dagster runs it: who is observed, what is materialised, who is told."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipelines.sources import load_source
from tests.emulator.app import Emulator
from tests.emulator.serving import serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("starter"),
]

SOURCE = "usgs_mcs"
TABLES = list(load_source(SOURCE).TABLES)


@pytest.fixture(scope="module")
def wired() -> SimpleNamespace:
    """Dagster and what is wired with it; imported here, because it takes seconds and warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dagster

        from pipelines import alerts, definitions, run_events, schedules, sensors
    return SimpleNamespace(
        dg=dagster,
        build_definitions=definitions.build_definitions,
        alerts_of=run_events.alerts_of,
        event=alerts.Event,
        every_night=schedules.every_night,
        archive_changed=sensors.archive_changed,
        targets=sensors.targets,
    )


@pytest.fixture(scope="module")
def night(
    wired: SimpleNamespace, starter_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimpleNamespace]:
    """Two observations of one publisher through the emulator, on one instance."""
    dg = wired.dg
    home = tmp_path_factory.mktemp("home")
    # What dbt has parsed for the starter's warehouse fits: nothing in it is of that warehouse.
    (home / "dbt").mkdir()
    for name in ("manifest.json", "project.sha256"):
        shutil.copy(starter_home / "dbt" / name, home / "dbt" / name)
    emulator = Emulator(only=(SOURCE,))
    patch = pytest.MonkeyPatch()
    with serving(emulator) as base, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("MONAZITE_HOME", str(home))
        patch.setenv("MONAZITE_HTTP_MIRROR", base)
        patch.setenv("MONAZITE_HTTP_SPACING_SECONDS", "0")
        definitions = wired.build_definitions()
        job = definitions.resolve_job_def("observe_publishers")

        def observe():
            emulator.requests.clear()
            outcome = job.execute_in_process(
                instance=instance,
                asset_selection=[dg.AssetKey(SOURCE)],
                run_config={"resources": {"warehouse": {"config": {"live": True}}}},
            )
            return SimpleNamespace(outcome=outcome, asked=len(emulator.requests))

        yield SimpleNamespace(
            definitions=definitions,
            instance=instance,
            first=observe(),
            second=observe(),
            home=home,
        )
    patch.undo()


def _observation(outcome):
    (event,) = [e for e in outcome.all_events if e.is_asset_observation]
    return event.asset_observation_data.asset_observation


def test_what_is_new_is_observed_as_a_change_and_the_next_time_not(night):
    first, second = (_observation(n.outcome) for n in (night.first, night.second))
    assert first.metadata["changed"].value is True
    assert second.metadata["changed"].value is False
    assert first.tags["dagster/data_version"] == second.tags["dagster/data_version"]


def test_nothing_new_takes_a_handful_of_requests(night):
    assert night.first.asked > night.second.asked
    assert night.second.asked <= 10


def test_editions_that_came_are_partitions_of_the_archive(wired, night):
    partitions = night.instance.get_dynamic_partitions(f"{SOURCE}_editions")
    assert {"2023", "2024", "2025", "2026"} <= set(partitions)
    held = night.instance.get_materialized_partitions(wired.dg.AssetKey(f"archive_{SOURCE}"))
    assert held == {"2023", "2024", "2025", "2026"}


def test_one_partition_of_the_archive_asks_for_that_edition_alone(
    wired, night, tmp_path, monkeypatch
):
    monkeypatch.setenv("MONAZITE_HOME", str(tmp_path))
    dg = wired.dg
    key = dg.AssetKey(f"archive_{SOURCE}")
    asset = night.definitions.resolve_assets_def(key)
    outcome = dg.materialize(
        [asset],
        partition_key="2025",
        instance=night.instance,
        selection=[key],
    )
    assert outcome.success
    (made,) = outcome.asset_materializations_for_node(asset.node_def.name)
    assert made.metadata["editions"].value == ["usgs_mcs-2025-v2.0"]


def test_only_changed_raw_tables_and_what_hangs_on_them_are_made(wired, night):
    graph = night.definitions.resolve_asset_graph()
    keys = {key.to_user_string() for key in wired.targets(graph, [SOURCE])}
    assert set(TABLES) <= keys
    assert not any(key.startswith("raw_cepii") for key in keys)
    assert {"raw_monazite__edition", "mart_concentration", "release"} <= keys
    assert SOURCE not in keys
    assert not any(key.startswith("archive_") for key in keys)


def test_archive_changed_asks_once_for_what_changed(wired, night):
    dg = wired.dg

    def look(cursor):
        context = dg.build_sensor_context(
            instance=night.instance,
            cursor=cursor,
            repository_def=night.definitions.get_repository_def(),
        )
        return wired.archive_changed(context), context.cursor

    request, cursor = look(None)
    assert isinstance(request, dg.RunRequest)
    assert dg.AssetKey(TABLES[0]) in (request.asset_selection or [])
    again, _ = look(cursor)
    assert isinstance(again, dg.SkipReason)


def test_the_schedule_observes_live(wired):
    assert wired.every_night.job.name == "observe_publishers"
    assert wired.every_night.cron_schedule == "0 2 * * *"


def _run(dg, **assets):
    """A run of one asset with one check that behaves as told."""

    @dg.asset(check_specs=[dg.AssetCheckSpec("positive", asset="thing")])
    def thing():
        if assets.get("fails"):
            raise dg.Failure("disk is full")
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(
            passed=assets.get("passes", True),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"detail": "3 rows below zero"},
        )

    return dg.materialize([thing], raise_on_error=False).all_events


def test_alerts_tell_a_failed_run_with_its_reason(wired):
    (alert,) = wired.alerts_of("nightly", _run(wired.dg, fails=True))
    assert alert.event is wired.event.RUN_FAILED
    assert "disk is full" in alert.text


def test_alerts_tell_a_failed_check_with_its_detail(wired):
    (alert,) = wired.alerts_of("nightly", _run(wired.dg, passes=False))
    assert alert.event is wired.event.CHECK_FAILED
    assert "positive of thing" in alert.subject
    assert "3 rows below zero" in alert.text


def test_nothing_is_told_of_a_run_that_went_well(wired):
    assert wired.alerts_of("nightly", _run(wired.dg)) == []
