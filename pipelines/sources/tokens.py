"""What a publisher's cell says: a number, a bound, a range, or a word in its place.

Statistical offices print more than numbers: zero as a dash, withheld values as ``W``, bounds as
``>95``. These are different statements and stay apart: each text becomes ``value``, ``value_low``,
``value_high`` and ``value_flag`` (units as in the cell).

=================== ===== ========= ========== ===========================================
flag                value low       high       example
=================== ===== ========= ========== ===========================================
reported            x     x         x          ``1,300``
estimated           x     x         x          ``e3,900``, or a column of estimates
zero                0     0         0          ``—``
below_half_unit     –     0         0.5        ``Less than ½ unit.``
lower_bound         –     x         upper      ``>95`` (upper: 100 for percentages)
upper_bound         –     0         x          ``<25``
range               –     a         b          ``50–300``
net_exporter        –     –         0          ``E`` in a column of net import reliance
withheld, not_available, not_applicable, qualitative, included_elsewhere, blank: no figures
unreadable          –     –         –          none of the above; such a row is quarantined
=================== ===== ========= ========== ===========================================

Which word means what differs between publishers, so each passes its own vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.sources.base import VALUE_COLUMNS

__all__ = ["FLAGS", "parse_values"]

#: Every flag there is.
FLAGS = (
    "reported",
    "estimated",
    "withheld",
    "not_available",
    "not_applicable",
    "blank",
    "zero",
    "below_half_unit",
    "lower_bound",
    "upper_bound",
    "range",
    "qualitative",
    "net_exporter",
    "included_elsewhere",
    "unreadable",
)

_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?|[+-]?\.\d+"
_DASHES = r"[-–—‒−]"


def _number(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(",", "").cast(pl.Float64, strict=False)


def parse_values(
    frame: pl.DataFrame,
    vocabulary: Mapping[str, str],
    *,
    text: str = "value_text",
    estimated: pl.Expr | None = None,
    upper: pl.Expr | None = None,
) -> pl.DataFrame:
    """Add ``value``, ``value_low``, ``value_high`` and ``value_flag`` to ``frame``.

    :param vocabulary: words that stand in place of a number, in lower case, to their flag; compared
        without regard to case, surrounding blanks and a final full stop.
    :param text: column that holds the text of the cell.
    :param estimated: true where a plain number is an estimate (a column of estimates, a note).
    :param upper: upper end of an open bound (``pl.lit(100.0)`` for percentages), else null.
    """
    unknown = set(vocabulary.values()) - set(FLAGS)
    if unknown:
        raise ValueError(f"no such flags: {sorted(unknown)}")
    clean = (
        pl.col(text).fill_null("").str.replace_all("[\u00a0\u2009\u202f]", " ").str.strip_chars()
    )
    word = clean.str.to_lowercase().str.strip_chars_end(".").str.strip_chars()
    from_words = word.replace_strict(
        list(vocabulary), list(vocabulary.values()), default=None, return_dtype=pl.String
    )
    plain = clean.str.extract(rf"^({_NUMBER})$")
    marked = clean.str.extract(rf"^[eE]\s*({_NUMBER})$")
    over = clean.str.extract(rf"^[>≥]\s*({_NUMBER})$")
    under = clean.str.extract(rf"^[<≤]\s*({_NUMBER})$")
    low = clean.str.extract(rf"^(\+?[\d.,]+)\s*(?:{_DASHES}|to)\s*[\d.,]+$")
    high = clean.str.extract(rf"^\+?[\d.,]+\s*(?:{_DASHES}|to)\s*([\d.,]+)$")
    number = _number(pl.coalesce(plain, marked))
    is_estimate = marked.is_not_null() | (
        pl.lit(value=False) if estimated is None else estimated.fill_null(value=False)
    )
    low_value, high_value = _number(low), _number(high)
    flag = (
        pl.when(from_words.is_not_null())
        .then(from_words)
        .when(word == "")
        .then(pl.lit("blank"))
        .when(number.is_not_null() & (number == 0))
        .then(pl.lit("zero"))
        .when(number.is_not_null() & is_estimate)
        .then(pl.lit("estimated"))
        .when(number.is_not_null())
        .then(pl.lit("reported"))
        .when(over.is_not_null())
        .then(pl.lit("lower_bound"))
        .when(under.is_not_null())
        .then(pl.lit("upper_bound"))
        .when(low_value.is_not_null() & (low_value <= high_value))
        .then(pl.lit("range"))
        .otherwise(pl.lit("unreadable"))
    )
    top = pl.lit(None, pl.Float64) if upper is None else upper.cast(pl.Float64)
    result = frame.with_columns(
        flag.alias("value_flag"),
        number.alias("__number"),
        _number(over).alias("__over"),
        _number(under).alias("__under"),
        low_value.alias("__low"),
        high_value.alias("__high"),
    )
    kind = pl.col("value_flag")
    is_number = kind.is_in(["reported", "estimated"])
    zero = pl.lit(0.0)
    return (
        result.with_columns(
            pl.when(is_number).then("__number").when(kind == "zero").then(zero).alias("value"),
            pl.when(is_number)
            .then("__number")
            .when(kind.is_in(["zero", "upper_bound", "below_half_unit"]))
            .then(zero)
            .when(kind == "lower_bound")
            .then("__over")
            .when(kind == "range")
            .then("__low")
            .alias("value_low"),
            pl.when(is_number)
            .then("__number")
            .when(kind.is_in(["zero", "net_exporter"]))
            .then(zero)
            .when(kind == "below_half_unit")
            .then(pl.lit(0.5))
            .when(kind == "upper_bound")
            .then("__under")
            .when(kind == "lower_bound")
            .then(top)
            .when(kind == "range")
            .then("__high")
            .alias("value_high"),
        )
        .drop("__number", "__over", "__under", "__low", "__high")
        .cast({c: t for c, t in VALUE_COLUMNS.items() if c != "value_text"})
    )
