"""The gate on the real year: a challenger that should be promoted, and one that should be refused.

January to March gives the first champion. A challenger trained on everything up to June is judged on July. It becomes
champion, and a challenger trained on a rolling window (July to September) is judged on October to December. Takes
five minutes or so.
"""

from __future__ import annotations

import json
import shutil
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


def measure() -> dict[str, Any]:
    """The verdict on each challenger, with every reason of a refusal."""
    with tempfile.TemporaryDirectory(prefix="workbench-review-") as folder:
        root = Path(folder).resolve() / "flights"
        shutil.copytree(REPOSITORY / "notebooks", root / "notebooks")
        shutil.copy(REPOSITORY / "workbench.toml", root)
        project = read_project(root)
        first = _judged(project, months=[1, 2, 3], test_weeks=3)
        _promote(project, first["version"], None)
        expanding = _judged(project, months=[1, 2, 3, 4, 5, 6, 7], test_weeks=4)
        if expanding["passed"]:
            _promote(project, expanding["version"], first["version"])
        rolling = _judged(project, months=[7, 8, 9, 10, 11, 12], test_weeks=13)
    return {
        "first, on March": first,
        "expanding, on July": expanding,
        "rolling, on October to December": rolling,
        "targets": {"expanding": "passed and better", "rolling": "refused because it is worse"},
        "passed": expanding["passed"] and expanding["outcome"] == "better" and rolling["outcome"] == "worse",
    }


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


def _promote(project: Project, version: int, expected: int | None) -> None:
    with Ledger.open(project) as ledger:
        promotions = Promotions(project, ledger, Aliases(project, connect(project)))
        promotions.promote(
            MODEL, version, actor_here(project), expected=expected, reason="the scenario goes on"
        )


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
