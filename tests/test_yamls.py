"""YAML by the 1.2 core schema, with lines, and safe from what is meant to hurt."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import SpecError
from workbench.yamls import DEEPEST, Document, parse_value, read_yaml, without

CORE_WORDS = ("true", "false", "null")


def read(folder: Path, text: str) -> Document:
    (folder / "p.yaml").write_text(text, encoding="utf-8")
    return read_yaml(folder / "p.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("y", "y"), ("true", True), ("False", False), ("~", None), ("", None),
        ("null", None), ("nul", "nul"), ("12", 12), ("-3", -3), ("+3", 3), ("010", 10), ("0o10", 8), ("0xff", 255),
        ("1_000", "1_000"), ("1:30", "1:30"), ("1e-3", 0.001), ("1.", 1.0), (".5", 0.5), ("-.inf", -math.inf),
        ("2013-01-01", "2013-01-01"), ("'3'", "3"), ('"true"', "true"), ("!!str 3", "3"), ("!!float 3", 3.0),
        ("! 3", "3"), ("a b", "a b"), ("=", "="), ("[1, a]", [1, "a"]), ("{a: 1}", {"a": 1}), ("{1: a}", {"1": "a"}),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(text: str, value: Any) -> None:
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(parse_value(".nan"))


TEXT = st.text(st.characters(exclude_categories=["C"]), max_size=8)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
))  # fmt: skip
def test_json_is_yaml(value: Any) -> None:
    assert parse_value(json.dumps(value, ensure_ascii=False)) == value


@given(st.from_regex(r"[a-zA-Z]{2,12}", fullmatch=True).filter(lambda word: word.lower() not in CORE_WORDS))
def test_other_words_stay_words(word: str) -> None:
    assert parse_value(word) == word


def test_every_key_has_its_line(tmp_path: Path) -> None:
    document = read(tmp_path, "a: 1\n\nb:\n  c: [1, 2]\n  d:\n    - x\n    - y\n")
    assert document.line(("a",)) == 1
    assert document.line(("b", "c")) == 4
    assert document.line(("b", "d", 1)) == 7
    assert document.line(("b", "not", "there")) == 3


def test_anchors_stand_for_what_they_name(tmp_path: Path) -> None:
    document = read(tmp_path, "a: &common {x: [1, 2]}\nb: *common\n")
    assert document.value == {"a": {"x": [1, 2]}, "b": {"x": [1, 2]}}
    assert document.line(("b", "x")) == 2


def test_an_empty_file_is_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "# only a comment\n").value is None


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffa: 1\n").value == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", ":3: a: this key stands here twice"),
        ("x:\n  y: {a: 1, a: 2}\n", ":2: x.y.a: this key stands here twice"),
        ("a: [1\nb: 2\n", ":2: not valid YAML"),
        ("a: b: c", ":1: not valid YAML: mapping values are not allowed"),
        ("\x01", "not valid YAML"),
        ("? [1, 2]\n: 3\n", ":1: a key must be a plain word"),
        ("a: *nobody\n", ":1: there is no finished value '&nobody' above"),
        ("a: &a [*a]\n", ":1: there is no finished value '&a' above"),
        ("a: !!int many\n", ":1: 'many' is not of the type !!int"),
        ("a: !!python/name:os.system ''\n", "is not known here"),
        ("a: !mine {b: 1}\n", ":1: the tag '!mine' is not known here"),
        ("a: 1\n---\nb: 2\n", ":2: holds more than one document"),
        ("a: " + "1" * 5000, ":1: Exceeds the limit"),
    ],
)
def test_each_mistake_has_a_line_and_a_message(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)


def test_all_duplicates_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read(tmp_path, "a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [problem.line for problem in caught.value.problems] == [2, 3]


@pytest.mark.parametrize("piece", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(tmp_path: Path, piece: str) -> None:
    with pytest.raises(SpecError, match=f"nested more than {DEEPEST} levels deep"):
        read(tmp_path, piece * 200_000)


def test_aliases_that_double_are_refused(tmp_path: Path) -> None:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for above, name in zip("abcdefghi", "bcdefghij", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{above}'] * 10)}]")
    with pytest.raises(SpecError, match="holds more than 200,000 values"):
        read(tmp_path, "\n".join(lines))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)
    (tmp_path / "p.yaml").write_bytes(b"a: \xff")
    with pytest.raises(SpecError, match="is not UTF-8 text"):
        read_yaml(tmp_path / "p.yaml")


def test_a_value_that_is_none_is_shown_short() -> None:
    with pytest.raises(ValueError, match=r"^'\[1, .{50,60}…' is not valid: not valid YAML"):
        parse_value("[1, " * 40)


def test_places_can_be_left_out() -> None:
    value = {"a": {"x": 1, "y": 2}, "b": [1, 2]}
    assert without(value, []) == value
    assert without(value, [("a", "x"), ("b",)]) == {"a": {"y": 2}}
    assert without(value, [("a", "nowhere", "deeper")]) == value
    assert without(value, [()]) is None
