"""How many requests a publisher still allows today, remembered across runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.errors import FetchFailed

__all__ = ["Allowance", "QuotaSpent"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class QuotaSpent(FetchFailed):
    """The publisher answers no more requests of ours today; what is whole is kept."""


class Allowance:
    """The day's requests to one publisher, counted in a file. Days are those of UTC.

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
        return self._now().astimezone(UTC).date().isoformat()

    @property
    def used(self) -> int:
        """Requests sent today."""
        state = self._read()
        return int(state.get("requests", 0)) if state.get("day") == self.today else 0

    @property
    def left(self) -> int | None:
        """Requests that may still be sent today; None where there is no limit."""
        if self._is_exhausted():
            return 0
        return None if self.per_day is None else max(0, self.per_day - self.used)

    def take(self, where: str) -> None:
        """Count one request.

        :param where: the address that is to be asked, for the message; without keys.
        :raises QuotaSpent: none is left today.
        """
        if self.left == 0:
            raise QuotaSpent(
                f"today's {self.per_day or self.used} requests are used up",
                where=where,
                remedy="nothing needs doing: the next night goes on where this one stopped",
            )
        self._write(self.used + 1, is_exhausted=False)

    def exhaust(self) -> None:
        """The publisher says that nothing is left today, whatever was counted here."""
        self._write(self.used, is_exhausted=True)

    def _is_exhausted(self) -> bool:
        state = self._read()
        return state.get("day") == self.today and bool(state.get("is_exhausted"))

    def _read(self) -> dict[str, Any]:
        try:
            state = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def _write(self, requests: int, *, is_exhausted: bool) -> None:
        state = {"day": self.today, "requests": requests, "is_exhausted": is_exhausted}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".tmp")
        temporary.write_text(json.dumps(state), encoding="utf-8")
        temporary.replace(self._file)
