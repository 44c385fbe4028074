"""Ports on loopback."""

from __future__ import annotations

import socket

from pipelines.errors import MonaziteError

__all__ = ["LOOPBACK", "refuse_taken"]

LOOPBACK = "127.0.0.1"


def refuse_taken(port: int) -> None:
    """:raises MonaziteError: nobody else can listen on this port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise MonaziteError(
                f"port {port} cannot be used: {error.strerror}",
                where=LOOPBACK,
                remedy="stop what listens there, or choose another with --port",
            ) from error
