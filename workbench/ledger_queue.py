"""The queue in the ledger: runs that were asked for, who runs them, what became of them.

A request is begun by whoever changes it from `waiting` to `running`, which one process can do; that process alone ends it.
So it does not matter how many services look at the queue, or which of them were killed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench.errors import BadInput
from workbench.ledger import Ledger
from workbench.ledger_rows import Run, as_run
from workbench.processes import Process

OPEN = ("waiting", "running")
STATES = (*OPEN, "done", "failed", "cancelled")

TRIES = 3
"""How often a request is begun whose process dies."""
FIRST_PAUSE = 10.0
"""Seconds until a request whose process died is begun again; three times as many after each."""


@dataclass(frozen=True)
class Request:
    """A run that was asked for. Times are seconds since the epoch, by the service's clock."""

    id: int
    pipeline: str
    parameters: Mapping[str, Any]
    asked_by: str
    trigger: str | None
    """None: a person asked."""
    cause: Mapping[str, Any]
    state: str
    """One of STATES."""
    created: float
    not_before: float
    started: float | None
    finished: float | None
    attempts: int
    owner: str | None
    run: str | None
    message: str
    cancelled_by: str | None


# Asking


def ask(
    ledger: Ledger,
    pipeline: str,
    parameters: Mapping[str, Any],
    asked_by: str,
    now: float,
    cause: Mapping[str, Any] | None = None,
) -> Request:
    """Put a request of a person's into the queue."""
    with ledger.writing() as connection:
        number = insert(connection, pipeline, parameters, asked_by, None, cause or {}, now)
    return request(ledger, number)


def again(ledger: Ledger, number: int, by: str, now: float) -> Request:
    """Ask once more for what was asked for, now as a person. Raises BadInput while the request has not ended."""
    before = request(ledger, number)
    if before.state in OPEN:
        raise BadInput(
            f"request {number} has not ended: it is {before.state}; see: workbench queue show {number}"
        )
    return ask(ledger, before.pipeline, before.parameters, by, now, {"again": number})


def insert(
    connection: sa.Connection,
    pipeline: str,
    parameters: Mapping[str, Any],
    asked_by: str,
    trigger: str | None,
    cause: Mapping[str, Any],
    now: float,
) -> int:
    """A request in a transaction of the caller's; its number."""
    row = {
        "pipeline": pipeline, "parameters": dict(parameters), "asked_by": asked_by, "trigger": trigger,
        "cause": dict(cause), "state": "waiting", "created": now, "not_before": now,
    }  # fmt: skip
    key = connection.execute(schema.requests.insert().values(row)).inserted_primary_key
    assert key is not None
    return int(key[0])


def cancel(ledger: Ledger, number: int, by: str, now: float) -> Request:
    """Cancel what waits; have what runs cancelled by its service. Raises BadInput for what has ended."""
    table = schema.requests
    before = request(ledger, number)
    with ledger.writing() as connection:
        waits = [table.c.id == number, table.c.state == "waiting"]
        ended = {"state": "cancelled", "finished": now, "cancelled_by": by, "message": f"cancelled by {by}"}
        if not connection.execute(table.update().where(*waits).values(ended)).rowcount:
            runs = [table.c.id == number, table.c.state == "running"]
            connection.execute(table.update().where(*runs).values(cancelled_by=by))
    after = request(ledger, number)
    if before.state not in OPEN or after.cancelled_by is None:
        raise BadInput(
            f"request {number} has ended already: {after.state}; see: workbench queue show {number}"
        )
    return after


# Running


def begin(ledger: Ledger, number: int, owner: Process, now: float) -> Request | None:
    """Begin a request: only one process can. None when it does not wait, or another run of its pipeline works."""
    table = schema.requests
    with ledger.writing() as connection:
        if connection.dialect.name == "postgresql":  # SQLite has taken its one write lock already
            connection.execute(sa.text("LOCK TABLE requests IN SHARE ROW EXCLUSIVE MODE"))
        pipeline = sa.select(table.c.pipeline).where(table.c.id == number).scalar_subquery()
        busy = sa.select(table.c.id).where(table.c.pipeline == pipeline, table.c.state == "running")
        if connection.execute(busy.limit(1)).first():
            return None
        waits = [table.c.id == number, table.c.state == "waiting"]
        begun = {
            "state": "running", "owner": str(owner), "started": now, "finished": None, "run": None, "message": "",
            "attempts": table.c.attempts + 1,
        }  # fmt: skip
        if not connection.execute(table.update().where(*waits).values(begun)).rowcount:
            return None
    return request(ledger, number)


def note_run(ledger: Ledger, number: int, run: str) -> None:
    """Say which run a request became, before anything of the run can be seen."""
    with ledger.writing() as connection:
        connection.execute(schema.requests.update().where(schema.requests.c.id == number).values(run=run))


def end(ledger: Ledger, number: int, owner: Process | None, state: str, message: str, now: float) -> bool:
    """End a request, and tell its trigger; False when it is no longer `owner`'s (None: whose it is does not matter)."""
    table = schema.requests
    mine = [table.c.id == number, table.c.state.in_(OPEN)]
    if owner is not None:
        mine.append(table.c.owner == str(owner))
    with ledger.writing() as connection:
        ended = {"state": state, "message": message, "finished": now}
        if not connection.execute(table.update().where(*mine).values(ended)).rowcount:
            return False
        row = connection.execute(sa.select(table).where(table.c.id == number)).one()
        if row.trigger is not None and state in ("done", "failed"):
            of = schema.triggers
            failures = of.c.failures + 1 if state == "failed" else 0
            asked = [of.c.pipeline == row.pipeline, of.c.trigger == row.trigger]
            connection.execute(of.update().where(*asked).values(failures=failures))
    return True


def put_back(ledger: Ledger, number: int, owner: str | None, message: str, not_before: float) -> bool:
    """Have a request wait again; False when it is no longer `owner`'s."""
    table = schema.requests
    mine = [
        table.c.id == number,
        table.c.state.in_(OPEN),
        table.c.owner.is_(None) if owner is None else table.c.owner == owner,
    ]
    again = {"state": "waiting", "owner": None, "message": message, "not_before": not_before}
    with ledger.writing() as connection:
        return bool(connection.execute(table.update().where(*mine).values(again)).rowcount)


def reconcile(ledger: Ledger, now: float) -> list[Request]:
    """Look after requests whose process is gone: by what their run came to, else they wait again; those requests."""
    found = []
    ledger.reconcile()
    for each in requests(ledger, states=("running",)):
        if each.owner is None or Process.read(each.owner).alive is not False:
            continue
        run = _run(ledger, each.run)
        if run is not None and run.state == "done":
            end(ledger, each.id, None, "done", "its process ended before it could say so", now)
        elif run is not None and run.state == "failed":
            end(ledger, each.id, None, "failed", run.message, now)
        elif each.cancelled_by is not None:
            end(ledger, each.id, None, "cancelled", f"cancelled by {each.cancelled_by}", now)
        else:
            lost(ledger, each, "its process died", now)
        found.append(request(ledger, each.id))
    return found


def lost(ledger: Ledger, each: Request, what: str, now: float) -> None:
    """A request came to no end: it is begun again, not for ever."""
    if each.attempts >= TRIES:
        end(ledger, each.id, None, "failed", f"{what}, {each.attempts} times", now)
        return
    pause = FIRST_PAUSE * 3 ** max(0, each.attempts - 1)
    put_back(
        ledger,
        each.id,
        each.owner,
        f"{what}; begun again, {each.attempts} of {TRIES} tries used",
        now + pause,
    )


def failed_to_begin(ledger: Ledger, number: int, what: str, now: float) -> None:
    """The process for a request ended before it took it: that counts as a try."""
    table = schema.requests
    with ledger.writing() as connection:
        waits = [table.c.id == number, table.c.state == "waiting"]
        if not connection.execute(
            table.update().where(*waits).values(attempts=table.c.attempts + 1)
        ).rowcount:
            return
    lost(ledger, request(ledger, number), what, now)


# Looking


def request(ledger: Ledger, number: int) -> Request:
    """One request. Raises BadInput when there is none."""
    found = ledger.read(sa.select(schema.requests).where(schema.requests.c.id == number))
    if not found:
        raise BadInput(f"there is no request {number}; see: workbench queue")
    return _request(found[0])


def requests(
    ledger: Ledger,
    *,
    pipeline: str | None = None,
    trigger: str | None = None,
    states: Sequence[str] = (),
    limit: int | None = None,
) -> list[Request]:
    """Requests, the newest first."""
    table = schema.requests
    query = sa.select(table).order_by(table.c.id.desc()).limit(limit)
    if pipeline is not None:
        query = query.where(table.c.pipeline == pipeline)
    if trigger is not None:
        query = query.where(table.c.trigger == trigger)
    if states:
        query = query.where(table.c.state.in_(states))
    return [_request(row) for row in ledger.read(query)]


def ready(ledger: Ledger, now: float) -> list[Request]:
    """Requests whose turn it is, the oldest first: one a pipeline, none where a run works."""
    table = schema.requests
    waiting = sa.select(table).where(table.c.state == "waiting").order_by(table.c.id)
    busy = {each.pipeline for each in requests(ledger, states=("running",))}
    found: dict[str, Request] = {}
    for row in ledger.read(waiting):
        # A clock that was set back must not hold up what was asked for: created in the future means now.
        if row.pipeline not in busy and (row.not_before <= now or row.created > now):
            found.setdefault(row.pipeline, _request(row))
    return list(found.values())


def request_of(ledger: Ledger, run: str) -> Request | None:
    """The request that a run was for; None when somebody ran it by hand."""
    found = ledger.read(sa.select(schema.requests).where(schema.requests.c.run == run).limit(1))
    return _request(found[0]) if found else None


def requests_for(ledger: Ledger, alert: int) -> list[Request]:
    """The requests that an alert has led to, the oldest first."""
    table = schema.requests
    query = sa.select(table).where(table.c.cause["alert"].as_integer() == alert).order_by(table.c.id)
    return [_request(row) for row in ledger.read(query)]


def last_success(ledger: Ledger, pipeline: str) -> float | None:
    """When the last good run of a pipeline ended, by whoever asked; that all was cached counts."""
    runs = sa.select(sa.func.max(schema.runs.c.finished)).where(
        schema.runs.c.pipeline == pipeline, schema.runs.c.state == "done"
    )
    asked = sa.select(sa.func.max(schema.requests.c.finished)).where(
        schema.requests.c.pipeline == pipeline, schema.requests.c.state == "done"
    )
    found = [row[0] for query in (runs, asked) for row in ledger.read(query) if row[0] is not None]
    return max(found, default=None)


def _request(row: sa.Row[Any]) -> Request:
    return Request(**row._mapping)


def _run(ledger: Ledger, run: str | None) -> Run | None:
    found = ledger.read(sa.select(schema.runs).where(schema.runs.c.id == run)) if run else []
    return as_run(found[0]) if found else None
