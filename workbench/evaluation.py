"""How good a probability forecast is, how sure we are of it, and for whom.

Pure functions over arrays. Everything that has an interval takes bootstrap `weights`: one row a
resample, one column an observation, the entry how often that observation was drawn. Two models measured
under the same weights are compared pairwise, which removes the variation that they share.

Sources: percentile bootstrap, Efron and Tibshirani (1993), chapters 13 and 16, its limits expanded where few units
were resampled, Hesterberg, What Teachers Should Know About the Bootstrap (2015), section 3.2; area under the ROC curve
as a rank statistic, Hanley and McNeil (1982); Brier (1950); expected calibration error with bins of equal
mass, Naeini, Cooper and Hauskrecht (2015); interval of a proportion, Wilson (1927).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

Floats = NDArray[np.float64]
Counts = NDArray[np.uint16]
Metric = Callable[[Floats, Floats, NDArray[Any]], Floats]

LEVEL = 0.95  # of every interval
BINS = 10  # of a calibration table
SAMPLE = 64  # resamples that tell groups of rows apart
CHUNK = 4_000_000  # weights held as floats at once: 32 MB


@dataclass(frozen=True)
class Interval:
    """An estimate with the limits of its LEVEL interval; limits are NaN when it cannot be had."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """For JSON, which has no NaN: rounded to six digits, None for what is not known."""
        known = {"value": self.value, "low": self.low, "high": self.high}
        return {name: round(number, 6) if np.isfinite(number) else None for name, number in known.items()}


def bootstrap_weights(rows: int, resamples: int, *, seed: int = 0, groups: ArrayLike | None = None) -> Counts:
    """How often each row is drawn in each resample: (resamples, rows).

    With `groups` (rows,), whole groups are drawn instead of rows (cluster bootstrap). Use it where rows
    are not independent: flights of one day share its weather, and intervals that ignore this are too
    narrow by half. Raises ValueError when there is nothing to draw or the lengths differ.
    """
    if rows < 1 or resamples < 1:
        raise ValueError(f"need at least one row and one resample, not {rows} and {resamples}")
    generator = np.random.default_rng(seed)
    if groups is None:
        return _draw(generator, rows, resamples)
    labels, codes = np.unique(np.asarray(groups), return_inverse=True)
    if len(codes) != rows:
        raise ValueError(f"{len(codes)} group labels for {rows} rows")
    return _draw(generator, len(labels), resamples)[:, codes]


def _draw(generator: np.random.Generator, items: int, resamples: int) -> Counts:
    drawn = generator.integers(0, items, size=(resamples, items))
    drawn += np.arange(resamples)[:, None] * items
    counts = np.bincount(drawn.ravel(), minlength=resamples * items)
    return counts.reshape(resamples, items).astype(np.uint16)


def auc(labels: Floats, scores: Floats, weights: NDArray[Any]) -> Floats:
    """Area under the ROC curve under each row of weights: (resamples,); ties count half.

    NaN where a resample holds one class only.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # first of each run of equal scores
    late = labels[order]
    areas = np.empty(len(weights))
    step = max(1, CHUNK // len(scores))
    for first in range(0, len(weights), step):
        drawn = weights[first : first + step, order].astype(np.float64)
        positive = np.add.reduceat(drawn * late, starts, axis=1)
        negative = np.add.reduceat(drawn * (1 - late), starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        wins = np.einsum("ij,ij->i", positive, below)
        areas[first : first + step] = np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return areas


def log_loss(labels: Floats, scores: Floats, weights: NDArray[Any]) -> Floats:
    """Mean negative log likelihood in nats under each row of weights: (resamples,)."""
    epsilon = np.finfo(np.float64).eps
    safe = np.clip(scores, epsilon, 1 - epsilon)
    return _mean(-(labels * np.log(safe) + (1 - labels) * np.log1p(-safe)), weights)


def brier(labels: Floats, scores: Floats, weights: NDArray[Any]) -> Floats:
    """Mean squared difference of probability and label under each row of weights: (resamples,)."""
    return _mean((labels - scores) ** 2, weights)


def calibration_error(labels: Floats, scores: Floats, weights: NDArray[Any]) -> Floats:
    """Expected calibration error over BINS bins of equal mass under each row of weights: (resamples,).

    Resampling adds noise to every bin, so the interval leans upward: read its lower limit with care.
    """
    bins = _bins(scores)
    gaps = np.zeros((len(scores), bins.max() + 1))
    gaps[np.arange(len(scores)), bins] = labels - scores
    drawn = weights.astype(np.float64)
    error: Floats = np.abs(drawn @ gaps).sum(axis=1) / _total(drawn)
    return error


METRICS: Mapping[str, Metric] = {
    "auc": auc,
    "log_loss": log_loss,
    "brier": brier,
    "calibration_error": calibration_error,
}


@dataclass(frozen=True)
class Measured:
    """Every metric of METRICS for one model: on the rows themselves, and on each resample of them."""

    values: Mapping[str, float]
    resampled: Mapping[str, Floats]
    units: int
    """How many independent units were drawn from: rows, or groups of them."""

    def intervals(self) -> dict[str, Interval]:
        """Each metric with its interval."""
        return {name: _interval(self.values[name], self.resampled[name], self.units) for name in self.values}


def point(labels: ArrayLike, scores: ArrayLike) -> dict[str, float]:
    """Every metric of METRICS without interval. Raises ValueError as `measure` does."""
    actual, predicted = _checked(labels, scores)
    once = np.ones((1, len(actual)))
    return {name: float(metric(actual, predicted, once)[0]) for name, metric in METRICS.items()}


def measure(labels: ArrayLike, scores: ArrayLike, weights: Counts) -> Measured:
    """Every metric of METRICS, on the rows and on each resample.

    `labels` (rows,) are 0 and 1, `scores` (rows,) probabilities, `weights` (resamples, rows).
    Raises ValueError for other shapes or values.
    """
    actual, predicted = _checked(labels, scores, weights)
    resampled = {name: metric(actual, predicted, weights) for name, metric in METRICS.items()}
    return Measured(point(actual, predicted), resampled, units(weights))


def units(weights: Counts) -> int:
    """How many independent units the weights were drawn from: rows of one group have equal weights."""
    sample = weights[:SAMPLE].astype(np.float64)
    marks = np.random.default_rng(0).random(len(sample))
    return len(np.unique(marks @ sample))


def quantile(units: int, level: float) -> float:
    """Standard errors from the middle to a limit: Student's t, and what resampling loses of the variance."""
    return float(np.sqrt(units / (units - 1)) * stdtrit(units - 1, 0.5 + level / 2))


def compare(ours: Measured, theirs: Measured) -> dict[str, Interval]:
    """Every metric of ours minus theirs, paired: both must have been measured under the same weights.

    An interval that excludes zero is a difference. For all but `auc`, less is better. Raises ValueError
    when the numbers of resamples differ.
    """
    differences = {}
    for name, resampled in ours.resampled.items():
        if resampled.shape != theirs.resampled[name].shape:
            raise ValueError(f"{len(resampled)} resamples against {len(theirs.resampled[name])}: not a pair")
        value = ours.values[name] - theirs.values[name]
        differences[name] = _interval(value, resampled - theirs.resampled[name], ours.units)
    return differences


def slices(
    labels: ArrayLike,
    scores: ArrayLike,
    reference: ArrayLike,
    column: ArrayLike,
    weights: Counts,
    *,
    minimum: int = 200,
) -> list[dict[str, Any]]:
    """AUC, log loss and its difference from `reference` in each slice of `column`, largest slice first.

    A slice of fewer than `minimum` rows, of one group, or with one class only, has `"measured": false` and no
    metrics: it is named, so that nobody takes its absence for a pass. Raises ValueError as `measure` does.
    """
    actual, ours = _checked(labels, scores, weights)
    _, theirs = _checked(labels, reference, weights)
    values = np.asarray(column).astype(str)
    found = []
    for value in np.unique(values):
        inside = values == value
        entry: dict[str, Any] = {"value": str(value), "rows": int(inside.sum())}
        entry["rate"] = round(float(actual[inside].mean()), 6)
        enough = inside.sum() >= minimum and 0 < entry["rate"] < 1
        entry["measured"] = bool(enough and units(weights[:, inside]) > 1)
        if entry["measured"]:
            entry |= _slice(actual[inside], ours[inside], theirs[inside], weights[:, inside])
        found.append(entry)
    return sorted(found, key=lambda entry: (-entry["rows"], entry["value"]))


def _slice(actual: Floats, ours: Floats, theirs: Floats, drawn: Counts) -> dict[str, Any]:
    measured = measure(actual, ours, drawn)
    found = measured.intervals()
    return {
        "auc": found["auc"].as_dict(),
        "log_loss": found["log_loss"].as_dict(),
        "log_loss_difference": compare(measured, measure(actual, theirs, drawn))["log_loss"].as_dict(),
    }


def calibration_table(labels: ArrayLike, scores: ArrayLike) -> list[dict[str, float]]:
    """Predicted against observed rate in up to BINS bins of equal mass, with Wilson limits of the latter.

    Raises ValueError as `measure` does.
    """
    actual, predicted = _checked(labels, scores)
    bins = _bins(predicted)
    table = []
    for number in np.unique(bins):
        inside = bins == number
        rows, observed = int(inside.sum()), float(actual[inside].mean())
        low, high = _wilson(observed, rows)
        row = {"predicted": float(predicted[inside].mean()), "observed": observed, "low": low, "high": high}
        table.append({name: round(number, 6) for name, number in row.items()} | {"rows": rows})
    return table


def _wilson(rate: float, rows: int) -> tuple[float, float]:
    z = 1.959963984540054  # the normal quantile of LEVEL
    centre = (rate + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * np.sqrt(rate * (1 - rate) / rows + z**2 / (4 * rows**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _bins(scores: Floats) -> NDArray[np.intp]:
    """The bin of each row; edges are quantiles, so equal scores share a bin and constant scores have one."""
    edges = np.unique(np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, scores, side="left")


def _mean(values: Floats, weights: NDArray[Any]) -> Floats:
    drawn = weights.astype(np.float64)
    mean: Floats = drawn @ values / _total(drawn)
    return mean


def _total(drawn: Floats) -> Floats:
    """The number of draws in each resample; NaN where a slice was not drawn at all."""
    total: Floats = drawn.sum(axis=1)
    return np.where(total > 0, total, np.nan)


def _interval(value: float, resampled: Floats, units: int) -> Interval:
    """Expanded percentile limits of the resampled values that exist."""
    known = resampled[np.isfinite(resampled)]
    if len(known) == 0 or units < 2:
        return Interval(float(value), float("nan"), float("nan"))
    tail = ndtr(-quantile(units, LEVEL))
    low, high = np.quantile(known, [tail, 1 - tail])
    return Interval(float(value), float(low), float(high))


def _checked(
    labels: ArrayLike, scores: ArrayLike, weights: NDArray[Any] | None = None
) -> tuple[Floats, Floats]:
    """Labels and scores as float vectors, or a ValueError that says what is wrong with them."""
    actual, predicted = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if actual.ndim != 1 or actual.shape != predicted.shape or len(actual) == 0:
        raise ValueError(f"labels {actual.shape} and scores {predicted.shape}: want two equal-length vectors")
    if not np.isin(actual, (0.0, 1.0)).all():
        raise ValueError("labels must be 0 or 1")
    if not ((predicted >= 0) & (predicted <= 1)).all():
        raise ValueError("scores must be probabilities between 0 and 1")
    if weights is not None and (weights.ndim != 2 or weights.shape[1] != len(actual)):
        raise ValueError(f"weights {weights.shape} for {len(actual)} rows: want (resamples, rows)")
    return actual, predicted
