"""The maps of the salient statistics fit each other and the other maps."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.settings import Settings
from pipelines.sources.usgs_mcs.salient_grammar import FIXED_UNITS, Vocabulary, fold

LABELS = Settings().seeds_dir / "labels"


def seed(name: str) -> pl.DataFrame:
    return pl.read_csv(LABELS / f"{name}.csv", infer_schema=False).fill_null("")


@pytest.mark.parametrize("path", sorted(LABELS.glob("salient_*.csv")), ids=lambda p: p.stem)
def test_texts_are_tidy(path: Path) -> None:
    for column in seed(path.stem).iter_columns():
        assert (column == column.str.strip_chars()).all()
        assert not column.str.contains(r"[\u00a0\t]|  ").any()


def test_units_of_the_salient_statistics_are_known_units() -> None:
    units = set(seed("unit__usgs").get_column("unit_label"))
    used = set(seed("salient_unit__usgs_mcs").get_column("unit_label")) - {""}
    assert used <= units
    assert set(seed("salient_column__usgs_mcs").get_column("unit_label")) <= used


def test_forms_are_listed_once_and_lead_to_themselves() -> None:
    forms = seed("salient_form__usgs_mcs")
    assert not forms.select("commodity_label", "statistic", "form_text").is_duplicated().any()
    vocabulary = Vocabulary.load()
    for row in forms.filter(pl.col("commodity_label") != "").iter_rows(named=True):
        again = vocabulary.form(row["commodity_label"], row["statistic"], fold(row["form_label"]))
        assert again == row["form_label"], row


def test_commodities_lead_to_themselves() -> None:
    commodities = Vocabulary.load().commodities
    missing = {c for c in commodities.values() if commodities.get(fold(c)) != c}
    assert not missing


def test_every_series_can_be_reached() -> None:
    vocabulary = Vocabulary.load()
    statistics = {s for s, _ in vocabulary.prefixes.values() if s}
    known = set(vocabulary.commodities.values()) | set(vocabulary.subjects.values())
    series = seed("salient_series__usgs_mcs")
    assert set(series.get_column("statistic")) <= statistics
    assert set(series.get_column("commodity_label")) <= known
    assert set(seed("import_source_series__usgs_mcs").get_column("commodity_label")) <= known


def test_a_series_has_a_meaning_or_a_reason() -> None:
    series = seed("salient_series__usgs_mcs")
    assert not series.select("commodity_label", "statistic", "form_label").is_duplicated().any()
    outside = series.filter(pl.col("material") == "")
    assert (outside.get_column("note") != "").all()
    assert (outside.get_column("stage") == "").all()
    inside = series.filter(pl.col("material") != "")
    assert inside.get_column("stage").is_in(["mine", "refining", "metal", "product"]).all()
    needs_basis = ~pl.col("statistic").is_in(["price", *FIXED_UNITS])
    assert (
        inside.filter(needs_basis)
        .get_column("basis")
        .is_in(["element_t", "oxide_t", "reo_t", "gross_t"])
        .all()
    )


def test_rare_earths_are_told_apart_by_stage_and_element() -> None:
    series = seed("salient_series__usgs_mcs").rows_by_key(
        ["commodity_label", "statistic", "form_label"], unique=True, named=True
    )
    refining = ("REE_total", "refining")
    expected = {
        ("production", "mineral concentrates"): ("REE_total", "mine", "reo_t"),
        ("production", "compounds and metals"): (*refining, "reo_t"),
        ("consumption", "apparent, compounds and metals"): (*refining, "reo_t"),
        ("imports", "compounds"): (*refining, "reo_t"),
        ("net_import_reliance", "compounds and metals"): (*refining, ""),
        ("net_import_reliance", "mineral concentrates"): ("REE_total", "mine", ""),
        ("price", "neodymium-praseodymium oxide"): ("NdPr", "refining", ""),
    }
    for (statistic, form), meaning in expected.items():
        row = series["Rare Earths", statistic, form]
        assert (row["material"], row["stage"], row["basis"]) == meaning
    assert series["Dysprosium", "price", "dysprosium oxide"]["material"] == "Dy"
    assert (
        series["Rare Earths (Heavy)", "net_import_reliance", "compounds and metals"]["material"]
        == "HREE"
    )
    assert series["Yttrium", "net_import_reliance", ""]["material"] == "Y"
    assert series["Scandium", "net_import_reliance", ""]["material"] == "Sc"


def test_one_product_stands_for_a_material_and_stage_of_the_import_sources() -> None:
    series = seed("import_source_series__usgs_mcs").filter(pl.col("material") != "")
    assert not series.select("material", "stage").is_duplicated().any()


def test_listed_columns_say_what_is_wrong() -> None:
    listed = seed("salient_column__usgs_mcs")
    key = ("release", "commodity_label", "statistic_text", "repeat_number")
    assert not listed.select(key).is_duplicated().any()
    assert (listed.get_column("note") != "").all()
    assert (listed.get_column("release") == "").sum() <= 5
