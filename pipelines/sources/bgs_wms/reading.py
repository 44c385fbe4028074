"""From pages and exports of the OGC API to features as rows of text, with their places.

Whether pages are all there is told here, from what they say of themselves.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import PLACE_COLUMNS, Document, Part
from pipelines.sources.trade_files import (
    PROSE_SUFFIXES,
    csv_rows,
    decode,
    open_parts,
    place,
    read_bytes,
)

__all__ = ["COLUMN", "FIELDS", "Page", "features_of", "read_features", "read_page"]

#: The field that holds a figure as it is printed in the yearbook.
COLUMN = "quantity_in_book_style"
#: Fields without which a figure says nothing.
_REQUIRED = (
    "bgs_commodity_trans",
    "bgs_statistic_type_trans",
    "country_trans",
    "quantity",
    "units",
    "year",
)
#: Fields that are read; the others (positions, codes of other vocabularies) are passed over.
FIELDS = (
    *_REQUIRED,
    COLUMN,
    "bgs_sub_commodity_trans",
    "concat_figure_notes_code",
    "concat_figure_notes_text",
    "concat_table_notes_text",
    "country_iso3_code",
    "data_precision_description",
    "yearbook_table_trans",
)
#: Parameters of a request that tell a page of it and not what is asked.
_OF_THE_PAGE = frozenset({"f", "limit", "offset", "startindex", "lang"})
_EXPECTED = (
    "expected pages (f=json) or exports (f=csv) of collections/world-mineral-statistics/items"
)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the API.

    :ivar features: the properties of each, in the order of the page, figures as they are written.
    :ivar ids: the publisher's identifiers of the features, None where it gives none.
    :ivar matched: how many features the request has over all its pages.
    :ivar query: what was asked, without paging, as the page says itself; empty where it does not.
    :ivar has_next: whether it names a next page.
    """

    features: tuple[Mapping[str, Any], ...]
    ids: tuple[str | None, ...]
    matched: int
    query: tuple[tuple[str, str], ...]
    has_next: bool


def read_features(edition: Edition, documents: Sequence[Document]) -> pl.DataFrame:
    """All features: the place columns, ``column_number``, ``column_name``, ``FIELDS`` as text.

    ``__order`` counts the rows.

    :raises DocumentUnreadable: no document is one of the API's, one is damaged or in another
        layout, or pages are missing, doubled or disagree.
    """
    frames: list[pl.DataFrame] = []
    pages: list[tuple[Part, Page]] = []
    for part in open_parts(documents):
        if part.suffix in (".json", ".geojson"):
            page = read_page(read_bytes(part), part.name)
            pages.append((part, page))
            rows = [(i, _position(f), f) for i, f in enumerate(page.features, start=1)]
            frames.append(_frame(edition, part, rows))
        elif part.suffix == ".csv":
            frames.append(_frame(edition, part, list(_export(part))))
        elif part.suffix not in PROSE_SUFFIXES:
            raise DocumentUnreadable(
                f"{part.suffix} is no layout of the API", where=part.name, remedy=_EXPECTED
            )
    _refuse_incomplete(pages)
    frames = [f for f in frames if f.height]
    if not frames:
        names = ", ".join(d.name for d in documents[:4]) or "nothing"
        raise DocumentUnreadable(f"no figures among the documents ({names})", remedy=_EXPECTED)
    return pl.concat(frames).with_row_index("__order")


def _frame(
    edition: Edition, part: Part, rows: Sequence[tuple[int, int, Mapping[str, Any]]]
) -> pl.DataFrame:
    """:param rows: number of the row, number of the column of the figure, fields."""
    frame = pl.DataFrame(
        [
            [number, column, *(_text(fields.get(name), part, number) for name in FIELDS)]
            for number, column, fields in rows
        ],
        schema={
            "row_number": pl.Int64(),
            "column_number": pl.Int32(),
            **{name: pl.String() for name in FIELDS},
        },
        orient="row",
    )
    return place(frame, edition.edition_id, part, None).select(
        *PLACE_COLUMNS,
        "column_number",
        pl.lit(COLUMN).alias("column_name"),
        *FIELDS,
    )


def _text(value: Any, part: Part, number: int) -> str | None:
    if value is None:
        return None
    if isinstance(value, dict | list):
        raise DocumentUnreadable(
            "a list or object where a field holds one value", where=f"{part.name}, row {number}"
        )
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() or None


def _position(fields: Mapping[str, Any]) -> int:
    """Which column of its row the figure is, from 1."""
    names = list(fields)
    return names.index(COLUMN if COLUMN in fields else "quantity") + 1


# Pages


def read_page(content: bytes, name: str) -> Page:
    """A page of the API.

    :param name: of the document, for messages.
    :raises DocumentUnreadable: it is not one, or a field is missing.
    """
    try:
        # Figures stay as they are written.
        answer = json.loads(content, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise DocumentUnreadable(
            "not JSON: cut short or damaged", where=name, remedy=_EXPECTED
        ) from error
    told = answer.get("features") if isinstance(answer, dict) else None
    if not isinstance(told, list) or not all(isinstance(f, dict) for f in told):
        raise DocumentUnreadable(
            "no collection of features (the API words its errors like this)",
            where=name,
            remedy=_EXPECTED,
        )
    features = tuple(f.get("properties") for f in told)
    for number, fields in enumerate(features, start=1):
        missing = (
            [n for n in _REQUIRED if n not in fields] if isinstance(fields, dict) else _REQUIRED
        )
        if missing:
            raise DocumentUnreadable(
                f"fields missing: {', '.join(missing)}",
                where=f"{name}, row {number}",
                remedy="the publisher may have renamed them; see docs/sources/bgs_wms.md",
            )
    matched, returned = (_count(answer.get(n)) for n in ("numberMatched", "numberReturned"))
    if matched is None:
        raise DocumentUnreadable(
            "the page does not tell how many features match (numberMatched)",
            where=name,
            remedy="ask without count=false, or import the export (f=csv)",
        )
    if returned is not None and returned != len(features):
        raise DocumentUnreadable(
            f"{len(features)} features where the page tells {returned}", where=name
        )
    links = [x for x in answer.get("links") or [] if isinstance(x, dict)]
    return Page(
        features=tuple(f for f in features if isinstance(f, dict)),
        ids=tuple(None if f.get("id") is None else str(f["id"]) for f in told),
        matched=matched,
        query=_query(links),
        has_next=any(x.get("rel") == "next" for x in links),
    )


def features_of(page: Page) -> list[str]:
    """Each feature as one text that is the same as long as all its fields are."""
    return [json.dumps(f, sort_keys=True, ensure_ascii=True) for f in page.features]


def _count(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _query(links: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    href = next((str(x.get("href")) for x in links if x.get("rel") == "self"), "")
    try:
        asked = parse_qsl(urlsplit(href).query)
    except ValueError:
        return ()
    return tuple(sorted((k, v) for k, v in asked if k.lower() not in _OF_THE_PAGE))


def _refuse_incomplete(pages: Sequence[tuple[Part, Page]]) -> None:
    """:raises DocumentUnreadable: pages of a request are missing, doubled or disagree."""
    requests: dict[object, list[tuple[Part, Page]]] = defaultdict(list)
    for part, page in pages:
        asked = page.query or frozenset(str(f["bgs_commodity_trans"]) for f in page.features)
        requests[asked].append((part, page))
    for mine in requests.values():
        first, told = mine[0][0].name, mine[0][1].matched
        seen: dict[str, str] = {}
        for part, page in mine:
            if page.matched != told:
                raise DocumentUnreadable(
                    f"pages disagree: {page.matched} features match here, {told} in {first}",
                    where=part.name,
                    remedy="the publisher changed it in between: fetch all pages again",
                )
            for number, (key, feature) in enumerate(
                zip(page.ids, features_of(page), strict=True), start=1
            ):
                identity = f"id {key}" if key is not None else feature
                if identity in seen:
                    raise DocumentUnreadable(
                        f"a feature stands twice (also in {seen[identity]})",
                        where=f"{part.name}, row {number}",
                        remedy="fetch all pages again",
                    )
                seen[identity] = part.name
        if len(seen) != told:
            raise DocumentUnreadable(
                f"{len(seen)} features in {len(mine)} pages where {told} match: a page is missing",
                where=mine[-1][0].name,
                remedy="fetch all pages again",
            )


# Exports


def _export(part: Part) -> Iterator[tuple[int, int, Mapping[str, str]]]:
    """Rows of a CSV export: number of the row, of the figure's column, fields.

    :raises DocumentUnreadable: fields are missing or stand twice, or a row is cut short.
    """
    rows = csv_rows(decode(read_bytes(part), part), part)
    header = [name.strip() for name in next(rows, [])]
    missing = [name for name in _REQUIRED if name not in header]
    twice = sorted({name for name in header if name in FIELDS and header.count(name) > 1})
    if missing or twice:
        problem = (
            f"columns missing: {', '.join(missing)}" if missing else f"{twice[0]} stands twice"
        )
        raise DocumentUnreadable(problem, where=f"{part.name}, row 1", remedy=_EXPECTED)
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise DocumentUnreadable(
                f"{len(row)} fields where the header has {len(header)}: cut short or damaged",
                where=f"{part.name}, row {number}",
                remedy="fetch it again from the publisher",
            )
        fields = dict(zip(header, row, strict=True))
        yield number, _position(fields), fields
