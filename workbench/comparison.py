"""What differs between two versions: numbers, parameters, code, data, packages. Pure, but for reading their files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.registry import Located

SECTIONS = ("metrics", "parameters", "code", "data", "packages", "files")

Facts = Mapping[str, Mapping[str, Any]]
"""Values by section and name."""

_PIN = re.compile(r"\s*([A-Za-z0-9._-]+)\s*==\s*([^\s;]+)")


@dataclass(frozen=True)
class Difference:
    """One value that two versions do not share; None where one of them has none."""

    section: str
    name: str
    first: Any
    second: Any


def facts_of(found: Located, tags: Mapping[str, str]) -> Facts:
    """What is known of a version, from its verified files and its tags in MLflow.

    `data` are digests: of what its run read from outside and of what each step made of it.
    """
    lineage = _lineage(found)
    steps = lineage.get("steps", {})
    parameters: dict[str, Any] = dict(lineage.get("parameters", {}))
    data: dict[str, Any] = {}
    for step, told in steps.items():
        parameters |= {
            f"{step}.{name}": value
            for name, value in told.get("parameters", {}).items()
            if name not in lineage.get("parameters", {})
        }
        data |= {f"{step}.{name}": digest for name, digest in told.get("inputs", {}).items()}
        data |= {f"{step}.{name}": digest for name, digest in told.get("outputs", {}).items()}
    return {
        "metrics": {
            name.removeprefix("metric."): float(value)
            for name, value in tags.items()
            if name.startswith("metric.")
        },
        "parameters": parameters,
        "code": {"commit": lineage.get("commit"), "uncommitted changes": lineage.get("dirty")},
        "data": data,
        "packages": _packages(found),
        "files": {
            file: found.inspected.attachments[file] for file in found.attachments if file != "lineage.json"
        },
    }


def differences(first: Facts, second: Facts) -> list[Difference]:
    """Everything that is not the same, by section."""
    found = []
    for section in SECTIONS:
        one, two = first.get(section, {}), second.get(section, {})
        for name in sorted({*one, *two}):
            if one.get(name) != two.get(name):
                found.append(Difference(section, name, one.get(name), two.get(name)))
    return found


def _lineage(found: Located) -> dict[str, Any]:
    file = found.attachments.get("lineage.json")
    content = json.loads(file.read_text(encoding="utf-8")) if file else {}
    return content if isinstance(content, dict) else {}


def _packages(found: Located) -> dict[str, str]:
    """Pinned packages of the model's `requirements.txt`."""
    file = found.folder / "requirements.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return {match.group(1): match.group(2) for line in lines if (match := _PIN.match(line))}
