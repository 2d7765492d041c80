"""HTTP before the engine that serves, a registered champion and the prediction log: asked, swapped, on record, found."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT, rows
from tests.serving.http.listening import listening
from tests.serving.parts import PATIENCE, Reviewer
from workbench import predictions
from workbench.prediction_log.log import PredictionLog
from workbench.registry import load
from workbench.scoring.model import scorer_of
from workbench.serving.engine import Engine
from workbench.serving.http.app import Application
from workbench.serving.http.metrics import Metrics
from workbench.serving.http.request_log import RequestLog
from workbench.settings import Project


@dataclass(frozen=True)
class Server:
    project: Project
    url: str

    def post(self, path: str, body: Any) -> Any:
        said = requests.post(self.url + path, json=body, timeout=30)
        assert said.status_code == 200, said.text
        return said.json()

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=30)


@pytest.fixture
def server(scoring: Project, reviewer: Reviewer) -> Iterator[Server]:
    metrics = Metrics()
    with PredictionLog.open(scoring) as log:
        engine = Engine(scoring, [MODEL], metrics.timed(log), scoring.serve, metrics.batch)
        app = Application(scoring, engine, metrics=metrics, log=RequestLog(io.BytesIO()))
        with listening(app, scoring.serve) as at:
            yield Server(scoring, f"http://{at}")


def asked(count: int, seed: int = 1) -> list[dict[str, Any]]:
    return json.loads(rows(count, seed)[["x", "k"]].to_json(orient="records", double_precision=15))


def test_what_was_answered_is_on_record_and_its_outcome_finds_it(server: Server) -> None:
    said = server.post(f"/predict/{MODEL}", {"rows": asked(3)})
    scorer = scorer_of(load(server.project, MODEL, WITH_CONTRACT), with_contract=True)
    frame = rows(3)[["x", "k"]]
    assert [each["probability"] for each in said["predictions"]] == scorer.probabilities(frame).tolist()
    ids = [each["id"] for each in said["predictions"]]
    counted = server.post("/outcomes", {"outcomes": [{"id": ids[0], "late": 1}, {"id": ids[1], "late": 7}]})
    assert (counted["added"], counted["wrong"], counted["unknown"]) == (1, 1, 0)
    assert (
        server.post("/outcomes", {"model": MODEL, "outcomes": [{"id": ids[0], "outcome": 1}]})["known"] == 1
    )
    found = predictions.find(server.project, ids[0])
    assert found is not None
    assert found.outcome == 1
    wrong = requests.post(server.url + "/outcomes", json={"outcomes": [{"idd": "x", "late": 1}]}, timeout=30)
    assert (wrong.status_code, wrong.json()["error"]["reason"]) == (422, "outcomes")
    odd = requests.post(
        server.url + "/outcomes", json={"outcomes": [{"id": {"a": 1}, "late": 1}]}, timeout=30
    )
    assert (odd.status_code, odd.json()["error"]["wrong"][0]["at"]) == (422, "/outcomes/0/id")
    other = requests.post(
        server.url + "/outcomes", json={"model": "n", "outcomes": [{"id": "x"}]}, timeout=30
    )
    assert (other.status_code, other.json()["error"]["reason"]) == (404, "no-such-model")


def test_a_promotion_is_met_by_answers_document_and_metrics(server: Server, reviewer: Reviewer) -> None:
    before = server.get("/openapi.json").json()
    golden = before["paths"][f"/predict/{MODEL}"]["post"]["requestBody"]["content"]["application/json"][
        "example"
    ]
    assert server.post(f"/predict/{MODEL}", golden)["version"] == WITH_CONTRACT
    reviewer.promote(LOGISTIC)
    deadline = time.monotonic() + PATIENCE
    while server.post(f"/predict/{MODEL}", golden)["version"] != LOGISTIC:
        assert time.monotonic() < deadline
    assert server.get("/version").json()["models"][MODEL]["version"] == LOGISTIC
    assert server.get("/openapi.json").json()["info"]["version"] == f"{MODEL} {LOGISTIC}"
    text = server.get("/metrics").text
    assert f'workbench_swaps_total{{model="{MODEL}"}} 1.0' in text
    assert f'workbench_batch_rows_count{{model="{MODEL}"}}' in text
    assert "workbench_log_seconds_count" in text
    lines = [line for line in text.splitlines() if line.startswith("workbench_model_info{")]
    assert sorted(line.rpartition(" ")[2] for line in lines) == ["0.0", "1.0"]
