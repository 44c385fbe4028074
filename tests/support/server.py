"""A publisher on loopback that can misbehave in every way that sockets allow.

Real sockets, no HTTP library: an answer is written byte by byte as its description says, so that
a body can be cut, reset, dripped or announced wrongly. ::

    with Publisher() as publisher:
        publisher.routes["/a.csv"] = Answer(b"x,y\\n1,2\\n")
        ...  # ask publisher.url("/a.csv")
        publisher.requests  # what was asked
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

__all__ = ["Answer", "Publisher", "Request", "file", "in_turn"]


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    target: str
    headers: dict[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {k: v[-1] for k, v in parse_qs(urlsplit(self.target).query).items()}


@dataclass(frozen=True)
class Answer:
    """What is written back.

    :ivar length: the Content-Length that is announced; by default the true one, None for none.
    :ivar cut_after: bytes of the body that are sent before the connection is reset.
    :ivar drip_seconds: wait before each byte of the body.
    :ivar wait_seconds: wait before the status line.
    :ivar http_version: 1.0 without a length ends by closing.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = -1
    chunked: bool = False
    cut_after: int | None = None
    drip_seconds: float = 0.0
    wait_seconds: float = 0.0
    http_version: str = "1.1"


Route = Answer | Callable[[Request], Answer]


def in_turn(answers: Iterable[Route]) -> Callable[[Request], Answer]:
    """One answer after the other; the last stays."""
    left = list(answers)
    lock = threading.Lock()

    def answer(request: Request) -> Answer:
        with lock:
            route = left.pop(0) if len(left) > 1 else left[0]
        return route(request) if callable(route) else route

    return answer


def file(
    body: bytes,
    *,
    etag: str | None = '"v1"',
    modified: float | None = None,
    ranges: bool = True,
    media_type: str = "application/octet-stream",
    first: Callable[[Answer], Answer] | None = None,
) -> Callable[[Request], Answer]:
    """A static file as a good server serves it: ETag, 304, ranges.

    :param modified: seconds since 1970; adds Last-Modified.
    :param first: changes the first answer that carries bytes (to break it).
    """
    pending = [first] if first else []
    headers = {"Content-Type": media_type, "Date": formatdate(usegmt=True)}
    if etag:
        headers["ETag"] = etag
    if modified is not None:
        headers["Last-Modified"] = formatdate(modified, usegmt=True)
    if ranges:
        headers["Accept-Ranges"] = "bytes"

    def answer(request: Request) -> Answer:
        asked = request.headers
        if etag and asked.get("if-none-match") == etag:
            return Answer(status=304, headers=headers)
        since = asked.get("if-modified-since")
        if "if-none-match" not in asked and since and since == headers.get("Last-Modified"):
            return Answer(status=304, headers=headers)
        result = Answer(body, headers=headers)
        wanted = asked.get("range")
        condition = asked.get("if-range")
        if ranges and wanted and condition in (None, etag, headers.get("Last-Modified")):
            begin, _, end = wanted.removeprefix("bytes=").partition("-")
            start, stop = int(begin), int(end) + 1 if end else len(body)
            if start >= len(body):
                return Answer(status=416, headers={"Content-Range": f"bytes */{len(body)}"})
            piece = body[start:stop]
            place = f"bytes {start}-{start + len(piece) - 1}/{len(body)}"
            result = replace(
                result, body=piece, status=206, headers={**headers, "Content-Range": place}
            )
        if pending and request.method == "GET":
            result = pending.pop()(result)
        return result

    return answer


class Publisher:
    """The server. ``routes`` by path; whatever else is asked is 404."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.requests: list[Request] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def url(self, path: str = "", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def asked(self, path: str, method: str = "GET") -> list[Request]:
        return [r for r in self.requests if r.path == path and r.method == method]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        # Wakes the thread that waits in accept().
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        for thread in self._threads:
            thread.join(timeout=5)
        self._socket.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._closing.is_set():
                connection.close()
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(0.1)
        with connection, contextlib.suppress(OSError):
            for request in self._read(connection):
                self.requests.append(request)
                route = self.routes.get(request.path, Answer(b"nothing here", 404))
                answer = route(request) if callable(route) else route
                if not self._write(connection, request, answer):
                    return

    def _read(self, connection: socket.socket) -> Iterator[Request]:
        pending = b""
        while True:
            while b"\r\n\r\n" not in pending:
                if self._closing.is_set():
                    return
                try:
                    came = connection.recv(65536)
                except TimeoutError:
                    continue
                if not came:
                    return
                pending += came
            head, _, pending = pending.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
            yield Request(method, target, headers)

    def _write(self, connection: socket.socket, request: Request, answer: Answer) -> bool:
        """Whether the connection may be used again."""
        if self._closing.wait(answer.wait_seconds):
            return False
        phrase = HTTPStatus(answer.status).phrase
        lines = [f"HTTP/{answer.http_version} {answer.status} {phrase}"]
        lines += [f"{k}: {v}" for k, v in answer.headers.items()]
        has_body = answer.status not in (204, 304)
        body = answer.body if has_body and request.method != "HEAD" else b""
        length = len(answer.body) if answer.length == -1 else answer.length
        if answer.chunked:
            lines.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        elif length is not None and has_body:
            lines.append(f"Content-Length: {length}")
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if answer.cut_after is not None:
            connection.sendall(body[: answer.cut_after])
            # The bytes should arrive before the reset does.
            time.sleep(0.05)
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        if answer.drip_seconds:
            for place in range(len(body)):
                if self._closing.wait(answer.drip_seconds):
                    return False
                connection.sendall(body[place : place + 1])
        else:
            connection.sendall(body)
        is_exact = answer.chunked or length in (len(body), None)
        return (
            (is_exact or request.method == "HEAD")
            and answer.http_version == "1.1"
            and not (length is None and not answer.chunked and has_body)
        )
