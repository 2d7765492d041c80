"""Two versions of the same data held against each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.drift.tables import MOST_ROWS, between, day_column, type_of
from workbench.errors import BadInput


def table(days: int, rows: int = 200, seed: int = 0, **columns: object) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    size = days * rows
    made = {
        "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(size) // rows, unit="D"),
        "x": generator.normal(size=size),
        "k": generator.choice(["a", "b"], size),
        "on": generator.random(size) < 0.5,
    }
    return pd.DataFrame({**made, **columns})


def test_with_days_it_says_what_is_more_than_ordinary() -> None:
    before, now = table(28), table(7, seed=1)
    now["x"] += 1
    found = between(
        before.drop(columns="day").assign(when=before["day"]), now.assign(when=now["day"]), "when"
    )
    assert found.calibrated
    assert [each.name for each in found.moved if each.drifted] == ["x"]
    assert found.only_now == ("day",)
    assert [each.name for each in found.distributions] == [each.name for each in found.moved]


def test_without_days_the_furthest_comes_first_and_nothing_is_called_drift() -> None:
    now = table(2, seed=3, k="c")
    found = between(table(2).drop(columns="day"), now)
    assert not found.calibrated
    assert not any(each.drifted for each in found.moved)
    assert next(each.name for each in found.moved) == "k"
    assert found.moved[0].distance == pytest.approx(1)


def test_the_same_table_is_at_no_distance_however_long() -> None:
    long = pd.DataFrame({"x": np.arange(MOST_ROWS + 1_000) % 97})
    found = between(long, long)
    assert found.moved[0].distance == pytest.approx(0, abs=1e-3)


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(BadInput, match="the second table has no rows"):
        between(table(1), table(0))


def test_types_and_the_day_are_read_of_the_tables() -> None:
    one = table(1)
    assert [type_of(one[name]) for name in one] == ["datetime", "float", "text", "bool"]
    assert day_column(one, one) == "day"
    assert day_column(one, one.assign(day="x")) is None
