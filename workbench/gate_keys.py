"""What may be declared under `model: gates:` in a pipeline file: one table, for the checks and the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workbench import keys
from workbench.errors import did_you_mean
from workbench.keys import Found, Key, check_keys, object_schema
from workbench.yamls import Place

DIFFERENCE = "the smallest difference that matters, in the metric's unit"
_NUMBER = {"type": "number"}
_AMOUNT = {"type": "number", "minimum": 0}
_FLAG = {"type": "boolean"}


def _amount(value: Any) -> str | None:
    if (message := keys.number(value)) or value >= 0:
        return message
    return f"{value!r} is negative; expected 0 or more"


def _one_of(help: str, *choices: str) -> Key:
    return Key(help, keys.one_of(*choices), {"enum": list(choices)})


_METRIC = Key(
    "the metric to compare by, as the evidence calls it", keys.text, keys.STRING_SCHEMA, required=True
)
_MARGIN = Key(DIFFERENCE, _amount, _AMOUNT)

BOUND_KEYS: dict[str, Key] = {
    "min": Key("the smallest value that passes", keys.number, _NUMBER),
    "max": Key("the largest value that passes", keys.number, _NUMBER),
    "confident": Key("true: the whole interval must keep the bound, not only the value", keys.flag, _FLAG),
}

GATE_KEYS: dict[str, dict[str, Key]] = {
    "baseline": {"metric": _METRIC, "margin": _MARGIN},
    "champion": {
        "metric": _METRIC,
        "margin": _MARGIN,
        "require": _one_of("what passes (equivalent: not worse)", "equivalent", "better"),
    },
    "slices": {
        "metric": _METRIC,
        "margin": _MARGIN,
        "against": _one_of("whom each slice is compared with (default: champion, else baseline)", "champion", "baseline"),
    },
    "seeds": {
        "metric": _METRIC,
        "max_spread": Key("the largest distance between two seeds", _amount, _AMOUNT, required=True),
    },
    "behaviour": {
        "min_tests": Key("how many tests there must be (default 1)", keys.count, {"type": "integer", "minimum": 0}),
    },
    "features": {
        "never": Key("columns that the model must not use, besides those of the contract", keys.names, keys.STRINGS_SCHEMA),
    },
    "serving": {
        "max_latency": Key("the longest that one row may take on one thread, as the median", keys.duration, keys.DURATION_SCHEMA),
        "max_size": Key("the largest that the model's folder may be", keys.size, keys.SIZE_SCHEMA),
    },
    "provenance": {
        "commit": _one_of("what the git commit must be", "clean", "recorded"),
        "contract": Key("whether a contract must be attached", keys.flag, _FLAG),
        "lock": Key("whether the environment's lock must be recorded", keys.flag, _FLAG),
    },
}  # fmt: skip
"""Every kind but `metrics`, whose keys are the metrics' own names."""

KINDS = ("metrics", *GATE_KEYS)

GATES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "metrics": {
            "type": "object",
            "description": "bounds by metric",
            "additionalProperties": object_schema(BOUND_KEYS),
        },
        **{kind: object_schema(known) for kind, known in GATE_KEYS.items()},
    },
    "minProperties": 1,
    "additionalProperties": False,
}


def gate_problems(gates: Mapping[str, Any], place: Place) -> Iterator[Found]:
    """Everything wrong with declared gates."""
    for kind, declared in gates.items():
        here = (*place, kind)
        if kind not in KINDS:
            yield here, f"unknown gate{did_you_mean(kind, KINDS)}"
        elif message := keys.mapping(declared):
            yield here, message
        elif kind == "metrics":
            yield from _bounds(declared, here)
        else:
            yield from check_keys(declared, here, GATE_KEYS[kind])


def _bounds(declared: Mapping[str, Any], place: Place) -> Iterator[Found]:
    if not declared:
        yield place, "names no metric; expected such as auc: {min: 0.65}"
    for metric, bound in declared.items():
        here = (*place, metric)
        if message := keys.table(bound):
            yield here, f"{message}; expected such as {{min: 0.65}}"
            continue
        yield from check_keys(bound, here, BOUND_KEYS)
        if not {"min", "max"} & bound.keys():
            yield here, "bounds nothing; expected min, max or both"
