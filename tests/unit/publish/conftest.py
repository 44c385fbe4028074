"""One small release that the tests of this folder read."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from pipelines.publish.reader import ReleaseInfo, open_release
from pipelines.publish.release import make_release
from pipelines.settings import Settings
from tests.fixtures.publish import sample


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("warehouse")
    settings = sample.settings(home)
    sample.write_build(settings)
    make_release(settings, sample.catalog(), sample.FIRST, sample.write_manifest(home))
    return settings


@pytest.fixture(scope="session")
def released(warehouse: Settings) -> ReleaseInfo:
    from pipelines.publish.reader import list_releases

    return list_releases(warehouse)[0]


@pytest.fixture
def connection(warehouse: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    opened = open_release(warehouse)
    yield opened
    opened.close()
