"""A page of runs at a time."""

from __future__ import annotations

from pathlib import Path

from tests.app import made_runs, projects
from workbench import ledger_history as history
from workbench.ledger import Ledger
from workbench.ledger_history import Filter


def test_pages_follow_on_one_another_and_counts_agree(tmp_path: Path) -> None:
    project = projects.typical(tmp_path / "typical")
    with Ledger.open(project) as ledger:
        counted = history.counts(ledger)
        assert history.matching(counted, Filter()) == projects.TYPICAL.runs
        for wanted in (
            Filter(),
            Filter("train"),
            Filter(state="failed"),
            Filter("score", "done"),
            Filter("none"),
        ):
            total = history.matching(counted, wanted)
            every = [
                run for start in range(0, total + 1, 7) for run in history.page(ledger, wanted, start, 7)
            ]
            assert every == ledger.runs(wanted.pipeline, wanted.state, limit=None)
            assert len(every) == total
        (run,) = history.by_id(ledger, made_runs.run_id(45))
        assert history.step_counts(ledger, [run.id]) == {run.id: {"done": 2, "failed": 1, "skipped": 1}}
        assert history.by_id(ledger, "no such run") == []
