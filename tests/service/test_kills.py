"""`kill -9` of the service at random, with a clock that lets days pass in seconds; `make bench ONLY=loop` does ten days."""

from __future__ import annotations

import random
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.services import faults, kill_for_days
from workbench.service.clock import Clock
from workbench.settings import Project, read_project

DAY_BEFORE_SUMMER = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()

PIPELINE = """\
pipeline: p
steps:
  a: {notebook: a.ipynb, cache: false}
triggers:
  - {schedule: "0 */6 * * *", name: all, catch_up: all}
  - {schedule: "30 2 * * *", name: night, zone: Europe/Berlin}
  - {schedule: "15 */4 * * *", name: skip, catch_up: skip}
"""


@pytest.fixture
def scheduled(project: Project, write_notebook: Any, write_pipeline: Any) -> Project:
    write_notebook("a.ipynb", "x", parameters="x: int = 1")
    write_pipeline("p", PIPELINE)
    file: Path = project.file
    file.write_text(f'{file.read_text()}\n[service]\ncheck_every = "200ms"\n')
    return read_project(project.root)


@pytest.mark.e2e
def test_killed_at_random_every_time_runs_once_or_is_skipped_and_says_so(scheduled: Project) -> None:
    clock = Clock(time.time(), DAY_BEFORE_SUMMER, speed=9_000)
    havoc = kill_for_days(scheduled, "p", clock, 1, random.Random(5), pause=(0.5, 2.5))
    assert havoc.kills.total() >= 2
    assert faults(scheduled, "p", havoc) == []
