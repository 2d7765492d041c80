"""Cron in time zones: nights with an hour too few or too many, leap days, what is no schedule."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from workbench.schedules import due, expression_problem, next_due, zone_problem

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def shown(times: list[float], zone: ZoneInfo = BERLIN) -> list[str]:
    return [datetime.fromtimestamp(time, UTC).astimezone(zone).strftime("%d %H:%M %z") for time in times]


def test_a_schedule_is_due_after_the_one_time_and_up_to_the_other() -> None:
    times = due("0 6 * * 1", "UTC", at("2026-03-02T06:00"), at("2026-03-16T06:00"))
    assert times == [at("2026-03-09T06:00"), at("2026-03-16T06:00")]
    assert next_due("0 6 * * 1", "UTC", at("2026-03-02T06:00")) == times[0]
    assert due("0 6 * * 1", "UTC", at("2026-03-02T06:00"), at("2026-03-09T05:59:59")) == []


def test_its_hour_is_its_zones() -> None:
    night = at("2026-01-10T00:00")
    assert next_due("0 6 * * *", "Europe/Berlin", night) == at("2026-01-10T05:00")
    assert next_due("0 6 * * *", "America/New_York", night) == at("2026-01-10T11:00")
    assert next_due("0 6 * * *", "Asia/Kolkata", night) == at("2026-01-10T00:30")


def test_an_hour_that_is_left_out_is_due_when_the_gap_ends() -> None:
    times = due("30 2 * * *", "Europe/Berlin", at("2026-03-28T00:00"), at("2026-03-31T00:00"))
    assert shown(times) == ["28 02:30 +0100", "29 03:00 +0200", "30 02:30 +0200"]


def test_two_times_that_fall_together_in_a_gap_are_one() -> None:
    times = due("0 2,3 * * *", "Europe/Berlin", at("2026-03-29T00:00"), at("2026-03-29T12:00"))
    assert shown(times) == ["29 03:00 +0200"]


def test_an_hour_that_comes_twice_is_due_once() -> None:
    times = due("30 2 * * *", "Europe/Berlin", at("2026-10-24T12:00"), at("2026-10-26T12:00"))
    assert shown(times) == ["25 02:30 +0200", "26 02:30 +0100"]


def test_every_half_hour_is_due_by_the_clock_both_times() -> None:
    times = due("*/30 * * * *", "Europe/Berlin", at("2026-10-24T23:59"), at("2026-10-25T02:01"))
    assert len(times) == 5
    assert [later - sooner for sooner, later in itertools.pairwise(times)] == [1800.0] * 4


def test_a_look_from_within_the_hour_that_comes_twice_never_goes_back() -> None:
    second = datetime(2026, 10, 25, 2, 45, fold=1, tzinfo=BERLIN).timestamp()
    times = due("0,50 2,4 * * *", "Europe/Berlin", second, second + 4 * 3600)
    assert times == sorted(times)
    assert times[0] > second


def test_leap_days() -> None:
    assert next_due("0 0 29 2 *", "UTC", at("2026-01-01T00:00")) == at("2028-02-29T00:00")
    assert next_due("0 0 L * *", "UTC", at("2028-02-01T00:00")) == at("2028-02-29T00:00")
    assert next_due("0 0 29 2 *", "UTC", at("2096-03-01T00:00")) == at("2104-02-29T00:00")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 6 * *", "'0 6 * *' has 4 fields; expected five, such as '0 6 * * 1'"),
        ("0 0 6 * * 1", "has 6 fields"),
        ("@daily", "has 1 fields"),
        ("61 6 * * 1", "'61 6 * * 1' has no valid minute"),
        ("0 24 * * *", "has no valid hour"),
        ("0 0 0 * *", "has no valid day-of-month"),
        ("0 0 * 13 *", "has no valid month"),
        ("0 0 * * MOON", "has no valid day-of-week"),
        ("0 0 30 2 *", "has no valid day-of-month"),
        ("*/0 * * * *", "has no valid minute"),
    ],
)
def test_what_is_no_schedule_is_said(expression: str, message: str) -> None:
    assert message in (expression_problem(expression) or "")


def test_a_zone_is_known_or_nearly() -> None:
    assert zone_problem("Europe/Berlin") is None
    assert (
        zone_problem("Europe/Berlinn") == "'Europe/Berlinn' is not a time zone; did you mean 'Europe/Berlin'?"
    )
    assert "expected such as UTC or Europe/Berlin" in (zone_problem("Mars") or "")
