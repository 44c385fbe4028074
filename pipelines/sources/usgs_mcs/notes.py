"""What the notes beside a figure say about it: a word in place of a number, or how it was made.

Notes are sentences and short marks, joined by full stops or dashes: ``Estimated.``,
``W for 23-24``, ``Also estimated in 2022``, ``Reported production in 2021.``,
``Included with "Other countries."``. Only what changes the meaning of a figure is read; the text
itself is kept beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Note", "read_note"]

#: What stands in a note in place of a number; the first that fits holds.
_FLAGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), flag)
    for pattern, flag in (
        (r"^less than (½|1/2|one-half|a half) unit", "below_half_unit"),
        (r"^w(ithheld)?\b", "withheld"),
        (r"^(xx\b|not applicable)", "not_applicable"),
        (r"^na\b", "not_available"),
        (r"\binclud\w* (with|in) ", "included_elsewhere"),
        (r"^(very )?(large|moderate|small)\b", "qualitative"),
        (
            r"\b(as|to be) \W*(very )?(large|moderate|small)\b",
            "qualitative",
        ),
        (r"\bnot available\b", "not_available"),
    )
)
_SENTENCES = re.compile(r"\.\s+|\s*\.?\s*--\s*|;\s+")
_BLANKS = re.compile(r"[\s\u00a0\u2009\u202f]+")
_YEARS = re.compile(r"\b((?:19|20)\d{2})\b")
_ESTIMATED = re.compile(r"^(also )?estimated\b|\b(is|are|was|were) also estimated\b")
_REPORTED = re.compile(
    r"(^|, )(reported|reproted)(\s+(production|data|quantity|capacity))?(\s+in\s+\d{4})?\W*$"
    r"|^production was reported in \d{4}|^in \d{4}, as reported by"
)
#: "Estimated to be large" speaks of size, "Estimated reserves data were included" of what counts.
_NOT_ABOUT_FIGURES = re.compile(r"^estimated (to|reserves)\b")


@dataclass(frozen=True, slots=True)
class Note:
    """A note, read.

    :ivar flag: value flag of a cell that holds no number, or None.
    :ivar flag_years: the years that ``flag`` speaks of; empty for all.
    :ivar estimated: years whose figure is an estimate; ``(0,)`` for whichever year it stands by.
    :ivar reported: years whose figure was reported; ``(0,)`` likewise.
    """

    flag: str | None = None
    flag_years: tuple[int, ...] = ()
    estimated: tuple[int, ...] = ()
    reported: tuple[int, ...] = ()

    def flag_in(self, year: int | None) -> str | None:
        """The value flag for ``year``."""
        return self.flag if not self.flag_years or year in self.flag_years else None


def read_note(text: str | None) -> Note:
    """Read a note.

    >>> read_note("Also estimated in 2022").estimated, read_note("Estimated. -- Crude.").estimated
    ((2022,), (0,))
    >>> read_note("W for 23-24").flag, read_note("na for 2023").flag_years
    ('withheld', (2023,))
    """
    folded = _BLANKS.sub(" ", text or "").strip().lower()
    if not folded:
        return Note()
    flag = next((name for pattern, name in _FLAGS if pattern.search(folded)), None)
    estimated: list[int] = []
    reported: list[int] = []
    for sentence in filter(None, (s.strip(" .") for s in _SENTENCES.split(folded))):
        years = [int(y) for y in _YEARS.findall(sentence)] or [0]
        if _ESTIMATED.search(sentence) and not _NOT_ABOUT_FIGURES.search(sentence):
            estimated += years
        elif _REPORTED.search(sentence):
            reported += years
    whole = bool(re.match(r"^\w+ for \d{4}$", folded))
    return Note(
        flag=flag,
        flag_years=tuple(int(y) for y in _YEARS.findall(folded)) if whole else (),
        estimated=tuple(estimated),
        reported=tuple(reported),
    )
