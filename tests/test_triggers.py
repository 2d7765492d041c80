"""Triggers: what is known and seen in, a decision with its reason out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.alerts import Alert
from workbench.monitors import Severity
from workbench.schedules import due
from workbench.trigger_keys import Trigger
from workbench.triggers import DAY, QUARANTINE, Decision, Known, World, decide, elapsed

HOUR = 3600.0
MONDAY = datetime(2026, 3, 2, 6, tzinfo=ZoneInfo("UTC")).timestamp()
HOURLY = Trigger("hourly", "schedule", schedule="0 * * * *")
FILES = Trigger("new_data", "new_data", new_data=("data/*.csv",))
DECAY = Trigger("alert", "alert", alert={"model": "m", "monitor": "performance", "min_severity": "warning"})
STALE = Trigger("staleness", "staleness", staleness=30 * DAY)


def alert(
    number: int = 1, severity: Severity = "warning", model: str = "m", monitor: str = "performance"
) -> Alert:
    return Alert(
        number, model, 3, monitor, "log_loss", severity, "open", "it is worse", opened=MONDAY, changed=MONDAY
    )


def after(known: Known, decision: Decision, now: float) -> Known:
    """What is known once a decision was carried out and its runs went well."""
    runs = [now] * (sum(slot.run for slot in decision.slots) or int(decision.fire))
    return replace(
        known,
        fired=now if decision.fire else known.fired,
        seen=known.seen if decision.seen is None else decision.seen,
        recent=[*known.recent, *runs],
    )


# Schedules


def test_a_schedule_waits_for_its_time_and_says_which() -> None:
    found = decide(HOURLY, Known(MONDAY + 60), World(MONDAY + 120))
    assert (found.fire, found.slots, found.seen) == (False, (), None)
    assert found.reason == "the next time is 2026-03-02 07:00:00 UTC"


def test_each_time_runs_once() -> None:
    known, ran = Known(MONDAY + 60), []
    for minute in range(1, 200):
        now = MONDAY + 60 * minute
        found = decide(HOURLY, known, World(now))
        ran += [slot.due for slot in found.slots if slot.run]
        known = after(known, found, now)
    assert ran == [MONDAY + HOUR, MONDAY + 2 * HOUR, MONDAY + 3 * HOUR]


@pytest.mark.parametrize(
    ("policy", "runs", "said"),
    [
        (
            "latest",
            [False, False, False, True],
            "missed, noticed 3.5 h later; catch_up: latest runs the newest only",
        ),
        ("all", [True] * 4, "due at 2026-03-02 07:00:00 UTC, 3.5 h late"),
        ("skip", [False] * 4, "missed, noticed 3.5 h later; catch_up: skip"),
    ],
)
def test_what_was_missed_follows_the_policy_and_says_so(policy: str, runs: list[bool], said: str) -> None:
    trigger = replace(HOURLY, catch_up=policy)
    found = decide(trigger, Known(MONDAY), World(MONDAY + 4.5 * HOUR))
    assert [slot.run for slot in found.slots] == runs
    assert found.slots[0].reason == said
    assert found.fire == any(runs)


def test_a_slot_says_since_when_there_was_no_run() -> None:
    known = Known(MONDAY, seen={"slot": MONDAY, "ran": MONDAY})
    found = decide(HOURLY, known, World(MONDAY + 3 * HOUR))
    assert [(slot.since, slot.due) for slot in found.slots if slot.run] == [(MONDAY, MONDAY + 3 * HOUR)]
    every = decide(replace(HOURLY, catch_up="all"), known, World(MONDAY + 3 * HOUR))
    assert [(slot.since, slot.due) for slot in every.slots] == [
        (MONDAY + hour * HOUR, MONDAY + (hour + 1) * HOUR) for hour in range(3)
    ]


def test_a_clock_that_was_set_back_repeats_nothing() -> None:
    known = Known(MONDAY, fired=MONDAY + 5 * HOUR, seen={"slot": MONDAY + 5 * HOUR})
    found = decide(HOURLY, known, World(MONDAY + 2 * HOUR))
    assert found.slots == ()
    assert found.reason == "the next time is 2026-03-02 12:00:00 UTC"
    assert [slot.due for slot in decide(HOURLY, known, World(MONDAY + 6 * HOUR)).slots] == [MONDAY + 6 * HOUR]


def test_a_clock_that_is_a_year_ahead_lists_a_month() -> None:
    found = decide(HOURLY, Known(MONDAY), World(MONDAY + 365 * DAY))
    assert len(found.slots) == 31 * 24
    assert [slot.run for slot in found.slots].count(True) == 1


@settings(max_examples=60, deadline=None)
@given(
    policy=st.sampled_from(["latest", "all", "skip"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    expression=st.sampled_from(["30 2 * * *", "15 */3 * * *", "0 1,2,3 * * *", "*/45 * * * *"]),
    start=st.sampled_from([datetime(2026, 3, 27), datetime(2026, 10, 23), datetime(2028, 2, 27)]),
    steps=st.lists(st.floats(-3 * HOUR, 20 * HOUR), min_size=1, max_size=12),
)
def test_whatever_the_clock_does_every_time_is_decided_once(
    policy: str, zone: str, expression: str, start: datetime, steps: list[float]
) -> None:
    """Restarts, clocks set back and forward, nights with an hour more or less: each slot there is, once, in order."""
    trigger = Trigger("s", "schedule", schedule=expression, zone=zone, catch_up=policy)
    begin = now = furthest = start.replace(tzinfo=ZoneInfo(zone)).timestamp()
    known, slots = Known(begin), []
    for step in steps:
        now = now + step
        furthest = max(furthest, now)
        found = decide(trigger, known, World(now))
        slots += found.slots
        known = after(known, found, now)
        assert found.fire == any(slot.run for slot in found.slots)
        assert policy != "all" or all(slot.run for slot in found.slots)
        assert policy != "latest" or not found.slots or found.slots[-1].run
    assert [slot.due for slot in slots] == due(expression, zone, begin, furthest)


# New data


def test_new_data_is_what_came_after_the_first_look() -> None:
    known, now = Known(MONDAY), MONDAY
    first = decide(FILES, known, World(now, files={"a": "1"}))
    assert (first.fire, first.reason) == (
        False,
        "1 file there at the first look; it runs when one is new or changed",
    )
    known = after(known, first, now)
    assert decide(FILES, known, World(now, files={"a": "1"})).reason == "nothing new among 1 file"
    found = decide(FILES, known, World(now, files={"a": "2", "b": "1"}))
    assert (found.fire, found.reason, found.cause) == (True, "1 new: b; 1 changed: a", {"files": ["a", "b"]})
    known = after(known, found, now)
    assert not decide(FILES, known, World(now, files={"a": "2", "b": "1"})).fire
    assert not decide(FILES, known, World(now, files={"a": "2"})).fire


def test_new_data_whose_run_failed_is_asked_for_again_with_what_came_meanwhile() -> None:
    known = Known(
        MONDAY, fired=MONDAY, seen={"files": {"a": "1"}, "fresh": ["a"]}, failures=1, failed_at=MONDAY
    )
    soon = decide(FILES, known, World(MONDAY + 60, files={"a": "1"}))
    assert not soon.fire
    assert "its last run failed; it tries again at 2026-03-02 06:05:00 UTC" in soon.reason
    later = decide(FILES, known, World(MONDAY + 400, files={"a": "1"}))
    assert (later.fire, later.cause) == (True, {"files": ["a"]})
    assert later.reason == "not taken in yet: a; the first try failed"
    more = decide(FILES, known, World(MONDAY + 400, files={"a": "1", "b": "1"}))
    assert more.cause == {"files": ["a", "b"]}


# Alerts


def test_an_alert_is_answered_once_and_again_when_it_is_worse() -> None:
    known, now = Known(MONDAY), MONDAY
    found = decide(DECAY, known, World(now, alerts=[alert()]))
    assert (found.fire, found.cause) == (True, {"alert": 1})
    assert found.reason == "warning alert 1, performance of log_loss: it is worse"
    known = after(known, found, now)
    assert (
        decide(DECAY, known, World(now + DAY, alerts=[alert()])).reason
        == "it ran for what is open already: 1"
    )
    worse = decide(DECAY, known, World(now + DAY, alerts=[alert(severity="critical")]))
    assert "worse than the warning that it ran for" in worse.reason
    assert decide(DECAY, known, World(now + DAY, alerts=[alert(), alert(2)])).cause == {"alert": 2}


@pytest.mark.parametrize(
    "other", [alert(model="n"), alert(monitor="inputs")], ids=["another model's", "another monitor's"]
)
def test_other_alerts_are_none_of_its_business(other: Alert) -> None:
    found = decide(DECAY, Known(MONDAY), World(MONDAY, alerts=[other]))
    assert (found.fire, found.reason) == (False, "no such alert of 'm' is open")


def test_alerts_count_from_a_severity_on() -> None:
    trigger = replace(DECAY, alert={"model": "m", "min_severity": "critical"})
    assert not decide(trigger, Known(MONDAY), World(MONDAY, alerts=[alert()])).fire
    found = decide(
        trigger, Known(MONDAY), World(MONDAY, alerts=[alert(), alert(2, "critical", monitor="volume")])
    )
    assert found.cause == {"alert": 2}


def test_an_alert_whose_run_failed_is_asked_for_again() -> None:
    known = Known(MONDAY, fired=MONDAY, seen={"alerts": {"1": "warning"}}, failures=2, failed_at=MONDAY)
    found = decide(DECAY, known, World(MONDAY + 11 * 60, alerts=[alert()]))
    assert found.fire
    assert found.reason.endswith("; the second try failed")


# Staleness


def test_a_model_is_stale_when_the_last_good_run_is_old() -> None:
    assert decide(STALE, Known(MONDAY), World(MONDAY)).reason == "there has been no good run"
    fresh = decide(STALE, Known(MONDAY), World(MONDAY, last_success=MONDAY - DAY))
    assert (fresh.fire, "it is from 2026-03-31 06:00:00 UTC on" in fresh.reason) == (False, True)
    old = decide(STALE, Known(MONDAY), World(MONDAY, last_success=MONDAY - 31 * DAY))
    assert (old.fire, "is older than 30 days" in old.reason) == (True, True)


# What holds it up


def test_one_run_at_a_time() -> None:
    found = decide(STALE, Known(MONDAY, open_request=7), World(MONDAY))
    assert (found.fire, found.reason) == (
        False,
        "there has been no good run, but request 7 of it has not ended",
    )


def test_the_cool_down_postpones_and_forgets_nothing() -> None:
    trigger = replace(DECAY, cool_down=DAY)
    known = Known(MONDAY, fired=MONDAY)
    held = decide(trigger, known, World(MONDAY + HOUR, alerts=[alert()]))
    assert (held.fire, held.seen) == (False, None)
    assert held.reason.endswith("but it ran at 2026-03-02 06:00:00 UTC; cool_down: 1 day")
    assert decide(trigger, known, World(MONDAY + DAY, alerts=[alert()])).fire
    assert decide(trigger, known, World(MONDAY - HOUR, alerts=[alert()])).fire  # the clock was set back


def test_the_budget_counts_24_hours() -> None:
    trigger = replace(DECAY, budget=2)
    known = Known(MONDAY, recent=[MONDAY - HOUR, MONDAY - 2 * HOUR])
    held = decide(trigger, known, World(MONDAY, alerts=[alert()]))
    assert (held.fire, "its budget of 2 runs in 24 hours is used up" in held.reason) == (False, True)
    assert decide(trigger, known, World(MONDAY + 22.5 * HOUR, alerts=[alert()])).fire


def test_a_schedules_slots_that_are_held_up_are_skipped_for_good() -> None:
    trigger = replace(HOURLY, catch_up="all", budget=2)
    found = decide(trigger, Known(MONDAY), World(MONDAY + 4 * HOUR))
    assert [slot.run for slot in found.slots] == [True, True, False, False]
    assert found.slots[2].reason == "its budget of 2 runs in 24 hours is used up"
    paused = decide(HOURLY, Known(MONDAY, paused_by="ada"), World(MONDAY + HOUR))
    assert [slot.reason for slot in paused.slots] == ["paused by ada; go on with: workbench triggers resume"]
    assert (paused.fire, paused.seen) == (False, {"slot": MONDAY + HOUR})


def test_failures_in_a_row_end_in_quarantine() -> None:
    known = Known(MONDAY, failures=3, failed_at=MONDAY)
    found = decide(STALE, known, World(MONDAY + DAY))
    assert (found.fire, found.quarantine) == (False, True)
    assert found.reason.startswith("3 runs in a row failed, so it is paused")
    again = decide(STALE, replace(known, paused_by=QUARANTINE), World(MONDAY + DAY))
    assert (again.fire, again.quarantine) == (False, False)
    assert "in quarantine after 3 failed runs" in again.reason
    assert decide(replace(STALE, quarantine_after=0), known, World(MONDAY + DAY)).fire


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(45, "45 s"), (600, "10 min"), (5400, "1.5 h"), (DAY, "1 day"), (30 * DAY, "30 days")],
)
def test_lengths_of_time_in_words(seconds: float, said: str) -> None:
    assert elapsed(seconds) == said
