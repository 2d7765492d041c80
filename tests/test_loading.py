"""A pipeline file with its notebooks and values becomes a Pipeline, or everything wrong is said at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import SpecError
from workbench.loading import load_pipeline
from workbench.pipeline import ChampionOf, Files, OutputOf, Pipeline
from workbench.settings import Project

WriteNotebook = Callable[..., Path]
Load = Callable[..., Pipeline]

DECLARED = """\
x: int = 1
k: Any = None
src: str = ''
many: list[str] = []
parts: dict[str, str] = {}
out: str = ''
other: str = ''
"""


@pytest.fixture
def load(project: Project, write_notebook: WriteNotebook, write_pipeline: Callable[[str, str], Path]) -> Load:
    """Load a pipeline of these steps; `n.ipynb` declares everything, `small.ipynb` needs a value for `n`."""
    write_notebook("n.ipynb", parameters=DECLARED)
    write_notebook("small.ipynb", parameters="n: int\nlimit: float = 0.5")
    write_notebook("plain.ipynb", "y = 1", parameters=None)

    def load(
        steps: str, top: str = "", arguments: dict[str, str] | None = None, **parameters: Any
    ) -> Pipeline:
        write_pipeline("p", f"pipeline: p\n{top}\nsteps:\n{steps}")
        return load_pipeline("p", parameters, arguments=arguments)

    return load


@pytest.fixture
def problems(load: Load) -> Callable[..., list[str]]:
    """What is wrong with a pipeline of these steps."""

    def problems(*arguments: Any, **more: Any) -> list[str]:
        with pytest.raises(SpecError) as caught:
            load(*arguments, **more)
        return [f"{p.line}: {p.key}: {p.message}" for p in caught.value.problems]

    return problems


def test_a_step_has_what_its_file_says(load: Load, project: Project) -> None:
    pipeline = load(
        """
  a:
    notebook: n.ipynb
    params: {x: 2}
    inputs: {src: "file:data.csv", many: "file:data/*.csv"}
    outputs: {out: o.txt}
    retries: 2
    timeout: 10m
    cell_timeout: 1m
    refresh: 1d
    cache: false
    kernel: mine
    secrets: [TOKEN]
""",
        top="description: What it is for\ntimeout: 1h",
    )
    assert (pipeline.name, pipeline.description, pipeline.timeout) == ("p", "What it is for", 3600)
    assert pipeline.file == project.notebooks / "p.yaml"
    step = pipeline.steps["a"]
    assert (step.parameters, step.outputs) == ({"x": 2}, {"out": "o.txt"})
    assert step.inputs == {"src": Files("data.csv"), "many": Files("data/*.csv")}
    assert (step.retries, step.timeout, step.cell_timeout, step.refresh) == (2, 600, 60, 86400)
    assert (step.cache, step.kernel, step.secrets) == (False, "mine", ("TOKEN",))


def test_defaults_of_a_step(load: Load) -> None:
    step = load("  a: {notebook: plain.ipynb}").steps["a"]
    assert (step.retries, step.timeout, step.cache, step.kernel) == (0, None, True, "python3")
    assert (step.parameters, step.inputs, step.outputs, step.needs) == ({}, {}, {}, ())


def test_a_notebook_is_read_once_for_all_its_steps(load: Load) -> None:
    steps = load("\n".join(f"  s{n}: {{notebook: n.ipynb}}" for n in range(1000))).steps
    assert len({id(step.notebook) for step in steps.values()}) == 1


def test_steps_come_after_what_they_need(load: Load) -> None:
    steps = load("""
  c: {notebook: n.ipynb, inputs: {src: b.out}}
  b: {notebook: n.ipynb, outputs: {out: o}, after: [a]}
  a: {notebook: n.ipynb}
""").steps
    assert list(steps) == ["a", "b", "c"]
    assert steps["b"].needs == ("a",)


def test_nearer_values_win(load: Load) -> None:
    steps = "  a: {notebook: n.ipynb}\n  b: {notebook: n.ipynb, params: {x: 3}}"
    top = "params: {x: 2}"
    found = load(steps, top).steps
    assert (found["a"].parameters["x"], found["b"].parameters["x"]) == (2, 3)
    found = load(steps, top, arguments={"x": "4"}).steps
    assert (found["a"].parameters["x"], found["b"].parameters["x"]) == (4, 4)


def test_values_are_coerced_and_reported_as_they_are_used(load: Load) -> None:
    pipeline = load("  a: {notebook: small.ipynb}", "params: {n: 3}", arguments={"limit": "1"}, n=4)
    assert pipeline.steps["a"].parameters == {"n": 4, "limit": 1.0}
    assert repr(pipeline.parameters) == "{'n': 4, 'limit': 1.0}"


def test_a_branch_for_each_value(load: Load) -> None:
    steps = load("  a: {notebook: n.ipynb, foreach: {k: [x, true, 0.5]}}").steps
    assert list(steps) == ["a[k=x]", "a[k=true]", "a[k=0.5]"]
    assert [step.parameters["k"] for step in steps.values()] == ["x", True, 0.5]


def test_a_branch_for_each_combination(load: Load) -> None:
    steps = load("  a: {notebook: n.ipynb, foreach: {k: [p, q], x: [1, 2]}}").steps
    assert list(steps) == ["a[k=p,x=1]", "a[k=p,x=2]", "a[k=q,x=1]", "a[k=q,x=2]"]


def test_branches_from_a_parameter_of_the_file(load: Load) -> None:
    steps, top = "  a: {notebook: n.ipynb, foreach: {k: ks}}", "params: {ks: [1, 2]}"
    assert list(load(steps, top).steps) == ["a[k=1]", "a[k=2]"]
    assert list(load(steps, top, ks=[3]).steps) == ["a[k=3]"]
    assert list(load(steps, top, arguments={"ks": "[4, 5]"}).steps) == ["a[k=4]", "a[k=5]"]


FAN = """
  each: {notebook: n.ipynb, foreach: {k: [1, 2]}, outputs: {out: o}}
  more: {notebook: n.ipynb, foreach: {k: [1, 2], x: [7, 8]}, inputs: {src: each.out}, outputs: {out: o}}
"""


def test_branches_of_the_same_variable_match(load: Load) -> None:
    steps = load(FAN).steps
    assert steps["more[k=1,x=7]"].inputs["src"] == OutputOf("each[k=1]", "out")
    assert steps["more[k=2,x=7]"].inputs["src"] == OutputOf("each[k=2]", "out")


def test_all_branches_become_a_mapping(load: Load) -> None:
    steps = load(FAN + "  all: {notebook: n.ipynb, inputs: {parts: each.*.out}}").steps
    assert steps["all"].inputs["parts"] == {
        "1": OutputOf("each[k=1]", "out"),
        "2": OutputOf("each[k=2]", "out"),
    }


def test_one_branch_can_be_chosen(load: Load) -> None:
    steps = load(FAN + "  one: {notebook: n.ipynb, inputs: {src: 'more[k=2, x=7].out'}}").steps
    assert steps["one"].inputs["src"] == OutputOf("more[k=2,x=7]", "out")


def test_after_a_fan_out_means_after_all_branches(load: Load) -> None:
    steps = load(FAN + "  last: {notebook: n.ipynb, after: [each]}").steps
    assert steps["last"].needs == ("each[k=1]", "each[k=2]")


def test_a_model_and_its_metrics(load: Load) -> None:
    model = load(
        "  a: {notebook: n.ipynb, outputs: {out: model/, other: metrics.json}}",
        "model: {name: m, version: a.out, metrics: a.other}",
    ).model
    assert model is not None
    assert (model.name, model.version, model.metrics) == ("m", OutputOf("a", "out"), OutputOf("a", "other"))


def test_a_model_with_all_that_it_is_judged_by(load: Load, project: Project) -> None:
    (project.notebooks / "c.yaml").touch()
    model = load(
        "  a: {notebook: n.ipynb, outputs: {out: model/, other: evidence.json}}",
        "model: {name: m, version: a.out, evidence: a.other, contract: notebooks/c.yaml, gates: {champion: {metric: auc}}}",
    ).model
    assert model is not None
    assert (model.contract, model.evidence) == ("notebooks/c.yaml", OutputOf("a", "other"))
    assert model.gates == {"champion": {"metric": "auc"}}


def test_a_contract_that_is_not_there(problems: Callable[..., list[str]], project: Project) -> None:
    (project.notebooks / "flights.yaml").touch()
    found = problems(ONE, "model: {name: m, version: a.out, contract: notebooks/flight.yaml}")
    assert "there is no file 'notebooks/flight.yaml'; did you mean 'notebooks/flights.yaml'?" in found[0]


def test_the_champion_is_an_input_that_may_be_nothing(load: Load, problems: Callable[..., list[str]]) -> None:
    step = load("  a: {notebook: n.ipynb, inputs: {k: 'model:m@champion'}}").steps["a"]
    assert step.inputs["k"] == ChampionOf("m")
    assert step.needs == ()
    found = problems("  a: {notebook: n.ipynb, inputs: {src: 'model:m@champion'}}")
    assert "receives a path, or None while there is no champion, but declares str" in found[0]


def test_memory_is_in_bytes(load: Load) -> None:
    assert load("  a: {notebook: n.ipynb, memory: 1.5GB}").steps["a"].memory == 1_500_000_000


def test_a_notebook_in_another_language_is_bound_by_name(load: Load, project: Project) -> None:
    (project.notebooks / "r.ipynb").write_text(
        '{"cells": [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "x <- 1\\nout <- \'\'"}],'
        '"metadata": {"kernelspec": {"name": "ir", "language": "R"}}}'
    )
    step = load("  a: {notebook: r.ipynb, params: {x: [1, 2]}, outputs: {out: o.csv}}").steps["a"]
    assert (step.kernel, step.parameters) == ("ir", {"x": [1, 2]})


ONE = "  a: {notebook: n.ipynb, outputs: {out: o}}\n"


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("  a: {notebook: nn.ipynb}", "4: steps.a.notebook: there is no notebook 'nn.ipynb'; did you mean 'n.ipynb'?"),
        ("  a: {notebook: no/n.ipynb}", "4: steps.a.notebook: there is no notebook 'no/n.ipynb'"),
        ("  a: {notebook: n.ipynb, params: {z: 1}}", "4: steps.a.params.z: n.ipynb declares no parameter 'z'; known: "),
        ("  a: {notebook: n.ipynb, outputs: {outt: o}}", "4: steps.a.outputs.outt: n.ipynb declares no parameter 'outt'; did you mean 'out'?"),
        ("  a: {notebook: plain.ipynb, params: {x: 1}}", "plain.ipynb has no cell tagged 'parameters', so nothing can be passed to it"),
        ("  a: {notebook: small.ipynb}", "4: steps.a: small.ipynb needs a value for 'n' (int)"),
        ("  a: {notebook: n.ipynb, params: {x: '1'}}", "4: steps.a.params.x: '1' is not int"),
        ("  a: {notebook: n.ipynb, foreach: {x: [1, b]}}", "4: steps.a.foreach.x: 'b' is not int"),
        ("  a: {notebook: n.ipynb, foreach: {x: xs}}", "'xs' is not a parameter of this file that holds a list"),
        (ONE + "  b: {notebook: n.ipynb, inputs: {src: aa.out}}", "5: steps.b.inputs.src: there is no step 'aa'; did you mean 'a'?"),
        (ONE + "  b: {notebook: n.ipynb, inputs: {src: a.oout}}", "step 'a' has no output 'oout'; did you mean 'out'?"),
        ("  a: {notebook: n.ipynb, inputs: {src: a.out}, outputs: {out: o}}", "steps.a.inputs.src: 'a.out' is an output of this step itself"),
        ("  a: {notebook: n.ipynb, foreach: {k: [1]}, inputs: {parts: a.*.out}, outputs: {out: o}}", "'a.*.out' is an output of this step itself"),
        (ONE + "  b: {notebook: n.ipynb, inputs: {x: a.out}}", "steps.b.inputs.x: the notebook receives a path but declares int"),
        (ONE + "  b: {notebook: n.ipynb, inputs: {src: a.*.out}}", "the notebook receives a mapping of paths but declares str"),
        (ONE + "  b: {notebook: n.ipynb, inputs: {src: 'file:*.csv'}}", "the notebook receives a list of paths but declares str"),
        (FAN + "  b: {notebook: n.ipynb, inputs: {src: each.out}}", "step 'each' has branches; expected 'each.*.out' for all of them, or one such as 'each[k=1].out'"),
        (FAN + "  b: {notebook: n.ipynb, inputs: {src: 'each[k=3].out'}}", "there is no branch 'each[k=3]'; did you mean 'each[k=2]'?"),
        (FAN + "  b: {notebook: n.ipynb, foreach: {k: [3]}, inputs: {src: each.out}}", "step 'each' has branches"),
        (ONE + "  b: {notebook: n.ipynb, after: [aa]}", "5: steps.b.after: there is no step 'aa'; did you mean 'a'?"),
        ("  a: {notebook: n.ipynb, after: [a]}", "a step cannot come after itself"),
        ("  a: {notebook: n.ipynb, after: [b]}\n  b: {notebook: n.ipynb, after: [a]}", "these steps wait for each other: "),
    ],
)  # fmt: skip
def test_each_mistake_has_its_place_and_message(
    problems: Callable[..., list[str]], steps: str, problem: str
) -> None:
    found = problems(steps)
    assert len(found) == 1
    assert problem in found[0]


def test_a_circle_is_named_in_the_order_of_waiting(problems: Callable[..., list[str]]) -> None:
    (found,) = problems("""
  a: {notebook: n.ipynb, inputs: {src: c.out}, outputs: {out: o}}
  b: {notebook: n.ipynb, inputs: {src: a.out}, outputs: {out: o}}
  c: {notebook: n.ipynb, inputs: {src: b.out}, outputs: {out: o}}
""")
    circle = found.partition("each other: ")[2].split(" → ")
    assert circle[0] == circle[-1]
    assert "→".join(circle) in "a→c→b→a→c→b→a"


@pytest.mark.parametrize(
    ("top", "problem"),
    [
        ("params: {y: 1}", "2: params.y: no notebook declares this parameter"),
        ("params: {src: 1}", "is wired in the pipeline file (inputs of step 'a'), so no value can be given"),
        ("params: {x: '1'}", "2: params.x: '1' is not int"),
        ("model: {name: m, version: b.out}", "2: model.version: there is no step 'b'"),
        ("model: {name: m, version: a.src}", "2: model.version: step 'a' has no output 'src'"),
        ("model: {name: m, version: a.out, metrics: a.m}", "2: model.metrics: step 'a' has no output 'm'"),
    ],
)
def test_each_mistake_of_the_file_too(problems: Callable[..., list[str]], top: str, problem: str) -> None:
    found = problems("  a: {notebook: n.ipynb, inputs: {src: 'file:s'}, outputs: {out: o}}", top)
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"x": "one"}, "-p x: 'one' is not int"),
        ({"x": "1.5"}, "-p x: 1.5 is not int"),
        ({"xx": "1"}, "-p xx: no notebook declares this parameter; did you mean 'x'?"),
        (
            {"src": "a.csv"},
            "-p src: is wired in the pipeline file (inputs of step 'a'), so no value can be given",
        ),
        ({"k": "1"}, "-p k: is wired in the pipeline file (foreach of step 'a')"),
        ({"ks": "[1"}, "-p ks: '[1' is not valid"),
        ({"ks": "3"}, "steps.a.foreach.k: 'ks' is not a parameter of this file that holds a list"),
        ({"ks": "[1, 1]"}, "steps.a.foreach.k: ks: two branches would be called '1'"),
    ],
)
def test_values_from_outside_are_checked(
    problems: Callable[..., list[str]], arguments: dict[str, str], problem: str
) -> None:
    steps = "  a: {notebook: n.ipynb, foreach: {k: ks}, inputs: {src: 'file:s'}}"
    found = problems(steps, "params: {ks: [1, 2]}", arguments=arguments)
    assert len(found) == 1
    assert problem in found[0]


def test_values_of_the_python_interface_are_checked_too(problems: Callable[..., list[str]]) -> None:
    assert problems("  a: {notebook: n.ipynb}", x="1")[0].startswith("None: -p x: '1' is not int")


def test_all_mistakes_are_reported_at_once(
    problems: Callable[..., list[str]], write_notebook: WriteNotebook
) -> None:
    write_notebook("broken.ipynb", "def f(:")
    found = problems(
        """
  a: {notebook: n.ipynb, outputs: {out: ../o}, retries: many}
  b: {notebook: n.ipynb, inputs: {src: a.out, parts: z.*.out}, colour: red}
  c: {notebook: missing.ipynb}
  d: {notebook: broken.ipynb, inputs: {y: a.out}}
  e: {params: {x: 1}}
  f: {notebook: n.ipynb, after: [e, g, z]}
  g: {notebook: n.ipynb, after: [f], params: {x: yes}}
""",
        arguments={"x": "one"},
    )
    expected = [
        "5: steps.a.outputs.out: '../o' is not a file name",
        "5: steps.a.retries: 'many' is not a count",
        "6: steps.b.inputs.parts: there is no step 'z'",
        "6: steps.b.colour: unknown key",
        "7: steps.c.notebook: there is no notebook 'missing.ipynb'",
        "None: None: code cell 2 line 1: ",
        "9: steps.e.notebook: is missing",
        "10: steps.f.after: there is no step 'z'",
        "these steps wait for each other: ",
        "11: steps.g.params.x: 'yes' is not int",
        "None: -p x: 'one' is not int",
    ]
    assert [problem for problem in found if not any(part in problem for part in expected)] == []
    assert len(found) == len(expected)


def test_the_same_mistake_of_many_branches_is_reported_once(problems: Callable[..., list[str]]) -> None:
    assert (
        len(problems("  a: {notebook: n.ipynb, foreach: {k: [1, 2, 3]}, inputs: {src: b.out}, after: [b]}"))
        == 2
    )


def test_a_broken_notebook_is_reported_once_however_many_steps_use_it(
    problems: Callable[..., list[str]], write_notebook: WriteNotebook
) -> None:
    write_notebook("broken.ipynb", parameters="x: int = 'a'")
    found = problems("  a: {notebook: broken.ipynb}\n  b: {notebook: broken.ipynb}", "params: {y: 1}")
    assert found == ["None: x: the default 'a' is not int (input should be a valid integer)"]


@pytest.mark.parametrize(
    "text", ["", "[]", "pipeline: p\n", "pipeline: p\nsteps: []\n", "pipeline: p\nsteps: {}\n"]
)
def test_a_file_without_steps_is_refused(project: Project, text: str) -> None:
    (project.notebooks / "p.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"p\.yaml"):
        load_pipeline("p")


def test_a_file_without_name_is_refused_with_everything_else(
    problems: Callable[..., list[str]], project: Project
) -> None:
    (project.notebooks / "q.yaml").write_text("steps: {a: {notebook: none.ipynb}}\nmodel: {version: a.out}\n")
    with pytest.raises(SpecError) as caught:
        load_pipeline("q")
    assert {problem.key for problem in caught.value.problems} >= {
        "pipeline",
        "model.name",
        "steps.a.notebook",
    }
