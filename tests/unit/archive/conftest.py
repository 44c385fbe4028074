"""Every test here may have a warehouse of its own."""

from tests.support.house import house

__all__ = ["house"]
