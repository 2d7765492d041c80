"""Which version serves, in one small file for each model: readable in microseconds, without any database.

The audit trail in the ledger is what counts; the marker is derived from it after every move, and written again
whenever somebody looks and finds it different.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.digests import write_atomically
from workbench.settings import Project

_KIND = "champions"


@dataclass(frozen=True)
class Champion:
    """The champion of one model, as of the last move."""

    model: str
    version: int
    digest: str
    folder: str | None
    """Where the version's files are: relative to the project root if inside; None when they are remote."""
    sequence: int
    """Of the audit entry that made it champion."""
    hash: str
    """Of that entry: a trail that does not hold it was cut or rewritten."""


def champion_marker(project: Project, model: str) -> Champion | None:
    """The model's champion; None when it has none, or nobody has looked since the marker was lost or damaged."""
    try:
        found = Champion(**json.loads(champion_file(project, model).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.model == model and type(found.version) is int else None


def champion_markers(project: Project) -> Iterator[Champion]:
    """Every model's champion."""
    for file in sorted((project.store / _KIND).glob("*.json")):
        if found := champion_marker(project, urllib.parse.unquote(file.stem)):
            yield found


def write_champion(project: Project, model: str, champion: Champion | None) -> None:
    """Replace the marker, or remove it when there is no champion. Raises OSError."""
    write_marker(champion_file(project, model), asdict(champion) if champion else None)


def champion_file(project: Project, model: str) -> Path:
    return marker_file(project, _KIND, model)


def marker_file(project: Project, kind: str, model: str) -> Path:
    """Where the store keeps what is noted of each model, kind by kind."""
    return project.store / kind / f"{urllib.parse.quote(model, safe=' ')}.json"


def write_marker(file: Path, content: Mapping[str, Any] | None) -> None:
    """Replace a marker, or remove it where there is nothing to say. Raises OSError."""
    if content is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(content, indent=1) + "\n")
