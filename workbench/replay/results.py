"""What came of the last replay of each pipeline, on disk for whoever shows it: plain, beside the states of its policies.

.workbench/replay/train.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.digests import write_atomically
from workbench.replay.place import FOLDER
from workbench.settings import STATE, Project


@dataclass(frozen=True)
class Kept:
    """A replay that ended."""

    pipeline: str
    ended: float
    """Seconds since the epoch (UTC)."""
    content: Mapping[str, Any]
    """As year.Replay.as_dict has it."""


def keep(project: Project, pipeline: str, content: Mapping[str, Any]) -> None:
    """Replace what the last replay of the pipeline left. Raises OSError."""
    _folder(project).mkdir(parents=True, exist_ok=True)
    write_atomically(_folder(project) / f"{pipeline}.json", json.dumps(content) + "\n")


def kept(project: Project) -> list[Kept]:
    """The last replay of each pipeline, the newest first; a damaged file is none."""
    found = []
    for file in sorted(_folder(project).glob("*.json")):
        try:
            content, ended = json.loads(file.read_bytes()), file.stat().st_mtime
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and {"policies", "aging", "months"} <= content.keys():
            found.append(Kept(file.stem, ended, content))
    return sorted(found, key=lambda each: -each.ended)


def _folder(project: Project) -> Path:
    return project.root / STATE / FOLDER
