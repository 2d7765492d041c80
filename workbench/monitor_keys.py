"""What may be declared under `model: monitors:` in a pipeline file: one table, for the checks and the JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workbench import keys
from workbench.errors import did_you_mean
from workbench.keys import Found, Key, check_keys, object_schema
from workbench.setting_keys import parse_duration
from workbench.yamls import Place

METRICS = ("auc", "log_loss", "brier", "calibration_error")
"""Those of `evaluation`, which imports NumPy; a test holds the two together."""

_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_ONE_OR_MORE = {"type": "integer", "minimum": 1}


def _amount(value: Any) -> str | None:
    if (message := keys.number(value)) or value >= 0:
        return message
    return f"{value!r} is negative; expected 0 or more"


def _times(value: Any) -> str | None:
    if (message := keys.number(value)) or value > 1:
        return message
    return f"{value!r} is not more than 1; expected how many times the bound is critical, such as 5"


def _one_or_more(value: Any) -> str | None:
    return None if type(value) is int and value >= 1 else f"{value!r} is not a count; expected 1, 2, 3, …"


def _shares(value: Any) -> str | None:
    if message := keys.table(value):
        return message
    for name, bound in value.items():
        if message := keys.share(bound):
            return f"{name}: {message}"
    return None


_CRITICAL = Key(
    "so many times the bound is critical, not only a warning (default: never)",
    _times,
    {"type": "number", "exclusiveMinimum": 1},
)

MONITOR_KEYS: dict[str, dict[str, Key]] = {
    "inputs": {},
    "answers": {},
    "quality": {
        "max_share": Key("the largest share of rows that may break any one rule of the contract", keys.share, _SHARE, required=True),
        "rules": Key("bounds of their own for rules, by name", _shares, {"type": "object", "minProperties": 1, "additionalProperties": _SHARE}),
        "critical": _CRITICAL,
    },
    "volume": {
        "min_rows": Key("the fewest rows that a window may have", _one_or_more, _ONE_OR_MORE, required=True),
        "critical": _CRITICAL,
    },
    "freshness": {
        "max_age": Key("how long before the window's end its newest row may be", keys.duration, keys.DURATION_SCHEMA, required=True),
        "critical": _CRITICAL,
    },
    "performance": {
        "metric": Key("by which it is judged", keys.one_of(*METRICS), {"enum": list(METRICS)}, required=True),
        "margin": Key("the smallest decline that matters, in the metric's unit", _amount, {"type": "number", "minimum": 0}),
        "wait": Key("so long after a window its outcomes may come (default 30d): it is judged again when some have", keys.duration, keys.DURATION_SCHEMA),
        "critical": _CRITICAL,
    },
    "service": {
        "max_errors": Key("the largest share of requests that may end in an error of the server", keys.share, _SHARE),
        "max_latency": Key("the longest that 95 of 100 requests may take", keys.duration, keys.DURATION_SCHEMA),
        "critical": _CRITICAL,
    },
}  # fmt: skip

_FRAME_KEYS: dict[str, Key] = {
    "window": Key("length of a window (default 7d)", keys.duration, keys.DURATION_SCHEMA),
    "day": Key("the contract's key that says which day a row belongs to (default: when it was answered)", keys.text, keys.STRING_SCHEMA),
    "expected": Key("features that may move: they are shown, but never alert", keys.names, keys.STRINGS_SCHEMA),
    "open_after": Key("so many windows in a row must show it before an alert opens (default 1)", _one_or_more, _ONE_OR_MORE),
    "resolve_after": Key("so many windows in a row must not show it before it is resolved (default 2)", _one_or_more, _ONE_OR_MORE),
}  # fmt: skip

MONITORS_KEYS: dict[str, Key] = {
    **_FRAME_KEYS,
    **{
        monitor: Key(f"the monitor '{monitor}'; present: on", keys.mapping, object_schema(own))
        for monitor, own in MONITOR_KEYS.items()
    },
}
"""Everything under `monitors:`."""

MONITORS_SCHEMA = {**object_schema(MONITORS_KEYS), "minProperties": 1}


def monitor_problems(declared: Mapping[str, Any], place: Place) -> Iterator[Found]:
    """Everything wrong with declared monitors, but for the names that only a contract knows."""
    found = list(check_keys(declared, place, MONITORS_KEYS))
    yield from found
    for monitor, own in MONITOR_KEYS.items():
        if isinstance(declared.get(monitor), dict):
            yield from check_keys(declared[monitor], (*place, monitor), own)
    if not found and not any(monitor in declared for monitor in MONITOR_KEYS):
        yield place, f"names no monitor; known: {', '.join(MONITOR_KEYS)}"
    if not found:
        yield from _together(declared, place)


def _together(declared: Mapping[str, Any], place: Place) -> Iterator[Found]:
    """What is wrong between keys that are right by themselves."""
    service, fresh = declared.get("service"), declared.get("freshness")
    if service is not None and not {"max_errors", "max_latency"} & service.keys():
        yield (*place, "service"), "names no bound; expected max_errors or max_latency, or both"
    judged = declared.get("performance")
    if judged and "critical" in judged and not judged.get("margin"):
        yield (*place, "performance", "critical"), "is so many times the margin, and there is no 'margin'"
    if fresh and keys.duration(fresh.get("max_age")) is None:
        window = declared.get("window", "7d")
        if parse_duration(fresh["max_age"]) > parse_duration(window):
            message = f"{fresh['max_age']!r} is longer than a window ({window}), which sees no further back"
            yield (*place, "freshness", "max_age"), message


def contract_problems(
    declared: Mapping[str, Any], keys_known: tuple[str, ...], features: tuple[str, ...], place: Place
) -> Iterator[Found]:
    """Names that are not those of the model's contract."""
    day = declared.get("day")
    if day is not None and day not in keys_known:
        yield (*place, "day"), f"'{day}' is no key of the contract{did_you_mean(day, keys_known)}"
    for name in declared.get("expected", ()):
        if name not in features:
            yield (
                (*place, "expected"),
                f"'{name}' is no feature of the contract{did_you_mean(name, features)}",
            )
