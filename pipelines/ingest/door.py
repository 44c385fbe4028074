"""The one door through which every edition comes, wherever its documents are from.

::

    documents -> held already? -> revision -> refused before? -> read -> compare -> accept
                     |                              |             |        |
                 unchanged                       refused       refused  refused

Nothing of an edition counts before it is accepted, and acceptance is one step (``Archive.accept``).
A refusal is one edition's: it is recorded with its reason and the caller goes on.

An edition is told by source, label and version. The same bytes under the same label bring nothing
new, even when only some of the documents are offered again. Other bytes under the same label and
version are a revision (``2.0`` -> ``2.0.r2``); see :mod:`pipelines.archive.store`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from email.utils import parsedate_to_datetime

from pipelines.archive.drift import Reference, choose_reference, findings, refuse_drift
from pipelines.archive.fingerprint import reader_fingerprint
from pipelines.archive.profile import EditionProfile, FailedReader, RawState
from pipelines.archive.store import Archive, ArchivedEdition, StoredDocument, content_digest
from pipelines.catalog import Edition, Source
from pipelines.errors import ArchiveDamaged, EditionRefused, UsageError
from pipelines.ingest.raw import EditionWriter, is_complete
from pipelines.ingest.reading import as_read, find_reader, is_lasting, read
from pipelines.ingest.result import IngestResult, accepted, refused, unchanged
from pipelines.settings import Settings
from pipelines.sources.base import SourceModule

__all__ = ["Offer", "bring_up_to_date", "take_in"]


@dataclass(frozen=True, slots=True)
class Offer:
    """An edition that somebody brings.

    :ivar edition: as the publisher names it, without a revision of ours.
    :ivar documents: from :meth:`Archive.add_document`, or held by the archive already.
    :ivar force_reason: why drift is to be let in all the same.
    :ivar is_retried: read it even if nothing has changed since it was last refused.
    :ivar is_kept: keep its bytes when it is refused (what was fetched, so that it need not be
        fetched again).
    """

    source: Source
    edition: Edition
    documents: tuple[StoredDocument, ...]
    force_reason: str | None = None
    is_retried: bool = True
    is_kept: bool = False
    notes: tuple[str, ...] = ()


def _reader(source: Source) -> SourceModule:
    module = find_reader(source.source_id)
    if module is None:
        raise UsageError(
            f"no reader for source {source.source_id!r}",
            remedy=f"write pipelines/sources/{source.source_id}.py",
        )
    return module


def _held(editions: Sequence[ArchivedEdition], offer: Offer) -> ArchivedEdition | None:
    """The edition of the same label that has all of these bytes, the newest of several."""
    offered = {d.sha256 for d in offer.documents}
    return next(
        (
            e
            for e in reversed(editions)
            if e.edition.label == offer.edition.label and offered <= e.hashes
        ),
        None,
    )


def _last_modified(documents: Sequence[StoredDocument]) -> date | None:
    """The newest day that a publisher's server names for any of the documents."""
    days = []
    for document in documents:
        try:
            days.append(parsedate_to_datetime(document.last_modified or "").date())
        except ValueError:
            continue
    return max(days, default=None)


def _dated(
    offer: Offer, edition: Edition, editions: Sequence[ArchivedEdition]
) -> tuple[Edition, tuple[str, ...]]:
    """A revision with its own date: the catalogue's date is that of the first publication.

    The first original after re-expressed documents is that first publication itself. Otherwise the
    date is what the publisher's server says, where it is later; else it is unknown.
    """
    earlier = [e for e in editions if e.base_id == offer.edition.edition_id]
    originals = [e for e in earlier if not e.edition.is_reexpressed]
    if not originals or offer.edition.published is None:
        return edition, ()
    known = {e.edition.published for e in originals}
    if offer.edition.published not in known:
        return edition, ()
    told = _last_modified(offer.documents)
    if told is not None and told > offer.edition.published:
        return edition.model_copy(update={"published": told}), ()
    return edition.model_copy(update={"published": None}), (
        f"a revision of {offer.edition.edition_id}, day of publication unknown (--published DATE)",
    )


def _context(
    offer: Offer, fingerprint: str, reference: Reference | None, old: EditionProfile | None
) -> str:
    """Everything but the bytes that decides whether an edition is let in."""
    content = {
        "reader": fingerprint,
        "drift": offer.source.drift.model_dump(mode="json"),
        "scope": offer.source.scope,
        "reference": reference.archived.edition_id if reference else None,
        "reference_reader": old.reader if old else None,
        "published": str(offer.edition.published),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def take_in(settings: Settings, archive: Archive, offer: Offer) -> IngestResult:
    """Let an edition in, or say why not. For who holds the archive's lock.

    :raises MonaziteError: the fault is not the edition's (disk, settings, no reader).
    """
    source, edition = offer.source, offer.edition
    module = _reader(source)
    editions = archive.editions(source.source_id)
    held = _held(editions, offer)
    if held is not None:
        if offer.is_kept:  # the publisher offers what is held: what it offered between is past
            archive.clear_refusals(source.source_id, edition.label)
        again = bring_up_to_date(settings, archive, source, held)
        if again is not None:
            return again
        state = RawState.read(settings.raw_dir, held.edition_id)
        return unchanged(
            held, state.profile if state else None, notes=(*offer.notes, *_same_but(held, offer))
        )

    final, revision = archive.next_revision(edition)
    notes = offer.notes
    if revision > 1:
        final, more = _dated(offer, final, editions)
        notes += more
    reference = choose_reference(editions, final)
    old = _as_it_stands(settings, reference)
    fingerprint = reader_fingerprint(source, seeds=settings.seeds_dir)
    context = _context(offer, fingerprint, reference, old)
    if not offer.is_retried and offer.force_reason is None:
        digest = content_digest(offer.documents)
        for refusal in archive.refusals(source.source_id):
            same = refusal.edition.edition_id == edition.edition_id and refusal.digest == digest
            if same and refusal.context == context:
                return refused(
                    source.source_id,
                    edition.label,
                    final.edition_id,
                    refusal.reason,
                    notes=(*notes, "refused before; nothing has changed since"),
                )

    keys = {name: spec.key for name, spec in module.TABLES.items()}
    base = as_read(final, edition, settings)
    with EditionWriter(
        settings, final, read_as=base, specs=module.TABLES, documents=offer.documents
    ) as writer:
        try:
            for parsed in read(
                source.source_id, base, archive.as_documents(offer.documents), settings
            ):
                writer.add(parsed)
                del parsed  # not to be held while the next batch is read
            profile = writer.finish(reader=fingerprint)
            if offer.force_reason is None:
                refuse_drift(source, final, profile, reference, keys=keys, reference_profile=old)
            elif reference is not None:
                notes += tuple(
                    f"let in all the same: {line}"
                    for line in findings(
                        source, final, profile, reference, keys=keys, reference_profile=old
                    )
                )
        except EditionRefused as error:
            writer.discard()
            if is_lasting(error):
                archive.record_refusal(
                    edition, offer.documents, error, context=context, keep=offer.is_kept
                )
            return refused(source.source_id, edition.label, final.edition_id, error, notes=notes)
        archived = archive.accept(
            final,
            offer.documents,
            profile,
            source=source,
            publisher_version=edition.version,
            revision=revision,
            force_reason=offer.force_reason,
        )
        writer.publish(profile)
        return accepted(archived, profile, changed=True, preview=writer.preview, notes=notes)


def _same_but(held: ArchivedEdition, offer: Offer) -> tuple[str, ...]:
    """What differs although the bytes do not: it cannot be changed any more."""
    asked = offer.edition.published
    if asked is None or asked == held.edition.published:
        return ()
    return (f"held as published {held.edition.published or 'on an unknown day'}, not {asked}",)


def _as_it_stands(settings: Settings, reference: Reference | None) -> EditionProfile | None:
    if reference is None:
        return None
    state = RawState.read(settings.raw_dir, reference.archived.edition_id)
    return state.profile if state is not None and state.profile.rows else None


def bring_up_to_date(
    settings: Settings, archive: Archive, source: Source, archived: ArchivedEdition
) -> IngestResult | None:
    """Read an accepted edition again where its raw tables are missing or of an earlier reader.

    Where the present reader refuses it, the tables of the earlier one stay, and the result says so
    each time until the reader or its maps are mended.

    :returns: None where nothing was to be done.
    :raises MonaziteError: writing failed.
    """
    edition_id = archived.edition_id
    fingerprint = reader_fingerprint(source, seeds=settings.seeds_dir)
    state = RawState.read(settings.raw_dir, edition_id)
    if state is None or not is_complete(settings, edition_id, state):
        state = RawState(profile=EditionProfile())
    if state.profile.rows and state.profile.reader == fingerprint:
        return None
    kept = (
        "the rows of the earlier reader stay" if state.profile.rows else "its rows are missing",
    )
    if state.failed is not None and state.failed.reader == fingerprint:
        return refused(
            source.source_id, archived.edition.label, edition_id, state.failed.reason, notes=kept
        )
    try:
        return _read_again(settings, archive, source, archived, fingerprint)
    except (EditionRefused, ArchiveDamaged) as error:
        if isinstance(error, EditionRefused) and is_lasting(error):
            failed = FailedReader(reader=fingerprint, reason=str(error))
            RawState(profile=state.profile, failed=failed).write(settings.raw_dir, edition_id)
        return refused(source.source_id, archived.edition.label, edition_id, error, notes=kept)


def _read_again(
    settings: Settings,
    archive: Archive,
    source: Source,
    archived: ArchivedEdition,
    fingerprint: str,
) -> IngestResult:
    archive.check(archived)
    specs = _reader(source).TABLES
    base = archived.edition.model_copy(update={"version": archived.publisher_version})
    read_as = as_read(archived.edition, base, settings)
    with EditionWriter(
        settings, archived.edition, read_as=read_as, specs=specs, documents=archived.documents
    ) as writer:
        for parsed in read(source.source_id, read_as, archive.documents(archived), settings):
            writer.add(parsed)
            del parsed  # as in take_in
        profile = writer.finish(reader=fingerprint)
        writer.publish(profile)
        return accepted(
            archived, profile, changed=True, preview=writer.preview, notes=("read again",)
        )
