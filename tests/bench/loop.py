"""The loop that closes by itself, killed for ten simulated days: every due time ran once or was skipped and says so."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from e2e.services import faults, kill_for_days
from measure import Result
from pipelines import Notebook, write_project

from workbench import ledger_triggers
from workbench.ledger import Ledger
from workbench.service.clock import Clock
from workbench.settings import read_project

DAYS, SPEED = 10.0, 7_200.0
PAUSE = (0.5, 6.0)
"""Seconds between two kills: of the service's clock, one to twelve hours."""
BEGIN = datetime(2026, 3, 24, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
"""The night in which an hour is left out is in the middle."""

PIPELINE = """\
pipeline: loop
steps:
  a: {notebook: a.ipynb, outputs: {out: a}, cache: false}
triggers:
  - {schedule: "0 */6 * * *", name: all, catch_up: all}
  - {schedule: "30 2 * * *", name: night, zone: Europe/Berlin}
  - {schedule: "20 */12 * * *", name: latest}
  - {schedule: "40 */6 * * *", name: skip, catch_up: skip}
"""


def loop(root: Path, rounds: int) -> Result:
    """`kill -9` of the service, its scheduler and its runs, at times with a second scheduler beside."""
    notebook = Notebook("a", ("open(out, 'w').write('x')",), {}, {"out": "a"})
    folder = write_project(root / "loop", "loop", [notebook], mlflow=False)
    (folder / "notebooks" / "loop.yaml").write_text(PIPELINE)
    settings = folder / "workbench.toml"
    settings.write_text(settings.read_text() + '\n[service]\ncheck_every = "200ms"\n')
    project, seed = read_project(folder), int(time.time())
    began = time.monotonic()
    havoc = kill_for_days(project, "loop", Clock(time.time(), BEGIN, SPEED), DAYS, random.Random(seed), PAUSE)
    took = time.monotonic() - began
    found = faults(project, "loop", havoc)
    with Ledger.open(project) as ledger:
        slots = [each for each in ledger_triggers.slots(ledger, "loop") if each.due <= havoc.until]
        runs = Counter(run.state for run in ledger.runs(limit=None))
    states = Counter(each.state for each in slots)
    facts = {
        f"{len(slots)} due times in {DAYS:g} days, {havoc.kills.total()} kills: {states['requested']} ran once, "
        f"{states['skipped']} were skipped by policy and say so; nothing hangs, nothing is left": not found,
    }
    notes = (
        f"Seed {seed}; {took:.0f} s. What was done: {dict(havoc.kills)}. Runs: {dict(runs)}.",
        *found,
    )
    return Result(f"kill -9 of the service for {DAYS:g} simulated days", {}, (), facts, notes)
