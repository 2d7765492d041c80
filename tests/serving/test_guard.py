"""When a canary is taken back: values in, a reason out."""

from __future__ import annotations

import pytest

from workbench.serving.answers import NOT_FINITE, Refused
from workbench.serving.guard import HUNG, Tally, objection
from workbench.setting_keys import CanaryLimits
from workbench.trials import share_of

LIMITS = CanaryLimits(max_errors=3, max_refused=0.05, max_slowdown=3.0, min_batches=5)
FAST = [0.004] * 10


def tally(*, seconds: float = 0.004, batches: int = 10, **counts: int) -> Tally:
    found = Tally(**counts)
    found.seconds.extend([seconds] * batches)
    return found


def test_one_that_is_like_the_champion_goes_on() -> None:
    assert objection(tally(asked=1000), FAST, LIMITS, 0.0) == ""


def test_one_answer_that_is_no_probability_is_enough() -> None:
    found = tally(asked=1000)
    found.failure(Refused(500, NOT_FINITE, "version 7 gives nan"))
    assert objection(found, FAST, LIMITS, 0.0) == "it gave no probability: version 7 gives nan"


def test_other_failures_are_counted() -> None:
    found = tally(asked=10)
    for number in (1, 2):
        found.failure(Refused(500, "model", f"failure {number}"))
        assert objection(found, FAST, LIMITS, 0.0) == ""
    found.failure(Refused(500, "model", "failure 3"))
    assert objection(found, FAST, LIMITS, 0.0) == "it failed 3 times of 10: failure 3"


@pytest.mark.parametrize(
    ("refused", "asked", "back"), [(2, 10, False), (3, 10, True), (3, 60, False), (4, 60, True)]
)
def test_refusing_what_the_champion_takes_counts_by_number_and_share(
    refused: int, asked: int, back: bool
) -> None:
    assert bool(objection(tally(asked=asked, refused=refused), FAST, LIMITS, 0.0)) is back


@pytest.mark.parametrize(
    ("seconds", "champion", "batches", "back"),
    [
        (0.030, 0.004, 10, True),
        (0.011, 0.004, 10, False),  # less than three times
        (0.005, 0.001, 10, False),  # five times, and 4 ms
        (0.030, 0.004, 4, False),  # too few to say
    ],
)
def test_slow_is_what_is_so_by_a_factor_and_by_time(
    seconds: float, champion: float, batches: int, back: bool
) -> None:
    found = objection(tally(seconds=seconds, batches=batches), [champion] * 10, LIMITS, 0.0)
    assert bool(found) is back


def test_one_that_does_not_answer_is_taken_back_whatever_it_did_before() -> None:
    found = tally(asked=1000)
    found.working_since = 100.0
    assert objection(found, FAST, LIMITS, 100.0 + HUNG) == ""
    assert "it has not answered for 2.5 s" in objection(found, FAST, LIMITS, 102.5)


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("0.25", 0.25), (" 100 % ", 1.0), ("1", 1.0)])
def test_a_share_is_a_percentage_or_a_number(text: str, share: float) -> None:
    assert share_of(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["0%", "-1%", "101%", "10", "nan", "inf", "", "ten", "%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no share; expected more than 0% and at most 100%"):
        share_of(text)
