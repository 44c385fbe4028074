"""The EU study on critical raw materials."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.catalog import Edition, load_catalog
from pipelines.errors import DocumentUnreadable, UnknownLabel
from pipelines.sources import eu_crm
from pipelines.sources.base import Document, Parsed

HEADER = "Material,Stage,Country,Share,t\n"


@pytest.fixture
def edition() -> Edition:
    return load_catalog().source("eu_crm").edition("2023")


@pytest.fixture
def study(fixtures_dir: Path, edition: Edition) -> Parsed:
    files = sorted((fixtures_dir / "eu_crm").iterdir())
    return eu_crm.parse(edition, [Document.of(f) for f in files])


def read(folder: Path, edition: Edition, text: str, name: str = "fact_Global.csv") -> Parsed:
    path = folder / name
    path.write_bytes(text.encode())
    return eu_crm.parse(edition, [Document.of(path)])


def share(parsed: Parsed, material: str, stage: str, country: str) -> dict[str, object]:
    rows = parsed.tables[eu_crm.SHARE].filter(
        (pl.col("material_label") == material)
        & (pl.col("stage") == stage)
        & (pl.col("country_label") == country)
    )
    assert rows.height == 1
    return rows.row(0, named=True)


def test_shares_are_percent_with_their_place(study: Parsed) -> None:
    row = share(study, "Dysprosium", "mine", "Myanmar")
    assert (row["value"], row["value_text"], row["value_flag"]) == (9.3, "9.3%", "reported")
    assert (row["document_name"], row["row_number"], row["column_number"], row["column_name"]) == (
        "fact_GlobalSupplyShares.csv",
        3,
        4,
        "Share",
    )
    assert share(study, "Dysprosium", "refining", "China")["value"] == 100.0


def test_bound_zero_and_number_without_sign_stay_apart(study: Parsed) -> None:
    bound = share(study, "Nickel", "mine", "Kosovo")
    assert (bound["value"], bound["value_low"], bound["value_high"]) == (None, 0.0, 0.1)
    assert bound["value_flag"] == "upper_bound"
    assert share(study, "Copper", "mine", "Congo, D.R.")["value_flag"] == "zero"
    assert share(study, "Silicon metal", "refining", "Germany")["value"] == 6.0


def test_scope_comes_from_the_file_name(study: Parsed) -> None:
    scopes = study.tables[eu_crm.SHARE].group_by("document_name").agg(pl.col("scope").unique())
    assert dict(scopes.rows()) == {
        "fact_EUSupplyShares.csv": ["eu"],
        "fact_GlobalSupplyShares.csv": ["world"],
    }


@pytest.mark.parametrize(
    ("name", "scope"),
    [
        ("fact_EUSupplyShares&t.csv", "eu"),
        ("eu_shares_2026.csv", "eu"),
        ("shares-EU.csv", "eu"),
        ("EU_CRM_2026_world.csv", "world"),
        ("EU critical raw materials 2026 - GlobalSupply.csv", "world"),
    ],
)
def test_name_of_the_study_is_not_taken_for_the_scope(
    tmp_path: Path, edition: Edition, name: str, scope: str
) -> None:
    parsed = read(tmp_path, edition, HEADER + "Tin,E,China,30%,1\n", name)
    assert parsed.tables[eu_crm.SHARE].get_column("scope").to_list() == [scope]


@pytest.mark.parametrize("name", ["shares.csv", "EU_CRM_2026_shares.csv", "neural.csv"])
def test_share_file_whose_name_tells_no_scope_is_refused(
    tmp_path: Path, edition: Edition, name: str
) -> None:
    with pytest.raises(DocumentUnreadable, match="neither world nor EU"):
        read(tmp_path, edition, HEADER + "Tin,E,China,30%,1\n", name)


def test_trade_parameter_and_period_of_the_mean(study: Parsed) -> None:
    row = share(study, "Nickel", "mine", "Indonesia")
    assert (row["trade_parameter_text"], row["trade_parameter"]) == ("1.3", 1.3)
    assert (row["period_start_year"], row["reference_year"]) == (2016, 2020)


def test_period_of_an_edition_that_the_catalogue_does_not_know_is_null(tmp_path: Path) -> None:
    edition = load_catalog().source("eu_crm").edition("2029")
    table = read(tmp_path, edition, HEADER + "Tin,E,China,30%,1\n").tables[eu_crm.SHARE]
    assert table.select("period_start_year", "reference_year").row(0) == (None, None)


def test_dash_says_not_assessed_and_broken_names_are_mended(study: Parsed) -> None:
    table = study.tables[eu_crm.CRITICALITY]
    assert table.height == 8
    assert table.row(0, named=True)["value_flag"] == "not_available"
    teak = table.filter(pl.col("material_label") == "Natural Teak wood")
    assert teak.select("assessment_year", "measure", "value").rows() == [
        (2023, "sr", 1.7),
        (2023, "ei", 2.4),
    ]
    assert teak.get_column("material_text").unique().to_list() == ["Natural Teak\nwood"]


def test_columns_may_stand_in_any_order(tmp_path: Path, edition: Edition) -> None:
    parsed = read(tmp_path, edition, "t,Share,Country,Stage,Material\n1,30%,China,e,Tin\n")
    row = share(parsed, "Tin", "mine", "China")
    assert (row["value"], row["column_number"]) == (30.0, 2)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("Material,Stage,Country,Share", "column 't' is missing"),
        ("Material,Stage,Country,Share,t,Source", "column 'Source' is not known"),
        ("Raw material,Stage,Country,Supply,t", "column 'Material' is missing"),
        ("Material,Stage,Country,Share,t,Share", "column 'Share' stands twice"),
        ("Material,Year,SR", "column 'EI' is missing"),
    ],
)
def test_changed_header_is_refused_by_name(
    tmp_path: Path, edition: Edition, header: str, message: str
) -> None:
    with pytest.raises(DocumentUnreadable, match=message):
        read(tmp_path, edition, f"{header}\nTin,E,China,30%,1\n")


def test_other_tables_of_the_study_are_passed_over(
    tmp_path: Path, edition: Edition, fixtures_dir: Path
) -> None:
    uses = tmp_path / "fact_MaterialUseShares.csv"
    uses.write_text("Material,Application,Share,NACE sector\nTin,Solder,50%,C24\n")
    readme = tmp_path / "README.md"
    readme.write_text("# about\n")
    shares = fixtures_dir / "eu_crm" / "fact_GlobalSupplyShares.csv"
    parsed = eu_crm.parse(edition, [Document.of(f) for f in (uses, readme, shares)])
    assert parsed.tables[eu_crm.SHARE].height == 9
    with pytest.raises(DocumentUnreadable, match=r"no table of .* \[fact_MaterialUse"):
        eu_crm.parse(edition, [Document.of(uses), Document.of(readme)])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Unobtainium,E,China,30%,1", r"unknown material 'Unobtainium' .*row 2"),
        ("Tin,E,Chinaa,30%,1", r"unknown country 'Chinaa' .*near: China"),
        ("Tin,X,China,30%,1", r"unknown stage 'X' .*row 2"),
    ],
)
def test_unknown_labels_are_refused_with_their_place(
    tmp_path: Path, edition: Edition, line: str, message: str
) -> None:
    with pytest.raises(UnknownLabel, match=message):
        read(tmp_path, edition, f"{HEADER}{line}\n")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Tin,E,Peru,281%,1", "share is below 0 or above 100 percent"),
        ("Tin,E,Peru,-3%,1", "share is below 0 or above 100 percent"),
        ("Tin,E,Peru,about 3,1", "share is not a number"),
        ("Tin,E,Peru,3%,x", "trade parameter is not a number above zero"),
        ("Tin,E,Peru,3%,0", "trade parameter is not a number above zero"),
        ("Tin,E,,3%,1", "material, stage or country is blank"),
        ("Tin,E,China,31%,1", "duplicate key (scope, material_label, stage, country_label)"),
    ],
)
def test_bad_rows_are_set_aside_with_a_reason(
    tmp_path: Path, edition: Edition, line: str, reason: str
) -> None:
    parsed = read(tmp_path, edition, f"{HEADER}Tin,E,China,30%,1\n{line}\n")
    assert parsed.tables[eu_crm.SHARE].height == 1
    bad = parsed.quarantined[eu_crm.SHARE]
    assert bad.get_column("quarantine_reason").to_list() == [reason]
    assert bad.get_column("row_number").to_list() == [3]


def test_shares_written_as_fractions_are_refused(tmp_path: Path, edition: Edition) -> None:
    with pytest.raises(DocumentUnreadable, match="look like fractions"):
        read(tmp_path, edition, HEADER + "Tin,E,China,0.3,1\nTin,E,Peru,0.1,1\n")
