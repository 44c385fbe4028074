"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.server import Publisher


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """A publisher on loopback that misbehaves as it is told."""
    with Publisher() as server:
        yield server
