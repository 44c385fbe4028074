"""Every document that is known of these publishers goes through the door.

It is parsed, or refused with one line that says what was found and where. Each is offered to a
warehouse that holds nothing of the source, as a person would bring it who has nothing else.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

from pipelines.catalog import load_catalog
from pipelines.errors import EditionRefused, MonaziteError, UsageError
from pipelines.ingest import IngestResult, ingest_documents
from pipelines.settings import Settings

pytestmark = [pytest.mark.reference, pytest.mark.slow]

#: Source, folder of documents, and those of them that hold what the source publishes.
GROUPS = [
    ("usgs_mcs", "production/usgs_mcs/2026", ["usgs_mcs2026_commodities_data.csv"]),
    ("usgs_mcs", "production/usgs_mcs/2025/world_data", ["MCS2025_World_Data.csv"]),
    ("usgs_mcs", "production/usgs_mcs/2025/industry_trends", []),
    ("usgs_mcs", "production/usgs_mcs/2023/Mineral Industry Trends and Salient Statistics", []),
    ("usgs_myb", "production/usgs_myb", ["*.xlsx"]),
    ("usgs_myb", "production/usgs_ds140", ["*.xlsx"]),
    ("bgs_wms", "production/bgs", ["*.csv"]),
    ("iea_cm", "production/iea", ["CM_Data_Explorer_2024-05.xlsx"]),
    ("wb_wgi", "production/wgi", ["*.xlsx"]),
    ("iso_3166", "production/iso", ["*.csv"]),
    ("un_m49", "production/iso", ["datasets_country-codes.csv"]),
    ("un_m49", "trade/nomenclature/country", ["*.csv"]),
    ("unsd_hs", "trade/nomenclature/hs", ["harmonized-system.csv"]),
    ("unsd_hs", "trade/nomenclature/unsd_conversion", ["*.xls", "*.xlsx"]),
    ("unsd_hs", "trade/nomenclature/cn", []),
    ("unsd_hs", "trade/comtrade/comtradr/csv_converted", ["cmd_h?.csv"]),
    ("unsd_hs", "trade/comtrade/comtradr/reference", ["HS.json"]),
    ("usitc_dataweb", "trade/usitc", ["*.xlsx"]),
    ("eu_crm", "trade/eu_crm", ["*.csv"]),
    ("cepii_baci", "trade/baci/hs92_1995_2024", ["country_codes.csv"]),
    (
        "cepii_baci",
        "trade/baci/raw_samples",
        ["country_codes_*.csv", "geopolrisk_*.csv", "*_exporters_4_710.csv"],
    ),
    ("cepii_baci", "trade/baci/varcolacus", ["country_codes_V202601.csv"]),
    (
        "un_comtrade",
        "trade/comtrade",
        [
            "china_imports_2846_preview/[12]*.json",
            "comtrade_2023_all_reporters_world/derived_*.csv",
            "comtrade_us_china_pairs_2020_2024/*_trade_data.csv",
            "comtradr/cassettes/HS-5e2730.body.json",
            "comtradr/cassettes/HS-60a6ad.json",
            "crm-trade-network/*.json",
            "manuali-luciana/*.csv",
            "quad/*.xlsx",
            "varcolacus/comtrade_2022.csv.gz",
        ],
    ),
]
#: Folders with a file a commodity, alike: every so many of them is offered by itself.
MANY = [
    "production/usgs_mcs/2023/world",
    "production/usgs_mcs/2023/salient",
    "production/usgs_mcs/2024/world",
    "production/usgs_mcs/2024/salient",
    "production/usgs_mcs/2025/salient_commodity",
]
STEP = 11
#: World tables that stand under the name of salient statistics, and nothing else in the file.
MISPLACED = ["mcs2024-cobal_salient.csv", "mcs2024-gypsu_salient.csv", "mcs2024-kyani_salient.csv"]


def offer(home: Path, source: str, *paths: Path, **options: str) -> IngestResult | UsageError:
    """What becomes of documents in a new warehouse; whatever is not ours fails the test."""
    try:
        return ingest_documents(Settings(home=home), load_catalog(), source, list(paths), **options)
    except UsageError as error:
        return error


def complaint(outcome: IngestResult | UsageError, names: list[str]) -> str | None:
    """What is wrong with the way an offer was answered."""
    if isinstance(outcome, IngestResult) and outcome.refused is None:
        if not outcome.rows or sum(outcome.tables.values()) != outcome.rows:
            return f"let in without rows: {outcome}"
        return None
    error: MonaziteError | None = outcome if isinstance(outcome, UsageError) else outcome.error
    if not isinstance(error, UsageError | EditionRefused):
        return f"not a refusal: {error!r}"
    text = str(error)
    if "\n" in text or "Traceback" in text or "Error:" in text or text.startswith("the reader of"):
        return f"not one clear line: {text}"
    if isinstance(error.__cause__, AttributeError | KeyError | TypeError | IndexError):
        return f"an unhandled {error.__cause__!r}: {text}"
    if not any(Path(name).name in text for name in names):
        return f"no place: {text}"
    return None


def files_below(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.rglob("*") if p.is_file())
    assert found, f"no document in {folder}"
    return found


@pytest.mark.parametrize(("source", "folder", "data"), GROUPS)
def test_every_document_is_parsed_or_refused_with_one_line(
    tmp_path: Path, reference_data: Path, source: str, folder: str, data: list[str]
) -> None:
    root = reference_data / folder
    complaints, parsed, expected = [], set(), set()
    for path in files_below(root):
        name = path.relative_to(root).as_posix()
        outcome = offer(tmp_path / str(len(parsed)), source, path)
        if found := complaint(outcome, [path.name]):
            complaints.append(f"{name}: {found}")
        if isinstance(outcome, IngestResult) and outcome.refused is None:
            parsed.add(name)
        if any(fnmatch(name, pattern) for pattern in data):
            expected.add(name)
    assert complaints == []
    assert parsed == expected


@pytest.mark.parametrize("folder", MANY)
def test_single_files_of_the_summaries_are_parsed_or_refused_with_one_line(
    tmp_path: Path, reference_data: Path, folder: str
) -> None:
    found = files_below(reference_data / folder)
    chosen = [p for p in found if p.name in MISPLACED or p.suffix == ".xlsx"]
    chosen += [p for p in found[::STEP] if p not in chosen]
    complaints, parsed = [], 0
    for path in chosen:
        outcome = offer(tmp_path / str(parsed), "usgs_mcs", path)
        if said := complaint(outcome, [path.name]):
            complaints.append(f"{path.name}: {said}")
        is_parsed = isinstance(outcome, IngestResult) and outcome.refused is None
        parsed += is_parsed
        if is_parsed != (path.suffix in {".csv", ".xlsx"} and path.name not in MISPLACED):
            complaints.append(f"{path.name}: parsed {is_parsed}: {outcome}")
    assert complaints == []


@pytest.mark.parametrize("year", ["2023", "2024", "2025", "2026"])
def test_a_whole_edition_of_the_summaries_is_let_in(
    tmp_path: Path, reference_data: Path, year: str
) -> None:
    outcome = offer(tmp_path, "usgs_mcs", reference_data / "production" / "usgs_mcs" / year)
    assert isinstance(outcome, IngestResult), outcome
    assert outcome.refused is None
    assert outcome.label == year
    assert min(outcome.tables[f"raw_usgs_mcs__{t}"] for t in ("world_production", "salient")) > 2000


@pytest.mark.parametrize(
    ("source", "folder", "rows"),
    [
        ("usitc_dataweb", "trade/usitc", 130_000),
        ("eu_crm", "trade/eu_crm", 4_000),
        ("un_comtrade", "trade/comtrade/china_imports_2846_preview", 600),
        ("un_comtrade", "trade/comtrade/comtrade_us_china_pairs_2020_2024", 600),
        ("un_comtrade", "trade/comtrade/quad", 140),
        ("unsd_hs", "trade/nomenclature/unsd_conversion", 70_000),
    ],
)
def test_a_folder_of_documents_is_one_edition(
    tmp_path: Path, reference_data: Path, source: str, folder: str, rows: int
) -> None:
    outcome = offer(tmp_path, source, reference_data / folder, label="all of it")
    assert isinstance(outcome, IngestResult), outcome
    assert outcome.refused is None
    assert outcome.rows >= rows
    assert outcome.quarantined <= outcome.rows / 100
