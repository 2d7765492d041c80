"""Keys of a file that people write: what each may hold, said once for the checks and for the JSON Schema.

A check takes a value and says what is wrong with it, or None.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import did_you_mean
from workbench.setting_keys import parse_duration, parse_size
from workbench.yamls import Place

Found = tuple[Place, str]
"""Something wrong: where, and what."""

NAME = r"[A-Za-z_][A-Za-z0-9_-]*"

SMALLEST_MEMORY = 100_000_000
"""Bytes: a kernel that has imported nothing holds some 60 MB."""


@dataclass(frozen=True)
class Key:
    """One key of such a file."""

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
                if message := identifier(name) or self.each(item):
                    yield (*place, name), message


def text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else f"{value!r} is not a name or text"


def name(value: Any) -> str | None:
    if isinstance(value, str) and re.fullmatch(NAME, value):
        return None
    return f"{value!r} is not a name; expected letters, digits, '_' and '-', not starting with a digit"


def identifier(name: str) -> str | None:
    if name.isidentifier() and not keyword.iskeyword(name):
        return None
    return f"'{name}' is not a Python identifier; it names a variable of the notebook"


def duration(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return f"{value!r} is not a duration; expected a number with s, m, h or d, such as 10m"
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        return str(error)
    return None if seconds > 0 else f"{value!r} is not more than nothing"


def size(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return f"{value!r} is not a size; expected a number with KB, MB or GB, such as 4GB"
    try:
        count = parse_size(value)
    except ValueError as error:
        return str(error)
    return None if count else f"{value!r} is not more than nothing"


def memory(value: Any) -> str | None:
    if (message := size(value)) or parse_size(value) >= SMALLEST_MEMORY:
        return message
    return f"{value!r} is less than a kernel needs to start; expected {SMALLEST_MEMORY // 10**6}MB or more"


def flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"{value!r} is neither true nor false"


def count(value: Any) -> str | None:
    return None if type(value) is int and value >= 0 else f"{value!r} is not a count; expected 0, 1, 2, …"


def names(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(item, str) and item for item in value):
        return None
    return f"{value!r} is not a list of names"


def mapping(value: Any) -> str | None:
    return None if isinstance(value, dict) else f"{value!r} is not a mapping of names to values"


def table(value: Any) -> str | None:
    return None if isinstance(value, dict) and value else f"{value!r} is not a mapping, or an empty one"


def anything(_: Any) -> str | None:
    return None


def number(value: Any) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return None
    return f"{value!r} is not a number"


def share(value: Any) -> str | None:
    if number(value) is None and 0 <= value <= 1:
        return None
    return f"{value!r} is not a share; expected a number from 0 to 1"


def one_of(*choices: str) -> Callable[[Any], str | None]:
    """A check that a value is one of these words."""

    def check(value: Any) -> str | None:
        if value in choices and isinstance(value, str):
            return None
        return f"{value!r} is not one of {', '.join(choices)}{did_you_mean(str(value), choices)}"

    return check


STRING_SCHEMA = {"type": "string", "minLength": 1}
NAME_SCHEMA = {"type": "string", "pattern": f"^{NAME}$"}
DURATION_SCHEMA = {
    "type": ["string", "number"],
    "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|[smhd]\s*)?)+$",
    "exclusiveMinimum": 0,
    "examples": ["90s", "10m", "1h30m"],
}
SIZE_SCHEMA = {
    "type": ["string", "number"],
    "pattern": r"^\s*\d+(\.\d+)?\s*([kKmMgG]([iI])?[bB]?)?\s*$",
    "examples": ["500MB", "4GB"],
}
STRINGS_SCHEMA = {"type": "array", "items": STRING_SCHEMA}


def object_schema(keys: Mapping[str, Key]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {**key.schema, "description": key.help} for name, key in keys.items()},
        "required": [name for name, key in keys.items() if key.required],
        "additionalProperties": False,
    }


def check_keys(table: Mapping[str, Any], place: Place, keys: Mapping[str, Key]) -> Iterable[Found]:
    for name, value in table.items():
        if name in keys:
            yield from keys[name].problems(value, (*place, name))
        else:
            yield (*place, name), f"unknown key{did_you_mean(name, keys)}"
    for name, key in keys.items():
        if key.required and name not in table:
            yield (*place, name), f"is missing: {key.help}"
