# ruff: noqa: S608 - names are quoted
"""Does a release still hold what was released?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import MonaziteError
from pipelines.publish.database import FILE_NAME
from pipelines.publish.files import files_below, sha256
from pipelines.publish.reader import RELEASE_FILE, ReleaseInfo, read_release
from pipelines.publish.sql import cause, quoted

__all__ = ["verify_release"]


def verify_release(path: Path) -> list[str]:
    """Compare a release with its own description.

    Hashes of all files, rows of every table in the complete and in the public database, and what
    ``datapackage.json`` says of the Parquet.

    :returns: what is wrong, one line each; empty if nothing is.
    """
    try:
        info = read_release(path)
    except MonaziteError as error:
        return [str(error)]
    problems = list(_names(path, info))
    problems += _files(path, info)
    problems += _rows(path / FILE_NAME, {n: t.rows for n, t in info.tables.items()})
    public = {n: t.public_rows for n, t in info.tables.items() if t.public_rows is not None}
    problems += _rows(path / "public" / FILE_NAME, public)
    problems += _package(path, info)
    return problems


def _names(path: Path, info: ReleaseInfo) -> Iterator[str]:
    if path.resolve().name != info.release_id:
        yield f"{path / RELEASE_FILE}: speaks of release {info.release_id}"


def _files(path: Path, info: ReleaseInfo) -> Iterator[str]:
    present = {str(p.relative_to(path)): p for p in files_below(path) if p.name != RELEASE_FILE}
    for name in sorted(set(info.files) | set(present)):
        if name not in present:
            yield f"{path / name}: is missing"
        elif name not in info.files:
            yield f"{path / name}: does not belong to the release"
        elif present[name].stat().st_size != info.files[name][0]:
            size = present[name].stat().st_size
            yield f"{path / name}: has {size:,} bytes instead of {info.files[name][0]:,}"
        elif sha256(present[name]) != info.files[name][1]:
            yield f"{path / name}: its SHA-256 differs from the released one"
    for name, table in info.tables.items():
        parquet = f"public/parquet/{name}.parquet"
        if table.parquet_sha256 and info.files.get(parquet, (0, ""))[1] != table.parquet_sha256:
            yield f"{path / RELEASE_FILE}: gives two hashes for {parquet}"


def _rows(database: Path, expected: Mapping[str, int]) -> Iterator[str]:
    if not database.is_file():
        return  # told by _files
    try:
        with duckdb.connect(database, read_only=True) as connection:
            rows = connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'"
            ).fetchall()
            present = {str(row[0]) for row in rows}
            for table in sorted(present - set(expected)):
                yield f"{database}: table {table} does not belong to the release"
            for table, count in expected.items():
                if table not in present:
                    yield f"{database}: table {table} is missing"
                    continue
                query = f"SELECT count(*) FROM main.{quoted(table)}"
                found = connection.execute(query).fetchone()
                if found is None or found[0] != count:
                    yield f"{database}: table {table} has {found and found[0]} rows, not {count}"
    except duckdb.Error as error:
        yield f"{database}: cannot be read: {cause(error)}"


def _package(path: Path, info: ReleaseInfo) -> Iterator[str]:
    place = path / "public" / "datapackage.json"
    released = {n for n, t in info.tables.items() if t.public_rows is not None}
    if not place.is_file():
        if released:
            yield f"{place}: is missing"
        return
    try:
        resources: list[dict[str, Any]] = json.loads(place.read_text("utf-8"))["resources"]
        described = {r["name"]: (r["path"], r["bytes"], r["hash"], r["rows"]) for r in resources}
    except (ValueError, KeyError, TypeError) as error:
        yield f"{place}: is damaged ({error!r})"
        return
    for name in sorted(released ^ set(described)):
        yield f"{place}: resource {name} does not match the released tables"
    for name in sorted(released & set(described)):
        table = info.tables[name]
        file = f"parquet/{name}.parquet"
        size, digest = info.files.get(f"public/{file}", (0, ""))
        if described[name] != (file, size, f"sha256:{digest}", table.public_rows):
            yield f"{place}: resource {name} does not describe {file}"
