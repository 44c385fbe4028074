"""The emulator on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.emulator.app import Emulator
from tests.emulator.faults import TRANSPORT

__all__ = ["serving"]


class _Protocol(H11Protocol):
    """HTTP/1.1 whose application is shown the connection, so that it can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def shown(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, TRANSPORT: transport}, receive, send)

        self.app = shown  # type: ignore[assignment]


@contextlib.contextmanager
def serving(emulator: Emulator, *, port: int = 0) -> Iterator[str]:
    """Serve on 127.0.0.1 in a thread; the base address, to be used as mirror."""
    config = uvicorn.Config(
        emulator,
        host="127.0.0.1",
        port=port,
        log_level="error",
        lifespan="off",
        http=_Protocol,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("the emulator does not start")
        time.sleep(0.01)
    bound = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{bound}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
