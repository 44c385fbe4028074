"""What a world table measures, told from the words that stand over it.

The same series is called ``Mine production, contained antimony``, ``Mine production, antimony
content`` and ``Mine production: rounded`` in three releases. Three seeds of the dbt project
(``seeds/labels``) hold what is known:

* ``chapter__usgs_mcs``: file names and printed names to a chapter;
* ``series__usgs_mcs``: ``antimony: mine production`` to material, stage and basis;
* ``word__usgs_mcs``: words that never say anything (``noise``), words that say nothing unless a
  label of the chapter uses them (``silent``), and spellings of other words.

A text is matched with a series by its words. ``alumina`` tells two tables of one chapter apart and
is kept there, ``antimony`` is not. What is left must be the words of exactly one label; a word that
is neither kept nor silent makes a new series, which is an error, so that nothing is filed under a
series that it only resembles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from pipelines.errors import MonaziteError
from pipelines.settings import Settings
from pipelines.sources.label_maps import read_map

__all__ = ["MEASURES", "SeriesMap", "Words", "load_series"]

#: What a cell measures.
MEASURES = ("production", "capacity", "reserves")

_MAPS = ("chapter__usgs_mcs", "series__usgs_mcs", "word__usgs_mcs")
#: Reserves stand in the row of a production series: where it was made says nothing about them.
_STAGES = frozenset({"mine", "plant", "primary", "refinery", "secondary", "smelter"})
_WORD = re.compile(r"[a-z0-9]+")
_APOSTROPHES = str.maketrans("", "", "'’‘")
_EMPTY = frozenset({"", "na", "xx", "n/a"})
#: A statistic told in a whole sentence: it has a verb, or leaves many words that no map knows.
_SENTENCE = re.compile(r"\b(is|are|was|were|has|have)\b", re.IGNORECASE)
_PROSE = 5


@dataclass(frozen=True, slots=True)
class Words:
    """The map of words.

    :ivar noise: left out of every text and of every label.
    :ivar silent: left out of a text unless a label of its chapter uses the word.
    :ivar spellings: word to the word that it stands for.
    """

    noise: frozenset[str]
    silent: frozenset[str]
    spellings: Mapping[str, str]

    def split(self, text: str | None) -> frozenset[str]:
        """The words of ``text``: lower case, spelling mended, without noise and numbers."""
        folded = (text or "").lower().translate(_APOSTROPHES)
        if folded.strip() in _EMPTY:
            return frozenset()
        words = (self.spellings.get(w, w) for w in _WORD.findall(folded))
        return frozenset(w for w in words if w not in self.noise and not w.isdigit())


@dataclass(frozen=True, slots=True)
class SeriesMap:
    """The maps of chapters and series.

    :ivar chapters: folded label to chapter name.
    :ivar labels: (chapter, measure) to the words of each label.
    """

    chapters: Mapping[str, str]
    labels: Mapping[tuple[str, str], Mapping[frozenset[str], str]]
    words: Words

    @property
    def known(self) -> frozenset[str]:
        """All series labels."""
        return frozenset(label for group in self.labels.values() for label in group.values())

    def label(
        self,
        chapter: str,
        measure: str,
        texts: Sequence[str | None],
        area: str | None = None,
    ) -> str:
        """The series that ``texts`` name, or a label in the same form that no map knows.

        :param texts: what stands over the cell: type, statistic, name of the column.
        :param area: name of a total, which may name the series (``World total, natural``).
        """
        group = self.labels.get((chapter, measure), {})
        vocabulary = frozenset[str]().union(*group)
        words = self._words(chapter, texts) | (self.words.split(area) & vocabulary)
        kept = words & vocabulary
        rest = words - vocabulary - self.words.silent - self.words.split(chapter)
        if measure == "reserves":
            rest -= _STAGES
        if len(rest) >= _PROSE or any(_SENTENCE.search(text or "") for text in texts):
            rest = frozenset()
        if not rest and kept in group:
            return group[kept]
        if not rest and not kept and len(group) == 1:
            return next(iter(group.values()))
        named = " ".join(sorted(kept | rest))
        return f"{chapter}: {named} {measure}" if named else f"{chapter}: {measure}"

    def _words(self, chapter: str, texts: Sequence[str | None]) -> frozenset[str]:
        names = [n for n, c in self.chapters.items() if c == chapter and " " in n]
        names.sort(key=len, reverse=True)
        words: frozenset[str] = frozenset()
        for text in texts:
            folded = (text or "").lower()
            for name in names:
                folded = folded.replace(name, " ")
            words |= self.words.split(folded)
        return words


def load_series(seeds: Path | None = None) -> SeriesMap:
    """The maps as the seeds hold them.

    :raises MonaziteError: a map is missing, or two labels of it have the same words.
    """
    root = seeds or Settings().seeds_dir
    for name in _MAPS:
        read_map(name, root)
    return _load(root, *((root / "labels" / f"{m}.csv").stat().st_mtime_ns for m in _MAPS))


@lru_cache(maxsize=8)
def _load(seeds: Path, *mtimes: int) -> SeriesMap:
    del mtimes  # part of the cache key only
    chapters, series, spoken = (read_map(name, seeds) for name in _MAPS)

    def of_role(role: str) -> pl.DataFrame:
        return spoken.filter(pl.col("role") == role)

    words = Words(
        noise=frozenset(of_role("noise").get_column("word").to_list()),
        silent=frozenset(of_role("silent").get_column("word").to_list()),
        spellings=dict(of_role("spelling").select("word", "canonical").iter_rows()),
    )
    labels: dict[tuple[str, str], dict[frozenset[str], str]] = {}
    for label, measure in series.select("series_label", "measure").iter_rows():
        chapter, _, what = label.partition(": ")
        group = labels.setdefault((chapter, measure), {})
        named = words.split(what)
        if named in group:
            raise MonaziteError(
                f"labels {group[named]!r} and {label!r} have the same words",
                where=str(seeds / "labels" / "series__usgs_mcs.csv"),
            )
        group[named] = label
    return SeriesMap(
        chapters=dict(chapters.select("chapter_label", "chapter_name").iter_rows()),
        labels=labels,
        words=words,
    )
