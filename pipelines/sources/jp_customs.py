"""Japan Customs: imports and exports of Japan by month, country and statistical code.

Two forms, through e-Stat:

*Files* (CSV): a line a code and country, with two quantities and the value of the year and of each
month, ``Exp or Imp, Year, HS, Country, Unit1, Unit2, Quantity1-Year, ..., Value-Dec``. 1 is export,
2 import; codes stand between apostrophes. A month that is not published yet reads 0 like one
without trade, so a month is a row only where it states a figure. Columns of the year are not read.
*Answers* of ``getStatsData`` (JSON): a cell a code, country, year and item, where the items are the
columns of the file in words (``Unit1``, ``Quantity1-January``, ``Value-January``), with class
objects that name all codes. The country code has five digits there, the last three being those of
customs. Pages of one answer are documents of their own (``..._p2.json``).

Values are thousand yen, rounded down, imports CIF and exports FOB. Codes have nine digits, the
first six of the HS.

Source: https://www.customs.go.jp/toukei/info/index_e.htm and https://www.e-stat.go.jp
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import QUARANTINE_REASON, Document, Parsed, Part, TableSpec
from pipelines.sources.jp_customs_fetch import fetch
from pipelines.sources.label_maps import read_reference
from pipelines.sources.national_trade import (
    TRADE_COLUMNS,
    as_text,
    first_reason,
    number,
    page_of,
    read_json,
    refuse_missing_pages,
    resolved,
    weighed,
)
from pipelines.sources.trade_files import (
    decode,
    first_line,
    open_parts,
    place,
    read_bytes,
    refuse_ragged,
    split_header,
)

__all__ = ["TABLES", "fetch", "mapped_codes", "parse"]

TRADE = "raw_jp_customs__trade"

TABLES: dict[str, TableSpec] = {
    TRADE: TableSpec(
        columns={
            **TRADE_COLUMNS,
            "partner_text": pl.String(),
            "trade_value_kjpy": pl.Float64(),
            "quantity1_text": pl.String(),
            "unit1": pl.String(),
            "quantity2_text": pl.String(),
            "unit2": pl.String(),
        },
        key=("flow", "partner_code", "national_code", "reference_year", "reference_month"),
    )
}

_UNITS = "quantity_unit__jp_customs"
_FLOWS = {"1": "export", "2": "import"}
#: Words of a table's name that tell its flow.
_FLOW_WORDS = {"export": ("export", "輸出"), "import": ("import", "輸入")}
# Not from `calendar`, whose names follow the locale.
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LINE = {
    "exp or imp": "flow_text",
    "year": "year_text",
    "hs": "code_text",
    "country": "partner_code",
    "unit1": "unit1",
    "unit2": "unit2",
}
_FIGURE = re.compile(r"^(?P<item>quantity1|quantity2|value)-(?P<month>[a-z]+)$")
_ITEMS = {"quantity1": "quantity1_text", "quantity2": "quantity2_text", "value": "value_text"}
_TEXTS = (*_LINE.values(), "partner_text", *_ITEMS.values(), "month_text")
_AREA = re.compile(r"^50(\d{3})$")
#: What stands where there is no figure.
_NOTHING = frozenset({"", "-", "－"})


def mapped_codes(seeds: Path | None = None) -> frozenset[str]:
    """HS codes that Monazite maps to a material (seed ``ref_hs_material``), for ``keep_codes``.

    :raises MonaziteError: the seed is missing or malformed.
    """
    return frozenset(read_reference("ref_hs_material", seeds).get_column("hs_code").to_list())


def parse(
    edition: Edition,
    documents: Sequence[Document],
    *,
    keep_codes: AbstractSet[str] | None = None,
) -> Parsed:
    """All months that state a figure.

    :param keep_codes: HS codes (six digits); lines of other codes are counted in
        ``Parsed.out_of_scope``, as are months without a figure. None lets all in.
    :raises DocumentUnreadable: a document has neither form, has columns that are not known, or a
        page is missing.
    :raises UnknownLabel: a country or a unit of quantity is in no map.
    """
    frames: list[pl.DataFrame] = []
    answers: list[_Answer] = []
    for part in open_parts(documents):
        if part.suffix == ".json":
            answers.append(_answer(part))
        else:
            frames.append(_file(edition, part))
    refuse_missing_pages([(answer.part, answer.goes_on) for answer in answers])
    frames += _cells(edition, answers)
    if not frames:
        raise DocumentUnreadable("no document with trade", remedy="fetch the edition again")
    frame = pl.concat(frames)
    read = frame.height
    if keep_codes is not None:
        frame = frame.filter(
            pl.col("code_text").str.slice(0, 6).is_in(sorted(keep_codes)).fill_null(value=True)
        )
    figures = [_nothing_is_null(column) for column in _ITEMS.values()]
    frame = frame.with_columns(figures)
    states = [
        pl.col(c).is_not_null() & (number(c) != 0).fill_null(value=True) for c in _ITEMS.values()
    ]
    frame = frame.filter(pl.any_horizontal(states))
    left_out = read - frame.height
    frame = _typed(frame)
    frame = resolved(
        edition,
        frame,
        {
            "partner_code": ("country", ()),
            "unit1": ("quantity unit", (_UNITS,)),
            "unit2": ("quantity unit", (_UNITS,)),
        },
    )
    parsed = Parsed.of(TABLES, {TRADE: weighed(frame, _UNITS)})
    return replace(parsed, out_of_scope={TRADE: left_out} if left_out else {})


def _nothing_is_null(column: str) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    return pl.when(~text.is_in(list(_NOTHING))).then(text).alias(column)


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    code = pl.col("code_text")
    return frame.with_columns(
        pl.col("flow_text").replace_strict(_FLOWS, default=None).alias("flow"),
        pl.col("year_text").cast(pl.Int16, strict=False).alias("reference_year"),
        pl.col("month_text").cast(pl.Int8, strict=False).alias("reference_month"),
        pl.when(code.str.contains(r"^\d{9}$")).then(code).alias("national_code"),
        pl.lit(9, pl.Int8).alias("code_level"),
        number("value_text").alias("trade_value_kjpy"),
    ).with_columns(
        pl.when(pl.col("flow").is_null())
        .then(pl.lit("neither export nor import"))
        .otherwise(
            first_reason(value="value_text", quantities=("quantity1_text", "quantity2_text"))
        )
        .alias(QUARANTINE_REASON)
    )


# Files


def _file(edition: Edition, part: Part) -> pl.DataFrame:
    """The lines of a file, a row a month."""
    content = read_bytes(part).rstrip(b"\r\n ")
    header = split_header(first_line(content))
    names = _columns(header, part)
    refuse_ragged(content, len(header), part)
    try:
        lines = pl.read_csv(
            io.StringIO(decode(content, part)),
            has_header=False,
            skip_rows=1,
            new_columns=list(names),
            infer_schema=False,
            quote_char=None,
        )
    except PolarsError as error:
        raise DocumentUnreadable(
            f"not a readable table ({str(error)[:80]})", where=part.name
        ) from error
    lines = lines.with_row_index("row_number", offset=2).with_columns(
        pl.col(pl.String).str.strip_chars(" '\r\"")
    )
    months = []
    for month in range(1, 13):
        figures = [
            (
                pl.col(f"{item}-{month}") if f"{item}-{month}" in names else pl.lit(None, pl.String)
            ).alias(column)
            for item, column in _ITEMS.items()
        ]
        months.append(
            lines.select(
                "row_number",
                *(pl.when(pl.col(c) != "").then(pl.col(c)).alias(c) for c in _LINE.values()),
                pl.lit(None, pl.String).alias("partner_text"),
                *figures,
                pl.lit(str(month)).alias("month_text"),
            )
        )
    frame = pl.concat(months).sort("row_number", maintain_order=True)
    return place(frame, edition.edition_id, part, None)


def _columns(header: Sequence[str], part: Part) -> tuple[str, ...]:
    """Our names of the columns: those of the line, ``value-3`` of a figure.

    :raises DocumentUnreadable: a column is missing, unknown or stands twice.
    """
    names = []
    for title in header:
        lower = title.strip().lower()
        figure = _FIGURE.match(lower)
        if lower in _LINE:
            names.append(_LINE[lower])
        elif figure and figure["month"] == "year":
            names.append(lower)
        elif figure and figure["month"][:3] in _MONTHS:
            names.append(f"{figure['item']}-{_MONTHS.index(figure['month'][:3]) + 1}")
        else:
            raise DocumentUnreadable(
                f"column {title[:40]!r} is not known",
                where=f"{part.name}, row 1",
                remedy="take the files of commodity by country, not those by customs office",
            )
    lacking = [title for title, name in _LINE.items() if name not in names]
    if lacking or "value-1" not in names:
        raise DocumentUnreadable(
            f"column {(lacking or ['value-jan'])[0]!r} is missing",
            where=f"{part.name}, row 1",
            remedy="take the files of commodity by country",
        )
    if len(set(names)) != len(names):
        raise DocumentUnreadable("a column stands twice", where=f"{part.name}, row 1")
    return tuple(names)


# Answers of the interface


@dataclass(frozen=True, slots=True)
class _Answer:
    """One page of ``getStatsData``.

    :ivar names: class object and code to its name.
    :ivar roles: ``item`` and ``code`` to the class object that holds them.
    :ivar goes_on: the publisher has more.
    """

    part: Part
    flow: str
    names: Mapping[str, Mapping[str, str]]
    roles: Mapping[str, str]
    cells: Sequence[Mapping[str, Any]]
    goes_on: bool


def _several(value: object) -> list[Any]:
    """e-Stat writes a list of one as the thing itself."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _inner(value: object, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _answer(part: Part) -> _Answer:
    answer = read_json(part)
    body = _inner(answer, "GET_STATS_DATA")
    status = as_text(_inner(body, "RESULT", "STATUS"))
    if status != "0":
        said = as_text(_inner(body, "RESULT", "ERROR_MSG")) or "no answer of getStatsData"
        raise DocumentUnreadable(
            f"status {status}: {said[:120]}", where=part.name, remedy="ask e-Stat again"
        )
    data = _inner(body, "STATISTICAL_DATA")
    names: dict[str, dict[str, str]] = {}
    for class_object in _several(_inner(data, "CLASS_INF", "CLASS_OBJ")):
        codes = names.setdefault(as_text(_inner(class_object, "@id")) or "", {})
        for entry in _several(_inner(class_object, "CLASS")):
            code = as_text(_inner(entry, "@code"))
            if code is not None:
                codes[code] = as_text(_inner(entry, "@name")) or ""
    cells = _several(_inner(data, "DATA_INF", "VALUE"))
    if not all(isinstance(cell, dict) for cell in cells):
        raise DocumentUnreadable("cells are no objects", where=part.name)
    return _Answer(
        part=part,
        flow=_flow(_inner(data, "TABLE_INF"), part),
        names=names,
        roles=_roles(names, part),
        cells=cells,
        goes_on=as_text(_inner(data, "RESULT_INF", "NEXT_KEY")) is not None,
    )


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _flow(table: object, part: Part) -> str:
    title = " ".join(_texts(table)).lower()
    told = [flow for flow, words in _FLOW_WORDS.items() if any(w in title for w in words)]
    if len(told) != 1:
        raise DocumentUnreadable(
            "the table's name tells neither imports nor exports", where=part.name
        )
    return told[0]


def _roles(names: Mapping[str, Mapping[str, str]], part: Part) -> dict[str, str]:
    """Which class object holds the items, and which the commodity codes."""
    roles: dict[str, str] = {}
    for class_id, codes in names.items():
        if any(_item(name) for name in codes.values()):
            roles["item"] = class_id
        elif 2 * sum(bool(re.fullmatch(r"\d{9}", code)) for code in codes) > len(codes):
            roles["code"] = class_id
    lacking = {"item", "code"} - roles.keys() | {"area", "time"} - names.keys()
    if lacking:
        raise DocumentUnreadable(
            f"no class object holds the {sorted(lacking)[0]}s",
            where=part.name,
            remedy="take a table of commodity by country, asked with lang=E and metaGetFlg=Y",
        )
    return roles


def _item(name: str) -> tuple[str, int | None] | None:
    """Column and month of an item (``Value-January``, ``Unit1``), or None for those of the year."""
    lower = name.strip().lower()
    if lower in ("unit1", "unit2"):
        return lower, None
    figure = _FIGURE.match(lower)
    if figure and figure["month"][:3] in _MONTHS:
        return _ITEMS[figure["item"]], _MONTHS.index(figure["month"][:3]) + 1
    return None


@dataclass(slots=True)
class _Line:
    """What the cells say of a code, country and year.

    :ivar months: month to column to text.
    :ivar places: month to document and place of its value, or of its first cell.
    """

    units: dict[str, str] = field(default_factory=dict)
    months: dict[int, dict[str, str]] = field(default_factory=dict)
    places: dict[int, tuple[Part, int]] = field(default_factory=dict)


def _cells(edition: Edition, answers: Sequence[_Answer]) -> list[pl.DataFrame]:
    """The cells of all answers, a row a month; a code, country and year may go over pages."""
    lines: dict[tuple[str, str, str, str, str], _Line] = {}
    names: dict[str, str] = {}
    for answer in answers:
        stem, _ = page_of(answer.part)
        names |= answer.names["area"]
        for at, cell in enumerate(answer.cells, start=1):
            item = _item(
                answer.names[answer.roles["item"]].get(
                    as_text(cell.get(f"@{answer.roles['item']}")) or "", ""
                )
            )
            text = as_text(cell.get("$"))
            if item is None or text is None:
                continue
            key = tuple(
                as_text(cell.get(f"@{name}")) or ""
                for name in (answer.roles["code"], "area", "time")
            )
            line = lines.setdefault((stem, answer.flow, key[0], key[1], key[2]), _Line())
            column, month = item
            if month is None:
                line.units[column] = unicodedata.normalize("NFKC", text).strip().upper()
                continue
            figures = line.months.setdefault(month, {})
            if column in figures:
                raise DocumentUnreadable(
                    f"{column.removesuffix('_text')} of {'/'.join(key)} stands twice",
                    where=f"{answer.part.name}, row {at}",
                )
            figures[column] = text
            if column == "value_text" or month not in line.places:
                line.places[month] = (answer.part, at)
    rows: dict[Part, list[dict[str, str | int | None]]] = {}
    flow_texts = {flow: text for text, flow in _FLOWS.items()}
    for (_, flow, code, area, time), line in lines.items():
        partner = _AREA.sub(r"\1", area)
        for month, figures in line.months.items():
            part, at = line.places[month]
            rows.setdefault(part, []).append(
                {
                    "row_number": at,
                    "flow_text": flow_texts[flow],
                    "year_text": time[:4],
                    "code_text": code,
                    "partner_code": partner or None,
                    "partner_text": names.get(area) or None,
                    "month_text": str(month),
                    **{unit: line.units.get(unit) for unit in ("unit1", "unit2")},
                    **{column: figures.get(column) for column in _ITEMS.values()},
                }
            )
    schema = {"row_number": pl.Int64()} | dict.fromkeys(_TEXTS, pl.String())
    return [
        place(
            pl.DataFrame(found, schema=schema).select(
                "row_number",
                *_LINE.values(),
                "partner_text",
                *_ITEMS.values(),
                "month_text",
            ),
            edition.edition_id,
            part,
            None,
        )
        for part, found in rows.items()
    ]
