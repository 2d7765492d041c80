"""What may stand in a contract: tables of keys, and everything wrong with a file at once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.contracts.rules import KINDS, RuleError, parse_rule, utc
from workbench.errors import did_you_mean
from workbench.yamls import Place

Found = tuple[Place, str]
"""Something wrong: where, and what."""

TYPES = tuple(KINDS)
SEVERITIES = ("stop", "quarantine", "warn")
RULE_SEVERITIES = (*SEVERITIES, "exclude")
EXTRAS = ("ignore", "warn", "stop")
NAME = r"[A-Za-z_][A-Za-z0-9_-]*"

Wrong = Callable[[Any], str | None]
"""Says what is wrong with a value, or None."""


@dataclass(frozen=True)
class Key:
    """One key of a contract."""

    help: str
    check: Wrong
    required: bool = False


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else f"{value!r} is not text"


def _name(value: Any) -> str | None:
    if isinstance(value, str) and re.fullmatch(NAME, value):
        return None
    return f"{value!r} is not a name; expected letters, digits, '_' and '-', not starting with a digit"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"{value!r} is neither true nor false"


def _count(value: Any) -> str | None:
    return (
        None
        if type(value) is int and 0 <= value < 2**63
        else f"{value!r} is not a count; expected 0, 1, 2, …"
    )


def _days(value: Any) -> str | None:
    if type(value) in (int, float) and 0 < value < 1e6:
        return None
    return f"{value!r} is not a number of days above 0"


def _share(value: Any) -> str | None:
    if type(value) in (int, float) and 0 <= value <= 1:
        return None
    return f"{value!r} is not a share; expected a number from 0 to 1"


def _names(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(item, str) and item for item in value):
        twice = next((item for item in value if value.count(item) > 1), None)
        return None if twice is None else f"'{twice}' stands here twice"
    return f"{value!r} is not a list of column names"


def _mapping(value: Any) -> str | None:
    return None if isinstance(value, dict) else f"{value!r} is not a mapping"


def _table(value: Any) -> str | None:
    return None if isinstance(value, dict) and value else f"{value!r} is not a mapping, or an empty one"


def _list(value: Any) -> str | None:
    return None if isinstance(value, list) and value else f"{value!r} is not a list, or an empty one"


def _pattern(value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return f"{value!r} is not a regular expression"
    try:
        re.compile(value)
    except re.error as error:
        return f"{value!r} is not a regular expression: {error}"
    return None


def _anything(_: Any) -> str | None:
    return None


def _one_of(*known: str) -> Wrong:
    def check(value: Any) -> str | None:
        if value in known:
            return None
        hint = did_you_mean(value, known) if isinstance(value, str) else f"; known: {', '.join(known)}"
        return f"{value!r} is not known here{hint}"

    return check


_SEVERITY = Key("what a breach does: stop, quarantine (the row) or warn", _one_of(*SEVERITIES))
_SET_SEVERITY = Key("what a breach does: stop or warn", _one_of("stop", "warn"))

COLUMN_KEYS: dict[str, Key] = {
    "type": Key(f"one of {', '.join(TYPES)}", _one_of(*TYPES), required=True),
    "nullable": Key("whether a value may be missing (default false)", _flag),
    "min": Key("the smallest value allowed", _anything),
    "max": Key("the largest value allowed", _anything),
    "values": Key("the values allowed", _list),
    "pattern": Key("a regular expression that the whole text matches", _pattern),
    "unique": Key("whether each value may stand once only", _flag),
    "severity": _SEVERITY,
    "help": Key("a sentence for people", _text),
}
RULE_KEYS: dict[str, Key] = {
    "expect": Key("what must hold, such as 'date.dt.month == month'", _text, required=True),
    "severity": Key(
        "what a breach does: stop, quarantine, warn, or exclude (set aside, though no fault of the data)",
        _one_of(*RULE_SEVERITIES),
    ),
    "help": Key("a sentence for people", _text),
}
UNIQUE_KEYS: dict[str, Key] = {
    "columns": Key("the columns whose values may stand together once only", _names, required=True),
    "severity": _SEVERITY,
}
ROWS_KEYS: dict[str, Key] = {"min": Key("at least", _count), "max": Key("at most", _count)}
FRESHNESS_KEYS: dict[str, Key] = {
    "column": Key("a date or datetime column", _text, required=True),
    "days": Key("how old its latest value may be", _days, required=True),
    "severity": _SET_SEVERITY,
}
QUARANTINE_KEYS: dict[str, Key] = {
    "max_share": Key("the largest share of faulty rows that is accepted", _share, required=True)
}
CONTRACT_KEYS: dict[str, Key] = {
    "contract": Key("the contract's name", _name, required=True),
    "description": Key("a sentence for people", _text),
    "rows": Key("bounds of the number of rows: min, max", _table),
    "freshness": Key("how old the latest row may be: column, days", _table),
    "label": Key("the column to predict", _text),
    "never_features": Key("columns that a model must never be given", _names),
    "keys": Key(
        "columns that identify a row, to find its outcome by; logged, and as such no feature", _names
    ),
    "unique": Key("lists of columns whose values may stand together once only", _list),
    "columns": Key("the columns by name", _table, required=True),
    "rules": Key("rules across columns by name", _table),
    "quarantine": Key("max_share: the largest share of faulty rows that is accepted", _table),
    "extra": Key("columns that are not named here: ignore, warn or stop", _one_of(*EXTRAS)),
}
_PARTS: dict[str, Mapping[str, Key]] = {
    "rows": ROWS_KEYS, "freshness": FRESHNESS_KEYS, "quarantine": QUARANTINE_KEYS,
}  # fmt: skip


def contract_problems(value: Any) -> list[Found]:
    """Everything wrong with the plain value of a contract's file."""
    if not isinstance(value, dict):
        return [((), "is empty or no mapping; a contract starts with 'contract: NAME'")]
    found = list(_keys(value, (), CONTRACT_KEYS))
    for name, keys in _PARTS.items():
        if isinstance(part := value.get(name), dict):
            found += _keys(part, (name,), keys)
    columns = value.get("columns")
    columns = columns if isinstance(columns, dict) else {}
    for name, spec in columns.items():
        found += _column(name, spec)
    if columns:
        types = {n: s["type"] for n, s in columns.items() if isinstance(s, dict) and s.get("type") in TYPES}
        found += _uniques(value.get("unique"), columns)
        found += _references(value, columns, types)
        if len(types) == len(columns):
            found += _rules(value.get("rules"), types)
    return found


def _keys(table: Mapping[str, Any], place: Place, keys: Mapping[str, Key]) -> Iterator[Found]:
    for name, value in table.items():
        if name not in keys:
            yield (*place, name), f"unknown key{did_you_mean(name, keys)}"
        elif message := keys[name].check(value):
            yield (*place, name), message
    for name, key in keys.items():
        if key.required and name not in table:
            yield (*place, name), f"is missing: {key.help}"
    if {"min", "max"} <= table.keys() and place[:1] != ("columns",):
        low, high = table["min"], table["max"]
        if _count(low) is _count(high) is None and low > high:
            yield (*place, "min"), f"{low} is above max, {high}"


def _column(name: str, spec: Any) -> Iterator[Found]:
    place: Place = ("columns", name)
    if not name:
        yield place, "a column needs a name"
    if not isinstance(spec, dict):
        yield place, f"{spec!r} is not a mapping with 'type'"
        return
    yield from _keys(spec, place, COLUMN_KEYS)
    kind = spec.get("type")
    if kind not in TYPES:
        return
    ordered = kind in ("int", "float", "date", "datetime")
    for key, allowed in (("min", ordered), ("max", ordered), ("pattern", kind in ("text", "category"))):
        if key in spec and not allowed:
            yield (*place, key), f"a {kind} column has no '{key}'"
    if kind == "category" and "values" not in spec:
        yield (*place, "values"), "is missing: a category column names its values; else it is of type text"
    bounds = {key: spec[key] for key in ("min", "max") if key in spec and ordered}
    wrong = {key: message for key, bound in bounds.items() if (message := value_problem(bound, kind))}
    yield from (((*place, key), message) for key, message in wrong.items())
    if len(bounds) == 2 and not wrong and _order(bounds["min"]) > _order(bounds["max"]):
        yield (*place, "min"), f"{bounds['min']} is above max, {bounds['max']}"
    yield from _values(spec.get("values"), kind, place)


def _order(bound: Any) -> Any:
    return utc(bound) if isinstance(bound, str) else bound


def _values(values: Any, kind: str, place: Place) -> Iterator[Found]:
    seen = set()
    for number, item in enumerate(values if isinstance(values, list) else ()):
        if message := value_problem(item, kind):
            yield (*place, "values", number), message
        elif item in seen:
            yield (*place, "values", number), f"{item!r} stands here twice"
        else:
            seen.add(item)


def value_problem(value: Any, kind: str) -> str | None:
    """What keeps `value` from standing in a column of this type, or None."""
    expected: dict[str, type | tuple[type, ...]] = {"int": int, "float": (int, float), "bool": bool}
    if kind in expected:
        fits = isinstance(value, expected[kind]) and (kind == "bool" or not isinstance(value, bool))
        if fits and isinstance(value, int) and abs(value) >= 2**63:
            return "is a number beyond 64 bits"
        if fits and (kind == "bool" or math.isfinite(value)):
            return None
        return f"{value!r} is not {_ARTICLES[kind]}"
    if not isinstance(value, str):
        return f"{value!r} is not {_ARTICLES[kind]}"
    if kind in ("text", "category"):
        return None
    try:
        moment = utc(value)
    except RuleError as error:
        return str(error)
    return None if kind == "datetime" or moment.endswith("T00:00:00") else f"{value!r} is not a date"


_ARTICLES = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "text": "text",
    "category": "text", "date": "a date", "datetime": "a date or a time",
}  # fmt: skip


def _uniques(uniques: Any, columns: Mapping[str, Any]) -> Iterator[Found]:
    for number, each in enumerate(uniques if isinstance(uniques, list) else ()):
        place: Place = ("unique", number)
        names = each
        if isinstance(each, dict):
            yield from _keys(each, place, UNIQUE_KEYS)
            names = each.get("columns")
        elif message := _names(each):
            yield place, message
        if isinstance(names, list):
            if not names:
                yield place, "names no column"
            yield from _unknown(names, columns, place)


def _unknown(names: Iterable[Any], columns: Mapping[str, Any], place: Place) -> Iterator[Found]:
    for name in names:
        if isinstance(name, str) and name not in columns:
            yield place, f"there is no column '{name}'{did_you_mean(name, columns)}"


def _references(
    value: Mapping[str, Any], columns: Mapping[str, Any], types: Mapping[str, str]
) -> Iterator[Found]:
    label, never, freshness = value.get("label"), value.get("never_features"), value.get("freshness")
    if isinstance(label, str) and isinstance(keys := value.get("keys"), list) and label in keys:
        yield ("keys",), f"'{label}' is the label; what identifies a row is known before"
    if isinstance(label, str):
        yield from _unknown([label], columns, ("label",))
    named = never if isinstance(never, list) else []
    if isinstance(label, str) and label in columns and set(columns) <= {label, *map(str, named)}:
        yield ("columns",), "leave no column that a model could be given: all are label or never_features"
    name = freshness.get("column") if isinstance(freshness, dict) else None
    if isinstance(name, str):
        place: Place = ("freshness", "column")
        yield from _unknown([name], columns, place)
        if types.get(name, "date") not in ("date", "datetime"):
            yield place, f"'{name}' is {types[name]}; expected a date or datetime column"


def _rules(rules: Any, types: Mapping[str, str]) -> Iterator[Found]:
    for name, rule in rules.items() if isinstance(rules, dict) else ():
        place: Place = ("rules", name)
        if isinstance(rule, dict):
            yield from _keys(rule, place, RULE_KEYS)
            rule, place = rule.get("expect"), (*place, "expect")
        elif not isinstance(rule, str) or not rule:
            yield place, f"{rule!r} is neither an expression nor a mapping with 'expect'"
        if isinstance(rule, str) and rule:
            try:
                parse_rule(rule, types)
            except RuleError as error:
                yield place, str(error)
