"""Effect sizes of two histograms over the same bins.

Every function takes counts of the reference and of the window, (…, bins) each, broadcast against each other, and gives
(…): many windows are compared at once. Where one side has no rows the distance is NaN. None of them is a p-value:
at the size of a prediction log every p-value is zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.contracts.skew import as_shares, divergence

Floats = NDArray[np.float64]

HALF = 0.5
"""Added to the count of every bin where a logarithm of an empty one would be infinite (Jeffreys' prior)."""


def psi(reference: ArrayLike, window: ArrayLike) -> Floats:
    """Population stability index in nats (Siddiqi, Credit Risk Scorecards, 2006): sum of (q - p) ln(q / p).

    It is the symmetrised Kullback-Leibler divergence (Yurdakul, 2018); an empty bin counts as HALF a row.
    """
    p, q = (as_shares(np.asarray(counts, dtype=np.float64) + HALF) for counts in (reference, window))
    found = np.sum((q - p) * np.log(q / p), axis=-1)
    return _known(found, reference, window)


def jensen_shannon(reference: ArrayLike, window: ArrayLike) -> Floats:
    """Jensen-Shannon distance, 0 to 1: the root of the divergence in bits (Endres and Schindelin, IEEE TIT 49, 2003)."""
    found = np.sqrt(divergence(np.asarray(reference), np.asarray(window)))
    return _known(found, reference, window)


def kolmogorov_smirnov(reference: ArrayLike, window: ArrayLike) -> Floats:
    """The largest difference of the two distribution functions at the bins' edges, 0 to 1; bins in order.

    Never above the statistic of the values themselves, and below it by one bin's share at most.
    """
    p, q = as_shares(reference), as_shares(window)
    found: Floats = np.abs(np.cumsum(q - p, axis=-1)).max(axis=-1)
    return found


def wasserstein(reference: ArrayLike, window: ArrayLike, edges: ArrayLike, scale: float) -> Floats:
    """Earth mover's distance in units of `scale` (the reference's standard deviation).

    `edges` are the bins' limits, (bins + 1,); values count as spread evenly over their bin. This is the area between
    the two distribution functions, each a straight line within a bin (Vallender, 1974).
    """
    limits = np.asarray(edges, dtype=np.float64)
    p, q = as_shares(reference), as_shares(window)
    after = np.cumsum(q - p, axis=-1)
    before = after - (q - p)
    a, b = np.abs(before), np.abs(after)
    # Between two edges the difference is a straight line: a trapezoid, or two triangles where it changes sign.
    total = np.where(a + b > 0, a + b, 1)
    area = np.where(before * after < 0, (a * a + b * b) / (2 * total), (a + b) / 2)
    found: Floats = np.sum(area * np.diff(limits), axis=-1) / (scale if scale > 0 else 1.0)
    return found


def cramers_v(reference: ArrayLike, window: ArrayLike) -> Floats:
    """Cramér's V of the table of two rows, 0 to 1: the root of chi-square by the number of rows (Cramér, 1946)."""
    r, w = (np.asarray(counts, dtype=np.float64) for counts in (reference, window))
    both = r + w
    rows, others = r.sum(axis=-1), w.sum(axis=-1)
    total = rows + others
    found: Any = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        for counts, size in ((r, rows), (w, others)):
            expected = both * (size / total)[..., None]
            found = found + np.where(expected > 0, (counts - expected) ** 2 / expected, 0).sum(axis=-1)
        return _known(np.sqrt(found / total), reference, window)


def _known(found: Floats, reference: ArrayLike, window: ArrayLike) -> Floats:
    empty = (np.sum(reference, axis=-1) == 0) | (np.sum(window, axis=-1) == 0)
    return np.where(empty, np.nan, found)
