"""Bringing the raw tables to what the archive holds and the readers say."""

from __future__ import annotations

from collections.abc import Collection

from pipelines.archive.store import Archive
from pipelines.catalog import Catalog
from pipelines.errors import ArchiveDamaged, UsageError
from pipelines.ingest.door import Offer, bring_up_to_date, take_in
from pipelines.ingest.raw import ensure_schemas, remove_raw
from pipelines.ingest.reading import find_reader
from pipelines.ingest.result import IngestResult, refused
from pipelines.settings import Settings

__all__ = ["refresh_raw", "retry_refused"]


def refresh_raw(
    settings: Settings, catalog: Catalog, sources: Collection[str] | None = None
) -> list[IngestResult]:
    """Make the raw tables what archive and readers say; the editions for which something was done.

    Raw tables that are missing, or were written by an earlier reader, are written again from the
    archive. Where the present reader refuses an edition that an earlier one could read, its tables
    stay and the result says so (every time, until reader or maps are mended); the rest goes on.
    Raw tables of editions that the archive does not hold are removed.

    :param sources: only these; None for all.
    :raises MonaziteError: the archive or the disk cannot be used.
    """
    archive = Archive(settings.archive_dir)
    results: list[IngestResult] = []
    with archive.lock():
        archive.clear_incoming()
        ensure_schemas(settings, catalog)
        for source_id in sorted(catalog.sources):
            if sources is not None and source_id not in sources:
                continue
            module = find_reader(source_id)
            if module is None:
                continue
            source = catalog.source(source_id)
            editions = archive.editions(source_id)
            remove_raw(settings, module.TABLES, {e.edition_id for e in editions})
            done = (bring_up_to_date(settings, archive, source, e) for e in editions)
            results.extend(result for result in done if result is not None)
    return results


def retry_refused(
    settings: Settings, catalog: Catalog, sources: Collection[str] | None = None
) -> list[IngestResult]:
    """Offer editions again whose bytes were kept when they were refused.

    They are read again only when the reader, its maps, the limits or the edition that they were
    compared with have changed; the others are reported as they stand.

    :raises MonaziteError: the archive or the disk cannot be used.
    """
    archive = Archive(settings.archive_dir)
    results = []
    for refusal in archive.refusals():
        if not refusal.is_kept or (sources is not None and refusal.source_id not in sources):
            continue
        try:
            source = catalog.source(refusal.source_id)
        except UsageError:
            continue  # a source that the catalogue has dropped
        offer = Offer(
            source=source,
            edition=refusal.edition,
            documents=refusal.documents,
            is_retried=False,
            is_kept=True,
        )
        with archive.lock():
            try:
                archive.check(refusal)
                results.append(take_in(settings, archive, offer))
            except ArchiveDamaged as error:
                results.append(
                    refused(
                        refusal.source_id,
                        refusal.edition.label,
                        refusal.edition.edition_id,
                        error,
                    )
                )
    return results
