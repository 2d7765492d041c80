"""What a picture of two histograms shows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.contracts.contract import Column
from workbench.drift.distribution import BARS, MISSING, OTHERS, VALUES, Distribution, distribution
from workbench.drift.sketch import bins_of, sketch


def drawn(before: object, now: object, kind: str) -> Distribution:
    tables = [pd.DataFrame({"x": each}) for each in (before, now)]
    (bins,) = bins_of(tables[0], [Column("x", kind, nullable=True)])  # type: ignore[arg-type]
    counted = [sketch(each, [bins], np.zeros(len(each), "datetime64[D]")) for each in tables]
    return distribution(bins, *(each.total("x") for each in counted))


def test_numbers_are_bars_of_equal_width_that_hold_every_row() -> None:
    generator = np.random.default_rng(0)
    found = drawn(generator.normal(size=20_000), generator.normal(2, 1, 5_000), "float")
    assert len(found.labels) == BARS
    assert sum(found.reference) == pytest.approx(1)
    assert sum(found.window) == pytest.approx(1)
    assert found.labels[0].startswith("up to -2.")
    assert found.labels[-1].startswith("above 2.")
    middle = [np.average(np.arange(BARS), weights=each) for each in (found.reference, found.window)]
    wide = (2.576 * 2) / BARS
    assert middle[0] == pytest.approx(BARS / 2 - 0.5, abs=1)
    assert middle[1] - middle[0] == pytest.approx(2 / wide, rel=0.15)  # less what lies beyond the last bar


def test_few_different_numbers_have_a_bar_each_and_what_is_missing_its_own() -> None:
    found = drawn([1, 2, 2, 5], [2.0, None, None, None], "float")
    assert found.labels == ("1", "2", "5", MISSING)
    assert found.reference == (0.25, 0.5, 0.25, 0)
    assert found.window == (0, 0.25, 0, 0.75)


def test_the_commonest_texts_are_named_and_new_ones_are_others() -> None:
    names = [f"{number:02}" for number in range(20) for _ in range(40 - number)]
    found = drawn(names, ["19"] * 3 + ["new"], "category")
    assert len(found.labels) == VALUES + 1
    assert found.labels[-2:] == ("19", OTHERS)  # rare before, most of what is there now
    assert found.window[-2:] == (0.75, 0.25)
    assert sum(found.reference) == pytest.approx(1)


def test_days_are_written_as_days() -> None:
    found = drawn(pd.to_datetime(["2026-03-02", "2026-03-03"]), pd.to_datetime(["2026-03-03"]), "date")
    assert found.labels == ("2026-03-02", "2026-03-03")
