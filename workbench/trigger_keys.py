"""What may stand under `triggers:` in a pipeline file: one table, for the checks, the JSON Schema and the values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from workbench import keys
from workbench.errors import did_you_mean
from workbench.keys import Found, Key, check_keys, object_schema
from workbench.monitors import MONITORS, SEVERITIES
from workbench.schedules import EXAMPLE, expression_problem, zone_problem
from workbench.setting_keys import parse_duration
from workbench.yamls import Place

Kind = Literal["schedule", "new_data", "alert", "staleness"]
KINDS: tuple[Kind, ...] = ("schedule", "new_data", "alert", "staleness")

CATCH_UP = ("latest", "all", "skip")
"""Of the slots that were missed: the newest, all, or none is run."""

QUARANTINE_AFTER = 3


@dataclass(frozen=True)
class Trigger:
    """One reason to run a pipeline by itself, as declared."""

    name: str
    kind: Kind
    schedule: str = ""
    """A cron expression."""
    zone: str = "UTC"
    catch_up: str = "latest"
    new_data: tuple[str, ...] = ()
    """Globs, relative to the project's root."""
    alert: Mapping[str, str] = field(default_factory=dict)
    """`model` and `monitor` where they are given, `min_severity`."""
    staleness: float = 0.0
    """Seconds."""
    params: Mapping[str, Any] = field(default_factory=dict)
    cool_down: float = 0.0
    """Seconds that have to pass between two times that it fires."""
    budget: int | None = None
    """Runs in any 24 hours; None: no limit."""
    quarantine_after: int = QUARANTINE_AFTER
    """Failed runs in a row after which it is paused; 0: never."""


def _cron(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"{value!r} is not a schedule; expected such as {EXAMPLE}"
    return expression_problem(value)


def _zone(value: Any) -> str | None:
    return keys.text(value) or zone_problem(value)


def _globs(value: Any) -> str | None:
    listed = value if isinstance(value, list) and value else [value]
    for each in listed:
        if not isinstance(each, str) or not each:
            return f"{each!r} is not a pattern of files, such as data/*.parquet"
        parts = each.split("/")
        if each.startswith(("/", "~")) or ".." in parts:
            return f"'{each}' is not in the project; expected a pattern relative to its root"
        if any("**" in part and part != "**" for part in parts):
            return f"'{each}' is not a pattern; '**' stands for folders and must be alone between '/'"
    return None


def _budget(value: Any) -> str | None:
    return (
        None if type(value) is int and value > 0 else f"{value!r} is not a number of runs; expected 1, 2, …"
    )


_COUNT = {"type": "integer", "minimum": 0}

ALERT_KEYS: dict[str, Key] = {
    "model": Key("the model that the alert is about (default: the one that this pipeline delivers)", keys.name, keys.NAME_SCHEMA),
    "monitor": Key("only alerts of this monitor", keys.one_of(*MONITORS), {"enum": list(MONITORS)}),
    "min_severity": Key("only alerts as severe (default: warning)", keys.one_of(*SEVERITIES), {"enum": list(SEVERITIES)}),
}  # fmt: skip

TRIGGER_KEYS: dict[str, Key] = {
    "schedule": Key(f"when: a cron expression such as {EXAMPLE}", _cron, {"type": "string", "pattern": r"^\s*\S+(\s+\S+){4}\s*$"}),
    "zone": Key("the time zone of the schedule (default: UTC)", _zone, {**keys.STRING_SCHEMA, "examples": ["Europe/Berlin"]}),
    "catch_up": Key("what is run of the times that were missed (default: latest)", keys.one_of(*CATCH_UP), {"enum": list(CATCH_UP)}),
    "new_data": Key(
        "run when files of this pattern (or these) are new or changed; relative to the project's root", _globs,
        {"type": ["string", "array"], "items": keys.STRING_SCHEMA, "minLength": 1, "minItems": 1},
    ),
    "alert": Key("run when a monitor has opened an alert", keys.mapping, object_schema(ALERT_KEYS)),
    "staleness": Key("run when the last good run is older than this", keys.duration, keys.DURATION_SCHEMA),
    "name": Key("the trigger's name, needed where two are of one kind (default: its kind)", keys.name, keys.NAME_SCHEMA),
    "params": Key("values for the runs that it asks for", keys.mapping, {"type": "object"}),
    "cool_down": Key("the shortest time between two of its runs", keys.duration, keys.DURATION_SCHEMA),
    "budget": Key("the most runs that it may ask for in 24 hours", _budget, {"type": "integer", "minimum": 1}),
    "quarantine_after": Key(f"failed runs in a row after which it is paused (default: {QUARANTINE_AFTER}; 0: never)", keys.count, _COUNT),
}  # fmt: skip

_OF_SCHEDULES = ("zone", "catch_up")

TRIGGERS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {**object_schema(TRIGGER_KEYS), "oneOf": [{"required": [kind]} for kind in KINDS]},
}


def trigger_list(value: Any) -> str | None:
    """What is wrong with the value of `triggers:` as a whole, or None."""
    if isinstance(value, list) and value:
        return None
    return f"{value!r} is not a list of triggers, such as - schedule: '0 6 * * 1'"


def trigger_problems(declared: Sequence[Any], model: bool) -> Iterator[Found]:
    """Everything wrong with declared triggers; `model` says whether the pipeline delivers one."""
    names: dict[str, int] = {}
    for number, each in enumerate(declared):
        place: Place = ("triggers", number)
        if not isinstance(each, dict) or not each:
            yield place, f"{each!r} is not a mapping with one of {', '.join(KINDS)}"
            continue
        yield from check_keys(each, place, TRIGGER_KEYS)
        yield from _kind(each, place)
        if isinstance(each.get("alert"), dict):
            yield from check_keys(each["alert"], (*place, "alert"), ALERT_KEYS)
            if "model" not in each["alert"] and not model:
                yield (
                    (*place, "alert"),
                    "this pipeline delivers no model, so 'model' must say which one is meant",
                )
        if isinstance(name := _name(each), str):
            if name in names:
                yield place, f"'{name}' is the trigger above already; give one of them another 'name'"
            names.setdefault(name, number)


def _kind(each: Mapping[str, Any], place: Place) -> Iterator[Found]:
    """A trigger is of one kind; `zone` and `catch_up` are for schedules."""
    given = [kind for kind in KINDS if kind in each]
    if not given:
        near = next((hint for key in each if (hint := did_you_mean(str(key), KINDS))), "")
        yield place, f"has none of {', '.join(KINDS)}{near}"
    elif len(given) > 1:
        yield place, f"is both {given[0]} and {given[1]}; write two triggers"
    elif given[0] != "schedule":
        for key in _OF_SCHEDULES:
            if key in each:
                yield (*place, key), f"is for a schedule, and this is '{given[0]}'"


def _name(each: Mapping[str, Any]) -> Any:
    return each.get("name", next((kind for kind in KINDS if kind in each), None))


def declared_triggers(declared: Sequence[Mapping[str, Any]], model: str | None) -> tuple[Trigger, ...]:
    """Triggers that were checked, as values. `model`: the one that the pipeline delivers."""
    return tuple(_trigger(each, model) for each in declared)


def _trigger(each: Mapping[str, Any], model: str | None) -> Trigger:
    kind = next(kind for kind in KINDS if kind in each)
    given = each.get("new_data", ())
    own = {"model": model} if model else {}
    return Trigger(
        name=each.get("name", kind),
        kind=kind,
        schedule=each.get("schedule", ""),
        zone=each.get("zone", "UTC"),
        catch_up=each.get("catch_up", "latest"),
        new_data=(given,) if isinstance(given, str) else tuple(given),
        alert={"min_severity": SEVERITIES[0], **own, **each["alert"]} if kind == "alert" else {},
        staleness=parse_duration(each["staleness"]) if kind == "staleness" else 0.0,
        params=each.get("params", {}),
        cool_down=parse_duration(each.get("cool_down", 0)),
        budget=each.get("budget"),
        quarantine_after=each.get("quarantine_after", QUARANTINE_AFTER),
    )
