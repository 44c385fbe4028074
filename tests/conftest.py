"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long first, so that no worker is left with one at the end.

    The very first needs the warehouse: one worker builds it while the other does what needs none.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    slow = {path for path, of in files.items() if any(i.get_closest_marker("slow") for i in of)}
    waiting = [
        path
        for path, of in files.items()
        if any("starter_home" in getattr(item, "fixturenames", ()) for item in of)
    ]
    first, then = waiting[:1], waiting[1:]
    order = [*first, *(p for p in files if p in slow and p not in waiting), *then]
    order += [path for path in files if path not in order]
    items[:] = [item for path in order for item in files[path]]


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """The project's own small documents, one folder a source."""
    return PROJECT / "tests" / "fixtures"


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Real documents of the publishers, kept outside the project; skips where they are absent."""
    path = Path(os.environ.get("MONAZITE_REFERENCE_DATA", PROJECT.parent / "shared" / "data"))
    if not (path / "production").is_dir():
        pytest.skip(f"reference documents are not at {path} (set MONAZITE_REFERENCE_DATA)")
    return path
