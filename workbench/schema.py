"""What may stand in a pipeline file: one table of keys that the checks and the JSON Schema both come from."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import Problem, did_you_mean
from workbench.settings import parse_duration
from workbench.yamls import Document, Place

Check = Callable[[Any], str | None]
"""Says what is wrong with a value, or None."""

STEP_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
REFERENCE = re.compile(rf"({STEP_NAME})(?:\.(\*)|\[([^\[\]]+)\])?\.([A-Za-z_]\w*)")
"""`step.output`, `step.*.output` (all branches) or `step[variable=value].output` (one branch)."""


@dataclass(frozen=True)
class Key:
    """One key of a pipeline file."""

    help: str
    check: Check
    schema: Mapping[str, Any]
    required: bool = False


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else f"{value!r} is not a name or text"


def _name(value: Any) -> str | None:
    if isinstance(value, str) and re.fullmatch(STEP_NAME, value):
        return None
    return f"{value!r} is not a name; expected letters, digits, '_' and '-', not starting with a digit"


def _identifier(name: str) -> str | None:
    if name.isidentifier() and not keyword.iskeyword(name):
        return None
    return f"'{name}' is not a Python identifier; it names a variable of the notebook"


def _notebook(value: Any) -> str | None:
    if isinstance(value, str) and value.endswith(".ipynb"):
        return None
    return f"{value!r} is not a notebook; expected the path of an .ipynb file, relative to this file"


def _duration(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return f"{value!r} is not a duration; expected a number with s, m, h or d, such as 10m"
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        return str(error)
    return None if seconds > 0 else f"{value!r} is not more than nothing"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"{value!r} is neither true nor false"


def _count(value: Any) -> str | None:
    return None if type(value) is int and value >= 0 else f"{value!r} is not a count; expected 0, 1, 2, …"


def _names(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(item, str) and item for item in value):
        return None
    return f"{value!r} is not a list of names"


def _values(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"{value!r} is not a mapping of names to values"
    return next(filter(None, map(_identifier, value)), None)


def _foreach(value: Any) -> str | None:
    if not isinstance(value, dict) or not value:
        return f"{value!r} is not a mapping such as {{algorithm: [a, b]}}"
    for name, items in value.items():
        if problem := _identifier(name):
            return problem
        if isinstance(items, str):
            continue
        if not isinstance(items, list) or not items:
            return f"{name}: {items!r} is not a list of values, nor the name of a parameter that holds one"
        if wrong := [item for item in items if not isinstance(item, str | int | float)]:
            return f"{name}: {wrong[0]!r} cannot name a branch; expected text, a number, true or false"
        if len({str(item) for item in items}) < len(items):
            return f"{name}: the same value stands there twice"
    return None


def _input(value: Any) -> str | None:
    if isinstance(value, str) and (REFERENCE.fullmatch(value) or re.fullmatch(r"file:.+", value)):
        return None
    return (
        f"{value!r} is not an input; expected step.output, step.*.output, "
        "step[variable=value].output or file:PATTERN"
    )


def _inputs(value: Any) -> str | None:
    return _values(value) or next(
        (f"{name}: {problem}" for name, item in value.items() if (problem := _input(item))), None
    )


def _outputs(value: Any) -> str | None:
    if problem := _values(value):
        return problem
    for name, item in value.items():
        if not isinstance(item, str) or not re.fullmatch(r"[^/\\\x00]+/?", item) or item.strip("/.") == "":
            return (
                f"{name}: {item!r} is not a file name such as model.parquet, or a folder name such as model/"
            )
    files = [item.rstrip("/") for item in value.values()]
    twice = next((item for item in files if files.count(item) > 1), None)
    return f"two outputs are the same file '{twice}'" if twice else None


def _output_of_step(value: Any) -> str | None:
    if isinstance(value, str) and (match := REFERENCE.fullmatch(value)) and not match.group(2):
        return None
    return f"{value!r} is not an output; expected step.output"


_STRING = {"type": "string"}
_DURATION = {"type": ["string", "number"], "examples": ["90s", "10m", "1h30m"]}
_STRINGS = {"type": "array", "items": _STRING}

STEP_KEYS: dict[str, Key] = {
    "notebook": Key(
        "the notebook that the step runs, relative to this file", _notebook, _STRING, required=True
    ),
    "params": Key("values for this step's parameters only", _values, {"type": "object"}),
    "foreach": Key(
        "one branch of the step for each value (or combination of values)",
        _foreach,
        {"type": "object", "additionalProperties": {"type": ["array", "string"]}},
    ),
    "inputs": Key(
        "what the step reads, by parameter: step.output, step.*.output or file:PATTERN",
        _inputs,
        {"type": "object", "additionalProperties": _STRING},
    ),
    "outputs": Key(
        "what the step writes, by parameter: a file name, or a folder name with / at the end",
        _outputs,
        {"type": "object", "additionalProperties": _STRING},
    ),
    "after": Key("steps that must be done first though nothing is read from them", _names, _STRINGS),
    "retries": Key("how often a failed step is tried again, with growing waits", _count, {"type": "integer", "minimum": 0}),
    "timeout": Key("the longest the step may take", _duration, _DURATION),
    "cell_timeout": Key("the longest one cell may take", _duration, _DURATION),
    "kernel": Key("a kernelspec instead of the notebook's own", _text, _STRING),
    "cache": Key("false: run every time", _flag, {"type": "boolean"}),
    "refresh": Key("run again when the last result is older than this", _duration, _DURATION),
    "secrets": Key("environment variables passed to the kernel and kept out of everything saved", _names, _STRINGS),
}  # fmt: skip

MODEL_KEYS: dict[str, Key] = {
    "name": Key("the registered model's name", _name, _STRING, required=True),
    "version": Key("the output that becomes a model version: step.output", _output_of_step, _STRING, required=True),
    "metrics": Key("a JSON output whose numbers describe the version: step.output", _output_of_step, _STRING),
}  # fmt: skip

PIPELINE_KEYS: dict[str, Key] = {
    "pipeline": Key("the pipeline's name", _name, _STRING, required=True),
    "description": Key("a sentence for people", _text, _STRING),
    "params": Key("values for every notebook that declares the parameter", _values, {"type": "object"}),
    "timeout": Key("the longest the whole run may take", _duration, _DURATION),
    "steps": Key(
        "the steps by name",
        lambda value: None if isinstance(value, dict) and value else f"{value!r} is not a mapping of steps",
        {"type": "object"},
        required=True,
    ),
    "model": Key(
        "what the pipeline delivers to the registry",
        lambda value: None if isinstance(value, dict) else f"{value!r} is not a mapping",
        {"type": "object"},
    ),
}


def check_shape(document: Document, file: Path) -> list[Problem]:
    """Everything wrong with the keys and values of a pipeline file, before anything refers to anything."""
    if not isinstance(document.value, dict):
        return [Problem("is empty or no mapping; a pipeline file starts with 'pipeline: NAME'", file, 1)]
    problems = list(_check_keys(document, file, (), PIPELINE_KEYS))
    steps, model = document.value.get("steps"), document.value.get("model")
    for name, step in steps.items() if isinstance(steps, dict) else ():
        place: Place = ("steps", name)
        if problem := _name(name):
            problems.append(_problem(document, file, place, problem))
        if isinstance(step, dict):
            problems += _check_keys(document, file, place, STEP_KEYS)
        else:
            problems.append(_problem(document, file, place, f"{step!r} is not a mapping with 'notebook'"))
    if isinstance(model, dict):
        problems += _check_keys(document, file, ("model",), MODEL_KEYS)
    return problems


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a pipeline file, for editors."""
    step, model = _object(STEP_KEYS), _object(MODEL_KEYS)
    schema = _object(PIPELINE_KEYS)
    schema["properties"]["steps"]["additionalProperties"] = step
    schema["properties"]["model"] |= model
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workbench pipeline",
        **schema,
    }


def _object(keys: Mapping[str, Key]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {**key.schema, "description": key.help} for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }


def _check_keys(document: Document, file: Path, place: Place, keys: Mapping[str, Key]) -> Iterable[Problem]:
    table = document.value
    for part in place:
        table = table[part]
    for name, value in table.items():
        if name not in keys:
            yield _problem(document, file, (*place, name), f"unknown key{did_you_mean(name, keys)}")
        elif message := keys[name].check(value):
            yield _problem(document, file, (*place, name), message)
    for name, key in keys.items():
        if key.required and name not in table:
            yield _problem(document, file, place, f"'{name}' is missing: {key.help}")


def _problem(document: Document, file: Path, place: Place, message: str) -> Problem:
    return Problem(message, file, document.line(place), ".".join(map(str, place)) or None)
