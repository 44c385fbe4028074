"""Mass shares come from atomic masses, and the seed holds what the library gives."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

import pytest

from pipelines.stoichiometry import SEED, contents, mass_share, write_seed


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_seed_is_what_the_library_gives() -> None:
    computed = [asdict(content) for content in contents()]
    held = rows(SEED)
    assert [(r["symbol"], r["form"]) for r in held] == [(c["symbol"], c["form"]) for c in computed]
    for content, row in zip(computed, held, strict=True):
        assert (row["formula_low"], row["formula_high"]) == (
            content["formula_low"],
            content["formula_high"],
        )
        for column in ("element_share_low", "element_share_high", "element_per_oxide"):
            assert float(row[column]) == pytest.approx(content[column], rel=1e-6), row


def test_writing_anew_gives_the_same_columns(tmp_path: Path) -> None:
    write_seed(tmp_path / "seed.csv")
    assert list(rows(tmp_path / "seed.csv")[0]) == list(rows(SEED)[0])


@pytest.mark.parametrize(
    ("symbol", "traded", "trap"),
    [("Ce", "CeO2", "Ce2O3"), ("Pr", "Pr6O11", "Pr2O3"), ("Tb", "Tb4O7", "Tb2O3")],
)
def test_oxides_of_trade_are_not_the_plain_ones(symbol: str, traded: str, trap: str) -> None:
    oxides = {c.symbol: c.element_per_oxide for c in contents() if c.form == "oxide"}
    assert oxides[symbol] == pytest.approx(mass_share(symbol, traded), rel=1e-6)
    assert oxides[symbol] < mass_share(symbol, trap) * 0.99


@pytest.mark.parametrize(
    ("symbol", "formula", "share"),
    [
        ("Nd", "Nd2O3", 0.8574),
        ("Dy", "Dy2O3", 0.8713),
        ("Ce", "CeO2", 0.8141),
        ("Pr", "Pr6O11", 0.8277),
        ("Tb", "Tb4O7", 0.8502),
        ("Y", "Y2O3", 0.7874),
    ],
)
def test_known_factors(symbol: str, formula: str, share: float) -> None:
    assert mass_share(symbol, formula) == pytest.approx(share, abs=5e-5)


def test_water_and_salts_lower_the_content() -> None:
    for content in contents():
        assert 0 < content.element_share_low <= content.element_share_high <= 1
        if content.form in {"chloride", "carbonate", "compound"}:
            assert content.element_share_low < content.element_share_high


def test_a_formula_without_the_element_is_refused() -> None:
    with pytest.raises(ValueError, match="holds no Dy"):
        mass_share("Dy", "Nd2O3")


@pytest.mark.reference
def test_factors_are_those_of_the_method(reference_data: Path) -> None:
    held = {r["symbol"]: float(r["element_per_oxide"]) for r in rows(SEED)}
    told = rows(reference_data / "method" / "element_factors.csv")
    assert len(told) == len(held)
    for row in told:
        # Four digits are printed.
        assert held[row["symbol"]] == pytest.approx(float(row["metal_per_oxide"]), abs=5.1e-5)
