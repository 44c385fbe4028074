"""Static files as a good server serves them: ETag, Last-Modified, 304, ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

__all__ = ["Cut", "file_response", "path_response"]

_PIECE = 1 << 20


class Cut(Exception):
    """The connection breaks here, as it was asked to."""


@dataclass(frozen=True)
class _Wanted:
    """What of a file a request asks for."""

    status: int
    first: int
    stop: int
    headers: dict[str, str]


def _wanted(request: Request, size: int, etag: str, last_modified: str | None) -> _Wanted:
    headers = {"ETag": etag, "Accept-Ranges": "bytes"}
    if last_modified:
        headers["Last-Modified"] = last_modified
    asked = request.headers
    if asked.get("if-none-match") == etag or (
        "if-none-match" not in asked
        and last_modified is not None
        and asked.get("if-modified-since") == last_modified
    ):
        return _Wanted(304, 0, 0, headers)
    span = asked.get("range")
    if span and asked.get("if-range") in (None, etag):
        begin, _, end = span.removeprefix("bytes=").partition("-")
        if begin:
            first, stop = int(begin), min(int(end) + 1 if end else size, size)
        else:  # the last bytes
            first, stop = max(0, size - int(end)), size
        if first >= size:
            return _Wanted(416, 0, 0, headers | {"Content-Range": f"bytes */{size}"})
        place = {"Content-Range": f"bytes {first}-{stop - 1}/{size}"}
        return _Wanted(206, first, stop, headers | place)
    return _Wanted(200, 0, size, headers)


def file_response(
    request: Request,
    content: bytes,
    *,
    media_type: str = "application/octet-stream",
    last_modified: str | None = None,
) -> Response:
    """``content``, or the part or the 304 that the request asks for.

    :param last_modified: an HTTP date.
    """
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    wanted = _wanted(request, len(content), etag, last_modified)
    if wanted.status in (304, 416):
        return Response(status_code=wanted.status, headers=wanted.headers)
    return Response(
        content[wanted.first : wanted.stop],
        status_code=wanted.status,
        headers=wanted.headers,
        media_type=media_type,
    )


def path_response(
    request: Request,
    path: Path,
    *,
    media_type: str = "application/octet-stream",
    last_modified: str | None = None,
    cut_after: int | None = None,
) -> Response:
    """A file from the disk in pieces, never held whole; its ETag is of its name and size.

    :param cut_after: bytes of this answer after which the connection breaks.
    """
    size = path.stat().st_size
    etag = f'"{hashlib.sha256(f"{path.name} {size}".encode()).hexdigest()[:16]}"'
    wanted = _wanted(request, size, etag, last_modified)
    headers = wanted.headers | {"Content-Length": str(wanted.stop - wanted.first)}
    if wanted.status in (304, 416) or request.method == "HEAD":
        return Response(status_code=wanted.status, headers=headers, media_type=media_type)

    def pieces() -> Iterator[bytes]:
        sent = 0
        with path.open("rb") as stream:
            stream.seek(wanted.first)
            while piece := stream.read(min(_PIECE, wanted.stop - wanted.first - sent)):
                if cut_after is not None and sent >= cut_after:
                    raise Cut
                yield piece
                sent += len(piece)

    return StreamingResponse(
        pieces(), status_code=wanted.status, headers=headers, media_type=media_type
    )
