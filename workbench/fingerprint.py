"""The fingerprint: a hash of everything that decides what a step computes, and nothing else.

Pure: values in, a hash out; and from two sets of values, the reason why they differ.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.digests import digest_bytes
from workbench.notebook import Notebook, assigned
from workbench.source import code_digest, parse_cell

Digest = str


@dataclass(frozen=True)
class Ingredients:
    """Everything that decides what a step computes."""

    cells: tuple[Digest, ...]
    """Code cells as parsed, without the empty ones."""
    parameters: Mapping[str, Any]
    """Effective values, by name, as JSON has them: see `plain`."""
    inputs: Mapping[str, Digest]
    outputs: Mapping[str, str]
    """File names, by name."""
    modules: Mapping[str, Digest]
    """Project modules that the notebook imports, by path."""
    packages: Mapping[str, str]
    """Distribution and version, by import name."""
    kernel: str
    python: str
    """Major and minor version of the interpreter."""

    def fingerprint(self) -> Digest:
        """64 hexadecimal digits (SHA-256 of the canonical JSON)."""
        return digest_bytes(_canonical(self.as_json()).encode())

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Ingredients:
        """Raises TypeError or KeyError when `value` is damaged or was written by another version."""
        tables = ("parameters", "inputs", "outputs", "modules", "packages")
        if not isinstance(value["cells"], list) or not all(isinstance(value[name], dict) for name in tables):
            raise TypeError("these are no ingredients")
        return cls(**{**value, "cells": tuple(value["cells"])})

    def differences(self, older: Ingredients) -> list[str]:
        """Why these are not `older`, in words, the most telling first. Empty when they are equal."""
        return [
            *_cells(older.cells, self.cells),
            *_values("parameter", older.parameters, self.parameters),
            *_named("input", older.inputs, self.inputs),
            *_named("module", older.modules, self.modules),
            *_versions(older.packages, self.packages),
            *_values("output", older.outputs, self.outputs),
            *([f"kernel {older.kernel} → {self.kernel}"] if older.kernel != self.kernel else []),
            *([f"Python {older.python} → {self.python}"] if older.python != self.python else []),
        ]


def cell_digests(notebook: Notebook) -> tuple[Digest, ...]:
    """A digest of each code cell. Literal defaults in the parameters cell count by their effective value."""
    if notebook.language != "python":
        texts = [source.strip() for source in notebook.sources]
        return tuple(digest_bytes(text.encode(errors="surrogatepass")) for text in texts if text)
    digests: list[Digest] = []
    for position, code in enumerate(notebook.code):
        if position == notebook.parameters_cell:
            body = parse_cell(notebook.sources[position]).body
            digests.append(code_digest(ast.Module(_without_literals(body, notebook), [])))
        elif code.digest:
            digests.append(code.digest)
    return tuple(digests)


def plain(value: Any) -> Any:
    """A parameter's value as JSON has it, so that it is equal to what is read back; a set is sorted."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else f"({key!r})": plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return {"set": sorted(map(repr, value))}
    return value if value is None or isinstance(value, str | int | float) else repr(value)


def _without_literals(body: list[ast.stmt], notebook: Notebook) -> list[ast.stmt]:
    """The parameters cell without the defaults that count by their effective value.

    Where the cell computes anything, it may compute it from a default that is overridden only after it, so all of
    the cell counts.
    """
    rest = [statement for statement in body if not _is_literal_parameter(statement, notebook)]
    passive = all(
        isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in rest
    )
    return rest if passive else body


def _is_literal_parameter(statement: ast.stmt, notebook: Notebook) -> bool:
    names, _, _ = assigned(statement)
    parameters = [notebook.parameters[name] for name in names]
    return bool(parameters) and not any(parameter.computed for parameter in parameters)


def _cells(old: tuple[Digest, ...], new: tuple[Digest, ...]) -> Iterator[str]:
    """Cells count from 1 among those with code."""
    if old == new:
        return
    if len(old) == len(new):
        changed = [number for number, (a, b) in enumerate(zip(old, new, strict=True), 1) if a != b]
        yield f"cell {', '.join(map(str, changed))} changed"
        return
    first = next(
        (n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
    )
    more = len(new) - len(old)
    yield f"{abs(more)} cell{'s' if abs(more) > 1 else ''} {'added' if more > 0 else 'removed'} at cell {first + 1}"


def _values(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"{what} {name} added ({_short(new[name])})"
        elif name not in new:
            yield f"{what} {name} removed"
        elif _canonical(old[name]) != _canonical(new[name]):
            yield f"{what} {name} {_short(old[name])} → {_short(new[name])}"


def _named(what: str, old: Mapping[str, Digest], new: Mapping[str, Digest]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"{what} {name} added"
        elif name not in new:
            yield f"{what} {name} removed"
        elif old[name] != new[name]:
            yield f"{what} {name} changed"


def _versions(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        before, after = old.get(name, "not imported"), new.get(name, "not imported")
        if before != after:
            package, _, version = after.rpartition(" ")
            same = bool(package) and before.startswith(f"{package} ")
            yield f"{before} → {version}" if same else f"package {name}: {before} → {after}"


def _canonical(value: Any) -> str:
    """JSON that is the same for the same value: 1, 1.0 and true are three values, NaN is one."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
