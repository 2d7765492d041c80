"""The gate on the real year: a challenger that should be promoted, and one that should be refused.

January to March gives the first champion. A model trained on the same weeks with one carrier's labels turned round is
held against it, and so is a feature that is only known after the flight. A challenger trained on everything up to June
is judged on July. It becomes champion, and a challenger trained on a rolling window (July to September) is judged on
October to December. Takes ten minutes or so.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from workbench import load_pipeline, make_plan, run_plan
from workbench.ledger import Ledger
from workbench.mlflow_store import Aliases, connect
from workbench.promotion import Promotions, actor_here
from workbench.settings import Project, read_project

REPOSITORY = Path(__file__).parents[2]
MODEL = "flight-delay"
CARRIER = "UA"


def measure() -> dict[str, Any]:
    """The verdict on each challenger, with every reason of a refusal."""
    with tempfile.TemporaryDirectory(prefix="workbench-review-") as folder:
        root = Path(folder).resolve() / "flights"
        shutil.copytree(REPOSITORY / "notebooks", root / "notebooks")
        shutil.copy(REPOSITORY / "workbench.toml", root)
        commit(root)
        project = read_project(root)
        first = _judged(project, months=[1, 2, 3], test_weeks=3)
        _promote(project, first["version"], None)
        broken = _with_broken_slice(project)
        leaking = _refused(project, features=["hour", "arr_delay"])
        expanding = _judged(project, months=[1, 2, 3, 4, 5, 6, 7], test_weeks=4)
        if expanding["passed"]:
            _promote(project, expanding["version"], first["version"])
        rolling = _judged(project, months=[7, 8, 9, 10, 11, 12], test_weeks=13)
    return {
        "first, on March": first,
        f"labels of {CARRIER} turned round": broken,
        "arr_delay as a feature": leaking,
        "expanding, on July": expanding,
        "rolling, on October to December": rolling,
        "targets": {
            "broken": f"refused, naming carrier {CARRIER}",
            "leaking": "refused",
            "expanding": "passed and better",
            "rolling": "refused because it is worse",
        },
        "passed": any(f"carrier {CARRIER}" in name for name in broken["failed"])
        and "arr_delay" in leaking
        and expanding["passed"]
        and expanding["outcome"] == "better"
        and rolling["outcome"] == "worse",
    }


def commit(root: Path) -> None:
    """A commit of its own: the gate asks which one a version is from."""
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false")
    for words in (
        ("init", "--quiet"),
        ("add", "."),
        (*identity, "commit", "--quiet", "--message", "flights"),
    ):
        subprocess.run(["git", *words], cwd=root, check=True)


def _judged(project: Project, **parameters: Any) -> dict[str, Any]:
    result = run_plan(make_plan(load_pipeline("train", parameters, project=project)))
    if result.judged is None:
        raise SystemExit(f"the run {result.state}: {result.notices}")
    with Ledger.open(project) as ledger:
        verdict = ledger.verdict(MODEL, result.judged.version)
    assert verdict is not None
    return {
        "version": verdict.version,
        "passed": verdict.passed,
        "outcome": verdict.outcome,
        "seconds": round(result.seconds, 1),
        "failed": dict(verdict.failed),
        "compared": [
            each["reason"]
            for each in verdict.content["thresholds"]
            if each["gate"] in ("champion", "baseline")
        ],
    }


def _with_broken_slice(project: Project) -> dict[str, Any]:
    """The verdict on a model that learned from turned labels of one carrier; the notebook is put back after it."""
    notebook = project.notebooks / "split.ipynb"
    whole = notebook.read_text()
    document = json.loads(whole)
    cell = next(cell for cell in document["cells"] if cell["id"] == "split")
    cell["source"] = (
        "".join(cell["source"]) + f"\nearlier.loc[earlier['carrier'] == '{CARRIER}', 'late'] ^= 1\n"
    )
    notebook.write_text(json.dumps(document))
    try:
        return _judged(project, months=[1, 2, 3], test_weeks=3)
    finally:
        notebook.write_text(whole)


def _refused(project: Project, **parameters: Any) -> str:
    """Why a run with these parameters fails."""
    result = run_plan(make_plan(load_pipeline("train", parameters, project=project)))
    reasons = [step.failure.message for step in result.steps.values() if step.failure]
    return reasons[0] if reasons else f"the run {result.state}"


def _promote(project: Project, version: int, expected: int | None) -> None:
    with Ledger.open(project) as ledger:
        promotions = Promotions(project, ledger, Aliases(project, connect(project)))
        promotions.promote(
            MODEL, version, actor_here(project), expected=expected, reason="the scenario goes on"
        )


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
