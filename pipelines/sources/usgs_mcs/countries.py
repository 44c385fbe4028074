"""Names of countries and areas as the U.S. Geological Survey prints them.

Its tables put more than a name into the cell of the country: a footnote mark (``Japane``), what
is counted (``United States (crude)``, ``Bolivia, ulexite``), how a total was made (``World total
(rounded)``). The map ``labels/country__usgs.csv`` knows the spellings that were printed. A
qualifier that it does not know is taken off where the name in front of it is a country or the
remainder of the world and nothing else is named; ``Congo (Kinshasa)`` and ``Korea, Republic of``
are names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import polars as pl

from pipelines.catalog import Edition
from pipelines.settings import Settings
from pipelines.sources.labels import clean, known_labels, resolve_labels, strip_marks

__all__ = ["COUNTRY_MAP", "resolve_countries"]

COUNTRY_MAP = "country__usgs"
_QUALIFIED = re.compile(r"^(?P<name>.+?)\s*(?:\((?P<inner>[^()]*)\)|,\s*(?P<after>.+?))\s*$")
#: A qualifier with these words changes which area is meant.
_CHANGES_AREA = re.compile(
    r"\b(excluding|except|without|and|other than|including)\b", re.IGNORECASE
)


def resolve_countries(
    frame: pl.DataFrame, column: str, *, edition: Edition, into: str = "country_label"
) -> pl.DataFrame:
    """Add ``into``: the label of ``column`` as the map of countries knows it.

    :raises UnknownLabel: no map knows the label, nor the name in front of its qualifier.
    """
    known = known_labels([COUNTRY_MAP])
    plain = pl.col(column).str.normalize("NFC").str.replace_all("[\ufeff\u200b]", "")
    work = frame.with_columns(clean(plain).replace("", None).alias("__country"))
    mended = {
        label: _mend(label, known)
        for label in work.get_column("__country").drop_nulls().unique().to_list()
        if strip_marks(label, known) is None
    }
    work = work.with_columns(pl.col("__country").replace(mended))
    return resolve_labels(
        work, "__country", known, edition=edition, kind="country", into=into
    ).drop("__country")


def _mend(label: str, known: frozenset[str]) -> str:
    """``label`` as the map knows it but for case or a qualifier; itself if that leads nowhere."""
    # Sorted, so that of two spellings the one with fewer capitals is taken every time.
    folded = {k.casefold(): k for k in sorted(known)}
    if label.casefold() in folded:
        return folded[label.casefold()]
    match = _QUALIFIED.match(label)
    if match is None:
        return label
    qualifier = match["inner"] or match["after"] or ""
    name = strip_marks(match["name"].strip(), known)
    names_another = any(re.search(rf"\b{re.escape(k)}\b", qualifier) for k in known if len(k) > 3)
    if name is None or name not in _single(*_place()) or names_another:
        return label
    return label if _CHANGES_AREA.search(qualifier) else name


def _place() -> tuple[Path, int]:
    path = Settings().seeds_dir / "labels" / f"{COUNTRY_MAP}.csv"
    return path, path.stat().st_mtime_ns


@lru_cache(maxsize=8)
def _single(path: Path, mtime_ns: int) -> frozenset[str]:
    """Labels of single countries and of the remainder of the world."""
    del mtime_ns  # part of the cache key only
    frame = pl.read_csv(path, infer_schema=False)
    single = frame.filter(pl.col("area_type").is_in(["country", "residual"]))
    return frozenset(single.get_column("country_label").to_list())
