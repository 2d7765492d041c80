"""The grid finds the same bin as a binary search, whatever the limits are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workbench.drift.grid import Grid

NUMBERS = st.floats(allow_nan=False, allow_infinity=True, width=64)


@example([0.0], [np.inf, -np.inf])
@given(
    st.lists(NUMBERS.filter(np.isfinite), max_size=80, unique=True).map(sorted),
    st.lists(NUMBERS, max_size=50),
)
def test_it_is_a_binary_search(limits: list[float], numbers: list[float]) -> None:
    given_ = np.array([*numbers, *limits], dtype=np.float64)
    assert Grid.of(limits).slots(given_).tolist() == np.searchsorted(limits, given_).tolist()


@pytest.mark.parametrize("shape", ["normal", "lognormal", "few"])
def test_of_many_numbers(shape: str) -> None:
    generator = np.random.default_rng(0)
    numbers = {
        "normal": generator.normal(size=50_000),
        "lognormal": generator.lognormal(0, 3, 50_000),
        "few": generator.integers(0, 12, 50_000) * 5.0,
    }[shape]
    limits = np.unique(np.quantile(numbers[:1_000], np.linspace(0, 1, 65)))
    assert (Grid.of(limits.tolist()).slots(numbers) == np.searchsorted(limits, numbers)).all()
