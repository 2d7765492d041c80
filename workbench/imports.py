"""What a notebook's imports lead to: project modules, followed through each other, and installed packages.

A project module's code belongs to the step that imports it; a package counts by its version.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.digests import digest_bytes, write_atomically
from workbench.source import Code, CodeMemory

if TYPE_CHECKING:
    from importlib.metadata import Distribution


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

    def __init__(self, root: Path, memory: Path | None = None) -> None:
        self._root = root
        self._memory = CodeMemory(memory)
        self._read: dict[tuple[str, Path], Code] = {}
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
                code = self._module(module, file)
                modules[os.path.relpath(file, self._root)] = code.digest
                waiting += code.imports
        packages = frozenset(name.partition(".")[0] for name in outside)
        return Imports(modules, packages, frozenset(outside))

    def save(self) -> None:
        """Remember the modules that were read."""
        self._memory.save()

    def _module(self, name: str, file: Path) -> Code:
        if (name, file) not in self._read:
            package = name if file.name == "__init__.py" else name.rpartition(".")[0]
            self._read[name, file] = self._memory.module(file.read_bytes(), package)
        return self._read[name, file]


def package_versions(names: Iterable[str], memory: Path) -> dict[str, str]:
    """`distribution version` of each top-level import name; 'not installed' where there is none.

    Finding which distribution a name belongs to reads every installed package, so the answer is kept in the
    file `memory` until something is installed, removed or upgraded, which renames its metadata.
    """
    wanted = sorted(names)
    if not wanted:
        return {}
    stamp = digest_bytes("\n".join(_metadata_names()).encode(errors="surrogateescape"))
    index: dict[str, str] = {}
    with suppress(OSError, ValueError, LookupError, TypeError):
        kept = json.loads(memory.read_bytes())
        index = dict(kept["packages"]) if kept["stamp"] == stamp else {}
    if not index:
        index = _installed()
        with suppress(OSError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(memory, json.dumps({"stamp": stamp, "packages": index}))
    return {name: index.get(name, "not installed") for name in wanted}


def installed_packages() -> list[str]:
    """`python==version` and `distribution==version` of everything installed here, sorted."""
    suffix = ".dist-info"
    names = {name.removesuffix(suffix) for name in _metadata_names() if name.endswith(suffix)}
    python = ".".join(map(str, sys.version_info[:3]))
    return [f"python=={python}", *sorted(name.replace("-", "==", 1) for name in names)]


def _metadata_names() -> Iterator[str]:
    """Names of the metadata of everything installed, which hold its version, by folder of `sys.path`."""
    for entry in sys.path:
        with suppress(OSError):
            names = os.listdir(entry or os.curdir)  # noqa: PTH208 - hot path
            found = sorted(name for name in names if name.endswith((".dist-info", ".egg-info")))
            if found:  # or the working directory, which `python -m` puts there, would make a difference
                yield entry
                yield from found


def _installed() -> dict[str, str]:
    """Distributions and versions by the top-level name that they bring.

    As `packages_distributions`, which gives up at the first damaged metadata where the backport
    `importlib_metadata` has been imported.
    """
    from importlib.metadata import distributions

    found: dict[str, set[str]] = {}
    for distribution in distributions():
        with suppress(KeyError, FileNotFoundError):  # damaged, or removed in this moment
            version = " ".join(_name_and_version(distribution))
            for top in _top_level(distribution):
                found.setdefault(top, set()).add(version)
    return {top: ", ".join(sorted(each)) for top, each in found.items()}


def _name_and_version(distribution: Distribution) -> tuple[str, str]:
    """From the head of its metadata, without parsing the whole description after it. Raises KeyError."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    head = dict(line.split(": ", 1) for line in text.partition("\n\n")[0].splitlines() if ": " in line)
    return head["Name"].strip(), head["Version"].strip()


def _top_level(distribution: Distribution) -> set[str]:
    """The names that `import` finds: as declared, else by the distribution's files."""
    from inspect import getmodulename

    if declared := (distribution.read_text("top_level.txt") or "").split():
        return set(declared)
    if record := distribution.read_text(
        "RECORD"
    ):  # as text: an object for each of 50,000 files takes a second
        paths = {line.partition(",")[0].lstrip('"') for line in record.splitlines()}
    else:
        paths = {str(file) for file in distribution.files or ()}
    names = {path.partition("/")[0] if "/" in path else getmodulename(path) or "" for path in paths}
    return {name for name in names if name.isidentifier()}


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
