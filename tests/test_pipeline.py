"""Pipelines as objects, and finding their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import SpecError
from workbench.notebook import MISSING, Notebook, Parameter
from workbench.pipeline import (
    Files,
    OutputOf,
    Step,
    branch_key,
    branch_label,
    find_pipeline,
    pipeline_files,
    references,
)
from workbench.settings import Project


def test_an_input_refers_to_the_outputs_it_is_made_of() -> None:
    first, second = OutputOf("a[k=1]", "out"), OutputOf("a[k=2]", "out")
    assert references(first) == (first,)
    assert references({"1": first, "2": second}) == (first, second)
    assert references(Files("data/*.csv")) == ()


@pytest.mark.parametrize(
    ("pattern", "many"), [("a.csv", False), ("data", False), ("*.csv", True), ("a?", True), ("[ab]", True)]
)
def test_a_pattern_may_match_many_files(pattern: str, many: bool) -> None:
    assert Files(pattern).many is many


@pytest.mark.parametrize(
    ("branch", "key", "label"),
    [
        ({"k": 1}, "s[k=1]", "1"),
        ({"k": True}, "s[k=true]", "true"),
        ({"k": "a b"}, "s[k=a_b]", "a_b"),
        ({"k": 1, "m": "x"}, "s[k=1,m=x]", "k=1,m=x"),
    ],
)
def test_a_branch_has_a_key_and_a_label(branch: dict[str, object], key: str, label: str) -> None:
    assert branch_key("s", branch) == key
    assert branch_label(branch) == label


def test_a_step_knows_its_effective_values_and_needs() -> None:
    declared = {
        "x": Parameter("x", "int", int, 1),
        "y": Parameter("y", "int", int, 2),
        "now": Parameter("now", "Any", object, MISSING, computed="f()"),
        "src": Parameter("src", "str", str, ""),
        "out": Parameter("out", "str", str, ""),
    }
    step = Step(
        key="s", name="s", branch={}, notebook=Notebook(Path("n.ipynb"), "python", "python3", (), 0, declared),
        parameters={"y": 3}, inputs={"src": OutputOf("a", "out")}, outputs={"out": "o"}, after=("b",),
    )  # fmt: skip
    assert step.effective == {"x": 1, "y": 3}
    assert step.needs == ("b", "a")


@pytest.mark.parametrize("name", ["train", "train.yaml", "notebooks/train.yaml"])
def test_a_pipeline_is_found_by_name_or_path(project: Project, name: str) -> None:
    file = project.notebooks / "train.yaml"
    file.touch()
    assert find_pipeline(project, name) == file
    assert find_pipeline(project, file) == file


def test_an_unknown_pipeline_comes_with_the_nearest(project: Project) -> None:
    (project.notebooks / "train.yaml").touch()
    (project.notebooks / "score.yml").touch()
    assert [file.name for file in pipeline_files(project)] == ["score.yml", "train.yaml"]
    with pytest.raises(SpecError, match=r"no pipeline 'trian' in '.*'; did you mean 'train'\?"):
        find_pipeline(project, "trian")
