"""The pipeline of notebooks that scores: what it says when nobody has promoted anything. nbval runs it with a champion."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import SETTINGS
from workbench import load_pipeline, make_plan, run_plan
from workbench.settings import read_project

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).parents[2]


def test_without_a_champion_it_says_what_to_do(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "notebooks", tmp_path / "notebooks")
    (tmp_path / "workbench.toml").write_text(SETTINGS)
    project = read_project(tmp_path)
    result = run_plan(make_plan(load_pipeline("score", {"months": [8], "sample": 0.01}, project=project)))
    assert {name: step.state for name, step in result.steps.items()} == {
        "ingest": "done",
        "upcoming": "done",
        "score": "failed",
    }
    failure = result.steps["score"].failure
    assert failure is not None
    assert "'flight-delay' has no champion that could score: workbench run train, then" in failure.message
    assert "workbench models promote flight-delay VERSION" in failure.message
