"""A client with short waits, for asking a :class:`~tests.support.server.Publisher`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from pipelines.sources.http import ApiKey, HttpSettings, PublisherClient

__all__ = ["LOOPBACK", "ask", "quick"]

T = TypeVar("T")
LOOPBACK = ("127.0.0.1",)


def quick(**changes: Any) -> HttpSettings:
    """Settings under which a failing test fails soon."""
    limits: dict[str, Any] = {
        "attempts": 3,
        "request_seconds": 10,
        "download_seconds": 10,
        "connect_seconds": 2,
        "read_seconds": 2,
        "wait_initial_seconds": 0.01,
        "wait_max_seconds": 0.05,
        "wait_jitter_seconds": 0.01,
        "spacing_seconds": 0,
    }
    return HttpSettings(**(limits | changes))


def ask(
    work: Callable[[PublisherClient], Awaitable[T]],
    *,
    hosts: Iterable[str] = LOOPBACK,
    keys: Iterable[ApiKey] = (),
    settings: HttpSettings | None = None,
    **options: Any,
) -> T:
    """Run ``work`` with a client of its own, in an event loop of its own."""

    async def run() -> T:
        limits = settings or quick()
        async with PublisherClient(hosts, keys=keys, settings=limits, **options) as client:
            return await work(client)

    return asyncio.run(run())
