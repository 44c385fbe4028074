"""USGS Mineral Commodity Summaries: data releases of 2022 and later.

Three readers share the documents: :mod:`~pipelines.sources.usgs_mcs.world` (world production,
capacity and reserves), :mod:`~pipelines.sources.usgs_mcs.salient` (salient statistics of the
United States) and :mod:`~pipelines.sources.usgs_mcs.import_sources`. Which table is whose is told
from its header (:mod:`~pipelines.sources.usgs_mcs.layouts`); metadata, notices and the trend
figures that lie beside the data are passed over.

Source: U.S. Geological Survey, National Minerals Information Center, public domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType

import polars as pl

from pipelines.catalog import Edition
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources.base import Document, Parsed, Part, TableSpec, parts, refuse_html
from pipelines.sources.corrections import apply_corrections, read_corrections
from pipelines.sources.usgs_mcs import import_sources, salient, world
from pipelines.sources.usgs_mcs.fetch import fetch
from pipelines.sources.usgs_mcs.layouts import SECTIONS, Layout, Sheet, in_section, sheets

__all__ = ["TABLES", "fetch", "parse"]

_READERS: tuple[ModuleType, ...] = (world, salient, import_sources)
TABLES: dict[str, TableSpec] = {
    name: spec for reader in _READERS for name, spec in reader.TABLES.items()
}
#: Columns that name the chapter, by which a correction says where it belongs.
_SCOPES = {"chapter_label", "chapter_text", "commodity_label", "commodity_text"}
#: Names that promise data; such a document may not be passed over.
_DATA_NAME = re.compile(
    r"[_-](world|salient)\.|world_data|commodities_data",
    re.IGNORECASE,
)
#: Tables and figures of the overview chapter, which lie beside the data.
_OVERVIEW_NAME = re.compile(r"_(t|fig)\d+_", re.IGNORECASE)


def parse(
    edition: Edition, documents: Sequence[Document], corrections: pl.DataFrame | None = None
) -> Parsed:
    """Read the world tables, the salient statistics and the import sources of an edition.

    :param corrections: known errors of the publisher, as ``corrections.read_corrections`` gives
        them; by default those of the project.
    :raises DocumentUnreadable: damaged or foreign bytes, a missing or unknown column, no data.
    :raises UnknownLabel: a country, series or unit that no map knows.
    :raises EditionRefused: a known error of the publisher is no longer where it was.
    """
    frames: dict[str, list[pl.DataFrame]] = {}
    found: list[str] = []
    for sheet in _all_sheets(documents):
        if sheet.layout is Layout.OTHER:
            found.append(sheet.part.base_name)
            continue
        for reader in _READERS:
            for name, frame in (reader.read(edition, sheet) or {}).items():
                frames.setdefault(name, []).append(frame)
    if not frames:
        names = ", ".join(sorted({*found, *(d.name for d in documents)})[:5]) or "no document"
        raise DocumentUnreadable(
            f"no table of {edition.edition_id} among what was given ({names})",
            remedy="expected the world tables (world.zip or MCS<year>_World_Data.csv), the salient "
            "statistics (salient.zip) or the long file (MCS<year>_Commodities_Data.csv)",
        )
    tables = {name: pl.concat(pieces, how="diagonal") for name, pieces in frames.items()}
    rows = read_corrections() if corrections is None else corrections
    tables = apply_corrections(edition, tables, _in_scope(tables, rows))
    if world.WORLD in tables:
        tables[world.WORLD] = world.quarantine(tables[world.WORLD])
    return Parsed.of(TABLES, tables)


def _in_scope(tables: Mapping[str, pl.DataFrame], rows: pl.DataFrame) -> pl.DataFrame:
    """The corrections among ``rows`` of the chapters that are there.

    A correction whose match opens with a chapter or a commodity is passed over where that chapter
    is not among the documents, so that one file of a release can be read by itself.
    """
    held = []
    for name, match in rows.select("table_name", "match").iter_rows():
        column, _, value = match.partition(" & ")[0].partition("=")
        frame = tables.get(name)
        scoped = frame is not None and column.strip() in _SCOPES & set(frame.columns)
        held.append(
            not scoped
            or (frame is not None and value.strip() in frame.get_column(column.strip()).to_list())
        )
    return rows.filter(pl.Series(held, dtype=pl.Boolean))


def _all_sheets(documents: Sequence[Document]) -> list[Sheet]:
    """Every table of the documents; refuses what calls itself data and is none."""
    for document in documents:
        with document.path.open("rb") as handle:
            if document.name.lower().endswith((".zip", ".csv", ".xlsx")):
                refuse_html(Part(document.name, document), handle.read(512))
    result: list[Sheet] = []
    for part in _parts(documents):
        tables = list(sheets(part))
        promises_data = (
            part.suffix in {".csv", ".xlsx"}
            and _DATA_NAME.search(part.base_name)
            and not _OVERVIEW_NAME.search(part.base_name)
        )
        if promises_data and all(t.layout is Layout.OTHER for t in tables):
            header = next((t.header for t in tables if any(t.header)), ())
            raise DocumentUnreadable(
                f"header is none of this publisher's: {', '.join(header)[:120] or 'empty'}",
                where=part.name,
                remedy="fetch the document again, or compare its header with the last edition's",
            )
        for table in tables:
            if table.layout is Layout.LONG:
                _refuse_unknown_sections(table)
        result.extend(tables)
    return result


def _parts(documents: Sequence[Document]) -> Iterator[Part]:
    for document in documents:
        try:
            yield from parts([document])
        except (NotImplementedError, ValueError) as error:
            # A zip whose directory is damaged may claim a version or a name that nobody reads.
            raise DocumentUnreadable(
                f"zip is damaged ({error})",
                where=document.name,
                remedy="fetch the document again from the publisher",
            ) from error


def _refuse_unknown_sections(table: Sheet) -> None:
    foreign = table.long().filter(~pl.any_horizontal(in_section(name) for name in SECTIONS))
    if foreign.height:
        row, section = foreign.row(0, named=True)["row_number"], foreign["section"][0]
        raise UnknownLabel(
            f"unknown Section {section!r} ({foreign.height} rows)",
            where=f"{table.name}, row {row}",
            remedy="a new kind of table needs a reader in pipelines/sources/usgs_mcs",
        )
