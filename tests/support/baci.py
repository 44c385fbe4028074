"""A zip in BACI's layout of any size, with invented flows, written without being held."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl

from pipelines.sources.cepii_baci import mapped_codes
from pipelines.sources.labels import known_labels

__all__ = ["write_zip_of_baci"]

#: A year of BACI has about so many products, of which few are mapped to a material.
_PRODUCTS = 5_000
_ROWS_A_PIECE = 500_000


def write_zip_of_baci(path: Path, *, revision: str, years: range, bytes_a_year: int) -> int:
    """Write ``path``; the number of its flows of mapped products.

    Members are stored and not packed, so that the zip is as large as what has to be read.
    """
    mapped = sorted(mapped_codes())
    others = [f"{n:06d}" for n in range(10_000, 10_000 + 2 * _PRODUCTS)]
    fill = [code for code in others if code not in set(mapped)]
    products = pl.Series([*mapped, *fill][:_PRODUCTS])
    countries = pl.Series(sorted(c for c in known_labels(["country__un"]) if c.isdecimal()))
    kept = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for year in years:
            name = f"BACI_{revision}_Y{year}_V202601.csv"
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(b"t,i,j,k,v,q\n")
                size = first = 0
                while size < bytes_a_year:
                    piece = _flows(year, first, products, countries)
                    kept += piece.get_column("k").is_in(mapped).sum()
                    size += member.write(piece.write_csv(include_header=False).encode())
                    first += _ROWS_A_PIECE
    return kept


def _flows(year: int, first: int, products: pl.Series, countries: pl.Series) -> pl.DataFrame:
    """Rows ``first`` and after, each pair of countries with every product in turn."""
    row = pl.int_range(first, first + _ROWS_A_PIECE, dtype=pl.UInt32, eager=True)
    pair = row // products.len()
    exporter = pair % countries.len()
    importer = (exporter + 1 + (pair // countries.len()) % (countries.len() - 1)) % countries.len()
    return pl.DataFrame(
        {
            "t": pl.repeat(year, _ROWS_A_PIECE, eager=True),
            "i": countries.gather(exporter),
            "j": countries.gather(importer),
            "k": products.gather(row % products.len()),
            "v": (row % 99_991 + 1) / 1000,
            "q": (row % 9_973 + 1) / 1000,
        }
    )
