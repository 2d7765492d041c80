"""Windows, alerts and the outbox in a real ledger."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil
import pytest

from tests.test_alerts import BAD, DAY, FINE, WATCHED, WORSE, finding
from workbench import ledger_alerts, ledger_notices
from workbench.errors import BadInput
from workbench.ledger import Ledger
from workbench.ledger_alerts import Recorded, Window
from workbench.ledger_notices import ATTEMPTS, WAITS
from workbench.monitors import Finding
from workbench.settings import Project, read_project

HERE = ("chat", "mail")


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with Ledger.open(project) as opened:
        yield opened


def record(ledger: Ledger, number: int, *findings: Finding, **more: object) -> Recorded:
    window = Window(
        "m", 3, number * DAY, (number + 7) * DAY, 900, findings, content={"watched": {"rows": 900}}
    )
    return ledger_alerts.record(ledger, window, WATCHED, HERE, **more)  # type: ignore[arg-type]


def told(ledger: Ledger) -> list[tuple[int, str, str, str]]:
    return [(each.alert.id, each.event, each.channel, each.state) for each in ledger_notices.notices(ledger)]


def test_a_window_that_is_judged_again_takes_its_own_place(ledger: Ledger) -> None:
    first = record(ledger, 1, BAD)
    again = record(ledger, 1, BAD)
    assert [change.event for change, _ in first.changes] == ["opened"]
    assert again.changes == ()
    assert again.window.id == first.window.id
    (kept,) = ledger_alerts.windows(ledger, "m")
    assert (kept.findings, kept.content["watched"], kept.rows) == ((BAD,), {"rows": 900}, 900)
    assert ledger_alerts.window_of(ledger, kept.id) == kept
    assert ledger_alerts.window_of(ledger, 99) is None
    assert told(ledger) == [(1, "opened", "chat", "waiting"), (1, "opened", "mail", "waiting")]


def test_a_whole_life_is_on_record_and_each_turn_told_once(ledger: Ledger) -> None:
    for number, each in enumerate([BAD, BAD, WORSE, BAD, FINE, FINE, FINE], 1):
        record(ledger, number, each)
    (alert,) = ledger_alerts.alerts(ledger, "m")
    assert (alert.state, alert.severity, alert.resolved_by, alert.version) == (
        "resolved",
        "critical",
        "monitor",
        3,
    )
    assert (alert.window, alert.content["windows"], alert.content["evidence"]) == (4, 4, {"score": 1.0})
    assert alert.content["reason"] == "2 windows in a row did not show it"
    assert [event for _, event, channel, _ in told(ledger) if channel == "chat"] == [
        "opened",
        "worse",
        "resolved",
    ]
    assert ledger_alerts.open_alerts(ledger) == []
    record(ledger, 8, BAD)
    assert [each.id for each in ledger_alerts.open_alerts(ledger, "m")] == [2]


def test_a_person_acknowledges_and_resolves(ledger: Ledger) -> None:
    record(ledger, 1, BAD)
    known = ledger_alerts.acknowledge(ledger, 1, "ada")
    assert (known.state, known.acknowledged_by) == ("acknowledged", "ada")
    assert ledger_alerts.acknowledge(ledger, 1, "grace").acknowledged_by == "ada"
    record(ledger, 2, BAD)
    assert ledger_alerts.alert_of(ledger, 1).state == "acknowledged"
    ended = ledger_alerts.resolve(ledger, 1, "ada", "the feed was late", HERE)
    assert (ended.state, ended.resolved_by, ended.content["reason"]) == (
        "resolved",
        "ada",
        "the feed was late",
    )
    assert [each.event for each in ledger_notices.notices(ledger, alert=1)][-2:] == ["resolved", "resolved"]
    assert record(ledger, 2, BAD).changes == ()
    assert [change.event for change, _ in record(ledger, 3, BAD).changes] == ["opened"]
    for act in (ledger_alerts.acknowledge, ledger_alerts.resolve):
        with pytest.raises(BadInput, match="alert 1 is resolved already, by 'ada'"):
            act(ledger, 1, "grace")
        with pytest.raises(BadInput, match="there is no alert 12"):
            act(ledger, 12, "grace")


def test_another_version_is_looked_at_without_alerts(ledger: Ledger) -> None:
    assert record(ledger, 1, BAD, alerting=False).changes == ()
    assert len(ledger_alerts.windows(ledger, "m", version=3)) == 1
    assert ledger_alerts.windows(ledger, "m", version=4) == []
    assert told(ledger) == []


def test_whom_to_tell_is_written_with_the_alert_or_neither_is(ledger: Ledger) -> None:
    with pytest.raises(TypeError, match="no text"):
        ledger_alerts.record(ledger, Window("m", 3, DAY, 8 * DAY, 1, (BAD,)), WATCHED, Unreadable(HERE))
    assert ledger_alerts.alerts(ledger) == []
    assert ledger_alerts.windows(ledger, "m") == []


class Unreadable(tuple[str, ...]):
    """Channels that break while they are written: what a death in the middle of the transaction does."""

    def __iter__(self) -> Iterator[str]:
        raise TypeError("no text")


def test_the_worst_and_newest_come_first(ledger: Ledger) -> None:
    found = [BAD, finding("critical", "dewp"), finding("warning", "", "volume")]
    record(ledger, 1, *found)
    record(ledger, 2, *found, finding("warning", "hour"))
    assert ledger_alerts.open_alerts(ledger)[0].subject == "dewp"
    assert len(ledger_alerts.alerts(ledger, states=["open"], limit=2)) == 2
    assert ledger_alerts.open_alerts(ledger, "n") == []


def test_many_at_once_make_one_alert(project: Project) -> None:
    def judge(number: int) -> int:
        with Ledger.open(project) as own:
            return len(record(own, 1, BAD).changes)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(judge, range(8))) == 1
    with Ledger.open(project) as ledger:
        assert len(ledger_alerts.alerts(ledger)) == 1
        assert len(told(ledger)) == 2


# The outbox


def test_what_is_taken_is_nobody_elses(ledger: Ledger) -> None:
    record(ledger, 1, BAD, finding("critical", "dewp"))
    taken = ledger_notices.take(ledger, "chat")
    assert [(each.alert.subject, each.channel) for each in taken] == [("temp", "chat"), ("dewp", "chat")]
    assert ledger_notices.take(ledger, "chat") == []
    ledger_notices.done(ledger, taken)
    assert ledger_notices.take(ledger, "chat", every=True) == []
    assert {each.state for each in ledger_notices.notices(ledger) if each.channel == "chat"} == {"sent"}


def test_what_fails_is_tried_again_later_and_not_for_ever(ledger: Ledger) -> None:
    record(ledger, 1, BAD)
    moment = 10 * DAY * 365.25 * 10
    for attempt in range(ATTEMPTS):
        (notice,) = ledger_notices.take(ledger, "chat", now=moment)
        assert notice.attempts == attempt
        ledger_notices.failed(ledger, [notice], "refused")
        (kept,) = [each for each in ledger_notices.notices(ledger) if each.channel == "chat"]
        moment = (kept.finished or 0) + WAITS[min(attempt, len(WAITS) - 1)]
        assert ledger_notices.take(ledger, "chat", now=moment - 1) == []
    assert (kept.state, kept.message) == ("failed", "refused")
    assert ledger_notices.take(ledger, "chat", now=moment + DAY) == []
    assert len(ledger_notices.take(ledger, "chat", every=True)) == 1


def _take_and_wait(root: str, line: object) -> None:
    from pathlib import Path

    with Ledger.open(read_project(Path(root))) as own:
        line.send(len(ledger_notices.take(own, "chat")))  # type: ignore[attr-defined]
        signal.pause()


def test_what_a_killed_process_had_in_hand_is_taken_over(ledger: Ledger, project: Project) -> None:
    record(ledger, 1, BAD)
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_take_and_wait, args=(str(project.root), there)
    )
    process.start()
    assert here.recv() == 1
    assert ledger_notices.take(ledger, "chat") == []
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(20)
    assert not psutil.pid_exists(process.pid)
    (again,) = ledger_notices.take(ledger, "chat")
    assert (again.id, again.attempts) == (1, 1)


def test_another_hosts_process_counts_as_gone_when_it_was_not_heard_of_for_long(ledger: Ledger) -> None:
    record(ledger, 1, BAD)
    (taken,) = ledger_notices.take(ledger, "chat", now=1_000.0)
    who = json.dumps({"host": "elsewhere", "pid": 1, "started": 0.0})
    stale = ledger_notices.STALE_SECONDS
    held = replace(taken, state="sending", finished=1_000.0, message=who)
    assert not ledger_notices.due(held, 1_000.0 + stale)
    assert ledger_notices.due(held, 1_001.0 + stale)
