"""Which versions are tried beside the champion, in one small file for each model, like the champion's.

The audit trail in the ledger is what counts; the marker is derived from it after every change, and tells servers that there
is something to read.
"""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.digests import write_atomically
from workbench.settings import Project


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


def write_challengers(project: Project, challengers: Challengers) -> None:
    """Replace the marker, or remove it when nothing is tried. Raises OSError."""
    file = challengers_file(project, challengers.model)
    if challengers.canary is None and challengers.shadow is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(asdict(challengers), indent=1) + "\n")


def challengers_file(project: Project, model: str) -> Path:
    return project.store / "challengers" / f"{urllib.parse.quote(model, safe=' ')}.json"
