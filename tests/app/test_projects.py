"""The made projects are what they say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.app import made_runs, made_versions, projects
from workbench import ledger_queue, ledger_trail, ledger_triggers, load_pipeline
from workbench.data_versions import contract_results, outputs
from workbench.ledger import Ledger
from workbench.ledger_versions import registered
from workbench.model_cards import card, made_differently
from workbench.promotion import trail_problems
from workbench.trail import standing


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
        versions = registered(ledger, made_versions.MODEL)
        assert [each.version for each in versions] == [6, 5, 4, 3, 2, 1]
        assert all(ledger.run(each.run).state == "done" for each in versions)
        now = standing(made_versions.MODEL, ledger_trail.entries(ledger, made_versions.MODEL))
        assert (now.champion, set(now.rejected)) == (made_versions.CHAMPION, {4})
        assert trail_problems(project, ledger) == []
    newest, before = (card(project, each) for each in versions[:2])
    assert "log_loss" in newest.differences
    assert made_differently(before, newest)
    (held,) = contract_results(outputs(project))
    assert [page.name for page in held.pages] == ["profile"]
