"""How the values of one column are spread in the reference and in a window, as a picture shows it.

Numbers were counted into the reference's quantiles, which are too narrow where values are common to be drawn. They are laid
into bars of equal width here, each quantile's rows evenly over its own width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.drift.sketch import TEXTS, Bins

Floats = NDArray[np.float64]

BARS = 30
"""Of equal width, for numbers; columns with no more different values than that have a bar for each."""
VALUES = 15
"""Texts that are named; the rest are one bar."""
TAIL = 0.005
"""Share of the reference at either end that is drawn in the outermost bars: a few values must not stretch the axis."""
OTHERS, MISSING = "others", "missing"


@dataclass(frozen=True)
class Distribution:
    """Shares of rows, 0 to 1, bar by bar; both sides add up to 1 together with what is missing."""

    name: str
    type: str
    """Of the contract."""
    labels: tuple[str, ...]
    """Of the bars: a text's values, a number's value or range. The last one is MISSING where a row has none."""
    reference: tuple[float, ...]
    window: tuple[float, ...]


def distribution(bins: Bins, reference: ArrayLike, window: ArrayLike) -> Distribution:
    """Both sides of a column; `reference` and `window` (slots,) are rows by `bins`."""
    sides = [np.asarray(each, dtype=np.float64) for each in (reference, window)]
    shares = [each / each.sum() if each.sum() else each for each in sides]
    if bins.type in TEXTS:
        labels, drawn = _texts(bins, [each[:-1] for each in shares])
    elif len(bins.edges) - 1 <= BARS:
        labels, drawn = [_shown(bins, edge) for edge in bins.edges[1:]], [each[:-1] for each in shares]
    else:
        labels, drawn = _numbers(bins, [each[:-1] for each in shares])
    missing = [float(each[-1]) for each in shares]
    if any(missing):
        labels, drawn = (
            [*labels, MISSING],
            [np.append(each, part) for each, part in zip(drawn, missing, strict=True)],
        )
    before, now = (tuple(map(float, each)) for each in drawn)
    return Distribution(bins.name, bins.type, tuple(labels), before, now)


def _texts(bins: Bins, shares: Sequence[Floats]) -> tuple[list[str], list[Floats]]:
    """The commonest on either side, as the reference orders them."""
    largest = np.maximum(*(each[:-1] for each in shares))
    chosen = np.sort(np.argsort(-largest, kind="stable")[:VALUES])
    labels = [bins.values[at] for at in chosen]
    drawn = [each[chosen] for each in shares]
    rest = [max(0.0, float(each.sum() - part.sum())) for each, part in zip(shares, drawn, strict=True)]
    if max(rest) < 1e-12:
        return labels, drawn
    return [*labels, OTHERS], [np.append(part, other) for part, other in zip(drawn, rest, strict=True)]


def _numbers(bins: Bins, shares: Sequence[Floats]) -> tuple[list[str], list[Floats]]:
    """Bars of equal width between the reference's tails, which are in the first and the last."""
    edges = np.asarray(bins.edges)
    cumulated = [np.append(0.0, each.cumsum()) for each in shares]
    inside = cumulated[0] / (cumulated[0][-1] or 1.0)
    low, high = edges[np.searchsorted(inside, [TAIL, 1 - TAIL]).clip(0, len(edges) - 1)]
    limits = np.linspace(low, high if high > low else low + 1, BARS + 1)
    ends = [_shown(bins, each) for each in limits]
    within = [f"{a} to {b}" for a, b in pairwise(ends[1:-1])]
    labels = [f"up to {ends[1]}", *within, f"above {ends[-2]}"]
    limits[0], limits[-1] = min(limits[0], edges[0]), max(limits[-1], edges[-1])
    # The first slot of the sketch holds the least value itself, a step of no width.
    return labels, [np.diff(np.interp(limits, edges, each, left=0.0)) for each in cumulated]


def _shown(bins: Bins, value: float) -> str:
    if bins.type in ("date", "datetime"):
        moment = np.datetime64(round(value), "s")
        return str(moment.astype("datetime64[D]" if bins.type == "date" else "datetime64[m]"))
    return f"{value:.4g}"
