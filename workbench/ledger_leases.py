"""Leases in the ledger: who is the one that does something now, on all machines that share it; and which process that is."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass

import psutil
import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench.ledger import Ledger

UNHEARD = 120.0
"""Seconds after which the lease of a process on another host has ended, if it was not renewed."""


@dataclass(frozen=True)
class Process:
    """A process, so that another one with the same number is not taken for it."""

    host: str
    pid: int
    started: float

    @classmethod
    def this(cls) -> Process:
        own = psutil.Process()
        return cls(socket.gethostname(), own.pid, own.create_time())

    @classmethod
    def read(cls, text: str) -> Process:
        host, pid, started = text.rsplit(" ", 2)
        return cls(host, int(pid), float(started))

    def __str__(self) -> str:
        return f"{self.host} {self.pid} {self.started:.2f}"

    @property
    def alive(self) -> bool | None:
        """None: it is on another host, so nobody here can tell."""
        if self.host != socket.gethostname():
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 2.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


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


def release(ledger: Ledger, name: str, owner: Process) -> None:
    """Give a lease back."""
    table = schema.leases
    with ledger.writing() as connection:
        connection.execute(table.delete().where(table.c.name == name, table.c.owner == str(owner)))
