"""What became of an edition: the row that the command line prints and Dagster shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from pipelines.archive.profile import EditionProfile
from pipelines.archive.store import Archive, ArchivedEdition
from pipelines.errors import FetchFailed, MonaziteError
from pipelines.sources.allowance import QuotaSpent

__all__ = ["IngestResult", "accepted", "refused", "unchanged"]


@dataclass(frozen=True, slots=True)
class IngestResult:
    """One edition that was offered.

    :ivar edition_id: ``source_edition_id``; the id that it would have had where it was refused.
    :ivar rows: rows let in, over all tables. Rows read = rows + quarantined + out_of_scope.
    :ivar changed: raw tables were written.
    :ivar refused: why it was not let in, in one line; None otherwise.
    :ivar digest: :meth:`Archive.digest` of the edition; None where it was refused.
    :ivar tables: raw table to rows let in.
    :ivar preview: raw table to its first rows; empty where nothing was read.
    :ivar notes: one line each for the person who reads the table.
    :ivar error: the refusal itself, its cause attached, for ``--debug``.
    """

    source_id: str
    label: str
    edition_id: str
    rows: int = 0
    quarantined: int = 0
    out_of_scope: int = 0
    changed: bool = False
    refused: str | None = None
    digest: str | None = None
    tables: Mapping[str, int] = field(default_factory=dict)
    preview: Mapping[str, pl.DataFrame] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    error: MonaziteError | None = field(default=None, compare=False, repr=False)

    @property
    def is_put_off(self) -> bool:
        """Today's requests are used up; the next night goes on, and nothing has failed."""
        return isinstance(self.error, QuotaSpent)

    @property
    def is_not_brought(self) -> bool:
        """The publisher offers it but could not give it whole; nothing is wrong with it."""
        return isinstance(self.error, FetchFailed)


def accepted(
    archived: ArchivedEdition,
    profile: EditionProfile,
    *,
    changed: bool,
    preview: Mapping[str, pl.DataFrame] | None = None,
    notes: tuple[str, ...] = (),
) -> IngestResult:
    """The edition is in the archive and ``profile`` says what its raw tables hold."""
    return IngestResult(
        source_id=archived.edition.source_id,
        label=archived.edition.label,
        edition_id=archived.edition_id,
        rows=profile.rows,
        quarantined=profile.quarantined,
        out_of_scope=profile.out_of_scope,
        changed=changed,
        digest=Archive.digest(archived),
        tables={name: table.rows for name, table in profile.tables.items()},
        preview=preview or {},
        notes=notes,
    )


def unchanged(
    archived: ArchivedEdition, profile: EditionProfile | None, *, notes: tuple[str, ...] = ()
) -> IngestResult:
    """Nothing new: the edition is held, with ``profile`` (else that of its acceptance)."""
    return accepted(archived, profile or archived.summary, changed=False, notes=notes)


def refused(
    source_id: str,
    label: str,
    edition_id: str,
    error: MonaziteError | str,
    *,
    notes: tuple[str, ...] = (),
) -> IngestResult:
    """The edition was not let in."""
    return IngestResult(
        source_id=source_id,
        label=label,
        edition_id=edition_id,
        refused=str(error),
        notes=notes,
        error=error if isinstance(error, MonaziteError) else None,
    )
