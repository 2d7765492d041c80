"""Messages: one tree of errors, places that can be clicked, the nearest known name."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench import errors
from workbench.errors import BadInput, Problem, SpecError, WorkbenchError, did_you_mean


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("is wrong"), "is wrong"),
        (Problem("is wrong", Path("p.yaml")), "p.yaml: is wrong"),
        (Problem("is wrong", "p.yaml", 3, "steps.a"), "p.yaml:3: steps.a: is wrong"),
        (Problem("is wrong", key="-p x"), "-p x: is wrong"),
    ],
)
def test_a_problem_says_where_and_what(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_all_problems_are_in_one_error() -> None:
    error = SpecError([Problem("first"), Problem("second")])
    assert str(error) == "first\nsecond"
    assert [problem.message for problem in error.problems] == ["first", "second"]


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("trian", ["train", "test"], "; did you mean 'train'?"),
        ("x", ["train", "test"], "; known: test, train"),
        ("x", [f"step{n}" for n in range(1, 10)], "; known: step1, step2, step3, step4, step5, step6, step7, step8, …"),
        ("x", [], ""),
    ],
)  # fmt: skip
def test_an_unknown_name_comes_with_a_hint(name: str, known: list[str], hint: str) -> None:
    assert did_you_mean(name, known) == hint


def test_every_error_is_in_the_tree_and_in_its_picture() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    for kind in kinds:
        assert issubclass(kind, WorkbenchError)
        assert kind.__name__ in str(errors.__doc__)
        assert kind.exit_code == (2 if issubclass(kind, BadInput) else 1)
