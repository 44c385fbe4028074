"""The map of HS codes to materials says what readers, models and the starter rely on."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines.sources import cepii_baci, jp_customs
from pipelines.sources.label_maps import read_reference

REVISIONS = ["HS92", "HS96", "HS02", "HS07", "HS12", "HS17", "HS22"]


@pytest.fixture(scope="module")
def codes() -> pl.DataFrame:
    return read_reference("ref_hs_material")


def test_columns_and_one_row_a_code(codes: pl.DataFrame) -> None:
    assert codes.columns == [
        "hs_code",
        "valid_revisions",
        "material",
        "stage",
        "basket",
        "element_scope",
        "purity",
        "description",
        "note",
    ]
    listed = codes.get_column("hs_code")
    assert listed.is_unique().all()
    assert listed.str.contains(r"^\d{6}$").all()
    assert listed.equals(listed.sort())


def test_words_are_those_of_the_vocabularies(codes: pl.DataFrame) -> None:
    stages = set(read_reference("ref_stage").get_column("stage").to_list())
    assert set(codes.get_column("stage").drop_nulls().to_list()) <= stages
    purity = set(codes.get_column("purity").to_list())
    assert purity == {"high", "medium", "low", "very_low"}
    for text in codes.get_column("valid_revisions"):
        listed = text.split("|")
        assert listed == [r for r in REVISIONS if r in listed]


def test_materials_are_known(codes: pl.DataFrame) -> None:
    materials = read_reference("ref_material")
    known = set(materials.get_column("material").to_list())
    assert set(codes.get_column("material").to_list()) <= known
    baskets = materials.filter(pl.col("material_kind") == "basket").get_column("material").to_list()
    assert set(codes.get_column("basket").drop_nulls().to_list()) <= set(baskets)


def test_a_code_of_a_basket_stands_for_the_basket(codes: pl.DataFrame) -> None:
    grouped = codes.filter(pl.col("basket").is_not_null())
    assert (grouped.get_column("basket") == grouped.get_column("material")).all()
    assert "high" not in grouped.filter(pl.col("hs_code") != "284610").get_column("purity")


@pytest.mark.parametrize(
    ("code", "material", "stage"),
    [
        ("284610", "ree_compounds", "refining"),
        ("284690", "ree_compounds", "refining"),
        ("280530", "ree_metals", "metal"),
        ("850511", "permanent_magnets", "product"),
        ("250410", "natural_graphite", "mine"),
        ("282200", "Co", "refining"),
        ("810520", "Co", "metal"),
        ("283691", "Li", "refining"),
        ("811292", "minor_metals", "metal"),
    ],
)
def test_lines_that_much_hangs_on(
    codes: pl.DataFrame, code: str, material: str, stage: str
) -> None:
    row = codes.row(by_predicate=pl.col("hs_code") == code, named=True)
    assert (row["material"], row["stage"]) == (material, stage)


def test_fuels_are_left_out(codes: pl.DataFrame) -> None:
    assert not codes.get_column("hs_code").str.starts_with("27").any()


def test_successors_do_not_overlap_with_their_predecessor(codes: pl.DataFrame) -> None:
    revisions = dict(codes.select("hs_code", "valid_revisions").iter_rows())
    for before, after in (("810510", "810520"), ("811000", "811010"), ("811230", "811231")):
        assert not set(revisions[before].split("|")) & set(revisions[after].split("|"))


def test_bulk_trade_is_kept_for_every_family_of_products(codes: pl.DataFrame) -> None:
    families = set(read_reference("ref_product_family").get_column("hs_code").to_list())
    assert families >= {
        "850511", "850760", "850650", "711510", "381511", "381512", "381519", "381590", "842132",
    }  # fmt: skip
    # What readers of BACI and Japan's files keep, and what UN Comtrade is asked for.
    assert families <= cepii_baci.mapped_codes() & jp_customs.mapped_codes()
    stages = dict(codes.select("hs_code", "stage").iter_rows())
    assert {stages[code] for code in families} == {"product"}
