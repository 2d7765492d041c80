"""What may stand in a pipeline file: one table of keys that the checks and the JSON Schema both come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workbench import keys
from workbench.errors import Problem
from workbench.gate_keys import GATES_SCHEMA, gate_problems
from workbench.keys import Found, Key, check_keys, object_schema
from workbench.monitor_keys import MONITORS_SCHEMA, monitor_problems
from workbench.trigger_keys import TRIGGERS_SCHEMA, trigger_list, trigger_problems
from workbench.yamls import Document, Place

REFERENCE = re.compile(rf"({keys.NAME})(?:\.(\*)|\[([^\[\]]+)\])?\.([A-Za-z_]\w*)")
"""`step.output`, `step.*.output` (all branches) or `step[variable=value].output` (one branch)."""

CHAMPION = re.compile(rf"model:({keys.NAME})@champion")
"""The registered version that serves: its folder, or nothing while none does."""

_FILE_NAME = re.compile(r"[^/\\\x00-\x1f]{1,200}/?")


def _notebook(value: Any) -> str | None:
    if isinstance(value, str) and value.endswith(".ipynb"):
        return None
    return f"{value!r} is not a notebook; expected the path of an .ipynb file, relative to this file"


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
    if isinstance(value, str) and (REFERENCE.fullmatch(value) or CHAMPION.fullmatch(value)):
        return None
    if isinstance(value, str) and value.startswith("model:"):
        return f"{value!r} is not a registered model; expected model:NAME@champion"
    if not isinstance(value, str) or not re.fullmatch(r"file:[^\x00]+", value):
        return (
            f"{value!r} is not an input; expected step.output, step.*.output, "
            "step[variable=value].output, file:PATTERN or model:NAME@champion"
        )
    if any("**" in part and part != "**" for part in value.removeprefix("file:").split("/")):
        return f"{value!r} is not a pattern; '**' stands for folders and must be alone between '/'"
    return None


def _project_file(value: Any) -> str | None:
    if isinstance(value, str) and value and not value.startswith(("/", "~")) and ".." not in value.split("/"):
        return None
    return f"{value!r} is not the path of a file in the project, relative to its root"


def _output(value: Any) -> str | None:
    if isinstance(value, str) and _FILE_NAME.fullmatch(value) and value.strip("/.") != "":
        return None
    return f"{value!r} is not a file name such as model.parquet, or a folder name such as model/"


def _outputs(value: Any) -> str | None:
    if message := keys.mapping(value):
        return message
    files = [item.rstrip("/") for item in value.values() if isinstance(item, str)]
    twice = next((item for item in files if files.count(item) > 1), None)
    return f"two outputs are the same file '{twice}'" if twice else None


def _output_of_step(value: Any) -> str | None:
    if isinstance(value, str) and (match := REFERENCE.fullmatch(value)) and not match.group(2):
        return None
    return f"{value!r} is not an output; expected step.output"


def _outputs_of_steps(value: Any) -> str | None:
    if not isinstance(value, list) or not value:
        return f"{value!r} is not a list of outputs; expected [step.output, ...]"
    return next((message for each in value if (message := _output_of_step(each))), None)


_REFERENCE = {"type": "string", "pattern": rf"^{keys.NAME}(\[[^\[\]]+\])?\.[A-Za-z_]\w*$"}


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
        "values for this step's parameters only", keys.mapping, _values_schema(True), each=keys.anything
    ),
    "foreach": Key(
        "one branch of the step for each value (or combination of values)",
        keys.table,
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
        "what the step reads, by parameter: step.output, step.*.output, file:PATTERN or model:NAME@champion",
        keys.mapping,
        _values_schema({"type": "string", "pattern": f"^({REFERENCE.pattern}|file:.+|{CHAMPION.pattern})$"}),
        each=_input,
    ),
    "outputs": Key(
        "what the step writes, by parameter: a file name, or a folder name with / at the end",
        _outputs,
        _values_schema({"type": "string", "pattern": r"^(?!\.*/?$)[^/\\]+/?$"}),
        each=_output,
    ),
    "after": Key("steps that must be done first though nothing is read from them", keys.names, keys.STRINGS_SCHEMA),
    "retries": Key("how often a failed step is tried again, with growing waits", keys.count, {"type": "integer", "minimum": 0}),
    "timeout": Key("the longest the step may take", keys.duration, keys.DURATION_SCHEMA),
    "cell_timeout": Key("the longest one cell may take", keys.duration, keys.DURATION_SCHEMA),
    "memory": Key("the most memory the step may take, its child processes included", keys.memory, keys.SIZE_SCHEMA),
    "kernel": Key("a kernelspec instead of the notebook's own", keys.text, keys.STRING_SCHEMA),
    "cache": Key("false: run every time", keys.flag, {"type": "boolean"}),
    "refresh": Key("run again when the last result is older than this", keys.duration, keys.DURATION_SCHEMA),
    "secrets": Key("environment variables passed to the kernel and kept out of everything saved", keys.names, keys.STRINGS_SCHEMA),
}  # fmt: skip

MODEL_KEYS: dict[str, Key] = {
    "name": Key("the registered model's name", keys.name, keys.NAME_SCHEMA, required=True),
    "version": Key("the output that becomes a model version: step.output", _output_of_step, _REFERENCE, required=True),
    "metrics": Key("a JSON output whose numbers describe the version: step.output", _output_of_step, _REFERENCE),
    "contract": Key("the contract of the model's input, a file relative to the project's root", _project_file, keys.STRING_SCHEMA),
    "evidence": Key("a JSON output that the gates judge: step.output", _output_of_step, _REFERENCE),
    "dossier": Key("an HTML output for the reviewer, which gets the verdict on top: step.output", _output_of_step, _REFERENCE),
    "reference": Key("a JSON output that live data are compared with (workbench.drift): step.output", _output_of_step, _REFERENCE),
    "gates": Key("what a version must pass to be promoted, by kind", keys.table, GATES_SCHEMA),
    "monitors": Key("what is watched of the version that serves", keys.table, MONITORS_SCHEMA),
    "replay": Key("where `workbench replay` finds the rows of a month", keys.table, {"type": "object"}),
}  # fmt: skip

REPLAY_KEYS: dict[str, Key] = {
    "rows": Key(
        "Parquet outputs that together hold the rows of the months, with their labels: [step.output, ...]",
        _outputs_of_steps,
        {"type": "array", "items": _REFERENCE, "minItems": 1},
        required=True,
    ),
    "day": Key("the column that says a row's day", keys.text, keys.STRING_SCHEMA, required=True),
}

PIPELINE_KEYS: dict[str, Key] = {
    "pipeline": Key("the pipeline's name", keys.name, keys.NAME_SCHEMA, required=True),
    "description": Key("a sentence for people", keys.text, keys.STRING_SCHEMA),
    "params": Key(
        "values for every notebook that declares the parameter",
        keys.mapping,
        _values_schema(True),
        each=keys.anything,
    ),
    "timeout": Key("the longest the whole run may take", keys.duration, keys.DURATION_SCHEMA),
    "steps": Key(
        "the steps by name",
        keys.table,
        {"type": "object", "minProperties": 1, "propertyNames": {"pattern": f"^{keys.NAME}$"}},
        required=True,
    ),
    "model": Key("what the pipeline delivers to the registry", keys.table, {"type": "object"}),
    "triggers": Key("when `workbench up` runs the pipeline by itself", trigger_list, TRIGGERS_SCHEMA),
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
    found = list(check_keys(value, (), PIPELINE_KEYS))
    steps, model = value.get("steps"), value.get("model")
    for name, step in steps.items() if isinstance(steps, dict) else ():
        place: Place = ("steps", name)
        if message := keys.name(name):
            found.append((place, message))
        if isinstance(step, dict):
            found += check_keys(step, place, STEP_KEYS)
            found += _check_names(step, place)
        else:
            found.append((place, f"{step!r} is not a mapping with 'notebook'"))
    if isinstance(model, dict) and model:
        found += check_keys(model, ("model",), MODEL_KEYS)
        found += _check_judging(model)
        if isinstance(model.get("monitors"), dict) and model["monitors"]:
            found += monitor_problems(model["monitors"], ("model", "monitors"))
        if isinstance(model.get("replay"), dict):
            found += check_keys(model["replay"], ("model", "replay"), REPLAY_KEYS)
    if isinstance(triggers := value.get("triggers"), list):
        found += trigger_problems(triggers, isinstance(model, dict))
    return found


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a pipeline file, for editors."""
    step, model = object_schema(STEP_KEYS), object_schema(MODEL_KEYS)
    model["properties"]["replay"] |= object_schema(REPLAY_KEYS)
    schema = object_schema(PIPELINE_KEYS)
    schema["properties"]["steps"]["additionalProperties"] = step
    schema["properties"]["model"] |= model
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workbench pipeline",
        **schema,
    }


def _check_judging(model: Mapping[str, Any]) -> Iterable[Found]:
    """Gates are judged by evidence."""
    gates = model.get("gates")
    if isinstance(gates, dict) and gates:
        yield from gate_problems(gates, ("model", "gates"))
        if "evidence" not in model:
            yield ("model", "gates"), "nothing to judge by: 'evidence' must name the output that holds it"


def _check_names(step: Mapping[str, Any], place: Place) -> Iterable[Found]:
    """A parameter gets its value from one place only."""
    taken: dict[str, str] = {}
    for key in ("inputs", "outputs", "foreach", "params"):
        names = step.get(key)
        for name in names if isinstance(names, dict) else ():
            if name in taken:
                yield (*place, key, name), f"stands in '{taken[name]}' of this step already"
            taken.setdefault(name, key)
