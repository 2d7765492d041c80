"""How good answers probably are before outcomes come: performance estimated from the answers alone.

Confidence-based performance estimation: if a probability is right, it says how often the answer will turn out wrong
(Guillory et al., Predicting with Confidence on Unseen Distributions, 2021; Bialek, Kuberski, Perrakis and Bifet, Estimating
Model Performance Under Covariate Shift Without Labels, 2024). Probabilities are first corrected by how often they were
right in the reference (isotonic regression: Zadrozny and Elkan, 2002). It sees that harder rows came, and is blind to rows that
became harder: where the world changed, it stays calm. So wherever outcomes did come, what it would have said of these rows
is told beside what was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.drift.graded import Graded, metrics_of

Floats = NDArray[np.float64]

ESTIMATED = ("auc", "log_loss", "brier")


@dataclass(frozen=True)
class Estimate:
    """One metric, without outcomes."""

    metric: str
    value: float
    """Of all rows of the window, estimated."""
    checked: float | None
    """Of the rows whose outcome came, estimated in the same way; None while none came."""
    measured: float | None
    """Of the same rows, measured."""

    @property
    def wrong(self) -> float | None:
        """Estimated minus measured: how far the estimate was off."""
        return None if self.checked is None or self.measured is None else self.checked - self.measured

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"wrong": self.wrong}


def estimates(answers: Floats, reference: Graded, outcomes: Graded | None = None) -> dict[str, Estimate]:
    """Metrics of a window's answers, (cells,) rows of each cell of the reference; checked by the outcomes that came."""
    found = _expected(answers, reference)
    if outcomes is None or not outcomes.rows:
        return {name: Estimate(name, found[name], None, None) for name in ESTIMATED}
    cells = outcomes.counts.sum(axis=0)
    said = _expected(cells.sum(axis=0), reference)
    was = {name: float(each[0]) for name, each in metrics_of(cells[None], outcomes).items()}
    return {name: Estimate(name, found[name], said[name], was[name]) for name in ESTIMATED}


def _expected(answers: Floats, reference: Graded) -> Mapping[str, float]:
    """What the metrics are if each answer comes true as often as answers like it did in the reference."""
    held = reference.counts.sum(axis=0)
    edges = np.asarray(reference.edges)
    middle = np.append(edges, 1.0) / 2 + np.concatenate([[0.0], edges]) / 2
    rows = held.sum(axis=0)
    said = np.where(rows > 0, reference.sums[0].sum(axis=0) / np.maximum(rows, 1), middle)
    rate = calibrated(said, held)
    late = answers * rate
    clipped = np.clip(said, 1e-15, 1 - 1e-15)
    pairs = late.sum() * (answers - late).sum()
    below = np.cumsum(answers - late) - (answers - late) / 2
    total = max(1.0, float(answers.sum()))
    return {
        "auc": float((late * below).sum() / pairs) if pairs else float("nan"),
        "log_loss": float(-(late * np.log(clipped) + (answers - late) * np.log1p(-clipped)).sum() / total),
        "brier": float((late * (1 - said) ** 2 + (answers - late) * said**2).sum() / total),
    }


def calibrated(said: Floats, held: NDArray[np.int64]) -> Floats:
    """How often answers of each cell came true in the reference, never falling: pool adjacent violators (Ayer et al., 1955).

    `said` (cells,) are mean answers, `held` (2, cells) rows by label. A cell that the reference has no rows of is between
    its neighbours, or as the last one.
    """
    blocks: list[tuple[float, float]] = []
    sizes: list[int] = []
    known = np.flatnonzero(held.sum(axis=0))
    for late, rows in zip(held[1, known].tolist(), held[:, known].sum(axis=0).tolist(), strict=True):
        blocks.append((late, rows))
        sizes.append(1)
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            (a, n), (b, m) = blocks.pop(), blocks.pop()
            blocks.append((a + b, n + m))
            sizes.append(sizes.pop() + sizes.pop())
    rates = np.repeat([late / rows for late, rows in blocks], sizes)
    found: Floats = np.interp(said, said[known], rates)
    return found
