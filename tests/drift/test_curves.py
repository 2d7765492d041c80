"""Curves out of counts, held against scikit-learn on the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, precision_recall_curve, roc_auc_score

from workbench.drift.curves import curves
from workbench.drift.graded import graded

ROWS = 20_000


@pytest.fixture(scope="module")
def answers() -> tuple[np.ndarray, np.ndarray]:
    """Labels and calibrated probabilities of them."""
    generator = np.random.default_rng(3)
    said = 1 / (1 + np.exp(-generator.normal(-1, 1.2, ROWS)))
    return (generator.random(ROWS) < said).astype(float), said


def test_roc_and_precision_agree_with_scikit_learn(answers: tuple[np.ndarray, np.ndarray]) -> None:
    labels, said = answers
    found = curves(graded(labels, said, np.full(ROWS, "2013-01-01")))
    assert found is not None
    assert (found.rows, found.rate) == (ROWS, pytest.approx(labels.mean()))
    assert (found.false_positives[0], found.true_positives[0]) == (0, 0)
    assert (found.false_positives[-1], found.true_positives[-1]) == (1, 1)
    # Counts know an answer by its cell only, one of a few hundred.
    assert auc(found.false_positives, found.true_positives) == pytest.approx(
        roc_auc_score(labels, said), abs=5e-4
    )
    precision, recall, _ = precision_recall_curve(labels, said)
    at = (0.2, 0.5, 0.8)
    expected = np.interp(at, recall[::-1], precision[::-1])
    assert np.interp(at, found.recall, found.precision) == pytest.approx(expected, abs=0.01)


def test_calibration_agrees_with_scikit_learn_and_has_intervals(
    answers: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, said = answers
    found = curves(graded(labels, said, np.full(ROWS, "2013-01-01")))
    assert found is not None
    came, mean = calibration_curve(labels, said, n_bins=len(found.said), strategy="quantile")
    assert found.said == pytest.approx(mean, abs=0.01)
    assert found.came == pytest.approx(came, abs=0.02)
    inside = [low < share < high for low, share, high in zip(found.low, found.came, found.high, strict=True)]
    assert all(inside)
    covered = [low <= mean <= high for low, mean, high in zip(found.low, found.said, found.high, strict=True)]
    assert sum(covered) >= len(covered) - 2  # of what is calibrated; each interval misses one time in twenty


def test_scores_of_both_labels_are_shares_of_their_own(answers: tuple[np.ndarray, np.ndarray]) -> None:
    labels, said = answers
    found = curves(graded(labels, said, np.full(ROWS, "2013-01-01")))
    assert found is not None
    for label, shares in ((0, found.negative), (1, found.positive)):
        assert sum(shares) == pytest.approx(1, abs=1e-4)
        counted, _ = np.histogram(said[labels == label], bins=len(shares), range=(0, 1))
        assert np.cumsum(shares) == pytest.approx(np.cumsum(counted) / counted.sum(), abs=0.02)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_label_alone_tells_nothing_apart(label: float) -> None:
    assert curves(graded([label] * 5, [0.1, 0.2, 0.3, 0.4, 0.5], ["2013-01-01"] * 5)) is None


def test_one_row_of_each_label_is_drawn() -> None:
    found = curves(graded([0, 1], [0.2, 0.8], ["2013-01-01", "2013-01-02"]))
    assert found is not None
    assert auc(found.false_positives, found.true_positives) == 1
    assert found.came == (0, 1)
