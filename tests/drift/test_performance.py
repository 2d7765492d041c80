"""How good a window was against the reference: metrics as scikit-learn has them, worse only where it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from workbench.drift.graded import METRICS, Floats, Graded, graded, metrics_of
from workbench.drift.performance import Decline, declines, judged, performance
from workbench.errors import BadInput
from workbench.evaluation import point

FIRST = np.datetime64("2026-03-02")
NO_MARGIN = dict.fromkeys(METRICS, 0.0)
Rows = tuple[Floats, Floats, np.ndarray]


def rows(days: int, seed: int, *, flipped: float = 0.0, per_day: int = 400) -> Rows:
    """Labels, calibrated probabilities, days; the days differ, and a share of labels is turned round."""
    generator = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    odds = generator.normal(-1, 1, len(day)) + generator.normal(0, 0.3, days)[day]
    scores = 1 / (1 + np.exp(-odds))
    labels = (generator.random(len(day)) < scores).astype(float)
    turned = generator.random(len(day)) < flipped
    return np.where(turned, 1 - labels, labels), scores, FIRST + day


@pytest.fixture(scope="module")
def reference() -> Graded:
    return graded(*rows(28, seed=0))


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "within two percent"])
def test_the_counts_give_the_metrics_of_the_rows(narrow: bool) -> None:
    labels, scores, days = rows(7, seed=1)
    said = 0.5 + 0.02 * (scores - 0.5) if narrow else scores
    table = graded(labels, said, days)
    found = {name: float(each[0]) for name, each in metrics_of(table.counts.sum(axis=0)[None], table).items()}
    assert found["auc"] == pytest.approx(roc_auc_score(labels, said), abs=0.001)
    assert found["log_loss"] == pytest.approx(log_loss(labels, said), rel=1e-12)
    assert found["brier"] == pytest.approx(brier_score_loss(labels, said), rel=1e-12)
    assert found["calibration_error"] == pytest.approx(point(labels, said)["calibration_error"], abs=0.003)


def test_a_reference_judges_itself_as_no_worse(reference: Graded) -> None:
    for found in performance(*rows(28, seed=0), reference, NO_MARGIN).values():
        assert found.value == pytest.approx(found.reference, abs=0.003)
        assert found.difference.low < 0 < found.difference.high
        assert not found.worse


def stormy(days: int, seed: int) -> Rows:
    """Days that the model does not see coming, bad or good, some days at a time: rho 0.6."""
    generator = np.random.default_rng(seed)
    surprise = np.zeros(days)
    for day in range(1, days):
        surprise[day] = 0.6 * surprise[day - 1] + generator.normal(0, 0.4)
    day = np.repeat(np.arange(days), 300)
    odds = generator.normal(-1, 1, len(day))
    labels = generator.random(len(day)) < 1 / (1 + np.exp(-odds - surprise[day]))
    return labels.astype(float), 1 / (1 + np.exp(-odds)), FIRST + day


def test_no_change_is_seldom_worse() -> None:
    margins = {"log_loss": 0.0, "calibration_error": 0.0}
    worse = [
        [
            found.worse
            for found in performance(*stormy(7, seed), graded(*stormy(28, 900 + seed)), margins).values()
        ]
        for seed in range(100, 160)
    ]
    # 2.5 % are expected; more than 6 of 60 come once in 1,000 times then.
    assert np.sum(worse, axis=0).max() <= 6


def test_worse_labels_are_worse_in_every_metric(reference: Graded) -> None:
    found = performance(*rows(7, seed=2, flipped=0.2), reference, NO_MARGIN)
    assert [each.worse for each in found.values()] == [True] * len(METRICS)
    assert found["auc"].difference.high < 0 < found["log_loss"].difference.low
    assert not any(
        each.worse
        for each in performance(
            *rows(7, seed=2, flipped=0.2), reference, dict.fromkeys(METRICS, 0.5)
        ).values()
    )


def test_an_interval_covers_what_is_true(reference: Graded) -> None:
    truth = performance(*rows(2_000, seed=3, per_day=50), reference, {"auc": 0.0})["auc"].value
    inside = [
        found.interval.low <= truth <= found.interval.high
        for seed in range(300, 360)
        for found in [performance(*rows(7, seed), reference, {"auc": 0.0})["auc"]]
    ]
    assert sum(inside) >= 52  # 57 expected


def test_one_day_is_held_against_how_days_differ(reference: Graded) -> None:
    found = performance(*rows(1, seed=4), reference, {"brier": 0.0})["brier"]
    days = [graded(*rows(1, seed), reference.edges) for seed in range(400, 420)]
    spread = np.std([declines(day, reference, {"brier": 0.0})["brier"].value for day in days])
    assert found.interval.high - found.interval.low == pytest.approx(4 * spread, rel=0.5)


def test_too_little_says_nothing(reference: Graded) -> None:
    labels, scores, days = rows(1, seed=5, per_day=199)
    assert performance(labels, scores, days, reference, NO_MARGIN) == {}
    labels, scores, days = rows(7, seed=5)
    assert performance(np.zeros_like(labels), scores, days, reference, NO_MARGIN) == {}
    assert not judged(graded(np.zeros_like(labels), scores, days))


def test_parts_add_up_and_travel(reference: Graded) -> None:
    labels, scores, days = rows(7, seed=6)
    odd = np.arange(len(labels)) % 3 == 0
    parts = [graded(labels[chosen], scores[chosen], days[chosen], reference.edges) for chosen in (odd, ~odd)]
    whole = graded(labels, scores, days, reference.edges)
    joined = parts[0] + parts[1]
    assert (joined.counts == whole.counts).all()
    np.testing.assert_allclose(joined.sums, whole.sums)
    again = Graded.from_dict(json.loads(json.dumps(reference.as_dict())))
    found: dict[str, Decline] = declines(whole, again, {"auc": 0.01})
    assert found == declines(whole, reference, {"auc": 0.01})
    assert json.loads(json.dumps(found["auc"].as_dict()))["worse"] is False


@pytest.mark.parametrize(("labels", "scores", "message"), [
    ([0, 2], [0.1, 0.2], "labels must be 0 or 1"),
    ([0, 1], [0.1, 1.2], "scores probabilities"),
    ([0, 1], [0.1], "want three of one length"),
])  # fmt: skip
def test_what_is_refused(labels: list[int], scores: list[float], message: str, reference: Graded) -> None:
    with pytest.raises(BadInput, match=message):
        graded(labels, scores, [FIRST] * 2)
    with pytest.raises(BadInput, match="no metric 'logloss'; did you mean 'log_loss'"):
        performance([0, 1], [0.1, 0.2], [FIRST] * 2, reference, {"logloss": 0.0})
    with pytest.raises(BadInput, match="different cells"):
        reference + graded([0, 1], [0.1, 0.2], [FIRST] * 2)
