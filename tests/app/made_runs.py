"""Runs, requests, slots and triggers of a made project, in the ledger by bulk inserts.

Everything follows from the number of a run, so a test can say what must be there: every 8th failed (in `train`, at its
second branch), every 8th after it was cached but for one step, every 20th was interrupted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import ledger_schema as schema
from workbench.ledger import Ledger
from workbench.settings import Project

if TYPE_CHECKING:
    from tests.app.projects import Scale

HOUR, DAY = 3600.0, 86_400.0
STEPS = {
    "train": ("ingest", "train[algorithm=baseline]", "train[algorithm=boosting]", "evaluate"),
    "score": ("score",),
}
FAILS = "train[algorithm=boosting]"
FAILING_CELL = 3
"""Position in the executed notebook, from 0."""
READABLE = 16
"""The newest runs whose executed notebooks are there."""

Row = dict[str, Any]


def fill(project: Project, ledger: Ledger, scale: Scale) -> None:
    """Runs, one every few hours until an hour ago, and what asked for them."""
    now = time.time()
    found = [_run(number, scale.runs, now) for number in range(scale.runs)]
    steps = [step for run in found for step in _step_runs(run)]
    asked = [_request(place, run) for place, run in enumerate(found[-scale.requests :])]
    with ledger.writing() as connection:
        connection.execute(schema.runs.insert(), found)
        connection.execute(schema.step_runs.insert(), steps)
        connection.execute(schema.requests.insert(), [*asked, _waiting(now)])
        connection.execute(schema.slots.insert(), list(_slots(asked)))
        connection.execute(schema.triggers.insert(), _triggers(now))
    readable = {run["id"] for run in found[-READABLE:]}
    for step in steps:
        if step["run"] in readable and step["state"] in ("done", "failed"):
            _write_executed(project, step)


def run_id(number: int) -> str:
    return f"20130101-{number:06d}-made"


def state_of(number: int) -> str:
    """What became of the run of that number, counted from 0."""
    if number % 8 == 5:
        return "failed"
    return "interrupted" if number % 20 == 1 else "done"


def pipeline_of(number: int) -> str:
    return "score" if number % 3 == 2 else "train"


def _run(number: int, count: int, now: float) -> Row:
    pipeline, state = pipeline_of(number), state_of(number)
    started = now - HOUR - (count - number) * 2 * HOUR
    seconds = 20.0 + number % 7
    return {
        "id": run_id(number), "pipeline": pipeline, "file": f"notebooks/{pipeline}.yaml", "state": state,
        "message": "stopped by a person" if state == "interrupted" else "",
        "parameters": {"months": [1, 2, 3 + number % 9]} if pipeline == "train" else {},
        "steps": list(STEPS[pipeline]), "workers": 2, "git_commit": f"{number:040x}", "git_dirty": number % 4 == 0,
        "started": started, "finished": started + seconds, "seconds": seconds, "host": "elsewhere", "pid": 4000,
        "process_started": started, "heartbeat": started + seconds, "mlflow_run": None, "synced": state,
    }  # fmt: skip


def _step_runs(run: Row) -> Iterator[Row]:
    """Steps in their order; after one that failed the others are skipped."""
    number, at, over = int(run["id"].split("-")[1]), run["started"], ""
    length = run["seconds"] / len(run["steps"])
    for place, step in enumerate(run["steps"]):
        last = step == run["steps"][-1]
        if over:
            state = "skipped"
        elif run["state"] == "failed" and (step == FAILS or last):
            state = over = "failed"
        elif run["state"] == "interrupted" and place == len(run["steps"]) // 2:
            state = over = "interrupted"
        else:
            state = "cached" if number % 8 == 6 and not last else "done"
        ran = state not in ("cached", "skipped")
        yield _step_run(run, step, state, at, length if ran else 0.0, number)
        at += length if ran else 0.0


def _step_run(run: Row, step: str, state: str, at: float, took: float, number: int) -> Row:
    failed = state == "failed"
    reason = {"cached": "unchanged", "skipped": f"step '{FAILS}' failed"}.get(
        state, "parameter months [1, 2] → [1, 2, 3]"
    )
    return {
        "run": run["id"], "step": step, "state": state, "reason": reason,
        "fingerprint": f"{step}{number}", "notebook": f"notebooks/{step.partition('[')[0]}.ipynb",
        "executed": f"reports/{run['pipeline']}/{run['id']}/{_file(step)}" if state != "skipped" else None,
        "parameters": dict(run["parameters"]), "inputs": {}, "outputs": {"out": f"digest{number}"} if state == "done" else {},
        "started": at, "finished": at + took, "seconds": took, "attempts": 2 if failed else 1, "cells": 4,
        "tracked": False, "failure": _failure() if failed else None, "peak_memory": 180_000_000 if took else None,
        "notices": ["its output spilled to a file"] if failed else [], "mlflow_run": None, "synced": state,
    }  # fmt: skip


def _failure() -> Row:
    return {
        "kind": "cell", "message": "AssertionError: there is no month 0", "cell": FAILING_CELL, "line": 2,
        "source": "months = json.load(open(rows))\nassert 0 not in months, 'there is no month 0'",
        "traceback": "Traceback (most recent call last):\n  …\nAssertionError: there is no month 0",
    }  # fmt: skip


def _request(place: int, run: Row) -> Row:
    """What asked for a run: a schedule, each third time a person."""
    state = {"interrupted": "cancelled"}.get(run["state"], run["state"])
    trigger = None if place % 3 == 1 else "schedule" if run["pipeline"] == "train" else "new_data"
    return {
        "pipeline": run["pipeline"], "parameters": dict(run["parameters"]),
        "asked_by": "ada" if trigger is None else "service", "trigger": trigger,
        "cause": {"reason": f"{trigger} said so"} if trigger else {}, "state": state,
        "created": run["started"] - 5, "not_before": run["started"] - 5, "started": run["started"],
        "finished": run["finished"], "attempts": 1, "owner": None, "run": run["id"],
        "message": "cancelled by ada" if state == "cancelled" else "", "cancelled_by": "ada" if state == "cancelled" else None,
    }  # fmt: skip


def _waiting(now: float) -> Row:
    return {
        "pipeline": "score", "parameters": {"day": "2013-07-01"}, "asked_by": "ada", "trigger": None, "cause": {},
        "state": "waiting", "created": now - 60, "not_before": now - 60, "started": None, "finished": None,
        "attempts": 0, "owner": None, "run": None, "message": "", "cancelled_by": None,
    }  # fmt: skip


def _slots(asked: list[Row]) -> Iterator[Row]:
    """Of each request of the schedule one; and one that was missed before each."""
    for number, each in enumerate(asked, 1):
        if each["trigger"] == "schedule":
            due, own = each["created"], {"pipeline": each["pipeline"], "trigger": "schedule"}
            yield {
                **own,
                "due": due,
                "state": "requested",
                "reason": "due",
                "request": number,
                "created": due,
            }
            missed = "missed, noticed 3 h later; catch_up: latest runs the newest only"
            yield {
                **own,
                "due": due - HOUR,
                "state": "skipped",
                "reason": missed,
                "request": None,
                "created": due,
            }


def _triggers(now: float) -> list[Row]:
    """All states: one that fired and goes on, one that is held up, a pause by a person, a quarantine."""
    blank = {"first_seen": now - 60 * DAY, "checked": now - 3, "fired": None, "paused": None, "paused_by": None, "failures": 0, "seen": {}}  # fmt: skip
    return [
        {**blank, "pipeline": "train", "trigger": "schedule", "fired": now - 2 * DAY, "reason": "the next time is soon"},
        {**blank, "pipeline": "train", "trigger": "alert", "reason": "no such alert of 'delay' is open"},
        {**blank, "pipeline": "train", "trigger": "staleness", "paused": now - DAY, "paused_by": "ada", "reason": "paused by ada"},
        {
            **blank, "pipeline": "score", "trigger": "new_data", "fired": now - DAY, "paused": now - HOUR,
            "paused_by": "quarantine", "failures": 3, "reason": "3 runs in a row failed, so it is paused",
        },
    ]  # fmt: skip


def _file(step: str) -> str:
    return step.replace("[", "-").replace("]", "") + ".ipynb"


def _write_executed(project: Project, step: Row) -> None:
    """The executed notebook of a step: what it printed, a table, and the trace where it failed."""
    file = Path(project.root, step["executed"])
    file.parent.mkdir(parents=True, exist_ok=True)
    table = "<table><thead><tr><th>carrier</th></tr></thead><tbody><tr><td>UA</td></tr></tbody></table>"
    outputs: list[list[Row]] = [[] for _ in range(6)]
    outputs[2] = [{"output_type": "stream", "name": "stdout", "text": f"{step['step']}: 58 rows\n"}]
    shown = {"text/html": table, "text/plain": "  carrier\n0 UA"}
    if step["state"] == "failed":
        error = {
            "ename": "AssertionError",
            "evalue": "there is no month 0",
            "traceback": _failure()["traceback"].split("\n"),
        }
        outputs[FAILING_CELL] = [{"output_type": "error", **error}]
    else:
        outputs[4] = [{"output_type": "display_data", "data": shown, "metadata": {}}]
    sources = ["months = [1, 2, 3]", "import json", "print(len(rows), 'rows')", _failure()["source"], "rows.head()", "done = True"]  # fmt: skip
    cells = [
        {
            "cell_type": "code", "id": f"cell-{place}", "metadata": {}, "source": source,
            "execution_count": place + 1 if outputs[place] else None, "outputs": outputs[place],
        }
        for place, source in enumerate(sources)
    ]  # fmt: skip
    document = {
        "cells": cells,
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    file.write_text(json.dumps(document))
