"""Monte Carlo draws: how sure the measures of concentration, dependency and risk are.

A figure is drawn as ``quantity * exp(sigma_ln * z) + half_width * (2 u - 1)``, cut at zero: a
log-normal error of measurement around the median, and a uniform one for rounding or for a range.
The numbers ``z`` and ``u`` follow from the seed, the figure's error key and its year alone, so that
results do not depend on the order of rows, on threads or on what else is drawn, and figures that
share both share their error (common random numbers). Of two years of one key the ``z`` correlate.

:mod:`~pipelines.uncertainty.figures` draws figures and takes quantiles,
:mod:`~pipelines.uncertainty.lists` measures supplier lists,
:mod:`~pipelines.uncertainty.balances` net import reliance, and
:mod:`~pipelines.uncertainty.composites` what is made of several lists or of governance as well.
"""

from __future__ import annotations

from pipelines.uncertainty.balances import Balanced, balance
from pipelines.uncertainty.composites import Inputs, composites
from pipelines.uncertainty.figures import QUANTILES, Terms, normal, uniform
from pipelines.uncertainty.lists import simulate

__all__ = [
    "QUANTILES",
    "Balanced",
    "Inputs",
    "Terms",
    "balance",
    "composites",
    "normal",
    "simulate",
    "uniform",
]
