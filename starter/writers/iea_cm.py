"""The supply sheet of the Critical Minerals Dataset for the starter: six minerals by country.

Figures stand in the rows and columns of the publisher's workbook.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.catalog import load_catalog
from pipelines.sources import iea_cm
from pipelines.sources.base import Document
from starter.writers.common import Original, write_edition
from starter.writers.spreadsheet import Cell, write_workbook

__all__ = ["LABEL", "ORIGINAL", "write"]

LABEL = "2024-05"
ORIGINAL = Path("production/iea/CM_Data_Explorer_2024-05.xlsx")
_DOCUMENT = "CM_Data_Explorer_2024-05.xlsx"
_TITLE_ROW, _HEADER_ROW = 2, 4


def write(originals: Path, out: Path) -> None:
    """Write ``out/2024-05/`` from the workbook below ``originals``."""
    source = load_catalog().source("iea_cm")
    edition = source.edition(LABEL)
    original = Document.of(originals / ORIGINAL)
    supply = iea_cm.parse(edition, [original]).tables["raw_iea_cm__supply"]
    scenario, unit, sheet = supply.select("scenario_text", "unit_text", "sheet").row(0)
    grid: dict[tuple[int, int], Cell] = {
        (_TITLE_ROW, 1): f"Total supply for key minerals, {scenario} ({unit})"
    }
    for block in supply.partition_by("mineral_text", maintain_order=True):
        label_column = int(block["column_number"].to_numpy().min()) - 1
        first_row = int(block["row_number"].to_numpy().min())
        grid[first_row - 1, label_column] = block["mineral_text"][0]
        for row in block.iter_rows(named=True):
            number, column = row["row_number"], row["column_number"]
            grid[_HEADER_ROW, column] = row["reference_year"]
            grid[number, label_column] = row["country_text"]
            text = row["value_text"]
            grid[number, column] = None if text is None else float(text)
    last_row = max(row for row, _ in grid)
    last_column = max(column for _, column in grid)
    rows = [
        [grid.get((row, column)) for column in range(1, last_column + 1)]
        for row in range(1, last_row + 1)
    ]
    folder = out / LABEL
    write_workbook(
        folder / _DOCUMENT, {sheet: rows, "Notice": [["Creative Commons licence CC BY 4.0"]]}
    )
    write_edition(
        folder,
        edition,
        [
            Original(
                document=_DOCUMENT,
                url=edition.url or source.homepage,
                sha256=original.sha256,
                place="sheet of total supply, same rows and columns",
            )
        ],
        note="the original is a copy that a third party saved again; its figures are the agency's",
    )
