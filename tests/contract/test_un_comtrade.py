"""UN Comtrade's real answers and exports, and what lies beside them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import load_catalog
from pipelines.errors import DocumentUnreadable, EditionRefused
from pipelines.sources.base import Document, Parsed
from pipelines.sources.un_comtrade import KEY, TRADE, parse

pytestmark = pytest.mark.reference

#: Documents that are read, by a piece of their path, and their rows.
READ = {
    "comtrade_2023_all_reporters_world/derived_280530": 423,
    "comtrade_us_china_pairs_2020_2024/cobalt": 86,
    "comtrade_us_china_pairs_2020_2024/copper": 75,
    "comtrade_us_china_pairs_2020_2024/gallium": 40,
    "comtrade_us_china_pairs_2020_2024/graphite": 80,
    "comtrade_us_china_pairs_2020_2024/heavy_ree": 80,
    "comtrade_us_china_pairs_2020_2024/light_ree": 80,
    "comtrade_us_china_pairs_2020_2024/lithium": 175,
    "comtrade_us_china_pairs_2020_2024/nickel": 104,
    "comtradr/cassettes/HS-5e2730.body": 4,
    "comtradr/cassettes/HS-60a6ad": 4,
    "crm-trade-network/2023_2805_M_392": 12,
    "crm-trade-network/2023_2846_M_156": 33,
    "crm-trade-network/2023_2846_M_392": 17,
    "manuali-luciana/UN_nickel_trade": 13_739,
    "quad/p3_minerals_quad_china": 72,
    "quad/p3_minerals_quad_world": 72,
    "varcolacus/comtrade_2022": 166_616,
}


@pytest.fixture(scope="module")
def folder(reference_data: Path) -> Path:
    return reference_data / "trade" / "comtrade"


def _parse(*paths: Path) -> Parsed:
    edition = load_catalog().source("un_comtrade").edition("held")
    return parse(edition, [Document.of(path) for path in paths])


@pytest.fixture(scope="module")
def year(folder: Path) -> pl.DataFrame:
    """All reporters and partners, 31 codes, 2022."""
    return _parse(folder / "varcolacus" / "comtrade_2022.csv.gz").tables[TRADE]


def test_every_file_is_read_or_refused_in_one_line(folder: Path) -> None:
    read: dict[str, int] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        refusal = ""
        try:
            parsed = _parse(path)
        except EditionRefused as error:
            refusal = str(error)
        if refusal:
            assert "\n" not in refusal
            assert path.name in refusal
            continue
        assert parsed.rows_quarantined == 0
        table = parsed.tables[TRADE]
        assert table.get_column("is_total").sum() == table.select(KEY).n_unique()
        if not name.startswith("china_imports_2846_preview"):
            read[name] = parsed.rows_out
    assert len(read) == len(READ)
    for piece, rows in READ.items():
        assert [n for name, n in read.items() if name.startswith(piece)] == [rows]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("comtrade_2023_all_reporters_world/trade_data.csv", "header is shifted"),
        ("comtradr/reference/HS.json", "a list of codes"),
        ("comtradr/reference/Reporters.json", "a list of codes"),
        ("comtradr/csv_converted/country_codes.csv", "a list of codes"),
        ("comtradr/csv_converted/cmd_h6.csv", "a list of codes"),
        ("comtradr/cassettes/HS-4f1d0f.json", "a listing of bulk files"),
        ("comtradr/cassettes/HS-5e2730.R", r"\.r is no layout"),
        ("comtradr/cassettes/HS-a503f3.json", "holds no rows"),
        ("china_imports_2846_preview/publication_metadata.json", "publication metadata"),
        ("china_imports_2846_preview/manifest.json", "JSON without an array `data`"),
    ],
)
def test_what_is_not_trade_is_named(folder: Path, name: str, message: str) -> None:
    with pytest.raises(DocumentUnreadable, match=message):
        _parse(folder / name)


@pytest.mark.parametrize(
    ("key", "usd", "kilograms", "rows"),
    [
        (("156", "0", "X"), 4_579_376_430.0, 121_988_718.23, 1),
        (("392", "156", "M"), 231_586_361.537, 3_743_830.0, 1),
        (("276", "156", "M"), 765_179_836.583, 12_648_091.76, 416),
    ],
)
def test_magnets_in_2022(
    year: pl.DataFrame, key: tuple[str, str, str], usd: float, kilograms: float, rows: int
) -> None:
    reporter, partner, flow = key
    total = year.filter(
        "is_total",
        pl.col("hs_code") == "850511",
        pl.col("reporter_code") == reporter,
        pl.col("partner_code") == partner,
        pl.col("flow_code") == flow,
    )
    assert total.select("primary_value_usd", "net_weight_kg", "n_rows_of_key").rows() == [
        (usd, kilograms, rows)
    ]


def test_totals_of_partners_sum_to_the_world(year: pl.DataFrame) -> None:
    totals = year.filter("is_total")
    keys = ["reporter_code", "flow_code", "hs_code"]
    value = pl.col("primary_value_usd").sum()
    world = totals.filter(pl.col("partner_code") == "0").group_by(keys).agg(value.alias("world"))
    parts = totals.filter(pl.col("partner_code") != "0").group_by(keys).agg(value.alias("parts"))
    both = world.join(parts, on=keys)
    assert both.height > 4000
    assert both.filter((pl.col("world") - pl.col("parts")).abs() > 0.05).is_empty()


def test_answers_of_many_years_are_one_extract(folder: Path) -> None:
    table = _parse(*sorted((folder / "china_imports_2846_preview").glob("*.json"))).tables[TRADE]
    assert table.get_column("reference_year").unique().sort().to_list() == list(range(1993, 2023))
    assert table.get_column("is_total").all()
    assert table.get_column("classification").unique().sort().to_list() == [
        f"H{edition}" for edition in range(7)
    ]
    early = table.filter(pl.col("reference_year") < 2000)
    assert early.get_column("net_weight_kg").null_count() == early.height


def test_weight_of_zero_counts_as_none(folder: Path) -> None:
    path = folder / "quad" / "p3_minerals_quad_world.xlsx"
    table = _parse(path).tables[TRADE]
    assert table.get_column("net_weight_kg").null_count() == 6
    assert table.filter(pl.col("net_weight_kg") == 0).is_empty()
