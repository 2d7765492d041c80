"""A run's steps as a graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workbench.run_graph import needs, places


@dataclass
class Told:
    step: str
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)


def test_without_its_file_what_was_given_tells_what_was_needed() -> None:
    told: Any = [
        Told("a", {}, {"x": "d1"}),
        Told("b", {"x": "d1", "raw": "d9"}, {"y": "d2"}),
        Told("c", {"y": "d2", "x": "d1"}),
    ]
    assert needs(("a", "b", "c", "d"), told, None) == {"a": (), "b": ("a",), "c": ("b", "a"), "d": ()}


def test_a_step_stands_behind_all_that_it_needs_and_near_to_it() -> None:
    wanted = {
        "in": (),
        "left": ("in",),
        "right": ("in",),
        "after-right": ("right",),
        "after-left": ("left",),
        "end": ("after-left", "in"),
    }
    found = places(wanted)
    assert {step: column for step, (column, _) in found.items()} == {
        "in": 0, "left": 1, "right": 1, "after-right": 2, "after-left": 2, "end": 3,
    }  # fmt: skip
    assert found["left"][1] < found["right"][1]
    assert found["after-left"][1] < found["after-right"][1]
    assert found["in"][1] == 0


def test_what_no_run_has_is_drawn_all_the_same() -> None:
    assert places({}) == {}
    assert set(places({"a": ("b",), "b": ("a",), "c": ("gone",)})) == {"a", "b", "c"}
