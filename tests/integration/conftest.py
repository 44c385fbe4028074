"""A warehouse built from the starter, once a session, shared by all workers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock

PROJECT = Path(__file__).resolve().parents[2]


def monazite(
    *words: str, home: Path, timeout: float = 400, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as a user does."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("monazite")), *words],
        env={**os.environ, "MONAZITE_HOME": str(home), "COLUMNS": "250", **extra},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture(scope="session")
def starter_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MONAZITE_HOME after `monazite run` on the starter. Do not change it.

    MONAZITE_TEST_HOME names one that is built already, for working on the tests.
    """
    if ready := os.environ.get("MONAZITE_TEST_HOME"):
        return Path(ready)
    base = tmp_path_factory.getbasetemp()
    root = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    home = root / "starter-home"
    with FileLock(str(root / "starter-home.lock")):
        if not (home / "release" / "current").is_symlink():
            done = monazite("run", home=home)
            assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.fixture
def release(starter_home: Path) -> Any:
    """A read-only connection to the starter's release, macros included."""
    path = starter_home / "release" / "current" / "monazite.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


@pytest.fixture
def ask(release: duckdb.DuckDBPyConnection) -> Callable[..., list[tuple[Any, ...]]]:
    """Rows of a question to the release."""
    return lambda sql, *values: release.execute(sql, list(values)).fetchall()
