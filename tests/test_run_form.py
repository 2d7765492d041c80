"""Forms made of the parameters of notebooks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench import load_pipeline
from workbench.errors import SpecError
from workbench.pipeline import Pipeline
from workbench.run_form import arguments, fields

PARAMETERS = """\
from typing import Literal
kind: Literal["a", "b", 3] = "b"  # of two
deep: bool = False
rounds: int = 5
rate: float = 0.5
limit: float | None = None
title: str = "5"
note: str | None = None
months: list[int] = [1, 2]
sizes: dict[str, int] = {"x": 1}
free = "words"
out: str = ""
"""


@pytest.fixture
def pipeline(write_notebook: Callable[..., Path], write_pipeline: Any) -> Pipeline:
    write_notebook("one.ipynb", "pass", parameters=PARAMETERS)
    write_notebook("two.ipynb", "pass", parameters="rounds: int = 9\nmust: int\nout: str = ''")
    write_pipeline(
        "demo",
        """\
        pipeline: demo
        params: {rate: 0.25, must: 1}
        steps:
          one: {notebook: one.ipynb, outputs: {out: out.txt}}
          two: {notebook: two.ipynb, inputs: {out: one.out}}
        """,
    )
    return load_pipeline("demo")


def test_each_type_has_its_field_and_wired_paths_have_none(pipeline: Pipeline) -> None:
    found = {field.name: field for field in fields(pipeline, {"rounds": 7})}
    assert {name: field.kind for name, field in found.items()} == {
        "kind": "choice", "deep": "flag", "rounds": "whole", "rate": "number", "limit": "number", "title": "text",
        "note": "yaml", "months": "yaml", "sizes": "yaml", "free": "text", "must": "whole",
    }  # fmt: skip
    assert found["kind"].choices == ("a", "b", 3)
    assert found["kind"].help == "of two"
    assert found["rounds"].steps == ("one", "two")
    assert {name: found[name].value for name in ("rounds", "rate", "limit", "months", "must")} == {
        "rounds": 7, "rate": 0.25, "limit": None, "months": "[1, 2]", "must": 1,
    }  # fmt: skip


def test_only_what_was_touched_is_asked_for_and_means_what_the_command_line_means(pipeline: Pipeline) -> None:
    form = fields(pipeline)
    untouched = {field.name: field.value for field in form}
    assert arguments(form, untouched) == {}
    filled = untouched | {
        "kind": 3,
        "deep": True,
        "limit": 2.5,
        "title": "7",
        "months": "[3]",
        "note": "words",
        "sizes": "{y: 2}",
    }
    said = arguments(form, filled)
    values = load_pipeline("demo", arguments=said).parameters
    assert {name: values[name] for name in said} == {
        "kind": 3, "deep": True, "limit": 2.5, "title": "7", "months": [3], "note": "words", "sizes": {"y": 2},
    }  # fmt: skip


def test_what_is_not_of_the_type_is_refused_as_on_the_command_line(pipeline: Pipeline) -> None:
    form = fields(pipeline)
    said = arguments(form, {"months": "[one]"})
    with pytest.raises(SpecError, match="is not list"):
        load_pipeline("demo", arguments=said)
