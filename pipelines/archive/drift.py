"""Is this edition what one would expect after the last one?

A publisher's slip (half a table, a missing file, a column that stays empty) reads without an error.
It shows only against what was published before, so a new edition is compared with the last one
before it lets anything in. Limits stand in the catalogue (:class:`pipelines.catalog.models.Drift`).

==================== =========================== =====================================
what is compared     a later edition             an earlier one, an extract
==================== =========================== =====================================
rows of each table   always                      no: it may be smaller
files and their size same layout only            no
columns gone empty   same layout: all columns    columns of the key but ``*_text``
==================== =========================== =====================================

A column has gone empty when every row carried it and no row does now. Editions that were written
anew from figures (the starter's) are a selection of ours: nothing is asked of them, and they say no
more than an extract about how large the publisher's own are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.archive.profile import EditionProfile
from pipelines.archive.store import ArchivedEdition
from pipelines.catalog import Edition, EditionScope, Source
from pipelines.errors import DriftRefused

__all__ = ["Reference", "choose_reference", "findings", "refuse_drift"]

#: File names told in full in a message; the rest is counted.
_NAMES_SHOWN = 4
_NUMBERED = re.compile(r"(?<![a-z0-9])[a-z]{2,}\d{1,3}(?!\d)")
_OF_BYTES = re.compile(r"import-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Reference:
    """The edition that a candidate is compared with.

    :ivar is_before: it came before the candidate, so the candidate should not be smaller.
    """

    archived: ArchivedEdition
    is_before: bool


def choose_reference(editions: Sequence[ArchivedEdition], candidate: Edition) -> Reference | None:
    """The edition of the same source to compare ``candidate`` with.

    The last one of the same label; else the last one published before it; else the next one
    after. A candidate whose date is unknown comes after all others. Publishers' own documents go
    before re-expressed ones. Editions of other series are not looked at: BACI in the codes of
    ``HS22`` has a few years, in those of ``HS92`` thirty, and neither is a measure for the other.

    :param editions: oldest first, as :meth:`Archive.editions` gives them.
    """
    series = _series(candidate.label)
    alike = [e for e in editions if _series(e.edition.label) == series]
    pool = [e for e in alike if not e.edition.is_reexpressed] or alike
    same = [e for e in pool if e.edition.label == candidate.label]
    if same:
        return Reference(same[-1], is_before=True)
    place = _place(candidate)
    before = [e for e in pool if _place(e.edition) <= place]
    if before:
        return Reference(before[-1], is_before=True)
    return Reference(pool[0], is_before=False) if pool else None


def _series(label: str) -> frozenset[str]:
    """What a label says besides time: words with a short number, ``hs92`` of ``HS92-V202601``."""
    if _OF_BYTES.fullmatch(label):
        return frozenset()
    return frozenset(_NUMBERED.findall(label.lower()))


def _place(edition: Edition) -> tuple[bool, date, str]:
    return edition.published is None, edition.published or date.max, edition.label


def _share(before: int, after: int) -> str:
    return f"({100 * (after - before) / before:+.0f} %)"


def _names(names: Iterable[str]) -> str:
    found = sorted(names)
    shown = ", ".join(found[:_NAMES_SHOWN])
    more = len(found) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _without_years(name: str) -> str:
    return "".join("#" if c.isdigit() else c for c in name.rsplit("/", 1)[-1].lower())


def _row_findings(limit: float, old: EditionProfile, new: EditionProfile) -> list[str]:
    found = []
    for name, table in sorted(old.tables.items()):
        rows = new.tables[name].rows if name in new.tables else 0
        if table.rows and 1 - rows / table.rows > limit:
            found.append(f"{name}: {table.rows:,} -> {rows:,} rows {_share(table.rows, rows)}")
    return found


def _file_findings(source: Source, old: EditionProfile, new: EditionProfile) -> list[str]:
    found = []
    lost = len(old.parts) - len(new.parts)
    if lost > source.drift.files_lost:
        kept = {_without_years(p) for p in new.parts}
        gone = {p for p in old.parts if _without_years(p) not in kept}
        which = f" (gone: {_names(gone)})" if gone else ""
        found.append(f"files with data: {len(old.parts):,} -> {len(new.parts):,}{which}")
    if old.size_bytes and 1 - new.size_bytes / old.size_bytes > source.drift.bytes_lost:
        share = _share(old.size_bytes, new.size_bytes)
        found.append(f"size: {old.size_bytes:,} -> {new.size_bytes:,} bytes {share}")
    return found


def _column_findings(
    old: EditionProfile,
    new: EditionProfile,
    keys: Mapping[str, Sequence[str]] | None,
) -> list[str]:
    found = []
    for name, table in sorted(old.tables.items()):
        now = new.tables.get(name)
        if now is None or not now.rows or not table.rows:
            continue
        columns = (
            table.columns
            if keys is None
            else [c for c in keys.get(name, ()) if not c.endswith("_text")]
        )
        gone = [c for c in columns if table.columns.get(c) == table.rows and not now.columns.get(c)]
        if gone:
            found.append(
                f"{name}: no value any more in {_names(gone)} "
                f"(before: all {table.rows:,} rows; now: none of {now.rows:,})"
            )
    return found


def findings(
    source: Source,
    edition: Edition,
    profile: EditionProfile,
    reference: Reference,
    *,
    keys: Mapping[str, Sequence[str]],
    reference_profile: EditionProfile | None = None,
) -> list[str]:
    """What speaks against ``edition``, one line each, in numbers; empty when nothing does.

    :param keys: table name to the columns that identify a row (``TableSpec.key``).
    :param reference_profile: the reference as the present reader sees it, where its raw tables
        were written again since it was accepted.
    """
    if edition.is_reexpressed:
        return []
    old = reference_profile or reference.archived.summary
    is_selection = source.scope is EditionScope.EXTRACT or reference.archived.edition.is_reexpressed
    if is_selection or not reference.is_before:
        return _column_findings(old, profile, keys)
    is_same_layout = edition.layout == reference.archived.edition.layout
    found = _row_findings(source.drift.rows_lost, old, profile)
    if is_same_layout:
        found += _file_findings(source, old, profile)
    return found + _column_findings(old, profile, None if is_same_layout else keys)


def refuse_drift(
    source: Source,
    edition: Edition,
    profile: EditionProfile,
    reference: Reference | None,
    *,
    keys: Mapping[str, Sequence[str]],
    reference_profile: EditionProfile | None = None,
) -> None:
    """Let nothing in that has shrunk beyond the catalogue's limits.

    :raises DriftRefused: the message says what changed, in numbers.
    """
    if reference is None:
        return
    found = findings(
        source, edition, profile, reference, keys=keys, reference_profile=reference_profile
    )
    if found:
        raise DriftRefused(
            f"{edition.edition_id} differs too much from {reference.archived.edition_id}: "
            + "; ".join(found),
            remedy="import all documents of the edition together; if the publisher meant it so, "
            "let it in with a reason (--force 'REASON')",
        )
