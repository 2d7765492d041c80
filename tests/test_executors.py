"""Kernels that get ready while the plan is made: only where something is sure to run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import SpecError
from workbench.executors import HeadStart, LocalExecutor
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


def decided(*steps: str, surroundings: Surroundings) -> bool:
    """Whether a host starts ahead of the plan."""
    with HeadStart() as start:
        return start.decide(load_pipeline("two"), Selection(only=steps), surroundings) is not None


def guessed(surroundings: Surroundings) -> bool:
    with HeadStart() as start:
        start.guess()
        early = start.decide(load_pipeline("two"), Selection(), surroundings)
        return early is not None


def test_what_was_never_done_gets_a_head_start(two: Project) -> None:
    pipeline, surroundings = load_pipeline("two"), Surroundings(two)
    with HeadStart() as start:
        executor = start.decide(pipeline, Selection(), surroundings)
        assert isinstance(executor, LocalExecutor)
        plan = make_plan(pipeline, Selection(only=("a",)), surroundings)
        assert run_plan(plan, executor=executor).state == "done"
    assert not decided("a", surroundings=surroundings)
    assert decided(surroundings=surroundings)


def test_a_changed_cell_gets_a_head_start_once(two: Project, write_notebook: Callable[..., Path]) -> None:
    surroundings = Surroundings(two)
    assert run_plan(make_plan(load_pipeline("two"), Selection(), surroundings)).state == "done"
    assert not decided(surroundings=surroundings)
    write_notebook("n.ipynb", "open(out, 'w').write(str(x + 1))", parameters="x: int = 1\nout: str = ''")
    assert [decided(surroundings=surroundings) for _ in range(2)] == [True, False]


def test_a_notebook_written_since_is_guessed_to_run_until_it_was_found_unchanged(two: Project) -> None:
    surroundings = Surroundings(two)
    assert run_plan(make_plan(load_pipeline("two"), Selection(), surroundings)).state == "done"
    assert not guessed(surroundings)
    os.utime(two.notebooks / "n.ipynb", (1000, 1000))
    os.utime(two.cells, (999, 999))
    assert [guessed(surroundings) for _ in range(2)] == [True, False]


def test_a_guess_where_nothing_can_be_read_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with HeadStart() as start:
        start.guess()


def test_an_unknown_step_is_refused_before_anything_starts(two: Project) -> None:
    with HeadStart() as start, pytest.raises(SpecError, match="no step 'aa'"):
        start.decide(load_pipeline("two"), Selection(only=("aa",)), Surroundings(two))
