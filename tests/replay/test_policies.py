"""What each policy does with what the monitors say."""

from __future__ import annotations

import pytest

from workbench.evaluation import Interval
from workbench.replay.policies import POLICIES, Decision, Seen, goes_back

QUIET = Seen({}, 4, (), "log_loss 0.500, was 0.490")


def test_never_and_monthly_do_not_look():
    worse = Seen({"temp": 4}, 4, ("log_loss 0.9, was 0.4",))
    for seen in (QUIET, worse):
        assert not POLICIES["never"](seen).retrain
        assert POLICIES["monthly"](seen) == Decision(True, "a month is over")


@pytest.mark.parametrize(
    ("drifted", "weeks", "retrain", "reason"),
    [
        ({"temp": 3, "dewp": 4, "humid": 1}, 4, True, "drifted in most weeks: dewp, temp"),
        ({"a": 4, "b": 4, "c": 4, "d": 4}, 4, True, "a, b, c and 1 more"),
        ({"temp": 2}, 4, False, "nothing drifted in most of 4 weeks; now and then: temp"),
        ({}, 4, False, "nothing drifted in most of 4 weeks"),
        ({}, 0, False, "no week could be judged"),
    ],
)
def test_on_drift_one_odd_week_is_weather(drifted, weeks, retrain, reason):
    decision = POLICIES["drift"](Seen(drifted, weeks))
    assert (decision.retrain, decision.alert) == (retrain, retrain)
    assert reason in decision.reason


def test_on_performance_drift_alone_is_no_reason():
    drifted = Seen({"temp": 4}, 4, (), "log_loss 0.500, was 0.490")
    assert not POLICIES["performance"](drifted).retrain
    assert "log_loss 0.500, was 0.490" in POLICIES["performance"](drifted).reason
    worse = POLICIES["performance"](Seen({}, 4, ("log_loss 0.600, was 0.490",)))
    assert worse.retrain
    assert worse.alert
    assert "log_loss 0.600" in worse.reason


@pytest.mark.parametrize(
    ("difference", "back"),
    [
        (Interval(0.02, 0.01, 0.03), True),
        (Interval(0.02, -0.01, 0.05), False),
        (Interval(0.001, 0.0005, 0.0015), False),
        (Interval(-0.02, -0.03, -0.01), False),
    ],
)
def test_a_champion_goes_back_only_when_its_predecessor_was_surely_and_noticeably_better(difference, back):
    found, reason = goes_back(difference)
    assert found == back
    assert "against its predecessor" in reason
