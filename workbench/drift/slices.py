"""For whom answers got worse: every value of the features that are categories, against the reference period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from workbench.drift.groups import Compared, Side
from workbench.drift.losses import LABEL, LOSS, ROWS, SAID, SQUARED, Losses, group_names
from workbench.drift.sketch import Bins
from workbench.evaluation import LEVEL, Interval

SLICED = ("category", "bool")
"""Types of the contract whose values are slices."""


@dataclass(frozen=True)
class SliceDecline:
    """One value of one feature."""

    feature: str
    value: str
    rows: int
    """Of the window, with an outcome."""
    measured: bool
    """Enough rows on enough days; if not, it is named so that nobody takes its absence for a pass."""
    log_loss: tuple[float, float]
    """Reference, window; NaN where there are no rows, as are the next three."""
    brier: tuple[float, float]
    answer: tuple[float, float]
    """Mean probability."""
    rate: tuple[float, float]
    """Of the label."""
    difference: Interval
    """Change of its log loss beyond the change of all other rows of the same days; so wide that all slices hold together."""
    worse: bool
    """The whole interval is above the margin."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        pairs = {
            name: [None if np.isnan(value) else round(value, 6) for value in getattr(self, name)]
            for name in ("log_loss", "brier", "answer", "rate")
        }
        return asdict(self) | pairs | {"difference": self.difference.as_dict()}


def slices(
    window: Losses, reference: Losses, bins: Sequence[Bins], margin: float
) -> tuple[SliceDecline, ...]:
    """Every slice that has rows: those that are worse, then others; by what their change costs, rows times difference.

    The intervals share one level: each feature has as much of it as any other, each slice by its rows (weighted Bonferroni:
    Genovese, Roeder and Wasserman, 2006), so a hundred small destinations do not hide one large carrier.
    """
    chosen = [
        each
        for each in bins
        if each.type in SLICED and each.name in window.sums and each.name in reference.sums
    ]
    compared = [
        Compared.of(
            Side.of(window.sums[each.name], window),
            Side.of(reference.sums[each.name], reference),
            careful=True,
        )
        for each in chosen
    ]
    looked = max(1, sum(bool(each.judged.any()) for each in compared))
    found = [
        one
        for each, made in zip(chosen, compared, strict=True)
        for one in _slices(each, made, window, reference, margin, (1 - LEVEL) / looked)
    ]
    return tuple(
        sorted(
            found, key=lambda each: (not each.measured, not each.worse, -each.difference.value * each.rows)
        )
    )


def _slices(
    bins: Bins, made: Compared, window: Losses, reference: Losses, margin: float, error: float
) -> list[SliceDecline]:
    rows = np.where(made.judged, made.now, 0.0)
    share = np.divide(rows, rows.sum(), out=np.ones_like(rows), where=made.judged)
    reach = stdtrit(np.maximum(made.free, 1), 1 - error * share / 2) * made.error
    then, now = (each.sums[bins.name].sum(axis=0) for each in (reference, window))
    found = []
    for index, value in enumerate(group_names(bins)):
        if not now[index, ROWS]:
            continue
        worse, far = float(made.worse[index]), float(reach[index])
        measured = bool(made.judged[index])
        loss, squared, said, rate = (
            (_mean(then[index], of), _mean(now[index], of)) for of in (LOSS, SQUARED, SAID, LABEL)
        )
        interval = Interval(worse, worse - far, worse + far) if measured else Interval(worse, np.nan, np.nan)
        found.append(
            SliceDecline(
                bins.name, value, int(now[index, ROWS]), measured, loss, squared, said, rate, interval,
                measured and interval.low > margin,
            )
        )  # fmt: skip
    return found


def _mean(sums: NDArray[np.float64], of: int) -> float:
    return float(sums[of] / sums[ROWS]) if sums[ROWS] else float("nan")
