"""`kill -9` of a run at any moment: the next run completes, repeats nothing that was committed, leaves nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from workbench.ledger import Ledger
from workbench.loading import load_pipeline
from workbench.plan import make_plan
from workbench.run import run_plan
from workbench.settings import Project

COMMAND = [sys.executable, "-m", "workbench", "run", "chain"]


@pytest.fixture
def chain(project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Project:
    """Six steps of a tenth of a second, each with a child that would outlive it."""
    write_notebook(
        "link.ipynb", "import subprocess, time\nsubprocess.Popen(['sleep', '300'], start_new_session=True)",
        "time.sleep(0.1)", "open(out, 'w').write((open(src).read() if src else '') + str(n))",
        parameters="n: int = 0\nsrc: str = ''\nout: str = ''",
    )  # fmt: skip
    steps = "".join(
        f"  s{n}: {{notebook: link.ipynb, params: {{n: {n}}}, outputs: {{out: o.txt}}"
        + (f", inputs: {{src: s{n - 1}.out}}" if n else "") + "}\n"
        for n in range(6)
    )  # fmt: skip
    write_pipeline("chain", f"pipeline: chain\nsteps:\n{steps}")
    return project


def processes_of(project: Project) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            inside = process.cwd().startswith(str(project.root)) and process.pid != os.getpid()
            if inside and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.e2e
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_a_random_moment(chain: Project, seed: int) -> None:
    run = subprocess.Popen(COMMAND, cwd=chain.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.Random(seed).uniform(0.3, 3.0))
    run.send_signal(signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 10
    while (left := processes_of(chain)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, left
    committed = {file: file.stat().st_mtime_ns for file in chain.store.glob("manifests/*/*.json")}
    result = run_plan(make_plan(load_pipeline("chain")))
    assert result.state == "done"
    assert {file: file.stat().st_mtime_ns for file in committed} == committed
    digest = result.steps["s5"].outputs["out"]
    assert (chain.store / "objects" / digest[:2] / digest / "o.txt").read_text() == "012345"
    with Ledger.open(chain) as ledger:
        assert {run.state for run in ledger.runs()} <= {"done", "crashed"}
    assert list(chain.running.iterdir()) == []
