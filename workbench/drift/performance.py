"""How good answers were, against the period before the model went live: better or worse, and how sure that is.

Worse is what an unchanged window would hardly be. Two things decide what that is. A window differs from a longer reference
by its length alone: within a week the days are more alike than within a quarter, so AUC is lower, and calibration error grows
with noise; both are held against stretches of the reference as long, with as many rows. And days hang together (see
`serial`), which sets the errors. A window of one day is held against how much days of the reference differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workbench.drift.graded import HIGHER_IS_BETTER, METRICS, Graded, graded, metrics_of
from workbench.drift.serial import Daily, Errors, alone, errors
from workbench.errors import BadInput, did_you_mean
from workbench.evaluation import LEVEL, Interval

LEAST = 200
"""Rows with an outcome below which nothing is said."""
MARGINS: Mapping[str, float] = {"auc": 0.01, "log_loss": 0.01, "brier": 0.005, "calibration_error": 0.01}
"""What a decline must exceed where nothing else is asked for."""
BY_LENGTH = ("auc", "calibration_error")
"""Metrics that depend on how long a period is."""


@dataclass(frozen=True)
class Decline:
    """One metric of a window against the reference period."""

    metric: str
    value: float
    interval: Interval
    """Of the value."""
    reference: float
    """What it was in the reference period: the mean of stretches as long as the window for metrics BY_LENGTH."""
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

    `metrics` are names of METRICS, each with the margin that a decline must exceed; intervals of several differences are so
    wide that all hold together (Bonferroni). Empty where the window or the
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
    now, then = daily(window), daily(reference)
    usual = {name: each.value for name, each in then.items()} | _alike(window, reference)
    level = 1 - (1 - LEVEL) / max(1, len(metrics))
    return {
        name: decline(name, now[name], usual[name], errors(now[name], then[name]), margin, level)
        for name, margin in metrics.items()
    }


def intervals(window: Graded) -> dict[str, Interval]:
    """Every metric by itself, without a reference: how far it may be off as its own days differ. Empty as above."""
    if not judged(window):
        return {}
    found = {}
    for name, each in daily(window).items():
        error = alone(each)
        found[name] = _around(name, each.value, error.reach(error.window, LEVEL))
    return found


def judged(table: Graded) -> bool:
    """Whether there is enough to say anything."""
    return table.rows >= LEAST and min(table.labels) > 0


def decline(name: str, now: Daily, usual: float, error: Errors, margin: float, level: float) -> Decline:
    """Put together what was found of one metric; `level` is that of the difference's interval."""
    apart = error.reach(error.both, level)
    difference = Interval(now.value - usual, now.value - usual - apart, now.value - usual + apart)
    worse = difference.high < -margin if name in HIGHER_IS_BETTER else difference.low > margin
    interval = _around(name, now.value, error.reach(error.window, LEVEL))
    return Decline(name, now.value, interval, usual, difference, margin, bool(worse))


def _around(name: str, value: float, reach: float) -> Interval:
    """What lies within `reach` of a metric's value, and can be one."""
    highest = np.inf if name == "log_loss" else 1.0
    return Interval(value, max(0.0, value - reach), min(highest, value + reach))


def daily(table: Graded) -> dict[str, Daily]:
    """Every metric, taken apart by day."""
    cells, days = table.counts.sum(axis=0), len(table.days)
    whole = {name: float(found[0]) for name, found in metrics_of(cells[None], table).items()}
    dates = np.array(table.days, dtype="datetime64[D]")
    if days > 1:
        without = metrics_of(cells - table.counts, table)
        left = {name: np.where(np.isfinite(found), found, whole[name]) for name, found in without.items()}
        return {
            name: Daily(value, days * value - (days - 1) * left[name], dates, np.nan)
            for name, value in whole.items()
        }
    variances = _by_rows(table, whole)
    return {name: Daily(value, np.array([value]), dates, variances[name]) for name, value in whole.items()}


def _by_rows(table: Graded, whole: Mapping[str, float]) -> dict[str, float]:
    """Variance of each metric by the jackknife that leaves out one row; rows of one cell are alike."""
    cells = table.counts.sum(axis=0).ravel()
    held = np.flatnonzero(cells)
    fewer = np.tile(cells, (len(held), 1))
    fewer[np.arange(len(held)), held] -= 1
    without = metrics_of(fewer.reshape(len(held), *table.counts.shape[1:]), table)
    rows = table.rows
    return {
        name: float((rows - 1) / rows * np.nansum(cells[held] * np.square(found - whole[name])))
        for name, found in without.items()
    }


def _alike(window: Graded, reference: Graded) -> dict[str, float]:
    """Metrics BY_LENGTH in stretches of the reference as long as the window, with no more rows."""
    length = min(len(window.days), len(reference.days))
    before = np.concatenate([np.zeros_like(reference.counts[:1]), reference.counts.cumsum(axis=0)])
    stretches = before[length:] - before[:-length]
    share = min(1.0, window.rows / float(stretches.sum(axis=(1, 2)).mean()))
    if share < 1:
        stretches = np.random.default_rng(0).binomial(stretches, share)
    found = metrics_of(stretches, reference)
    means = {name: found[name][np.isfinite(found[name])] for name in BY_LENGTH}
    return {name: float(values.mean()) for name, values in means.items() if len(values)}
