"""The outbox, sent: by apprise, to the URLs of `[notify]` in workbench.toml. What is sent when is ledger_notices' matter.

A URL holds a token more often than not. It is shown nowhere: a channel is called by what may be known of it, and what a
service said of a failure is shown without any part of its URL.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from workbench import ledger_notices
from workbench.ledger import Ledger
from workbench.ledger_notices import Notice
from workbench.settings import Project

_VARIABLE = re.compile(r"\$\{(\w+)\}")
WORDS = {"opened": "new", "worse": "worse", "resolved": "resolved"}

Send = Callable[[str, "Message"], str]
"""Sends a message to a URL; '' when the service took it, else why not."""


@dataclass(frozen=True)
class Message:
    """What people get: one for all that is due on a channel."""

    title: str
    body: str
    worst: str
    """`critical`, `warning`, or `resolved` where nothing else is told."""


@dataclass(frozen=True)
class Delivered:
    """What came of sending: notifications by channel, and why those that failed did."""

    sent: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


def channels(project: Project) -> dict[str, str]:
    """Name of each channel, and its URL as workbench.toml has it, which may hold a secret.

    The name is the variable that the URL comes from, or its scheme with the beginning of its hash.
    """
    return {_name(url): url for url in project.notify}


def deliver(project: Project, ledger: Ledger, *, every: bool = False, send: Send | None = None) -> Delivered:
    """Send what is due on all channels; with `every` also what failed or waits for another attempt.

    Never raises for a channel that fails: it is tried again later. Raises LedgerError.
    """
    known, sent, failed, reasons = channels(project), dict[str, int](), dict[str, int](), dict[str, str]()
    waiting = {
        notice.channel for notice in ledger_notices.notices(ledger, states=("waiting", "sending", "failed"))
    }
    for channel in sorted(waiting):
        taken = ledger_notices.take(ledger, channel, every=every)
        if not taken:
            continue
        reason = _sent(known.get(channel), taken, send or by_apprise)
        if reason:
            ledger_notices.failed(ledger, taken, reason)
            failed[channel], reasons[channel] = len(taken), reason
        else:
            ledger_notices.done(ledger, taken)
            sent[channel] = len(taken)
    return Delivered(sent, failed, reasons)


def message_of(taken: Sequence[Notice]) -> Message:
    """The words for what happened to alerts, the worst first. Ids tell a message that came twice."""
    numbers = ", ".join(str(notice.id) for notice in taken)
    models = ", ".join(sorted({notice.alert.model for notice in taken}))
    counts = [
        f"{count} {word}"
        for event, word in WORDS.items()
        if (count := sum(1 for notice in taken if notice.event == event))
    ]
    ordered = sorted(
        taken, key=lambda notice: (notice.event == "resolved", notice.alert.severity != "critical")
    )
    going = [notice.alert.severity for notice in taken if notice.event != "resolved"]
    worst = "critical" if "critical" in going else "warning" if going else "resolved"
    lines = [line for notice in ordered for line in _lines(notice)]
    return Message(
        f"{models}: alerts {', '.join(counts)} [{numbers}]",
        "\n".join([*lines, "", "Say that you know: workbench alerts ack ID", f"Notification {numbers}"]),
        worst,
    )


def by_apprise(url: str, message: Message) -> str:
    """Send through apprise (0.5 s to import, and as long to find its services, so it is imported here)."""
    try:
        import apprise
    except ImportError:
        return "apprise is not installed; pip install 'notebook-workbench[notify]'"
    kinds = {"critical": apprise.NotifyType.FAILURE, "warning": apprise.NotifyType.WARNING}
    with _heard() as said:
        sender = apprise.Apprise()
        if not sender.add(url):
            return "apprise knows no service of such a URL; see https://github.com/caronc/apprise/wiki"
        kind = kinds.get(message.worst, apprise.NotifyType.SUCCESS)
        taken = sender.notify(
            title=message.title, body=message.body, notify_type=kind, body_format=apprise.NotifyFormat.TEXT
        )
    if taken:
        return ""
    return without_secrets(url, said[-1]) if said else "the service did not take it"


def without_secrets(url: str, text: str) -> str:
    """Text without any part of a URL that could be one."""
    for part in sorted({*re.split(r"[/:@?&=#]+", url), url}, key=len, reverse=True):
        if len(part) > 3:
            text = text.replace(part, "…")
    return text[:300]


def _sent(url: str | None, taken: Sequence[Notice], send: Send) -> str:
    if url is None:
        return "the channel is not in [notify] of workbench.toml any more"
    unset = [name for name in _VARIABLE.findall(url) if not os.environ.get(name)]
    if unset:
        return f"[notify] needs the environment variable '{unset[0]}', which is not set"
    whole = _VARIABLE.sub(lambda found: os.environ[found[1]], url)
    try:
        return send(whole, message_of(taken))
    except Exception as error:  # noqa: BLE001 - 130 services: whatever one of them raises, the others are told
        return without_secrets(whole, f"{type(error).__name__}: {error}")


def _lines(notice: Notice) -> Iterator[str]:
    alert = notice.alert
    what = alert.severity if notice.event != "resolved" else f"resolved by {alert.resolved_by}"
    yield f"{WORDS[notice.event]}: alert {alert.id} of {alert.model}, {what}"
    yield f"  {alert.monitor}: {alert.title}"
    if "since" in alert.content and "until" in alert.content:
        yield f"  seen from {_day(alert.content['since'])} to {_day(alert.content['until'])} UTC"
    if notice.event == "resolved" and alert.content.get("reason"):
        yield f"  {alert.content['reason']}"


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"


def _name(url: str) -> str:
    if only := _VARIABLE.fullmatch(url):
        return f"${only[1]}"
    scheme = url.partition("://")[0]
    return f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What apprise logs meanwhile, which would hold URLs: here, and nowhere else."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    log, listener = logging.getLogger("apprise"), Listener(logging.WARNING)
    before = log.propagate, log.level, list(log.handlers)
    log.propagate, log.handlers = False, [listener]
    log.setLevel(logging.WARNING)
    try:
        yield said
    finally:
        log.propagate, log.handlers = before[0], before[2]
        log.setLevel(before[1])
