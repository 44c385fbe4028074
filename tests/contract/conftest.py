"""The starter's warehouse, as the integration tests have it."""

from __future__ import annotations

from tests.integration.conftest import starter_home

__all__ = ["starter_home"]
