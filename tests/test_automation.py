"""Triggers as people look at them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.app import projects
from workbench import automation, ledger_triggers
from workbench.automation import find, read_pipelines, standings
from workbench.errors import BadInput
from workbench.ledger import Ledger


def test_every_trigger_says_how_it_stands_and_when_time_makes_it_ask(tmp_path: Path) -> None:
    project = projects.typical(tmp_path / "typical")
    (project.notebooks / "wrong.yaml").write_text("pipeline: wrong\nsteps: {a: {notebook: none.ipynb}}\n")
    pipelines, problems = read_pipelines(project)
    assert [pipeline.name for pipeline in pipelines] == ["score", "train"]
    assert "none.ipynb" in str(problems[0])
    now = time.time()
    with Ledger.open(project) as ledger:
        found = {each.name: each for each in standings(ledger, pipelines, now)}
        assert {name: each.word for name, each in found.items()} == {
            "score.new_data": "paused", "train.schedule": "active", "train.alert": "active", "train.staleness": "paused",
        }  # fmt: skip
        assert found["train.schedule"].due is not None
        assert found["train.schedule"].due > now
        assert found["train.staleness"].due is None
        ledger_triggers.resume(ledger, "train", "staleness")
        stale = next(each for each in standings(ledger, pipelines, now) if each.name == "train.staleness")
        assert stale.due is not None
        assert now + 29 * 86_400 < stale.due < now + 31 * 86_400, "30 days after the last good run"
        pipeline, trigger = find(pipelines, "schedule")
        automation.pause(ledger, pipeline, trigger, "ada", now)
        paused = next(each for each in standings(ledger, pipelines, now) if each.trigger == trigger)
        assert (paused.word, paused.due) == ("paused", None)
    assert {each.word for each in standings(None, pipelines, now)} == {"unseen"}
    with pytest.raises(BadInput, match="did you mean 'schedule'"):
        find(pipelines, "shedule")
