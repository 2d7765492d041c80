"""What a notebook's imports lead to: project modules, followed through each other, and installed packages.

A project module's code belongs to the step that imports it; a package counts by its version.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workbench.digests import CLOCK_TICK_NS, digest_bytes, write_atomically
from workbench.notebook import imported_modules, parse_code


@dataclass(frozen=True)
class Imports:
    """Where the imports of some code end."""

    modules: Mapping[str, str]
    """Project modules: digest of the code by path relative to the project root."""
    packages: frozenset[str]
    """Top-level names of everything else that is not in the standard library."""
    outside: frozenset[str]
    """The same as dotted names; some may be names inside a module rather than modules."""


class ProjectModules:
    """Finds project modules as the kernel would: in the project root, then beside the notebook."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[tuple[str, Path], tuple[str, frozenset[str]]] = {}
        self._files: dict[tuple[str, Path], list[tuple[str, Path]]] = {}
        self._ours: dict[tuple[str, Path], bool] = {}

    def follow(self, names: Iterable[str], folder: Path) -> Imports:
        """Follow imports from a notebook in `folder` until they leave the project."""
        places = list(dict.fromkeys((self._root, folder)))
        modules: dict[str, str] = {}
        outside: set[str] = set()
        waiting = list(names)
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            top = name.partition(".")[0]
            if (name, folder) not in self._files:
                self._files[name, folder] = _module_files(name, places)
            files = self._files[name, folder]
            if not files:
                if (top, folder) not in self._ours:
                    self._ours[top, folder] = top in sys.stdlib_module_names or _is_namespace(top, places)
                if not self._ours[top, folder]:
                    outside.add(name)
                continue
            for module, file in files:
                digest, imports = self._module(module, file)
                modules[os.path.relpath(file, self._root)] = digest
                waiting += imports - seen
        packages = frozenset(name.partition(".")[0] for name in outside)
        return Imports(modules, packages, frozenset(outside))

    def _module(self, name: str, file: Path) -> tuple[str, frozenset[str]]:
        if (name, file) not in self._read:
            source = file.read_bytes()
            package = name if file.name == "__init__.py" else name.rpartition(".")[0]
            try:
                tree = parse_code(source)
                self._read[name, file] = code_digest(tree), frozenset(imported_modules(tree, package))
            except (SyntaxError, ValueError):  # the notebook will say so; until then its bytes stand for it
                self._read[name, file] = digest_bytes(source), frozenset()
        return self._read[name, file]


def code_digest(tree: ast.AST) -> str:
    """A digest of what code does: comments, formatting and positions do not count."""
    return digest_bytes(ast.dump(tree).encode())


def package_versions(names: Iterable[str], memory: Path) -> dict[str, str]:
    """`distribution version` of each top-level import name; 'not installed' where there is none.

    Finding which distribution a name belongs to reads every installed package, so the answer is kept in the
    file `memory` until a folder of `sys.path` changes, as it does when anything is installed or removed.
    """
    wanted = sorted(names)
    if not wanted:
        return {}
    changed = {entry: os.stat(entry).st_mtime_ns for entry in sys.path if os.path.isdir(entry)}  # noqa: PTH112, PTH116
    stamp = [[entry, time_ns] for entry, time_ns in changed.items()]
    try:
        kept = json.loads(memory.read_bytes())
        index: dict[str, str] = kept["packages"] if kept["stamp"] == stamp else {}
    except (OSError, ValueError, LookupError, TypeError):
        index = {}
    if not index:
        settled = time.time_ns() - max(changed.values(), default=0) > CLOCK_TICK_NS
        index = _installed()
        if settled:  # else a change within the same tick of the clock would not be seen
            with suppress(OSError):
                memory.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(memory, json.dumps({"stamp": stamp, "packages": index}))
    return {name: index.get(name, "not installed") for name in wanted}


def _installed() -> dict[str, str]:
    from importlib.metadata import packages_distributions, version

    return {
        name: ", ".join(
            f"{distribution} {version(distribution)}" for distribution in sorted(set(found) - {None})
        )
        for name, found in packages_distributions().items()
    }


def _module_files(name: str, places: Iterable[Path]) -> list[tuple[str, Path]]:
    """The files that `import name` runs, parents first: (module, file). Empty when it is no project module."""
    parts = name.split(".")
    for place in places:
        files: list[tuple[str, Path]] = []
        folder = place
        for position, part in enumerate(parts):
            dotted = ".".join(parts[: position + 1])
            if (folder / part / "__init__.py").is_file():
                files.append((dotted, folder / part / "__init__.py"))
            elif (folder / f"{part}.py").is_file():
                files.append((dotted, folder / f"{part}.py"))
                break
            elif not (folder / part).is_dir():
                break  # a name inside the last module, or nothing of ours
            folder = folder / part
        if files:
            return files
    return []


def _is_namespace(top: str, places: Iterable[Path]) -> bool:
    """Whether a name without a file of its own is a folder of project modules (a namespace package).

    Python takes an installed package of that name before such a folder.
    """
    from importlib.machinery import PathFinder

    if all(next((place / top).rglob("*.py"), None) is None for place in places):
        return False
    ours = {str(place) for place in places}
    installed = PathFinder.find_spec(top, [entry for entry in sys.path if entry and entry not in ours])
    return installed is None or installed.origin is None
