"""The groups of one feature now and then: whose loss changed, beyond that of the other rows of the same days.

What a stormy week does to everybody is taken away by holding a group against the other rows of its days. What is left
differs from day to day, and days hang together (see `serial`); a group that is there on few days, as a temperature is,
has that many degrees of freedom less (effective number of clusters: Kish, Survey Sampling, 1965).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.drift.losses import LOSS, ROWS, Losses
from workbench.drift.serial import MOST, inflation

Floats = NDArray[np.float64]

SUPPORT = 100
"""Rows of a group, on either side, below which it is not judged."""


@dataclass(frozen=True)
class Side:
    """The groups of one feature in one period; (groups,) each."""

    shares: Floats
    loss: Floats
    """Beyond that of all rows."""
    beyond: Floats
    """Loss beyond that of the other rows of the same days."""
    variance: Floats
    """Of the last, as days differ."""
    floor: Floats
    """Of the last, were rows independent."""
    days: Floats
    """How many days it is an average of: fewer than there are where most rows are of few."""
    known: NDArray[np.bool_]
    """Enough to be judged."""
    products: tuple[float, float]
    """Of what is left of each day with the next day's, and with itself; over all groups."""
    length: int
    """Days that there are."""

    @classmethod
    def of(cls, sums: Floats, whole: Losses) -> Side:
        rows, loss = sums[..., ROWS], sums[..., LOSS]
        held, every = rows.sum(axis=0), rows.sum(axis=1, keepdims=True)
        safe, total = np.maximum(held, 1), max(1.0, float(every.sum()))
        others = (loss.sum(axis=1, keepdims=True) - loss) / np.maximum(every - rows, 1)
        each = loss - rows * others
        beyond = each.sum(axis=0) / safe
        days = held**2 / np.maximum(np.square(rows).sum(axis=0), 1)
        left = each - rows * beyond
        spread = np.square(left).sum(axis=0) / safe**2 * days / np.maximum(days - 1, 0.5)
        follows = np.diff(np.array(whole.days, dtype="datetime64[D]")) == np.timedelta64(1, "D")
        products = float((left[1:] * left[:-1])[follows].sum()), float(np.square(left).sum())
        variance = max(0.0, whole.squares / total - float(loss.sum() / total) ** 2)
        return cls(
            held / total, loss.sum(axis=0) / safe - loss.sum() / total, beyond,
            spread, variance / safe, days, held >= SUPPORT, products, len(rows),
        )  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """The groups of one feature, now against then; (groups,) each."""

    now: Floats
    """Share of rows."""
    mix: float
    worse: Floats
    """Change of the loss beyond that of the same days' other rows."""
    error: Floats
    free: Floats
    """Degrees of freedom."""
    judged: NDArray[np.bool_]

    @classmethod
    def of(cls, now: Side, then: Side, *, careful: bool = False) -> Compared:
        """`careful` takes a window that is wilder than the reference for half as wild as it is, on a logarithmic scale.

        A week has six degrees of freedom: what it says of its own variance is shrunk towards what all days say (empirical
        Bayes: Smyth, 2004). Taken at its word, a slice whose labels were turned round hides in the wildness this makes.
        """
        products, squares = np.add(now.products, then.products)
        together = float(np.clip(products / squares, 0, MOST)) if squares > 0 else 0.0
        here = np.maximum(now.variance * inflation(now.length, together), now.floor)
        there = np.maximum(then.variance * inflation(then.length, together), then.floor)
        # What the reference never had cannot have got worse, but costs what it costs beyond the other rows.
        usual, noise, days = np.where(then.known, (then.beyond, there, then.days), ((0.0,), (0.0,), (1.0,)))
        # A window knows hardly more than one Monday: how much Mondays differ, both say together.
        free = now.days + days - 2
        total = here * now.days * (now.days - 1) + noise * days * (days - 1)
        daily = total / np.maximum(free, 1)
        ours = np.maximum(daily / np.maximum(now.days, 1), now.floor)
        if careful:
            ours = np.maximum(ours, np.sqrt(ours * here))
        theirs = np.where(then.known, daily / days, 0.0)
        return cls(
            now.shares, float(np.sum((now.shares - then.shares) * then.loss)), now.beyond - usual,
            np.sqrt(ours + theirs), free, now.known & (free >= 1),
        )  # fmt: skip
