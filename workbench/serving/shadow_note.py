"""How the shadow of a model does, in a small file: what the process that asks it has to say to the workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from workbench.champions import marker_file, write_marker
from workbench.settings import Project

_KIND = "shadows"


@dataclass(frozen=True)
class Note:
    """One trial as a shadow: how far it has come."""

    trial: int
    """The audit entry that began it."""
    process: int
    version: int | None = None
    """The version that is asked; None while it is not loaded."""
    scored: int = 0
    """Requests of which its answers are on record."""
    refused: int = 0
    """Requests that it could not answer: they do not keep its contract, or it failed."""
    dropped: int = 0
    """Requests that it had no time for."""
    alert: str = ""
    """What somebody should look at; '' when all is well."""


def shadow_note(project: Project, model: str) -> Note | None:
    try:
        return Note(**json.loads(_file(project, model).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def write_note(project: Project, model: str, note: Note | None) -> None:
    """Replace it, or remove it when there is no trial. Raises OSError."""
    write_marker(_file(project, model), asdict(note) if note else None)


def say_dead(project: Project, models: tuple[str, ...], process: int, how: str) -> None:
    """Have the notes of a process that died say so. Raises OSError."""
    for model, note in _of(project, models, process):
        write_note(project, model, replace(note, version=None, alert=how))


def turn_file(project: Project, model: str) -> Path:
    """Who holds it asks the shadow; other servers of the project stand by."""
    return _file(project, model).with_suffix(".lock")


def _of(project: Project, models: tuple[str, ...], process: int) -> Iterator[tuple[str, Note]]:
    for model in models:
        if (note := shadow_note(project, model)) and note.process == process:
            yield model, note


def _file(project: Project, model: str) -> Path:
    return marker_file(project, _KIND, model)
