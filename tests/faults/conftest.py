"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipelines.settings import Settings
from tests.emulator.app import Emulator
from tests.emulator.serving import serving
from tests.support.nights import Warehouse, catalogue, emulator, small_starter, toy_readers
from tests.support.server import Publisher


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """A publisher on loopback that misbehaves as it is told."""
    with Publisher() as server:
        yield server


@pytest.fixture(scope="session")
def starter_of_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter with few editions, for an emulator that is asked often."""
    return small_starter(tmp_path_factory.mktemp("starter"))


@pytest.fixture
def toy_keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Keys of the publishers that exist in tests only, in the environment."""
    keys = {"toy_pages": "k3y-of-the-pages-0001", "toy_files": "k3y+of/the=files&0002"}
    for source_id, key in keys.items():
        monkeypatch.setenv(f"MONAZITE_KEY_{source_id.upper()}", key)
    return keys


Opened = Callable[..., tuple[Warehouse, Emulator]]


@pytest.fixture
def opened(tmp_path: Path, starter_of_one: Path) -> Iterator[Opened]:
    """Opens an empty warehouse before an emulator of the named sources."""
    with ExitStack() as stack:
        stack.enter_context(toy_readers())

        def open_(*sources: str) -> tuple[Warehouse, Emulator]:
            publishers = emulator(starter_of_one, only=sources)
            mirror = stack.enter_context(serving(publishers))
            settings = Settings(home=tmp_path / "home", starter=starter_of_one)
            return Warehouse(settings, catalogue(), mirror), publishers

        yield open_
