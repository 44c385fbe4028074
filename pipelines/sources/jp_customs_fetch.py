"""Japan Customs through e-Stat: tables of the interface with an appId, files without one.

*With an appId* (``MONAZITE_KEY_JP_CUSTOMS``): ``getStatsList`` names the tables of trade statistics
with the years that they cover and the day of their last change; of the tables of commodity by
country the one last changed is asked with ``getStatsData`` for those of its codes (``getMetaInfo``)
that are below an HS code with a material, 100,000 cells an answer, going on at ``NEXT_KEY``. Errors
come with status 200 and a ``RESULT.STATUS`` other than 0; 1 is *no data*.

*Without*: files of all codes, one a section of the nomenclature. Their numbers change with every
release. They are taken from the option ``files`` where it is set, else from the pages of e-Stat
that list them; of these only files of chapters with materials are brought. Unless years are named,
only the newest two are.

Nothing here was tried against the live service. From documentation: the calls, their parameters and
limits. From clients: table names, that items stand in ``cat02`` and countries in ``area`` with a 5
in front, the addresses of the list pages and files, the header of a file. Never seen: a list page,
whose links are told by their parameters only; ``cdTime`` of a calendar year (``2024000000``), and
whether an answer repeats the appId.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urljoin, urlsplit

from pipelines.catalog import Source
from pipelines.errors import FetchFailed, UsageError
from pipelines.sources.fetching import FetchedDocument, FetchResult, HeldEdition, Known
from pipelines.sources.http import PublisherClient, QuotaSpent
from pipelines.sources.label_maps import read_reference
from pipelines.sources.national_fetch import (
    Answers,
    Collect,
    YearWanted,
    bring_years,
    digest,
    no_json,
    put_off,
)
from pipelines.sources.spool import Spool

__all__ = ["API_URL", "FILES_URL", "fetch"]

API_URL: Final = "https://api.e-stat.go.jp/rest/3.0/app/json"
FILES_URL: Final = "https://www.e-stat.go.jp"

_STATISTICS = "00350300"
#: Class of the list pages that holds commodity by country.
_LISTS = {"export": "000001013181", "import": "000001013182"}
_LIST = (
    "/en/stat-search/files?page=1&layout=datalist&toukei=00350300&tstat=000001013141&cycle=1"
    "&tclass1=000001013180&tclass2={table}&tclass3val=0&cycle_facet=cycle&metadata=1&data=1"
)
_LINK = re.compile(r"""href\s*=\s*["'](?P<link>[^"']+)["']""", re.IGNORECASE)
_CHAPTERS = re.compile(
    r"Chapter\s*(?P<first>\d{1,2})(?:\s*[-~]\s*(?P<last>\d{1,2}))?", re.IGNORECASE
)
_FILE_ID = re.compile(r"\d{6,20}")
_CODE = re.compile(r"\d{6}(?:\d{3})?")
#: Codes that one parameter takes.
_CODES_PER_REQUEST = 100
_CELLS_PER_ANSWER: Final = 100_000
_PAGES_AT_MOST = 500
_NO_DATA = "1"
_CHANGED = "the publisher's interface may have changed; see docs/sources/jp_customs.md"
#: Years that are brought as files where none are named: the running one and the one before.
_YEARS_OF_FILES = 2


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
    files: Mapping[str, Sequence[str]] | None = None,
) -> FetchResult:
    """Bring the years whose figures are new, the newest first.

    :param years: only these; None for all since ``first_year`` with an appId, else
        for the newest two.
    :param codes: statistical codes (nine digits) or HS codes (six) to ask the interface for, in
        place of the HS codes that the seed ``ref_hs_material`` maps to a material.
    :param first_year: in place of the catalogue's.
    :param files: year to numbers of files (``statInfId``), both flows together; used without appId.
    :raises UsageError: a code or number is none.
    :raises FetchFailed: the list of tables or files could not be had.
    """
    checked_at = datetime.now(UTC)
    try:
        if client.has_key:
            wanted, collect = await _by_interface(
                source, client, _prefixes(seeds_dir, codes), years=years, first_year=first_year
            )
        else:
            numbers = _given(files) if files else await _listed(client, seeds_dir, years)
            wanted, collect = _by_files(client, known, numbers, years)
    except QuotaSpent as error:
        return put_off(source, checked_at, error)
    return await bring_years(
        source,
        known,
        state_dir=state_dir or into,
        wanted=wanted,
        collect=collect,
        checked_at=checked_at,
    )


# The interface


async def _by_interface(
    source: Source,
    client: PublisherClient,
    prefixes: tuple[str, ...],
    *,
    years: Sequence[int] | None,
    first_year: int | None,
) -> tuple[list[YearWanted], Collect]:
    """Years to look at, and how the answers of one are brought."""
    base = (source.endpoint or API_URL).rstrip("/")
    tables = await _tables(client, base)
    last = max(table.last_year for table in tables)
    first = first_year or source.api.first_year or last
    limit = source.api.rows_per_answer or _CELLS_PER_ANSWER
    chosen: dict[str, list[dict[str, str]]] = {}

    async def collect(year: YearWanted, spool: Spool) -> list[FetchedDocument]:
        answers = Answers(client, spool, year.key, doubt=no_json)
        for table in _covering(tables, year.year):
            if table.table_id not in chosen:
                chosen[table.table_id] = await _choices(client, base, table, prefixes)
            for at, choice in enumerate(chosen[table.table_id], start=1):
                await _ask(
                    answers,
                    f"{base}/getStatsData",
                    f"{table.flow}_{year.year}_{table.table_id}_{at:03}",
                    {
                        "statsDataId": table.table_id,
                        "lang": "E",
                        "metaGetFlg": "Y",
                        "cdTime": f"{year.year}000000",
                        "limit": limit,
                        **choice,
                    },
                )
        return list(answers.documents.values())

    wanted = [
        YearWanted(
            year=year,
            key=_freshness(tables, year) if year >= last - 1 else "",
            asked=digest(prefixes),
        )
        for year in sorted(range(first, last + 1) if years is None else years, reverse=True)
    ]
    return wanted, collect


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of commodity by country.

    :ivar changed: day of its last change, as an ISO date.
    """

    table_id: str
    flow: str
    first_year: int
    last_year: int
    changed: str


def _inner(value: object, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _several(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _words(value: object) -> str:
    """The text of an element, which e-Stat writes plain or as ``{"@no": "1", "$": "text"}``."""
    if isinstance(value, dict):
        return " ".join(_words(v) for v in value.values())
    return "" if value is None else str(value)


def _settled(body: bytes, question: Mapping[str, str | int], where: str) -> bytes:
    """The answer; nothing where it says that there is no data.

    :param question: the parameters that were sent.
    :raises FetchFailed: it tells an error, holds other cells than it counts, or cells that were not
        asked for.
    """
    try:
        result = _inner(json.loads(body), "GET_STATS_DATA", "RESULT")
    except (ValueError, RecursionError):
        result = None
    status = _words(_inner(result, "STATUS"))
    if status == _NO_DATA:
        return b""
    _refuse_error(status, result)
    _refuse_others(body, question, where)
    return body


def _refuse_others(body: bytes, question: Mapping[str, str | int], where: str) -> None:
    """:raises FetchFailed: the cells are not those that the answer counts and that were asked."""
    data = _inner(json.loads(body), "GET_STATS_DATA", "STATISTICAL_DATA")
    told = _inner(data, "RESULT_INF")
    cells = _several(_inner(data, "DATA_INF", "VALUE"))
    table = _words(_inner(data, "TABLE_INF", "@id"))
    if table != question["statsDataId"]:
        raise FetchFailed(
            f"cells of table {table[:20] or 'unknown'} came, which was not asked for",
            where=where,
            remedy=_CHANGED,
        )
    first, last = (_words(_inner(told, name)) for name in ("FROM_NUMBER", "TO_NUMBER"))
    if not (first.isdecimal() and last.isdecimal()):
        raise FetchFailed("answer does not count its cells", where=where, remedy=_CHANGED)
    if int(first) != int(question["startPosition"]) or int(last) - int(first) + 1 != len(cells):
        raise FetchFailed(
            f"answer counts cells {first} to {last} and holds {len(cells):,} "
            f"where those from {question['startPosition']} were asked for",
            where=where,
            remedy="run again later",
        )
    # cdCat01 chooses from @cat01.
    asked = {
        f"@{name[2:].lower()}": frozenset(str(codes).split(","))
        for name, codes in question.items()
        if name.startswith("cd")
    }
    for number, cell in enumerate(cells, start=int(first)):
        other = next((n for n, codes in asked.items() if _words(_inner(cell, n)) not in codes), "")
        if other:
            raise FetchFailed(
                f"cell {number} has {other} {_words(_inner(cell, other))[:20]!r}, which was not "
                "asked for",
                where=where,
                remedy=_CHANGED,
            )


def _refuse_error(status: str, result: object) -> None:
    if status != "0":
        said = _words(_inner(result, "ERROR_MSG"))[:160] or "no answer of the interface"
        raise FetchFailed(
            f"e-Stat answers status {status or 'unknown'}: {said}",
            where=API_URL,
            remedy="check the appId in MONAZITE_KEY_JP_CUSTOMS; see docs/sources/jp_customs.md",
        )


async def _tables(client: PublisherClient, base: str) -> list[_Table]:
    """Tables of commodity by country.

    :raises FetchFailed: the list could not be had, or names none.
    """
    url = f"{base}/getStatsList"
    answer = await client.get_json(url, {"statsCode": _STATISTICS, "lang": "E"})
    body = _inner(answer, "GET_STATS_LIST")
    result = _inner(body, "RESULT")
    _refuse_error(_words(_inner(result, "STATUS")), result)
    listed = _several(_inner(body, "DATALIST_INF", "TABLE_INF"))
    told = _words(_inner(body, "DATALIST_INF", "NUMBER"))
    if told and told != str(len(listed)):
        raise FetchFailed(
            f"{len(listed)} tables came where {told} are announced",
            where=url,
            remedy="run again later",
        )
    found = [table for table in map(_table, listed) if table is not None]
    if not found:
        raise FetchFailed(
            f"none of {len(listed)} tables is commodity by country",
            where=url,
            remedy="the publisher may have renamed them; see docs/sources/jp_customs.md",
        )
    return found


def _table(entry: object) -> _Table | None:
    title = " ".join(
        _words(_inner(entry, name)) for name in ("STATISTICS_NAME", "TITLE", "TITLE_SPEC")
    )
    lower = title.lower()
    flows = [flow for flow in _LISTS if flow in lower]
    years = [int(y) for y in re.findall(r"(?:19|20)\d{2}", _words(_inner(entry, "SURVEY_DATE")))]
    years = years or [int(y) for y in re.findall(r"\b(?:19|20)\d{2}\b", title)]
    table_id = _words(_inner(entry, "@id"))
    changed = _words(_inner(entry, "UPDATED_DATE"))
    if (
        "commodity by country" not in lower
        or len(flows) != 1
        or not years
        or not _FILE_ID.fullmatch(table_id)
        or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", changed)
    ):
        return None
    return _Table(table_id, flows[0], min(years), max(years), changed)


def _covering(tables: Sequence[_Table], year: int) -> list[_Table]:
    """Of each flow the table last changed of those that cover ``year``."""
    newest: dict[str, _Table] = {}
    for table in sorted(tables, key=lambda t: (t.changed, t.table_id)):
        if table.first_year <= year <= table.last_year:
            newest[table.flow] = table
    return [newest[flow] for flow in sorted(newest)]


def _freshness(tables: Sequence[_Table], year: int) -> str:
    """What changes when the figures of ``year`` may have."""
    return " ".join(f"{t.table_id}@{t.changed}" for t in _covering(tables, year))


def _prefixes(seeds_dir: Path | None, codes: Sequence[str] | None) -> tuple[str, ...]:
    """What the statistical codes that are asked for begin with.

    :raises UsageError: ``codes`` holds what is no code, or nothing is mapped to a material.
    """
    for code in codes or ():
        if not _CODE.fullmatch(code):
            raise UsageError(
                f"{code!r} is no statistical code of Japan",
                remedy="give nine digits, or six of the HS",
            )
    found = _headings(seeds_dir) if codes is None else sorted(set(codes))
    if not found:
        raise UsageError("no statistical code to ask for", remedy="give codes in monazite.toml")
    return tuple(found)


def _headings(seeds_dir: Path | None) -> list[str]:
    """HS codes that are mapped to a material."""
    mapped = read_reference("ref_hs_material", seeds_dir).get_column("hs_code").to_list()
    return sorted(set(mapped))


async def _choices(
    client: PublisherClient, base: str, table: _Table, prefixes: tuple[str, ...]
) -> list[dict[str, str]]:
    """Parameters that choose the codes of a table, one set a request.

    :raises FetchFailed: the table's codes could not be had, or it has none of commodities.
    """
    url = f"{base}/getMetaInfo"
    answer = await client.get_json(url, {"statsDataId": table.table_id, "lang": "E"})
    body = _inner(answer, "GET_META_INFO")
    result = _inner(body, "RESULT")
    _refuse_error(_words(_inner(result, "STATUS")), result)
    for class_object in _several(_inner(body, "METADATA_INF", "CLASS_INF", "CLASS_OBJ")):
        codes = [_words(_inner(c, "@code")) for c in _several(_inner(class_object, "CLASS"))]
        if 2 * sum(bool(re.fullmatch(r"\d{9}", code)) for code in codes) > len(codes):
            # cat01 is chosen by cdCat01.
            parameter = f"cd{_words(_inner(class_object, '@id')).capitalize()}"
            found = sorted(code for code in codes if code.startswith(prefixes))
            return [
                {parameter: ",".join(found[i : i + _CODES_PER_REQUEST])}
                for i in range(0, len(found), _CODES_PER_REQUEST)
            ]
    raise FetchFailed(
        f"table {table.table_id} has no commodity codes",
        where=url,
        remedy="the publisher may have changed it; see docs/sources/jp_customs.md",
    )


async def _ask(answers: Answers, url: str, name: str, question: Mapping[str, str | int]) -> None:
    """All pages of one answer.

    :param name: what its documents are called after.
    :raises FetchFailed: it never ends, does not go on, or its pages are not all that it announces;
        these are asked for again.
    """
    start = 1
    pages: list[str] = []
    totals: set[str] = set()
    for page in range(1, _PAGES_AT_MOST + 1):
        pages.append(f"{name}.json" if page == 1 else f"{name}_p{page}.json")
        asked = {**question, "startPosition": start}

        def settle(body: bytes, asked: Mapping[str, str | int] = asked) -> bytes:
            return _settled(body, asked, url)

        body = await answers.ask(pages[-1], url, asked, settle=settle)
        if not body and page == 1:
            return
        path = ("GET_STATS_DATA", "STATISTICAL_DATA", "RESULT_INF")
        told = _inner(json.loads(body), *path) if body else None
        last, following = (_words(_inner(told, n)) for n in ("TO_NUMBER", "NEXT_KEY"))
        totals.add(_words(_inner(told, "TOTAL_NUMBER")))
        if not following:
            if totals == {last}:
                return
            answers.forget(pages)
            raise FetchFailed(
                f"cells to {last or 'none'} came where "
                f"{' and '.join(sorted(totals)) or 'none'} are announced",
                where=url,
                remedy="run again later: the publisher may have been changing the table",
            )
        if not following.isdecimal() or int(following) != int(last) + 1:
            break
        start = int(following)
    answers.forget(pages)
    raise FetchFailed(
        f"the answer does not come to an end (at cell {start})", where=url, remedy=_CHANGED
    )


# Files


def _by_files(
    client: PublisherClient,
    known: Known,
    numbers: Mapping[int, Sequence[str]],
    years: Sequence[int] | None,
) -> tuple[list[YearWanted], Collect]:
    """Years to look at, and how the files of one are brought."""

    async def collect(year: YearWanted, spool: Spool) -> list[FetchedDocument]:
        held = known.edition(year.label)
        return [
            await _file(client, spool, held, year.year, number) for number in numbers[year.year]
        ]

    wanted = [
        YearWanted(year=year, key="", asked=digest(numbers[year]))
        for year in sorted(numbers, reverse=True)
        if years is None or year in years
    ]
    return wanted, collect


def _given(files: Mapping[str, Sequence[str]]) -> dict[int, list[str]]:
    """The option ``files``.

    :raises UsageError: a year or number is none.
    """
    numbers: dict[int, list[str]] = {}
    for year, found in files.items():
        bad = [str(n) for n in found if not _FILE_ID.fullmatch(str(n))]
        if not re.fullmatch(r"(?:19|20)\d{2}", str(year)) or bad:
            raise UsageError(
                f"{(bad or [year])[0]!r} is no year or number of a file",
                where="monazite.toml",
                remedy='write: [fetch.jp_customs.files] then "2025" = ["000040424871"]',
            )
        numbers[int(year)] = sorted({str(n) for n in found})
    return numbers


async def _listed(
    client: PublisherClient, seeds_dir: Path | None, years: Sequence[int] | None
) -> dict[int, list[str]]:
    """Year to the files of both flows, as the list pages have them.

    :raises FetchFailed: a page could not be had, or lists nothing that is looked for.
    """
    chapters = {int(code[:2]) for code in _headings(seeds_dir)}
    numbers: dict[int, list[str]] = {}
    for table in _LISTS.values():
        url = f"{FILES_URL}{_LIST.format(table=table)}"
        releases = _releases(await client.get_text(url), url)
        if not releases:
            raise FetchFailed(
                "the page lists no release",
                where=url,
                remedy="name the files in monazite.toml, or get an appId; "
                "see docs/sources/jp_customs.md",
            )
        chosen = sorted(releases, reverse=True)[:_YEARS_OF_FILES] if years is None else years
        for year in chosen:
            if year not in releases:
                continue
            found = _numbers(await client.get_text(releases[year]), chapters)
            if not found:
                raise FetchFailed(
                    "the page lists no file", where=releases[year], remedy="see docs/sources"
                )
            numbers.setdefault(year, []).extend(found)
    return numbers


def _releases(page: str, url: str) -> dict[int, str]:
    """Year to the address of its newest release."""
    newest: dict[int, tuple[str, str]] = {}
    for found in _LINK.finditer(page):
        link = urljoin(url, html.unescape(found["link"]))
        query = parse_qs(urlsplit(link).query)
        year, month = query.get("year", [""])[0], query.get("month", [""])[0]
        if re.fullmatch(r"(?:19|20)\d{2}0", year) and month.isdecimal():
            newest[int(year[:4])] = max(
                newest.get(int(year[:4]), ("", "")), (month.zfill(12), link)
            )
    return {year: link for year, (_, link) in newest.items()}


def _numbers(page: str, chapters: set[int]) -> list[str]:
    """Files of a release; those that name only chapters without materials are left out."""
    found: dict[str, None] = {}
    seen = 0
    for link in _LINK.finditer(page):
        query = parse_qs(urlsplit(html.unescape(link["link"])).query)
        number = query.get("statInfId", [""])[0]
        if "file-download" not in link["link"] or query.get("fileKind", ["1"])[0] != "1":
            continue
        named = list(_CHAPTERS.finditer(page, seen, link.start()))
        seen = link.end()
        if named:
            first, last = int(named[-1]["first"]), int(named[-1]["last"] or named[-1]["first"])
            if not chapters & set(range(first, last + 1)):
                continue
        if _FILE_ID.fullmatch(number):
            found[number] = None
    return list(found)


async def _file(
    client: PublisherClient, spool: Spool, held: HeldEdition | None, year: int, number: str
) -> FetchedDocument:
    """A file; a number is given once, so one that is held is not asked for again."""
    name = f"files_{year}_{number}.csv"
    old = held.document(name=name) if held else None
    if old is not None and old.path is not None and old.retrieved_at and old.size_bytes:
        return old.again()
    kept = spool.get(name)
    if kept is None:
        url = f"{FILES_URL}/stat-search/file-download?statInfId={number}&fileKind=1"
        kept = spool.keep(await client.download(url, spool.folder / name))
    return kept
