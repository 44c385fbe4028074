"""The real Critical Minerals Dataset, figures checked by eye in the workbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.catalog import load_catalog
from pipelines.errors import DocumentUnreadable
from pipelines.sources import iea_cm
from pipelines.sources.base import Document, Parsed
from starter.writers import iea_cm as writer

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def dataset(reference_data: Path) -> Parsed:
    edition = load_catalog().source("iea_cm").edition("2024-05")
    return iea_cm.parse(edition, [Document.of(reference_data / writer.ORIGINAL)])


def test_nothing_is_quarantined(dataset: Parsed) -> None:
    assert not dataset.quarantined
    supply = dataset.tables["raw_iea_cm__supply"]
    assert supply["material_label"].n_unique() == 12
    assert supply.filter(row_kind="total").height == 12 * 4
    assert supply.filter(row_kind="share").height == 12 * 4


@pytest.mark.parametrize(
    ("block", "country", "year", "value"),
    [
        ("Magnet rare earth elements - Mining", "China", 2023, 44.3),
        ("Magnet rare earth elements - Refining", "China", 2023, 70.3),
        ("Magnet rare earth elements - Refining", "Malaysia", 2030, 13),
        ("Magnet rare earth elements - Refining", "Rest of world", 2023, 1.7999999999999972),
        ("Cobalt - Mining", "Democratic Republic of Congo", 2040, 134.7),
        ("Cobalt - Refining", "Total clean technologies", 2023, 223.8),
        ("Graphite - Battery grade", "China", 2023, 1851.9),
        ("Lithium - Chemicals", "Australia", 2023, 5.5),
    ],
)
def test_supply(dataset: Parsed, block: str, country: str, year: int, value: float) -> None:
    supply = dataset.tables["raw_iea_cm__supply"]
    row = supply.filter(material_label=block, country_text=country, reference_year=year)
    assert row["value"].to_list() == [pytest.approx(value, abs=1e-9)]


def test_countries_add_up_to_the_printed_total_or_the_rest_holds_a_listed_one(
    dataset: Parsed,
) -> None:
    supply = dataset.tables["raw_iea_cm__supply"]
    keys = ["material_label", "reference_year"]
    named = supply.filter(row_kind="country").group_by(keys).agg("value")
    rest = supply.filter(row_kind="residual").select(*keys, rest="value")
    total = supply.filter(row_kind="total").select(*keys, total="value")
    blocks = named.join(rest, on=keys).join(total, on=keys)
    assert blocks.height == 48
    twice = []
    for row in blocks.iter_rows(named=True):
        over = sum(row["value"]) + row["rest"] - row["total"]
        assert min(abs(over - value) for value in [0, *row["value"]]) < 0.2
        twice += [row["material_label"]] if over > 1 else []
    assert set(twice) == {
        "Graphite - Battery grade",
        "Graphite - Mining (natural)",
        "Nickel - Mining",
        "Nickel - Refining",
    }


def test_demand_holds_elements(dataset: Parsed) -> None:
    demand = dataset.tables["raw_iea_cm__demand"]
    row = demand.filter(
        sheet="3.2 Cleantech demand by mineral", row_text="Dysprosium", reference_year=2023
    )
    assert row["value"].to_list() == [pytest.approx(1.33468)]


def test_edition_of_2023_is_refused_for_its_terms(reference_data: Path) -> None:
    edition = load_catalog().source("iea_cm").edition("2023-07")
    path = reference_data / "production/iea/CM_Data_Explorer_2023-07.xlsx"
    with pytest.raises(DocumentUnreadable, match=r"does not state CC BY 4\.0"):
        iea_cm.parse(edition, [Document.of(path)])


def test_starter_reads_like_the_original(
    dataset: Parsed, reference_data: Path, tmp_path: Path
) -> None:
    writer.write(reference_data, tmp_path / "a")
    writer.write(reference_data, tmp_path / "b")
    (document,) = (tmp_path / "a" / writer.LABEL).glob("*.xlsx")
    twin = tmp_path / "b" / writer.LABEL / document.name
    assert document.read_bytes() == twin.read_bytes()
    edition = load_catalog().source("iea_cm").edition(writer.LABEL)
    again = iea_cm.parse(edition, [Document.of(document)]).tables["raw_iea_cm__supply"]
    table = dataset.tables["raw_iea_cm__supply"]
    names = [c for c in table.columns if c not in {"document_name", "document_sha256"}]
    assert again.select(names).equals(table.select(names))
