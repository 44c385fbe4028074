"""The store of bytes: what publishers gave, kept for good.

::

    archive/
    ├── blobs/<aa>/<sha256>                           bytes, once, read-only
    ├── editions/<source_id>/<edition_id>/edition.json   what they are, where from, on which terms
    ├── refusals/<source_id>/<edition_id>.json        what was not let in, and why
    └── incoming/                                     bytes that nobody has decided on yet

An edition is there when its ``edition.json`` is there; that file appears in one step after all of
its bytes, so a crash at any moment leaves no half document and no half edition. Nothing accepted
is ever changed or removed. An edition whose bytes change under the same label and version is a new
edition with a revision: version ``2.0`` is followed by ``2.0.r2``, ``2.0.r3``, and no version by
``r2``, ``r3``.

Nothing is parsed here.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, NamedTuple

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.archive.files import (
    TEMPORARY,
    Hashed,
    copy_hashed,
    hash_file,
    make_folder,
    new_file,
    remove_temporary,
    sync_folder,
    write_file,
    writing,
)
from pipelines.archive.profile import EditionProfile
from pipelines.catalog import Edition, EditionScope, Licence, Source
from pipelines.errors import ArchiveDamaged, DocumentUnreadable, EditionRefused, MonaziteError
from pipelines.sources.base import Document

__all__ = [
    "Archive",
    "ArchiveProblem",
    "ArchivedEdition",
    "Original",
    "ProblemKind",
    "Refusal",
    "StoredDocument",
    "content_digest",
]

_MANIFEST = "edition.json"
_MOVING = "moving.json"
_READ_ONLY = 0o444
#: Seconds to wait for another process; the import of a year of bulk trade takes minutes.
_PATIENCE = 3600.0


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Original(_Record):
    """The publisher's document whose figures a re-expressed document carries.

    :ivar sha256: of the original, where known; several are joined by a blank.
    :ivar place: which part of the original was carried over.
    """

    url: str | None = None
    sha256: str | None = None
    place: str | None = None


class StoredDocument(_Record):
    """A document of an edition. Its bytes lie below ``blobs`` under their sha256.

    :ivar name: the publisher's file name; tells the reader what the bytes are.
    :ivar url: where it was fetched; None when a person brought it.
    :ivar retrieved_at: when it came here (UTC).
    :ivar is_reexpressed: our own writing of the publisher's figures, not the publisher's bytes.
    """

    name: str
    sha256: str
    size_bytes: int
    md5: str | None = None
    url: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    media_type: str | None = None
    published: date | None = None
    retrieved_at: datetime
    is_reexpressed: bool = False
    original: Original | None = None


class ArchivedEdition(_Record):
    """An accepted edition, as its manifest states it.

    :ivar edition: identity and citation; ``edition.version`` carries the revision.
    :ivar publisher_version: the version as the publisher names it, without our revision.
    :ivar revision: 1, or 2 and up where the bytes changed under the same label and version.
    :ivar licence: terms on the day of acceptance.
    :ivar summary: what the reader made of it on the day of acceptance.
    :ivar force_reason: why a person let it in although it differed too much from the last one.
    """

    edition: Edition
    publisher_version: str | None = None
    revision: int = 1
    title: str
    publisher: str
    licence: Licence
    scope: EditionScope
    is_official: bool
    documents: tuple[StoredDocument, ...]
    summary: EditionProfile
    accepted_at: datetime
    force_reason: str | None = None

    @property
    def edition_id(self) -> str:
        """``source_edition_id`` of its rows."""
        return self.edition.edition_id

    @property
    def base_id(self) -> str:
        """The id that the edition would have without a revision."""
        return self.edition.model_copy(update={"version": self.publisher_version}).edition_id

    @property
    def hashes(self) -> frozenset[str]:
        """The sha256 of its documents."""
        return frozenset(d.sha256 for d in self.documents)


class Refusal(_Record):
    """An edition that was not let in.

    :ivar context: fingerprint of everything that led to the refusal but the bytes (reader, drift
        limits, the edition it was compared with); while it and ``digest`` stay the same, so does
        the answer.
    :ivar digest: :func:`content_digest` of the documents.
    :ivar kind: name of the error's class.
    :ivar reason: the error's one line.
    :ivar is_kept: the bytes lie below ``blobs``, so that the edition can be read again without
        asking the publisher again.
    """

    edition: Edition
    digest: str
    context: str
    kind: str
    reason: str
    refused_at: datetime
    documents: tuple[StoredDocument, ...]
    is_kept: bool = False

    @property
    def source_id(self) -> str:
        """The source that it was offered for."""
        return self.edition.source_id

    def __str__(self) -> str:
        return f"{self.edition.edition_id} ({self.refused_at:%Y-%m-%d}): {self.reason}"


class ProblemKind(StrEnum):
    """What ``verify`` can find."""

    DAMAGED = "damaged"
    MISSING = "missing"
    EXTRA = "extra"
    MANIFEST = "manifest"


class ArchiveProblem(NamedTuple):
    """One thing that is wrong with the archive."""

    kind: ProblemKind
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} [{self.where}]"


def content_digest(documents: Iterable[StoredDocument | Document]) -> str:
    """A hash over the bytes of documents, whatever their names and order."""
    return hashlib.sha256("\n".join(sorted(d.sha256 for d in documents)).encode()).hexdigest()


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Archive:
    """The publishers' bytes below ``root``. Reading needs no lock; every write takes it.

    :param root: folder of the archive; it appears with the first write.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    # Places

    @property
    def _blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def _incoming(self) -> Path:
        return self.root / "incoming"

    @property
    def _editions(self) -> Path:
        return self.root / "editions"

    @property
    def _refusals(self) -> Path:
        return self.root / "refusals"

    def _blob(self, sha256: str) -> Path:
        return self._blobs / sha256[:2] / sha256

    def path(self, sha256: str) -> Path:
        """Where these bytes lie: stored, or still to be decided on."""
        blob = self._blob(sha256)
        return blob if blob.exists() else self._incoming / sha256

    # Writing

    @contextmanager
    def lock(self, *, timeout_seconds: float = _PATIENCE) -> Iterator[None]:
        """Keep other processes from writing; may be taken again by who has it.

        :raises MonaziteError: another process held it for all of ``timeout_seconds``.
        """
        path = self.root / ".lock"
        with writing(path):
            make_folder(self.root)
        lock = FileLock(path, is_singleton=True)
        try:
            lock.acquire(timeout=timeout_seconds)
        except Timeout:
            raise MonaziteError(
                f"another process has been writing to this archive for {timeout_seconds:,.0f} s",
                where=str(path),
                remedy="wait until it ends, then run again",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def add_document(
        self,
        content: Path | BinaryIO | bytes,
        *,
        name: str,
        url: str | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
        media_type: str | None = None,
        published: date | None = None,
        retrieved_at: datetime | None = None,
        is_reexpressed: bool = False,
        original: Original | None = None,
        sha256: str | None = None,
    ) -> StoredDocument:
        """Take bytes in; they become part of the archive when :meth:`accept` names them.

        Bytes that the archive has are not written again, unless the stored ones are damaged: then
        these take their place.

        :param content: a file, an open binary stream, or the bytes.
        :param sha256: what the bytes must hash to, where somebody has hashed them before.
        :raises DocumentUnreadable: they hash to something else.
        :raises MonaziteError: ``content`` cannot be read, or the archive cannot be written.
        """
        with self.lock(), writing(self._incoming):
            with new_file(self._incoming, "document") as (temporary, stream):
                seen = self._copy(content, stream, name)
            try:
                if sha256 is not None and seen.sha256 != sha256:
                    raise DocumentUnreadable(
                        f"hashes to {seen.sha256[:12]}, not to {sha256[:12]} as when fetched",
                        where=name,
                        remedy="it was changed on the way: fetch it again",
                    )
                self._settle(temporary, seen)
            finally:
                temporary.unlink(missing_ok=True)
        return StoredDocument(
            name=name,
            sha256=seen.sha256,
            size_bytes=seen.size_bytes,
            md5=seen.md5,
            url=url,
            etag=etag,
            last_modified=last_modified,
            media_type=media_type,
            published=published,
            retrieved_at=retrieved_at or _utc_now(),
            is_reexpressed=is_reexpressed,
            original=original,
        )

    @staticmethod
    def _copy(content: Path | BinaryIO | bytes, target: BinaryIO, name: str) -> Hashed:
        if isinstance(content, bytes):
            return copy_hashed(io.BytesIO(content), target, name=name)
        if isinstance(content, Path):
            try:
                source = content.open("rb")
            except OSError as error:
                raise MonaziteError(
                    f"cannot be read: {error.strerror or error}",
                    where=str(content),
                    remedy="check the path and its permissions",
                ) from error
            with source:
                return copy_hashed(source, target, name=str(content))
        return copy_hashed(content, target, name=name)

    def _settle(self, temporary: Path, seen: Hashed) -> None:
        blob = self._blob(seen.sha256)
        if blob.exists():
            if hash_file(blob).sha256 != seen.sha256:
                temporary.chmod(_READ_ONLY)
                temporary.replace(blob)
                sync_folder(blob.parent)
            return
        temporary.chmod(_READ_ONLY)
        temporary.replace(self._incoming / seen.sha256)

    def _store(self, documents: Iterable[StoredDocument]) -> None:
        """Move what is incoming to its place.

        What is being moved is written down first, so that bytes which no manifest came to name
        (a crash, a full disk) can be told from others: :meth:`clear_incoming` takes them back.
        """
        new = sorted({d.sha256 for d in documents if not self._blob(d.sha256).exists()})
        if not new:
            return
        write_file(self._incoming / _MOVING, json.dumps(new).encode())
        for sha256 in new:
            blob = self._blob(sha256)
            make_folder(blob.parent)
            try:
                (self._incoming / sha256).replace(blob)
            except FileNotFoundError as error:
                raise MonaziteError(
                    f"bytes {sha256[:12]} were never brought in", where=str(self._incoming)
                ) from error
            sync_folder(blob.parent)

    def accept(
        self,
        edition: Edition,
        documents: Sequence[StoredDocument],
        summary: EditionProfile,
        *,
        source: Source,
        publisher_version: str | None = None,
        revision: int = 1,
        force_reason: str | None = None,
    ) -> ArchivedEdition:
        """Make an edition part of the archive, for good, and clear refusals of its label.

        :param edition: under the id that its rows carry (with a revision, see
            :meth:`next_revision`).
        :param documents: from :meth:`add_document` or from another edition of this archive.
        :raises MonaziteError: an edition of this id is there already, or writing failed.
        """
        archived = ArchivedEdition(
            edition=edition,
            publisher_version=publisher_version if revision > 1 else edition.version,
            revision=revision,
            title=source.title,
            publisher=source.publisher,
            licence=source.licence,
            scope=source.scope,
            is_official=source.is_official,
            documents=tuple(sorted(documents, key=lambda d: d.name)),
            summary=summary,
            accepted_at=_utc_now(),
            force_reason=force_reason,
        )
        folder = self._editions / edition.source_id / edition.edition_id
        with self.lock(), writing(folder):
            if folder.exists():
                raise MonaziteError(
                    f"edition {edition.edition_id} is in the archive already", where=str(folder)
                )
            self._store(archived.documents)
            beside = folder.with_name(f".{folder.name}{TEMPORARY}")
            shutil.rmtree(beside, ignore_errors=True)
            write_file(
                beside / _MANIFEST, archived.model_dump_json(indent=1).encode("utf-8") + b"\n"
            )
            (beside / _MANIFEST).chmod(_READ_ONLY)
            beside.rename(folder)
            sync_folder(folder.parent)
        self.clear_refusals(edition.source_id, edition.label)
        return archived

    def _moving(self) -> frozenset[str]:
        """Bytes that were on their way to their place when somebody last wrote here."""
        try:
            return frozenset(json.loads((self._incoming / _MOVING).read_bytes()))
        except (OSError, ValueError):
            return frozenset()

    def clear_incoming(self) -> None:
        """Drop what nobody decided on; for who holds the lock."""
        with suppress(OSError):
            self._drop_unnamed(self._moving())
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (*self._editions.glob("*"), *self._refusals.glob("*")):
            remove_temporary(folder)

    # Editions

    def editions(self, source_id: str | None = None) -> list[ArchivedEdition]:
        """Accepted editions, of one source or of all, oldest first.

        Order: source, then date of publication, label, revision; an unknown date comes last.

        :raises ArchiveDamaged: a manifest cannot be read.
        """
        folders = (
            [self._editions / source_id]
            if source_id is not None
            else sorted(p for p in self._editions.glob("*") if not p.name.startswith("."))
        )
        found = [
            self._read_manifest(path)
            for folder in folders
            for path in folder.glob(f"*/{_MANIFEST}")
            if not path.parent.name.startswith(".")
        ]
        return sorted(found, key=_order)

    @staticmethod
    def _read_manifest(path: Path) -> ArchivedEdition:
        try:
            archived = ArchivedEdition.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ArchiveDamaged(
                f"manifest cannot be read ({str(error).splitlines()[0]})",
                where=str(path),
                remedy="restore it from a backup, or remove its folder and import it again",
            ) from error
        if (archived.edition_id, archived.edition.source_id) != (
            path.parent.name,
            path.parent.parent.name,
        ):
            raise ArchiveDamaged(
                f"manifest is of {archived.edition_id}, not of this folder",
                where=str(path),
                remedy="restore the folder from a backup",
            )
        return archived

    def latest(self, source_id: str) -> ArchivedEdition | None:
        """The last edition of a source in the order of :meth:`editions`, None if there is none."""
        editions = self.editions(source_id)
        return editions[-1] if editions else None

    def next_revision(self, edition: Edition) -> tuple[Edition, int]:
        """``edition`` under an id that is free, and its revision (1: the id was free)."""
        taken = {e.edition_id for e in self.editions(edition.source_id)}
        revision, free = 1, edition
        while free.edition_id in taken:
            revision += 1
            version = ".".join(filter(None, (edition.version, f"r{revision}")))
            free = edition.model_copy(update={"version": version})
        return free, revision

    def documents(self, edition: ArchivedEdition | Refusal) -> list[Document]:
        """The documents as a reader takes them, by name."""
        return self.as_documents(edition.documents)

    def as_documents(self, documents: Iterable[StoredDocument]) -> list[Document]:
        """Stored or incoming documents as a reader takes them, by name."""
        return [
            Document(name=d.name, path=self.path(d.sha256), sha256=d.sha256)
            for d in sorted(documents, key=lambda d: d.name)
        ]

    @staticmethod
    def digest(edition: ArchivedEdition) -> str:
        """An edition as one hash: names and bytes of its documents, label, version and date."""
        content = {
            "source_id": edition.edition.source_id,
            "label": edition.edition.label,
            "version": edition.edition.version,
            "published": edition.edition.published and edition.edition.published.isoformat(),
            "documents": sorted([d.name, d.sha256] for d in edition.documents),
        }
        text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def check(self, edition: ArchivedEdition | Refusal) -> None:
        """Hash the bytes of an edition again.

        :raises ArchiveDamaged: they are gone or changed.
        """
        for document in edition.documents:
            problem = self._problem(document)
            if problem is not None:
                raise ArchiveDamaged(
                    problem.message,
                    where=problem.where,
                    remedy="import the document again: sound bytes take the place of damaged ones",
                )

    def _problem(self, document: StoredDocument) -> ArchiveProblem | None:
        blob = self._blob(document.sha256)
        if not blob.is_file():
            return ArchiveProblem(
                ProblemKind.MISSING, str(blob), f"bytes of {document.name} are missing"
            )
        seen = hash_file(blob)
        if seen.sha256 != document.sha256:
            return ArchiveProblem(
                ProblemKind.DAMAGED,
                str(blob),
                f"bytes of {document.name} no longer match their hash "
                f"({document.size_bytes:,} bytes when stored, {seen.size_bytes:,} now)",
            )
        return None

    def verify(self) -> list[ArchiveProblem]:
        """Read every manifest and hash every document again; empty when all is well."""
        problems: list[ArchiveProblem] = []
        wanted: dict[str, StoredDocument] = {}
        for path in sorted(self._editions.glob(f"*/*/{_MANIFEST}")):
            if path.parent.name.startswith("."):
                continue
            try:
                archived = self._read_manifest(path)
            except ArchiveDamaged as error:
                problems.append(ArchiveProblem(ProblemKind.MANIFEST, str(path), error.what))
                continue
            wanted.update({d.sha256: d for d in archived.documents})
        for refusal in self.refusals():
            if refusal.is_kept:
                wanted.update({d.sha256: d for d in refusal.documents})
        for sha256 in sorted(wanted):
            problem = self._problem(wanted[sha256])
            if problem is not None:
                problems.append(problem)
        expected = wanted.keys() | self._moving()
        problems += [
            ArchiveProblem(ProblemKind.EXTRA, str(path), "bytes that no edition names")
            for path in sorted(p for p in self._blobs.rglob("*") if p.is_file())
            if path.name not in expected or path != self._blob(path.name)
        ]
        return problems

    # Refusals

    def _refusal_path(self, edition: Edition) -> Path:
        return self._refusals / edition.source_id / f"{edition.edition_id}.json"

    def record_refusal(
        self,
        edition: Edition,
        documents: Sequence[StoredDocument],
        error: EditionRefused,
        *,
        context: str,
        keep: bool = False,
    ) -> Refusal:
        """Remember that an edition was not let in; one refusal a label and version, the last.

        :param keep: keep the bytes, so that they need not be fetched again.
        """
        refusal = Refusal(
            edition=edition,
            digest=content_digest(documents),
            context=context,
            kind=type(error).__name__,
            reason=str(error),
            refused_at=_utc_now(),
            documents=tuple(sorted(documents, key=lambda d: d.name)),
            is_kept=keep,
        )
        path = self._refusal_path(edition)
        with self.lock(), writing(path):
            if keep:
                self._store(refusal.documents)
            earlier = [
                r
                for r in self.refusals(edition.source_id)
                if r.edition.edition_id == edition.edition_id
            ]
            write_file(path, refusal.model_dump_json(indent=1).encode("utf-8") + b"\n")
            self._drop_unnamed(d.sha256 for r in earlier if r.is_kept for d in r.documents)
        return refusal

    def refusals(self, source_id: str | None = None) -> list[Refusal]:
        """Editions that were not let in and have not been since, by source and edition."""
        found = []
        for path in sorted(self._refusals.glob(f"{source_id or '*'}/*.json")):
            if path.name.startswith("."):
                continue
            try:
                found.append(Refusal.model_validate_json(path.read_bytes()))
            except (OSError, ValidationError):
                # A note, not data: a damaged one is forgotten and the edition looked at again.
                continue
        return found

    def clear_refusals(self, source_id: str, label: str) -> None:
        """Forget refusals of a label, with the bytes that were kept for them only."""
        with self.lock(), suppress(OSError):
            cleared = [r for r in self.refusals(source_id) if r.edition.label == label]
            for refusal in cleared:
                self._refusal_path(refusal.edition).unlink(missing_ok=True)
            self._drop_unnamed(d.sha256 for r in cleared if r.is_kept for d in r.documents)

    def _drop_unnamed(self, hashes: Iterable[str]) -> None:
        """Remove those of these bytes that neither an edition nor a kept refusal names."""
        candidates = set(hashes)
        if not candidates:
            return
        try:
            named = {d.sha256 for e in self.editions() for d in e.documents}
        except ArchiveDamaged:
            return  # who knows what the damaged manifest names
        named |= {d.sha256 for r in self.refusals() if r.is_kept for d in r.documents}
        for sha256 in candidates - named:
            self._blob(sha256).unlink(missing_ok=True)


def _order(archived: ArchivedEdition) -> tuple[str, bool, date, str, int, str]:
    edition = archived.edition
    return (
        edition.source_id,
        edition.published is None,
        edition.published or date.max,
        edition.label,
        archived.revision,
        archived.edition_id,
    )
