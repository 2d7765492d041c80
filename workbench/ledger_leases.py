"""Leases in the ledger: who is the one that does something now, on all machines that share it."""

from __future__ import annotations

import time

import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench.ledger import Ledger
from workbench.processes import Process

SCHEDULER = "scheduler"
"""The lease that a service holds while it works."""

UNHEARD = 120.0
"""Seconds after which the lease of a process on another host has ended, if it was not renewed."""


def lease(ledger: Ledger, name: str, owner: Process, seconds: float) -> bool:
    """Be the one who does something for the next `seconds`; False while another process is.

    By the system's clock. A process of this host that is gone has no lease; a lease that would last longer than anybody
    may take one is from before the clock was set back.
    """
    table = schema.leases
    now = time.time()
    row = {
        "owner": str(owner),
        "host": owner.host,
        "pid": owner.pid,
        "process_started": owner.started,
        "until": now + seconds,
    }
    with ledger.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE leases IN SHARE ROW EXCLUSIVE MODE"))
        held = connection.execute(sa.select(table).where(table.c.name == name)).first()
        if held is None:
            connection.execute(table.insert().values(name=name, **row))
            return True
        ended = held.until < now or held.until > now + UNHEARD or Process.read(held.owner).alive is False
        if held.owner != str(owner) and not ended:
            return False
        connection.execute(table.update().where(table.c.name == name).values(row))
        return True


def leaseholder(ledger: Ledger, name: str) -> Process | None:
    """Who holds a lease; None when nobody does."""
    found = ledger.read(sa.select(schema.leases).where(schema.leases.c.name == name))
    if not found or found[0].until < time.time():
        return None
    holder = Process.read(found[0].owner)
    return None if holder.alive is False else holder


def service_is_up(ledger: Ledger) -> bool:
    """Whether somebody works off what is asked for."""
    return leaseholder(ledger, SCHEDULER) is not None


def release(ledger: Ledger, name: str, owner: Process) -> None:
    """Give a lease back."""
    table = schema.leases
    with ledger.writing() as connection:
        connection.execute(table.delete().where(table.c.name == name, table.c.owner == str(owner)))
