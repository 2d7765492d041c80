"""Which process something belongs to, so that another one with the same number is not taken for it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Self

import psutil


@dataclass(frozen=True)
class Process:
    """A process on a host, told apart by its start (seconds since the epoch) from one reusing its number."""

    host: str
    pid: int
    started: float

    @classmethod
    def this(cls) -> Self:
        own = psutil.Process()
        return cls(socket.gethostname(), own.pid, own.create_time())

    @classmethod
    def read(cls, text: str) -> Self:
        """What `str` gave."""
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
