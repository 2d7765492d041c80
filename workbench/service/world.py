"""What a trigger's decision depends on, looked up: files, alerts, the last good run."""

from __future__ import annotations

import time
from pathlib import Path

from workbench import ledger_queue as queue
from workbench.digests import Digests
from workbench.errors import StoreError
from workbench.ledger import Ledger
from workbench.ledger_alerts import open_alerts
from workbench.settings import Project
from workbench.trigger_keys import Trigger
from workbench.triggers import World

SETTLED = 2.0
"""Seconds: a file that was written to more lately is not finished, perhaps."""


def world(
    project: Project,
    ledger: Ledger,
    digests: Digests,
    pipeline: str,
    trigger: Trigger,
    now: float,
    late: float,
) -> World:
    """What there is now, as far as a trigger of this kind asks."""
    if trigger.kind == "new_data":
        return World(now, files=files(project, digests, trigger.new_data), late=late)
    if trigger.kind == "alert":
        return World(now, alerts=open_alerts(ledger, trigger.alert["model"]), late=late)
    if trigger.kind == "staleness":
        return World(now, last_success=queue.last_success(ledger, pipeline), late=late)
    return World(now, late=late)


def files(project: Project, digests: Digests, patterns: tuple[str, ...]) -> dict[str, str]:
    """Digest of every finished file, by its path relative to the root.

    One that is being written is seen once it has been left alone for SETTLED seconds, by the system's clock: a time
    in the future says nothing. Better to be moved into place, which is all at once.
    """
    found: dict[str, str] = {}
    for path in sorted({path for pattern in patterns for path in project.root.glob(pattern)}):
        if path.is_file() and _settled(path):
            try:
                found[path.relative_to(project.root).as_posix()] = digests.file(path)
            except (FileNotFoundError, StoreError):
                continue  # it went, or may not be read: then it is not there for a run either
    digests.save()
    return found


def _settled(path: Path) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    return not 0 <= age < SETTLED
