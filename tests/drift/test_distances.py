"""Distances of histograms against SciPy's of the values themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, wasserstein_distance

from workbench.contracts.contract import Column
from workbench.drift.distances import cramers_v, jensen_shannon, kolmogorov_smirnov, psi, wasserstein
from workbench.drift.sketch import bins_of, sketch

COUNTS = arrays.arrays(np.int64, 6, elements=st.integers(0, 10_000)).filter(lambda each: each.sum() > 0)


@given(COUNTS, COUNTS)
def test_jensen_shannon_is_scipys(ours: np.ndarray, theirs: np.ndarray) -> None:
    # SciPy loses half of the digits to a root near zero.
    assert jensen_shannon(ours, theirs) == pytest.approx(jensenshannon(ours, theirs, base=2), abs=2e-8)


@given(COUNTS, COUNTS)
def test_cramers_v_is_scipys(ours: np.ndarray, theirs: np.ndarray) -> None:
    table = np.array([ours, theirs])
    table = table[:, table.sum(axis=0) > 0]
    expected = np.sqrt(chi2_contingency(table, correction=False).statistic / table.sum())
    assert cramers_v(ours, theirs) == pytest.approx(expected, abs=1e-9)


@given(COUNTS, COUNTS)
def test_bounds_and_symmetry(ours: np.ndarray, theirs: np.ndarray) -> None:
    for distance in (jensen_shannon, kolmogorov_smirnov, cramers_v):
        assert 0 <= distance(ours, theirs) <= 1 + 1e-12
        assert distance(ours, theirs) == pytest.approx(distance(theirs, ours), abs=1e-12)
        assert distance(ours, ours) == pytest.approx(0, abs=1e-7)
    assert psi(ours, theirs) >= 0


def test_psi_by_hand() -> None:
    # (0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5); half a row more in each bin does not show here.
    expected = 0.1 * np.log(1.2) - 0.1 * np.log(0.8)
    assert psi([5_000_000, 5_000_000], [6_000_000, 4_000_000]) == pytest.approx(expected, rel=1e-6)
    assert np.isfinite(psi([10, 0], [0, 10]))


def test_values_and_their_histograms() -> None:
    generator = np.random.default_rng(3)
    ours, theirs = generator.normal(size=20_000), generator.normal(0.3, 1.2, size=15_000)
    frames = [pd.DataFrame({"x": values}) for values in (ours, theirs)]
    bins = bins_of(frames[0], [Column("x", "float")])
    counted = [
        sketch(frame, bins, np.repeat("2026-01-01", len(frame))).counts["x"][0, :-1] for frame in frames
    ]
    statistic = ks_2samp(ours, theirs).statistic
    assert statistic - 0.02 <= kolmogorov_smirnov(*counted) <= statistic + 1e-12
    found = wasserstein(*counted, bins[0].edges, bins[0].scale)
    assert found == pytest.approx(wasserstein_distance(ours, theirs) / ours.std(), rel=0.03)


def test_earth_moves_through_a_bin_where_the_difference_changes_sign() -> None:
    # Evenly spread over [0, 2] against two thirds and one third, by way of many values.
    edges = [0.0, 1.0, 2.0, 3.0]
    values = [np.linspace(0, 3, 30_001), np.repeat(np.linspace(0, 1, 10_001), 2)]
    counts = [np.array([1, 1, 1]), np.array([1, 0, 0])]
    assert wasserstein(*counts, edges, 1.0) == pytest.approx(wasserstein_distance(*values), rel=1e-3)
    assert wasserstein([1, 2, 0], [0, 2, 1], edges, 0.5) == pytest.approx(
        2 * wasserstein_distance([0, 1, 2], [0, 1, 2], [1, 2, 0.0], [0, 2, 1.0]), rel=1e-6
    )


def test_many_windows_at_once() -> None:
    reference = np.array([5, 10, 20])
    windows = np.array([[5, 10, 20], [20, 10, 5], [0, 0, 0]])
    for distance in (psi, jensen_shannon, kolmogorov_smirnov, cramers_v):
        several = distance(reference, windows)
        assert several.shape == (3,)
        assert several[1] == pytest.approx(float(distance(reference, windows[1])))
        assert np.isnan(several[2])
