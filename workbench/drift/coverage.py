"""Which answers have an outcome: how many, and whether they are answers like the others.

Where outcomes come for some answers sooner or more often than for others, what is measured on them does not hold for all.
Outcomes that come late are missing by day, which says nothing about selection; so the answers with an outcome are held
against answers drawn blindly from the same days, as many a day (permutation within strata: Good, 2005).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.drift.distances import jensen_shannon

Counts = NDArray[np.int64]

DRAWS = 200
QUANTILE = 0.99
MATTERS = 0.05
"""Distance below which a selection, however certain, changes no metric worth mentioning."""


@dataclass(frozen=True)
class Coverage:
    """Of a window's rows."""

    rows: int
    outcomes: int
    distance: float
    """Jensen-Shannon, of answers with an outcome from what blind choice would give; 0 where all or none have one."""
    limit: float
    """Above it, not by chance."""

    @property
    def missing(self) -> int:
        return self.rows - self.outcomes

    @property
    def selective(self) -> bool:
        """Outcomes are not missing at random: what is measured does not hold for the other rows."""
        return self.distance > self.limit

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"missing": self.missing, "selective": self.selective}


def coverage(answers: Counts, labelled: Counts, seed: int = 0) -> Coverage:
    """`answers` and `labelled` (days, slots): all rows' answers, and those of the rows with an outcome."""
    rows, outcomes = int(answers.sum()), int(labelled.sum())
    if not 0 < outcomes < rows:
        return Coverage(rows, outcomes, 0.0, MATTERS)
    totals = np.maximum(answers.sum(axis=1, keepdims=True), 1)
    expected = (answers / totals * labelled.sum(axis=1, keepdims=True)).sum(axis=0)
    generator = np.random.default_rng(seed)
    drawn = np.zeros((DRAWS, answers.shape[1]), dtype=np.int64)
    for every, some in zip(answers, labelled.sum(axis=1).tolist(), strict=True):
        if 0 < some < every.sum():
            drawn += generator.multivariate_hypergeometric(every, some, DRAWS, method="marginals")
        elif some:
            drawn += every
    chance = float(np.quantile(jensen_shannon(expected, drawn), QUANTILE))
    found = float(jensen_shannon(expected, labelled.sum(axis=0)))
    return Coverage(rows, outcomes, found, max(chance, MATTERS))
