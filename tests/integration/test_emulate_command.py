"""``monazite emulate`` stands in for the publishers until it is stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.ingest import write_edition_tables
from pipelines.settings import Settings
from tests.emulator.app import publisher_modules
from tests.support.command import monazite
from tests.support.nights import Warehouse, small_starter


@contextmanager
def emulating(*words: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The running command, and what it has said."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("monazite")), "emulate", "--port", str(port)]
    running = subprocess.Popen(
        [*command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=Path("/"), env=os.environ | {"COLUMNS": "80"},
    )  # fmt: skip
    assert running.stdout is not None
    try:
        said = []
        for line in running.stdout:
            said.append(line.rstrip("\n"))
            if "Ctrl-C" in line:
                break
        yield running, said
    finally:
        running.kill()
        running.communicate(timeout=30)


@pytest.mark.slow
def test_it_stands_in_until_it_is_stopped_and_its_figures_stay_out_of_public(
    tmp_path: Path,
) -> None:
    with emulating("--only", "usgs_mcs") as (running, said):
        base = re.match(r"(http://127\.0\.0\.1:\d+) stands in for usgs_mcs$", said[0])
        assert base, said
        assert f"MONAZITE_HTTP_MIRROR={base[1]} " in said[1]
        assert "monazite run --live" in said[1]
        assert "never gets into public/" in said[2]

        settings = Settings(home=tmp_path / "home", starter=small_starter(tmp_path / "starter"))
        house = Warehouse(settings, load_catalog(), base[1])
        assert house.night(["usgs_mcs"], patient=True)["usgs_mcs"].failures == ()

        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 130
        assert running.stderr is not None
        assert running.stderr.read() in ("", "monazite: stopped\n")

    write_edition_tables(settings, house.catalog)
    editions = pl.read_parquet(settings.raw_dir / "raw_monazite__edition" / "*.parquet")
    assert set(editions.get_column("redistribution")) == {"no"}
    shown = monazite("status", home=settings.root).out
    line = f"from a stand-in, never public: usgs_mcs-2026-v1.0 ({base[1]}/www.sciencebase.gov/"
    assert line in shown


def test_schedule_of_faults_is_told_and_works() -> None:
    with emulating("--only", "usgs_mcs", "--faults", "17") as (_, said):
        told = [line for line in said if line.startswith("goes wrong: ")]
        assert told
        base = said[0].partition(" ")[0]
        # Whatever the schedule holds, the server is there and answers or breaks off.
        for _ in range(3):
            try:
                httpx.get(f"{base}/www.sciencebase.gov/catalog/items", timeout=1)
            except httpx.TransportError:
                continue


def test_source_that_it_does_not_have_is_one_line(tmp_path: Path) -> None:
    outcome = monazite("emulate", "--only", "nobody", home=tmp_path)
    assert outcome.status == 2
    assert "the emulator has no source 'nobody'; choose one of " in outcome.line
    assert all(source_id in outcome.line for source_id in publisher_modules())


def test_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = monazite("emulate", "--port", str(port), home=tmp_path)
    assert outcome.status == 1
    assert f"port {port} cannot be used" in outcome.line


def test_outside_a_clone_it_says_where_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.commands.emulate.PROJECT_ROOT", tmp_path)
    outcome = monazite("emulate", home=tmp_path)
    assert outcome.status == 2
    assert "the emulator is part of the tests, and they are not installed" in outcome.line
    assert "use monazite emulate in a clone" in outcome.line
