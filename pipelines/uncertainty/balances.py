"""Net import reliance drawn from its balance: net imports over apparent consumption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.uncertainty.figures import (
    Doubles,
    Figures,
    Terms,
    bank,
    batches,
    starts_of,
    sums,
    uniform,
)

__all__ = ["Balanced", "balance"]

_ROLES = ("imports", "exports", "production")


@dataclass(frozen=True, slots=True)
class Balanced:
    """Net import reliance in every draw.

    :ivar row_of: row of a reliance key in ``drawn``.
    :ivar drawn: shape ``(keys, draws)``, 0 to 1.
    """

    row_of: dict[str, int]
    drawn: Doubles


def balance(
    balances: pl.DataFrame,
    parts: pl.DataFrame,
    suppliers: pl.DataFrame,
    *,
    terms: Terms,
) -> Balanced:
    """Draw the net import reliance of every balance.

    A net exporter has none.

    :param balances: one row a balance: ``reliance_key``, ``importer_iso3``, ``list_key`` (the list
        of its imports, by weight), ``balance_key``, ``imports_low``, ``imports_high``,
        ``exports_low``, ``exports_high`` (ends of the weight in units of the weight held: a weight
        in doubt is drawn evenly between them).
    :param parts: one row a further figure of a balance: ``balance_key``, ``role`` (``exports`` or
        ``production``), ``error_key``, ``reference_year``, ``quantity``, ``sigma_ln``,
        ``half_width``, in the unit of the list.
    :param suppliers: of the lists, as :func:`~pipelines.uncertainty.lists.simulate` takes them.
    :param terms: how it is drawn.
    """
    ordered = balances.sort("reliance_key").with_row_index("code")
    figures = ["error_key", "reference_year", "quantity", "sigma_ln", "half_width"]
    rows = pl.concat(
        [
            ordered.select("code", "list_key")
            .join(suppliers, on="list_key")
            .select("code", pl.lit("imports").alias("role"), *figures),
            ordered.select("code", "balance_key")
            .join(parts, on="balance_key")
            .select("code", "role", *figures),
        ]
    )
    rows = rows.with_columns(
        pl.col("role").replace_strict(dict(zip(_ROLES, range(len(_ROLES)), strict=True)))
    ).sort("code", "role", "error_key")
    pool = Figures.of(rows, terms)
    code = rows["code"].cast(pl.Int64).to_numpy()
    role = rows["role"].cast(pl.Int64).to_numpy()

    importers = ordered["importer_iso3"].unique().sort()
    place = {name: row for row, name in enumerate(importers)}
    importer = np.array([place[name] for name in ordered["importer_iso3"]], dtype=np.int64)
    numbers = {
        what: bank(uniform, terms.seed, [f"{what}|{name}" for name in importers], terms.draws)
        for what in ("imports in doubt", "exports in doubt")
    }
    ends = {
        name: ordered[name].to_numpy()[:, None]
        for name in ("imports_low", "imports_high", "exports_low", "exports_high")
    }

    drawn = np.zeros((len(ordered), terms.draws))
    for part in batches(code, terms.draws):
        at = starts_of(code[part] * len(_ROLES) + role[part])
        of, what = code[part][at], role[part][at]
        first, n = of[0], of[-1] - of[0] + 1
        held = np.zeros((len(_ROLES), n, terms.draws))
        held[what, of - first] = sums(pool.draw(part), at)
        here = slice(first, first + n)
        who = importer[here]
        imports, exports, production = held
        for place_of, name in enumerate(("imports", "exports")):
            low, high = ends[f"{name}_low"][here], ends[f"{name}_high"][here]
            held[place_of] *= low + (high - low) * numbers[f"{name} in doubt"][who]
        net = np.maximum(imports - exports, 0.0)
        consumption = production + net
        np.divide(net, consumption, out=drawn[here], where=consumption > 0)
    return Balanced({key: row for row, key in enumerate(ordered["reliance_key"])}, drawn)
