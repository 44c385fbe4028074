"""The contract between a publisher's ``fetch`` and whoever keeps the bytes.

Every module that asks a publisher offers ::

    async def fetch(
        source: Source, known: Known, client: PublisherClient, into: Path, **options
    ) -> FetchResult

``known`` says what the archive holds, so that only what is new or changed is brought; ``into`` is a
folder of the caller's (created when absent) below which whole documents are laid, never parts of
one. Options are passed by the names that a ``fetch`` gives its keyword parameters:

==================== ===============================================================================
``seeds_dir``        folder of the maps and code lists, where what is asked depends on them
``state_dir``        folder of this source that outlives the night (:class:`~.spool.Spool`)
``allowance``        the day's requests (:class:`~.allowance.Allowance`)
``years``            only these years (a backfill); None for what the publisher has news of
``editions``         only these labels (a backfill); None for what the publisher has news of
any other            from ``[fetch.<source>]`` of ``monazite.toml``
==================== ===============================================================================

A fetch brings bytes and says what they are; whether an edition is let in is decided
elsewhere. Fetching has no side effect but the files below ``into``: the caller moves what it
accepts and removes the rest.

How a result reads::

    FetchResult
    ├── editions    new or changed, each whole: all its documents, not only those that differ
    ├── unchanged   labels that the publisher still offers as they are held
    ├── failures    editions that could not be brought, each with its ``FetchFailed``
    └── notes       one line each on what was passed over and why

``fetch`` itself raises ``FetchFailed`` only where the publisher's listing could not be had, so that
nothing can be said of any edition. All times are aware and in UTC.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.errors import FetchFailed

if TYPE_CHECKING:
    from pipelines.catalog import Source
    from pipelines.sources.http import PublisherClient

__all__ = [
    "FetchFailure",
    "FetchFunction",
    "FetchResult",
    "FetchedDocument",
    "FetchedEdition",
    "HeldDocument",
    "HeldEdition",
    "Known",
    "safe_file_name",
]

_UNSAFE = re.compile(r"[^\w.() +,&=\-]+")
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_LONGEST_NAME = 180


@dataclass(frozen=True, slots=True)
class HeldDocument:
    """A document that the archive holds. Filled by the archive, read by ``fetch``.

    :ivar name: the name under which it is archived (:attr:`FetchedDocument.name`).
    :ivar url: the address it came from, as :attr:`FetchedDocument.url` told it; None if it was
        imported by hand.
    :ivar sha256: of the stored bytes, lower-case hexadecimal.
    :ivar size_bytes: length of the stored bytes.
    :ivar md5: of the stored bytes, where the archive keeps it; some publishers list nothing else.
    :ivar etag: the ``ETag`` header as received, quotes and ``W/`` included.
    :ivar last_modified: the ``Last-Modified`` header as received, an HTTP date.
    :ivar path: where its bytes lie in the archive.
    :ivar retrieved_at: when it came (UTC).
    """

    name: str
    sha256: str
    url: str | None = None
    size_bytes: int | None = None
    md5: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    path: Path | None = None
    retrieved_at: datetime | None = None

    def again(self) -> FetchedDocument:
        """The held bytes as a part of an edition of which other documents are new.

        :raises ValueError: nobody said where the bytes lie.
        """
        if self.path is None or self.retrieved_at is None or self.size_bytes is None:
            raise ValueError(f"nobody said where {self.name} lies")
        return FetchedDocument(
            name=self.name,
            path=self.path,
            url=self.url or "",
            sha256=self.sha256,
            md5=self.md5 or "",
            size_bytes=self.size_bytes,
            retrieved_at=self.retrieved_at,
            etag=self.etag,
            last_modified=self.last_modified,
        )


@dataclass(frozen=True, slots=True)
class HeldEdition:
    """An edition that the archive holds (accepted or refused: its bytes are there).

    :ivar label: :attr:`pipelines.catalog.Edition.label`.
    :ivar version: the publisher's version (``2.0``), None where it names none.
    :ivar documents: all documents of the edition.
    :ivar is_reexpressed: the documents are not the publisher's bytes (the starter's are not). Such
        an edition counts as held by nobody: a fetch brings the original.
    """

    label: str
    version: str | None = None
    documents: tuple[HeldDocument, ...] = ()
    is_reexpressed: bool = False

    def document(self, *, name: str | None = None, url: str | None = None) -> HeldDocument | None:
        """The held document of this name, or from this address, or None."""
        for document in self.documents:
            if (name is not None and document.name == name) or (
                url is not None and document.url == url
            ):
                return document
        return None


@dataclass(frozen=True, slots=True)
class Known:
    """What the archive holds of one source, in the order in which it was taken in.

    ``Known()`` is an empty archive.
    """

    editions: tuple[HeldEdition, ...] = ()

    def originals(self) -> tuple[HeldEdition, ...]:
        """Editions that are the publisher's own bytes."""
        return tuple(e for e in self.editions if not e.is_reexpressed)

    def edition(self, label: str, version: str | None = None) -> HeldEdition | None:
        """The original held under this label and version, the last taken in, or None."""
        return next(
            (e for e in reversed(self.originals()) if e.label == label and e.version == version),
            None,
        )

    def document(self, url: str) -> HeldDocument | None:
        """The original last brought from this address, or None."""
        for edition in reversed(self.originals()):
            found = edition.document(url=url)
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """A document brought whole, lying at ``path``.

    :ivar name: the publisher's file name, made safe; unique within its edition.
    :ivar path: where it lies, below the ``into`` of the call.
    :ivar url: the address to cite. It holds no key.
    :ivar sha256: of the file at ``path``, computed while it was written.
    :ivar md5: likewise; for comparison with publishers' listings.
    :ivar size_bytes: length of the file at ``path``.
    :ivar retrieved_at: when its last byte came (UTC).
    :ivar etag: ``ETag`` header as received, for the next conditional request.
    :ivar last_modified: ``Last-Modified`` header as received, likewise.
    :ivar media_type: ``Content-Type`` without parameters, lower case.
    """

    name: str
    path: Path
    url: str
    sha256: str
    md5: str
    size_bytes: int
    retrieved_at: datetime
    etag: str | None = None
    last_modified: str | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class FetchedEdition:
    """An edition that is new, or whose documents differ from those held.

    :ivar label: as in the catalogue (``2026``, ``HS92-202601``).
    :ivar version: as the publisher names it, or None.
    :ivar published: the day it was published, None where only a month or nothing is told.
    :ivar documents: all documents of the edition, at least one, whether or not one of them is held
        already (compare ``sha256``; the archive stores the same bytes once).
    :ivar replaces: the held edition of the same label *and* version whose bytes the publisher has
        changed without a new version, or None. The caller must tell the two apart itself.
    :ivar title: the publisher's title of it, or None.
    :ivar doi: without ``https://doi.org/``, or None.
    :ivar url: the page to cite, or None.
    :ivar version_note: what the publisher says of version and date in its own words
        (``ver. 2.0, April 2025``), or None.
    """

    label: str
    documents: tuple[FetchedDocument, ...]
    version: str | None = None
    published: date | None = None
    replaces: HeldEdition | None = None
    title: str | None = None
    doi: str | None = None
    url: str | None = None
    version_note: str | None = None


@dataclass(frozen=True, slots=True)
class FetchFailure:
    """An edition that the publisher offers but that could not be brought whole."""

    label: str
    error: FetchFailed


@dataclass(frozen=True, slots=True)
class FetchResult:
    """What a publisher had.

    :ivar source_id: of the catalogue entry that was asked for.
    :ivar checked_at: when the publisher was asked (UTC).
    :ivar editions: new or changed editions, oldest label first.
    :ivar unchanged: labels that the publisher still offers as they are held.
    :ivar failures: editions that could not be brought; the others are not touched by them.
    :ivar notes: one line each on what was passed over and why.
    """

    source_id: str
    checked_at: datetime
    editions: tuple[FetchedEdition, ...] = ()
    unchanged: tuple[str, ...] = ()
    failures: tuple[FetchFailure, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def is_nothing_new(self) -> bool:
        """The publisher was reached and everything it offers is held."""
        return not self.editions and not self.failures


class FetchFunction(Protocol):
    """The type of every publisher's ``fetch``."""

    async def __call__(
        self,
        source: Source,
        known: Known,
        client: PublisherClient,
        into: Path,
        **options: Any,
    ) -> FetchResult:
        """Bring what is new or changed.

        :raises FetchFailed: the publisher's listing could not be had.
        """
        ...


def safe_file_name(name: str, *, taken: Iterable[str] = ()) -> str:
    """A publisher's file name as one that is safe in a folder of ours.

    Only the last component stays, characters outside letters, digits and ``._()+,&=- `` become
    ``_``, leading dots go, and a name longer than the file system bears is cut with a hash of the
    whole. A name in ``taken`` (compared without case) gets a hash of itself as well.

    >>> safe_file_name("../../etc/MCS2026 Data.csv")
    'MCS2026 Data.csv'
    """
    last = re.split(r"[\\/]", name)[-1]
    clean = _UNSAFE.sub("_", last).lstrip(". ").rstrip(". ") or "document"
    if _RESERVED.match(clean):
        clean = f"_{clean}"
    stem, dot, suffix = clean.rpartition(".")
    if not dot or len(suffix) > 10:
        stem, suffix = clean, ""
    tail = f".{suffix}" if suffix else ""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    if len(clean.encode()) > _LONGEST_NAME:
        cut = stem.encode()[: _LONGEST_NAME - 20].decode(errors="ignore")
        clean = f"{cut}-{digest}{tail}"
    if clean.casefold() in {t.casefold() for t in taken}:
        stem = clean.removesuffix(tail) if tail else clean
        clean = f"{stem}-{digest}{tail}"
    return clean
