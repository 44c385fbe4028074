"""The one way in which this project asks publishers for bytes.

:class:`PublisherClient` keeps to what a publisher may expect of a guest (few requests at a time,
spaced, ``Retry-After`` honoured, conditional requests, a User-Agent that says who asks) and to what
an archive needs (a file is there whole or not at all, hashed while it came). Only the hosts that
the catalogue names are asked, over https; plain http is for loopback alone. Whatever goes wrong is
one :class:`~pipelines.errors.FetchFailed` with the address and a remedy, without keys in it.

What cannot be told from outside: an answer over HTTP/1 whose ``Content-Length`` is smaller than the
file looks whole. Only a size or checksum in the publisher's listing (:class:`Expected`) finds it,
or the reader of the format. HTTP/2 is offered to every publisher and has not been tried against
one; the tests speak HTTP/1.1 on loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import random
import re
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
)
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import httpx
import stamina

from pipelines.errors import FetchFailed, KeyMissing, UsageError
from pipelines.sources import http_headers
from pipelines.sources.allowance import Allowance, QuotaSpent
from pipelines.sources.fetching import FetchedDocument, HeldDocument
from pipelines.sources.http_settings import (
    ApiKey,
    HttpSettings,
    read_http_settings,
    user_agent,
)
from pipelines.sources.http_transfer import (
    Expected,
    Pace,
    Transfer,
    TransientError,
    Unpacker,
    refuse_page,
)
from pipelines.sources.mirror import MirrorTransport, is_loopback, mirrored
from pipelines.sources.redaction import install_log_filter, redact

if TYPE_CHECKING:
    from pipelines.catalog import Source

__all__ = [
    "Allowance",
    "ApiKey",
    "Expected",
    "HttpSettings",
    "Lane",
    "NotModified",
    "NotPublished",
    "Probe",
    "Progress",
    "PublisherClient",
    "QuotaSpent",
    "TooMuchAsked",
    "user_agent",
]

logger = logging.getLogger(__name__)

T = TypeVar("T")
#: Called with address, bytes received and bytes announced (None where the publisher is silent).
Progress = Callable[[str, int, int | None], None]

_CODES = httpx.codes
_NOT_THERE = frozenset({_CODES.NOT_FOUND, _CODES.GONE})
_TOO_MUCH = frozenset({_CODES.ACCEPTED, _CODES.REQUEST_ENTITY_TOO_LARGE})
_NO_HEAD = frozenset(
    {_CODES.BAD_REQUEST, _CODES.FORBIDDEN, _CODES.METHOD_NOT_ALLOWED, _CODES.NOT_IMPLEMENTED}
)
_TOO_EARLY_OR_MANY = frozenset({_CODES.REQUEST_TIMEOUT, _CODES.TOO_EARLY, _CODES.TOO_MANY_REQUESTS})
#: Errors of the server that another attempt does not cure.
_NEVER_SERVED = frozenset({_CODES.NOT_IMPLEMENTED, _CODES.HTTP_VERSION_NOT_SUPPORTED})
_EXCERPT_TYPES = frozenset({"text/plain", "application/json", "application/xml", "text/xml"})
_EXCERPT_BYTES = 4096
_PAGE_BEGINS = re.compile(rb"<html[\s>]")
_PAGE_HEAD_BYTES = 4096
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
#: How publishers word that the day's requests are used up, as opposed to asking too fast.
_QUOTA = re.compile(r"\bquota\b|daily (?:call |request )?limit", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NotModified:
    """The publisher says that what is held is what it offers (status 304)."""

    url: str
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class Probe:
    """What the headers of an address say, without its bytes."""

    url: str
    size_bytes: int | None = None
    etag: str | None = None
    last_modified: str | None = None

    def is_same_as(self, held: HeldDocument) -> bool | None:
        """Whether these headers are those of ``held``; None where they cannot tell."""
        if None not in (self.size_bytes, held.size_bytes) and self.size_bytes != held.size_bytes:
            return False
        if self.etag and held.etag:
            return self.etag.removeprefix("W/") == held.etag.removeprefix("W/")
        if self.last_modified and held.last_modified:
            return self.last_modified == held.last_modified
        return None


class NotPublished(FetchFailed):
    """The publisher has nothing at this address (status 404 or 410)."""


class TooMuchAsked(FetchFailed):
    """The answer would be larger than the publisher gives at once (status 413, or 202: later)."""


class PublisherClient:
    """Asks one publisher. An async context manager; one event loop, any number of tasks.

    :param hosts: host names that may be asked (``www.example.org``; ``example.org:8443`` where the
        port is not the usual one; loopback without a port admits all of its ports).
    :param settings: limits; from the environment where left out.
    :param keys: each goes to its host only.
    :param allowance: counts the requests, and ends them where none is left today.
    :param passing: statuses that pass at this publisher, and so are asked again.
    :param progress: told of every piece of a download.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        settings: HttpSettings | None = None,
        keys: Iterable[ApiKey] = (),
        allowance: Allowance | None = None,
        passing: Iterable[int] = (),
        progress: Progress | None = None,
    ) -> None:
        self.settings = settings or read_http_settings()
        self._hosts = frozenset(h.lower().rstrip(".") for h in hosts)
        self._keys = tuple(keys)
        self._allowance = allowance
        self._passing = frozenset(passing)
        self._progress = progress
        self._lanes: dict[str, Lane] = {}
        install_log_filter(__name__)
        # By default stamina prints retries to standard output, past all log handlers, where
        # structlog is installed. They are logged here instead.
        stamina.instrumentation.set_on_retry_hooks([])
        limits = self.settings
        mirror = limits.mirror
        self._http = httpx.AsyncClient(
            http2=True,
            transport=MirrorTransport(mirror) if mirror else None,
            trust_env=mirror is None,
            follow_redirects=False,
            headers={"User-Agent": user_agent(limits.contact), "Accept": "*/*"},
            timeout=httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds, pool=None),
            # A proxy of the house is for the outside.
            mounts={} if mirror else {f"all://{host}": None for host in _LOOPBACK},
        )

    @classmethod
    def for_source(
        cls,
        source: Source,
        *,
        settings: HttpSettings | None = None,
        keys: Iterable[ApiKey] | None = None,
        allowance: Allowance | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """A client that may ask the hosts of a catalogue entry, at the pace that it states.

        :param keys: the key of the environment, where None.
        :raises UsageError: the entry names no host, so there is nothing to ask.
        :raises KeyMissing: a key is required and not set.
        """
        if not source.hosts:
            raise UsageError(
                f"{source.source_id} has no address that a program may ask",
                remedy=f"download it by hand and use: monazite import {source.source_id} FILE",
            )
        settings = settings or read_http_settings()
        pace = source.api.requests_per_minute
        if pace is not None and settings.mirror is None:
            spacing = max(settings.spacing_seconds, 60 / pace)
            settings = settings.model_copy(update={"spacing_seconds": spacing})
        return cls(
            source.hosts,
            settings=settings,
            keys=_keys_of(source) if keys is None else keys,
            allowance=allowance,
            passing=source.api.passing_statuses,
            progress=progress,
        )

    @property
    def has_key(self) -> bool:
        """Whether requests go out with a key."""
        return bool(self._keys)

    def cited(self, url: str) -> str:
        """The address to cite for ``url``: where the bytes came from, without keys."""
        mirror = self.settings.mirror
        return redact(str(mirrored(url, mirror)) if mirror else url)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, traceback)

    async def get_json(self, url: str, params: Mapping[str, str | int] | None = None) -> Any:
        """The parsed answer; None where the publisher has no content (status 204).

        :raises NotPublished: status 404 or 410.
        :raises FetchFailed: no whole answer, or one that is not JSON.
        """
        body = await self.get_bytes(url, params, accept="application/json")
        if body is None:
            return None
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(body)
        raise FetchFailed(
            "answer is not JSON",
            where=redact(url),
            remedy="the publisher's interface may have changed; see docs/sources",
        )

    async def get_text(self, url: str) -> str:
        """A page as text, for finding links in it; bytes outside UTF-8 are replaced.

        A page that begins as HTML and does not end so was cut: links that are not in it are not
        taken for withdrawn.

        :raises NotPublished: status 404 or 410.
        :raises FetchFailed: no whole answer.
        """
        body = await self.get_bytes(
            url, accept="text/html, text/plain, */*", allow_html=True, doubt=_cut_page
        )
        return (body or b"").decode("utf-8", errors="replace")

    async def get_bytes(
        self,
        url: str,
        params: Mapping[str, str | int] | None = None,
        *,
        accept: str = "*/*",
        allow_html: bool = False,
        doubt: Callable[[bytes], str | None] | None = None,
    ) -> bytes | None:
        """A small answer, unpacked; None where the publisher has no content (status 204).

        :param doubt: says what is wrong with a whole answer of status 200 that another attempt may
            mend (a notice of throttling in place of data), or None.
        :raises NotPublished: status 404 or 410.
        :raises FetchFailed: no whole answer, one above ``max_answer_bytes``, or a web page where
            ``allow_html`` does not allow it.
        """
        headers = {"Accept": accept, "Accept-Encoding": "gzip"}

        async def attempt() -> bytes | None:
            async with self._response("GET", url, headers, params) as response:
                if response.status_code == _CODES.NO_CONTENT:
                    return None
                await self._require(response, _CODES.OK)
                body = bytearray()
                pieces = self._body(response, limit=self.settings.max_answer_bytes)
                async with contextlib.aclosing(pieces):
                    async for piece in pieces:
                        body += piece
                if doubt is not None and (said := doubt(bytes(body))) is not None:
                    raise TransientError(
                        f"{response.url.host} {said}",
                        "the publisher limits requests; run again later",
                    )
                if not allow_html:
                    refuse_page(response, bytes(body[:64]))
                return bytes(body)

        return await self._persist(url, attempt, self.settings.request_seconds)

    async def probe(self, url: str, *, is_hidden: bool = False) -> Probe | None:
        """What the headers of ``url`` say; None where there is nothing, or only a web page.

        Asks with HEAD, and where that is not served with GET for the first byte.

        :param is_hidden: the server answers "forbidden" for what it does not have, as Amazon S3
            does to who may not list a bucket.
        :raises FetchFailed: the publisher could not be reached or answers with an error.
        """

        async def ask(method: str, headers: Mapping[str, str]) -> Probe | int | None:
            async with self._response(method, url, headers) as response:
                status = response.status_code
                if status in _NOT_THERE or (is_hidden and status == _CODES.FORBIDDEN):
                    return None
                if method == "HEAD" and status in _NO_HEAD:
                    return status
                await self._require(response, _CODES.OK, _CODES.PARTIAL_CONTENT)
                if http_headers.media_type(response) in http_headers.HTML_TYPES:
                    return None
                return Probe(
                    url=redact(url),
                    size_bytes=http_headers.size_of_whole(response),
                    etag=http_headers.etag(response),
                    last_modified=http_headers.last_modified(response),
                )

        plain = {"Accept-Encoding": "identity"}
        budget = self.settings.request_seconds
        found = await self._persist(url, lambda: ask("HEAD", plain), budget)
        if isinstance(found, int):
            first_byte = {**plain, "Range": "bytes=0-0"}
            found = await self._persist(url, lambda: ask("GET", first_byte), budget)
        return found if isinstance(found, Probe) else None

    @overload
    async def download(
        self,
        url: str,
        target: Path,
        *,
        expected: Expected | None = None,
        held: None = None,
        max_bytes: int | None = None,
    ) -> FetchedDocument: ...

    @overload
    async def download(
        self,
        url: str,
        target: Path,
        *,
        expected: Expected | None = None,
        held: HeldDocument | None,
        max_bytes: int | None = None,
    ) -> FetchedDocument | NotModified: ...

    async def download(
        self,
        url: str,
        target: Path,
        *,
        expected: Expected | None = None,
        held: HeldDocument | None = None,
        max_bytes: int | None = None,
    ) -> FetchedDocument | NotModified:
        """Bring a file to ``target``, whole or not at all.

        The bytes go to a temporary file beside ``target`` and are renamed when length, size and
        checksums agree. A broken transfer goes on where it stopped if the publisher serves ranges
        and its validator says that the file is still the same; otherwise it begins again.

        :param expected: from the publisher's listing; a difference is an error.
        :param held: asks the publisher to send the file only if it differs from this one.
        :param max_bytes: in place of the setting.
        :raises NotPublished: status 404 or 410.
        :raises FetchFailed: no whole file; what lay at ``target`` before is untouched.
        """
        transfer = Transfer(
            url=url,
            expected=expected or Expected(),
            limit=max_bytes or self.settings.max_download_bytes,
        )
        try:
            with transfer.temporary_file(target):
                unchanged = await self._persist(
                    url, lambda: self._receive(transfer, held), self.settings.download_seconds
                )
                if unchanged is not None:
                    return unchanged
                transfer.check()
                retrieved_at = datetime.now(UTC)
                transfer.put_in_place(target)
        except OSError as error:
            failure = FetchFailed(
                f"cannot be written to {target}: {error.strerror or error}",
                where=redact(url),
                remedy="make room or check the rights of the folder, then run again",
            )
        else:
            logger.info("fetched %s (%d bytes)", url, transfer.received)
            return FetchedDocument(
                name=target.name,
                path=target,
                url=self.cited(url),
                sha256=transfer.sha256.hexdigest(),
                md5=transfer.md5.hexdigest(),
                size_bytes=transfer.received,
                retrieved_at=retrieved_at,
                etag=transfer.etag,
                last_modified=transfer.last_modified,
                media_type=transfer.media_type,
            )
        raise failure

    async def _receive(self, transfer: Transfer, held: HeldDocument | None) -> NotModified | None:
        """One attempt at a transfer, going on where the last one stopped if that is possible."""
        # Not packed: so the length can be compared, and a range counts bytes of the file.
        headers = {"Accept-Encoding": "identity"}
        is_resumed = bool(transfer.received and transfer.validator)
        is_conditional = False
        if is_resumed:
            headers["Range"] = f"bytes={transfer.received}-"
            headers["If-Range"] = transfer.validator or ""
        elif held is not None:
            if held.etag:
                headers["If-None-Match"] = held.etag
            if held.last_modified:
                headers["If-Modified-Since"] = held.last_modified
            is_conditional = bool(held.etag or held.last_modified)

        async with self._response("GET", transfer.url, headers) as response:
            status = response.status_code
            if is_conditional and status == _CODES.NOT_MODIFIED:
                return NotModified(url=redact(transfer.url), checked_at=datetime.now(UTC))
            if is_resumed and not transfer.is_continued_by(response):
                if status in (_CODES.PARTIAL_CONTENT, _CODES.REQUESTED_RANGE_NOT_SATISFIABLE):
                    transfer.restart()
                    raise TransientError("rest of the transfer is of another file", "run again")
                # The publisher sends the whole file again.
                is_resumed = False
            await self._require(response, _CODES.PARTIAL_CONTENT if is_resumed else _CODES.OK)
            if not is_resumed:
                transfer.begin(response)
            pieces = self._body(
                response,
                limit=transfer.limit - transfer.received,
                keep_packed=httpx.URL(transfer.url).path.lower().endswith((".gz", ".tgz")),
            )
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    transfer.write(piece, response)
                    if self._progress is not None:
                        self._progress(redact(transfer.url), transfer.received, transfer.total)
        return None

    async def _persist(
        self, url: str, attempt: Callable[[], Awaitable[T]], budget_seconds: float
    ) -> T:
        """``attempt`` until it succeeds, within the settings' attempts and a budget of time.

        :raises FetchFailed: it did not.
        """
        limits = self.settings
        loop = asyncio.get_running_loop()
        deadline = loop.time() + budget_seconds
        attempts = 0
        last = ""

        def decide(error: Exception) -> bool | float:
            nonlocal last
            if not isinstance(error, TransientError):
                return False
            last = f"; at last: {error.what}"
            logger.info("attempt %d at %s: %s", attempts, url, error.what)
            if error.wait_seconds is None:
                return True
            # Waiting longer than there is time for helps nobody.
            wait = error.wait_seconds + random.uniform(0, limits.wait_jitter_seconds)  # noqa: S311
            return wait if loop.time() + wait < deadline else False

        try:
            async with asyncio.timeout(budget_seconds):
                async for trial in stamina.retry_context(
                    on=decide,
                    attempts=limits.attempts,
                    timeout=budget_seconds,
                    wait_initial=limits.wait_initial_seconds,
                    wait_max=limits.wait_max_seconds,
                    wait_jitter=limits.wait_jitter_seconds,
                ):
                    with trial:
                        attempts += 1
                        return await attempt()
        except TransientError as error:
            failure = FetchFailed(
                f"{error.what} (asked {_times(attempts)})",
                where=redact(url),
                remedy=error.remedy,
            )
        except TimeoutError:
            failure = FetchFailed(
                f"no whole answer within {budget_seconds:g} seconds "
                f"(asked {_times(attempts)}{last})",
                where=redact(url),
                remedy="run again later, or raise the limits in monazite.toml, [http]",
            )
        except httpx.InvalidURL as error:
            failure = FetchFailed(f"not an address: {redact(str(error))}", where=redact(url))
        # Outside the except clauses: no chain to an exception that holds a request with a key.
        raise failure

    @contextlib.asynccontextmanager
    async def _response(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        params: Mapping[str, str | int] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """One answer, redirects followed, its body unread. What its status means for a request that
        may be repeated is settled here; the rest is the caller's.
        """
        request = self._http.build_request(method, url, headers=dict(headers), params=params)
        for hop in range(self.settings.max_redirects + 1):
            self._admit(request.url, asked=url, is_redirect=hop > 0)
            self._attach_key(request)
            if self._allowance is not None:
                self._allowance.take(redact(url))
            lane = self._lane(request.url)
            async with lane.enter():
                failure: Exception | None = None
                try:
                    response = await self._http.send(request, stream=True)
                except httpx.TransportError as error:
                    failure = _translated(error, request.url)
                if failure is not None:
                    raise failure
                try:
                    if response.next_request is None:
                        await self._raise_for_quota(response)
                        self._raise_for_trouble(response, lane)
                        yield response
                        return
                    request = response.next_request
                finally:
                    await response.aclose()
        raise FetchFailed(
            f"redirected more than {self.settings.max_redirects} times", where=redact(url)
        )

    def _admit(self, url: httpx.URL, *, asked: str, is_redirect: bool) -> None:
        """:raises FetchFailed: ``url`` is not one that this client may ask."""
        host = url.host.lower().rstrip(".")
        is_local = is_loopback(host)
        came_by = "redirected to " if is_redirect else ""
        if url.scheme != "https" and not (url.scheme == "http" and is_local):
            raise FetchFailed(
                f"{came_by}{redact(str(url))} is not https",
                where=redact(asked),
                remedy="use the https address",
            )
        is_usual_port = url.port is None or is_local
        if (host in self._hosts and is_usual_port) or f"{host}:{url.port}" in self._hosts:
            return
        place = host if is_usual_port else f"{host}:{url.port}"
        raise FetchFailed(
            f"{came_by}{place} is not a host that the catalogue names",
            where=redact(asked),
            remedy="if the publisher has moved there, add it to `hosts` of the catalogue entry",
        )

    def _attach_key(self, request: httpx.Request) -> None:
        # A request that follows a redirect has inherited the headers of the first, and a publisher
        # may have repeated the first's parameters in the address that it names.
        for key in self._keys:
            if key.header:
                request.headers.pop(key.header, None)
            elif key.parameter and key.parameter in request.url.params:
                request.url = request.url.copy_remove_param(key.parameter)
        for key in self._keys:
            if request.url.host.lower() != key.host.lower():
                continue
            if key.header:
                request.headers[key.header] = key.value.get_secret_value()
            elif key.parameter:
                secret = key.value.get_secret_value()
                request.url = request.url.copy_add_param(key.parameter, secret)

    def _lane(self, url: httpx.URL) -> Lane:
        name = f"{url.host}:{url.port or ''}"
        if name not in self._lanes:
            limits = self.settings
            self._lanes[name] = Lane(limits.connections_per_host, limits.spacing_seconds)
        return self._lanes[name]

    async def _raise_for_quota(self, response: httpx.Response) -> None:
        """:raises QuotaSpent: the publisher answers no more of our requests today."""
        if response.status_code not in (_CODES.FORBIDDEN, _CODES.TOO_MANY_REQUESTS):
            return
        said = await self._excerpt(response)
        response.extensions["monazite_said"] = said
        wait = http_headers.retry_after(response, math.inf)
        is_soon = wait is not None and wait <= self.settings.retry_after_max_seconds
        if is_soon or not _QUOTA.search(said):
            return
        if self._allowance is not None:
            self._allowance.exhaust()
        raise QuotaSpent(
            f"{response.url.host} answers {response.status_code}{said}",
            where=redact(str(response.url)),
            remedy="nothing needs doing: the next night goes on where this one stopped",
        )

    def _raise_for_trouble(self, response: httpx.Response, lane: Lane) -> None:
        """:raises TransientError: the status says that another attempt may succeed."""
        status = response.status_code
        wait = http_headers.retry_after(response, self.settings.retry_after_max_seconds)
        is_limit = status in _TOO_EARLY_OR_MANY or (
            # Some publishers tell a spent quota in this way.
            status == _CODES.FORBIDDEN and wait is not None
        )
        is_limit = is_limit or status in self._passing
        is_fault = status >= _CODES.INTERNAL_SERVER_ERROR and status not in _NEVER_SERVED
        if not (is_limit or is_fault):
            return
        what = f"{response.url.host} answers {status} {response.reason_phrase}".strip()
        if wait is not None:
            what += f", asking to wait ({response.headers['Retry-After']})"
            lane.hold(wait)
        if is_limit:
            remedy = "the publisher limits requests; run again later"
        else:
            remedy = "the publisher's server has a fault; run again later"
        raise TransientError(what, remedy, wait)

    async def _require(self, response: httpx.Response, *statuses: int) -> None:
        """:raises FetchFailed: the status is none of ``statuses``."""
        status = response.status_code
        if status in statuses:
            return
        where = redact(str(response.url))
        said = f"answers {status} {response.reason_phrase}".strip()
        if status in _NOT_THERE:
            raise NotPublished(said, where=where, remedy="the publisher has moved or withdrawn it")
        if status in _TOO_MUCH:
            said += await self._excerpt(response)
            raise TooMuchAsked(said, where=where, remedy="ask for less at a time")
        remedy = "the publisher's interface may have changed; see docs/sources"
        if status in (_CODES.UNAUTHORIZED, _CODES.FORBIDDEN):
            has_key = any(k.host.lower() == response.url.host.lower() for k in self._keys)
            said += " to our key" if has_key else " to a request without a key"
            remedy = "check the key in MONAZITE_KEY_<SOURCE> and what it may ask for"
        elif status == _CODES.PARTIAL_CONTENT:
            said = "a part came where the whole was asked for"
        raise FetchFailed(said + await self._excerpt(response), where=where, remedy=remedy)

    async def _excerpt(self, response: httpx.Response) -> str:
        """What the publisher says about its refusal, in one short line, without keys."""
        if "monazite_said" in response.extensions:
            return str(response.extensions["monazite_said"])
        if http_headers.media_type(response) not in _EXCERPT_TYPES:
            return ""
        said = b""
        with contextlib.suppress(TransientError, FetchFailed):
            pieces = self._body(response, limit=_EXCERPT_BYTES)
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    said += piece
        text = redact(said.decode("utf-8", errors="replace"))
        # Nothing that a terminal would obey.
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return f": {line[:200]}" if line else ""

    async def _body(
        self, response: httpx.Response, *, limit: int, keep_packed: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of an answer, unpacked, which end only where the answer is whole.

        :raises TransientError: it stops early, or drips too slowly.
        :raises FetchFailed: it is larger than ``limit`` or packed in an unknown way.
        """
        unpack = Unpacker.of(response, keep_packed=keep_packed)
        announced = http_headers.content_length(response)
        if announced is not None and announced > limit and unpack.is_plain:
            raise _too_large(announced, limit, response)
        pace = Pace(self.settings.slowest_bytes_per_second, self.settings.pace_seconds)
        came = given = 0
        chunks = response.aiter_raw()
        while True:
            failure: Exception | None = None
            chunk = b""
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                break
            except httpx.TransportError as error:
                failure = _translated(error, response.url)
            if failure is not None:
                raise failure
            came += len(chunk)
            pace.note(len(chunk))
            for piece in unpack.feed(chunk):
                given += len(piece)
                if given > limit:
                    raise _too_large(given, limit, response)
                yield piece
        if announced is not None and came != announced:
            raise TransientError(
                f"answer stops after {came:,} of {announced:,} bytes", "run again later"
            )
        unpack.finish()


class Lane:
    """The requests to one host: a few at a time, their starts apart.

    :param concurrency: requests at a time.
    :param spacing_seconds: between two starts.
    """

    def __init__(self, concurrency: int, spacing_seconds: float) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._turn = asyncio.Lock()
        self._spacing = spacing_seconds
        self._not_before = -math.inf

    @contextlib.asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Wait for a place and for the turn, and keep the place for the body of the block."""
        loop = asyncio.get_running_loop()
        async with self._slots:
            async with self._turn:
                while (rest := self._not_before - loop.time()) > 0:
                    await asyncio.sleep(rest)
                self._not_before = loop.time() + self._spacing
            yield

    def hold(self, seconds: float) -> None:
        """The publisher asked to wait: nobody else asks it in the meantime."""
        until = asyncio.get_running_loop().time() + seconds
        self._not_before = max(self._not_before, until)


def _keys_of(source: Source) -> list[ApiKey]:
    """The key of the environment, as the catalogue says it is shown.

    :raises KeyMissing: it is required and not set.
    """
    spec = source.api.key
    if spec is None:
        return []
    key = ApiKey.from_environment(
        source.source_id,
        host=spec.host,
        header=spec.header,
        parameter=spec.parameter,
        prefix=spec.prefix,
    )
    if key is None and spec.is_required:
        raise KeyMissing(
            f"{source.source_id} cannot be asked without a key",
            remedy=f"get one at {spec.page or source.homepage} and set "
            f"MONAZITE_KEY_{source.source_id.upper()}",
        )
    return [key] if key else []


def _translated(error: httpx.TransportError, url: httpx.URL) -> Exception:
    """What a failure of the transport means: worth another attempt, or not."""
    said = redact(f"{type(error).__name__}: {error}").rstrip(": ")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return FetchFailed(f"cannot be asked ({said})", where=redact(str(url)))
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return FetchFailed(
            f"certificate of {url.host} is not trusted",
            where=redact(str(url)),
            remedy="if your house inspects traffic, set SSL_CERT_FILE to its certificates",
        )
    if isinstance(error, httpx.TimeoutException):
        return TransientError(
            f"{url.host} is silent for too long ({type(error).__name__})", "run again later"
        )
    return TransientError(
        f"connection to {url.host} broke ({said})", "check network and proxy, then run again"
    )


def _cut_page(body: bytes) -> str | None:
    """What is wrong with a page that has no end, or None."""
    told = body.lower()
    if _PAGE_BEGINS.search(told[:_PAGE_HEAD_BYTES]) and b"</html" not in told:
        return f"answers a page that stops after {len(body):,} bytes, before its end"
    return None


def _too_large(size: int, limit: int, response: httpx.Response) -> FetchFailed:
    return FetchFailed(
        f"answer of at least {size:,} bytes is larger than {limit:,}",
        where=redact(str(response.url)),
        remedy="if that size is right, raise the limits in monazite.toml, [http]",
    )


def _times(attempts: int) -> str:
    return "once" if attempts == 1 else f"{attempts} times"
