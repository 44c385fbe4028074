"""How the summaries name a salient statistic, read by a grammar whose words are data.

Until 2025 a statistic is a column name, ``[subject] statistic [form] [unit]``::

    USprod_Compounds-Metals_t     Bauxite_NIR_pct     Price_Nd2O3_dkg     Employment_num

whose spelling differs from year to year and from file to file (``Employment_num``, ``_um``,
``_m``, ``_``; ``USprod_Minet`` for ``USprod_Mine_t``). From 2026 on it is a printed line of the
table, ``Price, average, dollars per kilogram: Neodymium oxide, 99.5% minimum``, beside a column
for the kind of statistic and one for the unit. Both become a :class:`Reading`.

The words are seeds of the dbt project (``seeds/labels``): ``salient_prefix__usgs_mcs`` (names of
statistics), ``salient_unit__usgs_mcs``, ``salient_subject__usgs_mcs`` (parts of a chapter that
stand in front), ``salient_form__usgs_mcs`` (names of forms), ``salient_phrase__usgs_mcs`` (phrases
of the printed lines that say nothing about the form) and ``salient_column__usgs_mcs`` (columns
that were misnamed or lack a word, one by one, with the release). A form that no list knows keeps
its own words; a statistic or a unit that no list knows is an error.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipelines.errors import MonaziteError
from pipelines.settings import Settings
from pipelines.sources.label_maps import read_map

__all__ = ["Reading", "Unit", "Vocabulary", "fold", "read_header", "read_line"]

#: Statistics whose unit never changes, whatever the column name ends with.
FIXED_UNITS = {"net_import_reliance": "percent", "employment": "number"}
_PRICES = frozenset({"price", "index"})
_BLANKS = re.compile(r"[\s\u00a0\u2009\u202f]+")
_JOINTS = re.compile(r"[\s_,-]+")
#: Colons and commas that part a printed line; those in brackets and in numbers do not.
_PARTINGS = re.compile(r"[:,](?!\d{3}\b)(?![^(]*\))(?![^\[]*\])")
_PURITY = re.compile(r"^(minimum )?\d+(\.\d+)?%( minimum)?( purity)?$")
_CONTENT = re.compile(r" of .*$")
_SHORT = 3


def fold(text: str) -> str:
    """Lower case, white space tidied."""
    return _BLANKS.sub(" ", text).strip().casefold()


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the salient statistics.

    :ivar label: its name in full, as the maps of units know it; None where the spelling is a known
        misprint that does not tell the unit.
    :ivar dimension: ``mass``, ``carat``, ``volume``, ``area``, ``value``, ``share``, ``count``,
        ``index``, ``price`` or ``misprint``.
    :ivar size: in metric tons, carats, cubic meters, dollars or square feet.
    """

    label: str | None
    dimension: str
    size: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the name of a salient statistic says.

    :ivar statistic: ``production``, ``imports``, ``net_import_reliance``, ...
    :ivar form: what is counted, in the words of the map of forms; "" where nothing is said.
    :ivar unit_text: the unit as printed in the name or beside it.
    :ivar unit: the unit, None where none is printed.
    :ivar subject: the part of the chapter that the name begins with.
    :ivar fault: why the figures below this name cannot be used, None where they can.
    :ivar is_listed: the name stands in the map of single columns, so it is not ambiguous.
    """

    statistic: str
    form: str
    unit_text: str | None
    unit: Unit | None
    subject: str | None = None
    fault: str | None = None
    is_listed: bool = False


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of the grammar, all keys folded.

    :ivar prefixes: name of a statistic to (statistic, form), longer names first; the statistic is
        "" for words that stand in the place of one without saying which.
    :ivar units: spelling to unit.
    :ivar subjects: (commodity label, prefix) to subject label.
    :ivar forms: (commodity label, statistic, text) to form; the first two may be "" for any.
    :ivar words: every spelling of a form, and their last words.
    :ivar phrases: phrases of printed lines that say nothing about the form.
    :ivar openings: the same, for phrases that only begin so.
    :ivar columns: (release, commodity label, name, repeat) to (statistic, form, unit label).
    :ivar commodities: commodity as printed to commodity label.
    """

    prefixes: Mapping[str, tuple[str, str]]
    units: Mapping[str, Unit]
    subjects: Mapping[tuple[str, str], str]
    forms: Mapping[tuple[str, str, str], str]
    words: frozenset[str]
    phrases: frozenset[str]
    openings: tuple[str, ...]
    columns: Mapping[tuple[str, str, str, int], tuple[str, str, str]]
    commodities: Mapping[str, str]

    @classmethod
    def load(cls, seeds: Path | None = None) -> Vocabulary:
        """The words as the seeds below ``seeds/labels`` give them.

        :raises MonaziteError: a seed is missing or lacks a column.
        """
        folder = ((seeds or Settings().seeds_dir) / "labels").resolve()
        stamp = tuple(p.stat().st_mtime_ns for p in sorted(folder.glob("salient_*.csv")))
        return _load(folder, stamp)

    def form(self, commodity: str, statistic: str, text: str) -> str:
        """The name of a form, the text itself where no map has it."""
        for key in (
            (commodity, statistic, text),
            (commodity, "", text),
            ("", statistic, text),
            ("", "", text),
        ):
            if key in self.forms:
                return self.forms[key]
        return text


def _rows(folder: Path, name: str, *columns: str) -> list[dict[str, str]]:
    frame = read_map(f"{name}__usgs_mcs", folder.parent)
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise MonaziteError(
            f"columns missing: {', '.join(missing)}", where=str(folder / f"{name}__usgs_mcs.csv")
        )
    return frame.select(columns).fill_null("").to_dicts()


@lru_cache(maxsize=8)
def _load(folder: Path, stamp: tuple[int, ...]) -> Vocabulary:
    del stamp  # part of the cache key only
    prefixes = {
        fold(r["prefix"]): (r["statistic"], r["form_text"])
        for r in _rows(folder, "salient_prefix", "prefix", "statistic", "form_text")
    }
    units = {
        fold(r["unit_text"]): Unit(
            r["unit_label"] or None, r["dimension"], float(r["size"]) if r["size"] else None
        )
        for r in _rows(folder, "salient_unit", "unit_text", "unit_label", "dimension", "size")
    }
    subjects = {
        (r["commodity_label"], fold(r["prefix"])): r["subject_label"]
        for r in _rows(folder, "salient_subject", "commodity_label", "prefix", "subject_label")
    }
    form_columns = ("commodity_label", "statistic", "form_text", "form_label")
    forms = {
        (r["commodity_label"], r["statistic"], fold(r["form_text"])): r["form_label"]
        for r in _rows(folder, "salient_form", *form_columns)
    }
    phrases = [fold(r["phrase"]) for r in _rows(folder, "salient_phrase", "phrase")]
    key = ("release", "commodity_label", "statistic_text", "repeat_number")
    columns = {
        (r["release"], r["commodity_label"], fold(r["statistic_text"]), int(r["repeat_number"])): (
            r["statistic"],
            r["form_label"],
            r["unit_label"],
        )
        for r in _rows(folder, "salient_column", *key, "statistic", "form_label", "unit_label")
    }
    commodities = {
        fold(r["commodity_text"]): r["commodity_label"]
        for r in _rows(folder, "salient_commodity", "commodity_text", "commodity_label")
    }
    spellings = {text for _, _, text in forms if text}
    return Vocabulary(
        prefixes=dict(sorted(prefixes.items(), key=lambda p: len(p[0]), reverse=True)),
        units=units,
        subjects=subjects,
        forms=forms,
        words=frozenset(spellings | {s.rsplit(" ", 1)[-1] for s in spellings}),
        phrases=frozenset(p for p in phrases if not p.endswith("*")),
        openings=tuple(p[:-1] for p in phrases if p.endswith("*")),
        columns=columns,
        commodities=commodities,
    )


def read_header(
    vocabulary: Vocabulary, commodity: str, name: str, *, release: str = "", repeat: int = 1
) -> Reading | str:
    """The column ``name`` of a file of ``commodity``, or what of it cannot be read.

    :param release: ``MCS2024``, as the rows of the file say; for columns listed one by one.
    :param repeat: which of several columns of this name it is.
    """
    text = _BLANKS.sub(" ", name).strip()
    listed = _listed(vocabulary, release, commodity, text, repeat)
    subject, text = _subject(vocabulary, commodity, text)
    label = subject or commodity
    if listed:
        statistic, form, unit_label = listed
        last = text.rsplit("_", 1)[-1]
        unit = vocabulary.units.get(unit_label)
        return Reading(
            statistic, form, last or None, unit, subject, _fault(name, statistic, unit), True
        )
    found = _statistic(vocabulary, text)
    if found is None:
        near = difflib.get_close_matches(
            re.split(r"[_ ]", text)[0].casefold(), list(vocabulary.prefixes), n=1, cutoff=0.7
        )
        return f"no known statistic in column {name!r}" + (f" (near: {near[0]})" if near else "")
    statistic, form_text, rest = found
    split = _unit(vocabulary, statistic, rest)
    if split is None:
        return f"unit of column {name!r} is not known"
    form_rest, unit_text = split
    unit = vocabulary.units.get(fold(unit_text)) if unit_text else None
    if not statistic:
        # After words that say nothing only a unit of price tells the statistic.
        if unit is None or unit.dimension not in _PRICES:
            return f"no known statistic in column {name!r}"
        statistic = "price"
    words = " ".join(w for w in (form_text, _JOINTS.sub(" ", form_rest).strip()) if w)
    form = vocabulary.form(label, statistic, fold(words))
    if statistic in FIXED_UNITS:
        unit = vocabulary.units[FIXED_UNITS[statistic]]
    return Reading(statistic, form, unit_text or None, unit, subject, _fault(name, statistic, unit))


def read_line(
    vocabulary: Vocabulary,
    commodity: str,
    statistic_text: str,
    line: str,
    unit_text: str | None,
    *,
    release: str = "",
    repeat: int = 1,
) -> Reading | str:
    """A printed line of the table of ``commodity``, or what of it cannot be read.

    :param statistic_text: the kind of statistic printed beside it.
    :param unit_text: the unit printed beside it; one in the line itself is more exact and holds.
    """
    listed = _listed(vocabulary, release, commodity, line, repeat)
    statistic, form_text = vocabulary.prefixes.get(fold(statistic_text), ("", ""))
    if listed:
        statistic, form, unit_label = listed
        unit = vocabulary.units.get(unit_label)
        return Reading(statistic, form, unit_text, unit, None, _fault(line, statistic, unit), True)
    if not statistic:
        return f"statistic {statistic_text!r} is not known"
    segments = [fold(s) for s in _PARTINGS.split(line)]
    printed = [
        vocabulary.units[name]
        for s in segments
        if (name := _CONTENT.sub("", s)) in vocabulary.units and len(name) > len("index")
    ]
    unit = vocabulary.units.get(fold(unit_text)) if unit_text else None
    if unit_text and fold(unit_text) and unit is None:
        return f"unit {unit_text!r} is not known"
    if printed and (unit is None or printed[-1].label != unit.label):
        unit = printed[-1]
    if statistic in FIXED_UNITS:
        unit = vocabulary.units[FIXED_UNITS[statistic]]
    kept = [
        s
        for s in segments
        if s
        and s not in vocabulary.phrases
        and not s.startswith(vocabulary.openings)
        and _CONTENT.sub("", s) not in vocabulary.units
        and not _PURITY.match(s)
    ]
    words = ", ".join([form_text, *kept] if form_text else kept)
    form = vocabulary.form(commodity, statistic, words)
    return Reading(statistic, form, unit_text, unit, None, _fault(line, statistic, unit))


def _listed(
    vocabulary: Vocabulary, release: str, commodity: str, name: str, repeat: int
) -> tuple[str, str, str] | None:
    for key in (release, ""):
        hit = vocabulary.columns.get((key, commodity, fold(name), repeat))
        if hit:
            return hit
    return None


def _subject(vocabulary: Vocabulary, commodity: str, text: str) -> tuple[str | None, str]:
    for (label, prefix), subject in vocabulary.subjects.items():
        rest = text[len(prefix) :]
        if label == commodity and text.casefold().startswith(prefix) and _is_boundary(rest):
            return subject, rest.lstrip("_ ")
    return None, text


def _is_boundary(rest: str) -> bool:
    return not rest or not rest[0].islower()


def _statistic(vocabulary: Vocabulary, text: str) -> tuple[str, str, str] | None:
    """Statistic, words on the form and what follows; the statistic is "" after empty words."""
    for prefix, (statistic, form) in vocabulary.prefixes.items():
        rest = text[len(prefix) :]
        if not text.casefold().startswith(prefix):
            continue
        if not statistic:
            return _statistic(vocabulary, rest) or ("", form, rest)
        if _is_boundary(rest) or rest.casefold() in vocabulary.units:
            return statistic, form, rest.lstrip("_ ,-")
    return None


def _unit(vocabulary: Vocabulary, statistic: str, rest: str) -> tuple[str, str] | None:
    """``rest`` parted into form and unit; "" where no unit is printed, None where it is unknown."""
    head, _, last = rest.rpartition("_")
    known = fold(last)
    if not rest or not last:
        return head, ""
    if known in vocabulary.units:
        return head, last
    if fold(_JOINTS.sub(" ", last)) in vocabulary.words:
        return rest, ""
    for suffix in sorted(vocabulary.units, key=len, reverse=True):
        stem = last[: -len(suffix)]
        if known.endswith(suffix) and stem and fold(_JOINTS.sub(" ", stem)) in vocabulary.words:
            return "_".join(p for p in (head, stem) if p), last[-len(suffix) :]
    if statistic not in FIXED_UNITS:
        return None
    # The unit is known whatever is printed; a few letters that no form ends with misspell it.
    return (head, last) if len(last) <= _SHORT else (rest, "")


def _fault(name: str, statistic: str, unit: Unit | None) -> str | None:
    """Why a unit cannot stand with this statistic, None where it can or none is printed."""
    if unit is None or statistic in FIXED_UNITS:
        return None
    is_price = unit.dimension in _PRICES
    if unit.label is None or is_price != (statistic == "price"):
        return f"unit of {name!r} cannot be that of {statistic.replace('_', ' ')}"
    return None
