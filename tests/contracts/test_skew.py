"""How far one table's values are from another's: information for people."""

from __future__ import annotations

import json
from math import log2
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.contracts.contract import Contract, contract_of
from workbench.contracts.skew import divergence, profile, skew


def of(kind: str, **more: Any) -> Contract:
    return contract_of({"contract": "c", "columns": {"x": {"type": kind, "nullable": True, **more}}})


def test_the_divergence_of_known_shares() -> None:
    assert divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
    assert divergence(np.array([0.5, 0.5]), np.array([5.0, 5.0])) == 0
    half = 0.5 * log2(0.5 / 0.75) + 0.5 * log2(0.5 / 0.25)  # of (1/2, 1/2) from the middle (3/4, 1/4)
    assert divergence(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(
        (half + log2(1 / 0.75)) / 2
    )
    assert divergence(np.zeros(2), np.array([1.0, 0.0])) == 0


@given(shares=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=9))
def test_the_divergence_is_symmetric_and_bounded(shares: list[tuple[float, float]]) -> None:
    ours, theirs = (np.array(side) for side in zip(*shares, strict=True))
    found = divergence(ours, theirs)
    assert 0 <= found <= 1
    assert found == pytest.approx(divergence(theirs, ours))


@pytest.mark.parametrize(
    ("kind", "same", "other"),
    [
        ("float", np.linspace(0, 1, 200), np.linspace(5, 6, 200)),
        ("int", np.arange(200), np.arange(200) + 1000),
        ("text", ["a", "b"] * 100, ["c", "d"] * 100),
        ("bool", [True, False] * 100, [None] * 200),
        ("date", pd.date_range("2013-01-01", periods=200), pd.date_range("2020-01-01", periods=200)),
    ],
)
def test_alike_is_near_zero_and_apart_is_far(kind: str, same: Any, other: Any) -> None:
    contract = of(kind)
    reference = profile(pd.DataFrame({"x": same}), contract)
    assert json.loads(json.dumps(reference)) == reference
    assert skew(reference, pd.DataFrame({"x": same}), contract)["x"] == pytest.approx(0, abs=1e-6)
    assert skew(reference, pd.DataFrame({"x": other}), contract)["x"] > 0.5


def test_a_feed_that_stops_shows() -> None:
    contract = of("float")
    reference = profile(pd.DataFrame({"x": np.linspace(0, 1, 100)}), contract)
    assert skew(reference, pd.DataFrame({"x": [np.nan] * 100}), contract)["x"] == 1


def test_what_cannot_be_read_has_no_skew() -> None:
    contract = of("float")
    reference = profile(pd.DataFrame({"x": [1.0]}), contract)
    assert skew(reference, pd.DataFrame({"x": ["a"]}), contract) == {}
    assert skew(reference, pd.DataFrame({"y": [1.0]}), contract) == {}
    assert skew({}, pd.DataFrame({"x": [1.0]}), contract) == {}
    assert profile(pd.DataFrame([[1.0, 2.0]], columns=["x", "x"]), contract) == {}
    assert profile(pd.DataFrame({"x": [None]}, dtype=float), contract)["x"]["missing"] == 1


def test_the_farthest_column_is_first() -> None:
    contract = contract_of({"contract": "c", "columns": {n: {"type": "float"} for n in ("a", "b", "c")}})
    frame = pd.DataFrame(dict.fromkeys(("a", "b", "c"), np.linspace(0, 1, 100)))
    moved = frame.assign(b=frame["b"] + 9, c=frame["c"] + 0.3)
    assert list(skew(profile(frame, contract), moved, contract)) == ["b", "c", "a"]
