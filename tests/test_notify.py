"""What people are told, and what they are not shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.test_alerts import BAD, DAY, WATCHED, alert, finding
from tests.test_ledger_alerts import HERE, record
from workbench import ledger_alerts, ledger_notices
from workbench.alerts import Alert
from workbench.ledger import Ledger
from workbench.ledger_notices import Notice
from workbench.notify import Message, by_apprise, channels, deliver, message_of, without_secrets
from workbench.settings import Project


def notice(id_: int, event: str, about: Alert) -> Notice:
    return Notice(id_, about, event, "chat", "waiting", 0.0, None, 0, "")


def test_one_message_for_all_that_is_due_the_worst_first() -> None:
    ended = alert(
        "resolved", content={"since": DAY, "until": 8 * DAY, "reason": "2 windows in a row did not show it"}
    )
    said = message_of([
        notice(4, "resolved", replace(ended, id=1, resolved_by="monitor")), notice(5, "opened", alert(id=2)),
        notice(6, "worse", alert(severity="critical", id=3)),
    ])  # fmt: skip
    assert said.title == "m: alerts 1 new, 1 worse, 1 resolved [4, 5, 6]"
    assert said.worst == "critical"
    assert said.body.splitlines() == [
        "worse: alert 3 of m, critical", "  inputs: temp warning", "  seen from 1970-01-02 00:00 to 1970-01-09 00:00 UTC",
        "new: alert 2 of m, warning", "  inputs: temp warning", "  seen from 1970-01-02 00:00 to 1970-01-09 00:00 UTC",
        "resolved: alert 1 of m, resolved by monitor", "  inputs: temp warning",
        "  seen from 1970-01-02 00:00 to 1970-01-09 00:00 UTC", "  2 windows in a row did not show it",
        "", "Say that you know: workbench alerts ack ID", "Notification 4, 5, 6",
    ]  # fmt: skip
    assert message_of([notice(1, "resolved", ended)]).worst == "resolved"


def test_no_part_of_a_url_is_shown() -> None:
    url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops"
    said = without_secrets(url, f"failed: POST {url} -> 403 for TIiajkdnlazkcOXrIdevi7FQ at A1BRTD4JD")
    assert said == "failed: POST … -> 403 for … at …"
    assert len(without_secrets("json://host/x", "a" * 900)) == 300


def test_a_channel_is_called_by_what_may_be_known(project: Project) -> None:
    urls = ("${SLACK_URL}", "slack://T1JJ3T3L2/A1BRTD4JD/x", "slack://T1JJ3T3L2/A1BRTD4JD/y")
    first, second, third = channels(replace(project, notify=urls))
    assert first == "$SLACK_URL"
    assert re.fullmatch("slack-[0-9a-f]{8}", second)
    assert re.fullmatch("slack-[0-9a-f]{8}", third)
    assert second != third


def test_apprise_knows_no_such_service() -> None:
    message = Message("title", "body", "warning")
    assert by_apprise("nonsense://s3cret", message).startswith("apprise knows no service of such a URL")


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with Ledger.open(project) as opened:
        record(opened, 1, BAD, finding("critical", "dewp"))
        yield opened


def test_one_channel_that_breaks_keeps_no_other_waiting(project: Project, ledger: Ledger) -> None:
    urls = ("json://broken/s3cret-t0ken", "json://works")
    told = replace(project, notify=urls)
    names = list(channels(told))
    window = ledger_alerts.Window("m", 3, 2 * DAY, 9 * DAY, 9, (finding("warning", "hour"),))
    ledger_alerts.record(ledger, window, WATCHED, names)
    got: list[str] = []

    def send(url: str, message: Message) -> str:
        if "broken" in url:
            raise ConnectionError("no way to s3cret-t0ken")
        got.append(message.title)
        return ""

    found = deliver(told, ledger, send=send)
    assert (found.sent[names[1]], got) == (1, ["m: alerts 1 new [6]"])
    assert found.reasons[names[0]] == "ConnectionError: no way to …"
    assert all("any more" in found.reasons[gone] for gone in HERE)
    states = {each.channel: each.state for each in ledger_notices.notices(ledger)}
    assert states == {"chat": "waiting", "mail": "waiting", names[0]: "waiting", names[1]: "sent"}
