"""`workbench queue` and `workbench triggers`, as a person types them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workbench import ledger_queue, ledger_triggers
from workbench.cli import main
from workbench.ledger import Ledger
from workbench.settings import Project
from workbench.triggers import Decision, Known, Slot

PIPELINE = """\
pipeline: p
steps:
  a: {notebook: a.ipynb}
triggers:
  - {schedule: "0 6 * * 1", zone: Europe/Berlin}
  - {staleness: 30d}
"""


@pytest.fixture
def queued(project: Project, write_notebook: Any, write_pipeline: Any) -> Project:
    write_notebook("a.ipynb", "assert x < 10", parameters="x: int = 1")
    write_pipeline("p", PIPELINE)
    write_pipeline("q", "pipeline: q\nsteps:\n  a: {notebook: a.ipynb}\ntriggers:\n  - {staleness: 2d}\n")
    return project


def test_a_request_is_added_run_and_shown(queued: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue", "add", "p", "-p", "x=3"]) == 0
    assert (
        "request 1 for a run of 'p' waits; no service is up: start it with `workbench up`"
        in capsys.readouterr().out
    )
    assert main(["queue", "run", "1"]) == 0
    assert "request 1: done" in capsys.readouterr().out
    assert main(["queue", "run", "1"]) == 0
    assert "request 1 is not run: it is done" in capsys.readouterr().out
    assert main(["queue", "show", "1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["state"], shown["parameters"], shown["run_state"]) == ("done", {"x": 3}, "done")
    assert main(["runs", "show", shown["run"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["request"]["id"] == 1
    main(["queue", "add", "p", "-p", "x=3"])
    assert main(["queue", "run", "2"]) == 0
    assert "request 2: done: nothing to do: everything is cached" in capsys.readouterr().out


def test_a_run_that_fails_fails_its_request(queued: Project, capsys: pytest.CaptureFixture[str]) -> None:
    main(["queue", "add", "p", "-p", "x=30"])
    assert main(["queue", "run", "1"]) == 1
    assert "request 1: failed: a: AssertionError" in capsys.readouterr().out


def test_a_pipeline_that_became_wrong_fails_its_request(
    queued: Project, write_pipeline: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["queue", "add", "p", "--json"])
    write_pipeline("p", "pipeline: p\nsteps: 3\n")
    assert main(["queue", "run", "1"]) == 2
    capsys.readouterr()
    main(["queue", "list", "--all", "--json"])
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["state"], "steps" in shown["message"]) == ("failed", True)


def test_what_is_asked_for_wrongly_is_refused(queued: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue", "add", "pp"]) == 2
    assert main(["queue", "add", "p", "-p", "y=3"]) == 2
    assert main(["queue", "show", "7"]) == 2
    said = capsys.readouterr().err
    assert "there is no pipeline 'pp'" in said
    assert "-p y: no notebook declares this parameter" in said
    assert "there is no request 7; see: workbench queue" in said
    assert main(["queue"]) == 0
    assert "nothing waits; ask with: workbench queue add PIPELINE" in capsys.readouterr().out


def test_what_waits_is_listed_and_cancelled(queued: Project, capsys: pytest.CaptureFixture[str]) -> None:
    main(["queue", "add", "p"])
    assert main(["queue"]) == 0
    assert main(["queue", "cancel", "1"]) == 0
    said = capsys.readouterr().out
    assert "waiting  1        p" in said
    assert "request 1 for a run of 'p' is cancelled" in said
    assert main(["queue", "cancel", "1"]) == 2


def test_what_has_ended_is_asked_for_once_more(queued: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queue", "add", "p"]) == 0
    assert main(["queue", "retry", "1"]) == 2
    assert "request 1 has not ended: it is waiting" in capsys.readouterr().err
    assert main(["queue", "cancel", "1"]) == 0
    assert main(["queue", "retry", "1"]) == 0
    assert "request 2 for a run of 'p' waits; no service is up" in capsys.readouterr().out
    with Ledger.open(queued) as ledger:
        before, after = ledger_queue.request(ledger, 1), ledger_queue.request(ledger, 2)
    assert (after.parameters, after.cause, after.state) == (before.parameters, {"again": 1}, "waiting")


def test_triggers_are_listed_with_what_was_said_last(
    queued: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["triggers"]) == 0
    said = capsys.readouterr().out
    assert "p.schedule" in said
    assert "0 6 * * 1 (Europe/Berlin, catch up latest)" in said
    assert "no service has looked at it yet: workbench up" in said
    with Ledger.open(queued) as ledger:
        known = ledger_triggers.known(ledger, "p", "schedule", 5.0)
        assert known == Known(5.0)
        decision = Decision(False, "missed", seen={"slot": 6.0}, slots=(Slot(6.0, False, "missed, as said"),))
        ledger_triggers.record(ledger, "p", "schedule", known, decision, [], 7.0)
    assert main(["triggers", "why", "schedule", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["reason"]) == ("active", "missed")
    assert [(slot["state"], slot["reason"]) for slot in found["slots"]] == [("skipped", "missed, as said")]
    assert main(["triggers", "why", "p.schedule"]) == 0
    assert "missed, as said" in capsys.readouterr().out


def test_a_trigger_is_paused_and_resumed_by_name(queued: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["triggers", "pause", "staleness"]) == 2
    assert (
        "'staleness' is a trigger of several pipelines: p.staleness, q.staleness" in capsys.readouterr().err
    )
    assert main(["triggers", "pause", "scedule"]) == 2
    assert "no trigger 'scedule'; did you mean 'schedule'?" in capsys.readouterr().err
    assert main(["triggers", "pause", "p.staleness"]) == 0
    main(["triggers", "list", "--json"])
    out = capsys.readouterr().out
    states = {
        f"{each['pipeline']}.{each['name']}": each["state"] for each in json.loads(out[out.index("[") :])
    }
    assert states == {"p.schedule": "unseen", "p.staleness": "paused", "q.staleness": "unseen"}
    assert main(["triggers", "resume", "p.staleness"]) == 0
