"""Notebooks and pipeline files: what is understood, and how everything wrong is reported at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import ProjectError, SpecError
from workbench.loading import load_pipeline
from workbench.notebook import read_notebook
from workbench.schema import json_schema
from workbench.setting_keys import parse_duration, parse_size
from workbench.settings import Project, find_project, read_project
from workbench.yamls import parse_value, read_yaml

WriteNotebook = Callable[..., Path]

DECLARED = """\
month: int = 3                       # which month
alpha: float | None = None
kind: Literal["a", "b"] = "a"
names: list[str] = []
plain = "text"
computed = 1 + 1
needed: int
"""


def test_parameters_have_types_defaults_and_help(write_notebook: WriteNotebook) -> None:
    parameters = read_notebook(write_notebook("n.ipynb", parameters=DECLARED)).parameters
    assert parameters["month"].help == "which month"
    assert (parameters["month"].annotation, parameters["month"].default) == ("int", 3)
    assert parameters["plain"].annotation == "str"
    assert parameters["computed"].computed == "1 + 1"
    assert [name for name, p in parameters.items() if p.required] == ["needed"]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        ("int", 3, 3), ("float", 3, 3.0), ("float | None", None, None), ("list[int]", [1, 2], [1, 2]),
        ("dict[str, float]", {"a": 1.5}, {"a": 1.5}), ("Literal['a', 1]", 1, 1), ("Optional[str]", "x", "x"),
    ],
)  # fmt: skip
def test_values_of_the_declared_type_are_taken(
    write_notebook: WriteNotebook, annotation: str, value: Any, expected: Any
) -> None:
    parameter = read_notebook(write_notebook("n.ipynb", parameters=f"x: {annotation}")).parameters["x"]
    coerced = parameter.coerce(value)
    assert coerced == expected
    assert type(coerced) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("int", "3"), ("int", True), ("int", 1.0), ("str", 3), ("bool", 1), ("list[int]", [1, "2"]),
        ("Literal['a', 'b']", "c"), ("float | None", "x"),
    ],
)  # fmt: skip
def test_other_values_are_refused(write_notebook: WriteNotebook, annotation: str, value: Any) -> None:
    parameter = read_notebook(write_notebook("n.ipynb", parameters=f"x: {annotation}")).parameters["x"]
    with pytest.raises(ValueError, match="is not"):
        parameter.coerce(value)


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        ("int", "7", 7), ("str", "7", "7"), ("float", "1e-3", 0.001), ("bool", "true", True),
        ("str | None", "null", None), ("list[int]", "[1, 2]", [1, 2]), ("str", "a: b: c", "a: b: c"),
    ],
)  # fmt: skip
def test_text_from_a_command_line_becomes_the_declared_type(
    write_notebook: WriteNotebook, annotation: str, text: str, expected: Any
) -> None:
    assert (
        read_notebook(write_notebook("n.ipynb", parameters=f"x: {annotation}")).parameters["x"].parse(text)
        == expected
    )


def test_magics_are_read_as_ipython_does(write_notebook: WriteNotebook) -> None:
    notebook = read_notebook(
        write_notebook("n.ipynb", "%matplotlib inline\nimport pandas", "!ls", "%%bash\nls")
    )
    assert "pandas" in notebook.imports


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not valid JSON"), ("{}", "not a notebook"), ("[]", "not a notebook")],
)
def test_what_is_no_notebook_is_said(project: Project, content: str, message: str) -> None:
    file = project.notebooks / "bad.ipynb"
    file.write_text(content)
    with pytest.raises(SpecError, match=message):
        read_notebook(file)


def test_a_syntax_error_names_its_cell(write_notebook: WriteNotebook) -> None:
    with pytest.raises(SpecError, match="code cell 3"):
        _ = read_notebook(write_notebook("n.ipynb", "ok = 1", "def f(:")).imports


def test_every_problem_of_a_pipeline_file_at_once(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("a.ipynb", parameters="x: int = 1\nout: str = ''\nneeded: int")
    write_pipeline(
        "p",
        """\
        pipeline: p
        params: {xx: 1, x: "3"}
        steps:
          a: {notebook: a.ipynb, outputs: {outt: a.txt}}
          b: {notebook: aa.ipynb}
          c: {notebook: a.ipynb, inputs: {x: a.nothing, needed: d.out}}
        model: {name: m, version: e.out}
        """,
    )
    with pytest.raises(SpecError) as caught:
        load_pipeline("p", arguments={"x": "seven"})
    text = str(caught.value)
    for part in (
        "declares no parameter 'outt'; did you mean 'out'?",
        "there is no notebook 'aa.ipynb'; did you mean 'a.ipynb'?",
        "needs a value for 'needed'",
        "there is no step 'd'",
        "there is no step 'e'",
        "p.yaml:2: params.x: '3' is not int",
        "-p x: 'seven' is not int",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("{a: {notebok: a.ipynb}}", "did you mean 'notebook'"),
        ("{a: {notebook: a.py}}", "is not a notebook"),
        ("{a: {notebook: a.ipynb, retries: -1}}", "not a count"),
        ("{a: {notebook: a.ipynb, timeout: soon}}", "not a duration"),
        ("{a: {notebook: a.ipynb, foreach: {x: []}}}", "not a list of values"),
        ("{a: {notebook: a.ipynb, outputs: {out: ../up}}}", "not a file name"),
        ("{a: {notebook: a.ipynb, outputs: {out: o, x: o}}}", "the same file"),
        ("{a: {notebook: a.ipynb, inputs: {x: nonsense}}}", "not an input"),
        ("{a: {notebook: a.ipynb, after: [b]}, b: {notebook: a.ipynb, after: [a]}}", "wait for each other"),
        ("{a: {notebook: a.ipynb, after: [z]}}", "there is no step 'z'"),
        ("[]", "steps: "),
    ],
)
def test_each_mistake_in_a_step_has_its_message(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any, steps: str, message: str
) -> None:
    write_notebook("a.ipynb", parameters="x: int = 1\nout: str = ''")
    write_pipeline("p", f"pipeline: p\nsteps: {steps}\n")
    with pytest.raises(SpecError, match=message):
        load_pipeline("p")


def test_fan_out_and_fan_in_find_each_other(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("each.ipynb", parameters="k: int = 0\nsrc: str = ''\nout: str = ''")
    write_notebook("all.ipynb", parameters="parts: dict[str, str] = {}\none: str = ''")
    write_pipeline(
        "p",
        """\
        pipeline: p
        params: {ks: [1, 2]}
        steps:
          each: {notebook: each.ipynb, foreach: {k: ks}, outputs: {out: o.txt}}
          more: {notebook: each.ipynb, foreach: {k: ks}, inputs: {src: each.out}, outputs: {out: o.txt}}
          all: {notebook: all.ipynb, inputs: {parts: more.*.out, one: "more[k=2].out"}}
        """,
    )
    steps = load_pipeline("p").steps
    assert steps["more[k=1]"].needs == ("each[k=1]",)
    assert set(steps["all"].inputs["parts"]) == {"1", "2"}  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"no branch 'more\[k=2\]'; did you mean 'more\[k=5\]'"):
        load_pipeline("p", {"ks": [5]})


def test_duplicate_keys_and_bad_yaml_have_a_line(project: Project, write_pipeline: Any) -> None:
    with pytest.raises(SpecError, match=r"p\.yaml:3: a: .*twice"):
        read_yaml(write_pipeline("p", "pipeline: p\na: 1\na: 2\n"))
    with pytest.raises(SpecError, match="not valid YAML"):
        read_yaml(write_pipeline("q", "a: [1\nb: 2\n"))


@given(st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.none()))
def test_scalars_are_read_as_json_writes_them(value: Any) -> None:
    assert parse_value(json.dumps(value).replace("Infinity", ".inf")) == value


@pytest.mark.parametrize("text", ["no", "2013-01-01", "on", "1_000"])
def test_words_stay_words(text: str) -> None:
    assert parse_value(text) == text


def test_the_schema_takes_the_pipeline_of_this_repository() -> None:
    file = Path(__file__).parents[1] / "notebooks" / "train.yaml"
    document = read_yaml(file).value
    jsonschema.validate(document, json_schema())
    document["steps"]["ingest"]["notebok"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_schema())


def test_settings_report_every_problem(project: Project) -> None:
    (project.root / "workbench.toml").write_text(
        "[project]\nname = 'x'\n[run]\nworkrs = 2\noutput_budget = 'lots'\n[zap]\n"
    )
    with pytest.raises(SpecError) as caught:
        read_project(project.root)
    assert "did you mean 'workers'?" in str(caught.value)
    assert "'lots' is not a size" in str(caught.value)
    assert "unknown section 'zap'" in str(caught.value)


def test_a_folder_outside_of_projects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no workbench\.toml"):
        find_project(tmp_path)


def test_sizes_and_durations() -> None:
    assert (parse_size("20MB"), parse_size("1.5 GiB"), parse_size(7)) == (20_000_000, 1_610_612_736, 7)
    assert (parse_duration("1h30m"), parse_duration("90s"), parse_duration(5)) == (5400, 90, 5)
