"""How much of an element a tonne of its compounds holds, from atomic masses.

The formulas are here, the masses come from ``periodictable`` (IUPAC standard atomic weights).
``python -m pipelines.stoichiometry`` writes the seed ``ref_element_content``; a test holds the seed
to what this module computes.

A trade line names a form, not a formula. Where it leaves the water open, ``low`` is the formula
with the most water in which the form is traded and ``high`` the one without; where it leaves the
form open (``compound``), ``low`` is the nitrate and ``high`` the oxide of trade.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from pipelines.settings import PROJECT_ROOT

__all__ = ["SEED", "ElementContent", "contents", "mass_share", "write_seed"]

_SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
SEED = _SEEDS / "ref_element_content.csv"

#: Form to the formulas with least and most of the element, ``{x}`` being its symbol. The oxide is
#: that of ``ref_element``: cerium, praseodymium and terbium are traded as CeO2, Pr6O11 and Tb4O7.
_FORMS: dict[str, tuple[str, str]] = {
    "carbonate": ("{x}2(CO3)3+8H2O", "{x}2(CO3)3"),
    "chloride": ("{x}Cl3+7H2O", "{x}Cl3"),
    "compound": ("{x}(NO3)3+6H2O", "{oxide}"),
    "fluoride": ("{x}F3", "{x}F3"),
    "hydroxide": ("{x}(OH)3", "{x}(OH)3"),
    "metal": ("{x}", "{x}"),
    "oxide": ("{oxide}", "{oxide}"),
}
#: Where an element differs: cerium hydroxide is traded as that of cerium(IV).
_OTHERWISE: dict[tuple[str, str], tuple[str, str]] = {
    ("Ce", "hydroxide"): ("Ce(OH)4", "Ce(OH)3"),
}
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class ElementContent:
    """An element in one form of its compounds.

    :ivar element_share_low: mass of the element over mass of ``formula_low`` (0 to 1).
    :ivar element_share_high: the same for ``formula_high``.
    :ivar element_per_oxide: mass of the element over mass of its oxide of trade (0 to 1).
    """

    symbol: str
    form: str
    formula_low: str
    formula_high: str
    element_share_low: float
    element_share_high: float
    element_per_oxide: float


def mass_share(symbol: str, formula: str) -> float:
    """Mass of the element over mass of the compound (0 to 1).

    ``mass_share("Dy", "Dy2O3")`` is 0.8713.

    :raises ValueError: the formula cannot be read or does not hold the element.
    """
    # It builds its table of elements when it is imported.
    import periodictable

    compound = periodictable.formula(formula)
    element = periodictable.elements.symbol(symbol)
    if element not in compound.atoms:
        raise ValueError(f"{formula} holds no {symbol}")
    return float(compound.atoms[element] * element.mass / compound.mass)


def contents() -> list[ElementContent]:
    """Every rare-earth element of ``ref_element`` in every form, in their order."""
    with (_SEEDS / "ref_element.csv").open(encoding="utf-8", newline="") as file:
        oxides = {row["symbol"]: row["oxide_formula"] for row in csv.DictReader(file)}
    found = []
    for symbol, oxide in oxides.items():
        for form, formulas in _FORMS.items():
            low, high = (
                formula.format(x=symbol, oxide=oxide)
                for formula in _OTHERWISE.get((symbol, form), formulas)
            )
            found.append(
                ElementContent(
                    symbol,
                    form,
                    low,
                    high,
                    round(mass_share(symbol, low), _DIGITS),
                    round(mass_share(symbol, high), _DIGITS),
                    round(mass_share(symbol, oxide), _DIGITS),
                )
            )
    return found


def write_seed(path: Path = SEED) -> None:
    """Write the seed anew."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(ElementContent))
        writer.writerows(astuple(content) for content in contents())


if __name__ == "__main__":
    write_seed()
    sys.stdout.write(f"{SEED} written\n")
