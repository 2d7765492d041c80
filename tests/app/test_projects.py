"""The made projects are what they say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.app import made_runs, projects
from workbench import ledger_queue, ledger_triggers, load_pipeline
from workbench.ledger import Ledger


def test_a_typical_project_has_runs_in_all_states_and_pipelines_that_load(tmp_path: Path) -> None:
    project = projects.typical(tmp_path / "typical")
    pipelines = [load_pipeline(name, project=project) for name in ("train", "score")]
    assert tuple(pipelines[0].steps) == made_runs.STEPS["train"]
    with Ledger.open(project) as ledger:
        runs = ledger.runs(limit=None)
        assert Counter(run.state for run in runs) == {"done": 51, "failed": 7, "interrupted": 2}
        failed = next(run for run in runs if (run.state, run.pipeline) == ("failed", "train"))
        states = {step.step: step for step in ledger.step_runs(failed.id)}
        step = states[made_runs.FAILS]
        assert step.failure is not None
        assert step.failure.cell == made_runs.FAILING_CELL
        assert states["evaluate"].state == "skipped"
        assert step.executed is not None
        assert "there is no month 0" in (project.root / step.executed).read_text()
        assert Counter(each.state for each in ledger_queue.requests(ledger))["waiting"] == 1
        assert {state.paused_by for state in ledger_triggers.states(ledger).values()} == {
            None,
            "ada",
            "quarantine",
        }
        assert ledger_triggers.slots(ledger)
