"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


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
