"""Outcomes that have not come: what is probably true without them, and whether those that came are like the others."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from tests.drift.test_performance import rows
from workbench.drift.coverage import coverage
from workbench.drift.estimate import calibrated, estimates
from workbench.drift.graded import Graded, graded
from workbench.drift.performance import MARGINS, declines


@pytest.fixture(scope="module")
def reference() -> Graded:
    return graded(*rows(28, seed=0))


def test_an_estimate_is_right_where_only_the_rows_changed(reference: Graded) -> None:
    labels, scores, days = rows(14, seed=1, per_day=2_000)
    hard = (scores > 0.3) | (np.random.default_rng(0).random(len(scores)) < 0.1)
    window = graded(labels[hard], scores[hard], days[hard], reference.edges)
    found = estimates(window.counts.sum(axis=(0, 1)).astype(float), reference)
    measured = declines(window, reference, MARGINS)
    for name, each in found.items():
        assert each.value == pytest.approx(measured[name].value, abs=0.015)
        assert each.wrong is None
    assert measured["log_loss"].value > measured["log_loss"].reference + 0.05


def test_an_estimate_says_how_wrong_it_was(reference: Graded) -> None:
    window = graded(*rows(14, seed=2, flipped=0.3), reference.edges)
    found = estimates(window.counts.sum(axis=(0, 1)).astype(float), reference, window)["auc"]
    assert found.checked == pytest.approx(found.value)
    assert found.wrong is not None
    assert found.wrong > 0.08
    assert found.as_dict()["wrong"] == found.wrong


def test_calibration_is_isotonic_regression() -> None:
    generator = np.random.default_rng(3)
    said = np.sort(generator.random(60))
    held = generator.integers(1, 30, size=(2, 60))
    weights = held.sum(axis=0)
    expected = IsotonicRegression(out_of_bounds="clip").fit(said, held[1] / weights, weights).predict(said)
    np.testing.assert_allclose(calibrated(said, held), expected)


def answered(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(500, np.arange(1, 11) / 55, size=7)


def test_outcomes_that_are_late_are_no_selection() -> None:
    answers = answered(0)
    late = answers.copy()
    late[4:] = 0
    found = coverage(answers, late)
    assert (found.outcomes, found.missing, found.selective) == (2_000, 1_500, False)
    blind = np.random.default_rng(1).binomial(answers, 0.4)
    assert not coverage(answers, blind).selective


def test_outcomes_of_high_answers_only_are_a_selection() -> None:
    answers = answered(2)
    chosen = np.random.default_rng(3).binomial(answers, np.linspace(0.2, 0.6, 10))
    found = coverage(answers, chosen)
    assert found.selective
    assert found.as_dict()["selective"] is True


def test_all_or_none_is_no_selection() -> None:
    answers = answered(4)
    assert not coverage(answers, answers).selective
    assert not coverage(answers, np.zeros_like(answers)).selective
