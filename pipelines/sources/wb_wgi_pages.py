"""Answers of the World Bank's interface (v2, JSON), a page of a series each.

A page is a list of two: what it is (``page``, ``pages``, ``per_page``, ``total``, ``sourceid``,
``lastupdated``) and its rows, one a country and year::

    {"indicator": {"id": "GOV_WGI_RL.EST", "value": "Rule of Law - Governance estimate (...)"},
     "country": {"id": "CL", "value": "Chile"}, "countryiso3code": "CHL", "date": "2023",
     "value": 1.01, "unit": "", "obs_status": "", "decimal": 1}

``null`` says not available. A few areas have neither of the two codes (Taiwan and Jersey among
them) and are told by their name. What is wrong with a question is told with status 200, as
``[{"message": [{"id": "120", "key": ..., "value": ...}]}]``.

Pages are asked for one after the other, so nothing but their own count says that they belong
together: :func:`check_series` refuses pages that are missing, doubled, or of two states of the
database.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from pipelines.errors import DocumentUnreadable

__all__ = ["Page", "Refusal", "check_series", "read_page", "series_frame"]

_AGAIN = "fetch the series again"
_SERIES = re.compile(r"^(?:GOV_WGI_)?(?P<indicator>[A-Z]{2})\.(?P<kind>[A-Z_]+)$")
#: Where ``value`` stands in a row, counted from 1.
_VALUE_COLUMN = 5
_YEAR = re.compile(r"\d{4}")


class Refusal(DocumentUnreadable):
    """The publisher answers a question with an error, under status 200.

    :ivar code: the error's number in the publisher's list (``120``), or an empty text.
    """

    def __init__(self, code: str, said: str, *, where: str) -> None:
        self.code = code
        super().__init__(
            f"the World Bank answers with error {code or '?'}: {said}",
            where=where,
            remedy="the series may have been renamed; see docs/sources/wb_wgi.md",
        )


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    :ivar series: id of the series (``GOV_WGI_RL.EST``); None where there are no rows to tell it.
    :ivar title: what the publisher calls it.
    :ivar page: number of this page, from 1 to ``pages``.
    :ivar total: rows of all pages.
    :ivar updated: the day on which the publisher last loaded its database.
    :ivar rows: as published, numbers as text.
    """

    place: str
    series: str | None
    title: str
    page: int
    pages: int
    total: int
    updated: date
    rows: tuple[Mapping[str, Any], ...]

    @property
    def keys(self) -> list[tuple[str | None, str | None]]:
        """Area and year of every row."""
        return [(area_code(row), _text(row.get("date"))) for row in self.rows]

    @property
    def last_year(self) -> int | None:
        """The last year with a value."""
        years = [
            int(year)
            for row in self.rows
            if row.get("value") is not None
            and (year := _text(row.get("date"))) is not None
            and _YEAR.fullmatch(year)
        ]
        return max(years, default=None)


def read_page(content: bytes, place: str) -> Page:
    """One answer as it came.

    :param place: for messages.
    :raises Refusal: it is an error of the publisher.
    :raises DocumentUnreadable: it is not a page of one series.
    """
    try:
        answer = json.loads(content, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise DocumentUnreadable("not JSON", where=place, remedy=_AGAIN) from error
    _refuse_error(answer, place)
    if not (isinstance(answer, list) and len(answer) == 2 and isinstance(answer[0], dict)):
        raise _strange("not a page of the World Bank's interface ([what, rows])", place)
    about, rows = answer[0], answer[1] if answer[1] is not None else []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _strange("the rows of the page are not a list of objects", place)
    series = {_inner(row, "indicator", "id") for row in rows}
    titles = [_inner(row, "indicator", "value") for row in rows]
    if len(series) > 1 or None in series:
        raise _strange(f"a page of one series was expected, {len(series)} came", place)
    return Page(
        place=place,
        series=next(iter(series), None),
        title=next((t for t in titles if t), ""),
        page=_count(about, "page", place),
        pages=_count(about, "pages", place),
        total=_count(about, "total", place),
        updated=_day(about.get("lastupdated"), place),
        rows=tuple(rows),
    )


def check_series(pages: Sequence[Page]) -> None:
    """Whether ``pages`` are one whole series in one state of the database.

    :raises DocumentUnreadable: a page is missing or stands twice, the pages do not agree, or they
        do not add up to what they announce.
    """
    first = pages[0]
    for page in pages[1:]:
        for what, ours, others in (
            ("series", page.series, first.series),
            ("number of pages", page.pages, first.pages),
            ("total", page.total, first.total),
            ("day of the last update", page.updated, first.updated),
        ):
            if ours != others:
                raise DocumentUnreadable(
                    f"pages do not agree on the {what}: {others} and {ours}",
                    where=f"{first.place} and {page.place}",
                    remedy="the publisher was loading its database; fetch again later",
                )
    numbers = [page.page for page in pages]
    lost = sorted(set(range(1, first.pages + 1)) - set(numbers))
    if lost or len(set(numbers)) != len(numbers) or max(numbers) > first.pages:
        told = f"page {lost[0]} is missing" if lost else "a page stands twice or is beyond the last"
        raise DocumentUnreadable(
            f"{first.series}: {told} (pages {sorted(numbers)} of {first.pages})",
            where=first.place,
            remedy=_AGAIN,
        )
    keys = [key for page in pages for key in page.keys]
    if len(keys) != first.total:
        raise DocumentUnreadable(
            f"{first.series}: {len(keys):,} rows came of {first.total:,}",
            where=first.place,
            remedy=_AGAIN,
        )
    (area, year), times = Counter(keys).most_common(1)[0] if keys else ((None, None), 1)
    if times > 1:
        raise DocumentUnreadable(
            f"{first.series}: {area} of {year} stands twice", where=first.place, remedy=_AGAIN
        )


def series_frame(
    page: Page, headers: Mapping[str, str], kinds: Mapping[str, str]
) -> pl.DataFrame | None:
    """The values of a page in the long form of :mod:`pipelines.sources.wb_wgi`; None for no rows.

    :param headers: the publisher's words for a measure, in lower case, to the measure.
    :param kinds: ending of a series' id to the measure, where the words are not known.
    :raises DocumentUnreadable: id and words tell different measures.
    """
    if page.series is None:
        return None
    told = _SERIES.fullmatch(page.series)
    by_words = headers.get(page.title.rpartition(" - ")[2].strip().casefold())
    by_id = kinds.get(told["kind"]) if told else None
    if by_words and by_id and by_words != by_id:
        raise _strange(f"{page.series} is called {page.title!r}", page.place)
    indicator = told["indicator"].lower() if told else page.series
    return pl.DataFrame(
        [
            {
                "row_number": number,
                "column_number": _VALUE_COLUMN,
                "column_name": page.series,
                "country_code_text": area_code(row),
                "country_text": _inner(row, "country", "value"),
                "__year": _text(row.get("date")),
                "__indicator": indicator,
                "measure": by_words or by_id,
                "value_text": _text(row.get("value")),
            }
            for number, row in enumerate(page.rows, start=1)
        ],
        schema={
            "row_number": pl.Int64(),
            "column_number": pl.Int32(),
            "column_name": pl.String(),
            "country_code_text": pl.String(),
            "country_text": pl.String(),
            "__year": pl.String(),
            "__indicator": pl.String(),
            "measure": pl.String(),
            "value_text": pl.String(),
        },
        orient="row",
    )


def area_code(row: Mapping[str, Any]) -> str | None:
    """The ISO 3166-1 alpha-3 code of a row's area, or its name where it has none."""
    return _text(row.get("countryiso3code")) or _inner(row, "country", "value")


def _refuse_error(answer: object, place: str) -> None:
    """:raises Refusal: the answer is one of the publisher's errors."""
    entry = answer[0] if isinstance(answer, list) and answer else answer
    if not isinstance(entry, dict) or "message" not in entry:
        return
    messages = entry["message"]
    first = messages[0] if isinstance(messages, list) and messages else messages
    told: Mapping[str, Any] = first if isinstance(first, dict) else {"value": first}
    said = " ".join(str(told.get(k, "")) for k in ("key", "value")).strip()
    line = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    raise Refusal(str(told.get("id", ""))[:8], line[:160], where=place)


def _strange(what: str, place: str) -> DocumentUnreadable:
    return DocumentUnreadable(
        what, where=place, remedy="the interface may have changed; see docs/sources/wb_wgi.md"
    )


def _text(value: object) -> str | None:
    """A value as text, surrounding blanks taken off; None for null and for nothing."""
    if value is None:
        return None
    # Half a surrogate pair is JSON, and no text.
    return str(value).encode("utf-8", "replace").decode().strip()[:200] or None


def _inner(row: Mapping[str, Any], name: str, key: str) -> str | None:
    inner = row.get(name)
    return _text(inner.get(key)) if isinstance(inner, dict) else None


def _count(about: Mapping[str, Any], name: str, place: str) -> int:
    text = str(about.get(name, ""))
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise _strange(f"the page does not tell its {name}", place)
    return int(text)


def _day(value: object, place: str) -> date:
    text = str(value or "")
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise _strange("the page does not tell when the database was last updated", place)
