"""One tick after another: what is decided goes to the ledger, and requests say where they came from."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from workbench import ledger_leases as leases
from workbench import ledger_queue as queue
from workbench import ledger_triggers
from workbench.digests import Digests
from workbench.events import RunFinished, RunStarted
from workbench.ledger import Ledger
from workbench.ledger_alerts import Window, record
from workbench.loading import load_pipeline
from workbench.monitors import Finding, Monitors, Quality
from workbench.pipeline import Pipeline
from workbench.processes import Process
from workbench.service.asking import look_at
from workbench.service.clock import Clock
from workbench.service.scheduler import Scheduler
from workbench.service.world import files, world
from workbench.settings import Project

MONDAY = datetime(2026, 3, 2, 6, tzinfo=ZoneInfo("UTC")).timestamp()
PIPELINE = """\
pipeline: p
steps:
  a: {notebook: a.ipynb}
triggers:
  - {schedule: "0 * * * *", params: {x: 7}}
  - {new_data: "data/*.csv"}
  - {alert: {model: m}}
  - {staleness: 1d}
"""


@pytest.fixture
def pipeline(project: Project, write_notebook: Any, write_pipeline: Any) -> Pipeline:
    write_notebook("a.ipynb", "x", parameters="x: int = 1\nsince: str = ''\nuntil: str = ''")
    write_pipeline("p", PIPELINE)
    return load_pipeline("p", project=project)


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with Ledger.open(project) as found:
        yield found


def look(ledger: Ledger, pipeline: Pipeline, name: str, now: float) -> list[queue.Request]:
    """Decide about one trigger; the requests that it made."""
    project = pipeline.project
    (trigger,) = (each for each in pipeline.triggers if each.name == name)
    known = ledger_triggers.known(ledger, "p", name, now)
    digests = Digests(project.root, project.store / "digests.json")
    seen = world(project, ledger, digests, "p", trigger, now, 300.0)
    _, made = look_at(ledger, pipeline, trigger, known, seen)
    return [queue.request(ledger, number) for number in made]


def test_a_slots_request_has_its_window_and_the_triggers_values(ledger: Ledger, pipeline: Pipeline) -> None:
    assert look(ledger, pipeline, "schedule", MONDAY + 1) == []
    (first,) = look(ledger, pipeline, "schedule", MONDAY + 3601)
    assert (first.asked_by, first.trigger) == ("service", "schedule")
    assert first.parameters == {"x": 7, "until": "2026-03-02T07:00:00+00:00"}
    (second,) = look(ledger, pipeline, "schedule", MONDAY + 2 * 3601)
    assert second.parameters["since"] == first.parameters["until"]
    assert second.cause["slot"] == MONDAY + 2 * 3600
    assert look(ledger, pipeline, "schedule", MONDAY + 2 * 3602) == []


def test_an_alerts_request_names_it_and_has_the_window_that_showed_it(
    ledger: Ledger, pipeline: Pipeline
) -> None:
    finding = Finding("quality", "x max", "warning", "4 % of the rows", {})
    window = Window("m", 1, MONDAY - 86_400, MONDAY, 100, (finding,))
    ((_, alert),) = record(ledger, window, Monitors(quality=Quality(max_share=0.01))).changes
    (request,) = look(ledger, pipeline, "alert", MONDAY)
    assert request.cause["alert"] == alert.id
    assert request.parameters == {"since": "2026-03-01T06:00:00+00:00", "until": "2026-03-02T06:00:00+00:00"}
    assert look(ledger, pipeline, "alert", MONDAY + 9) == []


def test_a_file_is_new_data_when_nobody_writes_to_it_any_more(ledger: Ledger, pipeline: Pipeline) -> None:
    project = pipeline.project
    digests = Digests(project.root, project.store / "digests.json")
    (project.root / "data").mkdir()
    file = project.root / "data" / "a.csv"
    assert look(ledger, pipeline, "new_data", MONDAY) == []
    file.write_text("1")
    assert files(project, digests, ("data/*.csv",)) == {}
    os.utime(file, (time.time() - 60,) * 2)
    assert files(project, digests, ("data/*.csv",)).keys() == {"data/a.csv"}
    (request,) = look(ledger, pipeline, "new_data", MONDAY + 60)
    assert (request.cause["files"], request.cause["reason"]) == (["data/a.csv"], "1 new: data/a.csv")
    os.utime(file, (time.time() - 30,) * 2)  # touched, and the same
    queue.cancel(ledger, request.id, "ada", MONDAY + 61)
    assert look(ledger, pipeline, "new_data", MONDAY + 62) == []


def test_a_run_by_hand_makes_a_pipeline_fresh(ledger: Ledger, pipeline: Pipeline) -> None:
    ledger.record_all(
        [RunStarted(MONDAY, "r", "p", "p.yaml", {}, (), 1), RunFinished(MONDAY, "r", "done", 1.0)]
    )
    assert look(ledger, pipeline, "staleness", MONDAY + 3600) == []
    (request,) = look(ledger, pipeline, "staleness", MONDAY + 2 * 86_400)
    assert request.cause["last"] == MONDAY


def test_a_scheduler_waits_while_another_has_the_lease(ledger: Ledger, pipeline: Pipeline) -> None:
    said: list[str] = []
    leases.lease(ledger, leases.SCHEDULER, Process("elsewhere", 1, 1.0), 30)
    scheduler = Scheduler(pipeline.project, ledger, Clock(), said.append)
    scheduler.tick()
    scheduler.tick()
    assert (said, queue.requests(ledger), ledger_triggers.states(ledger)) == ([], [], {})


def test_a_pipeline_that_is_wrong_is_left_out_until_it_is_right(
    ledger: Ledger, pipeline: Pipeline, write_pipeline: Any
) -> None:
    said: list[str] = []
    scheduler = Scheduler(pipeline.project, ledger, Clock(), said.append)
    text = PIPELINE.partition("  - {new_data")[0]
    write_pipeline("p", text.replace("0 * * * *", "0 * * *"))
    scheduler.tick()
    scheduler.tick()
    assert [line for line in said if "'p.yaml' is not looked at until it is right" in line] == said[1:]
    assert ledger_triggers.states(ledger) == {}
    write_pipeline("p", text)
    scheduler.tick()
    assert ledger_triggers.states(ledger).keys() == {("p", "schedule")}
