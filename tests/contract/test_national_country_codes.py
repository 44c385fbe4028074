"""The code lists of national publishers cover the partners that are met in originals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.catalog import load_catalog
from pipelines.sources import usitc_dataweb
from pipelines.sources.base import Document
from pipelines.sources.label_maps import read_map

pytestmark = pytest.mark.reference


def countries_of(name: str) -> set[str]:
    return set(read_map(name)["country_iso3"].drop_nulls())


def to_iso3(name: str) -> dict[str, str | None]:
    return dict(read_map(name).select("country_label", "country_iso3").iter_rows())


def test_partners_in_dataweb_have_a_code_of_schedule_c(reference_data: Path) -> None:
    """DataWeb shows the Census Bureau's figures under names."""
    book = reference_data / "trade" / "usitc" / "us_imports_for_consumption_1993-2026.xlsx"
    edition = load_catalog().source("usitc_dataweb").edition("1993-2026")
    table = usitc_dataweb.parse(edition, [Document.of(book)]).tables["raw_usitc_dataweb__trade"]
    names = to_iso3("country__usitc")
    partners = {names[label] for label in table["country_label"].unique()} - {None}
    assert len(partners) > 10
    assert partners <= countries_of("country__census")


def test_suppliers_in_a_client_s_cache_have_a_code_of_schedule_c(reference_data: Path) -> None:
    cache = reference_data / "trade" / "us_census" / "pjgriff" / "import_shares_cache.json"
    names = to_iso3("country__usitc")
    told = {row["country"] for row in json.loads(cache.read_text())}
    known = {names[name] for name in told if name in names} - {None}
    assert len(known) > 30
    assert known <= countries_of("country__census")
