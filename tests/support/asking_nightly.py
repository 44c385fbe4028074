"""A publisher's ``fetch`` asked night after night, with an archive in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from pipelines.catalog import load_catalog
from pipelines.sources import load_source
from pipelines.sources.allowance import Allowance
from pipelines.sources.base import Document, Parsed
from pipelines.sources.fetching import (
    FetchedEdition,
    FetchResult,
    HeldDocument,
    HeldEdition,
    Known,
)
from pipelines.sources.http import ApiKey, PublisherClient
from tests.emulator.app import Emulator
from tests.support.asking import quick

__all__ = ["House", "asked_since", "labels", "names"]


class House:
    """What a house remembers of one publisher: the archive, and the folder between nights.

    :param mirror: address of the emulator.
    :param key: shown as the catalogue says.
    """

    def __init__(
        self, source_id: str, folder: Path, mirror: str, *, key: str | None = None
    ) -> None:
        self.source = load_catalog().source(source_id)
        self.folder = folder
        self.mirror = mirror
        self.held: list[HeldEdition] = []
        self._keys: list[ApiKey] = []
        self._nights = 0
        spec = self.source.api.key
        if key is not None and spec is not None:
            self._keys.append(
                ApiKey(
                    host=spec.host,
                    value=SecretStr(key),
                    header=spec.header,
                    parameter=spec.parameter,
                )
            )

    @property
    def state_dir(self) -> Path:
        """What outlives a night."""
        return self.folder / "state"

    def night(self, *, per_day: int | None = None, **options: Any) -> FetchResult:
        """Ask once, and keep what is brought.

        :param per_day: requests of this night; None for as many as it takes.
        """
        self._nights += 1
        into = self.folder / f"night{self._nights}"
        module: Any = load_source(self.source.source_id)

        async def ask() -> FetchResult:
            allowance = Allowance(self.folder / f"requests{self._nights}.json", per_day)
            async with PublisherClient.for_source(
                self.source,
                settings=quick(mirror=self.mirror),
                keys=self._keys,
                allowance=allowance,
            ) as client:
                answer: FetchResult = await module.fetch(
                    self.source,
                    Known(tuple(self.held)),
                    client,
                    into,
                    state_dir=self.state_dir,
                    **options,
                )
                return answer

        result = asyncio.run(ask())
        self.held += [_held(edition) for edition in result.editions]
        return result

    def read(self, edition: FetchedEdition, **options: Any) -> Parsed:
        """What the reader makes of an edition."""
        module: Any = load_source(self.source.source_id)
        documents = [Document.of(d.path, d.name) for d in edition.documents]
        parsed: Parsed = module.parse(self.source.edition(edition.label), documents, **options)
        return parsed


def _held(edition: FetchedEdition) -> HeldEdition:
    return HeldEdition(
        label=edition.label,
        version=edition.version,
        documents=tuple(
            HeldDocument(
                name=d.name,
                sha256=d.sha256,
                url=d.url,
                size_bytes=d.size_bytes,
                md5=d.md5,
                path=d.path,
                retrieved_at=d.retrieved_at,
            )
            for d in edition.documents
        ),
    )


def labels(editions: Iterable[FetchedEdition]) -> list[str]:
    """Of editions, in their order."""
    return [edition.label for edition in editions]


def names(edition: FetchedEdition) -> list[str]:
    """Of an edition's documents, in their order."""
    return [document.name for document in edition.documents]


def asked_since(emulator: Emulator, before: int) -> int:
    """Requests since there were ``before``."""
    return len(emulator.requests) - before
