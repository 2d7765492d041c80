"""A form to ask for a run with: one field for each parameter, made of its type. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from workbench.parameters import MISSING, Parameter
from workbench.pipeline import Pipeline, bindable

Kind = Literal["flag", "choice", "whole", "number", "text", "yaml"]


@dataclass(frozen=True)
class Field:
    """One parameter to be filled in."""

    name: str
    kind: Kind
    annotation: str
    value: Any
    """What it is without being touched: of the parameter's type; text for `yaml`; None where nothing is given."""
    choices: tuple[Any, ...] = ()
    help: str = ""
    steps: tuple[str, ...] = ()
    """Notebooks' steps that take it."""

    def argument(self, filled: Any) -> str | None:
        """What was filled in as `-p` takes it; None: the parameter is left as it is."""
        if filled == self.value and type(filled) is type(self.value):
            return None
        if self.kind in ("text", "yaml") and isinstance(filled, str):
            return filled
        return json.dumps(filled)


def fields(pipeline: Pipeline, given: Mapping[str, Any] | None = None) -> list[Field]:
    """The parameters that a run of the pipeline takes, in the order of its steps; `given` are values to begin with."""
    free = bindable(pipeline)
    found: dict[str, Field] = {}
    for step in pipeline.steps.values():
        for name, parameter in step.notebook.parameters.items():
            if name not in free or name in step.inputs or name in step.outputs or name in step.branch:
                continue
            if name in found:
                if step.name not in found[name].steps:
                    old = found[name]
                    found[name] = Field(**{**vars(old), "steps": (*old.steps, step.name)})
                continue
            value = (given or {}).get(name, step.effective.get(name, MISSING))
            found[name] = _field(name, parameter, None if value is MISSING else value, step.name)
    return list(found.values())


def _field(name: str, parameter: Parameter, value: Any, step: str) -> Field:
    kind, choices = _kind(parameter.type, value)
    if kind == "yaml":
        value = "" if value is None and parameter.required else json.dumps(value)
    return Field(name, kind, parameter.annotation, value, choices, parameter.help, (step,))


def _kind(declared: Any, value: Any) -> tuple[Kind, tuple[Any, ...]]:
    """The simplest field that can hold every value of a type; `yaml` holds all of them."""
    if get_origin(declared) is Literal:
        return "choice", get_args(declared)
    if get_origin(declared) in (Union, UnionType):
        rest = [each for each in get_args(declared) if each is not NoneType]
        simple = len(rest) == 1 and rest[0] in (int, float)
        return _kind(rest[0], value) if simple else ("yaml", ())
    kinds: dict[Any, Kind] = {bool: "flag", int: "whole", float: "number", str: "text"}
    kind = kinds.get(declared, "yaml")
    return ("yaml", ()) if kind == "flag" and value is None else (kind, ())


def arguments(form: list[Field], filled: Mapping[str, Any]) -> dict[str, str]:
    """What was filled in and is not as it was, as `-p` takes it."""
    said = {each.name: each.argument(filled[each.name]) for each in form if each.name in filled}
    return {name: text for name, text in said.items() if text is not None}
