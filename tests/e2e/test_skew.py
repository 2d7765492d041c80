"""Training, batch and online say the same to the last bit: to the same rows, however they are cut into requests."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.e2e.served import Server, served
from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT, rows
from tests.serving.parts import Reviewer
from workbench.modeling import make_estimator
from workbench.scoring.job import score
from workbench.scoring.plan import Asked
from workbench.settings import Project

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]

SIZES = (1, 2, 3, 7, 50, 333)


def trained(algorithm: str, **hyperparameters: Any) -> Any:
    """The Pipeline of tests.registered, fitted in this process: never saved, never loaded."""
    generator = np.random.default_rng(0)
    features = pd.DataFrame({"x": generator.normal(size=80), "k": generator.choice(list("abc"), 80)})
    return make_estimator(algorithm, features, **hyperparameters).fit(
        features, (features["x"] > 0).astype(int)
    )


def ask(server: Server, table: pd.DataFrame) -> list[float]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    try:
        body = {
            "dataframe_split": {"columns": list(table.columns), "data": table.to_numpy(dtype=object).tolist()}
        }
        connection.request("POST", "/invocations", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told = json.loads(answer.read())
        assert answer.status == 200, told
        probabilities: list[float] = told["predictions"]
        return probabilities
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("version", "algorithm", "iterations"), [(WITH_CONTRACT, "boosting", 3), (LOGISTIC, "logistic", 100)]
)
def test_the_same_rows_get_the_same_probabilities_everywhere(
    scoring: Project, version: int, algorithm: str, iterations: int
) -> None:
    table = rows(2_000)[["x", "k"]]
    wanted = trained(algorithm, max_iter=iterations).predict_proba(table)[:, 1]
    assert len(np.unique(wanted)) > 1
    reviewer = Reviewer(scoring)
    reviewer.promote(version)
    reviewer.close()

    table.to_parquet("in.parquet")
    score(scoring, Asked(MODEL, ("in.parquet",), Path("out.parquet")), rows=700)
    assert pd.read_parquet("out.parquet")["probability"].tolist() == wanted.tolist()

    cuts, at = [], 0
    while at < len(table):
        cuts.append(slice(at, at + SIZES[len(cuts) % len(SIZES)]))
        at = cuts[-1].stop
    with served(scoring) as server, ThreadPoolExecutor(12) as pool:
        parts = list(pool.map(lambda cut: ask(server, table[cut]), cuts))
    assert [each for part in parts for each in part] == wanted.tolist()
