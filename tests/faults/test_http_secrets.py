"""A planted key shows up nowhere but in the header it is for."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipelines.errors import FetchFailed, UsageError
from pipelines.sources.http import ApiKey, PublisherClient
from pipelines.sources.redaction import install_log_filter, redact
from tests.support.asking import ask
from tests.support.planted import written
from tests.support.server import Answer, Publisher, file, in_turn

PLANTED = "f00dfeedf00dfeedf00dfeedf00dfeed"
HEADER = "Ocp-Apim-Subscription-Key"
OK = Answer(b"{}", headers={"Content-Type": "application/json"})


@pytest.fixture(autouse=True)
def _no_keys_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.sources.redaction._secrets", set())


@pytest.fixture
def key() -> ApiKey:
    return ApiKey(header=HEADER, host="127.0.0.1", value=SecretStr(PLANTED))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that any library writes, at its most talkative."""
    caplog.set_level(logging.DEBUG)
    loggers = [logging.getLogger(n) for n in ("httpx", "httpcore", "hpack", "stamina", "asyncio")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield caplog
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def told(error: BaseException | None) -> str:
    """An exception with all that hangs on it."""
    said = ""
    while error is not None:
        said += "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)
        error = error.__cause__ or error.__context__
    return said


def test_key_goes_in_its_header_and_in_no_log(
    publisher: Publisher, key: ApiKey, log: pytest.LogCaptureFixture
) -> None:
    publisher.routes["/api"] = OK
    ask(lambda c: c.get_json(publisher.url("/api")), keys=[key])
    assert publisher.requests[0].headers[HEADER.lower()] == PLANTED
    assert "HTTP Request: GET" in log.text
    assert PLANTED not in written(log)
    assert PLANTED not in repr(key)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(f"no such key: {PLANTED}".encode(), 401, {"Content-Type": "text/plain"}),
        Answer(json.dumps({"k": PLANTED}).encode(), 400, {"Content-Type": "application/json"}),
        Answer(b"{}", 429, {"Retry-After": PLANTED}),
        Answer(b"{}", 500, {"X-Echo": PLANTED}),
        Answer(b"{}", cut_after=1),
        Answer(b"{}", 302, {"Location": f"https://elsewhere.example/?token={PLANTED}"}),
        Answer(b"{}", 302, {"Location": f"https://user:{PLANTED}@elsewhere.example/"}),
        Answer(b"<html>", headers={"Content-Type": "text/html"}),
    ],
)
def test_key_is_in_no_error_and_no_log_whatever_comes_back(
    publisher: Publisher, key: ApiKey, log: pytest.LogCaptureFixture, answer: Answer
) -> None:
    publisher.routes["/api"] = answer
    with pytest.raises(FetchFailed) as caught:
        ask(lambda c: c.get_json(publisher.url("/api")), keys=[key])
    assert PLANTED not in str(caught.value)
    assert PLANTED not in told(caught.value)
    assert PLANTED not in written(log)


def test_key_does_not_follow_a_redirect_to_another_host(publisher: Publisher, key: ApiKey) -> None:
    publisher.routes["/old"] = Answer(
        status=302, headers={"Location": publisher.url("/api", host="localhost")}
    )
    publisher.routes["/api"] = OK
    hosts = ("127.0.0.1", "localhost")
    ask(lambda c: c.get_json(publisher.url("/old")), keys=[key], hosts=hosts)
    old, new = publisher.requests
    assert old.headers[HEADER.lower()] == PLANTED
    assert HEADER.lower() not in new.headers


def test_key_goes_to_no_other_host(publisher: Publisher) -> None:
    publisher.routes["/api"] = OK
    key = ApiKey(header="Authorization", host="api.example.org", value=SecretStr("Bearer abcdefg"))
    ask(lambda c: c.get_json(publisher.url("/api")), keys=[key])
    assert "authorization" not in publisher.requests[0].headers


def test_signed_address_of_a_redirect_is_in_no_log(
    publisher: Publisher, log: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """What object stores do: the key to the file stands in the query."""
    signature = "0123456789abcdef" * 4
    publisher.routes["/a.zip"] = Answer(
        status=302, headers={"Location": f"/store/a.zip?X-Amz-Signature={signature}&part=1"}
    )
    publisher.routes["/store/a.zip"] = file(b"x" * 99)
    url = publisher.url("/a.zip")
    document = ask(lambda c: c.download(url, tmp_path / "a.zip"))
    assert document.url == url
    assert publisher.requests[1].query["X-Amz-Signature"] == signature
    assert "part=1" in log.text
    assert signature not in written(log)


def test_key_that_was_put_into_an_address_is_blanked(
    publisher: Publisher, log: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    secret = "unregistered-but-secret"
    publisher.routes["/a.zip"] = in_turn([Answer(b"", 500), file(b"x"), Answer(b"", 400)])
    url = publisher.url(f"/a.zip?reporter=36&subscription-key={secret}")

    async def work(client: PublisherClient) -> None:
        document = await client.download(url, tmp_path / "a.zip")
        assert document.url == publisher.url("/a.zip?reporter=36&subscription-key=***")
        await client.get_json(url)

    with pytest.raises(FetchFailed) as caught:
        ask(work)
    assert secret not in told(caught.value)
    assert secret not in written(log)


def test_key_comes_from_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    where = {"header": HEADER, "host": "api.example.org"}
    monkeypatch.delenv("MONAZITE_KEY_UN_COMTRADE", raising=False)
    assert ApiKey.from_environment("un_comtrade", **where) is None
    monkeypatch.setenv("MONAZITE_KEY_UN_COMTRADE", f" {PLANTED}\n")
    key = ApiKey.from_environment("un_comtrade", prefix="Bearer ", **where)
    assert key is not None
    assert key.value.get_secret_value() == f"Bearer {PLANTED}"


def test_key_that_no_header_can_carry_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MONAZITE_KEY_UN_COMTRADE", "abc\r\nX-Evil: yes")
    with pytest.raises(UsageError) as caught:
        ApiKey.from_environment("un_comtrade", header=HEADER, host="api.example.org")
    assert "Evil" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://x/a?api_key=1&b=2", "https://x/a?api_key=***&b=2"),
        ("https://x/a?KEY=1", "https://x/a?KEY=***"),
        ("https://x/a?b=2&access_token=1#c", "https://x/a?b=2&access_token=***#c"),
        (
            "https://x/a?AWSAccessKeyId=1&Signature=2",
            "https://x/a?AWSAccessKeyId=***&Signature=***",
        ),
        ("https://x/a?password=1 and", "https://x/a?password=*** and"),
        ("https://me:pw@x/a", "https://***@x/a"),
        ("Authorization: Bearer abcdefghij", "Authorization: Bearer ***"),
        ("t=eyJhbGciOi.eyJzdWIiOi.c2ln", "t=***"),
        ("https://x/a?f=__disk__70%2Fcf&name=b.csv", "https://x/a?f=__disk__70%2Fcf&name=b.csv"),
        ("https://x/a?keyword=1&author=2&monkey=3", "https://x/a?keyword=1&author=2&monkey=3"),
    ],
)
def test_what_is_blanked_and_what_stays(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_filter_is_installed_once() -> None:
    install_log_filter()
    before = len(logging.getLogger("httpx").filters)
    install_log_filter()
    assert len(logging.getLogger("httpx").filters) == before


def test_packed_headers_of_http2_are_not_logged(key: ApiKey, log: pytest.LogCaptureFixture) -> None:
    install_log_filter()
    logging.getLogger("hpack.hpack").debug("Adding %s", (b"x", PLANTED.encode()))
    logging.getLogger("hpack.hpack").warning("table of %s", PLANTED)
    assert "Adding" not in log.text
    assert "table of ***" in log.text
