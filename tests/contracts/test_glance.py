"""A glance says yes only where `check` has nothing to say, and does so for ordinary rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.contracts.check import check
from workbench.contracts.contract import Contract, contract_of
from workbench.contracts.glance import MOST_ROWS, plainly_keeps

CONTRACT = contract_of({
    "contract": "c",
    "columns": {
        "a": {"type": "float", "min": -5, "max": 5, "nullable": True},
        "n": {"type": "int", "min": 0},
        "v": {"type": "int", "values": [1, 2, 3], "nullable": True},
        "k": {"type": "category", "values": ["x", "y"]},
        "t": {"type": "text", "pattern": "[a-z]+", "nullable": True},
    },
    "rules": {"sum": "a + n < 8", "no x with b": 'k != "x" or t != "b"'},
})  # fmt: skip

NUMBERS = st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0, 5.5, 7.0, -6.0, np.nan, np.inf, -np.inf, 2.5])
TEXTS = st.sampled_from(["x", "y", "b", "z", "B", "", None, 3, 1.5, True])


def arrays(rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    found = {}
    for place, name in enumerate("anvkt"):
        cells = [row[place] for row in rows]
        found[name] = np.array(cells, dtype=np.float64 if name in "anv" else object)
    return found


def says_nothing(columns: dict[str, Any], contract: Contract) -> bool:
    checked = check(pd.DataFrame(columns), contract)
    return not (checked.skews or any(breach.count for breach in checked.breaches))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, TEXTS, TEXTS), min_size=1, max_size=4))
def test_a_yes_is_what_check_says(rows: list[tuple[Any, ...]]) -> None:
    columns = arrays(rows)
    if plainly_keeps(columns, len(rows), CONTRACT):
        assert says_nothing(columns, CONTRACT)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-5, 5), st.integers(0, 9), st.sampled_from([1, 2, 3]), st.sampled_from(["x", "y"]),
            st.sampled_from(["a", "b", "abc"]),
        ),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_of_rows_without_missing_values_it_knows_as_much_as_check(rows: list[tuple[Any, ...]]) -> None:
    columns = arrays(rows)
    assert plainly_keeps(columns, len(rows), CONTRACT) is says_nothing(columns, CONTRACT)


GOOD = arrays([(1.0, 2.0, 3.0, "x", "a")])


@pytest.mark.parametrize(
    "columns",
    [
        {name: values for name, values in GOOD.items() if name != "t"},
        GOOD | {"more": np.array([1.0])},
        GOOD | {"n": np.array(["2"], dtype=object)},
        GOOD | {"k": np.array([1.0])},
    ],
    ids=["missing", "too many", "text for a number", "number for a text"],
)
def test_other_columns_are_for_check_to_judge(columns: dict[str, Any]) -> None:
    assert plainly_keeps(GOOD, 1, CONTRACT)
    assert not plainly_keeps(columns, 1, CONTRACT)


def test_many_rows_are_for_check_to_judge() -> None:
    many = {name: np.repeat(values, MOST_ROWS + 1) for name, values in GOOD.items()}
    assert not plainly_keeps(many, MOST_ROWS + 1, CONTRACT)
    assert says_nothing(many, CONTRACT)


@pytest.mark.parametrize("kind", ["date", "datetime", "bool"])
def test_types_that_it_does_not_know_are_for_check_to_judge(kind: str) -> None:
    contract = contract_of({"contract": "c", "columns": {"a": {"type": kind}}})
    assert not plainly_keeps({"a": np.array([True], dtype=object)}, 1, contract)
