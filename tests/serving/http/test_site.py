"""Health, versions, the OpenAPI document, metrics, the log of requests, and errors that nobody expected."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.serving.http.calling import call
from tests.serving.http.direct import FLIGHTS, DirectEngine, flights
from tests.serving.http.test_protocols import records
from workbench.contracts.contract import Column, Contract
from workbench.scoring.model import Scorer
from workbench.serving.answers import Answer, Question, Refused
from workbench.serving.http.app import Application
from workbench.serving.http.request_ids import new_request
from workbench.serving.http.request_log import RequestLog
from workbench.serving.http.schemas import column_schema, example_of
from workbench.setting_keys import Serving
from workbench.settings import Project

ROWS = {"rows": records(flights(3))}
REPOSITORY = Path(__file__).parents[3]


def made(project: Project, engine: DirectEngine) -> tuple[Application, io.BytesIO, RequestLog]:
    """An application of one's own, started, with what it logs."""
    stream = io.BytesIO()
    log = RequestLog(stream)
    log.start()
    asyncio.run(engine.start())
    return Application(project, engine, log=log), stream, log


def lines(stream: io.BytesIO, log: RequestLog) -> list[dict[str, Any]]:
    log.stop()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_live_and_ready_differ(folder: Project, model: Scorer) -> None:
    engine = DirectEngine({"late": model})
    app = Application(folder, engine, log=RequestLog(io.BytesIO()))
    for path in ("/ping", "/health", "/v2/health/ready", "/v2/models/late/ready"):
        assert call(app, "GET", path).status == 503, path
    assert call(app, "GET", "/v2/health/live").status == 200
    waiting = call(app, "POST", "/predict/late", ROWS)
    assert (waiting.status, waiting.reason, waiting.headers["retry-after"]) == (503, "not-ready", "1")
    asyncio.run(engine.start())
    for path in ("/ping", "/health", "/v2/health/ready", "/v2/models/late/ready"):
        assert call(app, "GET", path).status == 200, path


def test_what_serves_is_told(app: Application) -> None:
    said = call(app, "GET", "/version").json()
    assert said["models"]["late"]["version"] == 3
    assert said["models"]["late"].keys() == {
        "version", "digest", "ready", "since", "alert", "canary", "share", "shadow", "shadowed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/nothing", 404, "not-found"), ("GET", "/predict/late", 405, "method-not-allowed"),
        ("PUT", "/predict/late", 405, "method-not-allowed"), ("POST", "/version", 405, "method-not-allowed"),
        ("GET", "/docs/../app.py", 404, "not-found"), ("GET", "/docs/nothing.js", 404, "not-found"),
        ("GET", "/v2/models/x", 404, "no-such-model"), ("POST", "/outcomes", 415, "media-type"),
        ("GET", "/predict/", 404, "not-found"), ("GET", "//", 404, "not-found"),
    ],
)  # fmt: skip
def test_paths_that_are_none(app: Application, method: str, path: str, status: int, reason: str) -> None:
    said = call(app, method, path)
    assert (said.status, said.reason) == (status, reason)
    assert len(said.headers["x-request-id"]) == 32


def test_with_several_models_one_is_named(folder: Project, model: Scorer) -> None:
    app, _, log = made(folder, DirectEngine({"late": model, "early": model}))
    log.stop()
    said = call(app, "POST", "/invocations", {"dataframe_records": ROWS["rows"]})
    assert (said.status, said.reason) == (404, "no-such-model")
    for name in ("late", "early"):
        said = call(app, "POST", f"/endpoints/{name}/invocations", {"dataframe_records": ROWS["rows"]})
        assert (said.status, said.headers["x-model"]) == (200, name)
    assert "/invocations" not in call(app, "GET", "/openapi.json").json()["paths"]


def test_the_document_follows_the_version_that_serves(folder: Project, model: Scorer) -> None:
    engine = DirectEngine({"late": model})
    app, _, log = made(folder, engine)
    log.stop()
    before = call(app, "GET", "/openapi.json").json()
    row = before["components"]["schemas"]["late.Row"]
    assert row["properties"]["hour"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": 23,
        "description": "from 0 to 23",
    }
    assert row["properties"]["carrier"]["enum"] == ["AA", "B6", "UA", "ÜX"]
    assert row["properties"]["dest"]["pattern"] == "^(?:[A-Z0-9]{3})$"
    assert row["properties"]["temp"]["type"] == ["number", "null"]
    assert row["required"] == ["hour", "seats", "temp", "carrier", "dest"]
    assert not row["additionalProperties"]
    changed = replace(
        model.contract,
        columns=tuple(
            replace(each, max=12) if each.name == "hour" else each for each in model.contract.columns
        ),
    )
    engine.serve("late", replace(model, contract=changed), 4)
    after = call(app, "GET", "/openapi.json").json()
    assert after["components"]["schemas"]["late.Row"]["properties"]["hour"]["maximum"] == 12
    assert after["info"]["version"] == "late 4"
    noon = {"rows": [{**ROWS["rows"][0], "hour": 13}]}
    assert call(app, "POST", "/predict/late", noon).status == 422


@pytest.mark.parametrize(
    ("column", "schema"),
    [
        (Column("a", "int"), {"type": "integer", "minimum": -(2**53), "maximum": 2**53}),
        (Column("a", "float", nullable=True, min=0, help="share"), {"type": ["number", "null"], "minimum": 0, "description": "share; from 0"}),
        (Column("a", "float", min=0, severity="warn"), {"type": "number", "description": "from 0"}),
        (Column("a", "bool"), {"type": "boolean"}),
        (Column("a", "category", nullable=True, values=("x", "y")), {"type": ["string", "null"], "enum": ["x", "y", None]}),
        (Column("a", "date", min="2013-01-01"), {"type": "string", "format": "date", "description": "from 2013-01-01"}),
        (Column("a", "datetime"), {"type": "string", "format": "date-time"}),
        (Column("a", "text", pattern=r"(?P<x>a)\Z"), {"type": "string", "maxLength": 10_000}),
    ],
)  # fmt: skip
def test_a_column_in_json_schema(column: Column, schema: dict[str, Any]) -> None:
    assert column_schema(column, Serving()) == schema


def test_without_golden_requests_an_example_is_made_of_the_contract() -> None:
    assert example_of(FLIGHTS) == {"hour": 0, "seats": 1, "temp": -40, "carrier": "AA", "dest": None}
    assert example_of(Contract("c", (Column("at", "datetime"), Column("b", "bool")))) == {
        "at": "2013-06-30",
        "b": True,
    }


def test_the_documentation_comes_from_this_server_alone(app: Application) -> None:
    page = call(app, "GET", "/docs")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert b"http" not in page.body
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "page.css", "favicon.png"):
        assert call(app, "GET", f"/docs/{name}").status == 200, name


def test_each_request_is_counted_and_timed(folder: Project, model: Scorer) -> None:
    app, _, log = made(folder, DirectEngine({"late": model}))
    log.stop()
    call(app, "POST", "/predict/late", ROWS)
    call(app, "POST", "/predict/late", {})
    for path in ("/v2/models/late", "/v2/models/none", "/nothing/at/all"):
        call(app, "GET", path)
    text = call(app, "GET", "/metrics").body.decode()
    assert 'workbench_requests_total{model="late",route="predict",status="200"} 1.0' in text
    assert 'workbench_requests_total{model="late",route="predict",status="422"} 1.0' in text
    assert 'workbench_request_seconds_count{model="late",route="predict"} 2.0' in text
    assert 'workbench_rows_total{kind="champion",model="late"} 3.0' in text
    for route, status in (("/v2/models/{model}", 200), ("/v2/models/{model}", 404), ("other", 404)):
        assert f'workbench_requests_total{{model="",route="{route}",status="{status}"}} 1.0' in text
    assert 'workbench_model_info{digest="' in text
    assert 'workbench_model_ready{model="late"} 1.0' in text


WORKER = """
import sys
from types import SimpleNamespace
from workbench.serving.http.metrics import Metrics

metrics = Metrics()
metrics.request("late", "predict", 200, 0.01)
metrics.batch("late", 5, 0.002)
metrics.serving([SimpleNamespace(model="late", version=int(sys.argv[1]), digest="d", ready=True, alert="")])
sys.stdout.buffer.write(metrics.text() + b"end\\n")
sys.stdout.flush()
sys.stdin.read()
"""


def test_any_of_several_workers_answers_for_all_of_them(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", WORKER]
    texts = []
    with ExitStack() as workers:
        for version in ("3", "4"):
            worker = workers.enter_context(
                subprocess.Popen(
                    [*command, version],
                    cwd=REPOSITORY,
                    env=env,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            assert worker.stdin is not None
            assert worker.stdout is not None
            workers.callback(worker.stdin.close)
            texts.append(b"".join(iter(worker.stdout.readline, b"end\n")).decode())
    assert 'workbench_requests_total{model="late",route="predict",status="200"} 1.0' in texts[0]
    assert 'workbench_requests_total{model="late",route="predict",status="200"} 2.0' in texts[1]
    assert 'workbench_batch_rows_sum{model="late"} 10.0' in texts[1]
    for version in (3, 4):
        assert f'workbench_model_info{{digest="d",model="late",version="{version}"}} 1.0' in texts[1]


def test_each_request_is_a_line_of_the_log_without_what_was_asked(folder: Project, model: Scorer) -> None:
    app, stream, log = made(folder, DirectEngine({"late": model}))
    good = call(app, "POST", "/predict/late", {"rows": [{**ROWS["rows"][0], "dest": "QQQ", "temp": 12.625}]})
    bad = call(app, "POST", "/predict/late", {"rows": [{**ROWS["rows"][0], "temp": "secret"}]})
    first, second = lines(stream, log)
    assert first["request"] == good.headers["x-request-id"]
    assert first["ms"] > 0
    assert {name: first[name] for name in ("event", "method", "route", "model", "version", "kind", "rows", "status", "caller")} == {
        "event": "request", "method": "POST", "route": "predict", "model": "late", "version": 3, "kind": "champion",
        "rows": 1, "status": 200, "caller": None,
    }  # fmt: skip
    assert (second["request"], second["status"]) == (bad.headers["x-request-id"], 422)
    assert (second["reason"], second["at"]) == ("contract", ["/rows/0/temp"])
    for word in (b"QQQ", b"12.625", b"secret"):
        assert word not in stream.getvalue()


class Broken(DirectEngine):
    """An engine whose model fails."""

    error: Exception

    async def ask(self, question: Question) -> Answer:
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("/etc/secret at 0x7f"), "internal"),
        (Refused(500, "model", "/etc/secret at 0x7f"), "model"),
    ],
)
def test_an_error_that_nobody_expected_has_a_number_and_no_internals(
    folder: Project, model: Scorer, error: Exception, reason: str
) -> None:
    engine = Broken({"late": model})
    engine.error = error
    app, stream, log = made(folder, engine)
    said = call(app, "POST", "/predict/late", ROWS)
    assert (said.status, said.reason) == (500, reason)
    assert b"secret" not in said.body
    failure, request = lines(stream, log)
    assert failure["request"] == request["request"] == said.json()["error"]["request"]
    assert "/etc/secret at 0x7f" in failure["trace"]


def test_a_log_that_nobody_reads_keeps_no_request_waiting(folder: Project, model: Scorer) -> None:
    reading, writing = threading.Event(), threading.Event()

    class Stuck(io.BytesIO):
        def write(self, content: Any, /) -> int:
            writing.set()
            reading.wait()
            return super().write(content)

    stream = Stuck()
    log = RequestLog(stream)
    log.start()
    log.line(event="first")
    writing.wait()
    for number in range(10_100):
        log.line(event="more", number=number)
    reading.set()
    found = lines(stream, log)
    assert found[0]["event"] == "first"
    assert {"event": "dropped", "lines": 100}.items() <= next(
        each for each in found if each["event"] == "dropped"
    ).items()


def test_request_ids_are_uuids_of_version_7_in_order() -> None:
    found = [new_request() for _ in range(1000)]
    assert len({*found}) == 1000
    assert {each[12] for each in found} == {"7"}
    assert {each[16] for each in found} <= set("89ab")
    assert [each[:15] for each in found] == sorted(each[:15] for each in found)
