"""How often the champion comparison is fooled: two models of which neither is better, and two of which one is.

Both get the real labels of the flights' test weeks and the same forecast; each answers with an error of its own, drawn anew
for every repetition. With errors of equal size neither model is better, whatever these rows make of it, so each "better" or
"worse" is false. With errors of unequal size the first one is better.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.evaluation import bootstrap_weights
from workbench.evidence import difference
from workbench.gates import compared

ROWS, DAYS, REPETITIONS, RESAMPLES = 6_000, 21, 200, 200
NOISE = 0.25
"""Standard deviation of a model's own error, in logits."""


def measure(repetitions: int = REPETITIONS) -> dict[str, Any]:
    """Shares of outcomes over the repetitions, and what they should be at most or at least."""
    found = {
        "equal": {"better": 0, "equivalent": 0, "worse": 0},
        "better": {"better": 0, "equivalent": 0, "worse": 0},
    }
    for seed in range(repetitions):
        found["equal"][_outcome(seed, NOISE, NOISE)] += 1
        found["better"][_outcome(seed, NOISE, 4 * NOISE)] += 1
    shares = {
        case: {outcome: count / repetitions for outcome, count in counts.items()}
        for case, counts in found.items()
    }
    return {
        "repetitions": repetitions,
        "equal models": shares["equal"],
        "better model": shares["better"],
        "targets": {"equal models, better": "<= 0.05", "better model, better": ">= 0.95"},
        "passed": shares["equal"]["better"] <= 0.05 and shares["better"]["better"] >= 0.95,
    }


def _outcome(seed: int, ours: float, theirs: float) -> str:
    generator = np.random.default_rng(seed)
    days = np.repeat(np.arange(DAYS), ROWS // DAYS + 1)[:ROWS]
    # A bad day is bad for all its flights: rows are not independent, and the bootstrap must know it.
    truth = generator.normal(-1.2, 0.8, ROWS) + generator.normal(0, 0.5, DAYS)[days]
    labels = (generator.random(ROWS) < _sigmoid(truth)).astype(int)
    one = _sigmoid(truth + generator.normal(0, ours, ROWS))
    two = _sigmoid(truth + generator.normal(0, theirs, ROWS))
    weights = bootstrap_weights(ROWS, RESAMPLES, seed=seed, groups=days)
    return compared(difference(labels, one, two, weights)["log_loss"], 0.0, higher_is_better=False)


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logits))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
