"""How an answer can go wrong, on request, for any publisher and path.

A :class:`Fault` says which requests it is for, which of them it strikes and what happens to them.
It is put to work with ``emulator.faults.set(...)`` and ends by itself after its ``times``, or with
``emulator.faults.lift()``. What breaks HTTP itself (a reset in the middle of a body, a length that
is not true) is written to the connection byte by byte, past the server's own care for the protocol.

:func:`schedule` makes a set of faults from a number, the same for the same number on every machine.

Two things nobody can tell from outside, so no schedule does them: a plain text that is cut and
whose length agrees with the cut, and rows that are missing where the publisher states no total.
They may be set by hand, and then show what a checksum or a total is for.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["TRANSPORT", "Fault", "Faults", "Kind", "schedule"]

#: Under this name the connection itself stands in the scope (:mod:`tests.emulator.serving`).
TRANSPORT = "emulator.transport"

_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Notice</title></head><body>We will be back.</body></html>"
)
_ELSEWHERE = "https://elsewhere.invalid/moved"
_QUOTA_TEXT = "Out of call volume quota. Quota will be replenished in 10:00:00."
#: A silent or dripping answer ends after so long, whoever still waits.
_PATIENCE_SECONDS = 20
#: Bytes that were sent should arrive before the reset does.
_BEFORE_RESET_SECONDS = 0.02
#: How the forms tell that a list is longer than the page, or how long it is.
_TOTALS = frozenset(
    {
        "total", "count", "numberMatched", "totalRecords", "TOTAL", "TOTAL_NUMBER", "NUMBER",
        "@odata.count",
    }
)  # fmt: skip
#: Forms that show by themselves that they were cut: JSON, XML, zip, gzip, 7z, the older workbooks.
_SELF_EVIDENT = (b"{", b"[", b"<", b"PK", b"\x1f\x8b", b"7z\xbc\xaf", b"\xd0\xcf\x11\xe0")


class Kind(StrEnum):
    """What happens."""

    TOO_MANY = "429"
    TOO_MANY_WAIT = "429 with Retry-After"
    SERVER_ERROR = "500"
    RESET = "reset in the middle of the body"
    LENGTH_TOO_LONG = "Content-Length above the body"
    LENGTH_TOO_SHORT = "Content-Length below the body"
    TRUNCATED = "body cut, length agrees"
    TRUNCATED_GZIP = "transfer packed as gzip and cut"
    UNMARKED = "HTTP/1.0 without a length, closed early"
    EMPTY = "status 200 without a body"
    PAGE = "web page with status 200"
    DRIP = "slow drip"
    SILENCE = "silence"
    REDIRECT = "redirect to another host"
    CUT_ROWS = "rows cut, total as before"
    DUPLICATED_PAGE = "page before once more"
    MISSING_PAGE = "page without rows"
    CHANGED_COLUMN = "column renamed"
    QUOTA = "quota spent"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    :ivar host: pattern of host names (``fnmatch``).
    :ivar path: pattern of path and query (``/catalog/items*``).
    :ivar skip: requests that fit and are answered well before.
    :ivar times: requests that are struck; None for all that come.
    :ivar share: where a body is cut (0 to 1).
    :ivar retry_after: what ``TOO_MANY_WAIT`` asks for.
    :ivar is_told: pages and rows go missing only where the answer states a total.
    :ivar column: what ``CHANGED_COLUMN`` renames; None for all columns of the rows.
    """

    kind: Kind
    host: str = "*"
    path: str = "*"
    skip: int = 0
    times: int | None = 1
    share: float = 0.5
    retry_after: str = "1"
    is_told: bool = False
    column: str | None = None

    def __str__(self) -> str:
        often = "always" if self.times is None else f"{self.times} times"
        where = f"{self.host}{'' if self.path == '*' else self.path}"
        return f"{self.kind} at {where}, {often}, after {self.skip} requests"

    def fits(self, host: str, path: str) -> bool:
        """Whether a request to ``host`` for ``path`` (query included) is one of those meant."""
        return fnmatchcase(host, self.host) and fnmatchcase(path, self.path)


@dataclass
class _Pending:
    fault: Fault
    seen: int = 0
    struck: int = 0

    def is_due(self) -> bool:
        """Count a request that fits; whether it is struck."""
        self.seen += 1
        if self.seen <= self.fault.skip:
            return False
        if self.fault.times is not None and self.struck >= self.fault.times:
            return False
        self.struck += 1
        return True


@dataclass
class _Answer:
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def without(self, *names: str) -> list[tuple[bytes, bytes]]:
        unwanted = {name.lower().encode() for name in names}
        return [(k, v) for k, v in self.headers if k.lower() not in unwanted]

    @property
    def has_rows(self) -> bool:
        return self.status == HTTPStatus.OK and bool(self.body)


class Faults:
    """The faults of one emulator.

    :ivar struck: what was struck, in order: the fault and the request's host and path.
    """

    def __init__(self) -> None:
        self.struck: list[tuple[Fault, str]] = []
        self._pending: list[_Pending] = []
        self._before: dict[str, tuple[str, bytes]] = {}

    def set(self, *faults: Fault) -> None:
        """Put faults to work beside those that are at work already."""
        self._pending = [*self._pending, *(_Pending(fault) for fault in faults)]

    def lift(self) -> None:
        """From now on everything is answered well."""
        self._pending = []

    def due(self, host: str, path: str) -> Fault | None:
        """The fault that strikes this request; every fault that fits counts it."""
        due = [p.fault for p in self._pending if p.fault.fits(host, path) and p.is_due()]
        return due[0] if due else None

    async def answer(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, host: str, path: str
    ) -> None:
        """Let ``app`` answer, well or as the fault that is due has it."""
        fault = self.due(host, path)
        watches_pages = any(p.fault.kind is Kind.DUPLICATED_PAGE for p in self._pending)
        if fault is None and not watches_pages:
            await app(scope, receive, send)
            return
        if fault is not None and fault.kind in _WITHOUT_THE_PUBLISHER:
            self.struck.append((fault, host + path))
            await _WITHOUT_THE_PUBLISHER[fault.kind](fault, scope, receive, send)
            return
        answer = await _answer_of(app, scope, receive)
        place, last = path.partition("?")[0], self._before.get(host + path.partition("?")[0])
        if answer.has_rows and (last is None or last[0] != path):
            self._before[host + place] = path, answer.body
        if fault is None:
            await _send(answer, send)
            return
        if fault.kind in _OF_CONTENT:
            before = last[1] if last is not None and last[0] != path else None
            body = _OF_CONTENT[fault.kind](fault, answer, before) if answer.has_rows else None
            if body is not None:
                self.struck.append((fault, host + path))
                answer = _with_body(answer, body)
            await _send(answer, send)
            return
        self.struck.append((fault, host + path))
        await _OF_TRANSFER[fault.kind](fault, answer, scope, receive, send)


# What the publisher has no part in


async def _status(
    send: Send, status: int, body: bytes, *headers: tuple[str, str], media_type: str = "text/plain"
) -> None:
    named = [("Content-Type", media_type), ("Content-Length", str(len(body))), *headers]
    answer = _Answer(status, [(k.encode(), v.encode()) for k, v in named], body)
    await _send(answer, send)


async def _too_many(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await _status(send, 429, b"Too many requests")


async def _too_many_wait(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await _status(send, 429, b"Too many requests", ("Retry-After", fault.retry_after))


async def _server_error(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await _status(send, 500, b"Internal Server Error")


async def _page(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await _status(send, 200, _PAGE, media_type="text/html; charset=utf-8")


async def _empty(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await _status(send, 200, b"", media_type="application/octet-stream")


async def _redirect(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await _status(send, 302, b"", ("Location", _ELSEWHERE))


async def _quota(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    told = json.dumps({"statusCode": 403, "message": _QUOTA_TEXT}).encode()
    await _status(send, 403, told, media_type="application/json")


async def _silence(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await _until_gone(receive)
    scope[TRANSPORT].abort()


_WITHOUT_THE_PUBLISHER: dict[Kind, Callable[[Fault, Scope, Receive, Send], Awaitable[None]]] = {
    Kind.TOO_MANY: _too_many,
    Kind.TOO_MANY_WAIT: _too_many_wait,
    Kind.SERVER_ERROR: _server_error,
    Kind.PAGE: _page,
    Kind.EMPTY: _empty,
    Kind.REDIRECT: _redirect,
    Kind.QUOTA: _quota,
    Kind.SILENCE: _silence,
}


# The publisher's answer on its way


async def _answer_of(app: ASGIApp, scope: Scope, receive: Receive) -> _Answer:
    """What the publisher would say, held back. Not for answers of gigabytes."""
    answer = _Answer()

    async def take(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")

    await app(scope, receive, take)
    return answer


async def _send(answer: _Answer, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


def _with_body(answer: _Answer, body: bytes) -> _Answer:
    """Other bytes, under validators of their own."""
    headers = answer.without("content-length", "etag", "last-modified", "content-encoding")
    headers.append((b"content-length", str(len(body)).encode()))
    if len(headers) < len(answer.headers):
        headers.append((b"etag", f'"{hashlib.sha256(body).hexdigest()[:16]}"'.encode()))
    return _Answer(answer.status, headers, body)


async def _until_gone(receive: Receive) -> None:
    """Until the client has hung up, or the emulator has lost patience."""

    async def hung_up() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(hung_up(), _PATIENCE_SECONDS)
    except TimeoutError:
        return


async def _write(
    answer: _Answer,
    scope: Scope,
    receive: Receive,
    *,
    length: int | None,
    is_reset: bool = False,
) -> None:
    """Write an answer past the server, and end the connection.

    :param length: that is announced; None for an answer of HTTP/1.0, which ends where it ends.
    """
    transport: asyncio.Transport = scope[TRANSPORT]
    phrase = HTTPStatus(answer.status).phrase
    lines = [f"HTTP/1.{0 if length is None else 1} {answer.status} {phrase}".encode()]
    lines += [k + b": " + v for k, v in answer.without("content-length", "transfer-encoding")]
    if length is not None:
        lines.append(b"Content-Length: %d" % length)
    transport.write(b"\r\n".join([*lines, b"", b""]) + answer.body)
    if is_reset:
        await asyncio.sleep(_BEFORE_RESET_SECONDS)
        _reset(transport)
    else:
        transport.close()
    await _until_gone(receive)


def _reset(transport: asyncio.Transport) -> None:
    """End a connection with RST, unless the client has ended it."""
    if transport.is_closing():
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _cut(fault: Fault, body: bytes) -> bytes:
    return body[: min(int(len(body) * fault.share), len(body) - 1)]


async def _reset_in_body(
    fault: Fault, answer: _Answer, scope: Scope, receive: Receive, send: Send
) -> None:
    if not answer.body:
        _reset(scope[TRANSPORT])
        await _until_gone(receive)
        return
    cut = _Answer(answer.status, answer.headers, _cut(fault, answer.body))
    await _write(cut, scope, receive, length=len(answer.body), is_reset=True)


async def _length_too_long(
    fault: Fault, answer: _Answer, scope: Scope, receive: Receive, send: Send
) -> None:
    await _write(answer, scope, receive, length=len(answer.body) + 7)


async def _length_too_short(
    fault: Fault, answer: _Answer, scope: Scope, receive: Receive, send: Send
) -> None:
    if not answer.body.startswith(_SELF_EVIDENT):
        await _reset_in_body(fault, answer, scope, receive, send)
        return
    await _write(answer, scope, receive, length=len(_cut(fault, answer.body)))


async def _truncated(
    fault: Fault, answer: _Answer, scope: Scope, receive: Receive, send: Send
) -> None:
    if not answer.body.startswith(_SELF_EVIDENT):
        await _reset_in_body(fault, answer, scope, receive, send)
        return
    body = _cut(fault, answer.body)
    headers = [*answer.without("content-length"), (b"content-length", str(len(body)).encode())]
    await _send(_Answer(answer.status, headers, body), send)


async def _unmarked(
    fault: Fault, answer: _Answer, scope: Scope, receive: Receive, send: Send
) -> None:
    if not answer.body:
        await _reset_in_body(fault, answer, scope, receive, send)
        return
    cut = _Answer(answer.status, answer.headers, _cut(fault, answer.body))
    await _write(cut, scope, receive, length=None)


async def _truncated_gzip(
    fault: Fault, answer: _Answer, scope: Scope, receive: Receive, send: Send
) -> None:
    packed = gzip.compress(answer.body, mtime=0)
    body = packed[: max(12, int(len(packed) * fault.share))]
    if not answer.body or len(body) == len(packed):
        await _reset_in_body(fault, answer, scope, receive, send)
        return
    headers = answer.without("content-length", "content-encoding")
    headers += [(b"content-length", str(len(body)).encode()), (b"content-encoding", b"gzip")]
    await _send(_Answer(answer.status, headers, body), send)


async def _drip(fault: Fault, answer: _Answer, scope: Scope, receive: Receive, send: Send) -> None:
    transport: asyncio.Transport = scope[TRANSPORT]
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE_SECONDS
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    for place in range(len(answer.body)):
        if transport.is_closing():
            return
        if loop.time() > until:
            break
        piece = answer.body[place : place + 1]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0.02)
    else:
        await send({"type": "http.response.body", "body": b""})
        return
    transport.abort()


_Transfer = Callable[[Fault, _Answer, Scope, Receive, Send], Awaitable[None]]
_OF_TRANSFER: dict[Kind, _Transfer] = {
    Kind.RESET: _reset_in_body,
    Kind.LENGTH_TOO_LONG: _length_too_long,
    Kind.LENGTH_TOO_SHORT: _length_too_short,
    Kind.TRUNCATED: _truncated,
    Kind.TRUNCATED_GZIP: _truncated_gzip,
    Kind.UNMARKED: _unmarked,
    Kind.DRIP: _drip,
}


# What the answer says


def _lists(value: Any) -> Iterable[list[Any]]:
    """All lists of objects or of lists in a JSON value, outermost first."""
    if isinstance(value, list):
        if value and all(isinstance(v, dict | list) for v in value):
            yield value
        for inner in value:
            yield from _lists(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _lists(inner)


def _rows(document: Any) -> list[Any] | None:
    """The list that holds an answer's rows: the longest; of equal ones the outermost."""
    return max(_lists(document), key=len, default=None)


def _parsed(answer: _Answer) -> Any:
    """The JSON document, or None where the answer is none."""
    if not answer.body.lstrip().startswith((b"{", b"[")):
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _states_total(document: Any) -> bool:
    if isinstance(document, dict):
        return bool(_TOTALS & document.keys()) or any(map(_states_total, document.values()))
    return isinstance(document, list) and any(map(_states_total, document[:1]))


def _dumped(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _with_rows(
    fault: Fault, answer: _Answer, keep: Callable[[list[Any]], list[Any]]
) -> bytes | None:
    document = _parsed(answer)
    if fault.is_told and not _states_total(document):
        return None
    rows = _rows(document)
    if rows is None:
        if document is not None or answer.body.startswith(_SELF_EVIDENT):
            return None
        header, *lines = answer.body.splitlines(keepends=True)
        return header + b"".join(keep(lines))
    rows[:] = keep(rows)
    return _dumped(document)


def _cut_rows(fault: Fault, answer: _Answer, before: bytes | None) -> bytes | None:
    return _with_rows(fault, answer, lambda rows: rows[: int(len(rows) * fault.share)])


def _missing_page(fault: Fault, answer: _Answer, before: bytes | None) -> bytes | None:
    return _with_rows(fault, answer, lambda rows: [])


def _duplicated_page(fault: Fault, answer: _Answer, before: bytes | None) -> bytes | None:
    return None if fault.is_told and not _states_total(_parsed(answer)) else before


def _changed_column(fault: Fault, answer: _Answer, before: bytes | None) -> bytes | None:
    def named(name: object) -> object:
        if isinstance(name, str) and fault.column in (None, name):
            return f"{name}_new"
        return name

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {named(k): renamed(v) for k, v in value.items()}
        return [renamed(v) for v in value] if isinstance(value, list) else value

    document = _parsed(answer)
    if document is None:
        if answer.body.startswith(_SELF_EVIDENT):
            return None
        header, mark, rest = answer.body.partition(b"\n")
        names = header.decode("utf-8", errors="surrogateescape").split(",")
        told = ",".join(str(named(n)) for n in names)
        return told.encode("utf-8", errors="surrogateescape") + mark + rest
    if fault.column is not None:
        return _dumped(renamed(document))
    rows = _rows(document)
    if rows is None:
        return _dumped(renamed(document)) if isinstance(document, dict) else None
    if isinstance(rows[0], list):
        rows[0] = [named(v) for v in rows[0]]
    else:
        rows[:] = [renamed(row) for row in rows]
    return _dumped(document)


_OF_CONTENT: dict[Kind, Callable[[Fault, _Answer, bytes | None], bytes | None]] = {
    Kind.CUT_ROWS: _cut_rows,
    Kind.MISSING_PAGE: _missing_page,
    Kind.DUPLICATED_PAGE: _duplicated_page,
    Kind.CHANGED_COLUMN: _changed_column,
}


# Chance

#: What a schedule draws from, with weights: what costs a wait is drawn less often.
_DRAWN: Sequence[tuple[Kind, int]] = (
    (Kind.TOO_MANY, 3),
    (Kind.TOO_MANY_WAIT, 3),
    (Kind.SERVER_ERROR, 4),
    (Kind.RESET, 4),
    (Kind.LENGTH_TOO_LONG, 3),
    (Kind.LENGTH_TOO_SHORT, 3),
    (Kind.TRUNCATED, 3),
    (Kind.TRUNCATED_GZIP, 3),
    (Kind.UNMARKED, 3),
    (Kind.PAGE, 4),
    (Kind.EMPTY, 3),
    (Kind.REDIRECT, 3),
    (Kind.CUT_ROWS, 2),
    (Kind.DUPLICATED_PAGE, 2),
    (Kind.MISSING_PAGE, 2),
    (Kind.CHANGED_COLUMN, 2),
    (Kind.QUOTA, 2),
    (Kind.DRIP, 1),
    (Kind.SILENCE, 1),
)
_SLOW = frozenset({Kind.DRIP, Kind.SILENCE})


def schedule(number: int, hosts: Sequence[str], *, most: int = 4) -> tuple[Fault, ...]:
    """The faults of this number for publishers at ``hosts``: one to ``most``.

    A storm may be longer than a client's attempts, so that a night fails; each ends.
    """
    chance = random.Random(number)  # noqa: S311 - to be replayed
    kinds, weights = zip(*_DRAWN, strict=True)
    faults = []
    for _ in range(chance.randint(1, most)):
        kind = chance.choices(kinds, weights)[0]
        faults.append(
            Fault(
                kind=kind,
                host=chance.choice(sorted(hosts)),
                skip=chance.choice((0, 0, 0, 1, 2, 3, 5, 8)),
                times=chance.randint(1, 2 if kind in _SLOW else 9),
                share=round(chance.uniform(0.02, 0.98), 2),
                is_told=True,
                retry_after=chance.choice(("0", "1", "Wed, 21 Oct 2099 07:28:00 GMT", "soon")),
            )
        )
    return tuple(faults)
