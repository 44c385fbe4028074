"""A file is there whole or not at all, whatever the publisher does."""

from __future__ import annotations

import gzip
import hashlib
import random
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import FetchFailed
from pipelines.sources.fetching import FetchedDocument, HeldDocument
from pipelines.sources.http import Expected, NotModified, NotPublished, PublisherClient
from tests.support.asking import ask, quick
from tests.support.server import Answer, Publisher, Request, file, in_turn

BODY = random.Random(7).randbytes(200_000)  # noqa: S311
CSV = b"country,production_t\nAustralia,13000\n"


def fetch(publisher: Publisher, target: Path, path: str = "/a.zip", **options: object):
    settings = options.pop("settings", None)
    url = publisher.url(path)
    return ask(lambda c: c.download(url, target, **options), settings=settings)  # type: ignore[arg-type]


def assert_nothing_is_left(folder: Path) -> None:
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == []


def test_whole_file_is_stored_with_its_hashes_and_validators(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.routes["/a.zip"] = file(
        BODY, modified=1_770_000_000, media_type="Application/Zip; a=b"
    )
    before = datetime.now(UTC)
    document = fetch(publisher, tmp_path / "new" / "a.zip")
    assert document.path.read_bytes() == BODY
    assert document == FetchedDocument(
        name="a.zip",
        path=tmp_path / "new" / "a.zip",
        url=publisher.url("/a.zip"),
        sha256=hashlib.sha256(BODY).hexdigest(),
        md5=hashlib.md5(BODY).hexdigest(),  # noqa: S324
        size_bytes=len(BODY),
        retrieved_at=document.retrieved_at,
        etag='"v1"',
        last_modified="Mon, 02 Feb 2026 02:40:00 GMT",
        media_type="application/zip",
    )
    assert before <= document.retrieved_at <= datetime.now(UTC)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.zip"]


def test_says_who_asks_and_asks_for_the_plain_file(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = file(BODY)
    fetch(publisher, tmp_path / "a.zip", settings=quick(contact="data@ministry.example"))
    headers = publisher.requests[0].headers
    assert headers["user-agent"].startswith("monazite/")
    assert "contact data@ministry.example" in headers["user-agent"]
    assert headers["accept-encoding"] == "identity"


def test_held_file_is_asked_for_conditionally(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = file(BODY)
    held = HeldDocument(name="a.zip", sha256="0" * 64, etag='"v1"')
    answer = fetch(publisher, tmp_path / "a.zip", held=held)
    assert isinstance(answer, NotModified)
    assert publisher.requests[0].headers["if-none-match"] == '"v1"'
    assert_nothing_is_left(tmp_path)


def test_date_serves_where_there_is_no_etag(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = file(BODY, etag=None, modified=1_700_000_000)
    held = HeldDocument(
        name="a.zip", sha256="0" * 64, last_modified="Tue, 14 Nov 2023 22:13:20 GMT"
    )
    assert isinstance(fetch(publisher, tmp_path / "a.zip", held=held), NotModified)


def test_changed_file_comes_in_spite_of_the_condition(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = file(BODY, etag='"v2"')
    held = HeldDocument(name="a.zip", sha256="0" * 64, etag='"v1"')
    answer = fetch(publisher, tmp_path / "a.zip", held=held)
    assert isinstance(answer, FetchedDocument)
    assert answer.etag == '"v2"'


def test_unasked_for_not_modified_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = Answer(status=304)
    with pytest.raises(FetchFailed, match="304"):
        fetch(publisher, tmp_path / "a.zip")


def test_reset_in_the_middle_is_resumed_where_it_stopped(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.routes["/a.zip"] = file(BODY, first=lambda a: replace(a, cut_after=120_000))
    document = fetch(publisher, tmp_path / "a.zip")
    assert document.path.read_bytes() == BODY
    assert document.sha256 == hashlib.sha256(BODY).hexdigest()
    again = publisher.requests[1].headers
    assert again["if-range"] == '"v1"'
    start = int(again["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start <= 120_000


def test_resumed_file_that_changed_meanwhile_is_brought_anew(
    publisher: Publisher, tmp_path: Path
) -> None:
    other = BODY[::-1]
    publisher.routes["/a.zip"] = in_turn(
        [file(BODY, first=lambda a: replace(a, cut_after=50_000)), file(other, etag='"v2"')]
    )
    assert fetch(publisher, tmp_path / "a.zip").path.read_bytes() == other


def test_rest_of_another_file_is_not_glued_on(publisher: Publisher, tmp_path: Path) -> None:
    """A server that ignores If-Range and sends a piece of the new file."""
    other = BODY[::-1]

    def careless(request: Request) -> Answer:
        headers = {k: v for k, v in request.headers.items() if k != "if-range"}
        return file(other, etag='"v2"')(replace(request, headers=headers))

    publisher.routes["/a.zip"] = in_turn(
        [file(BODY, first=lambda a: replace(a, cut_after=50_000)), careless]
    )
    assert fetch(publisher, tmp_path / "a.zip").path.read_bytes() == other


def test_wrong_place_of_a_range_is_not_glued_on(publisher: Publisher, tmp_path: Path) -> None:
    wrong = Answer(
        BODY[:10],
        206,
        {"Content-Range": f"bytes 0-9/{len(BODY)}", "ETag": '"v1"'},
    )
    publisher.routes["/a.zip"] = in_turn(
        [file(BODY, first=lambda a: replace(a, cut_after=50_000)), wrong, file(BODY)]
    )
    document = fetch(publisher, tmp_path / "a.zip")
    assert document.path.read_bytes() == BODY
    assert "range" not in publisher.requests[2].headers


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_without_a_strong_validator_it_begins_again(
    publisher: Publisher, tmp_path: Path, etag: str | None
) -> None:
    publisher.routes["/a.zip"] = file(BODY, etag=etag, first=lambda a: replace(a, cut_after=50_000))
    assert fetch(publisher, tmp_path / "a.zip").path.read_bytes() == BODY
    assert "range" not in publisher.requests[1].headers


def test_old_date_is_a_validator_too(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = file(
        BODY, etag=None, modified=1_700_000_000, first=lambda a: replace(a, cut_after=50_000)
    )
    assert fetch(publisher, tmp_path / "a.zip").path.read_bytes() == BODY
    assert publisher.requests[1].headers["if-range"] == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_date_of_this_minute_is_no_validator(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = file(
        BODY, etag=None, modified=time.time() - 5, first=lambda a: replace(a, cut_after=50_000)
    )
    assert fetch(publisher, tmp_path / "a.zip").path.read_bytes() == BODY
    assert "range" not in publisher.requests[1].headers


def test_server_without_ranges_sends_the_whole_again(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = file(
        BODY, ranges=False, first=lambda a: replace(a, cut_after=50_000)
    )
    assert fetch(publisher, tmp_path / "a.zip").path.read_bytes() == BODY


def test_range_beyond_a_file_that_shrank_begins_again(publisher: Publisher, tmp_path: Path) -> None:
    gone = Answer(status=416, headers={"Content-Range": "bytes */10"})
    publisher.routes["/a.zip"] = in_turn(
        [file(BODY, first=lambda a: replace(a, cut_after=50_000)), gone, file(CSV)]
    )
    assert fetch(publisher, tmp_path / "a.zip").path.read_bytes() == CSV


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(Answer(BODY, cut_after=1000), id="reset"),
        pytest.param(Answer(BODY, length=len(BODY) + 1), id="announces more than it sends"),
        pytest.param(Answer(BODY, chunked=True, cut_after=1000), id="reset between chunks"),
        pytest.param(
            Answer(gzip.compress(CSV)[:-6], headers={"Content-Encoding": "gzip"}),
            id="gzip cut short",
        ),
        pytest.param(
            Answer(gzip.compress(CSV)[:-6], headers={"Content-Encoding": "gzip"}, chunked=True),
            id="gzip cut short, in chunks",
        ),
        pytest.param(
            Answer(b"\x1f\x8b" + BODY[:50], headers={"Content-Encoding": "gzip"}),
            id="gzip damaged",
        ),
    ],
)
def test_partial_answer_is_never_stored(
    publisher: Publisher, tmp_path: Path, broken: Answer
) -> None:
    publisher.routes["/a.zip"] = broken
    (tmp_path / "a.zip").write_bytes(b"the last good one")
    with pytest.raises(FetchFailed) as caught:
        fetch(publisher, tmp_path / "a.zip")
    assert "asked 3 times" in str(caught.value)
    assert publisher.url("/a.zip") in str(caught.value)
    assert caught.value.remedy
    assert len(publisher.requests) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
    assert (tmp_path / "a.zip").read_bytes() == b"the last good one"


def test_answer_whose_end_nobody_can_tell_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.csv"] = Answer(CSV, length=None, http_version="1.0")
    with pytest.raises(FetchFailed, match="no length and no end mark"):
        fetch(publisher, tmp_path / "a.csv", "/a.csv")
    assert_nothing_is_left(tmp_path)


def test_such_an_answer_is_taken_where_the_listing_tells_its_size(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.routes["/a.csv"] = Answer(CSV, length=None, http_version="1.0")
    expected = Expected(size_bytes=len(CSV))
    document = fetch(publisher, tmp_path / "a.csv", "/a.csv", expected=expected)
    assert document.path.read_bytes() == CSV


def test_length_that_is_too_small_is_found_by_the_checksum(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.routes["/a.csv"] = Answer(CSV, length=len(CSV) - 4)
    expected = Expected(sha256=hashlib.sha256(CSV).hexdigest())
    with pytest.raises(FetchFailed, match="sha256"):
        fetch(publisher, tmp_path / "a.csv", "/a.csv", expected=expected)
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("expected", "what"),
    [
        (Expected(md5="0" * 32), "md5"),
        (Expected(sha256="0" * 64), "sha256"),
        (Expected(size_bytes=1), "size"),
        (Expected(size_bytes=len(BODY) + 1), "size"),
    ],
)
def test_file_that_differs_from_the_listing_is_refused(
    publisher: Publisher, tmp_path: Path, expected: Expected, what: str
) -> None:
    publisher.routes["/a.zip"] = file(BODY)
    with pytest.raises(FetchFailed, match=what):
        fetch(publisher, tmp_path / "a.zip", expected=expected)
    assert_nothing_is_left(tmp_path)


def test_file_that_agrees_with_the_listing_is_taken(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = file(BODY)
    expected = Expected(
        size_bytes=len(BODY),
        md5=hashlib.md5(BODY).hexdigest().upper(),  # noqa: S324
        sha256=hashlib.sha256(BODY).hexdigest(),
    )
    assert fetch(publisher, tmp_path / "a.zip", expected=expected).size_bytes == len(BODY)


def test_packing_of_the_transport_is_undone(publisher: Publisher, tmp_path: Path) -> None:
    packed = gzip.compress(CSV) + gzip.compress(CSV)
    publisher.routes["/a.csv"] = Answer(packed, headers={"Content-Encoding": "gzip"})
    assert fetch(publisher, tmp_path / "a.csv", "/a.csv").path.read_bytes() == CSV * 2


def test_file_that_is_itself_a_gzip_stays_one(publisher: Publisher, tmp_path: Path) -> None:
    packed = gzip.compress(CSV)
    publisher.routes["/a.csv.gz"] = Answer(packed, headers={"Content-Encoding": "x-gzip"})
    assert fetch(publisher, tmp_path / "a.csv.gz", "/a.csv.gz").path.read_bytes() == packed


def test_packing_that_was_not_asked_for_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.csv"] = Answer(CSV, headers={"Content-Encoding": "br"})
    with pytest.raises(FetchFailed, match="'br'"):
        fetch(publisher, tmp_path / "a.csv", "/a.csv")


@pytest.mark.parametrize(
    "page",
    [
        Answer(b"<p>We are down for maintenance.</p>", headers={"Content-Type": "text/html"}),
        Answer(
            b"\xef\xbb\xbf\n <!DOCTYPE html><title>x</title>", headers={"Content-Type": "text/csv"}
        ),
        Answer(b"<html lang=en>" + b" " * 90, drip_seconds=0.001),
    ],
)
def test_web_page_with_status_200_is_refused(
    publisher: Publisher, tmp_path: Path, page: Answer
) -> None:
    publisher.routes["/a.csv"] = page
    with pytest.raises(FetchFailed, match="web page"):
        fetch(publisher, tmp_path / "a.csv", "/a.csv")
    assert len(publisher.requests) == 1
    assert_nothing_is_left(tmp_path)


def test_empty_file_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.csv"] = Answer(b"")
    with pytest.raises(FetchFailed, match="empty"):
        fetch(publisher, tmp_path / "a.csv", "/a.csv")
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(BODY), id="announced"),
        pytest.param(Answer(BODY, chunked=True), id="not announced"),
        pytest.param(
            Answer(gzip.compress(b"\0" * 5_000_000), headers={"Content-Encoding": "gzip"}),
            id="swells when unpacked",
        ),
    ],
)
def test_file_above_the_limit_is_refused(
    publisher: Publisher, tmp_path: Path, answer: Answer
) -> None:
    publisher.routes["/a.zip"] = answer
    with pytest.raises(FetchFailed, match="larger than 100,000"):
        fetch(publisher, tmp_path / "a.zip", settings=quick(max_download_bytes=100_000))
    assert len(publisher.requests) == 1
    assert_nothing_is_left(tmp_path)


def test_limit_holds_over_resumed_attempts(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = file(
        BODY, first=lambda a: replace(a, cut_after=50_000, length=None, chunked=True)
    )
    with pytest.raises(FetchFailed, match="larger than"):
        fetch(publisher, tmp_path / "a.zip", max_bytes=180_000)


def test_drip_is_broken_off(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.csv"] = Answer(CSV, drip_seconds=0.05)
    limits = quick(attempts=1, slowest_bytes_per_second=1000, pace_seconds=0.3)
    with pytest.raises(FetchFailed, match="drips"):
        fetch(publisher, tmp_path / "a.csv", "/a.csv", settings=limits)
    assert_nothing_is_left(tmp_path)


def test_silence_is_broken_off(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.csv"] = Answer(CSV, wait_seconds=5)
    with pytest.raises(FetchFailed, match="silent for too long"):
        fetch(publisher, tmp_path / "a.csv", "/a.csv", settings=quick(attempts=2, read_seconds=0.1))
    assert len(publisher.requests) == 2


def test_all_attempts_together_stay_within_their_time(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.csv"] = Answer(CSV, drip_seconds=0.1)
    begun = time.monotonic()
    with pytest.raises(FetchFailed, match=r"within 0\.5 seconds"):
        fetch(publisher, tmp_path / "a.csv", "/a.csv", settings=quick(download_seconds=0.5))
    assert time.monotonic() - begun < 3
    assert_nothing_is_left(tmp_path)


def test_part_that_nobody_asked_for_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.csv"] = Answer(CSV[:5], 206, {"Content-Range": f"bytes 0-4/{len(CSV)}"})
    with pytest.raises(FetchFailed, match="a part came"):
        fetch(publisher, tmp_path / "a.csv", "/a.csv")
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize("status", [404, 410])
def test_missing_file_is_told_apart_and_not_asked_for_again(
    publisher: Publisher, tmp_path: Path, status: int
) -> None:
    publisher.routes["/a.csv"] = Answer(b"gone", status)
    with pytest.raises(NotPublished):
        fetch(publisher, tmp_path / "a.csv", "/a.csv")
    assert len(publisher.requests) == 1


def test_folder_that_cannot_be_written_is_said(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.csv"] = file(CSV)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(FetchFailed, match="cannot be written"):
        fetch(publisher, tmp_path / "taken" / "a.csv", "/a.csv")


def test_file_that_does_not_fit_is_refused_before_it_comes(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.routes["/a.zip"] = file(BODY)
    free = type("Usage", (), {"free": 1000})()
    monkeypatch.setattr("pipelines.sources.http_transfer.shutil.disk_usage", lambda _: free)
    with pytest.raises(FetchFailed, match="of which 1,000 are free"):
        fetch(publisher, tmp_path / "a.zip")
    assert_nothing_is_left(tmp_path)


def test_progress_is_told(publisher: Publisher, tmp_path: Path) -> None:
    publisher.routes["/a.zip"] = file(BODY)
    told: list[tuple[str, int, int | None]] = []

    async def work(client: PublisherClient) -> None:
        await client.download(publisher.url("/a.zip"), tmp_path / "a.zip")

    ask(work, progress=lambda *state: told.append(state))
    assert told[-1] == (publisher.url("/a.zip"), len(BODY), len(BODY))
