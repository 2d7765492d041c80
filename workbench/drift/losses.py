"""What answers cost, counted by feature: rows and log loss of every bin on every day. Made in one pass, merged by adding.

For texts, whose values are slices that people name, also what Brier score, mean answer and rate of the label follow from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from workbench.drift.graded import pack, unpack
from workbench.drift.sketch import TEXTS, Bins, by_day, place

Floats = NDArray[np.float64]

GROUPS = 12
"""Of a number's bins: what a loss can be told apart by with a week's rows."""
VALUES = 60
"""Of a text, the commonest; the others are one group."""
ROWS, LOSS, SQUARED, SAID, LABEL = range(5)
"""What is summed; of numbers the first two."""


@dataclass(frozen=True)
class Losses:
    """Sums over rows whose outcome has come."""

    days: tuple[str, ...]
    """ISO dates, ascending, each once."""
    sums: Mapping[str, Floats]
    """By feature, (days, groups, 2 or 5): see ROWS and the following."""
    squares: float
    """Of all losses, for their variance."""

    def __add__(self, other: Losses) -> Losses:
        """Both tables' rows, counted into the same groups."""
        days = tuple(sorted({*self.days, *other.days}))
        sums = {name: np.zeros((len(days), *held.shape[1:])) for name, held in self.sums.items()}
        for each in (self, other):
            places = [days.index(day) for day in each.days]
            for name, held in each.sums.items():
                sums[name][places] += held
        return Losses(days, sums, self.squares + other.squares)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; the sums are packed."""
        packed = {name: [list(held.shape), pack(held, "<f4")] for name, held in self.sums.items()}
        return {"days": list(self.days), "sums": packed, "squares": self.squares}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """What `as_dict` gave. Raises ValueError, TypeError or LookupError for something else."""
        sums = {
            name: unpack(packed, "<f4").reshape(shape).astype(np.float64)
            for name, (shape, packed) in content["sums"].items()
        }
        return cls(tuple(map(str, content["days"])), sums, float(content["squares"]))


def losses(
    frame: pd.DataFrame, bins: Sequence[Bins], labels: ArrayLike, scores: ArrayLike, days: ArrayLike
) -> Losses:
    """Count the rows of a table: `labels` (rows,) 0 or 1, `scores` (rows,) probabilities, `days` (rows,) dates.

    Raises BadInput where the table lacks a column of the bins.
    """
    actual, said = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    names, at = by_day(np.asarray(days, dtype="datetime64[D]"))
    loss = -np.log(np.clip(np.where(actual == 1, said, 1 - said), np.finfo(np.float64).eps, 1))
    summed = (None, loss, np.square(actual - said), said, actual)
    sums = {}
    for each, placed, _ in place(frame, bins):
        group = grouping(each)
        count = int(group[-1]) + 1
        cell = at * count + group[placed]
        of = summed if each.type in TEXTS else summed[:2]
        counted = [np.bincount(cell, weights, minlength=len(names) * count) for weights in of]
        sums[each.name] = np.stack(counted, axis=-1).reshape(len(names), count, len(of)).astype(np.float64)
    return Losses(tuple(map(str, names)), sums, float(np.square(loss).sum()))


def grouping(bins: Bins) -> NDArray[np.int64]:
    """The group of every slot, (slots,): neighbours for numbers; the last slot, what is missing, stays alone."""
    inner = bins.slots - 1
    if bins.type in TEXTS:
        groups = np.minimum(np.arange(inner), VALUES)
        groups[-1] = min(inner - 1, VALUES)
    else:
        groups = np.arange(inner) * min(GROUPS, inner) // inner
    return np.append(groups, groups[-1] + 1)


def group_names(bins: Bins) -> list[str]:
    """What people call the groups."""
    groups = grouping(bins)
    count = int(groups[-1])
    if bins.type in TEXTS:
        return [*bins.values[: count - 1], "others", "missing"]
    names = []
    for group in range(count):
        slots = np.flatnonzero(groups[:-1] == group)
        low, high = (bins.edges[slots[0]], bins.edges[slots[-1] + 1]) if len(bins.edges) > 1 else (0.0, 0.0)
        names.append(f"{high:.6g}" if len(slots) == 1 and _exact(bins) else f"{low:.6g} to {high:.6g}")
    return [*names, "missing"]


def _exact(bins: Bins) -> bool:
    """Each different value has a bin of its own: the first limit is there twice."""
    return len(bins.edges) > 1 and bins.edges[0] == bins.edges[1]
