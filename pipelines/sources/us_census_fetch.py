"""US Census Bureau: one request a commodity, flow and year of the international trade API.

``imports/hs`` and ``exports/hs`` answer a commodity and a range of months with all countries, their
groups and the total, as an array of arrays; nothing found is status 204. Codes of ten digits are
asked for; where none of those below a six-digit code is served, the six-digit code is, so that the
two never overlap. The newest month comes from the total of all countries in one chapter.

Nothing here was tried against the live service. From its documentation and from what clients show:
the columns, the 204, 500 requests a day without a key. Reported by users, not by a document of the
publisher: that since May 2026 a request without a key is sent on to a page that asks for one. Never
seen at all: how a spent quota is worded (status 429 is taken for it when it says so), and whether a
request for ``DF`` brings the row of domestic and foreign goods together as well.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from pipelines.catalog import Source
from pipelines.errors import FetchFailed, KeyMissing, UsageError
from pipelines.sources.fetching import FetchedDocument, FetchResult, Known
from pipelines.sources.http import PublisherClient, QuotaSpent
from pipelines.sources.national_codes import national_codes
from pipelines.sources.national_fetch import (
    Answers,
    YearWanted,
    bring_years,
    digest,
    no_json,
    put_off,
    years_wanted,
)
from pipelines.sources.spool import Spool

__all__ = ["BASE_URL", "fetch"]

BASE_URL: Final = "https://api.census.gov/data/timeseries/intltrade"

_SHARED = "CTY_CODE,CTY_NAME,SUMMARY_LVL,UNIT_QY1,UNIT_QY2"
#: Data set, parameter of the commodity, what is asked for.
_FLOWS: dict[str, tuple[str, str]] = {
    "imports": ("I_COMMODITY", f"{_SHARED},GEN_VAL_MO,CON_VAL_MO,GEN_QY1_MO,GEN_QY2_MO"),
    "exports": ("E_COMMODITY", f"{_SHARED},DF,ALL_VAL_MO,QTY_1_MO,QTY_2_MO"),
}
_SYSTEMS = {"imports": "HTS10", "exports": "SCHB10"}
_CODE = re.compile(r"\d{6}(?:\d{4})?")
_MONTH = re.compile(r"\d{4}-\d{2}")
#: Any chapter that is traded every month will do.
_PROBE_CHAPTER = "28"
#: Years in which the newest month is looked for.
_YEARS_BACK = 2
_ALL_COUNTRIES = "-"
#: Groups of countries, which repeat what their members trade.
_GROUP = re.compile(r"^00|X")
_VALUES = ("GEN_VAL_MO", "ALL_VAL_MO")
_PAGE_BYTES = 65_536
_CHANGED = "the publisher's interface may have changed; see docs/sources/us_census.md"


async def fetch(
    source: Source,
    known: Known,
    client: PublisherClient,
    into: Path,
    *,
    seeds_dir: Path | None = None,
    state_dir: Path | None = None,
    years: Sequence[int] | None = None,
    codes: Sequence[str] | None = None,
    first_year: int | None = None,
    today: date | None = None,
) -> FetchResult:
    """Bring the years whose figures are new, the newest first.

    :param years: only these; None for all since ``first_year``.
    :param codes: HTS or Schedule B codes (ten digits) or HS codes (six) to ask for in both flows,
        in place of those that the seed ``ref_national_code`` maps to a material.
    :param first_year: in place of the catalogue's.
    :param today: from which the newest month is looked for; today by default.
    :raises UsageError: there is no code to ask for, or one is no code.
    :raises KeyMissing: the publisher sends a request without a key to the page that gives one.
    :raises FetchFailed: the newest month could not be had.
    """
    checked_at = datetime.now(UTC)
    base = (source.endpoint or BASE_URL).rstrip("/")
    wanted = _wanted(seeds_dir, codes)
    try:
        newest = await _newest(client, base, today or checked_at.date())
    except QuotaSpent as error:
        return put_off(source, checked_at, error)
    asked = digest(
        f"{flow} {heading} {' '.join(ten_digits)}"
        for flow, groups in wanted.items()
        for heading, ten_digits in groups.items()
    )
    first = first_year or source.api.first_year or int(newest[:4])

    async def collect(year: YearWanted, spool: Spool) -> list[FetchedDocument]:
        answers = Answers(client, spool, year.key, doubt=_Doubt())
        for flow, groups in wanted.items():
            for heading, ten_digits in groups.items():
                bodies = [await _ask(answers, base, flow, code, year.year) for code in ten_digits]
                if not any(bodies):
                    await _ask(answers, base, flow, heading, year.year)
        return list(answers.documents.values())

    return await bring_years(
        source,
        known,
        state_dir=state_dir or into,
        wanted=years_wanted(newest, first, asked, years),
        collect=collect,
        checked_at=checked_at,
    )


def _wanted(seeds_dir: Path | None, codes: Sequence[str] | None) -> dict[str, dict[str, list[str]]]:
    """Flow to six-digit codes with the ten-digit codes below each; both flows ask for all of them.

    A six-digit code without any below is asked for itself.
    """
    by_flow: dict[str, list[str]] = {}
    for flow, system in _SYSTEMS.items():
        by_flow[flow] = (
            list(codes)
            if codes is not None
            else national_codes(seeds_dir, system)
            if seeds_dir is not None
            else []
        )
    every = [code for found in by_flow.values() for code in found]
    for code in every:
        if not _CODE.fullmatch(code):
            raise UsageError(
                f"{code!r} is no tariff code of the United States",
                remedy="give ten digits (HTS, Schedule B) or six (HS), without dots",
            )
    if not every:
        raise UsageError(
            "no tariff code to ask for", remedy="fill ref_national_code, or give codes"
        )
    headings = sorted({code[:6] for code in every})
    return {
        flow: {
            heading: sorted({c for c in found if c.startswith(heading) and len(c) > len(heading)})
            for heading in headings
        }
        for flow, found in by_flow.items()
    }


async def _ask(answers: Answers, base: str, flow: str, code: str, year: int) -> bytes:
    parameter, columns = _FLOWS[flow]
    url = f"{base}/{flow}/hs"

    def settle(body: bytes) -> bytes:
        _refuse_others(body, {*columns.split(","), parameter, "time"}, {parameter: code}, year, url)
        return body

    return await answers.ask(
        f"{flow}_{code}_{year}.json",
        url,
        {
            "get": columns,
            "COMM_LVL": f"HS{len(code)}",
            parameter: code,
            "time": f"from {year}-01 to {year}-12",
        },
        settle=settle,
    )


def _refuse_others(
    body: bytes, columns: AbstractSet[str], asked: Mapping[str, str], year: int, where: str
) -> None:
    """Refuse what is no answer to what was asked.

    :param asked: column to the value that all rows have.
    :raises FetchFailed: it is no table, lacks a column, or has a cut row, or one not asked for.
    """
    table = _table(json.loads(body))
    if table is None:
        raise FetchFailed(
            "answer is no table (a header and rows of its length)", where=where, remedy=_CHANGED
        )
    header, rows = table
    lacking = sorted(columns - set(header))
    if lacking:
        raise FetchFailed(f"answer has no column {lacking[0]}", where=where, remedy=_CHANGED)
    places = {header.index(column): value for column, value in asked.items()}
    at = header.index("time")
    for number, row in enumerate(rows, start=2):
        is_asked = all(str(row[place]) == value for place, value in places.items())
        if not is_asked or str(row[at])[:4] != str(year):
            told = ", ".join(str(row[place])[:20] for place in (*places, at))
            raise FetchFailed(
                f"row {number} is of {told}, which was not asked for", where=where, remedy=_CHANGED
            )


def _table(answer: Any) -> tuple[list[Any], list[list[Any]]] | None:
    """Header and rows; None where the answer is no table."""
    if not isinstance(answer, list) or not answer:
        return None
    header, *rows = answer
    if not isinstance(header, list) or not all(isinstance(name, str) for name in header):
        return None
    is_whole = all(isinstance(row, list) and len(row) == len(header) for row in rows)
    return (header, rows) if is_whole and rows else None


class _Doubt:
    """What may be wrong with an answer: words, or countries that do not add up to the total in it.

    The publisher states the total of all countries beside them. An answer that does not meet it
    and comes the same again is what the publisher says; the reader judges it.
    """

    def __init__(self) -> None:
        self._before: set[str] = set()

    def __call__(self, body: bytes) -> str | None:
        """What is wrong, or None."""
        said = no_json(body)
        if said is not None:
            return said
        table = _table(json.loads(body))
        if table is None or _adds_up(*table):
            return None
        told = hashlib.sha256(body).hexdigest()
        if told in self._before:
            return None
        self._before.add(told)
        return "answers countries that do not add up to their total"


def _adds_up(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
    """Whether the countries of each month add up to its total, where totals are stated."""
    value = next((name for name in _VALUES if name in header), None)
    if value is None or not {"CTY_CODE", "time"} <= set(header):
        return True
    at, country = header.index(value), header.index("CTY_CODE")
    cell = [header.index(name) for name in ("time", "DF") if name in header]
    totals: Counter[tuple[str, ...]] = Counter()
    sums: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        code, key = str(row[country]), tuple(str(row[place]) for place in cell)
        told = str(row[at])
        if not told.isdecimal() or _GROUP.search(code):
            continue
        (totals if code == _ALL_COUNTRIES else sums)[key] += int(told)
    if not totals:
        return True
    # Kinds of goods (DF) may be told apart for countries and not for the total.
    months = [{key[0] for key, usd in added.items() if usd} for added in (sums, totals)]
    is_met = all(sums[key] == totals[key] for key in sums.keys() & totals.keys())
    return is_met and months[0] == months[1]


async def _newest(client: PublisherClient, base: str, today: date) -> str:
    """The newest month that is published (``2026-09``).

    :raises KeyMissing: the publisher wants a key.
    :raises FetchFailed: there is none in the last years, or no answer.
    """
    url = f"{base}/imports/hs"
    params = {
        "get": "GEN_VAL_MO",
        "COMM_LVL": "HS2",
        "I_COMMODITY": _PROBE_CHAPTER,
        "CTY_CODE": "-",
        "time": f"from {today.year - _YEARS_BACK}-01 to {today.year}-12",
    }
    # Who shows no key, or a wrong one, is sent on to a page that speaks of it.
    body = await client.get_bytes(
        url,
        params,
        accept="application/json",
        allow_html=True,
        doubt=lambda body: None if _is_about_keys(body) else no_json(body),
    )
    if body and _is_about_keys(body):
        if not client.has_key:
            raise KeyMissing(
                "us_census answers no request without a key",
                where=url,
                remedy="get one at https://api.census.gov/data/key_signup.html and set "
                "MONAZITE_KEY_US_CENSUS",
            )
        raise FetchFailed(
            "the publisher does not take our key",
            where=url,
            remedy="check the key in MONAZITE_KEY_US_CENSUS",
        )
    table = _table(json.loads(body)) if body else None
    months: list[str] = []
    if table is not None and "time" in table[0]:
        place = table[0].index("time")
        months = [str(row[place]) for row in table[1]]
    found = [month for month in months if _MONTH.fullmatch(month)]
    if not found:
        raise FetchFailed(
            f"no month is published since January {today.year - _YEARS_BACK}",
            where=url,
            remedy="the publisher's interface may have changed; see docs/sources",
        )
    return max(found)


def _is_about_keys(body: bytes) -> bool:
    """Whether an answer is the page that is shown without a key, or with a wrong one."""
    told = body[:_PAGE_BYTES].lower()
    return told.lstrip().startswith(b"<") and b"key" in told
