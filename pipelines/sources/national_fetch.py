"""What the fetches of national trade statistics share: years, whole answers, what was brought.

An edition is a calendar year (``2024``): all answers on all codes of interest. The publisher's word
on freshness is the newest month that it has published. When that changes, the current year and the
one before are asked again; an older year is asked once, and again when other codes are wanted. The
newest year comes first, and a year that a daily quota cuts off goes on the next night with the
answers that are here already (:class:`~.spool.Spool`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.catalog import Source
from pipelines.errors import FetchFailed
from pipelines.sources.fetching import (
    FetchedDocument,
    FetchedEdition,
    FetchFailure,
    FetchResult,
    Known,
    safe_file_name,
)
from pipelines.sources.http import PublisherClient, QuotaSpent
from pipelines.sources.spool import Spool

__all__ = [
    "Answers",
    "Collect",
    "Ledger",
    "YearWanted",
    "bring_years",
    "digest",
    "no_json",
    "put_off",
    "years_wanted",
]


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """:raises FetchFailed: the disk does not take what is written in the block."""
    try:
        yield
    except OSError as error:
        raise FetchFailed(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="make room or check the rights of the folder, then run again",
        ) from error


def no_json(body: bytes) -> str | None:
    """What is wrong with an answer that holds a sentence in place of data, or None."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        said = " ".join(body[:160].decode("utf-8", errors="replace").split())
        return f"answers 200 with words in place of data: {said}"
    return None


def digest(asked: Iterable[str]) -> str:
    """What is asked for, as a short hash: other codes give another one."""
    return hashlib.sha256("\n".join(sorted(asked)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class YearWanted:
    """A year that may have to be asked for.

    :ivar key: the publisher's word on freshness; empty for a year that is closed.
    :ivar asked: :func:`digest` of what would be asked.
    """

    year: int
    key: str
    asked: str

    @property
    def label(self) -> str:
        """Of the edition."""
        return str(self.year)


def years_wanted(
    newest: str, first_year: int, asked: str, years: Sequence[int] | None = None
) -> list[YearWanted]:
    """Years to look at, the newest first.

    :param newest: newest month that the publisher has (``2026-09``).
    :param years: only these; None for all since ``first_year``.
    """
    last = int(newest[:4])
    chosen = range(first_year, last + 1) if years is None else years
    return [
        YearWanted(year=year, key=newest if year >= last - 1 else "", asked=asked)
        for year in sorted(set(chosen), reverse=True)
    ]


class Ledger:
    """What was brought last of each year, kept in ``state_dir``.

    Without it nothing is lost: everything is asked for again and found to be held.
    """

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / "brought.json"

    def is_fresh(self, wanted: YearWanted, held: AbstractSet[str]) -> bool:
        """Whether the archive has what the publisher would give now.

        :param held: hashes of all documents that the archive has of this year, in any revision.
        """
        entry = self._read().get(wanted.label)
        if not isinstance(entry, dict):
            return False
        is_same = (entry.get("key"), entry.get("asked")) == (wanted.key, wanted.asked)
        return is_same and set(entry.get("documents", ())) <= held

    def note(self, wanted: YearWanted, documents: Iterable[FetchedDocument]) -> None:
        """Remember what was brought for ``wanted``.

        :raises FetchFailed: the disk does not take it.
        """
        entries = self._read()
        entries[wanted.label] = {
            "key": wanted.key,
            "asked": wanted.asked,
            "documents": sorted({d.sha256 for d in documents}),
        }
        with _writing(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._file.with_suffix(".tmp")
            temporary.write_text(json.dumps(entries, indent=1, sort_keys=True), encoding="utf-8")
            temporary.replace(self._file)

    def _read(self) -> dict[str, Any]:
        try:
            entries = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}


@dataclass(frozen=True, slots=True)
class Answers:
    """Asks for the answers of one year, each once, whatever happens between.

    :ivar doubt: as in :meth:`PublisherClient.get_bytes`.
    """

    client: PublisherClient
    spool: Spool
    key: str
    doubt: Callable[[bytes], str | None] | None = None
    documents: dict[str, FetchedDocument] = field(default_factory=dict)

    async def ask(
        self,
        name: str,
        url: str,
        params: Mapping[str, str | int] | None = None,
        *,
        settle: Callable[[bytes], bytes],
    ) -> bytes:
        """The answer, now or as it was kept; empty where the publisher has no content.

        :param settle: what of a whole answer is kept: nothing where it says that there is nothing;
            it raises ``FetchFailed`` where it is an error, or no answer to what was asked.
        :raises FetchFailed: no whole answer.
        """
        kept = self.spool.get(name, key=self.key)
        if kept is None:
            kept = self.spool.keep(await self._bring(name, url, params, settle), key=self.key)
        if kept.size_bytes:
            self.documents[name] = kept
        return kept.path.read_bytes()

    def forget(self, names: Iterable[str]) -> None:
        """Ask for these again: they do not go together."""
        for name in names:
            document = self.documents.pop(name, None)
            if document is not None:
                document.path.unlink(missing_ok=True)

    async def _bring(
        self,
        name: str,
        url: str,
        params: Mapping[str, str | int] | None,
        settle: Callable[[bytes], bytes],
    ) -> FetchedDocument:
        body = await self.client.get_bytes(url, params, accept="application/json", doubt=self.doubt)
        content = settle(body) if body else b""
        path = self.spool.folder / safe_file_name(name)
        with _writing(path):
            temporary = path.with_name(f"{path.name}.part")
            temporary.write_bytes(content)
            temporary.replace(path)
        return FetchedDocument(
            name=path.name,
            path=path,
            url=self.client.cited(_address(url, params)),
            sha256=hashlib.sha256(content).hexdigest(),
            md5=hashlib.md5(content).hexdigest(),  # noqa: S324
            size_bytes=len(content),
            retrieved_at=datetime.now(UTC),
            media_type="application/json",
        )


def _address(url: str, params: Mapping[str, str | int] | None) -> str:
    query = "&".join(f"{name}={value}" for name, value in (params or {}).items())
    return f"{url}?{query}".replace(" ", "%20") if query else url


#: All documents of a year; ``QuotaSpent`` ends the night, other failures are that year's alone.
Collect = Callable[[YearWanted, Spool], Awaitable[Sequence[FetchedDocument]]]


def put_off(source: Source, checked_at: datetime, error: QuotaSpent) -> FetchResult:
    """The answer of a night on which nothing could be asked any more."""
    return FetchResult(source.source_id, checked_at, notes=(f"nothing was asked: {error}",))


async def bring_years(
    source: Source,
    known: Known,
    *,
    state_dir: Path,
    wanted: Sequence[YearWanted],
    collect: Collect,
    checked_at: datetime,
) -> FetchResult:
    """Bring the years that are not held as the publisher has them.

    Answers are handed on where the spool keeps them, until the next night finds them held: so that
    who refuses them can make the spool forget them.

    :param wanted: the newest first.
    """
    ledger = Ledger(state_dir)
    editions: list[FetchedEdition] = []
    unchanged: list[str] = []
    failures: list[FetchFailure] = []
    notes: list[str] = []
    for year in wanted:
        held = known.edition(year.label)
        hashes = {
            document.sha256
            for edition in known.originals()
            if edition.label == year.label
            for document in edition.documents
        }
        spool = Spool(state_dir / year.label)
        if ledger.is_fresh(year, hashes):
            spool.clear()
            if held is not None:
                unchanged.append(year.label)
            continue
        try:
            documents = await collect(year, spool)
        except QuotaSpent as error:
            notes.append(f"{year.label}: put off with what has come: {error}")
            break
        except FetchFailed as error:
            failures.append(FetchFailure(year.label, error))
            continue
        ledger.note(year, documents)
        if not documents:
            notes.append(f"{year.label}: the publisher has nothing on the codes asked for")
        elif held and {d.sha256 for d in held.documents} == {d.sha256 for d in documents}:
            unchanged.append(year.label)
        else:
            editions.append(
                FetchedEdition(
                    label=year.label,
                    documents=tuple(sorted(documents, key=lambda d: d.name)),
                    replaces=held,
                    title=f"{source.title}, {year.label}",
                    url=source.homepage,
                    version_note=f"newest month {year.key}" if year.key else None,
                )
            )
    return FetchResult(
        source_id=source.source_id,
        checked_at=checked_at,
        editions=tuple(sorted(editions, key=lambda e: e.label)),
        unchanged=tuple(sorted(unchanged)),
        failures=tuple(failures),
        notes=tuple(notes),
    )
