"""Keys of the catalogue, quotas, and asking a stand-in, over real sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from pipelines.catalog import Licence, Redistribution, Source
from pipelines.catalog.models import Api, Key
from pipelines.errors import FetchFailed, UsageError
from pipelines.sources.allowance import Allowance
from pipelines.sources.http import ApiKey, HttpSettings, NotPublished, PublisherClient, QuotaSpent
from pipelines.sources.mirror import is_loopback, is_stand_in, mirrored
from pipelines.sources.redaction import redact
from tests.support.asking import ask, quick
from tests.support.server import Answer, Publisher, Request, file, in_turn

#: Holds what an address writes in another form.
PLANTED = "s3cret+of/the=office&x"
JSON = {"Content-Type": "application/json"}
OK = Answer(b"{}", headers=JSON)


@pytest.fixture(autouse=True)
def _no_keys_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.sources.redaction._secrets", set())


@pytest.fixture
def key() -> ApiKey:
    return ApiKey(parameter="officeId", host="127.0.0.1", value=SecretStr(PLANTED))


def source(**changes: Any) -> Source:
    told: dict[str, Any] = {
        "source_id": "toy_office",
        "title": "Office",
        "publisher": "Office",
        "homepage": "https://office.example.org",
        "cadence": "yearly",
        "licence": Licence(
            name="Public domain", redistribution=Redistribution.YES, attribution="Office"
        ),
        "citation": "Office.",
        "hosts": ("api.office.example.org",),
    }
    return Source(**(told | changes))


# Keys in parameters


def test_key_in_a_parameter_is_sent_as_it_is_and_beside_the_others(
    publisher: Publisher, key: ApiKey
) -> None:
    publisher.routes["/api"] = OK
    url = publisher.url("/api?officeId=guess&reporter=a%20b")
    ask(lambda c: c.get_json(url, {"year": 2024}), keys=[key])
    assert publisher.requests[0].query == {"year": "2024", "officeId": PLANTED}


def test_key_in_a_parameter_stands_in_no_address_that_is_kept(
    publisher: Publisher, key: ApiKey, tmp_path: Path
) -> None:
    publisher.routes["/a.csv"] = file(b"a,b\n1,2\n")
    url = publisher.url("/a.csv?year=2024")
    document = ask(lambda c: c.download(url, tmp_path / "a.csv"), keys=[key])
    assert publisher.requests[0].query["officeId"] == PLANTED
    assert document.url == url


def test_key_in_a_parameter_follows_a_redirect_on_its_host_only(
    publisher: Publisher, key: ApiKey
) -> None:
    """Whatever the publisher repeats in the address that it names."""

    def door(request: Request) -> Answer:
        target = request.target.replace("/door", "/api")
        return Answer(status=302, headers={"Location": publisher.url(target, host="localhost")})

    publisher.routes["/door"] = door
    publisher.routes["/near"] = Answer(status=302, headers={"Location": "/api?page=2"})
    publisher.routes["/api"] = OK
    hosts = ("127.0.0.1", "localhost")
    ask(lambda c: c.get_json(publisher.url("/door?year=2024")), keys=[key], hosts=hosts)
    ask(lambda c: c.get_json(publisher.url("/near")), keys=[key], hosts=hosts)
    _, elsewhere, _, near = publisher.requests
    assert elsewhere.query == {"year": "2024"}
    assert near.query == {"page": "2", "officeId": PLANTED}


@pytest.mark.parametrize(
    "answer",
    [
        lambda r: Answer(b"", 500),
        lambda r: Answer(b"", 404),
        lambda r: Answer(f"bad: {r.target}".encode(), 400, {"Content-Type": "text/plain"}),
        lambda r: Answer(f"quota of {r.target}".encode(), 403, {"Content-Type": "text/plain"}),
        lambda r: Answer(b"{}", cut_after=1),
        lambda r: Answer(b"<html>", headers={"Content-Type": "text/html"}),
        lambda r: Answer(status=302, headers={"Location": f"https://elsewhere.example{r.target}"}),
        lambda r: Answer(status=302, headers={"Location": f"http://[{r.target}"}),
        lambda r: Answer(b"{}", headers={**JSON, "Content-Encoding": "br"}),
    ],
)
def test_key_in_a_parameter_is_in_no_error_and_no_log(
    publisher: Publisher,
    key: ApiKey,
    answer: Callable[[Request], Answer],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("", "httpx", "httpcore", "hpack", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    publisher.routes["/api"] = answer
    with pytest.raises(FetchFailed) as caught:
        ask(lambda c: c.get_json(publisher.url("/api")), keys=[key], settings=quick(attempts=2))
    assert publisher.requests[0].query["officeId"] == PLANTED
    sent = publisher.requests[0].target.partition("officeId=")[2]
    said = caplog.text + repr(caught.value.__dict__) + str(caught.value)
    said += "".join(str(r.__dict__) for r in caplog.records)
    for form in (PLANTED, sent, PLANTED.replace("+", "%2B")):
        assert form not in said
    assert caught.value.__cause__ is None


def test_key_is_blanked_in_the_form_that_it_has_in_an_address(key: ApiKey) -> None:
    address = httpx.URL("https://x.example/a", params={"someName": PLANTED})
    assert redact(f"asked {address} for it") == "asked https://x.example/a?someName=*** for it"
    assert redact("asked s3cret%2Bof%2Fthe%3Doffice%26x") == "asked ***"


def test_value_that_is_too_short_for_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONAZITE_KEY_TOY_OFFICE", "abc")
    with pytest.raises(UsageError, match=r"MONAZITE_KEY_TOY_OFFICE .* too short") as caught:
        ApiKey.from_environment("toy_office", host="x.example", header="X-Key")
    assert "abc" not in str(caught.value)


# What the catalogue says


async def built(of: Source, **options: Any) -> PublisherClient:
    async with PublisherClient.for_source(of, **options) as client:
        return client


def test_catalogue_says_where_the_key_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Key(host="api.office.example.org", header="Authorization", prefix="Bearer ")
    office = source(api=Api(key=spec))
    monkeypatch.delenv("MONAZITE_KEY_TOY_OFFICE", raising=False)
    assert not asyncio.run(built(office)).has_key
    monkeypatch.setenv("MONAZITE_KEY_TOY_OFFICE", "abcdefgh")
    client = asyncio.run(built(office))
    assert client.has_key
    request = client._http.build_request("GET", "https://api.office.example.org/a")
    client._attach_key(request)
    assert request.headers["Authorization"] == "Bearer abcdefgh"


def test_key_that_is_required_and_missing_is_said_with_the_page_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MONAZITE_KEY_TOY_OFFICE", raising=False)
    page = "https://office.example.org/key"
    spec = Key(host="a.example", parameter="k", is_required=True, page=page)
    with pytest.raises(UsageError, match=f"get one at {page} and set MONAZITE_KEY_TOY_OFFICE"):
        asyncio.run(built(source(api=Api(key=spec))))


def test_pace_of_the_catalogue_spaces_requests_but_not_those_to_a_stand_in() -> None:
    slow = source(api=Api(requests_per_minute=12))

    def spacing(**limits: Any) -> float:
        client = asyncio.run(built(slow, settings=HttpSettings(**limits)))
        return client.settings.spacing_seconds

    assert spacing(spacing_seconds=0.5) == 5
    assert spacing(spacing_seconds=9) == 9
    assert spacing(spacing_seconds=0.5, mirror="http://127.0.0.1:1") == 0.5


def test_proxy_of_the_house_is_for_publishers_not_for_a_stand_in(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    publisher.routes["/www.example.org/a"] = OK
    settings = quick(mirror=publisher.url())
    found = ask(
        lambda c: c.get_json("https://www.example.org/a"),
        hosts=["www.example.org"],
        settings=settings,
    )
    assert found == {}
    with pytest.raises(FetchFailed, match=r"connection to www\.example\.org broke"):
        ask(
            lambda c: c.get_json("https://www.example.org/a"),
            hosts=["www.example.org"],
            settings=quick(attempts=1),
        )


# A stand-in


def test_stand_in_is_asked_by_host_path_and_query_and_cited(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.routes["/under/www.example.org/a.csv"] = file(b"a,b\n1,2\n")
    settings = quick(mirror=publisher.url("/under/"))
    url = "https://www.example.org/a.csv?x=1%2B2&y=a%20b"
    document = ask(
        lambda c: c.download(url, tmp_path / "a.csv"),
        hosts=["www.example.org"],
        settings=settings,
    )
    [request] = publisher.requests
    assert request.target == "/under/www.example.org/a.csv?x=1%2B2&y=a%20b"
    assert request.headers["host"] == f"127.0.0.1:{publisher.port}"
    assert document.url == publisher.url("/under/www.example.org/a.csv?x=1%2B2&y=a%20b")
    assert is_stand_in(document.url)


def test_rules_on_hosts_and_keys_are_those_of_the_publisher_s_own_addresses(
    publisher: Publisher,
) -> None:
    publisher.routes["/a.example.org/door"] = Answer(
        status=302, headers={"Location": "https://b.example.org/api"}
    )
    publisher.routes["/b.example.org/api"] = OK
    keys = [ApiKey(header="X-Key", host="a.example.org", value=SecretStr("abcdefgh"))]
    settings = quick(mirror=publisher.url())

    def door(hosts: list[str]) -> Any:
        return ask(
            lambda c: c.get_json("https://a.example.org/door"),
            hosts=hosts,
            keys=keys,
            settings=settings,
        )

    assert door(["a.example.org", "b.example.org"]) == {}
    first, second = publisher.requests
    assert first.headers["x-key"] == "abcdefgh"
    assert "x-key" not in second.headers
    with pytest.raises(FetchFailed, match=r"redirected to b\.example\.org is not a host"):
        door(["a.example.org"])


def test_loopback_is_asked_as_it_is_beside_a_stand_in(publisher: Publisher) -> None:
    publisher.routes["/api"] = OK
    settings = quick(mirror="http://127.0.0.1:9")
    assert ask(lambda c: c.get_json(publisher.url("/api")), settings=settings) == {}


@pytest.mark.parametrize(
    "mirror",
    [
        "mirror.example.org",
        "http://mirror.example.org",
        "ftp://127.0.0.1",
        "https://me:pw12345@mirror.example.org",
        "https://mirror.example.org/?a=1",
        "http://[",
    ],
)
def test_mirror_that_cannot_be_is_one_line(mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONAZITE_HTTP_MIRROR", mirror)
    with pytest.raises(UsageError, match="mend MONAZITE_HTTP_MIRROR") as caught:
        asyncio.run(built(source()))
    assert "pw12345" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("mirror", ["", "http://localhost:8765/", "https://mirror.example.org/a"])
def test_mirror_is_none_or_an_address(mirror: str) -> None:
    assert HttpSettings(mirror=mirror).mirror == (mirror.rstrip("/") or None)


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("emulator.localhost", True),
        ("localhost.example.org", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_this_machine_is_told_from_others(host: str, is_here: bool) -> None:
    assert is_loopback(host) is is_here


def test_address_that_cannot_be_read_is_no_stand_in() -> None:
    assert not is_stand_in("http://[")
    assert not is_stand_in("")
    assert not is_stand_in("https://www.example.org/127.0.0.1")
    assert str(mirrored("https://x.example:8443/a", "https://m.example/b")) == (
        "https://m.example/b/x.example:8443/a"
    )


# Quotas

QUOTA = b'{"message": "Out of call volume quota. Quota will be replenished in 10:00:00."}'


@pytest.mark.parametrize("status", [403, 429])
def test_words_on_a_quota_end_the_asking_for_the_day(
    publisher: Publisher, tmp_path: Path, status: int
) -> None:
    publisher.routes["/api"] = Answer(QUOTA, status, JSON)
    allowance = Allowance(tmp_path / "requests.json", 100)

    async def work(client: PublisherClient) -> None:
        await client.get_json(publisher.url("/api"))

    for said in (f"answers {status}: .*Out of call volume quota", "no more requests today"):
        with pytest.raises(QuotaSpent, match=said):
            ask(work, allowance=allowance)
    assert len(publisher.requests) == 1
    assert allowance.left == 0


def test_words_on_a_quota_that_comes_back_soon_are_waited_out(
    publisher: Publisher, tmp_path: Path
) -> None:
    soon = Answer(QUOTA, 429, {**JSON, "Retry-After": "0"})
    publisher.routes["/api"] = in_turn([soon, OK])
    allowance = Allowance(tmp_path / "requests.json", 100)
    assert ask(lambda c: c.get_json(publisher.url("/api")), allowance=allowance) == {}
    assert (allowance.used, allowance.left) == (2, 98)


def test_words_on_a_quota_that_comes_back_in_hours_end_the_asking(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.routes["/api"] = Answer(QUOTA, 429, {**JSON, "Retry-After": "36000"})
    with pytest.raises(QuotaSpent):
        ask(lambda c: c.get_json(publisher.url("/api")))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"Rate limit is exceeded. Try again in 1 seconds.", 429, JSON),
        Answer(b"the quotation is missing", 403, JSON),
        Answer(b"<p>quota</p>", 403, {"Content-Type": "text/html"}),
    ],
)
def test_other_refusals_do_not_end_the_day(
    publisher: Publisher, tmp_path: Path, answer: Answer
) -> None:
    publisher.routes["/api"] = answer
    allowance = Allowance(tmp_path / "requests.json", 100)
    with pytest.raises(FetchFailed) as caught:
        ask(lambda c: c.get_json(publisher.url("/api")), allowance=allowance)
    assert not isinstance(caught.value, QuotaSpent | NotPublished)
    assert allowance.left


def test_every_attempt_and_every_hop_is_counted(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/door"] = in_turn(
        [Answer(b"", 500), Answer(status=302, headers={"Location": "/api"})]
    )
    publisher.routes["/api"] = OK
    allowance = Allowance(tmp_path / "requests.json", 100)
    ask(lambda c: c.get_json(publisher.url("/door")), allowance=allowance)
    assert allowance.used == len(publisher.requests) == 3


def test_two_tasks_do_not_ask_beyond_what_is_left(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/api"] = OK
    allowance = Allowance(tmp_path / "requests.json", 5)

    async def work(client: PublisherClient) -> list[Any]:
        asked = [client.get_json(publisher.url("/api")) for _ in range(12)]
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = ask(work, allowance=allowance)
    assert len(publisher.requests) == 5
    assert sum(a == {} for a in answers) == 5
    assert sum(isinstance(a, QuotaSpent) for a in answers) == 7


def test_count_that_cannot_be_kept_is_one_line_and_nobody_asks(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.routes["/a.csv"] = file(b"a,b\n1,2\n")
    (tmp_path / "fetch").write_text("a file where the folder should be")
    allowance = Allowance(tmp_path / "fetch" / "requests.json", 5)
    with pytest.raises(FetchFailed, match="requests cannot be counted in"):
        ask(lambda c: c.download(publisher.url("/a.csv"), tmp_path / "a.csv"), allowance=allowance)
    assert publisher.requests == []
