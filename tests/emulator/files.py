"""Static files as a good server serves them: ETag, 304, ranges."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["file_response"]


def file_response(
    request: Request, content: bytes, *, media_type: str = "application/octet-stream"
) -> Response:
    """``content``, or the part or the 304 that the request asks for."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range")
    if wanted and request.headers.get("if-range") in (None, etag):
        begin, _, end = wanted.removeprefix("bytes=").partition("-")
        first, stop = int(begin), int(end) + 1 if end else len(content)
        if first >= len(content):
            return Response(status_code=416, headers={"Content-Range": f"bytes */{len(content)}"})
        piece = content[first:stop]
        headers["Content-Range"] = f"bytes {first}-{first + len(piece) - 1}/{len(content)}"
        return Response(piece, status_code=206, headers=headers, media_type=media_type)
    return Response(content, headers=headers, media_type=media_type)
