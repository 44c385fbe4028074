"""Publishers' names for countries, materials and units, made to meet the maps.

The maps are seeds of the dbt project (``seeds/labels/<map>.csv``), so that the reader that
refuses an unknown name and the SQL that gives it a meaning look at one list. A map's first column
is the label. Labels are compared after white space is tidied; footnote marks that a publisher
glued on (``Japane``, ``Germany6``) are taken off only where the name without them is known and
the name with them is not, so Chile, France, Greece and Ukraine keep their letters.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import MonaziteError, UnknownLabel
from pipelines.settings import Settings

__all__ = ["clean", "known_labels", "resolve_labels", "strip_marks"]

_SPACE = r"[\s\u00a0\u2009\u202f]+"


def clean(text: pl.Expr) -> pl.Expr:
    """White space tidied, non-breaking blanks included."""
    return text.str.replace_all(_SPACE, " ").str.strip_chars()


def strip_marks(label: str, known: frozenset[str]) -> str | None:
    """``label`` as the map knows it, footnote marks taken off where that is what it takes.

    >>> known = frozenset({"Japan", "Chile", "Germany", "India"})
    >>> [strip_marks(x, known) for x in ("Japane", "Chile", "Germany6", "Indiae, 4", "Chil")]
    ['Japan', 'Chile', 'Germany', 'India', None]
    """
    if label in known:
        return label
    candidate = label
    while candidate:
        last = candidate[-1]
        if not (last.isdigit() or last in "er, ()½¹²³⁴⁵⁶⁷⁸⁹⁰*"):
            return None
        candidate = candidate[:-1].rstrip(" ,")
        if candidate in known:
            return candidate
    return None


@lru_cache(maxsize=64)
def _read(path: Path, mtime_ns: int) -> frozenset[str]:
    del mtime_ns  # part of the cache key only
    frame = pl.read_csv(path, infer_schema=False, empty_string_is_null=False)
    return frozenset(frame.to_series(0).to_list())


def known_labels(maps: Iterable[str], seeds: Path | None = None) -> frozenset[str]:
    """All labels of these maps (file names below ``seeds/labels`` without ``.csv``).

    :raises MonaziteError: a map does not exist.
    """
    folder = (seeds or Settings().seeds_dir) / "labels"
    labels: frozenset[str] = frozenset()
    for name in maps:
        path = folder / f"{name}.csv"
        if not path.is_file():
            raise MonaziteError("label map does not exist", where=str(path))
        labels |= _read(path, path.stat().st_mtime_ns)
    return labels


def resolve_labels(
    frame: pl.DataFrame,
    column: str,
    known: frozenset[str],
    *,
    edition: Edition,
    kind: str,
    into: str,
    normalise: Callable[[pl.Expr], pl.Expr] = clean,
    marks: bool = True,
) -> pl.DataFrame:
    """Add ``into``: the label of ``column`` as the map knows it.

    :param kind: what the labels name, for the message (``country``, ``series``).
    :param marks: take glued footnote marks off.
    :raises UnknownLabel: a label is in no map; the message names it, its place and the nearest
        known ones. Null labels stay null.
    """
    work = frame.with_columns(normalise(pl.col(column)).alias(into))
    seen = work.get_column(into).drop_nulls().unique().to_list()
    found = {
        label: (strip_marks(label, known) if marks else (label if label in known else None))
        for label in seen
    }
    lost = sorted(label for label, hit in found.items() if hit is None)
    if lost:
        first = work.filter(pl.col(into) == lost[0]).row(0, named=True)
        place = f"{first.get('document_name')}, row {first.get('row_number')}"
        if first.get("sheet"):
            place = f"{first['document_name']}, sheet {first['sheet']}, row {first['row_number']}"
        near = difflib.get_close_matches(lost[0], sorted(known), n=3, cutoff=0.75)
        others = f" and {len(lost) - 1} more ({', '.join(lost[1:4])})" if len(lost) > 1 else ""
        hint = f" (near: {', '.join(near)})" if near else ""
        raise UnknownLabel(
            f"unknown {kind} {lost[0]!r}{others} in {edition.edition_id}{hint}",
            where=place,
            remedy=f"add it to the {kind} map of {edition.source_id} in dbt_project/seeds/labels",
        )
    return work.with_columns(
        pl.col(into).replace_strict(
            list(found), list(found.values()), default=None, return_dtype=pl.String
        )
        if found
        else pl.col(into)
    )
