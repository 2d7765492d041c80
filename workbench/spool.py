"""Runs that wait beside the ledger: a run in which everything was cached does not open it.

Importing SQLAlchemy takes half of the time of such a run. Its events go to a file instead, written in one
piece; whoever opens the ledger next takes them in. `unsettled` tells such a run when that is not enough.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import events
from workbench.events import Event, Failure
from workbench.settings import Project


@dataclass(frozen=True)
class Process:
    """Who runs: a process on a host, told apart by its start (seconds since the epoch) from one reusing its id."""

    host: str
    pid: int
    process_started: float


def put(project: Project, run: str, told: Sequence[Event]) -> None:
    """Leave a finished run's events for the ledger. Raises OSError."""
    folder = _folder(project)
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "process": {"host": socket.gethostname(), "pid": os.getpid(), "process_started": told[0].time},
        "events": [event.as_json() for event in told],
    }
    scratch = folder / f".{run}"
    scratch.write_text(json.dumps(content, default=str), encoding="utf-8")
    scratch.replace(folder / f"{run}.json")


def waiting(project: Project) -> list[Path]:
    """Files that were left, in the order of their runs' ids."""
    try:
        return sorted(_folder(project).glob("*.json"))
    except OSError:
        return []


def take(file: Path) -> tuple[Process, list[Event]] | None:
    """What a file says; None when another process took it in, or it cannot be read. It stays."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Process(**content["process"]), [_event(each) for each in content["events"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def unsettled(project: Project) -> bool:
    """Whether a run that worked has not ended well, or MLflow has not got all of it (or one is working now)."""
    try:
        return any(_marks(project).iterdir())
    except OSError:
        return False


def mark(project: Project) -> Path:
    """Say that this process has work that is not settled, until the mark is removed. Raises OSError."""
    file = _marks(project) / f"{socket.gethostname()}-{os.getpid()}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def settle(project: Project) -> None:
    """The ledger has no run left over and MLflow lacks nothing: remove the marks of this and of gone processes."""
    for file in _marks(project).glob("*"):
        host, _, pid = file.name.rpartition("-")
        if host == socket.gethostname() and pid.isdigit() and int(pid) != os.getpid() and _exists(int(pid)):
            continue
        file.unlink(missing_ok=True)


def _exists(pid: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(pid))


def _folder(project: Project) -> Path:
    return project.state / "spool"


def _marks(project: Project) -> Path:
    return project.state / "unsettled"


def _event(content: Mapping[str, Any]) -> Event:
    values = dict(content)
    kind = getattr(events, values.pop("event"))
    if values.get("failure"):
        values["failure"] = Failure(**values["failure"])
    event = kind(**values)
    if not isinstance(event, Event):
        raise TypeError(f"{kind} is not an event")
    return event
