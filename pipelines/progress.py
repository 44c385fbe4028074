"""Saying what is going on, to whoever listens: the command line draws a bar, a test collects.

Without a listener nothing happens, so that library code may announce freely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["announce", "collecting", "hand_in", "listening"]

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def announce(what: str) -> None:
    """Tell the listener, if there is one, what begins now (a few words)."""
    listener = _listener.get()
    if listener is not None:
        listener(what)


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Hear all announcements made inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


_collected: ContextVar[list[object] | None] = ContextVar("collected", default=None)


def hand_in(results: Iterable[object]) -> None:
    """Give what became of editions to whoever collects it."""
    collected = _collected.get()
    if collected is not None:
        collected.extend(results)


@contextmanager
def collecting() -> Iterator[list[object]]:
    """Collect everything handed in inside the block."""
    collected: list[object] = []
    token = _collected.set(collected)
    try:
        yield collected
    finally:
        _collected.reset(token)
