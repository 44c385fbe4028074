"""Asking a stand-in in a publisher's place: a mirror of the house, or the emulator.

``https://host/path`` is asked as ``<mirror>/host/path``. This happens below everything else, so
that rules on hosts, keys, redirects and retries hold for the publisher's own addresses.

What came from a loopback address is a stand-in's and may be made up (:func:`is_stand_in`).
"""

from __future__ import annotations

import ipaddress

import httpx

__all__ = ["MirrorTransport", "is_loopback", "is_stand_in", "mirrored"]


def is_loopback(host: str) -> bool:
    """Whether a host is this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("www.example.org")
    (True, True, False)
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def is_stand_in(url: str | None) -> bool:
    """Whether a document of this address came from this machine and not from its publisher.

    >>> is_stand_in("http://127.0.0.1:8765/www.example.org/a"), is_stand_in(None)
    (True, False)
    """
    if not url:
        return False
    try:
        return is_loopback(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False


def mirrored(url: httpx.URL | str, mirror: str) -> httpx.URL:
    """Where ``url`` is found on ``mirror``.

    >>> str(mirrored("https://www.example.org/a?b=1", "http://127.0.0.1:8765"))
    'http://127.0.0.1:8765/www.example.org/a?b=1'
    """
    asked = httpx.URL(url)
    base = httpx.URL(mirror)
    prefix = base.raw_path.rstrip(b"/")
    path = b"%s/%s%s" % (prefix, asked.netloc, asked.raw_path)
    return base.copy_with(raw_path=path)


class MirrorTransport(httpx.AsyncBaseTransport):
    """Sends every request to ``mirror``; loopback addresses are asked as they are."""

    def __init__(self, mirror: str) -> None:
        self._mirror = mirror
        self._http = httpx.AsyncHTTPTransport(http2=True)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer from the stand-in, as an answer to the request as it was made."""
        if is_loopback(request.url.host):
            return await self._http.handle_async_request(request)
        url = mirrored(request.url, self._mirror)
        headers = request.headers.copy()
        headers["Host"] = url.netloc.decode("ascii")
        sent = httpx.Request(
            request.method,
            url,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await self._http.handle_async_request(sent)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()
