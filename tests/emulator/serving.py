"""The emulator on a port of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn

from tests.emulator.app import Emulator

__all__ = ["serving"]


@contextlib.contextmanager
def serving(emulator: Emulator, *, port: int = 0) -> Iterator[str]:
    """Serve on 127.0.0.1 in a thread; the base address, to be used as mirror."""
    config = uvicorn.Config(
        emulator, host="127.0.0.1", port=port, log_level="error", lifespan="off", http="h11"
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
