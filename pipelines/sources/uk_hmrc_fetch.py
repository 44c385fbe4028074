"""HM Revenue and Customs: the table ``OTS`` of the trade information service, by heading and year.

OData 4 without a key: ``$filter`` on commodity and month, ``$expand=Country``, rows in ``value``,
at most 40,000 an answer with the address of the next in ``@odata.nextLink``, 60 requests a minute.
All codes of one heading (four digits) are asked for together. Too many requests are told by 429 or
503, by a 403 that passes, or by a status 200 with a sentence in place of JSON; all are asked again.

The newest month is found by asking for one row of a month, from the present one backwards:
``$orderby`` is reported to be refused.

Nothing here was tried against the live service. From its documentation: tables, paging, limits, the
code as a number. From clients: the fields of ``OTS``, the ways of throttling, that ``$orderby`` is
refused, ``$expand=Country``. Never seen: how long an ``or`` of codes may be, and the wording of the
sentence, which is told from data by not being JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from pipelines.catalog import Source
from pipelines.errors import FetchFailed, UsageError
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

__all__ = ["BASE_URL", "NEXT_LINK", "fetch"]

BASE_URL: Final = "https://api.uktradeinfo.com"
NEXT_LINK: Final = "@odata.nextLink"

_SYSTEM = "UK8"
_CODE = re.compile(r"\d{8}")
#: Codes in one filter, so that the address stays below what servers take.
_CODES_PER_REQUEST = 30
#: Months that figures may be late, before something else is wrong.
_MONTHS_BACK = 24
_PAGES_AT_MOST = 200
_CHANGED = "the publisher's interface may have changed; see docs/sources/uk_hmrc.md"


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
    :param codes: eight-digit codes in place of those that the seed ``ref_national_code`` maps to a
        material.
    :param first_year: in place of the catalogue's.
    :param today: from which the newest month is looked for; today by default.
    :raises UsageError: there is no code to ask for, or one is no code.
    :raises FetchFailed: the newest month could not be had.
    """
    checked_at = datetime.now(UTC)
    url = f"{(source.endpoint or BASE_URL).rstrip('/')}/OTS"
    wanted = _wanted(seeds_dir, codes)
    try:
        newest = await _newest(client, url, today or checked_at.date())
    except QuotaSpent as error:
        return put_off(source, checked_at, error)
    first = first_year or source.api.first_year or int(newest[:4])

    async def collect(year: YearWanted, spool: Spool) -> list[FetchedDocument]:
        answers = Answers(client, spool, year.key, doubt=no_json)
        for name, group in _questions(wanted):
            await _ask(answers, url, f"OTS_{year.year}_{name}", group, year.year)
        return list(answers.documents.values())

    return await bring_years(
        source,
        known,
        state_dir=state_dir or into,
        wanted=years_wanted(newest, first, digest(wanted), years),
        collect=collect,
        checked_at=checked_at,
    )


def _wanted(seeds_dir: Path | None, codes: Sequence[str] | None) -> list[str]:
    if codes is None:
        codes = national_codes(seeds_dir, _SYSTEM) if seeds_dir is not None else []
    for code in codes:
        if not _CODE.fullmatch(code):
            raise UsageError(
                f"{code!r} is no commodity code of the United Kingdom", remedy="give eight digits"
            )
    if not codes:
        raise UsageError(
            "no commodity code to ask for", remedy="fill ref_national_code, or give codes"
        )
    return sorted(set(codes))


def _questions(codes: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Codes that are asked for together, with what the documents are called after."""
    headings: dict[str, list[str]] = {}
    for code in codes:
        headings.setdefault(code[:4], []).append(code)
    found = []
    for heading, group in headings.items():
        pieces = [
            group[i : i + _CODES_PER_REQUEST] for i in range(0, len(group), _CODES_PER_REQUEST)
        ]
        found += [
            (heading if n == 0 else f"{heading}-{n + 1}", piece) for n, piece in enumerate(pieces)
        ]
    return found


async def _ask(answers: Answers, url: str, name: str, codes: Sequence[str], year: int) -> None:
    """All pages of one answer.

    :raises FetchFailed: it never ends, a page has rows that were not asked for, or a row comes on
        two pages, which then are asked for again.
    """
    # A number in the filter has no leading zero.
    numbers = {str(int(code)) for code in codes}
    anyone = " or ".join(f"CommodityId eq {number}" for number in sorted(numbers))
    params: dict[str, str | int] | None = {
        "$filter": f"({anyone}) and MonthId ge {year}01 and MonthId le {year}12",
        "$expand": "Country",
    }
    address = url
    seen: set[str] = set()
    pages: list[str] = []
    for page in range(1, _PAGES_AT_MOST + 1):
        pages.append(f"{name}.json" if page == 1 else f"{name}_p{page}.json")

        def settle(body: bytes, place: str = address) -> bytes:
            _rows(body, numbers, year, place)
            return body

        body = await answers.ask(pages[-1], address, params, settle=settle)
        rows = {json.dumps(row, sort_keys=True) for row in _rows(body, numbers, year, address)}
        if seen & rows:
            answers.forget(pages)
            raise FetchFailed(
                f"a row of page {page} came on a page before",
                where=address,
                remedy="run again later: the publisher may have been changing the table",
            )
        seen |= rows
        answer: Any = json.loads(body)
        link = answer.get(NEXT_LINK)
        if not isinstance(link, str):
            return
        address, params = link, None
    raise FetchFailed(
        f"the answer goes on after {_PAGES_AT_MOST} pages",
        where=address,
        remedy="the publisher's interface may have changed; see docs/sources",
    )


def _rows(body: bytes, codes: Collection[str], year: int, where: str) -> list[dict[str, Any]]:
    """The rows of a page.

    :raises FetchFailed: it is none, or has a row of another code or year.
    """
    rows = _listed(json.loads(body), where)
    for number, row in enumerate(rows, start=1):
        is_asked = str(row.get("CommodityId")) in codes and str(row.get("MonthId"))[:4] == str(year)
        if not is_asked:
            raise FetchFailed(
                f"row {number} is of commodity {str(row.get('CommodityId'))[:20]} in month "
                f"{str(row.get('MonthId'))[:20]}, which was not asked for",
                where=where,
                remedy=_CHANGED,
            )
    return rows


def _listed(answer: Any, where: str) -> list[dict[str, Any]]:
    """:raises FetchFailed: it is no list of rows."""
    rows = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FetchFailed("answer holds no list `value` of rows", where=where, remedy=_CHANGED)
    return rows


async def _newest(client: PublisherClient, url: str, today: date) -> str:
    """The newest month that is published (``2026-09``).

    :raises FetchFailed: none of the last months is, or no answer.
    """
    year, month = today.year, today.month
    for _ in range(_MONTHS_BACK):
        month -= 1
        if month == 0:
            year, month = year - 1, 12
        params: dict[str, str | int] = {"$filter": f"MonthId eq {year}{month:02}", "$top": 1}
        body = await client.get_bytes(url, params, accept="application/json", doubt=no_json)
        if body and _listed(json.loads(body), url):
            return f"{year}-{month:02}"
    raise FetchFailed(
        f"none of the last {_MONTHS_BACK} months is published",
        where=url,
        remedy="the publisher's interface may have changed; see docs/sources",
    )
