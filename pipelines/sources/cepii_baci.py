"""CEPII BACI: bilateral trade by product, values and quantities reconciled.

Documents: ``BACI_HS<rev>_V<version>.zip`` with a file a year,
``BACI_HS<rev>_Y<year>_V<version>.csv`` (columns ``t,i,j,k,v,q``: year, exporter, importer, HS
six-digit code, value in thousand current USD free on board, quantity in tonnes),
``country_codes_V<version>.csv`` and ``product_codes_HS<rev>_V<version>.csv``; any of them loose as
well. Country codes are those of UN Comtrade, not ISO numerics. A blank or ``NA`` quantity is
unknown, not zero.

An edition is one HS revision in one version: neither may be mixed within a series. The revision is
told by the name of the file, else of its zip, else by the edition's label.

A year of all products has about 11 million rows, and a zip of all years some gigabytes.
:func:`parse_batches` gives one year at a time, reading it from the zip in blocks of lines, and
``keep_codes`` lets in only the products that are mapped to a material, counting the others: memory
is then that of the kept flows of one year.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources.base import (
    QUARANTINE_REASON,
    RECORD_COLUMNS,
    Document,
    Parsed,
    Part,
    TableSpec,
)
from pipelines.sources.cepii_baci_fetch import fetch
from pipelines.sources.label_maps import read_reference
from pipelines.sources.labels import known_labels, resolve_labels
from pipelines.sources.trade_files import (
    PROSE_SUFFIXES,
    csv_rows,
    decode,
    first_line,
    line_blocks,
    open_parts,
    place,
    read_bytes,
    read_head,
    refuse_ragged,
    split_header,
)

__all__ = ["TABLES", "fetch", "mapped_codes", "parse", "parse_batches"]

TRADE = "raw_cepii_baci__trade"
COUNTRY = "raw_cepii_baci__country"
PRODUCT = "raw_cepii_baci__product"

TABLES: dict[str, TableSpec] = {
    TRADE: TableSpec(
        columns={
            **RECORD_COLUMNS,
            "hs_revision": pl.String(),
            "reference_year": pl.Int16(),
            "exporter_code": pl.String(),
            "importer_code": pl.String(),
            "hs_code": pl.String(),
            "value_kusd_text": pl.String(),
            "value_kusd": pl.Float64(),
            "quantity_t_text": pl.String(),
            "quantity_t": pl.Float64(),
        },
        key=("hs_revision", "reference_year", "exporter_code", "importer_code", "hs_code"),
    ),
    COUNTRY: TableSpec(
        columns={
            **RECORD_COLUMNS,
            "country_code": pl.String(),
            "country_name": pl.String(),
            "country_name_full": pl.String(),
            "country_iso2": pl.String(),
            "country_iso3": pl.String(),
        },
        key=("country_code",),
    ),
    PRODUCT: TableSpec(
        columns={
            **RECORD_COLUMNS,
            "hs_revision": pl.String(),
            "hs_code": pl.String(),
            "description": pl.String(),
        },
        key=("hs_revision", "hs_code"),
    ),
}

_TRADE_HEADER = ("t", "i", "j", "k", "v", "q")
# Two generations of the country list, and the columns of COUNTRY that they fill.
_COUNTRY_HEADERS = (
    {
        "country_code": "country_code",
        "country_name": "country_name",
        "country_iso2": "country_iso2",
        "country_iso3": "country_iso3",
    },
    {
        "country_code": "country_code",
        "country_name_abbreviation": "country_name",
        "country_name_full": "country_name_full",
        "iso_2digit_alpha": "country_iso2",
        "iso_3digit_alpha": "country_iso3",
    },
)
_PRODUCT_HEADER = {"code": "hs_code", "description": "description"}

_REVISION = re.compile(r"HS(?P<revision>\d{2})(?!\d)", re.IGNORECASE)
_VERSION = re.compile(r"(?:^|[_-])V(?P<version>\d{6}[a-z]?)(?![0-9a-z])", re.IGNORECASE)
_YEAR = re.compile(r"[_-]Y(?P<year>\d{4})(?!\d)", re.IGNORECASE)
_HS_CODE = r"^\d{4}[0-9A-Z]{2}$"
_IS_CODE = pl.col("hs_code").str.contains(_HS_CODE)
_FIRST_YEAR, _LAST_YEAR = 1988, 2100
_EXPECTED = "expected CEPII's year files (t,i,j,k,v,q), country_codes or product_codes as CSV"


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A document that is data: what it is, and what its name tells."""

    part: Part
    table: str
    names: tuple[str, ...]
    revision: str | None
    year: int | None


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
    """All flows, countries and products of an edition.

    ``keep_codes`` as in :func:`parse_batches`.

    :raises DocumentUnreadable: no document is data, one is in another layout, cut short or
        damaged, two hold the same year, or HS revisions or versions are mixed.
    :raises UnknownLabel: a country code is in no map.
    """
    tables: dict[str, list[pl.DataFrame]] = defaultdict(list)
    quarantined: dict[str, list[pl.DataFrame]] = defaultdict(list)
    left_out: dict[str, int] = defaultdict(int)
    for batch in parse_batches(edition, documents, keep_codes=keep_codes):
        for name, frame in batch.tables.items():
            tables[name].append(frame)
        for name, frame in batch.quarantined.items():
            quarantined[name].append(frame)
        for name, count in batch.out_of_scope.items():
            left_out[name] += count
    return Parsed(
        tables={name: pl.concat(frames) for name, frames in tables.items()},
        quarantined={name: pl.concat(frames) for name, frames in quarantined.items()},
        out_of_scope=dict(left_out),
    )


def parse_batches(
    edition: Edition,
    documents: Sequence[Document],
    *,
    keep_codes: AbstractSet[str] | None = None,
) -> Iterator[Parsed]:
    """The same as :func:`parse`, one :class:`Parsed` a year file, after one of the code lists.

    Memory is that of the flows let in of the largest year file. A year stands in one file only, so
    keys that are unique within a batch are unique within the edition.

    :param keep_codes: HS codes to let in; flows of other well-formed codes are counted in
        ``Parsed.out_of_scope``. None lets all in.
    :raises DocumentUnreadable: as :func:`parse`.
    :raises UnknownLabel: as :func:`parse`.
    """
    found = open_parts(documents)
    revision = _agreed_revision(edition, found)
    lists: dict[str, list[pl.DataFrame]] = defaultdict(list)
    year_files: list[Part] = []
    read = 0
    for part in found:
        if part.suffix in PROSE_SUFFIXES:
            continue
        table = _table_of(part)
        if table == TRADE:
            year_files.append(part)
        else:
            lists[table].append(_code_list(edition, _sheet(part, table, revision)))
        read += 1
    if not read:
        names = ", ".join(p.base_name for p in found[:4]) or "nothing"
        raise DocumentUnreadable(f"no data among the documents ({names})", remedy=_EXPECTED)
    if lists:
        yield Parsed.of(TABLES, {name: pl.concat(frames) for name, frames in lists.items()})
    if not year_files:
        return
    known = known_labels(load_catalog().source(edition.source_id).country_maps)
    owner: dict[int, str] = {}
    for part in year_files:
        batch = _year(edition, _sheet(part, TRADE, revision), known, keep_codes)
        for year in batch.tables[TRADE].get_column("reference_year").unique().sort().to_list():
            if year in owner:
                raise DocumentUnreadable(
                    f"{year} stands in two files, {owner[year]} and {part.name}",
                    where=part.name,
                    remedy="leave one out, or import them as two editions",
                )
            owner[year] = part.name
        yield batch
        del batch  # not to be held while the next year is read


def _names(part: Part) -> tuple[str, ...]:
    """Names that may tell a document's revision and version, the nearest first."""
    return (part.base_name, part.document.name)


def _told(pattern: re.Pattern[str], names: Sequence[str], group: str) -> str | None:
    hits = (pattern.search(name) for name in names)
    return next((hit[group] for hit in hits if hit), None)


def _agreed_revision(edition: Edition, found: Sequence[Part]) -> str | None:
    """The HS revision (``HS92``) of an edition, if any name tells it.

    :raises DocumentUnreadable: names tell several revisions, or several versions.
    """
    for pattern, group, what in (
        (_REVISION, "revision", "HS revisions"),
        (_VERSION, "version", "BACI versions"),
    ):
        told = {edition.label: _told(pattern, [edition.label], group)}
        told |= {p.name: _told(pattern, _names(p), group) for p in found}
        values = {value.lower() for value in told.values() if value}
        if len(values) > 1:
            first, last = sorted(values)[0], sorted(values)[-1]
            named = {v.lower(): n for n, v in told.items() if v}
            raise DocumentUnreadable(
                f"two {what} in one edition: {first} and {last}",
                where=f"{named[first]} and {named[last]}",
                remedy="import each as its own edition; they must not be mixed in a series",
            )
    revision = _told(_REVISION, [*(n for p in found for n in _names(p)), edition.label], "revision")
    return f"HS{revision}" if revision else None


def _table_of(part: Part) -> str:
    """Which table a document fills, by its header line.

    :raises DocumentUnreadable: it is in no layout of CEPII.
    """
    if part.suffix != ".csv":
        raise DocumentUnreadable(
            f"{part.suffix or 'a file without suffix'} is no layout of CEPII BACI",
            where=part.name,
            remedy=_EXPECTED,
        )
    line = first_line(read_head(part))
    header = [name.lower() for name in split_header(line)]
    if sorted(header) == sorted(_TRADE_HEADER):
        return TRADE
    if any(sorted(header) == sorted(h) for h in _COUNTRY_HEADERS):
        return COUNTRY
    if sorted(header) == sorted(_PRODUCT_HEADER):
        return PRODUCT
    shown = ", ".join(name[:40] or "(blank)" for name in header[:12])
    raise DocumentUnreadable(
        f"columns {shown} are no layout of CEPII BACI",
        where=f"{part.name}, row 1",
        remedy=_EXPECTED,
    )


def _sheet(part: Part, table: str, revision: str | None) -> _Sheet:
    year = _told(_YEAR, [part.base_name], "year")
    if revision is None and table != COUNTRY:
        raise DocumentUnreadable(
            "neither the file name nor the edition's label tells the HS revision",
            where=part.name,
            remedy="give the edition a label like HS92-V202601",
        )
    return _Sheet(
        part=part,
        table=table,
        names=tuple(name.lower() for name in split_header(first_line(read_head(part)))),
        revision=revision,
        year=int(year) if year else None,
    )


def _code_list(edition: Edition, sheet: _Sheet) -> pl.DataFrame:
    """Rows of a country or product list."""
    rows = list(csv_rows(decode(read_bytes(sheet.part), sheet.part), sheet.part))
    width = len(sheet.names)
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise DocumentUnreadable(
                f"{len(row)} fields where the header has {width}",
                where=f"{sheet.part.name}, row {number}",
            )
    if len(rows) < 2:
        raise DocumentUnreadable("the list holds no rows", where=sheet.part.name)
    titles = _PRODUCT_HEADER
    if sheet.table == COUNTRY:
        titles = next(h for h in _COUNTRY_HEADERS if set(h) == set(sheet.names))
    fields = [titles[name] for name in sheet.names]
    frame = pl.DataFrame(
        rows[1:], schema=dict.fromkeys(fields, pl.String()), orient="row"
    ).with_row_index("row_number", offset=2)
    frame = place(frame, edition.edition_id, sheet.part, None).with_columns(
        pl.col(fields).str.strip_chars().replace("", None)
    )
    if sheet.table == PRODUCT:
        code = pl.col("hs_code").str.zfill(6)
        return frame.with_columns(
            pl.lit(sheet.revision).alias("hs_revision"),
            code.alias("hs_code"),
            pl.when(code.str.contains(_HS_CODE).fill_null(value=False))
            .then(None)
            .otherwise(pl.lit("not an HS code of six digits"))
            .alias(QUARANTINE_REASON),
        )
    missing = [c for c in TABLES[COUNTRY].columns if c not in frame.columns]
    return frame.with_columns(
        *(pl.lit(None, pl.String).alias(c) for c in missing),
        _country_code("country_code").alias("country_code"),
        pl.when(pl.col("country_code").str.contains(r"^\d{1,4}$").fill_null(value=False))
        .then(None)
        .otherwise(pl.lit("not a country code"))
        .alias(QUARANTINE_REASON),
    )


def _country_code(column: str) -> pl.Expr:
    """A numeric country code as text without leading zeros; anything else as it stands."""
    code = pl.col(column).str.strip_chars()
    return (
        pl.when(code.str.contains(r"^\d+$"))
        .then(pl.coalesce(code.str.strip_chars_start("0").replace("", None), pl.lit("0")))
        .otherwise(code)
    )


def _number(column: str) -> pl.Expr:
    number = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _flows(sheet: _Sheet, keep_codes: AbstractSet[str] | None) -> tuple[pl.DataFrame, int]:
    """The flows of a year file that are to be looked at, and the number of all.

    Fields are text with blank padding taken off, with ``row_number`` and ``hs_code``.

    :raises DocumentUnreadable: the table is cut short, damaged or empty.
    """
    # Packed, since hundreds of small frames cling to several times their size.
    kept: list[bytes] = []
    total = 0
    for first_row, block in line_blocks(sheet.part):
        lines = refuse_ragged(block, len(_TRADE_HEADER), sheet.part, first_row=first_row)
        if first_row > 1:
            frame = _fields(block, lines, first_row, sheet)
        elif lines > 1:
            frame = _fields(block.partition(b"\n")[2], lines - 1, 2, sheet)
        else:
            continue
        total += frame.height
        if keep_codes is not None:
            wanted = pl.col("hs_code").is_in(list(keep_codes)) | _IS_CODE.not_()
            frame = frame.filter(wanted)
        kept.append(frame.write_ipc(None).getvalue())
    if not kept:
        raise DocumentUnreadable("the file holds no flows", where=sheet.part.name)
    return pl.concat([pl.read_ipc(piece) for piece in kept], rechunk=True), total


def _fields(block: bytes, lines: int, first_row: int, sheet: _Sheet) -> pl.DataFrame:
    """A block of lines as text columns.

    :raises DocumentUnreadable: it is not a table of that many lines.
    """
    try:
        frame = pl.read_csv(
            block,
            has_header=False,
            new_columns=list(sheet.names),
            infer_schema=False,
            empty_string_is_null=False,
            row_index_name="row_number",
            row_index_offset=first_row,
        )
    except pl.exceptions.PolarsError as error:
        raise DocumentUnreadable(
            f"not a readable table ({str(error).splitlines()[0][:160]})",
            where=f"{sheet.part.name}, from row {first_row}",
            remedy="fetch the document again from the publisher",
        ) from error
    if frame.height != lines:
        raise DocumentUnreadable(
            f"{frame.height} rows read from {lines} lines: quoting is broken",
            where=f"{sheet.part.name}, from row {first_row}",
            remedy="fetch the document again from the publisher",
        )
    code = pl.col("k")
    return frame.with_columns(pl.col(_TRADE_HEADER).str.strip_chars()).with_columns(
        # Some rewritten files lost the leading zero of chapters 01 to 09.
        pl.when(code.str.len_bytes() == 5).then("0" + code).otherwise(code).alias("hs_code")
    )


def _year(
    edition: Edition,
    sheet: _Sheet,
    known: frozenset[str],
    keep_codes: AbstractSet[str] | None,
) -> Parsed:
    """One year file."""
    frame, total = _flows(sheet, keep_codes)
    left_out = total - frame.height
    frame = place(frame, edition.edition_id, sheet.part, None).select(
        *RECORD_COLUMNS,
        pl.lit(sheet.revision).alias("hs_revision"),
        pl.col("t").cast(pl.Int16, strict=False).alias("reference_year"),
        _country_code("i").alias("exporter_code"),
        _country_code("j").alias("importer_code"),
        "hs_code",
        pl.col("v").alias("value_kusd_text"),
        _number("v").alias("value_kusd"),
        pl.col("q").alias("quantity_t_text"),
        _number("q").alias("quantity_t"),
    )
    for column in ("exporter_code", "importer_code"):
        _refuse_unknown(frame, column, known, edition)
    frame = frame.with_columns(_reason(sheet))
    parsed = Parsed.of(TABLES, {TRADE: frame})
    if frame.height and parsed.tables[TRADE].is_empty():
        raise DocumentUnreadable(
            f"no row can be let in: {frame.get_column(QUARANTINE_REASON)[0]}",
            where=f"{sheet.part.name}, row {frame.get_column('row_number')[0]}",
            remedy=_EXPECTED,
        )
    return replace(parsed, out_of_scope={TRADE: left_out} if left_out else {})


def _reason(sheet: _Sheet) -> pl.Expr:
    """Why a flow cannot be let in, else null."""
    value, quantity, year = pl.col("value_kusd"), pl.col("quantity_t"), pl.col("reference_year")
    unknown_quantity = pl.col("quantity_t_text").is_in(["", "NA"])
    named = year == sheet.year if sheet.year is not None else pl.lit(value=True)
    return (
        pl.when(~year.is_between(_FIRST_YEAR, _LAST_YEAR).fill_null(value=False))
        .then(pl.lit("year is unreadable"))
        .when(~named)
        .then(pl.lit(f"year differs from the file name ({sheet.year})"))
        .when(~_IS_CODE)
        .then(pl.lit("not an HS code of six digits"))
        .when(pl.col("exporter_code") == pl.col("importer_code"))
        .then(pl.lit("a country trades with itself"))
        .when(value.is_null())
        .then(pl.lit("value is unreadable"))
        .when(value <= 0)
        .then(pl.lit("value is not positive"))
        .when(~unknown_quantity & quantity.is_null())
        .then(pl.lit("quantity is unreadable"))
        .when(quantity < 0)
        .then(pl.lit("quantity is negative"))
        .alias(QUARANTINE_REASON)
    )


def _refuse_unknown(
    frame: pl.DataFrame, column: str, known: frozenset[str], edition: Edition
) -> None:
    """Refuse codes that no map knows.

    :raises UnknownLabel: the message names code and place.
    """
    lost = set(frame.get_column(column).unique().to_list()) - known
    if lost:
        resolve_labels(
            frame.filter(pl.col(column).is_in(list(lost))),
            column,
            known,
            edition=edition,
            kind="country",
            into="__label",
            marks=False,
        )
