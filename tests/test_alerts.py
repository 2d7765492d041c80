"""An alert's life, decided from the findings of windows: no database, no clock."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.alerts import Alert, Change, Judged, decide
from workbench.monitors import Finding, Monitors, Severity, Volume

DAY = 86_400.0
WATCHED = Monitors(inputs=True, volume=Volume(500))


def finding(severity: Severity | None, subject: str = "temp", monitor: str = "inputs") -> Finding:
    return Finding(monitor, subject, severity, f"{subject} {severity or 'is as it was'}", {"score": 1.0})


def window(number: int, *findings: Finding) -> Judged:
    return Judged(number, number * DAY, (number + 7) * DAY, findings)


def alert(state: str = "open", severity: Severity = "warning", at: int = 1, **more: object) -> Alert:
    values = {
        "id": 1, "model": "m", "version": 3, "monitor": "inputs", "subject": "temp", "severity": severity, "state": state,
        "title": "temp warning", "opened": 0.0, "changed": 0.0, "window": at,
        "content": {"since": at * DAY, "until": (at + 7) * DAY},
    }  # fmt: skip
    return Alert(**{**values, **more})  # type: ignore[arg-type]


def events(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.event, change.finding.subject) for change in changes]


BAD, WORSE, FINE = finding("warning"), finding("critical"), finding(None)


def test_what_is_found_opens_an_alert() -> None:
    (change,) = decide([], [window(1, BAD, finding(None, "dewp"))], WATCHED)
    assert (change.event, change.finding, change.severity, change.windows) == ("opened", BAD, "warning", 1)


def test_as_many_windows_in_a_row_as_are_wanted_open_it() -> None:
    twice = replace(WATCHED, open_after=2)
    assert decide([], [window(1, BAD)], twice) == []
    assert decide([], [window(1, BAD), window(2, FINE), window(3, BAD)], twice) == []
    (change,) = decide([], [window(2, WORSE), window(3, BAD)], twice)
    assert (change.event, change.window.id, change.severity, change.windows) == ("opened", 3, "critical", 2)


def test_a_window_without_a_word_of_it_neither_breaks_a_row_nor_makes_one() -> None:
    twice = replace(WATCHED, open_after=2)
    assert events(decide([], [window(1, BAD), window(2), window(3, BAD)], twice)) == [("opened", "temp")]
    assert decide([alert(at=1)], [window(1, BAD), window(2, FINE), window(3)], WATCHED) == []


def test_the_same_window_again_changes_nothing() -> None:
    assert decide([alert(at=2)], [window(1, BAD), window(2, BAD)], WATCHED) == []


def test_a_newer_window_confirms_and_nobody_is_told() -> None:
    (change,) = decide([alert(at=1)], [window(2, BAD), window(1, BAD)], WATCHED)
    assert (change.event, change.windows, change.window.id) == ("confirmed", 2, 2)


def test_severity_rises_and_does_not_fall() -> None:
    (change,) = decide([alert(at=1)], [window(1, BAD), window(2, WORSE)], WATCHED)
    assert (change.event, change.severity) == ("worse", "critical")
    (change,) = decide([alert(severity="critical", at=1)], [window(1, WORSE), window(2, BAD)], WATCHED)
    assert (change.event, change.severity) == ("confirmed", "critical")


@pytest.mark.parametrize("state", ["open", "acknowledged"])
def test_as_many_fine_windows_in_a_row_as_are_wanted_resolve_it(state: str) -> None:
    seen = [window(1, BAD), window(2, FINE)]
    assert decide([alert(state, at=1)], seen, WATCHED) == []
    (change,) = decide([alert(state, at=1)], [*seen, window(3, FINE)], WATCHED)
    assert (change.event, change.reason) == ("resolved", "2 windows in a row did not show it")
    assert events(decide([alert(state, at=1)], seen, replace(WATCHED, resolve_after=1))) == [
        ("resolved", "temp")
    ]


def test_what_a_person_has_resolved_needs_a_newer_window_to_come_back() -> None:
    ended = alert("resolved", at=2)
    assert decide([ended], [window(1, BAD), window(2, BAD)], WATCHED) == []
    (change,) = decide([ended], [window(1, BAD), window(2, BAD), window(3, BAD)], WATCHED)
    assert (change.event, change.alert, change.windows) == ("opened", None, 1)
    assert decide([ended], [window(2, BAD), window(3, BAD)], replace(WATCHED, open_after=2)) == []


def test_an_older_window_judged_late_does_not_speak_for_now() -> None:
    assert decide([], [window(1, BAD), window(2, FINE), window(3, FINE)], WATCHED) == []


def test_outcomes_that_come_late_open_it_though_newer_windows_are_known() -> None:
    decline = finding("warning", "log_loss", "performance")
    watched = replace(WATCHED, inputs=True)
    (change,) = decide([], [window(1, FINE, decline), window(2, FINE), window(3, FINE)], watched)
    assert (change.event, change.window.id) == ("opened", 1)


def test_what_nobody_watches_any_more_ends() -> None:
    (change,) = decide([alert(at=1)], [window(2)], Monitors(volume=Volume(1)))
    assert (change.event, change.reason) == ("resolved", "the monitor 'inputs' is not declared any more")
    others = [window(2, finding(None, "dewp")), window(3, finding(None, "dewp"))]
    assert decide([alert(at=1)], others[:1], WATCHED) == []
    (change,) = decide([alert(at=1)], others, WATCHED)
    assert change.reason == "'temp' is not watched any more"
    assert decide([alert(at=1)], [], WATCHED) == []


@given(
    st.lists(st.sampled_from([BAD, WORSE, FINE, None]), min_size=1, max_size=14),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_whatever_comes_it_alternates_and_tells_each_once(
    found: list[Finding | None], open_after: int, resolve_after: int
) -> None:
    """Window by window, each judged twice: what happened is a life, and judging again adds nothing."""
    watched = replace(WATCHED, open_after=open_after, resolve_after=resolve_after)
    now: Alert | None = None
    seen: list[Judged] = []
    lives: list[list[str]] = []
    for number, each in enumerate(found, 1):
        seen.append(window(number, *([each] if each else [])))
        for again in (False, True):
            changes = decide([now] if now else [], seen, watched)
            assert not (again and changes)
            for change in changes:
                if change.event == "opened":
                    lives.append([])
                    now = alert(severity=change.severity, at=change.window.id, title=change.finding.title)
                elif change.event == "resolved":
                    assert now is not None
                    now = replace(now, state="resolved")
                else:
                    now = alert(severity=change.severity, at=change.window.id, title=change.finding.title)
                lives[-1].append(change.event)
    told = [[event for event in life if event != "confirmed"] for life in lives]
    assert all(len(life) == len(set(life)) and life[0] == "opened" for life in told)
    assert all(life[-1] == "resolved" for life, _ in pairwise(told))
