"""What a result depends on, as short hashes: has anything changed since the last time?

* :func:`reader_fingerprint`: the code and the maps that read one source. While it stays, reading
  the same documents again gives the same raw tables.
* :func:`release_id`: everything that decides what a release holds.

Hashes are over names below the project and over text with plain line ends, so they are the same on
every machine and in every folder. No clock and no retrieval time goes in.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import importlib.util
import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.archive.profile import RawState
from pipelines.archive.store import Archive
from pipelines.catalog import Catalog, Source
from pipelines.errors import UsageError
from pipelines.settings import PROJECT_ROOT, Settings

__all__ = ["code_fingerprint", "reader_fingerprint", "release_id"]

_CODE_FOLDERS = ("pipelines", "assets", "quality", "dbt_project")
_CODE_SUFFIXES = frozenset({".py", ".sql", ".yml", ".csv"})
_GENERATED = frozenset({"__pycache__", "target", "logs", "dbt_packages"})
_PACKAGE = "pipelines.sources"
_CORRECTIONS = "ref_correction"
#: Modules that bring documents but have no part in reading them, by the last part of their name.
_NOT_READING = re.compile(
    r"(?:\w+_)?fetch(?:ing)?|http(?:_\w+)?|redaction|sciencebase|mirror|allowance|spool|packing"
)
#: What an edition's manifest holds that a release does not show.
_NOT_SHOWN: dict[str, Any] = {
    "accepted_at": True,
    "summary": True,
    "force_reason": True,
    "documents": {"__all__": {"retrieved_at", "last_modified", "md5", "media_type"}},
}


def _content(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")


def _digest(named: Iterable[tuple[str, bytes]]) -> str:
    whole = hashlib.sha256()
    for name, content in named:
        whole.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()


# The reader of one source


def _module_files(module: str) -> dict[str, Path]:
    """The files of a module, or of all of a package, by a name that holds on every machine."""
    try:
        spec = importlib.util.find_spec(module)
    except (ModuleNotFoundError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        return {}
    if not spec.submodule_search_locations:
        return {f"{module}.py": Path(spec.origin)}
    files = {}
    for folder in map(Path, spec.submodule_search_locations):
        for path in folder.rglob("*"):
            inner = path.relative_to(folder)
            if (
                path.suffix in _CODE_SUFFIXES
                and not _GENERATED.intersection(inner.parts)
                and not _NOT_READING.fullmatch(path.stem)
            ):
                files[f"{module}/{inner.as_posix()}"] = path
    return files


@lru_cache(maxsize=256)
def _imports(path: Path, mtime_ns: int) -> frozenset[str]:
    """Modules of ``pipelines.sources`` that this file imports by their full name."""
    del mtime_ns  # part of the cache key only
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return frozenset()  # importing it will say so, with the place
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return frozenset(name for name in found if name.startswith(f"{_PACKAGE}."))


def _reader_files(source_id: str) -> dict[str, Path]:
    """All files that have a part in reading a source: its module and what that imports, by name."""
    files: dict[str, Path] = {}
    seen: set[str] = set()
    waiting = [f"{_PACKAGE}.{source_id}"]
    while waiting:
        module = waiting.pop()
        if module in seen or _NOT_READING.fullmatch(module.rpartition(".")[2]):
            continue
        seen.add(module)
        for name, path in _module_files(module).items():
            files[name] = path
            if path.suffix == ".py":
                waiting.extend(_imports(path, path.stat().st_mtime_ns))
    return files


def _maps(source: Source, code: bytes, seeds: Path) -> Iterator[Path]:
    """Seeds that the reader may look at: named in the catalogue or its code, or after it."""
    for path in sorted(seeds.rglob("*.csv")):
        if path.stem != _CORRECTIONS and (
            path.stem in source.country_maps
            or source.source_id in path.stem
            or path.stem.encode() in code
        ):
            yield path


def _corrections(source: Source, seeds: Path) -> bytes:
    """Known errors of this source's editions, as they stand in the seed."""
    path = seeds / f"{_CORRECTIONS}.csv"
    if not path.is_file():
        return b""
    rows = csv.reader(io.StringIO(_content(path).decode("utf-8-sig")))
    mine = [row for row in rows if any(c.startswith(f"{source.source_id}-") for c in row)]
    return json.dumps(mine).encode()


def reader_fingerprint(source: Source, *, seeds: Path) -> str:
    """The code and maps that read ``source``, as 16 hexadecimal digits.

    :param seeds: folder of the dbt project's seeds.
    :raises UsageError: nobody has written a reader for this source.
    """
    files = _reader_files(source.source_id)
    if not files:
        raise UsageError(
            f"no reader for source {source.source_id!r}",
            remedy=f"write pipelines/sources/{source.source_id}.py",
        )
    named = [(name, _content(files[name])) for name in sorted(files)]
    code = b"".join(content for _, content in named)
    named += [(p.relative_to(seeds).as_posix(), _content(p)) for p in _maps(source, code, seeds)]
    named.append(("corrections", _corrections(source, seeds)))
    return _digest(named)[:16]


# A whole release


def code_fingerprint(root: Path = PROJECT_ROOT) -> str:
    """The code, models and seeds of the project, as a sha256."""
    named: list[tuple[str, bytes]] = []
    for top in _CODE_FOLDERS:
        for folder, folders, names in os.walk(root / top):
            folders[:] = sorted(f for f in folders if f not in _GENERATED and f[0] != ".")
            here = Path(folder)
            named += [
                ((here / name).relative_to(root).as_posix(), _content(here / name))
                for name in sorted(names)
                if Path(name).suffix in _CODE_SUFFIXES and name[0] != "."
            ]
    return _digest(named)


def release_id(settings: Settings, catalog: Catalog, *, root: Path = PROJECT_ROOT) -> str:
    """What a release built now would hold, as 12 hexadecimal digits.

    It covers the accepted editions (documents, dates, terms), the reader that wrote their raw
    tables, the catalogue, and the code. Bring the raw tables up to date first (``refresh_raw``).
    """
    archive = Archive(settings.archive_dir)
    editions = []
    for archived in archive.editions():
        state = RawState.read(settings.raw_dir, archived.edition_id)
        editions.append(
            {
                "digest": archive.digest(archived),
                "manifest": archived.model_dump(mode="json", exclude=_NOT_SHOWN),
                "reader": state.profile.reader if state else None,
                "rows": {n: t.rows for n, t in state.profile.tables.items()} if state else None,
            }
        )
    content = {
        "catalog": catalog.model_dump(mode="json"),
        "code": code_fingerprint(root),
        "editions": editions,
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
