"""BACI for the starter: flows of ores, metals and compounds, and of permanent magnets.

Three editions in CEPII's layout. ``HS92``: every mapped mineral code that the held extract of BACI
has, fuels left out. ``HS02`` (to 2016) and ``HS17`` (from 2017): permanent magnets (850511), values
only, as an atlas of critical materials passed them on; it leaves out small flows. Year files are
packed into several zips so that no file of the repository is large.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import MonaziteError
from pipelines.sources import cepii_baci
from pipelines.sources.base import Document
from pipelines.sources.label_maps import read_reference
from starter.writers.common import Original, write_edition, write_zip

__all__ = ["magnet_flows", "mineral_flows", "write"]

_MINERALS = Path("trade/baci/hs92_1995_2024/baci_hs92_1995_2024_74_codes.parquet")
_MAGNETS = Path("trade/baci/varcolacus/flows/derived_850511_2002_2024.csv")
_COUNTRIES = Path("trade/baci/varcolacus/country_codes_V202601.csv")
_VERSION = "V202601"
#: Flows that one zip may hold; about 8.5 compressed bytes each.
_ZIP_ROWS = 130_000
#: Letters that the publisher's list lost (read as a missing value) or never had, to its codes.
_UNLISTED_ISO2 = {"NA": "516", "TW": "490"}
_FUELS = "27"


def write(originals: Path, out: Path) -> None:
    """Write ``out/<label>/`` for each edition from the documents below ``originals``."""
    source = load_catalog().source("cepii_baci")
    words = _descriptions()
    countries = _country_list(originals)
    minerals = mineral_flows(originals)
    _write_edition(
        out,
        source.edition(f"HS92-{_VERSION}"),
        minerals,
        countries,
        words,
        place="ores, metals and compounds of minerals, fuels left out",
        note=(
            "The held extract does not name its version; V202601 is the only one whose years "
            "end in 2024."
        ),
    )
    magnets = magnet_flows(originals)
    for (revision,), flows in magnets.group_by(["revision"], maintain_order=True):
        _write_edition(
            out,
            source.edition(f"{revision}-{_VERSION}"),
            flows.drop("revision"),
            countries,
            words,
            place="permanent magnets of metal (850511), values without quantities",
            note=(
                "Small flows were left out before the figures reached us (totals lie 2 to 8 "
                "percent below the whole), and Taiwan and Namibia are absent before 2018."
            ),
        )


def mineral_flows(originals: Path) -> pl.DataFrame:
    """Flows in HS 1992 as ``t, i, j, k, v, q`` (text, as they are written)."""
    frame = pl.read_parquet(originals / _MINERALS).filter(~pl.col("k").str.starts_with(_FUELS))
    return frame.sort("t", "i", "j", "k").select(
        "t",
        pl.col("i", "j").cast(pl.String),
        "k",
        _thousandths((pl.col("v") * 1000).round()).alias("v"),
        _thousandths((pl.col("q") * 1000).round()).fill_null("NA").alias("q"),
    )


def magnet_flows(originals: Path) -> pl.DataFrame:
    """Flows of permanent magnets as ``revision, t, i, j, k, v, q`` (text, as they are written)."""
    frame = pl.read_csv(
        originals / _MAGNETS, schema_overrides={"hs6": pl.String}, null_values=[]
    ).rename({"year": "t", "hs6": "k"})
    codes = _codes_by_letters(_parsed_countries(originals))
    for role, column in (("exporter_iso2", "i"), ("importer_iso2", "j")):
        pairs = frame.select("t", role).unique().sort("t", role)
        keys = pairs.with_columns(
            pl.Series(column, [_code(codes, letters, year) for year, letters in pairs.iter_rows()])
        )
        frame = frame.join(keys, on=["t", role], how="left", validate="m:1")
    return frame.sort("t", pl.col("i").cast(pl.Int32), pl.col("j").cast(pl.Int32)).select(
        pl.col("baci_source").str.extract(r"(HS\d{2})").alias("revision"),
        "t",
        "i",
        "j",
        "k",
        _thousandths(pl.col("value_usd")).alias("v"),
        pl.lit("NA").alias("q"),
    )


def _thousandths(number: pl.Expr) -> pl.Expr:
    """A count of thousandths as decimal text without trailing zeros (1500 is ``1.5``)."""
    count = number.cast(pl.Int64)
    whole = (count // 1000).cast(pl.String)
    part = (count % 1000).cast(pl.String).str.zfill(3).str.strip_chars_end("0")
    return pl.when(part == "").then(whole).otherwise(whole + "." + part)


def _parsed_countries(originals: Path) -> pl.DataFrame:
    source = load_catalog().source("cepii_baci")
    document = Document.of(originals / _COUNTRIES)
    parsed = cepii_baci.parse(source.edition(f"HS92-{_VERSION}"), [document])
    return parsed.tables[cepii_baci.COUNTRY]


def _codes_by_letters(countries: pl.DataFrame) -> dict[str, list[tuple[int, str]]]:
    """ISO letters to ``(last year, code)``; former states carry their last year in the name."""
    found: dict[str, list[tuple[int, str]]] = {k: [(9999, v)] for k, v in _UNLISTED_ISO2.items()}
    last_year = pl.col("country_name").str.extract(r"\(\.\.\.(\d{4})\)").cast(pl.Int32)
    rows = countries.filter(pl.col("country_iso2").is_not_null()).select(
        "country_iso2", last_year.fill_null(9999), "country_code"
    )
    for letters, year, code in rows.iter_rows():
        found.setdefault(letters, []).append((year, code))
    return found


def _code(codes: Mapping[str, Sequence[tuple[int, str]]], letters: str, year: int) -> str:
    """The code that these letters meant in this year: the state that ended first after it."""
    living = [entry for entry in codes.get(letters, ()) if entry[0] >= year]
    if not living:
        raise MonaziteError(f"no country code for {letters!r} in {year}", where=str(_MAGNETS))
    return min(living)[1]


def _country_list(originals: Path) -> bytes:
    rows = _parsed_countries(originals).select(
        "country_code", "country_name", "country_iso2", "country_iso3"
    )
    return _csv(rows.sort(pl.col("country_code").cast(pl.Int32)))


def _descriptions() -> dict[str, str]:
    """Our own words for each mapped code."""
    codes = read_reference("ref_hs_material")
    return dict(codes.select("hs_code", "description").iter_rows())


def _csv(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_csv(stream)
    return stream.getvalue()


def _write_edition(
    out: Path,
    edition: Edition,
    flows: pl.DataFrame,
    countries: bytes,
    words: Mapping[str, str],
    *,
    place: str,
    note: str,
) -> None:
    revision = edition.label.split("-", 1)[0]
    codes = flows.get_column("k").unique().sort().to_list()
    unmapped = [code for code in codes if code not in words]
    if unmapped:
        raise MonaziteError(f"codes without a description: {', '.join(unmapped)}")
    products = pl.DataFrame({"code": codes, "description": [words[code] for code in codes]})
    lists = {
        f"country_codes_{_VERSION}.csv": countries,
        f"product_codes_{revision}_{_VERSION}.csv": _csv(products),
    }
    packs: list[dict[int, bytes]] = [{}]
    packed = 0
    for (year,), rows in flows.group_by(["t"], maintain_order=True):
        content = _csv(rows.select("t", "i", "j", "k", "v", "q"))
        if packs[-1] and packed + rows.height > _ZIP_ROWS:
            packs.append({})
            packed = 0
        packs[-1][int(str(year))] = content
        packed += rows.height
    documents: list[Original] = []
    for number, years in enumerate(packs):
        span = "_".join(str(year) for year in sorted({min(years), max(years)}))
        name = f"BACI_{revision}_{_VERSION}_{span}.zip"
        members = {f"BACI_{revision}_Y{y}_{_VERSION}.csv": content for y, content in years.items()}
        if number == 0:
            members |= lists
        write_zip(out / edition.label / name, members, method=zipfile.ZIP_LZMA)
        documents.append(
            Original(
                document=name,
                url=str(edition.url),
                place=f"{span.replace('_', ' to ')}; {place}",
            )
        )
    write_edition(out / edition.label, edition, documents, note=note)
