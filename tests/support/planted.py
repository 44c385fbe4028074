"""Looking for a planted key in everything that a night has written and logged."""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx
import pytest

__all__ = ["Planted", "forms", "found_in", "written"]

#: Keys by source id.
Planted = dict[str, str]


def forms(key: str) -> set[str]:
    """A key as it may be written."""
    return {
        key,
        quote(key),
        quote(key, safe=""),
        quote_plus(key),
        json.dumps(key)[1:-1],
        str(httpx.QueryParams({"": key}))[1:],
        base64.b64encode(key.encode()).decode().rstrip("="),
    }


def found_in(folder: Path, planted: Planted) -> list[str]:
    """Files, names and rows of databases below ``folder`` that hold a planted key."""
    wanted = [(s, form.encode()) for s, key in planted.items() for form in forms(key)]
    found = []
    for path in folder.rglob("*"):
        told = path.name.encode()
        if path.is_file() and not path.is_symlink():
            told += b"\n" + path.read_bytes()
        if path.suffix == ".db":
            told += b"\n" + _dumped(path)
        found += [f"key of {s} in {path}" for s, form in wanted if form in told]
    return found


def written(log: pytest.LogCaptureFixture) -> str:
    """Everything that a log holds: messages, arguments and traces."""
    return "\n".join(f"{r.getMessage()} {r.__dict__}" for r in log.records) + log.text


def _dumped(database: Path) -> bytes:
    with sqlite3.connect(database) as connection:
        return "\n".join(connection.iterdump()).encode()
