"""What national readers and fetches share: weights, pages, years, what was brought."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.settings import Settings
from pipelines.sources.fetching import FetchedDocument
from pipelines.sources.label_maps import read_map
from pipelines.sources.national_fetch import Ledger, YearWanted, digest, years_wanted
from pipelines.sources.national_trade import known_quantity, number, weighed

UNITS = "quantity_unit__census"
LABELS = read_map(UNITS)["unit_label"].to_list()
MASSES = {"KG": 1.0, "T": 1000.0, "G": 0.001}


def weigh(quantity1: str | None, unit1: str | None, quantity2: str | None, unit2: str | None):
    frame = pl.DataFrame(
        {
            "quantity1_text": [quantity1],
            "unit1": [unit1],
            "quantity2_text": [quantity2],
            "unit2": [unit2],
        },
        schema=dict.fromkeys(("quantity1_text", "unit1", "quantity2_text", "unit2"), pl.String()),
    )
    return weighed(frame, UNITS).row(0, named=True)


@settings(deadline=None)
@given(
    quantity=st.integers(1, 10**12),
    unit=st.sampled_from(LABELS),
    other=st.integers(1, 10**12),
    second=st.sampled_from(LABELS),
)
def test_weight_comes_from_a_mass_and_nothing_else(
    quantity: int, unit: str, other: int, second: str
) -> None:
    row = weigh(str(quantity), unit, str(other), second)
    if unit in MASSES:
        assert row["net_weight_kg"] == pytest.approx(quantity * MASSES[unit])
    elif second in MASSES:
        assert row["net_weight_kg"] == pytest.approx(other * MASSES[second])
    else:
        assert row["net_weight_kg"] is None
    # A quantity and its unit stand together or not at all.
    assert (row["supplementary_quantity"] is None) == (row["supplementary_unit"] is None)


def test_first_unit_that_is_no_mass_wins() -> None:
    row = weigh("3", "NO", "5", "M3")
    assert (row["supplementary_quantity"], row["supplementary_unit"]) == (3.0, "items")
    row = weigh("0", "NO", "5", "M3")
    assert (row["supplementary_quantity"], row["supplementary_unit"]) == (5.0, "m3")


@pytest.mark.parametrize("name", ["quantity_unit__census", "quantity_unit__jp_customs"])
def test_units_of_a_map_are_told_apart(name: str) -> None:
    table = read_map(name)
    assert table["unit_label"].is_unique().all()
    masses = table.drop_nulls("kg_per_unit")
    assert masses["kg_per_unit"].cast(pl.Float64).gt(0).all()
    assert masses["quantity_unit"].null_count() == 0


@pytest.mark.parametrize(
    ("text", "stated", "known"),
    [("12", 12.0, 12.0), ("0", 0.0, None), ("", None, None), ("NaN", None, None),
     ("inf", None, None), ("1,2", None, None), (None, None, None), ("-4.5", -4.5, -4.5)],
)  # fmt: skip
def test_numbers_are_finite_and_zero_is_unknown_as_a_quantity(
    text: str | None, stated: float | None, known: float | None
) -> None:
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String()})
    read = frame.select(stated=number("text"), known=known_quantity("text")).row(0)
    assert read == (stated, known)


def test_two_newest_years_are_asked_for_again_and_the_newest_first() -> None:
    wanted = years_wanted("2026-01", 2023, "codes")
    assert [(w.label, w.key) for w in wanted] == [
        ("2026", "2026-01"),
        ("2025", "2026-01"),
        ("2024", ""),
        ("2023", ""),
    ]
    assert [w.year for w in years_wanted("2026-01", 2023, "", [2010, 2026])] == [2026, 2010]


def document(sha256: str) -> FetchedDocument:
    return FetchedDocument(
        name="a.json",
        path=Path("a.json"),
        url="https://x",
        sha256=sha256,
        md5="",
        size_bytes=1,
        retrieved_at=datetime.now(UTC),
    )


def test_year_is_fresh_while_month_codes_and_archive_agree(tmp_path: Path) -> None:
    ledger, wanted = Ledger(tmp_path), YearWanted(2026, "2026-09", digest(["b", "a"]))
    assert not ledger.is_fresh(wanted, {"1"})
    ledger.note(wanted, [document("1")])
    assert Ledger(tmp_path).is_fresh(wanted, {"1", "2"})
    assert not ledger.is_fresh(wanted, {"2"})
    assert not ledger.is_fresh(wanted, set())
    assert not ledger.is_fresh(YearWanted(2026, "2026-10", wanted.asked), {"1"})
    assert not ledger.is_fresh(YearWanted(2026, "2026-09", digest(["a"])), {"1"})


@pytest.mark.parametrize("content", ["", "[]", "{", '{"2026": 1}'])
def test_damaged_ledger_is_an_empty_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "brought.json").write_text(content)
    ledger, wanted = Ledger(tmp_path), YearWanted(2026, "", "")
    assert not ledger.is_fresh(wanted, {"1"})
    ledger.note(wanted, [document("1")])
    assert ledger.is_fresh(wanted, {"1"})


def test_order_of_codes_does_not_change_what_is_asked() -> None:
    assert digest(["a", "b"]) == digest(["b", "a"]) != digest(["a"])


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("country__census", {"1000": "USA", "1220": "CAN", "5700": "CHN", "5800": "KOR"}),
        ("country__hmrc", {"GB": "GBR", "CN": "CHN", "NA": "NAM", "XS": "SRB"}),
        ("country__jp_customs", {"JP": "JPN", "103": "KOR", "105": "CHN", "525": "NER"}),
    ],
)
def test_publishers_codes_lead_to_countries(name: str, codes: dict[str, str]) -> None:
    table = dict(
        read_map(name, Settings().seeds_dir).select("country_label", "country_iso3").rows()
    )
    assert {code: table[code] for code in codes} == codes
