"""Recording beside a run: what is written, when, and what happens when it cannot be written."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from workbench import recorder as module
from workbench import spool
from workbench.events import (
    CellStarted,
    RunFinished,
    RunStarted,
    StepFinished,
    StepOutput,
    StepStarted,
)
from workbench.ledger import Ledger
from workbench.recorder import Recorder
from workbench.settings import Project

RUN = "20261123-234512-a1b2"


def started() -> RunStarted:
    return RunStarted(time.time(), RUN, "train", "notebooks/train.yaml", {}, ("a", "b"), 2)


def step(name: str = "a") -> StepStarted:
    return StepStarted(time.time(), RUN, name, "never ran", "f", "n.ipynb", "e.ipynb", {}, {}, False)


def finished(name: str = "a", state: str = "done") -> StepFinished:
    return StepFinished(time.time(), RUN, name, state, "never ran", "f", 1.0)  # type: ignore[arg-type]


def ended() -> RunFinished:
    return RunFinished(time.time(), RUN, "done", 1.0)


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)


def test_events_reach_the_ledger_while_the_run_goes_on(project: Project) -> None:
    recorder = Recorder(project)
    for event in (started(), step(), CellStarted(0.0, RUN, "a", 1, 2), StepOutput(0.0, RUN, "a", "hi")):
        recorder.listen(event)
    wait_for((project.state / "unsettled").is_dir)
    with Ledger.open(project) as ledger:
        wait_for(lambda: bool(ledger.step_runs(RUN)))
        assert ledger.run(RUN).state == "running"
        assert spool.unsettled(project)
        for event in (finished(), finished("b", "cached"), ended()):
            recorder.listen(event)
        recorder.close()
        recorder.close()  # again changes nothing
        assert ledger.run(RUN).state == "done"
        assert [each.state for each in ledger.step_runs(RUN)] == ["done", "cached"]
    assert recorder.notices == []
    assert not spool.unsettled(project)


def test_listening_returns_at_once(project: Project) -> None:
    recorder = Recorder(project)
    recorder.listen(started())
    before = time.perf_counter()
    for _ in range(1000):
        recorder.listen(finished())
    assert time.perf_counter() - before < 0.2
    recorder.listen(ended())
    recorder.close()


def test_a_cached_run_imports_no_database_and_is_still_recorded(project: Project) -> None:
    code = (
        "import sys; from workbench.settings import find_project\n"
        "from workbench.recorder import Recorder; from workbench.events import *\n"
        "recorder = Recorder(find_project())\n"
        f"recorder.listen(RunStarted(1.0, '{RUN}', 'train', 'f', {{}}, ('a',), 1))\n"
        f"recorder.listen(StepFinished(1.0, '{RUN}', 'a', 'cached', 'cached', 'f'))\n"
        f"recorder.listen(RunFinished(2.0, '{RUN}', 'done', 1.0))\n"
        "recorder.close()\n"
        "heavy = ('sqlalchemy', 'mlflow', 'pandas', 'psutil', 'alembic')\n"
        "print([name for name in heavy if name in sys.modules], recorder.notices)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project.root, capture_output=True, text=True)
    assert done.stdout == "[] []\n", done.stderr
    with Ledger.open(project) as ledger:
        assert ledger.run(RUN).state == "done"
        assert [each.state for each in ledger.step_runs(RUN)] == ["cached"]


def test_a_cached_run_repairs_what_a_crashed_one_left(project: Project) -> None:
    code = (
        "import os, time; from workbench.settings import find_project\n"
        "from workbench.recorder import Recorder; from workbench.events import *\n"
        "recorder = Recorder(find_project())\n"
        "recorder.listen(RunStarted(1.0, 'dead', 'train', 'f', {}, ('a',), 1))\n"
        "recorder.listen(StepStarted(1.0, 'dead', 'a', 'r', 'f', 'n', 'e', {}, {}, False))\n"
        "while not recorder._ledger or not recorder._ledger.runs(): time.sleep(0.02)\n"
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=project.root, timeout=60)
    assert spool.unsettled(project)
    recorder = Recorder(project)
    for event in (started(), finished(state="cached"), ended()):
        recorder.listen(event)
    recorder.close()
    with Ledger.open(project) as ledger:
        assert {run.id: run.state for run in ledger.runs()} == {"dead": "crashed", RUN: "done"}
    assert not spool.unsettled(project)


def test_a_ledger_that_cannot_be_written_does_not_stop_the_run(project: Project) -> None:
    project.state.mkdir()
    (project.state / "ledger.db").write_bytes(b"no database" * 100)
    recorder = Recorder(project)
    for event in (started(), step(), finished(), ended()):
        recorder.listen(event)
        time.sleep(0.1)
    recorder.close()
    (notice,) = recorder.notices
    assert "is damaged" in notice
    assert "the run goes on" in notice


def test_events_are_kept_until_the_ledger_can_be_written_again(project: Project) -> None:
    project.state.mkdir()
    file = project.state / "ledger.db"
    file.write_bytes(b"no database" * 100)
    recorder = Recorder(project)
    recorder.listen(started())
    recorder.listen(step())
    wait_for(lambda: bool(recorder.notices))
    file.unlink()
    recorder.listen(finished())
    recorder.listen(ended())
    recorder.close()
    with Ledger.open(project) as ledger:
        assert ledger.run(RUN).state == "done"
        assert [each.state for each in ledger.step_runs(RUN)] == ["done"]


def test_a_cached_run_that_cannot_be_spooled_says_so(project: Project) -> None:
    project.state.write_text("a file where the folder should be")
    recorder = Recorder(project)
    for event in (started(), finished(state="cached"), ended()):
        recorder.listen(event)
    recorder.close()
    assert "cannot be recorded" in recorder.notices[0]


def test_a_long_run_says_that_it_lives(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.1)
    recorder = Recorder(project)
    begun = replace(started(), time=1.0)
    recorder.listen(begun)
    wait_for((project.state / "unsettled").is_dir)  # though nothing has run: it takes long to decide
    with Ledger.open(project) as ledger:
        wait_for(lambda: bool(ledger.runs()) and ledger.run(RUN).heartbeat > 1.0)
    recorder.close()


def test_without_mlflow_a_notebook_waits_for_nothing(project: Project) -> None:
    recorder = Recorder(project)
    assert recorder.mlflow_run(RUN, "a", timeout=60) is None
    recorder.close()
    assert recorder.notices == []
