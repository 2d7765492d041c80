"""The outbox: what is to be told to whom, and how far that is. Written with the alert's change (ledger_alerts).

    waiting --take--> sending --done--> sent
                         |--failed----> waiting, until ATTEMPTS; then failed
                         `--killed----> taken again by the next who looks

`sending` is written before anything is sent. Who dies between a service's yes and `done` has sent what will be sent
again: with the same number, so whoever reads can tell. Every other death neither loses nor repeats anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench.alerts import Alert
from workbench.ledger import Ledger
from workbench.processes import Process

ATTEMPTS = 8
WAITS = (60.0, 300.0, 900.0, 3_600.0, 3_600.0, 7_200.0, 14_400.0)
"""Seconds after each failed attempt."""
STALE_SECONDS = 600.0
"""After which what a process on another host is sending counts as left behind."""


@dataclass(frozen=True)
class Notice:
    """A row of the ledger's table `notifications`, and its alert. Times are seconds since the epoch (UTC)."""

    id: int
    alert: Alert
    event: str
    """One of alerts.EVENTS."""
    channel: str
    state: str
    """waiting, sending, sent or failed."""
    created: float
    finished: float | None
    """When it was tried last."""
    attempts: int
    message: str
    """Why the last attempt failed; while it is sending, by which process."""


def notices(ledger: Ledger, *, alert: int | None = None, states: Iterable[str] = ()) -> list[Notice]:
    """What was told or is to be told, the oldest first."""
    return [_notice(row) for row in ledger.read(_query(alert, states))]


def take(ledger: Ledger, channel: str, *, now: float | None = None, every: bool = False) -> list[Notice]:
    """What is due on a channel, marked as being sent by this process: nobody else gets it.

    Also what a dead process had in hand. With `every`, what failed or waits for its next attempt, too.
    """
    moment = time.time() if now is None else now
    table, me = schema.notifications, json.dumps(asdict(Process.this()))
    taken = []
    with ledger.writing() as connection:
        states = ("waiting", "sending", "failed") if every else ("waiting", "sending")
        query = _query(None, states).where(table.c.channel == channel)
        if connection.dialect.name == "postgresql":
            query = query.with_for_update(of=table, skip_locked=True)
        for row in connection.execute(query):
            notice = _notice(row)
            if not (every and notice.state != "sending") and not due(notice, moment):
                continue
            mine = table.c.id == notice.id
            values = {
                "state": "sending",
                "attempts": notice.attempts + 1,
                "finished": moment,
                "message": me,
            }
            connection.execute(table.update().where(mine).values(values))
            taken.append(notice)
    return taken


def done(ledger: Ledger, taken: Sequence[Notice]) -> None:
    """They were sent."""
    _finish(ledger, taken, "")


def failed(ledger: Ledger, taken: Sequence[Notice], reason: str) -> None:
    """They could not be sent; tried again later, ATTEMPTS times in all."""
    _finish(ledger, taken, reason or "no reason was given")


def _finish(ledger: Ledger, taken: Sequence[Notice], reason: str) -> None:
    table, moment = schema.notifications, time.time()
    with ledger.writing() as connection:
        for notice in taken:
            state = "sent" if not reason else "failed" if notice.attempts + 1 >= ATTEMPTS else "waiting"
            mine = table.c.id == notice.id
            values = {"state": state, "finished": moment, "message": reason}
            connection.execute(table.update().where(mine).values(values))


def due(notice: Notice, moment: float) -> bool:
    """Whether it is to be sent now."""
    if notice.state == "sending":
        return _left_behind(notice, moment)
    wait = WAITS[min(notice.attempts, len(WAITS)) - 1] if notice.attempts else 0.0
    return moment >= (notice.finished or 0.0) + wait


def _left_behind(notice: Notice, moment: float) -> bool:
    """Whether the process that was sending it is gone."""
    alive = Process(**json.loads(notice.message)).alive
    if alive is None:
        return moment - (notice.finished or 0.0) > STALE_SECONDS
    return not alive


def _query(alert: int | None, states: Iterable[str]) -> sa.Select[tuple[object, ...]]:
    table = schema.notifications
    names = [column.label(f"notice_{column.name}") for column in table.columns]
    query = sa.select(*names, schema.alerts).join(schema.alerts, schema.alerts.c.id == table.c.alert)
    if alert is not None:
        query = query.where(table.c.alert == alert)
    if chosen := list(states):
        query = query.where(table.c.state.in_(chosen))
    return query.order_by(table.c.id)


def _notice(row: sa.Row[tuple[object, ...]]) -> Notice:
    values = dict(row._mapping)
    own = {
        name.removeprefix("notice_"): values.pop(name) for name in list(values) if name.startswith("notice_")
    }
    return Notice(**{**own, "alert": Alert(**values)})
