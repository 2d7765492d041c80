"""The project's pipeline files as the scheduler sees them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from workbench.errors import SpecError
from workbench.loading import load_pipeline
from workbench.pipeline import Pipeline, pipeline_files, require_findable
from workbench.settings import Project


class Pipelines:
    """The project's pipelines, read again when a file has changed. One that is wrong is left out, and said."""

    def __init__(self, project: Project, say: Callable[[str], None]) -> None:
        self._project, self._say = project, say
        self._known: dict[Path, tuple[object, Pipeline | None]] = {}

    def read(self) -> list[Pipeline]:
        """Those that are right."""
        found = [self._load(file) for file in pipeline_files(self._project)]
        return [each for each in found if each is not None]

    def _load(self, file: Path) -> Pipeline | None:
        stamp, pipeline = self._known.get(file, (None, None))
        now = self._stamp(file)
        if now != stamp:
            try:
                pipeline = load_pipeline(file, project=self._project)
                if pipeline.triggers:
                    require_findable(pipeline)
            except (SpecError, OSError) as error:
                pipeline = None
                self._say(f"'{file.name}' is not looked at until it is right: {error}")
            self._known[file] = now, pipeline
        return pipeline

    def _stamp(self, file: Path) -> object:
        """What changes when the file, or any notebook, does."""
        notebooks = sorted(self._project.notebooks.rglob("*.ipynb"))
        return [
            (path, status.st_mtime_ns, status.st_size)
            for path in (file, *notebooks)
            if (status := _status(path))
        ]


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
