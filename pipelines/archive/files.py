"""Files that are there whole or not at all.

Everything that must survive a crash is written beside its place under a name that no reader looks
for, brought to the disk, and then given its name in one step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipelines.errors import MonaziteError

__all__ = [
    "TEMPORARY",
    "Hashed",
    "copy_hashed",
    "hash_file",
    "make_folder",
    "new_file",
    "remove_temporary",
    "sync_file",
    "sync_folder",
    "write_file",
    "writing",
]

#: Suffix of what is not finished; no glob of ours matches it.
TEMPORARY = ".tmp"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Hashed:
    """What was seen of a stream while it was read once."""

    sha256: str
    md5: str
    size_bytes: int


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in one line where writing failed (disk full, no permission, file too large).

    :raises MonaziteError: instead of any ``OSError`` of the body.
    """
    try:
        yield
    except OSError as error:
        raise MonaziteError(
            f"cannot write: {error.strerror or error}",
            where=str(path),
            remedy="free some space or point MONAZITE_HOME to another disk; nothing was changed",
        ) from error


def sync_file(path: Path) -> None:
    """Bring a closed file to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk (a no-op where folders cannot be opened)."""
    if os.name == "nt":
        return
    sync_file(folder)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, and bring their names to the disk."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def copy_hashed(source: BinaryIO, target: BinaryIO | None, *, name: str) -> Hashed:
    """Read ``source`` once, write it to ``target``, and hash it on the way.

    :param name: of the source, for the message.
    :raises MonaziteError: ``source`` cannot be read. An ``OSError`` of ``target`` goes through.
    """
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while True:
        try:
            chunk = source.read(_CHUNK)
        except OSError as error:
            raise MonaziteError(
                f"cannot be read: {error.strerror or error}",
                where=name,
                remedy="check the file and its permissions",
            ) from error
        if not chunk:
            return Hashed(sha256.hexdigest(), md5.hexdigest(), size)
        sha256.update(chunk)
        md5.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)


def hash_file(path: Path) -> Hashed:
    """Hashes and size of a file.

    :raises MonaziteError: it cannot be read.
    """
    try:
        with path.open("rb") as handle:
            return copy_hashed(handle, None, name=str(path))
    except OSError as error:
        raise MonaziteError(
            f"cannot be read: {error.strerror or error}", where=str(path)
        ) from error


@contextmanager
def new_file(folder: Path, name: str) -> Iterator[tuple[Path, BinaryIO]]:
    """A file that is not finished yet, in the folder where it will stand.

    It is brought to the disk at the end of the block, and removed when the block fails.
    """
    make_folder(folder)
    handle, text = tempfile.mkstemp(dir=folder, prefix=f".{name[:40]}.", suffix=TEMPORARY)
    path = Path(text)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield path, stream
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        with suppress(FileNotFoundError):
            path.unlink()
        raise


def write_file(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all, replacing what stands there.

    :raises MonaziteError: disk full or not permitted; what stood there still stands.
    """
    with writing(path):
        with new_file(path.parent, path.name) as (temporary, stream):
            stream.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
        sync_folder(path.parent)


def remove_temporary(folder: Path) -> None:
    """Remove what a crash left unfinished directly below ``folder``."""
    for path in folder.glob(f".*{TEMPORARY}") if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
