"""A body on its way: unpacked, paced, hashed, and put in place only when it is whole."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from pipelines.errors import FetchFailed
from pipelines.sources import http_headers
from pipelines.sources.packing import why_not_whole
from pipelines.sources.redaction import redact

__all__ = [
    "Expected",
    "Pace",
    "Transfer",
    "TransientError",
    "Unpacker",
    "refuse_page",
    "sha256_of",
]

_INFLATE_STEP = 1 << 20
_HEAD_BYTES = 64


class TransientError(Exception):
    """An attempt failed in a way that another may not. Its text is free of keys.

    Never leaves :mod:`pipelines.sources.http`, where it becomes ``FetchFailed``.
    """

    def __init__(self, what: str, remedy: str, wait_seconds: float | None = None) -> None:
        self.what = redact(what)
        self.remedy = remedy
        self.wait_seconds = wait_seconds
        super().__init__(self.what)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the publisher's listing says of a file. What is None is not compared."""

    size_bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None

    def __bool__(self) -> bool:
        return any(v is not None for v in (self.size_bytes, self.md5, self.sha256))


class Pace:
    """Finds an answer that drips so slowly that it would never end."""

    def __init__(self, slowest_bytes_per_second: float, window_seconds: float) -> None:
        self._least = slowest_bytes_per_second * window_seconds
        self._window = window_seconds
        self._since = asyncio.get_running_loop().time()
        self._came = 0

    def note(self, size: int) -> None:
        """``size`` more bytes came.

        :raises TransientError: less than the least came in the window that ends now.
        """
        self._came += size
        now = asyncio.get_running_loop().time()
        if now - self._since < self._window:
            return
        if self._came < self._least:
            raise TransientError(
                f"answer drips: {self._came:,} bytes in {now - self._since:.0f} seconds",
                "run again later",
            )
        self._since, self._came = now, 0


class Unpacker:
    """``Content-Encoding`` undone, with the end of the packing checked (httpx does not)."""

    def __init__(self, *, is_plain: bool) -> None:
        self.is_plain = is_plain
        self._inflate = _inflater()
        self._has_begun = False

    @classmethod
    def of(cls, response: httpx.Response, *, keep_packed: bool) -> Unpacker:
        """The unpacker that an answer needs.

        :param keep_packed: the file itself is a gzip, which some servers announce as an encoding.
        :raises FetchFailed: packed in a way that was not asked for.
        """
        encoding = http_headers.content_encoding(response)
        if encoding == "identity":
            return cls(is_plain=True)
        if encoding in ("gzip", "x-gzip", "deflate"):
            return cls(is_plain=keep_packed)
        raise FetchFailed(
            f"answer is packed as {encoding!r}, which was not asked for",
            where=redact(str(response.url)),
        )

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The bytes in ``chunk``, in pieces of at most a mebibyte.

        :raises TransientError: the packing is damaged.
        """
        if self.is_plain:
            yield chunk
            return
        while chunk:
            if self._inflate.eof:
                self._inflate = _inflater()
            self._has_begun = True
            try:
                piece = self._inflate.decompress(chunk, _INFLATE_STEP)
            except zlib.error:
                raise TransientError(
                    "packing of the answer is damaged", "run again later"
                ) from None
            if piece:
                yield piece
            chunk = self._inflate.unconsumed_tail or self._inflate.unused_data

    def finish(self) -> None:
        """All bytes have been fed.

        :raises TransientError: the packing is cut short.
        """
        if self._has_begun and not self._inflate.eof:
            raise TransientError("packing of the answer is cut short", "run again later")


def _inflater() -> zlib._Decompress:
    # 32 more than the largest window: gzip and zlib headers are both understood.
    return zlib.decompressobj(zlib.MAX_WBITS | 32)


class Transfer:
    """A file on its way, over all attempts.

    :ivar received: bytes written so far.
    :ivar total: bytes that the publisher announced, None where it did not.
    :ivar validator: what the transfer may be resumed with, None where it must begin again.
    """

    def __init__(self, *, url: str, expected: Expected, limit: int) -> None:
        self.url = url
        self.expected = expected
        self.limit = limit
        self.received = 0
        self.total: int | None = None
        self.validator: str | None = None
        self.etag: str | None = None
        self.last_modified: str | None = None
        self.media_type: str | None = None
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self._head = b""
        self._path: Path | None = None
        self._file: BinaryIO | None = None

    @contextlib.contextmanager
    def temporary_file(self, target: Path) -> Iterator[None]:
        """Open the file that the bytes go to; it is gone afterwards unless it was put in place.

        Its name is the target's, so that what a killed process has left is written over.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        path = target.with_name(f".{target.name}.part")
        with path.open("wb") as handle:
            self._path, self._file = path, handle
            try:
                yield
            finally:
                handle.close()
                path.unlink(missing_ok=True)

    def restart(self) -> None:
        """Forget what came."""
        self.received = 0
        self.total = None
        self.validator = None
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)
        self._head = b""
        self._open_file.seek(0)
        self._open_file.truncate()

    def begin(self, response: httpx.Response) -> None:
        """Start with the whole file, as the headers of ``response`` announce it.

        :raises FetchFailed: they announce a web page, other than what is expected, or more than
            fits.
        """
        self.restart()
        refuse_page(response, b"")
        self.etag = http_headers.etag(response)
        self.last_modified = http_headers.last_modified(response)
        self.media_type = http_headers.media_type(response) or None
        if not self.expected and not http_headers.end_is_marked(response):
            raise FetchFailed(
                "answer has no length and no end mark: nobody can tell whether it is whole",
                where=redact(self.url),
                remedy="download it by hand and import it",
            )
        if http_headers.content_encoding(response) != "identity":
            return
        self.validator = http_headers.strong_validator(response)
        self.total = http_headers.content_length(response)
        if self.total is None:
            return
        if self.expected.size_bytes not in (None, self.total):
            raise self._differs("size", f"{self.total:,}", f"{self.expected.size_bytes:,}")
        folder = self._open_path.parent
        free = shutil.disk_usage(folder).free
        if self.total > free:
            raise FetchFailed(
                f"needs {self.total:,} bytes, of which {free:,} are free",
                where=redact(self.url),
                remedy=f"make room in {folder}",
            )

    def is_continued_by(self, response: httpx.Response) -> bool:
        """Whether an answer is the rest of what has come, and of the same file."""
        place = http_headers.content_range(response)
        if (
            response.status_code != httpx.codes.PARTIAL_CONTENT
            or http_headers.content_encoding(response) != "identity"
            or place is None
        ):
            return False
        first, total = place
        tag = http_headers.etag(response)
        return (
            first == self.received
            and (total is None or self.total is None or total == self.total)
            and (tag is None or self.etag is None or tag == self.etag)
        )

    def write(self, piece: bytes, response: httpx.Response) -> None:
        """Add to the file.

        :raises FetchFailed: the file turns out to be a web page.
        :raises OSError: the disk does not take it.
        """
        if len(self._head) < _HEAD_BYTES:
            self._head = (self._head + piece)[:_HEAD_BYTES]
            refuse_page(response, self._head)
        self._open_file.write(piece)
        self.sha256.update(piece)
        self.md5.update(piece)
        self.received += len(piece)

    def check(self) -> None:
        """All attempts are over.

        :raises FetchFailed: the bytes are not those that the publisher promised, or a packed file
            without a promised checksum shows that it was cut.
        """
        wanted = self.expected
        is_promised = False
        if not self.received and wanted.size_bytes != 0:
            raise FetchFailed("file is empty", where=redact(self.url), remedy="run again later")
        for promised in (self.total, wanted.size_bytes):
            if promised not in (None, self.received):
                raise self._differs("size", f"{self.received:,}", f"{promised:,}")
        for kind, digest, promise in (
            ("md5", self.md5.hexdigest(), wanted.md5),
            ("sha256", self.sha256.hexdigest(), wanted.sha256),
        ):
            if promise is None:
                continue
            if digest != promise.lower():
                raise self._differs(kind, digest, promise.lower())
            is_promised = True
        if is_promised:
            return  # these are the publisher's bytes, whatever they are
        self._open_file.flush()
        damage = why_not_whole(self._open_path)
        if damage is not None:
            raise FetchFailed(
                f"{damage} ({self.received:,} bytes came)",
                where=redact(self.url),
                remedy="run again later; if it stays, the publisher's file is damaged",
            )

    def put_in_place(self, target: Path) -> None:
        """The file takes its name, in one step, after its bytes are on the disk.

        :raises OSError: the disk does not take it.
        """
        handle = self._open_file
        handle.flush()
        os.fsync(handle.fileno())
        handle.close()
        self._open_path.replace(target)

    @property
    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("no temporary file is open")
        return self._file

    @property
    def _open_path(self) -> Path:
        if self._path is None:
            raise ValueError("no temporary file is open")
        return self._path

    def _differs(self, kind: str, came: str, promised: str) -> FetchFailed:
        return FetchFailed(
            f"{kind} {came} differs from {promised}, which the publisher announces",
            where=redact(self.url),
            remedy="run again later; if it stays, the publisher's listing or file is damaged",
        )


def sha256_of(path: Path) -> str:
    """Hash of a file's bytes, lower-case hexadecimal.

    :raises OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_page(response: httpx.Response, head: bytes) -> None:
    """Refuse a web page that stands where data was asked for.

    :raises FetchFailed: the answer calls itself HTML, or its first bytes are.
    """
    if http_headers.is_page(response, head):
        raise FetchFailed(
            "a web page came where data was asked for",
            where=redact(str(response.url)),
            remedy="open the address in a browser: it may be a notice, a login or a moved file",
        )
