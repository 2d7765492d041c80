"""Metrics agree with scikit-learn, and intervals with what resampling by hand gives."""

import time

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from workbench.evaluation import (
    METRICS,
    Interval,
    auc,
    bootstrap_weights,
    calibration_table,
    compare,
    measure,
    point,
    quantile,
    slices,
    units,
)


@pytest.fixture
def forecast():
    """2,000 labels drawn from the probabilities themselves: a calibrated forecast; and a vaguer one."""
    generator = np.random.default_rng(7)
    scores = generator.beta(1, 3, size=2000).round(2)  # rounded, so that there are ties
    labels = (generator.random(2000) < scores).astype(int)
    vague = 0.25 + (scores - 0.25) * 0.3
    return labels, scores, vague


def test_point_values_are_those_of_scikit_learn(forecast):
    labels, scores, _ = forecast
    safe = scores.clip(0.01, 0.99)

    found = point(labels, safe)

    assert found["auc"] == pytest.approx(sklearn_metrics.roc_auc_score(labels, safe))
    assert found["log_loss"] == pytest.approx(sklearn_metrics.log_loss(labels, safe))
    assert found["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(labels, safe))


def test_auc_counts_a_tie_as_half():
    once = np.ones((1, 4))

    assert auc(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4]), once)[0] == 1
    assert auc(np.array([0.0, 0, 1, 1]), np.array([0.4, 0.3, 0.2, 0.1]), once)[0] == 0
    assert auc(np.array([0.0, 0, 1, 1]), np.array([0.5, 0.5, 0.5, 0.5]), once)[0] == 0.5


@pytest.mark.parametrize("name", ["auc", "log_loss", "brier"])
def test_weights_count_a_row_as_often_as_it_was_drawn(forecast, name):
    labels, scores, _ = (values[:50].astype(float) for values in forecast)
    weights = bootstrap_weights(50, 20, seed=1)

    weighted = METRICS[name](labels, scores, weights)

    once = np.ones((1, 50))
    for value, drawn in zip(weighted, weights, strict=True):
        repeated = np.repeat(labels, drawn), np.repeat(scores, drawn)
        assert value == pytest.approx(METRICS[name](*repeated, once)[0])


def test_a_constant_forecast_at_the_true_rate_is_calibrated_and_knows_nothing():
    labels = np.array([0, 0, 0, 1] * 100)

    found = point(labels, np.full(400, 0.25))

    assert found["auc"] == 0.5
    assert found["calibration_error"] == pytest.approx(0)
    assert found["brier"] == pytest.approx(0.25 * 0.75)


def test_a_certain_and_wrong_forecast_has_a_finite_log_loss():
    assert point([0, 1], [1.0, 1.0])["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_every_resample_draws_as_many_rows_as_there_are():
    weights = bootstrap_weights(30, 100, seed=0)

    assert weights.shape == (100, 30)
    assert (weights.sum(axis=1) == 30).all()


def test_the_same_seed_draws_the_same_resamples():
    assert (bootstrap_weights(30, 5, seed=3) == bootstrap_weights(30, 5, seed=3)).all()
    assert (bootstrap_weights(30, 5, seed=3) != bootstrap_weights(30, 5, seed=4)).any()


def test_rows_of_one_group_are_drawn_together():
    days = np.array(["monday", "monday", "tuesday", "tuesday", "tuesday"])

    weights = bootstrap_weights(5, 50, groups=days)

    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 2:] == weights[:, [2]]).all()
    assert set((weights[:, 0] + weights[:, 2]).tolist()) == {2}  # two days, drawn twice


def test_intervals_are_wider_where_whole_days_go_wrong():
    generator = np.random.default_rng(0)
    days = np.repeat(np.arange(20), 100)
    bad = generator.beta(1, 3, size=20)[days]  # each day has its own rate
    labels = (generator.random(2000) < bad).astype(int)
    scores = np.full(2000, 0.25)

    rows = measure(labels, scores, bootstrap_weights(2000, 300)).intervals()["log_loss"]
    whole = measure(labels, scores, bootstrap_weights(2000, 300, groups=days)).intervals()["log_loss"]

    assert whole.high - whole.low > 3 * (rows.high - rows.low)
    assert whole.value == rows.value


def test_a_better_model_is_told_apart_where_their_own_intervals_overlap(forecast):
    labels, scores, vague = forecast
    weights = bootstrap_weights(2000, 300)
    better, worse = measure(labels, scores, weights), measure(labels, vague, weights)

    difference = compare(better, worse)["brier"]

    assert better.intervals()["brier"].high > worse.intervals()["brier"].low
    assert difference.low < difference.value < difference.high < 0


def test_models_under_different_resamples_are_no_pair(forecast):
    labels, scores, vague = forecast
    few, many = bootstrap_weights(2000, 10), bootstrap_weights(2000, 20)

    with pytest.raises(ValueError, match="not a pair"):
        compare(measure(labels, scores, few), measure(labels, vague, many))


def test_slices_name_those_too_small_to_be_measured(forecast):
    labels, scores, vague = forecast
    carrier = np.where(np.arange(2000) < 1500, "UA", np.where(np.arange(2000) < 1990, "DL", "OO"))

    found = slices(labels, scores, vague, carrier, bootstrap_weights(2000, 100), minimum=200)

    assert [(each["value"], each["rows"], each["measured"]) for each in found] == [
        ("UA", 1500, True),
        ("DL", 490, True),
        ("OO", 10, False),
    ]
    assert found[0]["auc"]["low"] < found[0]["auc"]["value"] < found[0]["auc"]["high"]
    assert found[0]["log_loss_difference"]["value"] < 0
    assert "auc" not in found[2]


def test_a_slice_of_one_day_is_named_and_not_measured(forecast):
    labels, scores, vague = (values[:400] for values in forecast)
    days = np.repeat([1, 2], 200)

    first, _ = slices(labels, scores, vague, days, bootstrap_weights(400, 40, groups=days), minimum=100)

    assert first["rows"] == 200
    assert not first["measured"]


def test_a_slice_that_some_resamples_miss_still_has_an_interval(forecast):
    labels, scores, vague = (values[:400] for values in forecast)
    days = np.repeat([1, 2, 3, 4], 100)  # one in sixteen resamples holds only the days of the other slice

    first, _ = slices(labels, scores, vague, days > 2, bootstrap_weights(400, 40, groups=days), minimum=100)

    assert None not in first["log_loss"].values()


def test_a_calibrated_forecast_lies_within_its_limits(forecast):
    labels, scores, _ = forecast

    table = calibration_table(labels, scores)

    assert sum(each["rows"] for each in table) == 2000
    assert all(each["low"] <= each["observed"] <= each["high"] for each in table)
    assert sum(each["low"] <= each["predicted"] <= each["high"] for each in table) >= len(table) - 1


def test_equal_scores_share_one_bin():
    assert len(calibration_table([0, 1, 0, 1], [0.5] * 4)) == 1


def test_what_is_not_known_is_null_in_json():
    assert Interval(0.5, float("nan"), 1 / 3).as_dict() == {"value": 0.5, "low": None, "high": 0.333333}


def test_one_class_has_no_auc_and_no_interval_of_it():
    found = measure([1, 1, 1], [0.2, 0.5, 0.9], bootstrap_weights(3, 10)).intervals()

    assert found["auc"].as_dict() == {"value": None, "low": None, "high": None}
    assert found["brier"].as_dict()["value"] is not None


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1, 1], [0.1, 0.2], "equal-length"),
        ([], [], "equal-length"),
        ([0, 2], [0.1, 0.2], "0 or 1"),
        ([0, 1], [0.1, 1.2], "between 0 and 1"),
        ([0, 1], [0.1, float("nan")], "between 0 and 1"),
    ],
)
def test_bad_input_is_refused(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        point(labels, scores)


def test_weights_of_another_table_are_refused(forecast):
    labels, scores, _ = forecast

    with pytest.raises(ValueError, match="weights"):
        measure(labels, scores, bootstrap_weights(100, 10))
    with pytest.raises(ValueError, match="group labels"):
        bootstrap_weights(3, 10, groups=[1, 2])
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_weights(0, 10)


def test_a_test_set_of_20_000_rows_takes_less_than_two_seconds_of_processor():
    generator = np.random.default_rng(0)
    scores = generator.random(20_000)
    labels = (generator.random(20_000) < scores).astype(int)
    weights = bootstrap_weights(20_000, 300)

    started = time.process_time()
    measure(labels, scores, weights)

    assert time.process_time() - started < 2


def test_few_units_make_intervals_wider():
    """Student's t instead of the normal, and the variance that resampling loses: Hesterberg (2015)."""
    assert quantile(10_000, 0.95) == pytest.approx(1.96, abs=0.01)
    assert quantile(5, 0.95) == pytest.approx(np.sqrt(5 / 4) * 2.7764, abs=0.001)


def test_units_are_rows_or_their_groups():
    assert units(bootstrap_weights(500, 100)) == 500
    assert units(bootstrap_weights(500, 100, groups=np.arange(500) // 50)) == 10
