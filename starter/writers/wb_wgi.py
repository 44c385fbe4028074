"""The governance indicators for the starter: estimates of the six indicators since 2011."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.catalog import load_catalog
from pipelines.errors import MonaziteError
from pipelines.sources import wb_wgi
from pipelines.sources.base import Document
from starter.writers.common import Original, write_edition
from starter.writers.spreadsheet import Cell, write_workbook

__all__ = ["MEASURES", "SINCE", "write"]

_FOLDER = Path("production/wgi")
SINCE = 2011
MEASURES = ("estimate",)
_DOCUMENT = "wgidataset.xlsx"


def write(originals: Path, out: Path) -> None:
    """Write ``out/2024/`` from the workbook below ``originals``."""
    source = load_catalog().source("wb_wgi")
    edition = source.edition("2024")
    found = sorted((originals / _FOLDER).glob("*.xlsx"))
    if len(found) != 1:
        raise MonaziteError(
            f"expected one workbook, found {len(found)}", where=str(originals / _FOLDER)
        )
    original = Document.of(found[0])
    table = wb_wgi.parse(edition, [original]).tables[wb_wgi.ESTIMATE]
    index = ["indicator", "reference_year", "country_code_text", "country_text"]
    wide = (
        table.filter((pl.col("reference_year") >= SINCE) & pl.col("measure").is_in(MEASURES))
        .pivot("measure", index=index, values="value_text")
        .sort(index)
    )
    rows: list[list[Cell]] = [
        ["codeindyr", "code", "countryname", "year", "indicator", *MEASURES],
        *(
            [
                f"{row['country_code_text']}{row['indicator']}{row['reference_year']}",
                row["country_code_text"],
                row["country_text"],
                row["reference_year"],
                row["indicator"],
                *(_number(row[m]) for m in MEASURES),
            ]
            for row in wide.iter_rows(named=True)
        ),
    ]
    folder = out / edition.label
    write_workbook(folder / _DOCUMENT, {"Sheet1": rows})
    write_edition(
        folder,
        edition,
        [
            Original(
                document=_DOCUMENT,
                url=edition.url or source.homepage,
                sha256=original.sha256,
                place=f"estimates of the six indicators since {SINCE}, all countries",
            )
        ],
    )


def _number(text: str) -> Cell:
    return text if text == ".." else float(text)
