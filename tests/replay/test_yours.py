"""The triggers of a pipeline file, asked by the replay's clock."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from workbench.alerts import Judged
from workbench.monitors import DAY, Finding, Monitors, Performance
from workbench.replay.alerting import Told, told
from workbench.replay.yours import Month, Standing, month_over
from workbench.trigger_keys import declared_triggers

MONITORS = Monitors(performance=Performance("auc"), open_after=1, resolve_after=2)


def month(number: int, *severities: str | None, version: int = 1) -> Month:
    """A month of 2013 whose weeks find so much of the performance."""
    since = datetime(2013, number, 1, tzinfo=UTC).timestamp()
    until = datetime(2013, number + 1, 1, tzinfo=UTC).timestamp()
    windows = [
        Judged(0, since + 7 * DAY * at, since + 7 * DAY * (at + 1), (Finding("performance", "auc", each, "auc"),))
        for at, each in enumerate(severities)
    ]  # fmt: skip
    return Month(str(number), since, until, version, windows)


def asked(trigger: dict, *months: Month) -> list[tuple[bool, bool]]:
    """For each month, whether training is asked for, and whether an alert opened. What is kept of one goes through JSON."""
    found, standing = [], Standing()
    for each in months:
        decision, standing = month_over(declared_triggers([trigger], "m"), MONITORS, "m", standing, each)
        standing = Standing.from_dict(json.loads(json.dumps(standing.as_dict())))
        found.append((decision.retrain, decision.alert))
    return found


WARNING, CRITICAL, FINE = "warning", "critical", None


@pytest.mark.parametrize(
    ("trigger", "months", "expected"),
    [
        ({"schedule": "0 6 * * 1"}, [month(4), month(5)], [True, True]),
        ({"schedule": "0 6 1 6 *"}, [month(4), month(5), month(6)], [False, False, True]),
        ({"new_data": "data/*.parquet"}, [month(4), month(5)], [True, True]),
        ({"staleness": "40d"}, [month(4), month(5), month(6)], [False, True, False]),
        ({"schedule": "0 6 * * 1", "cool_down": "20d"}, [month(4), month(5)], [True, True]),
        ({"schedule": "0 6 1 * *", "cool_down": "45d"}, [month(4), month(5), month(6)], [True, False, True]),
    ],
)
def test_time_and_data_ask_as_they_do_in_a_service(trigger, months, expected):
    assert [retrain for retrain, _ in asked(trigger, *months)] == expected


def test_an_alert_asks_once_while_it_is_open_and_again_once_it_was_resolved():
    trigger = {"alert": {"monitor": "performance"}}
    bad, quiet = (FINE, WARNING, WARNING, WARNING), (FINE, FINE, FINE)
    months = month(4, *bad), month(5, *bad), month(6, *quiet), month(7, *bad)
    assert asked(trigger, *months) == [(True, True), (False, False), (False, False), (True, True)]


def test_an_alert_must_be_of_that_monitor_and_as_severe():
    months = month(4, FINE, WARNING), month(5, CRITICAL)
    severe = {"alert": {"monitor": "performance", "min_severity": "critical"}}
    assert asked(severe, *months) == [(False, True), (True, False)]
    assert asked({"alert": {"monitor": "inputs"}}, *months) == [(False, True), (False, False)]


def test_a_reason_names_the_trigger_and_what_it_saw():
    (trigger,) = declared_triggers([{"alert": {"monitor": "performance"}, "params": {"seed": 7}}], "m")
    decision, _ = month_over((trigger,), MONITORS, "m", Standing(), month(4, WARNING, FINE, FINE))
    assert decision.reason == "trigger 'alert': warning alert 1, performance of auc: auc"
    assert decision.params == {"seed": 7}
    quiet, _ = month_over((trigger,), MONITORS, "m", Standing(), month(4, FINE))
    assert (quiet.reason, quiet.params) == ("trigger 'alert': no such alert of 'm' is open", {})


def test_another_version_starts_with_windows_of_its_own():
    monitors = replace(MONITORS, open_after=2)
    first, second = month(4, WARNING, WARNING).windows
    alone = told(Told(), first, 1, monitors, "m")
    assert told(alone, second, 1, monitors, "m").open
    assert not told(alone, second, 2, monitors, "m").open
