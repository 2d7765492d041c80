"""The shape of a pipeline file: one table of keys, from which the checks and the JSON Schema come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from workbench.schema import (
    MODEL_KEYS,
    PIPELINE_KEYS,
    STEP_KEYS,
    branch_values,
    branch_word,
    check_shape,
    json_schema,
    shape_problems,
)
from workbench.yamls import Document, parse_value, read_yaml

REPOSITORY = Path(__file__).parent.parent

STEP = "{notebook: a.ipynb, %s}"
"""A step with one more key."""

MODEL = "{pipeline: p, steps: {a: {notebook: a.ipynb}}, model: {name: m, version: a.m, %s}}"
"""A file whose model has more keys."""

WRONG_STEPS = [
    ("[]", "steps.a: [] is not a mapping with 'notebook'"),
    ("{}", "steps.a.notebook: is missing: the notebook that the step runs"),
    ("{notebook: a.py}", "steps.a.notebook: 'a.py' is not a notebook"),
    ("{notebook: 3}", "steps.a.notebook: 3 is not a notebook"),
    (STEP % "notbook: b.ipynb", "steps.a.notbook: unknown key; did you mean 'notebook'?"),
    (STEP % "params: [x]", "steps.a.params: ['x'] is not a mapping of names to values"),
    (STEP % "params: {1x: 2}", "steps.a.params.1x: '1x' is not a Python identifier"),
    (STEP % "foreach: {}", "steps.a.foreach: {} is not a mapping"),
    (STEP % "foreach: {x: []}", "steps.a.foreach.x: [] is not a list of values"),
    (STEP % "foreach: {x: 3}", "steps.a.foreach.x: 3 is not a list of values"),
    (STEP % "foreach: {x: [[1]]}", "steps.a.foreach.x: [1] cannot name a branch"),
    (STEP % "foreach: {x: [null]}", "steps.a.foreach.x: None cannot name a branch"),
    (STEP % "foreach: {x: [a, a]}", "steps.a.foreach.x: two branches would be called 'a'"),
    (STEP % "inputs: {x: nowhere}", "steps.a.inputs.x: 'nowhere' is not an input; expected step.output"),
    (STEP % "inputs: {x: b.*}", "steps.a.inputs.x: 'b.*' is not an input"),
    (STEP % "inputs: {x: 'file:'}", "steps.a.inputs.x: 'file:' is not an input"),
    (STEP % "inputs: {x: 3}", "steps.a.inputs.x: 3 is not an input"),
    (STEP % "outputs: {x: ../up.csv}", "steps.a.outputs.x: '../up.csv' is not a file name"),
    (STEP % "outputs: {x: a/b.csv}", "steps.a.outputs.x: 'a/b.csv' is not a file name"),
    (STEP % "outputs: {x: ..}", "steps.a.outputs.x: '..' is not a file name"),
    (STEP % "outputs: {x: /}", "steps.a.outputs.x: '/' is not a file name"),
    (STEP % "outputs: {x: 3}", "steps.a.outputs.x: 3 is not a file name"),
    (STEP % "outputs: x", "steps.a.outputs: 'x' is not a mapping"),
    (STEP % "after: b", "steps.a.after: 'b' is not a list of names"),
    (STEP % "after: ['']", "steps.a.after: [''] is not a list of names"),
    (STEP % "retries: -1", "steps.a.retries: -1 is not a count"),
    (STEP % "retries: true", "steps.a.retries: True is not a count"),
    (STEP % "retries: 1.5", "steps.a.retries: 1.5 is not a count"),
    (STEP % "memory: much", "steps.a.memory: 'much' is not a size"),
    (STEP % "memory: true", "steps.a.memory: True is not a size"),
    (
        STEP % "inputs: {x: 'model:m'}",
        "steps.a.inputs.x: 'model:m' is not a registered model; expected model:NAME@champion",
    ),
    (STEP % "inputs: {x: 'model:m@latest'}", "steps.a.inputs.x: 'model:m@latest' is not a registered model"),
    (STEP % "timeout: soon", "steps.a.timeout: 'soon' is not a duration"),
    (STEP % "timeout: 0", "steps.a.timeout: 0 is not more than nothing"),
    (STEP % "timeout: true", "steps.a.timeout: True is not a duration"),
    (STEP % "cell_timeout: [1]", "steps.a.cell_timeout: [1] is not a duration"),
    (STEP % "kernel: ''", "steps.a.kernel: '' is not a name or text"),
    (STEP % "cache: 'no'", "steps.a.cache: 'no' is neither true nor false"),
    (STEP % "refresh: 1 fortnight", "steps.a.refresh: '1 fortnight' is not a duration"),
    (STEP % "secrets: {A: b}", "steps.a.secrets: {'A': 'b'} is not a list of names"),
]

ONLY_CHECKED = [
    (STEP % "params: {lambda: 2}", "steps.a.params.lambda: 'lambda' is not a Python identifier"),
    (STEP % "foreach: {x: [a b, a_b]}", "two branches would be called 'a_b'"),
    (STEP % "foreach: {x: [true, 'true']}", "two branches would be called 'true'"),
    (STEP % "outputs: {x: o, y: o/}", "steps.a.outputs: two outputs are the same file 'o'"),
    (
        STEP % "inputs: {x: b.out}, outputs: {x: o}",
        "steps.a.outputs.x: stands in 'inputs' of this step already",
    ),
    (
        STEP % "foreach: {x: [1]}, params: {x: 2}",
        "steps.a.params.x: stands in 'foreach' of this step already",
    ),
    (STEP % "inputs: {x: 'file:a**/b'}", "'**' stands for folders and must be alone"),
    (STEP % "timeout: 0s", "steps.a.timeout: '0s' is not more than nothing"),
]
"""What JSON Schema has no words for."""

WRONG_FILES = [
    ("{}", "pipeline: is missing"),
    ("{pipeline: p}", "steps: is missing"),
    ("{pipeline: p, steps: {}}", "steps: {} is not a mapping, or an empty one"),
    ("{pipeline: p, steps: [a]}", "steps: ['a'] is not a mapping, or an empty one"),
    ("{pipeline: 1p, steps: {a: {notebook: a.ipynb}}}", "pipeline: '1p' is not a name"),
    ("{pipeline: p, steps: {a b: {notebook: a.ipynb}}}", "steps.a b: 'a b' is not a name"),
    ("{pipeline: p, steps: {a: {notebook: a.ipynb}}, step: 1}", "step: unknown key; did you mean 'steps'?"),
    ("{pipeline: p, steps: {a: {notebook: a.ipynb}}, params: 3}", "params: 3 is not a mapping"),
    (
        "{pipeline: p, steps: {a: {notebook: a.ipynb}}, description: ''}",
        "description: '' is not a name or text",
    ),
    (MODEL % "contract: 3", "model.contract: 3 is not the path of a file in the project"),
    (MODEL % "gates: {}", "model.gates: {} is not a mapping, or an empty one"),
    (
        MODEL % "evidence: a.e, gates: {metric: {}}",
        "model.gates.metric: unknown gate; did you mean 'metrics'?",
    ),
    (MODEL % "evidence: a.e, gates: {champion: {}}", "model.gates.champion.metric: is missing"),
    (MODEL % "evidence: a.e, gates: {seeds: {metric: auc, max_spread: -1}}", "-1 is negative"),
    ("{pipeline: p, steps: {a: {notebook: a.ipynb}}, model: x}", "model: 'x' is not a mapping"),
    ("{pipeline: p, steps: {a: {notebook: a.ipynb}}, model: {name: m}}", "model.version: is missing"),
    (
        "{pipeline: p, steps: {a: {notebook: a.ipynb}}, model: {name: m, version: a}}",
        "model.version: 'a' is not an output",
    ),
    (
        "{pipeline: p, steps: {a: {notebook: a.ipynb}}, model: {name: m, version: a.*.b}}",
        "model.version: 'a.*.b' is not an",
    ),
]

RIGHT_STEPS = [
    "{notebook: a.ipynb}",
    STEP % "params: {x: [1, {a: null}]}",
    STEP % "foreach: {x: [1, a, 0.5, true], y: values}",
    STEP % "inputs: {a: b.out, b: b.*.out, c: 'b[x=1].out', d: 'file:data/*.csv', e: 'file:/abs/**/x'}",
    STEP % "outputs: {a: a.csv, b: model/, c: .hidden, d: 'with space'}",
    STEP % "after: [b], retries: 2, timeout: 1h30m, cell_timeout: 90, refresh: 0.5d",
    STEP % "kernel: ir, cache: false, secrets: [TOKEN]",
]


def problems(text: str) -> list[str]:
    return [str(problem) for problem in check_shape(Document(parse_value(text)), Path("p.yaml"))]


def in_a_file(step: str) -> str:
    return f"{{pipeline: p, steps: {{a: {step}}}}}"


def accepted_by_schema(text: str) -> bool:
    validator = jsonschema.Draft202012Validator(json_schema())
    return bool(validator.is_valid(parse_value(text)))


@pytest.mark.parametrize(
    ("text", "message"),
    [*((in_a_file(step), message) for step, message in WRONG_STEPS + ONLY_CHECKED), *WRONG_FILES],
)
def test_each_mistake_has_its_message(text: str, message: str) -> None:
    assert any(message in problem for problem in problems(text))


@pytest.mark.parametrize(
    "text", [in_a_file(step) for step, _ in WRONG_STEPS] + [text for text, _ in WRONG_FILES]
)
def test_the_json_schema_refuses_it_too(text: str) -> None:
    assert not accepted_by_schema(text)


@pytest.mark.parametrize("step", RIGHT_STEPS)
def test_both_accept_what_is_right(step: str) -> None:
    assert problems(in_a_file(step)) == []
    assert accepted_by_schema(in_a_file(step))


def test_the_json_schema_is_one_and_accepts_this_repositorys_pipelines() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for file in (REPOSITORY / "notebooks").glob("*.yaml"):
        jsonschema.validate(read_yaml(file).value, schema)


def test_every_key_is_described() -> None:
    def descriptions(schema: dict[str, Any], keys: Any) -> Iterator[tuple[str, str]]:
        for name in keys:
            yield name, schema["properties"][name]["description"]

    schema = json_schema()
    step = schema["properties"]["steps"]["additionalProperties"]
    found = [
        *descriptions(schema, PIPELINE_KEYS),
        *descriptions(step, STEP_KEYS),
        *descriptions(schema["properties"]["model"], MODEL_KEYS),
    ]
    assert all(len(help_) > 10 for _, help_ in found)


def test_every_mistake_is_reported_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(
        "pipeline: p\nstpes: 1\nsteps:\n  a:\n    inputs:\n      x: 3\n      y: 4\n    retries: many\n"
    )
    found = check_shape(read_yaml(file), file)
    assert {(problem.line, problem.key) for problem in found} == {
        (2, "stpes"),
        (4, "steps.a.notebook"),
        (6, "steps.a.inputs.x"),
        (7, "steps.a.inputs.y"),
        (8, "steps.a.retries"),
    }


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_a_file_that_is_no_mapping(value: Any) -> None:
    assert shape_problems(value) == [
        ((), "is empty or no mapping; a pipeline file starts with 'pipeline: NAME'")
    ]


@pytest.mark.parametrize(
    ("value", "word"), [(True, "true"), (1, "1"), (0.5, "0.5"), ("a, b [c]", "a_b_c_"), ("x", "x")]
)
def test_branches_are_called_by_their_values(value: Any, word: str) -> None:
    assert branch_word(value) == word


def test_branch_values_may_be_mixed() -> None:
    assert branch_values([1, "a", 0.5, False]) is None
