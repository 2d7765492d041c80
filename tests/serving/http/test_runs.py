"""`POST /runs`: a run is asked for, and waits in the queue."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serving.http.calling import call
from tests.serving.http.direct import DirectEngine
from workbench import ledger_queue
from workbench.ledger import Ledger
from workbench.scoring.model import Scorer
from workbench.serving.http.app import Application
from workbench.serving.http.request_log import RequestLog
from workbench.settings import Project


@pytest.fixture
def asked(
    project: Project, model: Scorer, write_notebook: Callable[..., Path], write_pipeline: Any
) -> Application:
    write_notebook("a.ipynb", "x", parameters="x: int = 1")
    write_pipeline("train", "pipeline: train\nsteps:\n  a: {notebook: a.ipynb}\n")
    engine = DirectEngine({"late": model})
    asyncio.run(engine.start())
    return Application(project, engine, log=RequestLog(io.BytesIO()))


def test_a_run_waits_in_the_queue(asked: Application, project: Project) -> None:
    told = call(asked, "POST", "/runs", {"pipeline": "train", "parameters": {"x": 3}})
    assert (told.status, told.json()) == (202, {"request": 1, "pipeline": "train", "state": "waiting"})
    with Ledger.open(project) as ledger:
        request = ledger_queue.request(ledger, 1)
    assert (request.parameters, request.asked_by, request.state) == ({"x": 3}, "http", "waiting")


@pytest.mark.parametrize(
    ("body", "reason", "place"),
    [
        ({}, "malformed", None),
        ({"pipeline": "../train"}, "malformed", "/pipeline"),
        ({"pipeline": "train.yaml"}, "malformed", "/pipeline"),
        ({"pipeline": "train", "parameters": [3]}, "malformed", "/parameters"),
        ({"pipeline": "tran"}, "pipeline", "/pipeline"),
        ({"pipeline": "train", "parameters": {"y": 3}}, "pipeline", "/parameters/y"),
        ({"pipeline": "train", "parameters": {"x": "three"}}, "pipeline", "/parameters/x"),
    ],
)
def test_what_cannot_be_run_is_refused(
    asked: Application, project: Project, body: dict[str, Any], reason: str, place: str | None
) -> None:
    told = call(asked, "POST", "/runs", body)
    assert (told.status, told.reason) == (422, reason)
    assert str(project.root) not in told.body.decode()
    assert place is None or place in [each["at"] for each in told.json()["error"]["wrong"]]
    with Ledger.open(project) as ledger:
        assert ledger_queue.requests(ledger) == []
