"""Finding and opening releases.

A release is opened read-only with the doors shut: no file but its own can be read or written, no
extension is fetched, and the settings cannot be changed back. SQL from anybody may then run on it.
A reader that holds a release open keeps it, whatever is released or removed meanwhile.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import MonaziteError, UsageError
from pipelines.publish.database import FILE_NAME
from pipelines.publish.sql import cause, literal
from pipelines.settings import Settings

__all__ = [
    "CURRENT",
    "RELEASE_FILE",
    "ReleaseInfo",
    "TableInfo",
    "current",
    "list_releases",
    "open_release",
    "read_release",
    "release_path",
]

CURRENT = "current"
RELEASE_FILE = "release.json"
_NONE_YET = "run `monazite run` first"


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table of a release.

    :ivar rows: rows of the complete file.
    :ivar public_rows: rows of ``public/``, or None if the table is not there.
    :ivar parquet_sha256: of ``public/parquet/<table>.parquet``.
    """

    rows: int
    public_rows: int | None = None
    parquet_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseInfo:
    """What ``release.json`` says, and where it lies.

    :ivar ordinal: counts the releases of this warehouse; a later one has a greater one.
    :ivar previous: the release that was current before, or None.
    :ivar editions: every edition in the complete file.
    :ivar public_editions: every edition in ``public/``.
    :ivar left_out: why a table or edition is not public, or not whole, by name.
    :ivar stale: sources that may lag behind their publisher, each with the reason, as it was when
        the release was made; ``monazite status`` tells of now.
    :ivar files: size in bytes and SHA-256 of every other file, by path below the release.
    """

    release_id: str
    path: Path
    ordinal: int
    previous: str | None = None
    is_current: bool = False
    editions: tuple[str, ...] = ()
    public_editions: tuple[str, ...] = ()
    tables: Mapping[str, TableInfo] = field(default_factory=dict)
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stale: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        """The complete file."""
        return self.path / FILE_NAME

    @property
    def public(self) -> Path:
        """The folder of what may be passed on."""
        return self.path / "public"

    def document(self) -> dict[str, Any]:
        """The content of ``release.json``."""
        return {
            "release_id": self.release_id,
            "previous": self.previous,
            "ordinal": self.ordinal,
            "editions": list(self.editions),
            "public_editions": list(self.public_editions),
            "tables": {
                name: {
                    "rows": table.rows,
                    "public_rows": table.public_rows,
                    "parquet_sha256": table.parquet_sha256,
                }
                for name, table in self.tables.items()
            },
            "left_out": {name: list(reasons) for name, reasons in self.left_out.items()},
            "stale": dict(self.stale),
            "files": {
                name: {"bytes": size, "sha256": digest}
                for name, (size, digest) in self.files.items()
            },
        }


def read_release(path: Path, *, is_current: bool = False) -> ReleaseInfo:
    """What ``release.json`` in this folder says.

    :raises MonaziteError: it is missing or damaged.
    """
    place = path / RELEASE_FILE
    try:
        document = json.loads(place.read_text(encoding="utf-8"))
        return ReleaseInfo(
            release_id=str(document["release_id"]),
            path=path,
            ordinal=int(document["ordinal"]),
            previous=document["previous"],
            is_current=is_current,
            editions=tuple(document["editions"]),
            public_editions=tuple(document["public_editions"]),
            tables={
                name: TableInfo(
                    rows=int(table["rows"]),
                    public_rows=table["public_rows"],
                    parquet_sha256=table["parquet_sha256"],
                )
                for name, table in document["tables"].items()
            },
            left_out={name: tuple(reasons) for name, reasons in document["left_out"].items()},
            stale=dict(document.get("stale", {})),
            files={
                name: (int(entry["bytes"]), str(entry["sha256"]))
                for name, entry in document["files"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MonaziteError(
            "the release's own description is missing or damaged",
            where=str(place),
            remedy="remove this release and run `monazite run` again",
        ) from error


def current(settings: Settings) -> Path:
    """The folder of the current release, by its own name and not by the link.

    :raises UsageError: there is none yet.
    """
    link = settings.release_dir / CURRENT
    target = link.resolve()
    if not link.is_symlink() or not (target / RELEASE_FILE).is_file():
        raise UsageError("there is no release yet", where=str(link), remedy=_NONE_YET)
    return target


def list_releases(settings: Settings) -> list[ReleaseInfo]:
    """All whole releases, the oldest first; damaged ones are passed over."""
    link = settings.release_dir / CURRENT
    now = link.resolve() if link.is_symlink() else None
    found: list[ReleaseInfo] = []
    if settings.release_dir.is_dir():
        for path in sorted(settings.release_dir.iterdir()):
            if path.name.startswith(".") or path.is_symlink() or not path.is_dir():
                continue
            try:
                found.append(read_release(path, is_current=path.resolve() == now))
            except MonaziteError:
                continue
    return sorted(found, key=lambda info: (info.ordinal, info.release_id))


def release_path(settings: Settings, release: str | None = None) -> Path:
    """The folder of a release: the current one, or the one of this id.

    :raises UsageError: there is none, or none of this id.
    """
    if release is None or release == CURRENT:
        return current(settings)
    known = {info.release_id: info.path for info in list_releases(settings)}
    if release not in known:
        kept = ", ".join(reversed(known))
        remedy = f"choose one of {kept}" if kept else _NONE_YET
        raise UsageError(f"no release {release!r}", where=str(settings.release_dir), remedy=remedy)
    return known[release]


def open_release(
    settings: Settings, release: str | None = None, *, public: bool = False
) -> duckdb.DuckDBPyConnection:
    """A read-only connection to a release's DuckDB file, shut off from everything else.

    :param release: an id, or None for the current one.
    :param public: the file that may be passed on, instead of the complete one.
    :raises UsageError: there is no such release.
    :raises MonaziteError: its file is damaged.
    """
    folder = release_path(settings, release)
    path = folder / "public" / FILE_NAME if public else folder / FILE_NAME
    connection: duckdb.DuckDBPyConnection | None = None
    try:
        connection = duckdb.connect(
            path,
            read_only=True,
            config={
                "threads": settings.threads,
                "memory_limit": settings.memory_limit,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
                "python_enable_replacements": False,
            },
        )
        _shut(connection)
        return connection
    except duckdb.Error as error:
        if connection is not None:
            connection.close()
        raise MonaziteError(
            f"the release cannot be opened: {cause(error)}",
            where=str(path),
            remedy="run `monazite verify`",
        ) from error


def _shut(connection: duckdb.DuckDBPyConnection) -> None:
    """Forbid all files but the opened one, and forbid changing that back."""
    locked = connection.execute("SELECT current_setting('lock_configuration')").fetchone()
    if locked == (True,):
        return  # opened before in this process: DuckDB shares the database and its settings
    spill = Path(tempfile.gettempdir()) / f"monazite-reader-{os.getpid()}"
    connection.execute(f"SET temp_directory = {literal(str(spill))}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
