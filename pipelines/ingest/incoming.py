"""Where a publisher's documents lie until it is decided what becomes of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.errors import MonaziteError
from pipelines.settings import Settings

__all__ = ["incoming_folder"]


@contextmanager
def incoming_folder(settings: Settings, source_id: str) -> Iterator[Path]:
    """An empty folder for what one publisher gives, gone after the block.

    One process at a time asks a publisher: it counts requests and keeps whole answers between
    nights. What a process that was killed has left here is removed.

    :raises MonaziteError: another process is asking this publisher, or the folder cannot be made.
    """
    place = settings.root / "incoming"
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / f".{source_id}.lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise MonaziteError(
            f"another process is asking {source_id}",
            where=str(place),
            remedy="wait until it has ended",
        ) from error
    except OSError as error:
        raise _unwritable(place, error) from error
    try:
        for left in place.glob(f"{source_id}-*"):
            shutil.rmtree(left, ignore_errors=True)
        try:
            folder = Path(tempfile.mkdtemp(prefix=f"{source_id}-", dir=place))
        except OSError as error:
            raise _unwritable(place, error) from error
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.release()


def _unwritable(place: Path, error: OSError) -> MonaziteError:
    return MonaziteError(
        f"cannot write: {error.strerror or error}",
        where=str(place),
        remedy="make room or check the rights of the folder, then run again",
    )
