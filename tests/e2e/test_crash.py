"""`kill -9` of a run at any moment: the next run completes, repeats nothing that was committed, leaves nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.ledger import Ledger
from workbench.loading import load_pipeline
from workbench.plan import make_plan
from workbench.run import run_plan
from workbench.settings import Project

from .kills import kill_run, manifests, still_running


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


@pytest.mark.e2e
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_a_random_moment(chain: Project, seed: int) -> None:
    killed = kill_run(chain, "chain", random.Random(seed).uniform(0.3, 3.0))
    assert not killed.left
    result = run_plan(make_plan(load_pipeline("chain")))
    assert result.state == "done"
    assert killed.committed.items() <= manifests(chain).items()
    digest = result.steps["s5"].outputs["out"]
    assert (chain.store / "objects" / digest[:2] / digest / "o.txt").read_text() == "012345"
    with Ledger.open(chain) as ledger:
        assert {run.state for run in ledger.runs()} <= {"done", "crashed"}
    assert still_running(chain) == []
    assert list(chain.running.iterdir()) == []
