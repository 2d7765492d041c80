"""Which module the kernel host imports next, and from where."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from workbench.kernels import linux

BASE = (
    "ipykernel.kernelapp",
    "ipykernel_launcher",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.debugger_backport",
    "IPython.core.history",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "pdb",
    "sqlite3",
    "tornado.platform.asyncio",
    "threadpoolctl",
)
"""What every warm kernel needs before its first cell, with what ipykernel would only import later.

But for its debugger: see late_debugger.py.
"""


class Imports:
    """What has been imported, and what was announced and waits for an idle moment.

    A module that cannot be imported counts as done: it is left for the notebook to fail on.
    """

    def __init__(self, announced: Iterable[str], unsafe: Iterable[str]) -> None:
        self.announced = deque(announced)
        self.unsafe = set(unsafe)
        self.tried: list[str] = []
        self.base_modules: tuple[str, ...] = ()
        """All that importing BASE has imported."""
        self._done = set(self.unsafe)

    def announce(self, names: Iterable[str]) -> None:
        self.announced.extend(name for name in names if name not in self._done)

    def done(self, names: Iterable[str]) -> bool:
        return self._done.issuperset(names)

    def next(self, needed: Iterable[str]) -> str | None:
        """The first of `needed` that is not imported yet, else of those announced."""
        for name in needed:
            if name not in self._done:
                return name
        while self.announced:
            name = self.announced.popleft()
            if name not in self._done:
                return name
        return None

    def import_module(self, name: str) -> bool:
        """Import `name`; False when that started a thread, so that this process can no longer be forked."""
        self._done.add(name)
        self.tried.append(name)
        before = linux.count_threads()
        with contextlib.suppress(Exception, SystemExit):  # whatever third-party code may raise
            importlib.import_module(name)
        if not self.base_modules and self._done.issuperset(BASE):
            self.base_modules = tuple(sys.modules)
        return linux.count_threads() <= before


def split_path(excluded: Sequence[str]) -> list[str]:
    """Keep the project's folders off this process's search path; return the path of a fresh interpreter.

    The returned one lacks `PYTHONPATH`, which each kernel has its own of. `sys.path[0]` is the place that this
    package was loaded from (see client.py) and belongs to neither.
    """
    own = sys.path[1:]
    inherited = {os.path.abspath(entry) for entry in path_entries(os.environ)}  # noqa: PTH100
    fresh = [entry for entry in own if entry not in inherited]
    sys.path[:] = [entry for entry in own if not _in_project(entry, excluded)]
    return fresh


def path_entries(env: os._Environ[str] | dict[str, str]) -> list[str]:
    return [entry for entry in env.get("PYTHONPATH", "").split(os.pathsep) if entry]


def _in_project(entry: str, folders: Sequence[str]) -> bool:
    """Whether `entry` is a folder of the project, and not an environment that happens to lie inside it."""
    path = Path(entry)
    if not entry or path.is_relative_to(sys.prefix) or path.is_relative_to(sys.base_prefix):
        return not entry
    return any(path.is_relative_to(folder) for folder in folders)
