"""The EU study for the starter: all supply shares, and SR and EI of all assessments."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl

from pipelines.catalog import load_catalog
from pipelines.sources import eu_crm
from pipelines.sources.base import Document
from starter.writers.common import Original, write_edition

__all__ = ["write"]

_FOLDER = Path("trade/eu_crm")
#: Our document to the publisher's, and what of it was carried over.
_DOCUMENTS = {
    "fact_EUSupplyShares.csv": "all shares in EU sourcing, sorted by material, stage and country",
    "fact_GlobalSupplyShares.csv": "all world shares, sorted by material, stage and country",
    "dimension_CRMsOverTime.csv": "SR and EI of all assessments, sorted by year and material",
}


def write(originals: Path, out: Path) -> None:
    """Write ``out/2023/`` from the CSV files below ``originals``."""
    source = load_catalog().source("eu_crm")
    edition = source.edition("2023")
    documents = {name: Document.of(originals / _FOLDER / name) for name in _DOCUMENTS}
    parsed = eu_crm.parse(edition, list(documents.values()))
    folder = out / edition.label
    folder.mkdir(parents=True, exist_ok=True)

    shares = parsed.tables[eu_crm.SHARE].sort("material_label", "stage_text", "country_text")
    for scope, name in (
        ("eu", "fact_EUSupplyShares.csv"),
        ("world", "fact_GlobalSupplyShares.csv"),
    ):
        columns = {
            "Material": "material_label",
            "Stage": "stage_text",
            "Country": "country_text",
            "Share": "value_text",
            "t": "trade_parameter_text",
        }
        _write_csv(folder / name, shares.filter(pl.col("scope") == scope), columns)

    indices = (
        parsed.tables[eu_crm.CRITICALITY]
        .pivot("measure", index=["material_label", "assessment_year"], values="value_text")
        .sort("assessment_year", "material_label")
    )
    _write_csv(
        folder / "dimension_CRMsOverTime.csv",
        indices,
        {"Material": "material_label", "Year": "assessment_year", "SR": "sr", "EI": "ei"},
    )
    write_edition(
        folder,
        edition,
        [
            Original(
                document=name,
                url=edition.url or source.homepage,
                sha256=documents[name].sha256,
                place=place,
            )
            for name, place in _DOCUMENTS.items()
        ],
    )


def _write_csv(path: Path, frame: pl.DataFrame, columns: dict[str, str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows(frame.select(columns.values()).iter_rows())
