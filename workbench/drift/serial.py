"""How far an average of days may lie by chance, where one day is like the day before.

A metric of some days is taken apart into one number a day (pseudo-values of the jackknife that leaves a day out: Tukey,
1958; Efron and Tibshirani, 1993, chapter 11), whose mean is the metric, whatever the metric. A storm lasts: such numbers
hang together, and n of them say less than n independent ones. How much less follows from the correlation of one day with
the next (variance of a mean of an AR(1) series: Bartlett, 1946), which a short series underestimates (Marriott and Pope,
1954). Intervals that resample single days ignore this: on the flights they call 10 to 16 % of unchanged weeks worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]

MOST = 0.9
"""Correlation of neighbours that is believed."""


@dataclass(frozen=True)
class Daily:
    """A metric of some days."""

    value: float
    parts: Floats
    """(days,): pseudo-values."""
    days: NDArray[np.datetime64]
    """(days,)"""
    by_rows: float
    """Variance of the value were rows independent; what is left to go by where there is one day."""

    @property
    def squares(self) -> float:
        return float(np.square(self.parts - self.parts.mean()).sum())

    def __sub__(self, other: Daily) -> Daily:
        """The difference of two metrics of the same days: what moves both alike is gone."""
        variance = self.by_rows + other.by_rows
        return Daily(self.value - other.value, self.parts - other.parts, self.days, variance)


@dataclass(frozen=True)
class Errors:
    """Standard errors, in the absence of change."""

    window: float
    both: float
    """Of the window minus the reference."""
    free: float
    """Degrees of freedom."""

    def reach(self, error: float, level: float) -> float:
        """From the middle of an interval to its limits."""
        return float(stdtrit(self.free, 0.5 + level / 2)) * error


def errors(window: Daily, reference: Daily) -> Errors:
    """Days of both say how much days differ; a window that is wilder than that counts for as wild as it is."""
    n, m = len(window.parts), len(reference.parts)
    if n + m == 2:
        return Errors(window.by_rows**0.5, (window.by_rows + reference.by_rows) ** 0.5, 1e6)
    together = correlation([window, reference])
    ours, theirs = inflation(n, together), inflation(m, together)
    variance = (window.squares + reference.squares) / (n + m - 2)
    own = window.squares / (n - 1) / n * ours if n > 1 else window.by_rows
    mine = max(variance / n * ours, own)
    both = mine + variance / m * theirs
    return Errors(mine**0.5, both**0.5, max(1.0, n / ours + m / theirs - 2))


def alone(window: Daily) -> Errors:
    """Of a window by itself: what it says of its own days."""
    n = len(window.parts)
    if n == 1:
        return Errors(window.by_rows**0.5, np.nan, 1e6)
    ours = inflation(n, correlation([window]))
    return Errors((window.squares / (n - 1) / n * ours) ** 0.5, np.nan, max(1.0, n / ours - 1))


def correlation(series: Sequence[Daily]) -> float:
    """Of a day with the next, 0 to MOST, corrected for what is lost by taking the series' own mean away."""
    products = squares = 0.0
    pairs = length = 0
    for each in series:
        apart = each.parts - each.parts.mean()
        follows = np.diff(each.days) == np.timedelta64(1, "D")
        products += float((apart[1:] * apart[:-1])[follows].sum())
        squares += each.squares
        pairs, length = pairs + int(follows.sum()), length + len(apart)
    lost = len(series) / length
    if not pairs or squares <= 0 or 3 * lost >= 1:
        return 0.0
    seen = products / pairs / (squares / length)
    return float(np.clip((seen + lost) / (1 - 3 * lost), 0, MOST))


def inflation(days: int, together: float) -> float:
    """How many times the variance of a mean of so many days is that of independent ones."""
    apart = np.arange(1, days)
    return float(1 + 2 * np.sum((1 - apart / days) * together**apart))
