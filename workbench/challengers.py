"""Which versions are tried beside the champion, in one small file for each model, like the champion's.

The audit trail in the ledger is what counts; the marker is derived from it after every change, and tells servers that there
is something to read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.champions import marker_file, write_marker
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
    tried = challengers.canary is not None or challengers.shadow is not None
    write_marker(challengers_file(project, challengers.model), asdict(challengers) if tried else None)


def challengers_file(project: Project, model: str) -> Path:
    return marker_file(project, "challengers", model)
