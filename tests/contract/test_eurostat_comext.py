"""Eurostat's own dictionary and concordance, and what is built on them here."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from pipelines.settings import PROJECT_ROOT
from tests.emulator.publishers.eurostat_comext import BULK_HEADER, PARTNERS, bulk_table

pytestmark = pytest.mark.reference

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"


@pytest.fixture(scope="module")
def dictionary(reference_data: Path) -> dict[str, str]:
    """Section of the dictionary of the bulk files to its text."""
    path = reference_data / "trade" / "eurostat" / "comext-fetcher" / "FULL.txt"
    text = path.read_text(encoding="utf-8")
    pieces = re.split(r"^([A-Z][A-Z0-9_]+)\n-+\n", text, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@pytest.fixture(scope="module")
def countries() -> pl.DataFrame:
    return pl.read_csv(SEEDS / "labels" / "country__comext.csv", infer_schema=False)


def _codes(section: str) -> set[str]:
    return set(re.findall(r"^  ([A-Z0-9_]+)\t", section, flags=re.MULTILINE))


def test_every_partner_of_the_dictionary_is_in_the_map(
    dictionary: dict[str, str], countries: pl.DataFrame
) -> None:
    listed = _codes(dictionary["PARTNER"])
    known = set(countries.get_column("country_label"))
    assert len(listed) == 275
    assert listed <= known
    # Beside them stand the groups that only the interface has.
    others = known - listed
    assert {"WORLD", "EU27_2020", "EXT_EU27_2020", "INT_EU27_2020"} <= others
    groups = countries.filter(pl.col("country_label").is_in(list(others)))
    assert groups.get_column("area_type").unique().to_list() == ["aggregate"]


def test_secret_and_unspecified_partners_are_no_countries(
    dictionary: dict[str, str], countries: pl.DataFrame
) -> None:
    listed = {c for c in _codes(dictionary["PARTNER"]) if c.startswith("Q") and c not in {"QA"}}
    mine = countries.filter(pl.col("country_label").is_in(list(listed)))
    assert mine.get_column("country_iso3").null_count() == len(listed)


def test_flows_are_those_of_the_dictionary(dictionary: dict[str, str]) -> None:
    flows = pl.read_csv(SEEDS / "labels" / "flow__eurostat_comext.csv", infer_schema=False)
    assert set(flows.get_column("flow_label")) == _codes(dictionary["FLOW"])


def test_the_emulators_bulk_files_have_the_columns_and_codes_of_the_dictionary(
    dictionary: dict[str, str],
) -> None:
    columns = BULK_HEADER.split(",")
    assert set(columns) == set(dictionary)
    rows = [line.split(",") for line in bulk_table("202401").splitlines()[1:]]
    for name in ("REPORTER", "PARTNER"):
        at = columns.index(name)
        assert {r[at] for r in rows} <= _codes(dictionary["PARTNER"])
    for name in ("TRADE_TYPE", "FLOW", "TRANSPORT_MODE", "STAT_PROCEDURE", "SUPPL_UNIT"):
        at = columns.index(name)
        assert {r[at] for r in rows} <= _codes(dictionary[name]), name


def test_the_emulators_partners_are_known(countries: pl.DataFrame) -> None:
    assert set(PARTNERS) <= set(countries.get_column("country_label"))
