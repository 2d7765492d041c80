"""Which versions are tried beside the champion, in one small file for each model, like the champion's.

The audit trail in the ledger is what counts; the marker is derived from it after every change, and tells servers that there
is something to read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.champions import marker_file, write_marker
from workbench.settings import Project
from workbench.trail import Standing

_KIND = "challengers"


@dataclass(frozen=True)
class Challengers:
    """Who is tried on one model's requests, as of the last change."""

    model: str
    canary: int | None
    share: float
    """Of the requests that the canary answers, 0 to 1."""
    shadow: int | None
    sequence: int
    """Of the newest audit entry that this says."""


def mark_challengers(project: Project, now: Standing) -> None:
    """Have the marker say what the trail says; it is removed when nothing is tried. Raises OSError."""
    tried = [each for each in (now.canary, now.shadow) if each is not None]
    found = None
    if tried:
        canary, shadow = (each.version if each else None for each in (now.canary, now.shadow))
        found = Challengers(now.model, canary, now.share, shadow, max(each.sequence for each in tried))
    file = challengers_file(project, now.model)
    if found != _read(file) or (found is None and file.exists()):
        write_marker(file, asdict(found) if found else None)


def challengers_marker(project: Project, model: str) -> Challengers | None:
    """Who is tried; None when nobody is, or the marker was lost or damaged."""
    return _read(challengers_file(project, model))


def challengers_markers(project: Project) -> Iterator[Challengers]:
    """Those of every model on which somebody is tried."""
    for file in sorted((project.store / _KIND).glob("*.json")):
        if found := _read(file):
            yield found


def challengers_file(project: Project, model: str) -> Path:
    return marker_file(project, _KIND, model)


def _read(file: Path) -> Challengers | None:
    try:
        return Challengers(**json.loads(file.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
