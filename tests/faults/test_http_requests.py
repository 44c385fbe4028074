"""How publishers are asked: patience, manners, and which hosts at all."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
import stamina

from pipelines.catalog import Licence, Redistribution, Source
from pipelines.errors import FetchFailed, UsageError
from pipelines.sources import http_headers
from pipelines.sources.fetching import HeldDocument
from pipelines.sources.http import (
    HttpSettings,
    Lane,
    NotPublished,
    Probe,
    PublisherClient,
    user_agent,
)
from tests.support.asking import ask, quick
from tests.support.server import Answer, Publisher, Request, file, in_turn

JSON = Answer(json.dumps({"total": 1}).encode(), headers={"Content-Type": "application/json"})
BUSY = Answer(b"busy", 429)


def get(publisher: Publisher, path: str = "/api", **options: object):
    return ask(lambda c: c.get_json(publisher.url(path)), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507])
def test_passing_trouble_is_waited_out(publisher: Publisher, status: int) -> None:
    trouble = Answer(b"", status)
    publisher.routes["/api"] = in_turn([trouble, trouble, JSON])
    assert get(publisher) == {"total": 1}
    assert len(publisher.requests) == 3


def test_status_that_passes_at_this_publisher_is_waited_out(publisher: Publisher) -> None:
    publisher.routes["/api"] = in_turn([Answer(b"Ip Forbidden", 403), JSON])
    assert get(publisher, passing=(403,)) == {"total": 1}
    assert len(publisher.requests) == 2


def test_words_in_place_of_data_are_waited_out(publisher: Publisher) -> None:
    words = Answer(b"rejected, too many requests", headers={"Content-Type": "text/plain"})
    publisher.routes["/api"] = in_turn([words, JSON])

    def doubt(body: bytes) -> str | None:
        return None if body.startswith(b"{") else "answers with words"

    assert ask(lambda c: c.get_bytes(publisher.url("/api"), doubt=doubt)) == JSON.body
    publisher.routes["/api"] = words
    with pytest.raises(FetchFailed, match=r"answers with words.*asked 3 times"):
        ask(lambda c: c.get_bytes(publisher.url("/api"), doubt=doubt))


@pytest.mark.parametrize("status", [400, 401, 403, 405, 422, 451, 501, 505])
def test_refusals_are_final(publisher: Publisher, status: int) -> None:
    publisher.routes["/api"] = Answer(b"no", status)
    with pytest.raises(FetchFailed, match=str(status)):
        get(publisher)
    assert len(publisher.requests) == 1


def test_storm_of_errors_ends_with_the_attempts(publisher: Publisher) -> None:
    publisher.routes["/api"] = Answer(b"", 500)
    with pytest.raises(FetchFailed) as caught:
        get(publisher)
    assert str(caught.value) == (
        f"127.0.0.1 answers 500 Internal Server Error (asked 3 times) [{publisher.url('/api')}]; "
        "the publisher's server has a fault; run again later"
    )
    assert len(publisher.requests) == 3


def test_retries_are_logged_and_not_printed(
    publisher: Publisher, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    publisher.routes["/api"] = in_turn([BUSY, JSON])
    get(publisher)
    assert "attempt 1 at" in caplog.text
    assert "429 Too Many Requests" in caplog.text
    assert capfd.readouterr() == ("", "")


def test_number_of_attempts_is_stamina_s_to_change(publisher: Publisher) -> None:
    publisher.routes["/api"] = BUSY
    with (
        stamina.set_testing(True, attempts=2, cap=True),
        pytest.raises(FetchFailed, match="2 times"),
    ):
        get(publisher)


def test_retry_after_in_seconds_is_honoured(publisher: Publisher) -> None:
    publisher.routes["/api"] = in_turn([Answer(b"", 429, {"Retry-After": "1"}), JSON])
    get(publisher)
    first, second = publisher.requests
    assert 1.0 <= second.at - first.at < 5.0


def test_retry_after_as_a_date_is_honoured_by_the_publisher_s_clock(publisher: Publisher) -> None:
    there = datetime(2031, 5, 1, 12, tzinfo=UTC)
    headers = {
        "Date": format_datetime(there, usegmt=True),
        "Retry-After": format_datetime(there + timedelta(seconds=1), usegmt=True),
    }
    publisher.routes["/api"] = in_turn([Answer(b"", 503, headers), JSON])
    get(publisher)
    first, second = publisher.requests
    assert 1.0 <= second.at - first.at < 5.0


def test_retry_after_is_capped(publisher: Publisher) -> None:
    publisher.routes["/api"] = in_turn([Answer(b"", 429, {"Retry-After": "86400"}), JSON])
    get(publisher, settings=quick(retry_after_max_seconds=0.2))
    first, second = publisher.requests
    assert 0.2 <= second.at - first.at < 5.0


def test_wait_beyond_the_time_that_is_left_gives_up_at_once(publisher: Publisher) -> None:
    publisher.routes["/api"] = Answer(b"", 429, {"Retry-After": "120"})
    begun = time.monotonic()
    with pytest.raises(FetchFailed, match=r"asking to wait \(120\)"):
        get(publisher)
    assert time.monotonic() - begun < 5
    assert len(publisher.requests) == 1


def test_spent_quota_told_as_403_with_retry_after_is_waited_out(publisher: Publisher) -> None:
    publisher.routes["/api"] = in_turn([Answer(b"quota", 403, {"Retry-After": "0"}), JSON])
    assert get(publisher) == {"total": 1}


def test_nobody_else_asks_while_the_publisher_wants_peace(publisher: Publisher) -> None:
    publisher.routes["/busy"] = in_turn([Answer(b"", 429, {"Retry-After": "0.5"}), JSON])
    publisher.routes["/other"] = JSON

    async def work(client: PublisherClient) -> None:
        async def later() -> None:
            await asyncio.sleep(0.2)
            await client.get_json(publisher.url("/other"))

        await asyncio.gather(client.get_json(publisher.url("/busy")), later())

    ask(work)
    begun = publisher.asked("/busy")[0].at
    assert publisher.asked("/other")[0].at - begun >= 0.5


def test_broken_connections_are_tried_again(publisher: Publisher) -> None:
    publisher.routes["/api"] = in_turn([Answer(b"{}", cut_after=1), JSON])
    assert get(publisher) == {"total": 1}


def test_closed_port_is_said_with_a_remedy() -> None:
    with Publisher() as gone:
        url = gone.url("/api")
    with pytest.raises(FetchFailed, match=r"connection to 127\.0\.0\.1 broke") as caught:
        ask(lambda c: c.get_json(url))
    assert "network" in str(caught.value.remedy)


def test_few_requests_at_a_time(publisher: Publisher) -> None:
    under_way = most = 0

    def slow(request: Request) -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        time.sleep(0.1)
        under_way -= 1
        return JSON

    publisher.routes["/api"] = slow

    async def work(client: PublisherClient) -> None:
        await asyncio.gather(*(client.get_json(publisher.url("/api")) for _ in range(8)))

    ask(work, settings=quick(connections_per_host=2))
    assert most == 2


def test_requests_to_a_host_start_apart() -> None:
    async def work() -> list[float]:
        lane = Lane(concurrency=4, spacing_seconds=0.05)
        starts: list[float] = []

        async def request() -> None:
            async with lane.enter():
                starts.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(request() for _ in range(4)))
        return starts

    starts = asyncio.run(work())
    # Clocks of some systems tick in steps of 16 milliseconds.
    assert all(b - a >= 0.03 for a, b in itertools.pairwise(starts))


# Which hosts


def test_host_that_the_catalogue_does_not_name_is_not_asked(publisher: Publisher) -> None:
    publisher.routes["/api"] = JSON
    with pytest.raises(FetchFailed, match="localhost is not a host that the catalogue names"):
        ask(lambda c: c.get_json(publisher.url("/api", host="localhost")))
    assert publisher.requests == []


def test_redirect_within_the_catalogue_s_hosts_is_followed(publisher: Publisher) -> None:
    publisher.routes["/old"] = Answer(status=302, headers={"Location": "/mid"})
    publisher.routes["/mid"] = Answer(
        status=307, headers={"Location": publisher.url("/api", host="localhost")}
    )
    publisher.routes["/api"] = JSON
    assert get(publisher, "/old", hosts=("127.0.0.1", "localhost")) == {"total": 1}


def test_redirect_to_another_host_is_refused(publisher: Publisher) -> None:
    target = publisher.url("/api", host="localhost")
    publisher.routes["/old"] = Answer(status=302, headers={"Location": target})
    publisher.routes["/api"] = JSON
    with pytest.raises(FetchFailed, match="redirected to localhost is not a host"):
        get(publisher, "/old")
    assert [r.path for r in publisher.requests] == ["/old"]


@pytest.mark.parametrize(
    "target",
    [
        "http://data.example.org/a.csv",
        "ftp://data.example.org/a.csv",
        "file:///etc/passwd",
    ],
)
def test_redirect_away_from_https_is_refused(publisher: Publisher, target: str) -> None:
    publisher.routes["/old"] = Answer(status=301, headers={"Location": target})
    with pytest.raises(FetchFailed, match=r"redirected to .* is not https"):
        get(publisher, "/old", hosts=("127.0.0.1", "data.example.org", ""))
    assert len(publisher.requests) == 1


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://data.example.org/a", "is not https"),
        ("https://data.example.org:8443/a", "data.example.org:8443 is not a host"),
        ("https://data.example.org.evil.example/a", "data.example.org.evil.example is not a host"),
        ("https://evil.example/data.example.org", "evil.example is not a host"),
        ("https://data.example.org@evil.example/a", "evil.example is not a host"),
        ("https://[::1]/a", "::1 is not a host"),
        ("http://127.0.0.1/a", "127.0.0.1 is not a host"),
        ("data.example.org/a", "is not https"),
        ("", "is not https"),
    ],
)
def test_address_outside_the_catalogue_is_refused(url: str, what: str) -> None:
    with pytest.raises(FetchFailed, match=re.escape(what)):
        ask(lambda c: c.get_json(url), hosts=("data.example.org",))


def test_catalogue_may_name_a_port() -> None:
    with Publisher() as gone:
        place = f"127.0.0.1:{gone.port}"
    # Admitted, and then nobody is there.
    with pytest.raises(FetchFailed, match="connection to"):
        ask(lambda c: c.get_json(f"https://{place}/"), hosts=(place,))


@pytest.mark.parametrize(
    "url", ["https://[", "https://a b/", "https://exa\x00mple/", "https://x:y/"]
)
def test_malformed_address_is_an_error_of_ours(url: str) -> None:
    with pytest.raises(FetchFailed):
        ask(lambda c: c.get_json(url))


def test_endless_redirects_end(publisher: Publisher) -> None:
    publisher.routes["/old"] = Answer(status=302, headers={"Location": "/old"})
    with pytest.raises(FetchFailed, match="more than 5 times"):
        get(publisher, "/old")
    assert len(publisher.requests) == 6


def test_redirect_without_a_target_is_refused(publisher: Publisher) -> None:
    publisher.routes["/old"] = Answer(status=302)
    with pytest.raises(FetchFailed, match="302"):
        get(publisher, "/old")


def test_source_without_hosts_cannot_be_asked() -> None:
    source = Source(
        source_id="quiet",
        title="t",
        publisher="p",
        homepage="https://example.org",
        cadence="never",
        citation="c",
        licence=Licence(name="l", redistribution=Redistribution.YES, attribution="a"),
    )
    with pytest.raises(UsageError, match="monazite import quiet"):
        PublisherClient.for_source(source)


# What comes back


def test_packed_answers_are_unpacked(publisher: Publisher) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    publisher.routes["/api"] = Answer(gzip.compress(JSON.body), headers=headers)
    assert get(publisher) == {"total": 1}
    assert publisher.requests[0].headers["accept-encoding"] == "gzip"


def test_no_content_is_none(publisher: Publisher) -> None:
    publisher.routes["/api"] = Answer(status=204)
    assert get(publisher) is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"a,b\n1,2"])
def test_answer_that_is_not_json_is_refused(publisher: Publisher, body: bytes) -> None:
    publisher.routes["/api"] = Answer(body)
    with pytest.raises(FetchFailed, match="not JSON"):
        get(publisher)


def test_page_in_place_of_json_is_refused(publisher: Publisher) -> None:
    publisher.routes["/api"] = Answer(b"<html>", headers={"Content-Type": "application/json"})
    with pytest.raises(FetchFailed, match="web page"):
        get(publisher)


def test_page_is_text_where_a_page_is_wanted(publisher: Publisher) -> None:
    page = "<a href=x>é</a>".encode() + b"\xff"
    publisher.routes["/page"] = Answer(page, headers={"Content-Type": "text/html"})
    assert ask(lambda c: c.get_text(publisher.url("/page"))) == "<a href=x>é</a>\ufffd"


def test_page_of_links_without_its_end_is_not_whole(publisher: Publisher) -> None:
    whole = b"<!DOCTYPE html>\n<HTML lang=en><body><a href=x>x</a></body></HTML>\n"
    html = {"Content-Type": "text/html"}
    publisher.routes["/cut"] = Answer(whole[:50], headers=html)
    publisher.routes["/whole"] = Answer(whole, headers=html)
    with pytest.raises(FetchFailed, match=r"stops after 50 bytes, .* \(asked 3 times"):
        ask(lambda c: c.get_text(publisher.url("/cut")))
    assert "href=x" in ask(lambda c: c.get_text(publisher.url("/whole")))


def test_large_answer_is_refused(publisher: Publisher) -> None:
    publisher.routes["/api"] = Answer(b"[" + b"1," * 600 + b"1]", chunked=True)
    with pytest.raises(FetchFailed, match="larger than 1,000"):
        get(publisher, settings=quick(max_answer_bytes=1000))


def test_publisher_s_own_words_are_passed_on_in_one_plain_line(publisher: Publisher) -> None:
    said = b'{"error":\n"period \x1b[31mmust be\x07 a year"}'
    publisher.routes["/api"] = Answer(said, 400, {"Content-Type": "application/json"})
    with pytest.raises(FetchFailed) as caught:
        get(publisher)
    assert 'answers 400 Bad Request: {"error": "period [31mmust be a year"}' in str(caught.value)
    assert str(caught.value).isprintable()


# Probes


def test_probe_tells_what_the_headers_say(publisher: Publisher) -> None:
    publisher.routes["/a.zip"] = file(b"x" * 99, modified=1_700_000_000)
    assert ask(lambda c: c.probe(publisher.url("/a.zip"))) == Probe(
        publisher.url("/a.zip"), 99, '"v1"', "Tue, 14 Nov 2023 22:13:20 GMT"
    )
    assert [r.method for r in publisher.requests] == ["HEAD"]


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_probe_asks_for_one_byte_where_head_is_not_served(
    publisher: Publisher, status: int
) -> None:
    static = file(b"x" * 99)

    def answer(request: Request) -> Answer:
        return Answer(status=status) if request.method == "HEAD" else static(request)

    publisher.routes["/a.zip"] = answer
    probe = ask(lambda c: c.probe(publisher.url("/a.zip")))
    assert probe is not None
    assert probe.size_bytes == 99
    assert publisher.requests[-1].headers["range"] == "bytes=0-0"


@pytest.mark.parametrize(
    "answer",
    [Answer(status=404), Answer(status=410), Answer(b"<p>", headers={"Content-Type": "text/html"})],
)
def test_probe_of_nothing_is_none(publisher: Publisher, answer: Answer) -> None:
    publisher.routes["/a.zip"] = answer
    assert ask(lambda c: c.probe(publisher.url("/a.zip"))) is None


def test_probe_does_not_take_an_error_for_nothing(publisher: Publisher) -> None:
    publisher.routes["/a.zip"] = Answer(b"<p>", 403, headers={"Content-Type": "text/html"})
    with pytest.raises(FetchFailed, match="403"):
        ask(lambda c: c.probe(publisher.url("/a.zip")))


@pytest.mark.parametrize(
    ("probe", "held", "same"),
    [
        ({"etag": '"a"'}, {"etag": 'W/"a"'}, True),
        ({"etag": '"a"'}, {"etag": '"b"'}, False),
        ({"etag": '"a"', "size_bytes": 1}, {"size_bytes": 2}, False),
        ({"last_modified": "x", "size_bytes": 1}, {"last_modified": "x", "size_bytes": 1}, True),
        ({"last_modified": "x"}, {"last_modified": "y"}, False),
        ({"size_bytes": 1}, {"size_bytes": 1}, None),
        ({}, {}, None),
    ],
)
def test_probe_is_compared_with_what_is_held(probe: dict, held: dict, same: bool | None) -> None:
    document = HeldDocument(name="a", sha256="0" * 64, **held)
    assert Probe("https://x", **probe).is_same_as(document) is same


# Settings and headers


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONAZITE_HTTP_ATTEMPTS", "9")
    assert HttpSettings().attempts == 9


def test_settings_come_from_the_table_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "monazite.toml").write_text('threads = 3\n[http]\ncontact = "a@b.example"\n')
    monkeypatch.setattr("pipelines.sources.http_settings.PROJECT_ROOT", tmp_path)
    assert HttpSettings().contact == "a@b.example"
    monkeypatch.setenv("MONAZITE_HTTP_CONTACT", "c@d.example")
    assert HttpSettings().contact == "c@d.example"


@pytest.mark.parametrize("contact", ["a\r\nX-Evil: 1", "é@x", "a) (b"])
def test_contact_cannot_smuggle_headers(contact: str) -> None:
    with pytest.raises(ValueError, match="plain ASCII"):
        HttpSettings(contact=contact)


def test_blank_contact_is_none() -> None:
    assert HttpSettings(contact="  ").contact is None
    assert "contact" not in user_agent()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("99999999", 300.0),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("inf", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
        ("Fri, 99 Foo 9999 23:59:59 GMT", None),
    ],
)
def test_retry_after_is_read_leniently(value: str, seconds: float | None) -> None:
    response = httpx.Response(429, headers={"Retry-After": value})
    assert http_headers.retry_after(response, 300) == seconds


@pytest.mark.parametrize("value", ["unquoted", '"a\x7f"', "", '"é"', "W/"])
def test_malformed_etag_counts_as_none(value: str) -> None:
    response = httpx.Response(200, headers=[(b"ETag", value.encode("latin-1"))])
    assert http_headers.etag(response) is None


@pytest.mark.parametrize("value", ["-1", "1e3", "٣", "9" * 30, "12, 12"])
def test_malformed_length_counts_as_none(value: str) -> None:
    response = httpx.Response(200, headers=[(b"Content-Length", value.encode())])
    assert http_headers.content_length(response) is None


def test_missing_is_an_error_of_its_own(publisher: Publisher) -> None:
    with pytest.raises(NotPublished, match="404"):
        get(publisher, "/nothing")
