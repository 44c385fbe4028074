"""Synthetic trade, the same for the same key."""

from __future__ import annotations

import hashlib

__all__ = ["figure", "is_traded", "month_number", "months_of"]


def figure(*key: object, most: int = 900) -> int:
    """A plainly invented number from 1 to ``most``."""
    text = "|".join(map(str, key)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big") % most + 1


def is_traded(*key: object) -> bool:
    """Two of three are."""
    return figure(*key, most=3) > 1


def month_number(month: str) -> int:
    """``2026-09`` as 202609."""
    return int(month.replace("-", ""))


def months_of(year: int, newest: str) -> list[int]:
    """The months of ``year`` that are published."""
    return [m for m in range(1, 13) if year * 100 + m <= month_number(newest)]
