"""Keys that are planted for a night turn up nowhere but with the publishers they are for."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest

from pipelines.catalog import load_catalog
from tests.emulator.app import Emulator, publisher_modules
from tests.emulator.faults import Fault, Kind
from tests.emulator.serving import serving
from tests.support.nights import (
    TOYS,
    WITH_KEYS,
    Warehouse,
    catalogue,
    small_catalogue,
    small_emulator,
    small_settings,
    toy_readers,
)
from tests.support.planted import Planted, forms, found_in, written


def keyed() -> list[str]:
    """Sources of the catalogue that want a key, with the toys."""
    return [s.source_id for s in catalogue().sources.values() if s.api.key is not None]


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Planted:
    """A key for every source that has one, with characters that an address writes otherwise."""
    keys = {source_id: f"pl4nted+{n}/of={source_id}&end" for n, source_id in enumerate(keyed())}
    for source_id, key in keys.items():
        monkeypatch.setenv(f"MONAZITE_KEY_{source_id.upper()}", key)
    return keys


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that any library writes, at its most talkative."""
    for name in ("", "httpx", "httpcore", "hpack", "stamina", "asyncio", "dagster"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def test_the_search_finds_what_is_planted(tmp_path: Path, planted: Planted) -> None:
    """A search that cannot find anything proves nothing."""
    key = planted["toy_files"]
    (tmp_path / "plain.txt").write_text(f"x {key} y")
    (tmp_path / "address.bin").write_bytes(quote(key, safe="").encode())
    with sqlite3.connect(tmp_path / "events.db") as connection:
        connection.execute("create table events (body text)")
        connection.execute("insert into events values (?)", [f"asked {key}"])
    assert {line.rpartition("/")[2] for line in found_in(tmp_path, planted)} == {
        "plain.txt",
        "address.bin",
        "events.db",
    }


#: What a night may meet: nothing, and what makes it say most.
TROUBLES = {
    "none": (),
    "refusals": (Fault(Kind.TOO_MANY, times=3), Fault(Kind.QUOTA, skip=6, times=None)),
    "breaks": (Fault(Kind.RESET, skip=1, times=6), Fault(Kind.PAGE, skip=8, times=2)),
    "redirects": (Fault(Kind.REDIRECT, skip=1, times=None),),
    "cuts": (Fault(Kind.TRUNCATED, skip=1, times=None),),
}


@pytest.mark.slow
@pytest.mark.parametrize("trouble", TROUBLES)
def test_planted_keys_are_in_no_log_no_event_and_no_file(
    trouble: str,
    tmp_path: Path,
    planted: Planted,
    starter_of_one: Path,
    *,
    log: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sources = sorted({*TOYS, "usgs_mcs", *keyed()} & {*TOYS, *publisher_modules()})
    publishers = small_emulator(starter_of_one, only=sources)
    publishers.faults.set(*TROUBLES[trouble])
    with toy_readers(), serving(publishers) as mirror:
        settings = small_settings(tmp_path / "home", starter_of_one)
        house = Warehouse(settings, small_catalogue(), mirror)
        events = run_in_dagster(house, sources, tmp_path / "home" / "dagster")

    assert_keys_were_sent(publishers, planted)
    said = capfd.readouterr()
    told = written(log) + events + said.out + said.err
    assert "HTTP Request: GET" in told
    for source_id, key in planted.items():
        for form in forms(key):
            assert form not in told, f"key of {source_id}"
    assert (settings.archive_dir if trouble == "none" else settings.root).exists()
    assert found_in(tmp_path, planted) == []


def assert_keys_were_sent(publishers: Emulator, planted: Planted) -> None:
    """Each key came with every request to its host, where the catalogue says, and nowhere else."""
    for source_id, planted_key in planted.items():
        key = catalogue().source(source_id).api.key
        assert key is not None
        asked = publishers.asked(key.host)
        assert asked, f"{source_id} was not asked"
        for request in asked:
            place = request.query if key.parameter else request.headers
            shown = place.get(key.parameter or (key.header or "").lower())
            assert shown == key.prefix + planted_key, f"{source_id}: {request.path}"
    for request in publishers.requests:
        shown_here = [*request.query.items(), *request.headers.items(), ("path", request.path)]
        for source_id, planted_key in planted.items():
            key = catalogue().source(source_id).api.key
            assert key is not None
            places = {
                name
                for name, value in shown_here
                if any(form in value for form in forms(planted_key))
            }
            wanted = {key.parameter or (key.header or "").lower()}
            is_its_host = request.host == key.host
            assert places == (wanted if is_its_host else set()), f"{source_id} at {request.host}"


def run_in_dagster(house: Warehouse, sources: list[str], folder: Path) -> str:
    """A job that asks every source, on an instance with storage on disk; its events as text.

    Every failure is raised in its step, so that Dagster keeps the error with all that hangs on it.
    """
    folder.mkdir(parents=True)

    def step(source_id: str) -> Callable[..., Any]:
        @dg.op(name=source_id)
        def ask(context) -> None:  # type: ignore[no-untyped-def]
            said = house.night([source_id])[source_id]
            context.log.debug(f"{said}")
            if said.failures:
                raise dg.Failure(description="; ".join(said.failures), metadata={"said": str(said)})

        return ask

    @dg.job
    def night() -> None:
        for source_id in sources:
            step(source_id)()

    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        night.execute_in_process(instance=instance, raise_on_error=False)
        records = [
            str(entry) for run in instance.get_runs() for entry in instance.all_logs(run.run_id)
        ]
    assert len(records) > len(sources)
    return "\n".join(records)


def test_every_source_with_a_key_is_planted(planted: Planted) -> None:
    named = {s.source_id for s in load_catalog().sources.values() if s.api.key is not None}
    assert named == set(WITH_KEYS) <= publisher_modules().keys()
    assert {*TOYS, *named} == set(planted)
    for source_id in planted:
        assert os.environ[f"MONAZITE_KEY_{source_id.upper()}"] == planted[source_id]
