"""What change is ordinary: how far stretches of the reference are from the rest of it.

Weeks differ: there is weather, there are holidays. A distance is drift only where it is larger than what the reference
shows within itself. Every stretch of as many days as the window is compared with all the other days; what the largest of
all columns' distances then is, and how far another such week could lie, gives one limit for all columns together: the
chance that any of them alerts in an ordinary week is `alpha`, however many there are and however they hang together
(max-statistic: Westfall and Young, Resampling-Based Multiple Testing, 1993).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from workbench.drift.distances import jensen_shannon
from workbench.drift.sketch import Sketch
from workbench.errors import BadInput

ALPHA = 0.02
"""The share of ordinary windows in which some column may alert; 0.05 is what is promised, less what limits are estimates."""
ROWS = 200
"""A window with fewer says more about chance than about change."""
DRAWS = 1_000
FLOOR = 1e-4
"""Of a distance: below, a logarithm would speak of rounding."""


@dataclass(frozen=True)
class Ordinary:
    """Distances that windows of `days` days and `rows` rows may have without anything having happened."""

    days: int
    rows: int
    stretches: int
    """Of the reference that were compared; those that overlap count each."""
    middle: dict[str, float]
    """By column: mean logarithm of the distance."""
    spread: dict[str, float]
    """By column: its standard deviation."""
    height: float
    """How many spreads above its middle a column must lie to alert."""

    def score(self, name: str, distance: float) -> float:
        """How unusual a distance is: in spreads above the middle."""
        return float((np.log(max(distance, FLOOR)) - self.middle[name]) / self.spread[name])

    def limit(self, name: str) -> float:
        """The distance from which a column alerts; 0 to 1."""
        return float(min(1.0, np.exp(self.middle[name] + self.height * self.spread[name])))


def ordinary(
    reference: Sketch,
    days: int,
    rows: int,
    *,
    expected: Collection[str] = (),
    alpha: float = ALPHA,
    seed: int = 0,
) -> Ordinary:
    """Calibrate for windows of so many days and rows. `expected` columns may move: they have a limit, but alone.

    Raises BadInput where the reference is shorter than three windows, or the window has too few rows to be judged.
    """
    known = len(reference.days)
    if days < 1 or known < 3 * days:
        raise BadInput(
            f"the reference has {known} days, expected at least {3 * max(days, 1)}: three windows of {days} days"
        )
    if rows < ROWS:
        raise BadInput(
            f"the window has {rows} rows, expected at least {ROWS}: with fewer, chance looks like drift"
        )
    generator = np.random.default_rng(seed)
    stretches = known - days + 1
    repeats = -(-DRAWS // stretches)
    watched = [each.name for each in reference.bins if each.name not in expected]
    found: dict[str, NDArray[np.float64]] = {}
    for each in reference.bins:
        counts = reference.counts[each.name]
        before = np.concatenate([np.zeros((1, counts.shape[1]), dtype=np.int64), counts.cumsum(axis=0)])
        windows = before[days:] - before[:-days]
        rest = counts.sum(axis=0) - windows
        distances = [jensen_shannon(rest, _sampled(windows, rows, generator)) for _ in range(repeats)]
        found[each.name] = np.log(np.maximum(np.nan_to_num(np.stack(distances)), FLOOR)).reshape(-1)
    middle = {name: float(logs.mean()) for name, logs in found.items()}
    # What lies within rounding of each other is not told apart by how many roundings.
    spread = {name: max(float(logs.std(ddof=1)), 0.05) for name, logs in found.items()}
    heights = [(found[name] - middle[name]) / spread[name] for name in watched]
    height = _height(np.max(heights, axis=0), known / days, alpha, len(heights)) if heights else np.inf
    return Ordinary(days, rows, stretches, middle, spread, height)


def _sampled(windows: NDArray[np.int64], rows: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The stretches as if each had only so many rows: fewer rows are further off by chance alone."""
    totals = windows.sum(axis=1, keepdims=True)
    if (totals <= rows).all():
        return windows
    shares = windows / np.maximum(totals, 1)
    shares[:, -1] += 1 - shares.sum(axis=1)
    drawn: NDArray[np.int64] = generator.multinomial(rows, np.clip(shares, 0, 1))
    return np.where(totals > rows, drawn, windows)


def _height(largest: NDArray[np.float64], independent: float, alpha: float, columns: int) -> float:
    """Where the largest score of one more ordinary window stays below, but for `alpha`.

    The greater of two: the limit of a prediction interval of the largest score (Student's t; as many observations as
    stretches that do not overlap), and, of several columns, the observed quantile as a limit of the one that reaches it: each's
    middle and spread are estimates from as few stretches, so its next score has the tail of a t, not of those seen.
    """
    free = max(1.0, independent - 1)
    wider = np.sqrt(1 + 1 / independent)
    predicted = float(largest.mean() + largest.std(ddof=1) * stdtrit(free, 1 - alpha) * wider)
    if columns == 1:
        return predicted
    # A spread around a middle that was taken from as few (Bessel): stretches overlap.
    wider *= np.sqrt(independent / (independent - 1))
    return max(predicted, float(stdtrit(free, ndtr(np.quantile(largest, 1 - alpha))) * wider))
