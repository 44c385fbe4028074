"""The Mineral Commodity Summaries for the starter: world tables of all commodities, and the United
States' salient statistics and import sources of the critical minerals.

Each edition is written in its own layout: one file a commodity (2023, 2024), one wide file (2025),
one long file (2026). Figures, names of series and countries and misprinted units are carried over
as printed, so that the same corrections hold; notes are reduced to what changes the meaning of a
figure, in our own words.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.sources import usgs_mcs
from pipelines.sources.base import QUARANTINE_REASON, Document, Parsed
from pipelines.sources.corrections import read_corrections
from pipelines.sources.usgs_mcs.notes import read_note
from pipelines.sources.usgs_mcs.world import WORLD
from starter.writers import usgs_mcs_salient as salient
from starter.writers.common import Original, write_edition, write_zip

__all__ = ["FOLDER", "LABELS", "originals_of", "write"]

#: Where the documents stand below the originals, one folder an edition.
FOLDER = Path("production/usgs_mcs")
LABELS = ("2023", "2024", "2025", "2026")
_LONG = "2026"
_PATTERNS = ("*_world.csv", "*_World_Data.csv", "*_salient.csv", "*commodities_data.csv")
_WIDE_HEADER = ("SOURCE", "COMMODITY", "COUNTRY", "TYPE", "UNIT_MEAS")
_NOTE_NAMES = {
    "per_commodity": {
        "production": "Prod_notes",
        "capacity": "Cap_notes",
        "reserves": "Reserves_notes",
    },
    "wide": {"production": "PROD_NOTES", "capacity": "CAP_NOTES", "reserves": "RESERVE_NOTES"},
}
_STATISTICS = {"production": "Production", "capacity": "Capacity", "reserves": "Reserves"}
#: Rows that no document of ours repeats: a table under a wrong name, cells without a column.
_LEFT_OUT = "^(a world table in a document|the column has no name)"
#: What is said in words of ours about a figure: what the publisher's note speaks of.
_REMARKS = (
    (re.compile(r"quota", re.IGNORECASE), "Production quota."),
    (re.compile(r"exclud\w+ (U\.S\.|United States)", re.IGNORECASE), "Excludes U.S. production."),
)
_FLAG_WORDS = {
    "withheld": "W",
    "not_available": "NA",
    "not_applicable": "XX",
    "below_half_unit": "Less than 1/2 unit",
    "included_elsewhere": "Included with other figures",
}
_SIZE = re.compile(r"(very )?(large|moderate|small)( to (large|moderate|small))?", re.IGNORECASE)
_PROSE = re.compile(r"\b(was|were|is|are)\b|(\S+\s+){8}")


def write(originals: Path, out: Path) -> None:
    """Write ``out/<label>/`` for each edition from the documents below ``originals``."""
    source = load_catalog().source("usgs_mcs")
    as_printed = read_corrections().clear()
    found = {label: originals_of(originals, label) for label in LABELS}
    parsed = {
        label: usgs_mcs.parse(source.edition(label), documents, as_printed)
        for label, documents in found.items()
    }
    chapters = salient.critical_chapters(parsed[_LONG])
    for label in LABELS:
        edition, folder = source.edition(label), out / label
        folder.mkdir(parents=True, exist_ok=True)
        if label == _LONG:
            name = f"MCS{label}_Commodities_Data.csv"
            (folder / name).write_bytes(_long_file(parsed[label], chapters))
            documents = {name: found[label]}
        else:
            documents = _write_zips(folder, edition, parsed[label], found[label], chapters)
        write_edition(
            folder,
            edition,
            [
                Original(
                    document=name,
                    url=edition.url or source.homepage,
                    sha256=" ".join(sorted(d.sha256 for d in pieces)),
                    place="all figures" if "alient" not in name else "critical minerals",
                )
                for name, pieces in documents.items()
            ],
            note="world tables of all commodities; salient statistics and import sources of the "
            "critical minerals",
        )


def originals_of(originals: Path, label: str) -> list[Document]:
    """The publisher's documents of an edition that hold what the starter carries."""
    folder = originals / FOLDER / label
    paths = {p for pattern in _PATTERNS for p in folder.rglob(pattern)}
    return [Document.of(p) for p in sorted(paths)]


def _write_zips(
    folder: Path,
    edition: Edition,
    parsed: Parsed,
    found: Sequence[Document],
    chapters: frozenset[str],
) -> dict[str, list[Document]]:
    """Write the zips of an edition before the long file; which originals went into which."""
    label = edition.label
    if edition.layout == "world_wide":
        world_name = f"World_Data_Release_MCS_{label}.zip"
        salient_name = "Salient_Commodity_Data_Release_Grouped.zip"
        members = {f"MCS{label}_World_Data.csv": _wide_file(parsed, label)}
    else:
        world_name, salient_name = "world.zip", "salient.zip"
        members = _commodity_files(parsed, label)
    write_zip(folder / world_name, members)
    columns = salient.salient_members(parsed, chapters, release=f"MCS{label}")
    write_zip(folder / salient_name, columns)
    return {
        world_name: [d for d in found if "world" in d.name.lower()],
        salient_name: [d for d in found if d.name in columns],
    }


def _world_cells(parsed: Parsed) -> pl.DataFrame:
    """The cells of the world tables, those too that a correction is going to let in."""
    cells = parsed.tables[WORLD]
    bad = parsed.quarantined.get(WORLD)
    if bad is not None:
        mendable = bad.filter(~pl.col(QUARANTINE_REASON).str.contains(_LEFT_OUT))
        cells = pl.concat([cells, mendable.select(cells.columns)])
    return cells.sort("document_name", "row_number", "column_number")


def _remark(note: str | None, flags: Iterable[tuple[str | None, str]]) -> str:
    """What ``note`` says that a reader must know, in a few words of ours.

    :param flags: text and flag of the cells that the note stands beside.
    """
    if not note:
        return ""
    read = read_note(note)
    words: list[str] = []
    if read.flag and any(not (text or "").strip() and flag == read.flag for text, flag in flags):
        size = _SIZE.search(note)
        word = _FLAG_WORDS.get(read.flag) or (size[0].capitalize() if size else "")
        # A word for one year must be the whole note to be read as such.
        if read.flag_years:
            return f"{word} for {read.flag_years[0]}"
        words.append(f"{word}.")
    for years, what in ((read.estimated, "Estimated"), (read.reported, "Reported")):
        words += [f"{what} in {year}." if year else f"{what}." for year in dict.fromkeys(years)]
    words += [remark for pattern, remark in _REMARKS if pattern.search(note)]
    return " ".join(words)


def _grid(cells: pl.DataFrame, lead: int) -> tuple[dict[int, str], dict[int, dict[int, str]]]:
    """Header and rows by number, with the values at the places where they were printed.

    Notes stand in the first free column after the values that they speak of.

    :param lead: number of columns that stand in front of the values.
    """
    layout = "wide" if lead == len(_WIDE_HEADER) else "per_commodity"
    header = dict(cells.select("column_number", "column_name").unique().iter_rows())
    prefixes = {"prod": "production", "cap": "capacity", "rese": "reserves"}
    measures = {n: prefixes[name.lower()[:4].rstrip("_")] for n, name in header.items()}
    notes: dict[str, int] = {}
    for measure in dict.fromkeys(measures[n] for n in sorted(measures)):
        place = max(n for n, m in measures.items() if m == measure) + 1
        while place in header:
            place += 1
        header[place] = _NOTE_NAMES[layout][measure]
        notes[measure] = place
    rows: dict[int, dict[int, str]] = {}
    for (row_number,), row in cells.group_by("row_number", maintain_order=True):
        line = rows.setdefault(int(str(row_number)), {})
        line.update(
            {n: text or "" for n, text in row.select("column_number", "value_text").iter_rows()}
        )
        for measure, place in notes.items():
            beside = [
                r for r in row.iter_rows(named=True) if measures[r["column_number"]] == measure
            ]
            flags = [(r["value_text"], r["value_flag"]) for r in beside]
            line[place] = _remark(beside[0]["note_text"] if beside else None, flags)
    return header, rows


def _lines(
    header: dict[int, str],
    rows: dict[int, dict[int, str]],
    leads: dict[int, list[str]],
    names: Sequence[str],
) -> list[list[str]]:
    last = max(header)
    places = range(len(names) + 1, last + 1)
    lines = [[*names, *(header.get(n, "") for n in places)]]
    for number in range(2, max(rows) + 1):
        row = rows.get(number, {})
        lead = leads.get(number, [""] * len(names))
        lines.append([*lead, *(row.get(n, "") for n in places)])
    return lines


def _commodity_files(parsed: Parsed, label: str) -> dict[str, bytes]:
    members = {}
    world = _world_cells(parsed)
    for (document,), cells in world.group_by("document_name", maintain_order=True):
        header, rows = _grid(cells, lead=3)
        leads = {
            row: [f"MCS{label}", country or "", kind or ""]
            for row, country, kind in cells.select(
                "row_number", "country_text", "type_text"
            ).iter_rows()
        }
        lines = _lines(header, rows, leads, ("Source", "Country", "Type"))
        members[str(document).rsplit("/", 1)[-1]] = _csv(lines).encode("utf-8-sig")
    return members


def _wide_file(parsed: Parsed, label: str) -> bytes:
    cells = _world_cells(parsed)
    header, rows = _grid(cells, lead=len(_WIDE_HEADER))
    names = ("commodity_text", "country_text", "type_text", "unit_text")
    leads = {
        row: [f"MCS{label}", *(text or "" for text in texts)]
        for row, *texts in cells.select("row_number", *names).iter_rows()
    }
    return _csv(_lines(header, rows, leads, _WIDE_HEADER)).encode("utf-8-sig")


def _long_file(parsed: Parsed, chapters: frozenset[str]) -> bytes:
    """The long file, Windows-1252 as the publisher's: chapter by chapter, its three sections."""
    rows = [
        *salient.salient_rows(parsed, chapters),
        *salient.import_source_rows(parsed, chapters),
        *(_long_row(cell) for cell in _world_cells(parsed).iter_rows(named=True)),
    ]
    rows.sort(key=lambda row: row["MCS chapter"])
    lines = [list(salient.LONG_HEADER)]
    lines += [[row[name] for name in salient.LONG_HEADER] for row in rows]
    return _csv(lines).encode("cp1252")


def _long_row(cell: dict[str, str | None]) -> dict[str, str]:
    kind = cell["type_text"] or ""
    if _PROSE.search(kind):
        rounded = ": rounded" if kind.endswith("rounded") else ""
        kind = str(cell["series_label"]).partition(": ")[2] + rounded
    is_marked = cell["note_text"] in ("Yes", "No")
    note = (
        cell["note_text"]
        if is_marked
        else _remark(cell["note_text"], [(cell["value_text"], str(cell["value_flag"]))])
    )
    return {
        "MCS chapter": cell["chapter_text"] or "",
        "Section": cell["section_text"] or "",
        "Commodity": cell["commodity_text"] or "",
        "Country": cell["country_text"] or "",
        "Statistics": _STATISTICS[str(cell["measure"])],
        "Statistics_detail": kind,
        "Unit": cell["unit_text"] or "",
        "Year": str(cell["reference_year"]),
        "Value": cell["value_text"] or "",
        "Notes": note or "",
        "Is critical mineral 2025": cell["critical_text"] or "",
        "Other notes": "",
    }


def _csv(lines: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(lines)
    return buffer.getvalue()
