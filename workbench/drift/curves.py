"""Curves that a reviewer reads of a version's answers, out of their counts: ROC, precision and recall, calibration, scores.

Sources: Fawcett (2006) for ROC; Davis and Goadrich (2006) for precision and recall; intervals of shares by Wilson (1927).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.drift.graded import Floats, Graded

Z = 1.959964
"""Of an interval of 95 %."""
POINTS = 10
"""Of a calibration curve: groups of about equally many answers."""
BARS = 40


@dataclass(frozen=True)
class Curves:
    """All of one version, over the answers of its reference period; each tuple is one line's points, in order."""

    rows: int
    rate: float
    """Share of rows with label 1."""
    false_positives: tuple[float, ...]
    true_positives: tuple[float, ...]
    """ROC: share of rows with label 0, and with label 1, that are above a threshold."""
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    said: tuple[float, ...]
    """Calibration: the mean probability of each group."""
    came: tuple[float, ...]
    """And the share of it that had label 1, with its interval."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    scores: tuple[float, ...]
    """Middles of BARS equal parts of 0 to 1."""
    negative: tuple[float, ...]
    """Share of the rows with label 0 in each part; all of them together are 1."""
    positive: tuple[float, ...]


def curves(graded: Graded) -> Curves | None:
    """None where one of the two labels is missing: there is nothing to tell apart."""
    negative, positive = (graded.counts.sum(axis=0)[label].astype(np.float64) for label in (0, 1))
    if not negative.sum() or not positive.sum():
        return None
    # From the highest cell down: what is above a threshold.
    false, true = np.cumsum(negative[::-1]), np.cumsum(positive[::-1])
    roc_x, roc_y = np.r_[0.0, false / false[-1]], np.r_[0.0, true / true[-1]]
    some = (false + true) > 0
    recall, precision = (true / true[-1])[some], (true / np.maximum(false + true, 1))[some]
    said, came, low, high = _calibration(graded)
    middles = (np.arange(BARS) + 0.5) / BARS
    parts = [_parts(graded, label) for label in (0, 1)]
    lines = (roc_x, roc_y, recall, precision, said, came, low, high, middles, *parts)
    return Curves(graded.rows, float(positive.sum() / graded.rows), *map(_points, lines))


def _calibration(graded: Graded) -> tuple[Floats, Floats, Floats, Floats]:
    held = graded.counts.sum(axis=0).astype(np.float64)
    rows, total = held.sum(axis=0), graded.sums[0].sum(axis=0)
    middle = (np.cumsum(rows) - rows / 2) / rows.sum()
    group = np.minimum((middle * POINTS).astype(int), POINTS - 1)
    counted, labelled, probability = (
        np.bincount(group, weights=each, minlength=POINTS) for each in (rows, held[1], total)
    )
    there = counted > 0
    counted, labelled, probability = counted[there], labelled[there], probability[there]
    share = labelled / counted
    centre = (share + Z**2 / (2 * counted)) / (1 + Z**2 / counted)
    reach = Z * np.sqrt(share * (1 - share) / counted + Z**2 / (4 * counted**2)) / (1 + Z**2 / counted)
    return probability / counted, share, centre - reach, centre + reach


def _parts(graded: Graded, label: int) -> Floats:
    """Share of the label's rows in each part; a cell is where its mean answer is."""
    rows = graded.counts.sum(axis=0)[label].astype(np.float64)
    mean = graded.sums[0][label] / np.maximum(rows, 1)
    at = np.minimum((mean * BARS).astype(int), BARS - 1)
    found: Floats = np.bincount(at, weights=rows, minlength=BARS) / rows.sum()
    return found


def _points(values: Floats) -> tuple[float, ...]:
    return tuple(np.round(values, 6).tolist())
