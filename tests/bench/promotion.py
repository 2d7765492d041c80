"""What promoting promises, measured: how long a rollback takes, what `kill -9` leaves, how many win at once.

`python -m tests.bench.promotion` prints JSON; `measure()` returns it. Everything happens in a throw-away project, with
a real ledger, MLflow and model files.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.promoters import WRITES, killed_before, promoters
from tests.registered import MODEL, VERSIONS, make
from workbench import ledger_trail
from workbench.champions import champion_marker
from workbench.ledger import Ledger
from workbench.mlflow_store import Aliases, connect
from workbench.promotion import Promotions, actor_here, trail_problems
from workbench.settings import read_project

ROLLBACKS = 5
KILLS = 100
PROMOTERS = 20
ROUNDS = 5


def measure(
    rollbacks: int = ROLLBACKS, kills: int = KILLS, at_once: int = PROMOTERS, rounds: int = ROUNDS
) -> dict[str, Any]:
    """`rollback_seconds` (median, from the start of the process to its end), `kills` and `agreements`, `rounds`
    of `promoters` at once and how many won in each, and whether the trail is whole at the end."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        try:
            make(root)
            project = read_project(root)
            with Ledger.open(project) as ledger:
                promotions = Promotions(project, ledger, Aliases(project, connect(project)))
                times = _rollbacks(promotions, rollbacks)
                agreements = sum(_killed(promotions, random.Random(n)) for n in range(kills))
                winners = [_at_once(promotions, at_once) for _ in range(rounds)]
                entries = len(ledger_trail.entries(ledger))
                problems = trail_problems(project, ledger)
        finally:
            os.environ.clear()
            os.environ.update(before)
    return {
        "rollback_seconds": round(statistics.median(times), 2) if times else None,
        "rollback_seconds_all": [round(each, 2) for each in times],
        "kills": kills,
        "agreements": agreements,
        "promoters": at_once,
        "winners": winners,
        "entries": entries,
        "trail_problems": problems,
    }


def _rollbacks(promotions: Promotions, count: int) -> list[float]:
    """Seconds of `workbench models rollback`, each after a promotion."""
    times = []
    for _ in range(count):
        _promote(promotions, 1)
        _promote(promotions, 2)
        command = [sys.executable, "-m", "workbench", "models", "rollback", MODEL, "--reason", "bench"]
        began = time.perf_counter()
        subprocess.run(command, cwd=promotions.project.root, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
        assert promotions.look(MODEL).champion == 1
    return times


def _killed(promotions: Promotions, choice: random.Random) -> bool:
    """Whether trail, alias and marker agree with each other and with the rule after a process was killed."""
    now = promotions.look(MODEL)
    kind, write = choice.choice(("promote", "rollback")), choice.choice(WRITES)
    if now.previous is None and kind == "rollback":
        kind = "promote"
    for version in VERSIONS:
        _judge(promotions, version, now.champion)
    killed_before(promotions.project, kind, write)
    after = promotions.look(MODEL)
    marker = champion_marker(promotions.project, MODEL)
    moved = after.champion != now.champion
    return (
        moved == (write in ("done", "marker"))
        and after.pending is None
        and after.champion == promotions.aliases.get(MODEL) == (marker.version if marker else None)
        and not trail_problems(promotions.project, promotions.ledger)
    )


def _at_once(promotions: Promotions, count: int) -> int:
    """How many of `count` processes that promote at the same time win."""
    champion = promotions.look(MODEL).champion
    others = [version for version in VERSIONS if version != champion]
    for version in others:
        _judge(promotions, version, champion)
    outcomes = promoters(promotions.project, [others[n % len(others)] for n in range(count)], champion)
    winners = [version for version, said in outcomes if said == "promoted"]
    assert promotions.look(MODEL).champion in winners
    return len(winners)


def _promote(promotions: Promotions, version: int) -> None:
    now = promotions.look(MODEL)
    if now.champion != version:
        _judge(promotions, version, now.champion)
        actor = actor_here(promotions.project)
        promotions.promote(MODEL, version, actor, expected=now.champion)


def _judge(promotions: Promotions, version: int, champion: int | None) -> None:
    promotions.ledger.record_verdict(
        MODEL,
        version,
        passed=True,
        outcome="promotable",
        content={"thresholds": []},
        champion_version=champion,
    )


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
