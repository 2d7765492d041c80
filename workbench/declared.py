"""What pipeline files declare of a model that is needed without running them: its monitors.

Read without notebooks: who edits one must not stop the monitoring of what serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, Problem, SpecError, did_you_mean
from workbench.keys import Found
from workbench.monitor_keys import contract_problems
from workbench.monitors import Monitors, monitors_of
from workbench.pipeline import pipeline_files
from workbench.schema import shape_problems
from workbench.settings import Project
from workbench.yamls import read_yaml

PLACE = ("model", "monitors")


def monitors_for(project: Project, model: str) -> Monitors:
    """The monitors that a model's pipeline declares.

    Raises BadInput for a model that no pipeline delivers, or that none declares monitors for, or two do; SpecError for
    what is wrong with them.
    """
    named = dict(_delivering(project))
    files = [file for file, spec in named.items() if spec["name"] == model and spec.get("monitors")]
    if len(files) > 1:
        both = "' and '".join(file.name for file in files[:2])
        raise BadInput(f"the monitors of '{model}' are declared twice, in '{both}'; leave one of them out")
    if files:
        return _checked(project, files[0])
    delivering = [file.name for file, spec in named.items() if spec["name"] == model]
    if not delivering:
        hint = did_you_mean(model, {str(spec["name"]) for spec in named.values()})
        raise BadInput(f"no pipeline delivers a model '{model}'{hint}")
    raise BadInput(
        f"'{delivering[0]}' declares no monitors for '{model}'; add such as\n  model:\n    monitors: {{inputs: {{}}, answers: {{}}}}"
    )


def names_problems(project: Project, spec: Mapping[str, Any]) -> Iterator[Found]:
    """Names under `monitors:` that the model's contract does not know. Raises SpecError for a contract that is no YAML."""
    declared, contract = spec["monitors"], project.root / spec.get("contract", "")
    if {"day", "expected"} & declared.keys() and contract.is_file():
        keys, features = contract_names(read_yaml(contract).value)
        yield from contract_problems(declared, keys, features, PLACE)


def contract_names(contract: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Keys and features of a contract, as `Contract` has them, whose import would double the time of loading a pipeline.

    Empty where they cannot be read: what is wrong with a contract is said by who uses it.
    """
    said = contract if isinstance(contract, dict) else {}
    never = {said.get("label"), *_listed(said.get("never_features"))}
    columns = said.get("columns") if isinstance(said.get("columns"), dict) else {}
    return _listed(said.get("keys")), tuple(name for name in columns or () if name not in never)


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def _delivering(project: Project) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Pipeline files with a named model, and what they say of it."""
    for file in pipeline_files(project):
        value = read_yaml(file).value
        spec = value.get("model") if isinstance(value, dict) else None
        if isinstance(spec, dict) and isinstance(spec.get("name"), str):
            yield file, spec


def _checked(project: Project, file: Path) -> Monitors:
    document = read_yaml(file)
    found = [(place, text) for place, text in shape_problems(document.value) if place[:2] == PLACE]
    spec = document.value["model"]
    if not found:
        found = list(names_problems(project, spec))
    if found:
        raise SpecError(
            Problem(text, file, document.line(place), ".".join(map(str, place))) for place, text in found
        )
    return monitors_of(spec["monitors"])
