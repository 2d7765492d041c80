"""What the ledger knows of triggers: what they saw, when they fired, each due time of a schedule, what they asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from workbench import ledger_queue as queue
from workbench import ledger_schema as schema
from workbench.ledger import Ledger
from workbench.triggers import DAY, QUARANTINE, Decision, Known

SERVICE = "service"
"""Who asks and acts where no person does."""


@dataclass(frozen=True)
class TriggerState:
    """A trigger as the service left it."""

    pipeline: str
    trigger: str
    first_seen: float
    checked: float
    fired: float | None
    reason: str
    """Why it fired, or did not, when that changed last."""
    paused: float | None
    paused_by: str | None
    failures: int
    seen: Mapping[str, Any]


@dataclass(frozen=True)
class PastSlot:
    """One due time of a schedule: `requested` or `skipped`."""

    pipeline: str
    trigger: str
    due: float
    state: str
    reason: str
    request: int | None
    created: float


def known(ledger: Ledger, pipeline: str, trigger: str, now: float) -> Known:
    """What is known of a trigger, which is new from now on when nothing is."""
    table, asked = schema.triggers, schema.requests
    with ledger.writing() as connection:
        mine = [table.c.pipeline == pipeline, table.c.trigger == trigger]
        row = connection.execute(sa.select(table).where(*mine)).first()
        if row is None:
            new = {"pipeline": pipeline, "trigger": trigger, "first_seen": now, "checked": now, "seen": {}}
            connection.execute(table.insert().values(new))
            return Known(first_seen=now)
        of = [asked.c.pipeline == pipeline, asked.c.trigger == trigger]
        is_open = sa.select(sa.func.min(asked.c.id)).where(*of, asked.c.state.in_(queue.OPEN))
        failed = sa.select(sa.func.max(asked.c.finished)).where(*of, asked.c.state == "failed")
        recent = sa.select(asked.c.created).where(*of, asked.c.created > now - DAY)
        return Known(
            first_seen=row.first_seen,
            fired=row.fired,
            seen=row.seen,
            failures=row.failures,
            failed_at=connection.scalar(failed),
            paused_by=row.paused_by,
            open_request=connection.scalar(is_open),
            recent=tuple(connection.scalars(recent)),
            reason=row.reason,
        )


def record(
    ledger: Ledger,
    pipeline: str,
    trigger: str,
    before: Known,
    decision: Decision,
    requests: Sequence[tuple[float | None, Mapping[str, Any], Mapping[str, Any]]],
    now: float,
) -> list[int] | None:
    """Write what was decided, with the requests that it makes, in one transaction; the requests' numbers.

    `requests` are slot (None for triggers that have none), parameters and cause of each. None, and nothing is written,
    when another service decided meanwhile: what is known is no longer `before`, or a slot is taken.
    """
    table = schema.triggers
    values: dict[str, Any] = {"checked": now, "reason": decision.reason}
    if decision.fire:
        values["fired"] = now
    if decision.seen is not None:
        values["seen"] = dict(decision.seen)
    if decision.quarantine:
        values |= {"paused": now, "paused_by": QUARANTINE}
    same = [
        table.c.pipeline == pipeline, table.c.trigger == trigger,
        table.c.fired.is_(None) if before.fired is None else table.c.fired == before.fired,
        table.c.paused_by.is_(None) if before.paused_by is None else table.c.paused_by == before.paused_by,
    ]  # fmt: skip
    try:
        with ledger.writing() as connection:
            if not connection.execute(table.update().where(*same).values(values)).rowcount:
                return None
            made = {
                due: queue.insert(connection, pipeline, parameters, SERVICE, trigger, cause, now)
                for due, parameters, cause in requests
            }
            rows = [
                {
                    "pipeline": pipeline, "trigger": trigger, "due": slot.due, "reason": slot.reason, "created": now,
                    "state": "requested" if slot.run else "skipped", "request": made.get(slot.due),
                }
                for slot in decision.slots
            ]  # fmt: skip
            if rows:
                _insert_new(connection, rows)
    except _Taken:
        return None
    return list(made.values())


class _Taken(Exception):  # noqa: N818 - not an error: it undoes the transaction
    """Another service has a slot already."""


def _insert_new(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    """Insert slots. Raises _Taken when one of them is there already."""
    try:
        connection.execute(schema.slots.insert(), rows)
    except sa.exc.IntegrityError:
        raise _Taken from None


def pause(ledger: Ledger, pipeline: str, trigger: str, by: str, now: float) -> bool:
    """Hold a trigger up; False when the service has not seen it yet."""
    return _change(ledger, pipeline, trigger, {"paused": now, "paused_by": by})


def resume(ledger: Ledger, pipeline: str, trigger: str) -> bool:
    """Let a trigger go on, its failures forgotten."""
    return _change(ledger, pipeline, trigger, {"paused": None, "paused_by": None, "failures": 0})


def _change(ledger: Ledger, pipeline: str, trigger: str, values: Mapping[str, Any]) -> bool:
    table = schema.triggers
    mine = [table.c.pipeline == pipeline, table.c.trigger == trigger]
    with ledger.writing() as connection:
        return bool(connection.execute(table.update().where(*mine).values(**values)).rowcount)


def states(ledger: Ledger) -> dict[tuple[str, str], TriggerState]:
    """Every trigger that the service has seen, by pipeline and name."""
    found = [TriggerState(**row._mapping) for row in ledger.read(sa.select(schema.triggers))]
    return {(each.pipeline, each.trigger): each for each in found}


def slots(
    ledger: Ledger, pipeline: str | None = None, trigger: str | None = None, limit: int | None = None
) -> list[PastSlot]:
    """Due times of schedules and what became of them, the newest first."""
    table = schema.slots
    query = sa.select(table).order_by(table.c.due.desc()).limit(limit)
    if pipeline is not None:
        query = query.where(table.c.pipeline == pipeline)
    if trigger is not None:
        query = query.where(table.c.trigger == trigger)
    return [PastSlot(**row._mapping) for row in ledger.read(query)]
