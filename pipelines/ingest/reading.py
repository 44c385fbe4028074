"""Calling a publisher's reader, so that whatever happens in it is one edition's refusal."""

from __future__ import annotations

import gzip
import inspect
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.catalog import Edition
from pipelines.errors import EditionRefused, MonaziteError, UsageError
from pipelines.settings import Settings
from pipelines.sources import load_source
from pipelines.sources.base import Document, Parsed, Part, SourceModule
from pipelines.sources.corrections import read_corrections

__all__ = ["as_read", "find_reader", "is_lasting", "read"]

_DOCUMENTS_SHOWN = 3


def find_reader(source_id: str) -> SourceModule | None:
    """The module that reads a source, None where nobody has written one.

    :raises MonaziteError: there is one, but it cannot be imported.
    """
    try:
        return load_source(source_id)
    except Exception as error:
        if getattr(error, "name", None) == f"pipelines.sources.{source_id}":
            return None
        raise MonaziteError(
            f"the reader of {source_id} cannot be imported: {type(error).__name__}: {error}",
            where=f"pipelines/sources/{source_id}",
        ) from error


def as_read(edition: Edition, base: Edition, settings: Settings) -> Edition:
    """Under which id an edition is shown to its reader.

    Known errors of publishers are noted under the edition in which they were found. A revision is
    read under the id of that first one, so that the guards look at it too: a correction that no
    longer fits refuses the revision instead of being passed over. Where a correction names the
    revision itself, it is read under its own id.
    """
    named = read_corrections(settings.seeds_dir).get_column("source_edition_id")
    return edition if edition.edition_id in named.to_list() else base


def _arguments(reader: Any, module: SourceModule, settings: Settings) -> dict[str, Any]:
    """``keep_codes`` for readers of bulk trade: the products that are mapped to a material."""
    if "keep_codes" not in inspect.signature(reader).parameters:
        return {}
    mapped = getattr(module, "mapped_codes", None)
    return {"keep_codes": mapped(settings.seeds_dir)} if mapped else {}


def read(
    source_id: str, edition: Edition, documents: Sequence[Document], settings: Settings
) -> Iterator[Parsed]:
    """What the reader makes of the documents, in one piece or in batches.

    :raises EditionRefused: the reader refuses, or fails in any way; the message names the
        document, and the foreign error is its cause.
    :raises UsageError: nobody has written a reader for this source.
    """
    module = find_reader(source_id)
    if module is None:
        raise UsageError(
            f"no reader for source {source_id!r}",
            remedy=f"write pipelines/sources/{source_id}.py",
        )
    batches = getattr(module, "parse_batches", None)
    try:
        if batches is not None:
            yield from batches(edition, documents, **_arguments(batches, module, settings))
        else:
            yield module.parse(edition, documents, **_arguments(module.parse, module, settings))
    except EditionRefused:
        raise
    except MonaziteError as error:
        raise EditionRefused(error.what, where=error.where, remedy=error.remedy) from error
    except Exception as error:
        raise EditionRefused(
            f"the reader of {source_id} failed: {type(error).__name__}: {error}"[:400],
            where=_blame(error, documents),
            remedy="the document may be in a layout that is not known yet; --debug shows where",
        ) from error


def _blame(error: BaseException, documents: Sequence[Document]) -> str:
    """The document or piece that was being read when ``error`` was raised."""
    place = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for value in frame.f_locals.values():
            if isinstance(value, Document | Part):
                place = value.name
    names = [d.name for d in documents]
    more = len(names) - _DOCUMENTS_SHOWN
    shown = ", ".join(names[:_DOCUMENTS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return place or shown


def is_lasting(error: EditionRefused) -> bool:
    """Whether the same bytes will be refused again; a full memory or disk passes."""
    cause = error.__cause__
    return isinstance(cause, gzip.BadGzipFile) or not isinstance(cause, OSError | MemoryError)
