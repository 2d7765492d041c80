"""The fingerprint: what must change it, what must not, and the reasons in words."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.fingerprint import Ingredients, cell_digests, plain
from workbench.notebook import read_notebook

BEFORE = Ingredients(
    cells=("c1", "c2", "c3"),
    parameters={"x": 1, "alpha": 0.5},
    inputs={"src": "d1"},
    outputs={"out": "o.txt"},
    modules={"mine.py": "m1"},
    packages={"fakepkg": "fakepkg 1.0", "numpy": "numpy 2.0"},
    kernel="python3",
    python="3.11",
)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"cells": ("c1", "other", "c3")}, "cell 2 changed"),
        ({"cells": ("a", "c2", "b")}, "cell 1, 3 changed"),
        ({"cells": ("c1", "c2", "c3", "c4")}, "1 cell added at cell 4"),
        ({"cells": ("c1", "c3")}, "1 cell removed at cell 2"),
        ({"cells": ("n1", "n2", "c1", "c2", "c3")}, "2 cells added at cell 1"),
        ({"parameters": {"x": 2, "alpha": 0.5}}, "parameter x 1 → 2"),
        ({"parameters": {"x": 1.0, "alpha": 0.5}}, "parameter x 1 → 1.0"),
        ({"parameters": {"x": True, "alpha": 0.5}}, "parameter x 1 → True"),
        ({"parameters": {"x": 1}}, "parameter alpha removed"),
        ({"parameters": {"x": 1, "alpha": 0.5, "new": [1]}}, "parameter new added ([1])"),
        ({"parameters": {"x": "a" * 50, "alpha": 0.5}}, f"parameter x 1 → {'a' * 39}…"),
        ({"inputs": {"src": "d2"}}, "input src changed"),
        ({"inputs": {}}, "input src removed"),
        ({"inputs": {"src": "d1", "more": "d2"}}, "input more added"),
        ({"outputs": {"out": "p.txt"}}, "output out o.txt → p.txt"),
        ({"modules": {"mine.py": "m2"}}, "module mine.py changed"),
        ({"modules": {}}, "module mine.py removed"),
        ({"packages": {**BEFORE.packages, "fakepkg": "fakepkg 1.1"}}, "fakepkg 1.0 → 1.1"),
        (
            {"packages": {**BEFORE.packages, "fakepkg": "not installed"}},
            "package fakepkg: fakepkg 1.0 → not installed",
        ),
        ({"packages": {**BEFORE.packages, "new": "new-dist 1"}}, "package new: not imported → new-dist 1"),
        ({"kernel": "mine"}, "kernel python3 → mine"),
        ({"python": "3.12"}, "Python 3.11 → 3.12"),
    ],
)
def test_each_change_has_its_fingerprint_and_its_reason(change: dict[str, Any], reason: str) -> None:
    after = replace(BEFORE, **change)
    assert after.fingerprint() != BEFORE.fingerprint()
    assert after.differences(BEFORE) == [reason]


def test_the_most_telling_reason_comes_first() -> None:
    after = replace(BEFORE, cells=("c1", "c2", "x"), parameters={"x": 2, "alpha": 0.5}, kernel="mine")
    assert after.differences(BEFORE) == ["cell 3 changed", "parameter x 1 → 2", "kernel python3 → mine"]


def test_the_order_of_names_does_not_count() -> None:
    after = replace(BEFORE, parameters={"alpha": 0.5, "x": 1})
    assert after.fingerprint() == BEFORE.fingerprint()


def test_ingredients_are_what_they_were_after_json() -> None:
    again = Ingredients.from_json(json.loads(json.dumps(BEFORE.as_json())))
    assert again == BEFORE
    assert again.differences(BEFORE) == []


@pytest.mark.parametrize("damage", [{"cells": 5}, {"parameters": None}, {"inputs": []}, {"more": 1}])
def test_damaged_ingredients_are_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Ingredients.from_json({**BEFORE.as_json(), **damage})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, [2, (3,)]), [1, [2, [3]]]),
        ({1: "a", "b": (2,)}, {"(1)": "a", "b": [2]}),
        ({"b", "a"}, {"set": ["'a'", "'b'"]}),
        (b"x", "b'x'"),
        (1j, "1j"),
        (None, None),
        (True, True),
    ],
)
def test_any_literal_has_a_plain_form(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert json.loads(json.dumps(plain(value))) == plain(value)


def test_not_a_number_is_no_difference() -> None:
    before = replace(BEFORE, parameters={"x": math.nan})
    assert replace(BEFORE, parameters={"x": float("nan")}).differences(before) == []


Digests = Callable[..., tuple[str, ...]]


@pytest.fixture
def digests(write_notebook: Callable[..., Path]) -> Digests:
    """Cell digests of a notebook with this parameters cell and these other cells."""

    def digests(parameters: str | None, *cells: str) -> tuple[str, ...]:
        return cell_digests(read_notebook(write_notebook("n.ipynb", *cells, parameters=parameters)))

    return digests


@given(
    indent=st.sampled_from(["  ", "    ", "\t"]),
    blank=st.lists(st.sampled_from(["\n", "# comment\n", "   \n"]), max_size=3).map("".join),
    comment=st.text(st.characters(exclude_categories=["C"]), max_size=8),
    empty=st.lists(st.sampled_from(["", "\n", "# nothing\n"]), max_size=2),
    default=st.integers(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_but_not_done_does_not_count(
    digests: Digests, indent: str, blank: str, comment: str, empty: list[str], default: int
) -> None:
    written = f"{blank}def f( a ):  # {comment}\n{blank}{indent}return (a+1)\n{blank}"
    assert digests(f"x: int = {default}  # {comment}", *empty, written, *empty) == digests(
        "x = 1", "def f(a):\n    return a + 1"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"),
        ("x: int = 1", "x: float | None = None"),
        (
            "from typing import Literal\nx: Literal[1, 2] = 1",
            "from typing import Literal\nx: Literal[2, 3] = 3",
        ),
        ("'''What this is'''\na = b = 1", "'''What this is'''\na = b = 2"),
    ],
)
def test_a_literal_default_counts_by_its_effective_value_only(digests: Digests, one: str, other: str) -> None:
    assert digests(one, "y = 1") == digests(other, "y = 1")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = f(1)", "x = f(2)"),
        ("x = 1\ny = x + 1", "x = 2\ny = x + 1"),
        ("x = 1\nif True:\n    x = 2", "x = 1\nif True:\n    x = 3"),
        ("x = 1\nimport a", "x = 1\nimport b"),
        ("x = 1\nprint('a')", "x = 1\nprint('b')"),
    ],
)
def test_what_the_parameters_cell_computes_counts(digests: Digests, one: str, other: str) -> None:
    assert digests(one) != digests(other)


def test_the_order_of_cells_counts(digests: Digests) -> None:
    assert digests("x = 1", "a = 1", "b = 2") != digests("x = 1", "b = 2", "a = 1")


def test_cells_of_other_languages_count_as_text(tmp_path: Path) -> None:
    def digests(*sources: str) -> tuple[str, ...]:
        cells = [{"cell_type": "code", "source": source} for source in sources]
        metadata = {"kernelspec": {"name": "ir", "language": "R"}}
        (tmp_path / "r.ipynb").write_text(json.dumps({"cells": cells, "metadata": metadata}))
        return cell_digests(read_notebook(tmp_path / "r.ipynb"))

    assert digests("x <- 1", "", "y \ud800") == digests(" x <- 1\n", "y \ud800")
    assert digests("x <- 1") != digests("x <- 2")
