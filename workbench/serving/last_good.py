"""What served last, noted in a small file: so that a worker can begin while the ledger is away.

The note says which files they were, to the digest; they are verified like those of any version. It is only looked at when the
audit trail cannot be.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from workbench.champions import marker_file, write_marker
from workbench.errors import ModelError
from workbench.registry import Loaded, Place, built, verified
from workbench.settings import Project


def note_good(project: Project, loaded: Loaded) -> None:
    """Remember a champion that was loaded and tried. Raises OSError."""
    noted = {
        "version": loaded.version,
        "digest": loaded.digest,
        "folder": os.path.relpath(loaded.folder, project.root),
        "attached": {name: loaded.inspected.attachments[name] for name in loaded.attachments},
    }
    write_marker(_file(project, loaded.model), noted)


def load_good(project: Project, model: str) -> Loaded | None:
    """The champion that was noted last; None when there is no note that can be read. Raises ModelError."""
    try:
        noted = json.loads(_file(project, model).read_bytes())
        folder = project.root / noted["folder"]
        at = Place(model, int(noted["version"]), str(noted["digest"]), folder)
        attached = dict(noted["attached"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    if not folder.is_dir():
        raise ModelError(f"the files of version {at.version} of '{model}' are gone: '{folder}'")
    return built(verified(at, folder, attached))


def _file(project: Project, model: str) -> Path:
    return marker_file(project, "served", model)
