"""What the archive holds, as raw tables, so that SQL can tell where a row is from.

``raw_monazite__edition``, ``raw_monazite__document`` and ``raw_monazite__source``. They hold what
is so on every machine that has the same documents: no retrieval time, in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import polars as pl

from pipelines.archive.files import remove_temporary
from pipelines.archive.profile import RawState
from pipelines.archive.store import Archive, ArchivedEdition
from pipelines.catalog import Catalog, Redistribution, Source
from pipelines.ingest.raw import write_table
from pipelines.settings import Settings
from pipelines.sources.mirror import is_stand_in

__all__ = ["publication", "write_edition_tables"]

EDITION = "raw_monazite__edition"
DOCUMENT = "raw_monazite__document"
SOURCE = "raw_monazite__source"

_EDITION_COLUMNS: dict[str, pl.DataType] = {
    "source_edition_id": pl.String(),
    "source_id": pl.String(),
    "label": pl.String(),
    "version": pl.String(),
    "revision": pl.Int32(),
    "published_date": pl.Date(),
    "first_published_date": pl.Date(),
    "published_precision": pl.String(),
    "layout": pl.String(),
    "title": pl.String(),
    "publisher": pl.String(),
    "licence_name": pl.String(),
    "redistribution": pl.String(),
    "attribution": pl.String(),
    "citation": pl.String(),
    "doi": pl.String(),
    "url": pl.String(),
    "is_reexpressed": pl.Boolean(),
    "is_official": pl.Boolean(),
    "scope": pl.String(),
    "digest": pl.String(),
    "n_documents": pl.Int32(),
    "rows": pl.Int64(),
    "quarantined": pl.Int64(),
    "out_of_scope": pl.Int64(),
}
_DOCUMENT_COLUMNS: dict[str, pl.DataType] = {
    "source_edition_id": pl.String(),
    "document_name": pl.String(),
    "sha256": pl.String(),
    "size_bytes": pl.Int64(),
    "url": pl.String(),
    "etag": pl.String(),
    "published": pl.Date(),
    "is_reexpressed": pl.Boolean(),
    "original_url": pl.String(),
    "original_sha256": pl.String(),
    "original_place": pl.String(),
}
_SOURCE_COLUMNS: dict[str, pl.DataType] = {
    "source_id": pl.String(),
    "title": pl.String(),
    "publisher": pl.String(),
    "homepage": pl.String(),
    "cadence": pl.String(),
    "licence_name": pl.String(),
    "licence_url": pl.String(),
    "redistribution": pl.String(),
    "attribution": pl.String(),
    "citation": pl.String(),
    "scope": pl.String(),
    "is_official": pl.Boolean(),
    "note": pl.String(),
}
#: From what may be passed on to what may not.
_STRICTNESS = (
    Redistribution.YES,
    Redistribution.DERIVED_ONLY,
    Redistribution.NO,
    Redistribution.UNKNOWN,
)


def write_edition_tables(settings: Settings, catalog: Catalog) -> dict[str, int]:
    """Write the three tables; their rows.

    ``redistribution`` of an edition is the stricter of what the catalogue says now and what it
    said on the day of acceptance; an ``unknown`` of that day gives way to what is known now. What
    came from this machine in a publisher's place may be made up and is never passed on.

    :raises ArchiveDamaged: a manifest cannot be read.
    :raises MonaziteError: a table cannot be written.
    """
    archive = Archive(settings.archive_dir)
    with archive.lock():
        editions = archive.editions()
        frames = {
            (EDITION, "editions"): pl.DataFrame(
                [_edition(settings, catalog, e, editions) for e in editions],
                schema=_EDITION_COLUMNS,
                orient="row",
            ),
            (DOCUMENT, "documents"): pl.DataFrame(
                [row for e in editions for row in _documents(e)],
                schema=_DOCUMENT_COLUMNS,
                orient="row",
            ),
            (SOURCE, "sources"): pl.DataFrame(
                _sources(catalog), schema=_SOURCE_COLUMNS, orient="row"
            ),
        }
        for (table, name), frame in frames.items():
            remove_temporary(settings.raw_dir / table)
            write_table(settings.raw_dir / table / f"{name}.parquet", frame)
    return {table: frame.height for (table, _), frame in frames.items()}


def publication(
    source: Source | None, archived: ArchivedEdition, editions: Iterable[ArchivedEdition]
) -> tuple[date | None, str | None]:
    """When an edition was published, and whether its ``day`` or its ``month`` only is known.

    Of a month the last day stands, so that no vintage knows an edition before it was out. A label
    tells the month of the first bytes under it: a later revision is of an unknown day.

    :param editions: all that are held of the source, from which follows what was there earlier.
    """
    if archived.edition.published is not None:
        return archived.edition.published, "day"
    is_revised = any(
        e.base_id == archived.base_id
        and e.revision < archived.revision
        and not e.edition.is_reexpressed
        for e in editions
    )
    if source is None or is_revised:
        return None, None
    last_day = source.last_day_of(archived.edition.label)
    return last_day, None if last_day is None else "month"


def _redistribution(catalog: Catalog, archived: ArchivedEdition) -> Redistribution:
    if any(is_stand_in(document.url) for document in archived.documents):
        return Redistribution.NO
    then = archived.licence.redistribution
    source = catalog.sources.get(archived.edition.source_id)
    if source is None:
        return then
    now = source.licence.redistribution
    return now if then is Redistribution.UNKNOWN else max(then, now, key=_STRICTNESS.index)


def _edition(
    settings: Settings,
    catalog: Catalog,
    archived: ArchivedEdition,
    editions: list[ArchivedEdition],
) -> dict[str, Any]:
    edition = archived.edition
    state = RawState.read(settings.raw_dir, archived.edition_id)
    profile = state.profile if state is not None else archived.summary
    first = next((e for e in editions if e.edition_id == archived.base_id), archived)
    source = catalog.sources.get(edition.source_id)
    published, precision = publication(source, archived, editions)
    first_published, _ = publication(source, first, editions)
    return {
        "source_edition_id": archived.edition_id,
        "source_id": edition.source_id,
        "label": edition.label,
        "version": edition.version,
        "revision": archived.revision,
        "published_date": published,
        "first_published_date": first_published,
        "published_precision": precision,
        "layout": edition.layout,
        "title": archived.title,
        "publisher": archived.publisher,
        "licence_name": archived.licence.name,
        "redistribution": _redistribution(catalog, archived).value,
        "attribution": archived.licence.attribution,
        "citation": edition.citation,
        "doi": edition.doi,
        "url": edition.url,
        "is_reexpressed": edition.is_reexpressed,
        "is_official": archived.is_official,
        "scope": archived.scope.value,
        "digest": Archive.digest(archived),
        "n_documents": len(archived.documents),
        "rows": profile.rows,
        "quarantined": profile.quarantined,
        "out_of_scope": profile.out_of_scope,
    }


def _documents(archived: ArchivedEdition) -> list[dict[str, Any]]:
    return [
        {
            "source_edition_id": archived.edition_id,
            "document_name": d.name,
            "sha256": d.sha256,
            "size_bytes": d.size_bytes,
            "url": d.url,
            "etag": d.etag,
            "published": d.published,
            "is_reexpressed": d.is_reexpressed,
            "original_url": d.original.url if d.original else None,
            "original_sha256": d.original.sha256 if d.original else None,
            "original_place": d.original.place if d.original else None,
        }
        for d in archived.documents
    ]


def _sources(catalog: Catalog) -> list[dict[str, Any]]:
    return [
        {
            "source_id": s.source_id,
            "title": s.title,
            "publisher": s.publisher,
            "homepage": s.homepage,
            "cadence": s.cadence,
            "licence_name": s.licence.name,
            "licence_url": s.licence.url,
            "redistribution": s.licence.redistribution.value,
            "attribution": s.licence.attribution,
            "citation": s.citation,
            "scope": s.scope.value,
            "is_official": s.is_official,
            "note": s.note,
        }
        for _, s in sorted(catalog.sources.items())
    ]
