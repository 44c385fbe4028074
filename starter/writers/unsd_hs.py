"""Conversions between HS revisions for the starter: ores, metals, compounds and magnets."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.catalog import load_catalog
from pipelines.sources import unsd_hs
from pipelines.sources.base import Document
from starter.writers.common import Original, write_edition
from starter.writers.spreadsheet import Cell, write_workbook

__all__ = ["HEADINGS", "write"]

_FOLDER = Path("trade/nomenclature/unsd_conversion")
#: Headings whose lines are carried over, on either side: minerals, ores, inorganic compounds that
#: hold them, their metals, magnets and batteries.
HEADINGS: frozenset[str] = frozenset(
    {
        *(f"26{n:02d}" for n in range(1, 22)),
        *(str(n) for n in range(8101, 8114)),
        *("2503", "2504", "2507", "2508", "2510", "2511", "2512", "2519", "2520", "2524", "2528"),
        *("2529", "2530", "2804", "2805", "2822", "2825", "2830", "2836", "2846", "3606", "3801"),
        *("3824", "7108", "7110", "7112", "7115", "7202", "7401", "7402", "7403", "7501", "7502"),
        *("7601", "7801", "7901", "8001", "8505", "8507"),
    }
)


def write(originals: Path, out: Path) -> None:
    """Write ``out/<later>-<earlier>/`` for each workbook below ``originals``."""
    source = load_catalog().source("unsd_hs")
    for path in sorted((originals / _FOLDER).glob("HS*.xls*")):
        label = source.label_from_name(path.name)
        if label is None:
            continue
        edition = source.edition(label)
        original = Document.of(path)
        table = unsd_hs.parse(edition, [original]).tables[unsd_hs.CONVERSION]
        later, earlier = label.split("-")
        sides = [pl.col(c).str.slice(0, 4).is_in(HEADINGS) for c in ("from_code", "to_code")]
        lines = table.filter(sides[0] | sides[1]).sort("from_code", "to_code")
        name = f"HS{later}toHS{earlier}ConversionAndCorrelationTables.xlsx"
        folder = out / label
        write_workbook(
            folder / name,
            {
                f"HS{later}-HS{earlier} Conversions": _rows(
                    lines, "conversion", [f"From HS{later}", f"To HS{earlier}"]
                ),
                f"HS{later}-HS{earlier} Correlations": _rows(
                    lines, "correlation", [f"HS{later}", f"HS{earlier}", "Relationship"]
                ),
            },
        )
        write_edition(
            folder,
            edition,
            [
                Original(
                    document=name,
                    url=edition.url or source.homepage,
                    sha256=original.sha256,
                    place="lines of the headings of minerals, their compounds, metals and magnets",
                )
            ],
        )


def _rows(lines: pl.DataFrame, kind: str, header: list[str]) -> list[list[Cell]]:
    columns = ["from_code", "to_code", "relationship"][: len(header)]
    body = lines.filter(pl.col("kind") == kind).select(columns)
    return [list(header), *(list(row) for row in body.iter_rows())]
