"""Which feature the loss came with: what a change of log loss consists of, feature by feature, dearest first.

A difference of two averages is, over the bins of any feature, exactly (Kitagawa, Components of a Difference Between Two
Rates, JASA 50, 1955; for losses of a model: Cai, Namkoong and Yadlowsky, 2023)

    mix      (share now - share then) x loss then, summed: there are more of the rows that were always hard
    within   share now x (loss now - loss then), summed: the same rows became harder

The mix speaks of the feature by itself. The second sum is the same for every feature but for its mix; what tells features
apart is where it sits. So a bin's change is held against that of all other rows of the same days, which takes away what
a stormy week does to everybody, and only bins that are certainly worse off count. A feature by which rows were
wronged has them in few bins; of one that merely goes with it, every bin is a mixture. What no feature tells apart is the
level: how much loss would be gone if the log-odds of all answers were shifted by one number (Cox, 1958).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from workbench.drift.graded import Graded
from workbench.drift.groups import Compared, Side
from workbench.drift.losses import Losses, group_names
from workbench.drift.serial import Daily, errors
from workbench.drift.sketch import Bins

Floats = NDArray[np.float64]

SURE = 0.05
"""Chance that anything is named in a window that did not change."""


@dataclass(frozen=True)
class Explained:
    """What of the change of log loss comes with one feature; nats a row of the window."""

    feature: str
    mix: float
    """Below zero where easier rows came."""
    within: float
    """Of the bins that are certainly worse off than other rows; 0 where none is."""
    where: tuple[str, ...]
    """Those bins, the dearest first."""
    rows: float
    """Share of the window's rows in them."""
    certainty: float
    """How far the clearest bin is from chance: in limits, named from 1."""

    @property
    def impact(self) -> float:
        return max(self.mix, 0.0) + self.within if self.where else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"where": list(self.where), "impact": self.impact}


@dataclass(frozen=True)
class Level:
    """All answers too high or too low."""

    rate: tuple[float, float]
    """Of the label: reference, window."""
    answer: tuple[float, float]
    """Mean probability: reference, window."""
    loss: float
    """Nats a row that one shift of all log-odds would take away, beyond what it would in the reference."""
    certain: bool
    """Answer and rate are further apart than in any ordinary window."""


def explain(window: Losses, reference: Losses, bins: Sequence[Bins]) -> tuple[Explained, ...]:
    """Every feature that both have, dearest first. `bins` are what both were counted by."""
    chosen = [each for each in bins if each.name in window.sums and each.name in reference.sums]
    compared = [
        Compared.of(Side.of(window.sums[each.name], window), Side.of(reference.sums[each.name], reference))
        for each in chosen
    ]
    looked = sum(int(each.judged.sum()) for each in compared)
    found = [
        _explained(each, made, 1 - SURE / max(1, looked)) for each, made in zip(chosen, compared, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (-each.impact, -each.certainty)))


def level(window: Graded, reference: Graded) -> Level:
    """Whether the answers as a whole are too high or too low."""
    now, then = _bias(window), _bias(reference)
    error = errors(now, then)
    apart = now.value - then.value
    return Level(
        (reference.labels[1] / reference.rows, window.labels[1] / window.rows),
        (_said(reference), _said(window)),
        max(0.0, _gained(window) - _gained(reference)),
        bool(abs(apart) > error.reach(error.both, 1 - SURE)),
    )


def _explained(bins: Bins, made: Compared, level: float) -> Explained:
    reach = stdtrit(np.maximum(made.free, 1), level) * made.error
    sure = np.divide(made.worse, reach, out=np.zeros_like(reach), where=made.judged)
    # Beyond all rows, of which these are some.
    cost = np.where(sure > 1, made.now * (1 - made.now) * made.worse, 0.0)
    order = [index for index in np.argsort(-cost) if cost[index] > 0]
    names = group_names(bins)
    return Explained(
        bins.name, made.mix, float(cost.sum()), tuple(names[index] for index in order),
        float(made.now[order].sum()), float(sure.max(initial=0)),
    )  # fmt: skip


def _said(table: Graded) -> float:
    return float(table.sums[0].sum() / table.rows)


def _bias(table: Graded) -> Daily:
    """Mean answer minus rate of the label, day by day."""
    held = table.counts.sum(axis=0)
    said = table.sums[0] / np.maximum(held, 1)
    rows = table.counts.sum(axis=(1, 2))
    apart = np.tensordot(table.counts, said, 2) - table.counts[:, 1].sum(axis=1)
    value = float(apart.sum() / rows.sum())
    # Linear in the days' sums: the pseudo-values are these up to a term that vanishes with the number of days.
    parts = value + (apart - value * rows) / rows.mean()
    rate = table.labels[1] / table.rows
    return Daily(value, parts, np.array(table.days, dtype="datetime64[D]"), rate * (1 - rate) / table.rows)


def _gained(table: Graded) -> float:
    """Log loss that the best shift of all log-odds takes away."""
    held = table.counts.sum(axis=0)
    odds = logit(np.clip(table.sums[0] / np.maximum(held, 1), 1e-9, 1 - 1e-9))
    rows, shift = held.sum(), 0.0
    for _ in range(30):
        said = expit(odds + shift)
        step = (held[1].sum() - (held * said).sum()) / max((held * said * (1 - said)).sum(), 1e-9)
        shift = float(np.clip(shift + np.clip(step, -2, 2), -20, 20))
        if abs(step) < 1e-9:
            break
    loss = [
        -(held[0] * np.log1p(-expit(odds[0] + by)) + held[1] * np.log(expit(odds[1] + by))).sum()
        for by in (0.0, shift)
    ]
    return float((loss[0] - loss[1]) / rows)
