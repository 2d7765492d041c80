"""What changed between two contracts, and which changes let more data through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workbench.contracts.contract import Contract
from workbench.contracts.rules import utc

Direction = Literal["looser", "stricter", "other"]
"""Looser: data that was refused or set aside may now pass. Stricter: the reverse. Other: neither, or both."""

STRICTNESS = {"ignore": 0, "exclude": 1, "warn": 1, "quarantine": 2, "stop": 3}


@dataclass(frozen=True)
class Change:
    """One difference; `old` or `new` is None where the thing is not there."""

    place: str
    old: Any
    new: Any
    direction: Direction

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.place}: added {_shown(self.new)} ({self.direction})"
        if self.new is None:
            return f"{self.place}: removed {_shown(self.old)} ({self.direction})"
        return f"{self.place}: {_shown(self.old)} → {_shown(self.new)} ({self.direction})"


def diff(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every difference, in the order of the old contract; empty exactly where the two are equal."""
    if old == new:
        return ()
    found = tuple(_between("", old.as_dict(), new.as_dict()))
    if found:
        return found
    return (Change("order of columns and rules", _order(old), _order(new), "other"),)


def _order(contract: Contract) -> str:
    return ", ".join([*(column.name for column in contract.columns), *(rule.name for rule in contract.rules)])


def _between(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key in dict.fromkeys([*old, *new]):
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        here = f"{place}.{key}" if place else key
        entry = place in ("columns", "rules")  # its key is a name, whatever it says
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _between(here, was, now)
        elif not entry and key in ("columns", "rules", "rows"):
            yield from _between(here, was or {}, now or {})
        else:
            yield Change(here, was, now, _added(was, now) if entry else _direction(here, key, was, now))


def _direction(place: str, key: str, old: Any, new: Any) -> Direction:
    if key in ("contract", "description", "help", "label", "type", "column", "expect", "pattern"):
        return _added(old, new) if key == "pattern" else "other"
    if key in ("min", "max", "days", "max_share"):
        return _bound(key, old, new)
    if key == "values" and old is not None and new is not None:
        return _subset(set(new), set(old))
    if key == "nullable":
        return "looser" if new else "stricter"
    if key == "keys" and place == key:  # a key may come, whatever `extra` and `never_features` say
        return _subset({str(each) for each in new or ()}, {str(each) for each in old or ()})
    if key in ("never_features", "unique") and place == key:
        return _subset({str(each) for each in old or ()}, {str(each) for each in new or ()})
    if key in ("severity", "extra"):
        default = "warn" if key == "extra" else "stop" if place.startswith("freshness") else "quarantine"
        before, after = STRICTNESS[old or default], STRICTNESS[new or default]
        return "other" if before == after else "stricter" if after > before else "looser"
    return _added(old, new)


def _added(old: Any, new: Any) -> Direction:
    """A requirement that was not there makes a contract stricter; without it, it is looser."""
    return "stricter" if old is None else "looser" if new is None else "other"


def _bound(key: str, old: Any, new: Any) -> Direction:
    if old is None or new is None:
        return _added(old, new)
    if isinstance(old, str) != isinstance(new, str):
        return "other"  # of another type altogether
    before, after = (utc(bound) if isinstance(bound, str) else bound for bound in (old, new))
    return "looser" if (after < before if key == "min" else after > before) else "stricter"


def _subset(smaller: set[Any], larger: set[Any]) -> Direction:
    """`smaller` within `larger`: stricter; the reverse: looser."""
    return "stricter" if smaller < larger else "looser" if smaller > larger else "other"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 90 else f"{text[:89]}…"
