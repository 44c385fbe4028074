"""Files of a release: hashes, durable writes and the atomic switch of a link."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["files_below", "remove_tree", "sha256", "switch_link", "sync_folder", "sync_tree"]


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in lower-case hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def files_below(folder: Path) -> Iterator[Path]:
    """Every regular file below ``folder``, in the order of their names."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make every file and folder below ``folder`` survive a power cut."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
    sync_folder(folder)


def switch_link(link: Path, target: str) -> None:
    """Point ``link`` at ``target`` (a name in the same folder) in one atomic step."""
    beside = link.with_name(f".{link.name}-new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target, target_is_directory=True)
    beside.replace(link)
    sync_folder(link.parent)


def remove_tree(folder: Path) -> None:
    """Remove a folder so that no half of it is ever seen under its own name."""
    hidden = folder.with_name(f".removing-{folder.name.lstrip('.')}")
    if folder != hidden:
        if hidden.exists():
            shutil.rmtree(hidden)
        folder.replace(hidden)
    shutil.rmtree(hidden)
