"""The real year as it would have been: April to December under every policy, and again on a rolling window.

A project of its own with the flights' notebooks and a commit. Every version is trained once; the later policies take it from
the cache. Takes half an hour or so on two cores.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from review import commit

from workbench.replay.asking import Asked
from workbench.replay.findings import Outcome
from workbench.replay.year import Replay, replay
from workbench.settings import read_project

REPOSITORY = Path(__file__).parents[2]
ROLLING = 3
"""Months."""


def measure() -> dict[str, Any]:
    """Both replays as plain values, and what the seconds were."""
    with tempfile.TemporaryDirectory(prefix="workbench-replay-") as folder:
        root = Path(folder).resolve() / "flights"
        shutil.copytree(REPOSITORY / "notebooks", root / "notebooks")
        shutil.copy(REPOSITORY / "workbench.toml", root)
        commit(root)
        project = read_project(root)
        began = time.monotonic()
        whole = replay(project, Asked("train"))
        middle = time.monotonic()
        again = replay(project, Asked("train"))
        ended = time.monotonic()
        rolling = replay(project, Asked("train", policies=("monthly",), history=ROLLING))
    performance, monthly = _policy(whole, "performance"), _policy(whole, "monthly")
    return {
        "all months": whole.as_dict(),
        "rolling": rolling.as_dict(),
        "seconds": round(middle - began, 1),
        "seconds again": round(ended - middle, 1),
        "cost of monthly": monthly.cost,
        "took by policy": {each.policy: each.took for each in whole.outcomes},
        "performance against never": {name: of.as_dict() for name, of in performance.against.items()},
        "refused": {
            "all months": _refusals(monthly),
            f"newest {ROLLING} months": _refusals(_policy(rolling, "monthly")),
        },
        "same again": again.as_dict() == whole.as_dict(),
    }


def _policy(found: Replay, name: str) -> Outcome:
    return next(each for each in found.outcomes if each.policy == name)


def _refusals(outcome: Outcome) -> dict[str, str]:
    """What was not promoted, with what the month after showed of it."""
    refused = [each for each in outcome.months if each.record.did in ("refused", "set aside")]
    return {each.month.name: f"{each.record.did}; {each.verdict}" for each in refused}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
