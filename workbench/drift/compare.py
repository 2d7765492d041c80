"""A window of live data against the reference: each column's distances, ranked by how unusual they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import log2

from workbench.drift.distances import cramers_v, jensen_shannon, kolmogorov_smirnov, psi, wasserstein
from workbench.drift.ordinary import Ordinary
from workbench.drift.sketch import TEXTS, Bins, Counts, Sketch


@dataclass(frozen=True)
class Moved:
    """How far one column of the window is from the reference."""

    name: str
    distance: float
    """Jensen-Shannon distance, missing values as a value of their own: 0 to 1; what is judged."""
    limit: float
    """From which it is drift."""
    score: float
    """How unusual the distance is, in spreads of ordinary windows."""
    drifted: bool
    expected: bool
    """Declared to move, so it never alerts."""
    psi: float
    wasserstein: float | None
    """In standard deviations of the reference; None for texts."""
    kolmogorov_smirnov: float | None
    cramers_v: float | None
    """None for numbers."""
    missing: tuple[float, float]
    """Share of rows without a value: reference, window."""
    unseen: float
    """Share of the window's rows with a text that is not one of the reference's, or a number outside of its range."""
    detectable: float
    """The smallest share of rows that would alert if they all had a value never seen before."""


def compare(
    reference: Sketch, window: Sketch, usual: Ordinary, expected: Collection[str] = ()
) -> tuple[Moved, ...]:
    """Every column, the most unusual first; those that are expected to move last."""
    found = [_moved(each, reference, window, usual, each.name in expected) for each in reference.bins]
    return tuple(sorted(found, key=lambda moved: (moved.expected, -moved.score)))


def _moved(bins: Bins, reference: Sketch, window: Sketch, usual: Ordinary, expected: bool) -> Moved:
    before, now = reference.counts[bins.name].sum(axis=0), window.counts[bins.name].sum(axis=0)
    distance = float(jensen_shannon(before, now))
    limit = usual.limit(bins.name)
    is_text = bins.type in TEXTS
    inside = before[:-1], now[:-1]
    sums = [0.0 if is_text else float(each.sums[bins.name].sum()) for each in (reference, window)]
    return Moved(
        name=bins.name,
        distance=distance,
        limit=limit,
        score=usual.score(bins.name, distance),
        drifted=not expected and distance > limit,
        expected=expected,
        psi=float(psi(before, now)),
        wasserstein=None if is_text else _earth(bins, *inside, *sums),
        kolmogorov_smirnov=None if is_text else float(kolmogorov_smirnov(*inside)),
        cramers_v=float(cramers_v(*inside)) if is_text else None,
        missing=(_share(before[-1], before), _share(now[-1], now)),
        unseen=_share(now[-2], now) if is_text and not before[-2] else 0.0,
        detectable=detectable(limit),
    )


def _earth(bins: Bins, before: Counts, now: Counts, total_before: float, total_now: float) -> float:
    """Never less than the difference of the means, which also sees what lies outside of the reference's range."""
    if not before.sum() or not now.sum():
        return float("nan")
    area = float(wasserstein(before, now, bins.edges, bins.scale)) if len(bins.edges) > 1 else 0.0
    apart = abs(total_now / now.sum() - total_before / before.sum())
    return max(area, float(apart) / bins.scale)


def detectable(limit: float) -> float:
    """The share of never seen values that takes the distance from 0 to `limit`: the same whatever the column holds."""
    if limit >= 1:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        # Of all rows here against `middle` elsewhere: what the mixture does not know, less what the halves do not.
        if _entropy(middle / 2) - _entropy(middle) / 2 < limit * limit:
            low = middle
        else:
            high = middle
    return high


def _entropy(share: float) -> float:
    """Of a coin, in bits."""
    return -share * log2(share) - (1 - share) * log2(1 - share)


def _share(part: float, counts: Counts) -> float:
    total = counts.sum()
    return float(part / total) if total else 0.0
