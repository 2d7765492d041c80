"""Parameters: what annotations mean, and strict coercion."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from workbench.parameters import MISSING, Parameter, annotated_type, type_name


def parameter(annotation: str) -> Parameter:
    return Parameter("x", annotation, annotated_type(ast.parse(annotation, mode="eval").body), MISSING)


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        ("int", 3, 3),
        ("float", 1, 1.0),
        ("float", 1.5, 1.5),
        ("str", "3", "3"),
        ("bool", True, True),
        ("None", None, None),
        ("Any", {"a": [1]}, {"a": [1]}),
        ("object", 3, 3),
        ("list", [1, "a"], [1, "a"]),
        ("dict", {"a": 1}, {"a": 1}),
        ("list[int]", [1, 2], [1, 2]),
        ("list[float]", [1, 2.5], [1.0, 2.5]),
        ("List[str]", ["a"], ["a"]),
        ("dict[str, float]", {"a": 1}, {"a": 1.0}),
        ("dict[str, list[int]]", {"a": [1]}, {"a": [1]}),
        ("dict[str, dict[str, int]]", {"a": {"b": 1}}, {"a": {"b": 1}}),
        ("int | None", None, None),
        ("float | None", 3, 3.0),
        ("Optional[int]", 3, 3),
        ("Union[int, str]", "a", "a"),
        ("typing.Optional[str]", "a", "a"),
        ("'int | None'", 1, 1),
        ("Literal['a', 'b']", "b", "b"),
        ("Literal['a', 1, None]", None, None),
        ("typing.Literal[-1]", -1, -1),
        ("tuple", [1, 2], (1, 2)),
        ("tuple[int, str]", [1, "a"], (1, "a")),
        ("tuple[int, ...]", [1, 2, 3], (1, 2, 3)),
        ("tuple[int, ...]", (1, 2), (1, 2)),
    ],
)
def test_values_of_the_type_are_taken(annotation: str, value: Any, expected: Any) -> None:
    found = parameter(annotation).coerce(value)
    assert found == expected
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        ("int", "3", "'3' is not int"),
        ("int", True, "True is not int"),
        ("int", 3.0, "3.0 is not int"),
        ("float", "0.5", "'0.5' is not float"),
        ("float", True, "True is not float"),
        ("str", 3, "3 is not str"),
        ("bool", 1, "1 is not bool"),
        ("bool", "true", "'true' is not bool"),
        ("None", 0, "0 is not None"),
        ("list[int]", [1, "2"], "[1, '2'] is not list[int] at [1]"),
        ("list[float]", [1, True], "[1, True] is not list[float] at [1]"),
        ("list", (1,), "(1,) is not list"),
        ("dict[str, float]", {"a": "b"}, "{'a': 'b'} is not dict[str, float] at ['a']"),
        ("dict[str, list[int]]", {"a": [1, None]}, "at ['a'][1]"),
        ("float | None", True, "True is not float | None"),
        ("Literal['a', 'b']", "c", "'c' is not Literal['a', 'b']"),
        ("Literal[1]", True, "True is not Literal[1]"),
        ("Literal[0.5, 1]", 0.4, "0.4 is not Literal[0.5, 1]"),
        ("list[Literal[1]]", [1.0], "[1.0] is not list[Literal[1]]"),
        ("dict[str, Literal[1]]", {"a": True}, "{'a': True} is not dict"),
        ("tuple[int, str]", [1], "is not tuple[int, str]"),
        ("tuple[int, ...]", [1, "a"], "is not tuple[int, ...]"),
        ("int", "x" * 500, "…"),
    ],
)
def test_other_values_are_refused_and_the_message_says_what_was_expected(
    annotation: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match="is not") as caught:
        parameter(annotation).coerce(value)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("int", "3", 3),
        ("float", "3", 3.0),
        ("float", "1e-3", 0.001),
        ("str", "3", "3"),
        ("str", "no", "no"),
        ("str", "", ""),
        ("str", "[unfinished", "[unfinished"),
        ("bool", "true", True),
        ("int | None", "null", None),
        ("str | None", "3", "3"),
        ("list[int]", "[1, 2]", [1, 2]),
        ("dict[str, float]", "{a: 1}", {"a": 1.0}),
        ("Literal['1', '2']", "1", "1"),
        ("Any", "[1, a]", [1, "a"]),
        ("tuple", "[1, 2]", (1, 2)),
    ],
)
def test_text_from_a_command_line_becomes_the_declared_type(annotation: str, text: str, value: Any) -> None:
    assert parameter(annotation).parse(text) == value


@pytest.mark.parametrize(
    ("annotation", "text"),
    [("int", "three"), ("int", "1.5"), ("bool", "yes"), ("list[int]", "1,2"), ("int", "[1")],
)
def test_text_that_is_not_of_the_type_is_refused(annotation: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"'?{text[:3]}.* is not {annotation[:4]}".replace("[", r"\[")):
        parameter(annotation).parse(text)


@pytest.mark.parametrize(
    "annotation",
    [
        "Path", "np.int", "int[str]", "dict[str]", "list[int, str]", "list[()]", "Literal", "Literal[x]", "Optional",
        "Optional[int, str]", "Union[()]", "'not an ('", "3", "int + str", "Literal[[1]]", "set[int]",
    ],
)  # fmt: skip
def test_annotations_that_are_not_understood(annotation: str) -> None:
    with pytest.raises(ValueError, match=r"the annotation '.*' is not understood; expected int, float, str"):
        parameter(annotation)


@pytest.mark.parametrize(
    ("default", "name"), [(1, "int"), (True, "bool"), ("a", "str"), ([1], "list"), ((1,), "tuple"), (None, "Any"), ({1}, "Any")]
)  # fmt: skip
def test_a_default_has_a_type(default: Any, name: str) -> None:
    assert type_name(default) == name


def test_only_what_has_neither_default_nor_computation_is_required() -> None:
    assert Parameter("x", "int", int, MISSING).required
    assert not Parameter("x", "int", int, 1).required
    assert not Parameter("x", "Any", object, MISSING, computed="f()").required
