"""Who brings documents: a person, a publisher's answer, or the starter that comes with the code."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.archive.profile import RawState
from pipelines.archive.store import (
    Archive,
    Original,
    Refusal,
    StoredDocument,
    content_digest,
)
from pipelines.catalog import Catalog, Edition, Source
from pipelines.errors import DocumentUnreadable, EditionRefused, UsageError
from pipelines.ingest.door import Offer, take_in
from pipelines.ingest.raw import ensure_schemas
from pipelines.ingest.reading import is_lasting
from pipelines.ingest.result import IngestResult, refused, unchanged
from pipelines.settings import Settings
from pipelines.sources.fetching import (
    FetchedEdition,
    FetchResult,
    HeldDocument,
    HeldEdition,
    Known,
)

__all__ = ["ingest_documents", "ingest_fetched", "ingest_starter", "known"]

_LONGEST_LABEL = 80
#: The id of an edition keeps only these of its label.
_LABEL = re.compile(r"[A-Za-z0-9]")
#: Control characters, and bytes that are no UTF-8.
_NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SHEET = "edition.yml"
#: Refusals of bytes that say nothing; the others are of what the publisher does say.
_UNREADABLE = frozenset({DocumentUnreadable.__name__, EditionRefused.__name__})
#: For so long what cannot be read is asked for again; then it is taken as the publisher's word.
_UNREADABLE_ASKED_AGAIN = timedelta(days=3)


@contextmanager
def _open_door(settings: Settings, catalog: Catalog) -> Iterator[Archive]:
    """The archive, locked, with nothing undecided in it before and after."""
    archive = Archive(settings.archive_dir)
    with archive.lock():
        ensure_schemas(settings, catalog)
        archive.clear_incoming()
        try:
            yield archive
        finally:
            archive.clear_incoming()


# A person


def ingest_documents(
    settings: Settings,
    catalog: Catalog,
    source_id: str,
    paths: Sequence[Path],
    *,
    label: str | None = None,
    published: date | None = None,
    force_reason: str | None = None,
) -> IngestResult:
    """Put documents obtained elsewhere through the door, as one edition.

    :param paths: files; a folder stands for all files below it.
    :param label: of the edition; else what the file names tell (those inside a zip where the zip's
        own tells nothing), else ``import-`` and the first digits of the documents' hash.
    :param published: day of publication; else the catalogue's for this label.
    :param force_reason: why to let the edition in although it differs too much from the last one;
        kept in its manifest.
    :raises UsageError: no such source or file, no reader, file names that tell several editions, or
        a label that cannot be one.
    :raises MonaziteError: a file cannot be read, or the archive cannot be written.
    """
    source = catalog.source(source_id)
    files = _files(paths)
    if label is not None:
        label = _checked(label)
    if force_reason is not None and not force_reason.strip():
        raise UsageError("a reason is needed to let an edition in by force")
    told = label or _told_label(source, files)
    with _open_door(settings, catalog) as archive:
        documents = tuple(
            archive.add_document(path, name=name, published=published)
            for name, path in sorted(files.items())
        )
        notes: tuple[str, ...] = ()
        if told is None:
            told = f"import-{content_digest(documents)[:8]}"
            notes = ("the file names tell no edition (--edition LABEL)",)
        offer = Offer(
            source=source,
            edition=source.edition(told, published=published),
            documents=documents,
            force_reason=force_reason,
            notes=notes,
        )
        return take_in(settings, archive, offer)


def _checked(label: str) -> str:
    label = label.strip()
    if not _LABEL.search(label) or len(label) > _LONGEST_LABEL or not label.isprintable():
        raise UsageError(
            f"{label[:_LONGEST_LABEL]!r} cannot be the label of an edition",
            remedy=f"use letters A to Z and digits, {_LONGEST_LABEL} at most, such as 2026",
        )
    return label


def _files(paths: Sequence[Path]) -> dict[str, Path]:
    """Name within the edition to file."""
    found: dict[str, Path] = {}
    for given in paths:
        path = given.expanduser()
        if path.is_dir():
            inner = {
                p.relative_to(path).as_posix(): p for p in sorted(path.rglob("*")) if p.is_file()
            }
            named = {
                name: p
                for name, p in inner.items()
                if not any(part.startswith(".") for part in name.split("/"))
            }
            if not named:
                raise UsageError("the folder holds no file", where=str(given))
        elif path.is_file():
            named = {path.name: path}
        else:
            what = "this is not a regular file" if path.exists() else "the file does not exist"
            raise UsageError(what, where=str(given), remedy="give the path of a document")
        for name, file in named.items():
            if _NO_NAME.search(name):
                raise UsageError(
                    "a file name holds control characters or is not UTF-8",
                    where=repr(name),
                    remedy="rename the file",
                )
            if name in found and not file.samefile(found[name]):
                raise UsageError(
                    f"two files are named {name}",
                    where=f"{found[name]} and {file}",
                    remedy="rename one, or import the folder that holds both",
                )
            found[name] = file
    if not found:
        raise UsageError("no document given", remedy="name at least one file")
    return found


def _told_label(source: Source, files: dict[str, Path]) -> str | None:
    """The one label that the names of these files tell, None where they tell nothing.

    :raises UsageError: they tell several.
    """
    told: dict[str, str] = {}
    for name, path in files.items():
        label = source.label_from_name(name) or _label_inside(source, path)
        if label is not None:
            told.setdefault(label, name)
    labels = _widest(told)
    if len(labels) > 1:
        raise UsageError(
            "the files belong to several editions: "
            + ", ".join(f"{label} ({told[label]})" for label in labels[:4]),
            remedy="import each edition by itself, or name one with --edition LABEL",
        )
    return labels[0] if labels else None


def _widest(labels: Iterable[str]) -> list[str]:
    """Labels without those that only say a part of another.

    A file that goes with several series names their common part: ``V202601`` beside
    ``HS92-V202601``.
    """
    parts = {label: set(label.split("-")) for label in labels}
    return sorted(
        label for label, mine in parts.items() if not any(mine < p for p in parts.values())
    )


def _label_inside(source: Source, path: Path) -> str | None:
    """The one label that the names inside a zip tell."""
    if path.suffix.lower() != ".zip":
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None  # the reader will say what is wrong with it
    told = (source.label_from_name(name.rsplit("/", 1)[-1]) for name in names)
    labels = _widest(label for label in told if label is not None)
    return labels[0] if len(labels) == 1 else None


# A publisher's answer


def known(settings: Settings, source_id: str) -> Known:
    """What the archive holds of a source, for ``fetch``: accepted, or refused and kept.

    What was refused as unreadable in the last days is left out, so that it is asked for again: a
    publisher who had a fault may have mended it without a new version or ETag.
    """
    archive = Archive(settings.archive_dir)
    held = [
        (e.accepted_at, e.edition_id, e.edition.label, e.publisher_version, e.documents)
        for e in archive.editions(source_id)
    ] + [
        (r.refused_at, r.edition.edition_id, r.edition.label, r.edition.version, r.documents)
        for r in archive.refusals(source_id)
        if r.is_kept and not _may_be_mended(r)
    ]
    return Known(
        editions=tuple(
            HeldEdition(
                label=label,
                version=version,
                documents=tuple(_as_held(archive, d) for d in documents),
                is_reexpressed=any(d.is_reexpressed for d in documents),
            )
            for _, _, label, version, documents in sorted(held, key=lambda h: h[:2])
        )
    )


def _may_be_mended(refusal: Refusal) -> bool:
    is_recent = datetime.now(UTC) - refusal.refused_at < _UNREADABLE_ASKED_AGAIN
    return refusal.kind in _UNREADABLE and is_recent


def _as_held(archive: Archive, document: StoredDocument) -> HeldDocument:
    return HeldDocument(
        name=document.name,
        sha256=document.sha256,
        url=document.url,
        size_bytes=document.size_bytes,
        md5=document.md5,
        etag=document.etag,
        last_modified=document.last_modified,
        path=archive.path(document.sha256),
        retrieved_at=document.retrieved_at,
    )


def ingest_fetched(
    settings: Settings, catalog: Catalog, fetched: FetchResult
) -> list[IngestResult]:
    """Put what a publisher gave through the door, edition by edition.

    A refused edition is kept, so that it is not fetched again (:func:`retry_refused` looks at it
    when the reader has changed). What the publisher offers unchanged and what it failed to give is
    reported too, so that the list is the whole answer.

    :param fetched: of :mod:`pipelines.sources.fetching`; its files are copied, not moved.
    :raises MonaziteError: the archive or the disk cannot be used.
    """
    source = catalog.source(fetched.source_id)
    results: list[IngestResult] = []
    with _open_door(settings, catalog) as archive:
        for edition in fetched.editions:
            try:
                offer = _offer_fetched(archive, source, edition)
                result = take_in(settings, archive, offer)
                if result.refused is not None and (
                    not isinstance(result.error, EditionRefused) or is_lasting(result.error)
                ):
                    _forget_spooled(settings, edition)
                results.append(result)
            except (EditionRefused, UsageError) as error:
                identity = _identity(source, edition)
                results.append(refused(source.source_id, edition.label, identity.edition_id, error))
        held = archive.editions(source.source_id)
    for label in fetched.unchanged:
        newest = next((e for e in reversed(held) if e.edition.label == label), None)
        if newest is not None:
            state = RawState.read(settings.raw_dir, newest.edition_id)
            results.append(unchanged(newest, state.profile if state else None))
    for failure in fetched.failures:
        identity = source.edition(failure.label)
        results.append(refused(source.source_id, failure.label, identity.edition_id, failure.error))
    return results


def _forget_spooled(settings: Settings, edition: FetchedEdition) -> None:
    """Answers that were refused are not offered again by the spool that kept them: the archive has
    their bytes.
    """
    for document in edition.documents:
        if settings.fetch_dir in document.path.parents:
            document.path.unlink(missing_ok=True)


def _identity(source: Source, fetched: FetchedEdition) -> Edition:
    """The edition as the publisher names it; what it leaves out, as the catalogue has it."""
    edition = source.edition(fetched.label, published=fetched.published)
    told: dict[str, Any] = {
        "doi": fetched.doi or edition.doi,
        "url": fetched.url or edition.url,
        "version": fetched.version or edition.version,
    }
    if told["version"] != edition.version:
        # The catalogue speaks of another version: its date is not this one's.
        told["published"] = fetched.published
    return edition.model_copy(update=told)


def _offer_fetched(archive: Archive, source: Source, fetched: FetchedEdition) -> Offer:
    documents = tuple(
        archive.add_document(
            d.path,
            name=d.name,
            url=d.url,
            etag=d.etag,
            last_modified=d.last_modified,
            media_type=d.media_type,
            published=fetched.published,
            retrieved_at=d.retrieved_at,
            sha256=d.sha256,
        )
        for d in fetched.documents
    )
    return Offer(
        source=source,
        edition=_identity(source, fetched),
        documents=documents,
        is_retried=False,
        is_kept=True,
    )


# The starter


class _Described(BaseModel):
    """A document in an edition sheet of the starter."""

    model_config = ConfigDict(extra="forbid")

    document: str
    url: str
    sha256: str | None = None
    place: str | None = None


class _Sheet(BaseModel):
    """``edition.yml`` of the starter."""

    model_config = ConfigDict(extra="forbid")

    source_id: str
    label: str
    version: str | None = None
    published: date | None = None
    citation: str
    is_reexpressed: bool
    note: str | None = None
    documents: tuple[_Described, ...]


def ingest_starter(
    settings: Settings,
    catalog: Catalog,
    sources: Collection[str] | None = None,
    *,
    stands_in: bool = False,
) -> list[IngestResult]:
    """Put the starter's editions through the door, as long as nobody has brought others.

    Nothing is done once the archive holds one edition that is not the starter's. Until then what is
    missing is brought in, so an interrupted first run is completed by the next.

    :param sources: only these; None for all.
    :param stands_in: look at the editions of ``sources`` alone: the starter stands in for them
        although other publishers have been asked themselves.
    :raises MonaziteError: the archive or the disk cannot be used.
    """
    archive = Archive(settings.archive_dir)
    others = [
        e
        for e in archive.editions()
        if not stands_in or sources is None or e.edition.source_id in sources
    ]
    if any(not e.edition.is_reexpressed for e in others):
        return []
    sheets = [
        path
        for path in sorted(settings.starter.glob(f"*/*/{_SHEET}"))
        if sources is None or path.parent.parent.name in sources
    ]
    results: list[tuple[date, IngestResult | None, Path]] = []
    with _open_door(settings, catalog) as door:
        read: list[tuple[date, str, Path, _Sheet]] = []
        for path in sheets:
            try:
                sheet = _read_sheet(path)
            except EditionRefused as error:
                source_id, label = path.parent.parent.name, path.parent.name
                failed = refused(source_id, label, f"{source_id}-{label}", error)
                results.append((date.min, failed, path))
                continue
            read.append((sheet.published or date.max, sheet.label, path, sheet))
        for day, _, path, sheet in sorted(read, key=lambda r: r[:3]):
            results.append((day, _take_in_sheet(settings, catalog, door, path, sheet), path))
    return [result for _, result, _ in results if result is not None]


def _read_sheet(path: Path) -> _Sheet:
    try:
        sheet = _Sheet.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise EditionRefused(
            f"edition sheet is malformed: {str(error)[:200]}", where=str(path)
        ) from error
    if sheet.source_id != path.parent.parent.name:
        raise EditionRefused(
            f"edition sheet of {sheet.source_id} in the folder of another source", where=str(path)
        )
    return sheet


def _take_in_sheet(
    settings: Settings, catalog: Catalog, archive: Archive, path: Path, sheet: _Sheet
) -> IngestResult:
    try:
        source = catalog.source(sheet.source_id)
        edition = source.edition(sheet.label, published=sheet.published).model_copy(
            update={
                "version": sheet.version,
                "citation": sheet.citation,
                "is_reexpressed": sheet.is_reexpressed,
            }
        )
        documents = tuple(_starter_documents(archive, path.parent, sheet))
        offer = Offer(source=source, edition=edition, documents=documents)
        return take_in(settings, archive, offer)
    except (EditionRefused, UsageError) as error:
        return refused(sheet.source_id, sheet.label, f"{sheet.source_id}-{sheet.label}", error)


def _starter_documents(archive: Archive, folder: Path, sheet: _Sheet) -> Iterator[StoredDocument]:
    files = {
        p.relative_to(folder).as_posix(): p
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != _SHEET and not p.name.startswith(".")
    }
    described = {d.document for d in sheet.documents}
    for name in sorted(set(files) ^ described):
        raise EditionRefused(
            f"document {name} is "
            + ("not described" if name in files else "described but not there"),
            where=str(folder / _SHEET),
            remedy="write the starter again",
        )
    for name, path in files.items():
        yield archive.add_document(
            path,
            name=name,
            is_reexpressed=sheet.is_reexpressed,
            published=sheet.published,
            original=_original([d for d in sheet.documents if d.document == name]),
        )


def _original(described: Iterable[_Described]) -> Original:
    """The originals of one document; several are joined."""
    rows = list(described)
    return Original(
        url=" ".join(dict.fromkeys(d.url for d in rows)),
        sha256=" ".join(dict.fromkeys(d.sha256 for d in rows if d.sha256)) or None,
        place="; ".join(dict.fromkeys(d.place for d in rows if d.place)) or None,
    )
