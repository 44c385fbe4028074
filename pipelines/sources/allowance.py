"""How many requests a publisher still allows today, remembered across runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.errors import FetchFailed

__all__ = ["Allowance", "QuotaSpent"]

_LOCK_SECONDS = 30


def _utc_now() -> datetime:
    return datetime.now(UTC)


class QuotaSpent(FetchFailed):
    """The publisher answers no more requests of ours today; what is whole is kept."""


@dataclass(frozen=True, slots=True)
class _Count:
    day: str
    requests: int = 0
    is_exhausted: bool = False


class Allowance:
    """The day's requests to one publisher, counted in a file. Days are those of UTC.

    Any number of tasks and processes may count. A file that cannot be understood counts as none: in
    the end the publisher says itself that nothing is left.

    :param file: where the count stands; it appears with the first request.
    :param per_day: how many are allowed, None where the publisher states no limit.
    :param now: the clock.
    """

    def __init__(
        self, file: Path, per_day: int | None, *, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self.per_day = per_day
        self._file = file
        self._now = now

    @property
    def today(self) -> str:
        """The day that is counted, as an ISO date."""
        return self._day().isoformat()

    @property
    def used(self) -> int:
        """Requests sent today."""
        return self._read().requests

    @property
    def left(self) -> int | None:
        """Requests that may still be sent today; None where there is no limit."""
        return self._left(self._read())

    def take(self, where: str) -> None:
        """Count one request.

        :param where: the address that is to be asked, for the message; without keys.
        :raises QuotaSpent: none is left today.
        :raises FetchFailed: the count cannot be kept, so nobody may ask.
        """
        with self._alone(where):
            count = self._read()
            if self._left(count) == 0:
                raise QuotaSpent(
                    "the publisher answers no more requests today"
                    if count.is_exhausted
                    else f"today's {self.per_day:,} requests are used up",
                    where=where,
                    remedy="nothing needs doing: the next night goes on where this one stopped",
                )
            self._write(_Count(count.day, count.requests + 1))

    def exhaust(self) -> None:
        """The publisher says that nothing is left today, whatever was counted here.

        :raises FetchFailed: this cannot be kept.
        """
        with self._alone(str(self._file)):
            count = self._read()
            self._write(_Count(count.day, count.requests, is_exhausted=True))

    def _day(self) -> date:
        return self._now().astimezone(UTC).date()

    def _left(self, count: _Count) -> int | None:
        if count.is_exhausted:
            return 0
        return None if self.per_day is None else max(0, self.per_day - count.requests)

    def _read(self) -> _Count:
        """The count of this day.

        A clock that was put back by some hours has not made a new day: a count of tomorrow's goes
        on. One of a later day comes from a clock that was wrong and says nothing.
        """
        today = self._day()
        none = _Count(today.isoformat())
        try:
            told = json.loads(self._file.read_text(encoding="utf-8"))
            count = _Count(
                date.fromisoformat(told["day"]).isoformat(),
                max(0, int(told["requests"])),
                is_exhausted=bool(told["is_exhausted"]),
            )
        except (OSError, ValueError, TypeError, KeyError, OverflowError):
            return none
        tomorrow = today + timedelta(days=1)
        return count if count.day in (today.isoformat(), tomorrow.isoformat()) else none

    def _write(self, count: _Count) -> None:
        temporary = self._file.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(count)), encoding="utf-8")
        temporary.replace(self._file)

    @contextmanager
    def _alone(self, where: str) -> Iterator[None]:
        """Nobody else counts during the block.

        :raises FetchFailed: the folder cannot be written.
        """
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._file.with_suffix(".lock"), timeout=_LOCK_SECONDS):
                yield
        except (OSError, Timeout) as error:
            failure = FetchFailed(
                f"requests cannot be counted in {self._file}: "
                f"{getattr(error, 'strerror', None) or error}",
                where=where,
                remedy="make room or check the rights of the folder, then run again",
            )
        else:
            return
        raise failure
