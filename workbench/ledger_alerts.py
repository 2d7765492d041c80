"""Windows, alerts and whom to tell, in the ledger: a window, what it changes and what is to be told are one transaction."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench.alerts import STATES, Alert, Change, Event, Judged, changed, decide, reach
from workbench.errors import BadInput, did_you_mean
from workbench.ledger import Ledger
from workbench.monitors import Finding, Monitors
from workbench.trail import canonical

FINDINGS = "findings"
"""Key of a window's content under which its findings are."""


@dataclass(frozen=True)
class Window:
    """A row of the ledger's table `windows`. Times are seconds since the epoch (UTC); `until` is not included."""

    model: str
    version: int
    since: float
    until: float
    rows: int
    findings: tuple[Finding, ...] = ()
    refused: str = ""
    """Why it could not be compared with the reference; empty when it was."""
    content: Mapping[str, Any] = field(default_factory=dict)
    """What was seen, plain: `watched` and `health`."""
    id: int = 0
    created: float = 0.0


@dataclass(frozen=True)
class Recorded:
    """A window on record, and what it changed."""

    window: Window
    changes: tuple[tuple[Change, Alert], ...]
    """Each with the alert as it is now."""


def record(
    ledger: Ledger,
    window: Window,
    monitors: Monitors,
    channels: Sequence[str] = (),
    *,
    alerting: bool = True,
    now: Callable[[], float] = time.time,
) -> Recorded:
    """Put a window on record in the place of what it was before, with what it changes and what is to be told.

    `channels` are told of what opens, gets worse and is resolved. Without `alerting` no alert changes: another version
    than the one that serves is looked at. Raises LedgerError.
    """
    moment = now()
    with ledger.writing() as connection:
        if connection.dialect.name == "postgresql":  # SQLite has taken its one write lock already
            connection.execute(sa.text("LOCK TABLE windows, alerts IN SHARE ROW EXCLUSIVE MODE"))
        kept = _put(connection, window, moment)
        if not alerting:
            return Recorded(kept, ())
        seen = _windows(connection, window.model, window.version, reach(monitors))
        judged = [Judged(each.id, each.since, each.until, each.findings) for each in seen]
        changes = decide(_newest(connection, window.model), judged, monitors)
        done = [(change, _change(connection, kept, change, moment)) for change in changes]
        for change, alert in done:
            if change.event != "confirmed":
                _tell(connection, alert, change.event, channels, moment)
    return Recorded(kept, tuple(done))


def windows(
    ledger: Ledger,
    model: str,
    *,
    version: int | None = None,
    ended_after: float | None = None,
    limit: int | None = None,
) -> list[Window]:
    """What monitoring saw of a model, the newest first."""
    query = _windows_query(model, version, limit)
    if ended_after is not None:
        query = query.where(schema.windows.c.until > ended_after)
    return [_window(row) for row in ledger.read(query)]


def window_of(ledger: Ledger, id_: int) -> Window | None:
    """The window of that id."""
    rows = ledger.read(sa.select(schema.windows).where(schema.windows.c.id == id_))
    return _window(rows[0]) if rows else None


def open_alerts(ledger: Ledger, model: str | None = None) -> list[Alert]:
    """Alerts that are not resolved, the worst first, then the newest."""
    found = alerts(ledger, model, states=("open", "acknowledged"), limit=None)
    return sorted(found, key=lambda alert: (alert.severity != "critical", -alert.opened))


def alerts(
    ledger: Ledger, model: str | None = None, *, states: Iterable[str] = STATES, limit: int | None = 100
) -> list[Alert]:
    """Alerts in these states, those that changed last first."""
    table = schema.alerts
    query = sa.select(table).where(table.c.state.in_(list(states)))
    if model is not None:
        query = query.where(table.c.model == model)
    query = query.order_by(table.c.changed.desc(), table.c.id.desc()).limit(limit)
    return [_alert(row) for row in ledger.read(query)]


def alert_of(ledger: Ledger, id_: int) -> Alert:
    """The alert of that id. Raises BadInput when there is none."""
    rows = ledger.read(sa.select(schema.alerts).where(schema.alerts.c.id == id_))
    if not rows:
        known = [str(alert.id) for alert in open_alerts(ledger)]
        raise BadInput(f"there is no alert {id_}{did_you_mean(str(id_), known)}; see: workbench alerts list")
    return _alert(rows[0])


def acknowledge(ledger: Ledger, id_: int, person: str) -> Alert:
    """Note that a person knows. The first one counts. Raises BadInput for an alert that is unknown or resolved."""
    return _by_person(
        ledger,
        id_,
        {"state": "acknowledged", "acknowledged_by": person, "acknowledged": time.time()},
        {"open"},
    )


def resolve(ledger: Ledger, id_: int, person: str, reason: str = "", channels: Sequence[str] = ()) -> Alert:
    """End an alert by a person's word; the windows that it stood on open it no more. Raises BadInput as above."""
    said = {"state": "resolved", "resolved_by": person, "resolved": time.time()}
    return _by_person(ledger, id_, said, {"open", "acknowledged"}, reason, channels)


def _by_person(
    ledger: Ledger, id_: int, said: Mapping[str, Any], before: set[str], reason: str = "", channels: Sequence[str] = ()
) -> Alert:  # fmt: skip
    table, moment = schema.alerts, time.time()
    with ledger.writing() as connection:
        row = connection.execute(sa.select(table).where(table.c.id == id_).with_for_update()).first()
        if row is not None and row.state in before:
            content = dict(row.content)
            if said["state"] == "resolved":
                content |= {"reason": reason}
            connection.execute(
                table.update().where(table.c.id == id_).values(**said, changed=moment, content=content)
            )
            if said["state"] == "resolved":
                _tell(connection, _alert(row), "resolved", channels, moment)
    alert = alert_of(ledger, id_)
    if row is not None and row.state == "resolved":
        raise BadInput(f"alert {id_} is resolved already, by '{alert.resolved_by}'")
    return alert


def _put(connection: sa.Connection, window: Window, moment: float) -> Window:
    table = schema.windows
    mine = [table.c[name] == getattr(window, name) for name in ("model", "version", "since", "until")]
    content = json.loads(
        canonical({**dict(window.content), FINDINGS: [vars(each) for each in window.findings]})
    )
    said = {"rows": window.rows, "refused": window.refused, "content": content, "created": moment}
    id_ = connection.scalar(sa.select(table.c.id).where(*mine))
    if id_ is None:
        own = {name: getattr(window, name) for name in ("model", "version", "since", "until")}
        key = connection.execute(table.insert().values(**own, **said)).inserted_primary_key
        id_ = key[0] if key else 0
    else:
        connection.execute(table.update().where(table.c.id == id_).values(**said))
    return replace(window, id=int(id_), created=moment, content=content)


def _change(connection: sa.Connection, kept: Window, change: Change, moment: float) -> Alert:
    """Write one change; the alert as it is then."""
    table = schema.alerts
    alert = changed(change, 0, kept.model, kept.version, moment)
    said = {name: value for name, value in vars(alert).items() if name != "id"}
    said["content"] = json.loads(canonical(alert.content))
    if change.alert is None:
        key = connection.execute(table.insert().values(said)).inserted_primary_key
        id_ = key[0] if key else 0
    else:
        id_ = alert.id
        connection.execute(table.update().where(table.c.id == id_).values(said))
    return _alert(connection.execute(sa.select(table).where(table.c.id == id_)).one())


def _tell(
    connection: sa.Connection, alert: Alert, event: Event, channels: Sequence[str], moment: float
) -> None:
    rows = [
        {"alert": alert.id, "event": event, "channel": channel, "state": "waiting", "created": moment}
        for channel in dict.fromkeys(channels)
    ]
    if rows:
        connection.execute(schema.notifications.insert(), rows)


def _newest(connection: sa.Connection, model: str) -> list[Alert]:
    """The newest alert of each monitor and subject."""
    table = schema.alerts
    last = (
        sa.select(sa.func.max(table.c.id))
        .where(table.c.model == model)
        .group_by(table.c.monitor, table.c.subject)
    )
    return [_alert(row) for row in connection.execute(sa.select(table).where(table.c.id.in_(last)))]


def _windows_query(model: str, version: int | None, limit: int | None) -> sa.Select[Any]:
    table = schema.windows
    query = sa.select(table).where(table.c.model == model)
    if version is not None:
        query = query.where(table.c.version == version)
    return query.order_by(table.c.until.desc(), table.c.since.desc()).limit(limit)


def _windows(connection: sa.Connection, model: str, version: int, limit: int) -> list[Window]:
    return [_window(row) for row in connection.execute(_windows_query(model, version, limit))]


def _window(row: sa.Row[Any]) -> Window:
    values = dict(row._mapping)
    findings = tuple(Finding(**each) for each in values["content"].get(FINDINGS, ()))
    return Window(**values, findings=findings)


def _alert(row: sa.Row[Any]) -> Alert:
    return Alert(**row._mapping)
