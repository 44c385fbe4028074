"""Years and descent of Combined Nomenclature lines, held to Eurostat's own concordances."""

from __future__ import annotations

import csv
from pathlib import Path

import fastexcel
import polars as pl
import pytest

from pipelines.sources.label_maps import read_reference

pytestmark = pytest.mark.reference

FIRST, LAST = 1988, 2025


@pytest.fixture(scope="module")
def changes(reference_data: Path) -> pl.DataFrame:
    """Changes of codes: first year of the new code, old code, new code."""
    path = reference_data / "trade" / "nomenclature" / "cn" / "CN_concordances_1988_2025.xls"
    table = fastexcel.read_excel(path).load_sheet(0, header_row=None).to_polars()
    table.columns = ["period", "old", "new"]
    return table.filter(pl.col("period").str.contains(r"^\d{8}$")).select(
        pl.col("period").str.slice(4).cast(pl.Int32).alias("year"),
        pl.col("old", "new").str.replace_all(" ", ""),
    )


@pytest.fixture(scope="module")
def lines() -> list[dict[str, str | None]]:
    table = read_reference("ref_national_code").filter(pl.col("national_system") == "CN8")
    return list(table.iter_rows(named=True))


def test_years_are_those_of_the_concordances(changes, lines) -> None:
    begun = dict(changes.select("new", "year").rows())
    ended = {old: year - 1 for old, year in changes.select("old", "year").rows()}
    assert lines
    for line in lines:
        code = line["national_code"]
        assert int(line["valid_from"]) == begun.get(code, FIRST), code
        assert line["valid_to"] == (str(ended[code]) if code in ended else None), code


def test_every_successor_is_held_and_shares_elements_with_what_it_came_from(changes, lines):
    held = {line["national_code"]: line for line in lines}
    for old, new in changes.select("old", "new").rows():
        if old not in held:
            continue
        assert new in held, f"{old} became {new}"
        before, after = held[old]["elements"], held[new]["elements"]
        if before and after:
            assert set(after.split(";")) <= set(before.split(";")), (old, new)


def test_every_code_of_the_gathered_lists_is_held_or_left_out_for_a_reason(reference_data):
    held = {
        (row["national_system"], row["national_code"])
        for row in read_reference("ref_national_code").iter_rows(named=True)
    }
    systems = {
        "EU CN8": "CN8",
        "US HTS10": "HTS10",
        "China 8-digit": "CN_HS8",
        "China 10-digit": "CN_HS10",
        "India ITC-HS8": "ITCHS8",
        "Brazil NCM8": "NCM8",
    }
    # Inferred from the numbering alone.
    left_out = {("HTS10", "2805300005"), ("HTS10", "2805300010")}
    with (reference_data / "trade" / "tariff_codes.csv").open(encoding="utf-8") as file:
        listed = {(systems[r["jurisdiction"]], r["code"]) for r in csv.DictReader(file)}
    with (reference_data / "method" / "hs_code_map.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            # HS codes are in ref_hs_material; the row of Japan names a scheme, no code.
            if row["system"] not in {"HS6", "JP9"}:
                system = {"SchedB": "SCHB10"}.get(row["system"], row["system"])
                listed.add((system, row["code"].replace(".", "")))
    assert listed - held == left_out
