"""From a run to a champion and round again: delivered, judged, promoted, compared with the champion, judged anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench import load_pipeline, make_plan, run_plan
from workbench.cli import main
from workbench.ledger import Ledger
from workbench.settings import Project, read_project

FIT = """
import numpy as np
import pandas as pd
from workbench.modeling import make_estimator, save_mlflow_model
rows = pd.DataFrame({"x": np.arange(40.0), "k": list("ab") * 20})
late = (rows["x"] > 20).astype(int)
save_mlflow_model(make_estimator("boosting", rows, max_iter=trees).fit(rows, late), best, rows)
"""
REVIEW = """
import json
from pathlib import Path
same = {"difference": {"log_loss": {"value": 0.0, "low": -0.1, "high": 0.1}}}
found = {
    "directions": {"log_loss": "lower"},
    "champion": same if champion else None,
    "predictions": {"rows": 40, "not_finite": 0},
}
Path(evidence).write_text(json.dumps(found))
Path(dossier).write_text("<html><body><p>what the notebook says</p></body></html>")
"""
PIPELINE = """\
pipeline: judged
steps:
  fit: {notebook: fit.ipynb, outputs: {best: best/}}
  review:
    notebook: review.ipynb
    inputs: {candidate: fit.best, champion: "model:m@champion"}
    outputs: {evidence: evidence.json, dossier: dossier.html}
model:
  name: m
  version: fit.best
  evidence: review.evidence
  dossier: review.dossier
  gates: {champion: {metric: log_loss}, serving: {}}
"""


@pytest.fixture
def judged(project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Project:
    """A pipeline whose model is judged, with MLflow on."""
    project.file.write_text(project.file.read_text().replace("enabled = false", "enabled = true"))
    write_notebook("fit.ipynb", FIT, parameters="trees: int = 2\nbest: str = ''")
    write_notebook(
        "review.ipynb", REVIEW,
        parameters="candidate: str = ''\nchampion: str | None = None\nevidence: str = ''\ndossier: str = ''",
    )  # fmt: skip
    write_pipeline("judged", PIPELINE)
    return read_project(project.root)


@pytest.mark.e2e
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of SQLAlchemy
def test_a_model_is_judged_promoted_and_judged_again(
    judged: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run_plan(make_plan(load_pipeline("judged", project=judged)))
    assert first.judged is not None, first.notices
    assert (first.version, first.judged.passed, first.judged.outcome) == (1, True, "first"), first.judged
    assert first.folder is not None
    dossier = (first.folder / "dossier.html").read_text()
    assert dossier.index("May be promoted: m version 1") < dossier.index("what the notebook says")
    assert make_plan(load_pipeline("judged", project=judged)).cached

    assert main(["models", "promote", "m", "1"]) == 0
    plan = make_plan(load_pipeline("judged", project=judged))
    assert {d.step: d.reason for d in plan.decisions.values() if d.action != "cached"} == {
        "review": "input champion changed"
    }
    other = run_plan(make_plan(load_pipeline("judged", {"trees": 3}, project=judged)))
    assert other.judged is not None, other.notices
    assert (other.version, other.judged.outcome) == (2, "equivalent")
    assert other.folder is not None
    assert "parameter trees 2 → 3" in (other.folder / "dossier.html").read_text()
    capsys.readouterr()
    assert main(["models", "promote", "m", "2"]) == 0
    assert main(["models", "rollback", "m", "--reason", "a try"]) == 0
    assert main(["models", "history", "m", "--verify"]) == 0
    assert "intact" in capsys.readouterr().out
    with Ledger.open(judged) as ledger:
        assert ledger.settled()
