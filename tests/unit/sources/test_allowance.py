"""The day's requests are counted whatever happens to the clock, the file and the disk."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import FetchFailed
from pipelines.settings import PROJECT_ROOT
from pipelines.sources.allowance import Allowance, QuotaSpent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHERE = "https://api.example.org/data"


class Clock:
    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fetch" / "toy" / "requests.json"


def test_requests_are_counted_across_runs(file: Path) -> None:
    for n in range(3):
        allowance = Allowance(file, 3, now=Clock())
        assert (allowance.used, allowance.left) == (n, 3 - n)
        allowance.take(WHERE)
    with pytest.raises(QuotaSpent, match=r"today's 3 requests are used up \[https://api"):
        Allowance(file, 3, now=Clock()).take(WHERE)
    assert Allowance(file, 3, now=Clock()).used == 3


def test_a_new_day_begins_anew_at_midnight_of_utc(file: Path) -> None:
    clock = Clock(datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
    allowance = Allowance(file, 1, now=clock)
    allowance.take(WHERE)
    clock.now = datetime(2026, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert allowance.left == 0, "in Paris it is tomorrow, in Greenwich not yet"
    clock.now += timedelta(hours=1)
    assert allowance.left == 1


def test_without_a_limit_there_is_always_some_left_until_the_publisher_says_no(file: Path) -> None:
    clock = Clock()
    allowance = Allowance(file, None, now=clock)
    allowance.take(WHERE)
    assert allowance.left is None
    allowance.exhaust()
    assert (allowance.used, allowance.left) == (1, 0)
    with pytest.raises(QuotaSpent, match="the publisher answers no more requests today"):
        allowance.take(WHERE)
    clock.now += timedelta(days=1)
    assert allowance.left is None


def test_a_clock_that_is_put_back_gives_no_second_day(file: Path) -> None:
    clock = Clock(NOON)
    allowance = Allowance(file, 2, now=clock)
    allowance.take(WHERE)
    clock.now -= timedelta(hours=20)
    allowance.take(WHERE)
    assert allowance.left == 0
    clock.now = NOON
    assert allowance.left == 0


def test_a_clock_that_was_far_ahead_does_not_stop_the_nights(file: Path) -> None:
    clock = Clock(NOON + timedelta(days=4000))
    allowance = Allowance(file, 1, now=clock)
    allowance.take(WHERE)
    clock.now = NOON
    assert allowance.left == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"day": "2026-03-01"}',
        b'{"day": "2026-03-01", "requests": null, "is_exhausted": false}',
        b'{"day": "2026-03-01", "requests": "many", "is_exhausted": false}',
        b'{"day": 7, "requests": 1, "is_exhausted": false}',
        b'{"day": "2026-03-01", "requests": 1e999, "is_exhausted": false}',
        b'{"day": "2026-03-01", "requests": -5, "is_exhausted": false}',
    ],
)
def test_a_damaged_file_counts_as_none(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    allowance = Allowance(file, 2, now=Clock())
    assert allowance.left == 2
    allowance.take(WHERE)
    assert json.loads(file.read_bytes())["requests"] == 1


@given(content=st.binary(max_size=60))
def test_no_bytes_whatever_stop_the_count(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("count") / "requests.json"
    file.write_bytes(content)
    assert Allowance(file, 2, now=Clock()).left in (0, 1, 2)


def test_where_the_count_cannot_be_kept_nobody_asks(tmp_path: Path) -> None:
    (tmp_path / "fetch").write_text("a file where the folder should be")
    allowance = Allowance(tmp_path / "fetch" / "requests.json", 5, now=Clock())
    assert allowance.left == 5
    for ask in (lambda: allowance.take(WHERE), allowance.exhaust):
        with pytest.raises(FetchFailed, match=r"requests cannot be counted in .*; make room") as e:
            ask()
        assert not isinstance(e.value, QuotaSpent)


def test_tasks_that_ask_at_once_are_all_counted(file: Path) -> None:
    allowance = Allowance(file, 25, now=Clock())

    async def ask() -> int:
        taken = 0
        for _ in range(10):
            await asyncio.sleep(0)
            try:
                allowance.take(WHERE)
            except QuotaSpent:
                continue
            taken += 1
        return taken

    async def both() -> list[int]:
        return await asyncio.gather(ask(), ask(), ask())

    assert sum(asyncio.run(both())) == 25


@pytest.mark.slow
def test_processes_that_ask_at_once_are_all_counted(file: Path) -> None:
    work = (
        "import sys; from pathlib import Path; from pipelines.sources.allowance import Allowance\n"
        "allowance = Allowance(Path(sys.argv[1]), None)\n"
        "for _ in range(40): allowance.take('here')"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT_ROOT)}
    processes = [
        subprocess.Popen([sys.executable, "-c", work, str(file)], env=environment) for _ in "ab"
    ]
    assert [p.wait(timeout=60) for p in processes] == [0, 0]
    assert Allowance(file, None).used == 80
