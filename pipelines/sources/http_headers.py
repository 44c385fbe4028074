"""What the headers of an answer say, where it can be relied upon.

Pure functions of a response's status and headers. A header that is malformed counts as absent.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

__all__ = [
    "HTML_TYPES",
    "content_encoding",
    "content_length",
    "content_range",
    "end_is_marked",
    "etag",
    "is_page",
    "last_modified",
    "media_type",
    "retry_after",
    "size_of_whole",
    "strong_validator",
]

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})

_HTML_OPENINGS = (b"<!doctype html", b"<html", b"<head")
_BYTE_ORDER_AND_BLANKS = b"\xef\xbb\xbf \r\n\t"
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_CONTENT_RANGE = re.compile(r"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
_SECONDS = re.compile(r"\d{1,9}(?:\.\d+)?", re.ASCII)
#: RFC 9110, 8.8.2.2: a date that much older than the answer identifies the bytes.
_STRONG_DATE_SECONDS = 60


def _header(response: httpx.Response, name: str) -> str:
    return str(response.headers.get(name, "")).strip()


def _natural(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def media_type(response: httpx.Response) -> str:
    """``Content-Type`` without parameters, lower case; empty where absent."""
    return _header(response, "Content-Type").partition(";")[0].strip().lower()


def content_encoding(response: httpx.Response) -> str:
    """``Content-Encoding``, lower case; ``identity`` where absent."""
    return _header(response, "Content-Encoding").lower() or "identity"


def content_length(response: httpx.Response) -> int | None:
    """Bytes of the body as transferred."""
    return _natural(_header(response, "Content-Length"))


def content_range(response: httpx.Response) -> tuple[int, int | None] | None:
    """First byte of a partial answer and size of the whole (None where it is not told)."""
    match = _CONTENT_RANGE.fullmatch(_header(response, "Content-Range"))
    if match is None:
        return None
    return int(match[1]), None if match[3] == "*" else int(match[3])


def size_of_whole(response: httpx.Response) -> int | None:
    """Bytes of the file behind a whole, partial or HEAD answer."""
    if response.status_code == httpx.codes.OK:
        return content_length(response) if content_encoding(response) == "identity" else None
    return _natural(_header(response, "Content-Range").rpartition("/")[2])


def end_is_marked(response: httpx.Response) -> bool:
    """Whether the transport itself tells a whole answer from one that was cut."""
    return (
        content_length(response) is not None
        or "chunked" in _header(response, "Transfer-Encoding").lower()
        or not response.http_version.startswith("HTTP/1")
    )


def etag(response: httpx.Response) -> str | None:
    """``ETag``, quotes and weakness mark included."""
    text = _header(response, "ETag")
    return text if _ETAG.fullmatch(text) else None


def last_modified(response: httpx.Response) -> str | None:
    """``Last-Modified`` as sent."""
    text = _header(response, "Last-Modified")
    return text if text.isascii() and _http_date(text) is not None else None


def strong_validator(response: httpx.Response) -> str | None:
    """What a transfer may be resumed with (``If-Range``).

    None where the bytes could change without it: a weak ETag, or a date that is too young.
    """
    tag = etag(response)
    if tag is not None:
        return None if tag.startswith("W/") else tag
    modified = last_modified(response)
    since, now = _http_date(modified or ""), _http_date(_header(response, "Date"))
    if since is None or now is None:
        return None
    return modified if (now - since).total_seconds() >= _STRONG_DATE_SECONDS else None


def retry_after(response: httpx.Response, longest_seconds: float) -> float | None:
    """Seconds that the publisher asks to wait, at most ``longest_seconds``.

    ``Retry-After`` holds seconds or an HTTP date, which is read by the publisher's own clock where
    it shows it.
    """
    text = _header(response, "Retry-After")
    if _SECONDS.fullmatch(text):
        return min(float(text), longest_seconds)
    until = _http_date(text)
    if until is None:
        return None
    now = _http_date(_header(response, "Date")) or datetime.now(UTC)
    return min(max(0.0, (until - now).total_seconds()), longest_seconds)


def is_page(response: httpx.Response, head: bytes) -> bool:
    """Whether the answer calls itself HTML, or its first bytes do."""
    opening = head.lstrip(_BYTE_ORDER_AND_BLANKS)[:32].lower()
    return media_type(response) in HTML_TYPES or opening.startswith(_HTML_OPENINGS)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, IndexError, OverflowError):
        return None
