"""What the log does not say of requests is counted by the server, and on record when it ends."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import MutableMapping
from typing import Any

from tests.serving.http.calling import Said, called
from tests.serving.http.direct import DirectEngine, flights
from workbench.prediction_log.places import models
from workbench.prediction_log.tallies import Requests, requests
from workbench.scoring.model import Scorer
from workbench.serving.http.app import Application
from workbench.serving.http.request_log import RequestLog
from workbench.settings import Project

GOOD: dict[str, Any] = json.loads(flights(1, seed=3).to_json(orient="records"))[0] | {
    "seats": 100,
    "dest": "LAX",
}


async def served(app: Application, *questions: tuple[str, Any]) -> list[Said]:
    """A server from its start to its end, asked these between."""
    orders: asyncio.Queue[str] = asyncio.Queue()
    told: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()

    async def receive() -> dict[str, str]:
        return {"type": await orders.get()}

    life = asyncio.create_task(app({"type": "lifespan"}, receive, told.put))
    await orders.put("lifespan.startup")
    await told.get()
    said = [
        await called(app, "POST", path, json.dumps(body).encode(), content_type="application/json")
        for path, body in questions
    ]
    await orders.put("lifespan.shutdown")
    await life
    return said


def test_what_came_of_requests(project: Project, model: Scorer) -> None:
    app = Application(project, DirectEngine({"late": model}), log=RequestLog(io.BytesIO()))
    since = time.time() - 60

    def asked(**changed: Any) -> tuple[str, Any]:
        return "/predict/late", {"rows": [{**GOOD, **changed}]}

    said = asyncio.run(served(
        app, asked(), asked(), asked(hour=99), asked(hour=98, carrier="ZZ"), asked(temp="warm"),
        ("/predict/late", {"no": "rows"}), ("/predict/early", {"rows": [GOOD]}),
    ))  # fmt: skip
    assert [each.status for each in said] == [200, 200, 422, 422, 422, 422, 404]
    found = requests(project, "late", since, time.time() + 60)
    assert (found.total, found.errors, found.statuses) == (6, 0, {200: 2, 422: 4})
    assert found.rules == {
        "hour is outside 0 to 23": 2,
        "carrier is not an allowed value": 1,
        "temp is a text": 1,
    }
    assert found.reasons["contract"] == 3
    assert models(project) == ["late"]
    assert requests(project, "early", since, time.time() + 60) == Requests()


def test_a_record_that_cannot_be_written_stops_no_answer(project: Project, model: Scorer) -> None:
    lines = io.BytesIO()
    app = Application(project, DirectEngine({"late": model}), log=RequestLog(lines))
    project.state.mkdir()
    (project.state / "predictions").write_text("in the way")
    (said,) = asyncio.run(served(app, ("/predict/late", {"rows": [GOOD]})))
    assert said.status == 200
    assert b"the prediction log cannot write" in lines.getvalue()
