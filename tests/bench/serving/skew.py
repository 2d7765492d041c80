"""Training–serving skew: the same rows to the Pipeline that was trained, in batch, and online in requests of all sizes."""

from __future__ import annotations

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from served import MODEL, Flights, scoring, serving, split_body

from workbench.contracts.contract import read_contract
from workbench.modeling import make_estimator
from workbench.scoring.job import score
from workbench.scoring.plan import Asked

SIZES = (1, 2, 3, 7, 50, 333, 1_000)
AT_ONCE = 16


def measure(flights: Flights, algorithm: str = "boosting") -> dict[str, Any]:
    """How many of the rows get another probability in batch, or online, than in the process that trains."""
    rows = flights.features
    trained = _trained(algorithm).predict_proba(rows)[:, 1]
    batch = _batch(flights)
    online = _online(flights)
    found = {
        name: {
            "different": int((answers != trained).sum()),
            "largest_difference": float(np.abs(answers - trained).max()),
        }
        for name, answers in (("batch", batch), ("online", online))
    }
    where = {"batch": "in batch", "online": "online"}
    return {
        "rows": len(rows),
        "algorithm": algorithm,
        "different_probabilities": len(np.unique(trained)),
        **found,
        "facts": {
            f"{algorithm}: of {len(rows):,} rows {each['different']} get another probability {where[name]} than in training "
            f"(by at most {each['largest_difference']:.1g})": each["different"] == 0
            for name, each in found.items()
        },
    }


def _trained(algorithm: str) -> Any:
    """The Pipeline of the version, fitted once more in this process: it was never saved or loaded."""
    sample = scoring.flights().sample(scoring.TRAINED_ON, random_state=0)
    features = sample[list(read_contract(scoring.CONTRACT).features)]
    return make_estimator(algorithm, features).fit(features, sample["late"])


def _batch(flights: Flights) -> NDArray[np.float64]:
    folder = flights.project.root
    flights.features.to_parquet(folder / "skew.parquet")
    output = Path(folder / "skew-scores.parquet")
    score(flights.project, Asked(MODEL, (str(folder / "skew.parquet"),), output), rows=4_096)
    scores: NDArray[np.float64] = pd.read_parquet(output)["probability"].to_numpy()
    return scores


def _online(flights: Flights) -> NDArray[np.float64]:
    starts, at = [], 0
    while at < len(flights.features):
        starts.append((at, SIZES[len(starts) % len(SIZES)]))
        at += starts[-1][1]
    answers = np.full(len(flights.features), np.nan)
    with serving(flights.project) as address, ThreadPoolExecutor(AT_ONCE) as pool:

        def ask(part: tuple[int, int]) -> None:
            start, size = part
            rows = flights.features.iloc[start : start + size]
            request = urllib.request.Request(
                f"{address}/invocations", split_body(rows), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                answers[start : start + size] = json.load(answer)["predictions"]

        list(pool.map(ask, starts))
    return answers
