"""Kernels that get ready while the plan is made: only where something is sure to run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import SpecError
from workbench.executors import LocalExecutor, head_start
from workbench.loading import load_pipeline
from workbench.plan import Selection, Surroundings, make_plan
from workbench.run import run_plan
from workbench.settings import Project


@pytest.fixture
def two(project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Project:
    """Two steps that do not need each other."""
    write_notebook(
        "n.ipynb", "import json\nopen(out, 'w').write(str(x))", parameters="x: int = 1\nout: str = ''"
    )
    write_pipeline(
        "two",
        """\
        pipeline: two
        steps:
          a: {notebook: n.ipynb, params: {x: 1}, outputs: {out: o.txt}}
          b: {notebook: n.ipynb, params: {x: 2}, outputs: {out: o.txt}}
        """,
    )
    return project


def test_what_was_never_done_gets_a_head_start(two: Project) -> None:
    pipeline, surroundings = load_pipeline("two"), Surroundings(two)
    with head_start(pipeline, Selection(), surroundings) as executor:
        assert isinstance(executor, LocalExecutor)
        plan = make_plan(pipeline, Selection(only=("a",)), surroundings)
        assert run_plan(plan, executor=executor).state == "done"
    pipeline = load_pipeline("two")
    with head_start(pipeline, Selection(only=("a",)), surroundings) as executor:
        assert executor is None
    with head_start(pipeline, Selection(), surroundings) as executor:
        assert executor is not None


def test_a_changed_cell_gets_a_head_start_once(two: Project, write_notebook: Callable[..., Path]) -> None:
    surroundings = Surroundings(two)
    assert run_plan(make_plan(load_pipeline("two"), Selection(), surroundings)).state == "done"
    with head_start(load_pipeline("two"), Selection(), surroundings) as executor:
        assert executor is None
    write_notebook("n.ipynb", "open(out, 'w').write(str(x + 1))", parameters="x: int = 1\nout: str = ''")
    with head_start(load_pipeline("two"), Selection(), surroundings) as executor:
        assert executor is not None
    with head_start(load_pipeline("two"), Selection(), surroundings) as executor:
        assert executor is None


def test_an_unknown_step_is_refused_before_anything_starts(two: Project) -> None:
    with (
        pytest.raises(SpecError, match="no step 'aa'"),
        head_start(load_pipeline("two"), Selection(only=("aa",)), Surroundings(two)),
    ):
        raise AssertionError("not reached")
