"""What may stand in a pipeline file: one table of keys that the checks and the JSON Schema both come from."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import Problem, did_you_mean
from workbench.settings import parse_duration
from workbench.yamls import Document, Place

Found = tuple[Place, str]
"""Something wrong: where, and what."""

STEP_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
REFERENCE = re.compile(rf"({STEP_NAME})(?:\.(\*)|\[([^\[\]]+)\])?\.([A-Za-z_]\w*)")
"""`step.output`, `step.*.output` (all branches) or `step[variable=value].output` (one branch)."""

_FILE_NAME = re.compile(r"[^/\\\x00-\x1f]{1,200}/?")


@dataclass(frozen=True)
class Key:
    """One key of a pipeline file."""

    help: str
    check: Callable[[Any], str | None]
    """Says what is wrong with a value, or None."""
    schema: Mapping[str, Any]
    required: bool = False
    each: Callable[[Any], str | None] | None = None
    """For a mapping of parameters: says what is wrong with one entry's value."""

    def problems(self, value: Any, place: Place) -> Iterator[Found]:
        """Everything wrong with this key's value."""
        if message := self.check(value):
            yield place, message
        elif self.each:
            for name, item in value.items():
                if message := _identifier(name) or self.each(item):
                    yield (*place, name), message


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


def _mapping(value: Any) -> str | None:
    return None if isinstance(value, dict) else f"{value!r} is not a mapping of names to values"


def _table(value: Any) -> str | None:
    return None if isinstance(value, dict) and value else f"{value!r} is not a mapping, or an empty one"


def _anything(_: Any) -> str | None:
    return None


def branch_word(value: Any) -> str:
    """A `foreach` value as it stands in the key of its branch."""
    return str(value).lower() if isinstance(value, bool) else re.sub(r"[\[\],\s]+", "_", str(value))


def branch_values(value: Any) -> str | None:
    """What keeps a list from being the values of a `foreach`."""
    if not isinstance(value, list) or not value:
        return f"{value!r} is not a list of values, nor the name of a parameter that holds one"
    if wrong := [item for item in value if not isinstance(item, str | int | float) or item == ""]:
        return f"{wrong[0]!r} cannot name a branch; expected text, a number, true or false"
    words = [branch_word(item) for item in value]
    twice = next((item for item, word in zip(value, words, strict=True) if words.count(word) > 1), None)
    return None if twice is None else f"two branches would be called '{branch_word(twice)}'"


def _foreach(value: Any) -> str | None:
    return None if isinstance(value, str) and value.isidentifier() else branch_values(value)


def _input(value: Any) -> str | None:
    if isinstance(value, str) and REFERENCE.fullmatch(value):
        return None
    if not isinstance(value, str) or not re.fullmatch(r"file:[^\x00]+", value):
        return (
            f"{value!r} is not an input; expected step.output, step.*.output, "
            "step[variable=value].output or file:PATTERN"
        )
    if any("**" in part and part != "**" for part in value.removeprefix("file:").split("/")):
        return f"{value!r} is not a pattern; '**' stands for folders and must be alone between '/'"
    return None


def _output(value: Any) -> str | None:
    if isinstance(value, str) and _FILE_NAME.fullmatch(value) and value.strip("/.") != "":
        return None
    return f"{value!r} is not a file name such as model.parquet, or a folder name such as model/"


def _outputs(value: Any) -> str | None:
    if message := _mapping(value):
        return message
    files = [item.rstrip("/") for item in value.values() if isinstance(item, str)]
    twice = next((item for item in files if files.count(item) > 1), None)
    return f"two outputs are the same file '{twice}'" if twice else None


def _output_of_step(value: Any) -> str | None:
    if isinstance(value, str) and (match := REFERENCE.fullmatch(value)) and not match.group(2):
        return None
    return f"{value!r} is not an output; expected step.output"


_STRING = {"type": "string", "minLength": 1}
_NAME = {"type": "string", "pattern": f"^{STEP_NAME}$"}
_DURATION = {
    "type": ["string", "number"],
    "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|[smhd]\s*)?)+$",
    "exclusiveMinimum": 0,
    "examples": ["90s", "10m", "1h30m"],
}
_STRINGS = {"type": "array", "items": _STRING}
_REFERENCE = {"type": "string", "pattern": rf"^{STEP_NAME}(\[[^\[\]]+\])?\.[A-Za-z_]\w*$"}


def _values_schema(value: Mapping[str, Any] | bool, **more: Any) -> dict[str, Any]:
    """A mapping from parameters to values."""
    return {
        "type": "object",
        "propertyNames": {"pattern": r"^[^\W\d]\w*$"},
        "additionalProperties": value,
        **more,
    }


STEP_KEYS: dict[str, Key] = {
    "notebook": Key(
        "the notebook that the step runs, relative to this file",
        _notebook,
        {"type": "string", "pattern": r"\.ipynb$"},
        required=True,
    ),
    "params": Key(
        "values for this step's parameters only", _mapping, _values_schema(True), each=_anything
    ),
    "foreach": Key(
        "one branch of the step for each value (or combination of values)",
        _table,
        _values_schema(
            {
                "type": ["array", "string"],
                "items": {"type": ["string", "number", "boolean"], "minLength": 1},
                "minItems": 1,
                "minLength": 1,
                "uniqueItems": True,
            },
            minProperties=1,
        ),
        each=_foreach,
    ),
    "inputs": Key(
        "what the step reads, by parameter: step.output, step.*.output or file:PATTERN",
        _mapping,
        _values_schema({"type": "string", "pattern": f"^({REFERENCE.pattern}|file:.+)$"}),
        each=_input,
    ),
    "outputs": Key(
        "what the step writes, by parameter: a file name, or a folder name with / at the end",
        _outputs,
        _values_schema({"type": "string", "pattern": r"^(?!\.*/?$)[^/\\]+/?$"}),
        each=_output,
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
    "name": Key("the registered model's name", _name, _NAME, required=True),
    "version": Key("the output that becomes a model version: step.output", _output_of_step, _REFERENCE, required=True),
    "metrics": Key("a JSON output whose numbers describe the version: step.output", _output_of_step, _REFERENCE),
}  # fmt: skip

PIPELINE_KEYS: dict[str, Key] = {
    "pipeline": Key("the pipeline's name", _name, _NAME, required=True),
    "description": Key("a sentence for people", _text, _STRING),
    "params": Key(
        "values for every notebook that declares the parameter",
        _mapping,
        _values_schema(True),
        each=_anything,
    ),
    "timeout": Key("the longest the whole run may take", _duration, _DURATION),
    "steps": Key(
        "the steps by name",
        _table,
        {"type": "object", "minProperties": 1, "propertyNames": {"pattern": f"^{STEP_NAME}$"}},
        required=True,
    ),
    "model": Key("what the pipeline delivers to the registry", _table, {"type": "object"}),
}


def check_shape(document: Document, file: Path) -> list[Problem]:
    """Everything wrong with the keys and values of a pipeline file, before anything refers to anything."""
    return [
        Problem(message, file, document.line(place), ".".join(map(str, place)) or None)
        for place, message in shape_problems(document.value)
    ]


def shape_problems(value: Any) -> list[Found]:
    """The same, for the plain value of the file."""
    if not isinstance(value, dict):
        return [((), "is empty or no mapping; a pipeline file starts with 'pipeline: NAME'")]
    found = list(_check_keys(value, (), PIPELINE_KEYS))
    steps, model = value.get("steps"), value.get("model")
    for name, step in steps.items() if isinstance(steps, dict) else ():
        place: Place = ("steps", name)
        if message := _name(name):
            found.append((place, message))
        if isinstance(step, dict):
            found += _check_keys(step, place, STEP_KEYS)
            found += _check_names(step, place)
        else:
            found.append((place, f"{step!r} is not a mapping with 'notebook'"))
    if isinstance(model, dict) and model:
        found += _check_keys(model, ("model",), MODEL_KEYS)
    return found


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


def _check_keys(table: Mapping[str, Any], place: Place, keys: Mapping[str, Key]) -> Iterable[Found]:
    for name, value in table.items():
        if name in keys:
            yield from keys[name].problems(value, (*place, name))
        else:
            yield (*place, name), f"unknown key{did_you_mean(name, keys)}"
    for name, key in keys.items():
        if key.required and name not in table:
            yield (*place, name), f"is missing: {key.help}"


def _check_names(step: Mapping[str, Any], place: Place) -> Iterable[Found]:
    """A parameter gets its value from one place only."""
    taken: dict[str, str] = {}
    for key in ("inputs", "outputs", "foreach", "params"):
        names = step.get(key)
        for name in names if isinstance(names, dict) else ():
            if name in taken:
                yield (*place, key, name), f"stands in '{taken[name]}' of this step already"
            taken.setdefault(name, key)
