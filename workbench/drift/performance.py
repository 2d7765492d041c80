"""How good answers were, against the period before the model went live: better or worse, and how sure that is.

Both periods are resampled by whole days, for the rows of one day share its weather; a window of one day by rows. The two
are independent, so a resample of their difference is a resample of one against one of the other. Sources: bootstrap
of two samples, Efron and Tibshirani (1993), chapter 8; limits expanded where few days were resampled, Hesterberg
(2015), section 3.2, with the degrees of freedom of two samples of unequal spread, Welch (1947).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, stdtrit

from workbench.drift.graded import HIGHER_IS_BETTER, METRICS, Floats, Graded, graded, metrics_of
from workbench.errors import BadInput, did_you_mean
from workbench.evaluation import LEVEL, Interval

RESAMPLES = 1_000
LEAST = 200
"""Rows with an outcome below which nothing is said."""


@dataclass(frozen=True)
class Decline:
    """One metric of a window against the reference period."""

    metric: str
    value: float
    interval: Interval
    """Of the value; its LEVEL limits."""
    reference: float
    """What it was in the reference period; calibration error, which grows with noise, in as few rows as the window has."""
    difference: Interval
    """Value minus reference. Below zero is worse for `auc`, above zero for every other metric."""
    margin: float
    worse: bool
    """The whole interval of the difference is beyond the margin, on the worse side."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "value": round(self.value, 6),
            "interval": self.interval.as_dict(),
            "reference": round(self.reference, 6),
            "difference": self.difference.as_dict(),
            "margin": self.margin,
            "worse": self.worse,
        }


def performance(
    labels: ArrayLike, scores: ArrayLike, days: ArrayLike, reference: Graded, metrics: Mapping[str, float]
) -> dict[str, Decline]:
    """Judge a window: `labels` (rows,) 0 or 1, `scores` (rows,) probabilities, `days` (rows,) dates.

    `metrics` are names of METRICS, each with the margin that a decline must exceed. Empty where the window or the
    reference has fewer than LEAST rows, or only one of the two labels. Raises BadInput for an unknown metric, other
    labels, scores or lengths.
    """
    return declines(graded(labels, scores, days, reference.edges), reference, metrics)


def declines(window: Graded, reference: Graded, metrics: Mapping[str, float]) -> dict[str, Decline]:
    """The same of outcomes that were counted already, into the reference's cells."""
    for name in metrics:
        if name not in METRICS:
            raise BadInput(f"there is no metric '{name}'{did_you_mean(name, METRICS)}")
    if not (judged(window) and judged(reference)):
        return {}
    now, then = Resampled.of(window, seed=1), Resampled.of(reference, seed=0)
    usual = dict(then.values)
    if "calibration_error" in metrics:
        alike = metrics_of(_drawn(reference, window.rows, seed=2), reference)
        usual["calibration_error"] = float(np.mean(alike["calibration_error"]))
    return {name: _decline(name, now, then, usual[name], margin) for name, margin in metrics.items()}


def judged(table: Graded) -> bool:
    """Whether there is enough to say anything."""
    return table.rows >= LEAST and min(table.labels) > 0


@dataclass(frozen=True)
class Resampled:
    """Every metric of a table, and of resamples of it."""

    values: Mapping[str, float]
    resampled: Mapping[str, Floats]
    """(RESAMPLES,) each."""
    units: int
    """Days that were drawn from, or rows."""

    @classmethod
    def of(cls, table: Graded, *, seed: int) -> Resampled:
        once = metrics_of(table.counts.sum(axis=0)[None], table)
        values = {name: float(found[0]) for name, found in once.items()}
        days = len(table.days)
        return cls(
            values, metrics_of(_drawn(table, table.rows, seed), table), days if days > 1 else table.rows
        )

    def interval(self, name: str) -> Interval:
        """A metric with its interval."""
        return _limits(self.values[name], self.apart(name), self.units - 1)

    def apart(self, name: str) -> Floats:
        """How far resamples are from their middle, widened by what resampling few units loses."""
        resampled = self.resampled[name]
        return (resampled - np.nanmean(resampled)) * np.sqrt(self.units / (self.units - 1))


def _drawn(table: Graded, rows: int, seed: int) -> Floats:
    """Resamples of about so many rows, (RESAMPLES, 2, cells): of whole days, or where there is one day of rows."""
    generator = np.random.default_rng(seed)
    days = len(table.days)
    if days > 1:
        draws = max(1, round(rows * days / table.rows))
        weights = generator.multinomial(draws, np.full(days, 1 / days), RESAMPLES)
        found: Floats = np.tensordot(weights.astype(float), table.counts.astype(float), 1)
        return found
    cells = table.counts[0]
    return generator.multinomial(rows, cells.ravel() / cells.sum(), RESAMPLES).reshape(-1, *cells.shape)


def _decline(name: str, now: Resampled, then: Resampled, usual: float, margin: float) -> Decline:
    """`usual` is the reference's value in as few rows as the window has."""
    ours, theirs = now.apart(name), then.apart(name)
    variances = np.array([np.nanvar(ours), np.nanvar(theirs)])
    spread = float(np.sum(variances**2 / (now.units - 1, then.units - 1)))
    free = max(1.0, float(variances.sum()) ** 2 / spread) if spread > 0 else 1.0
    difference = _limits(now.values[name] - usual, ours - theirs, free)
    worse = difference.high < -margin if name in HIGHER_IS_BETTER else difference.low > margin
    return Decline(name, now.values[name], now.interval(name), usual, difference, margin, bool(worse))


def _limits(value: float, apart: Floats, free: float) -> Interval:
    tail = ndtr(-stdtrit(free, 0.5 + LEVEL / 2))
    low, high = np.nanquantile(apart, [tail, 1 - tail])
    return Interval(value, value + float(low), value + float(high))
