"""YAML as people expect it (the 1.2 core schema), with the line of every key.

PyYAML speaks YAML 1.1, where `no` is false, `1e-3` a string and `2013-01-01` a date. Here they are
a string, a number and a string. Values are built from the parser's events rather than by PyYAML's composer, which
crashes the interpreter on deep nesting and writes aliases out however often they double.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from workbench.errors import Problem, SpecError

Place = tuple[str | int, ...]
"""Where a value stands: the keys and positions that lead to it."""

DEEPEST = 50
LARGEST = 200_000
"""Values in one file, aliases written out: more is a mistake or an attack."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_SCALARS: dict[str, tuple[re.Pattern[str], Callable[[str], Any]]] = {
    "null": (_NULL, lambda text: None),
    "bool": (_BOOL, lambda text: text.lower() == "true"),
    "int": (_INT, lambda text: int(text, 0) if text[:2] in ("0o", "0x") else int(text)),
    "float": (_FLOAT, lambda text: float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))),
    "str": (re.compile(".*", re.DOTALL), str),
}
_MAYBE_NO_TEXT = frozenset("~nNtTfF+-.0123456789")
"""What a plain scalar starts with that is not simply text."""


@dataclass(frozen=True)
class Document:
    """A YAML file as plain values, and the line (from 1) of each."""

    value: Any
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int | None:
        """The line of `place`, or of the nearest thing around it that has one."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)


def read_yaml(path: Path) -> Document:
    """Read a YAML file. Raises SpecError for bad YAML, duplicate keys and keys that are not plain words."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError([Problem(f"is not UTF-8 text (byte {error.start})", path)]) from error
    except OSError as error:
        raise SpecError([Problem(f"cannot be read: {error.strerror}", path)]) from error
    return _Reading(text, path).document()


def parse_value(text: str) -> Any:
    """One value as it would stand in a YAML file. Raises ValueError."""
    try:
        return _Reading(text, None).document().value
    except SpecError as error:
        shown = text if len(text) <= 60 else f"{text[:59]}…"
        raise ValueError(f"'{shown}' is not valid: {error.problems[0].message}") from error


def without(value: Any, places: Sequence[Place]) -> Any:
    """`value` without what stands at these places; None without the whole of it."""
    if () in places:
        return None
    if not places or not isinstance(value, dict):
        return value
    inside = {name: [place[1:] for place in places if place[0] == name] for name in value}
    return {name: without(item, inside[name]) for name, item in value.items() if () not in inside[name]}


class _Reading:
    """The state of reading one text: the parser's events, what anchors stand for, what was wrong."""

    def __init__(self, text: str, path: Path | None) -> None:
        self.path = path
        self.events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        """The value of each, and how many values it is made of."""
        self.size = 0

    def document(self) -> Document:
        try:
            value = self._only_document()
        except yaml.YAMLError as error:
            mark: Any = vars(error).get("problem_mark")
            message = getattr(error, "problem", None) or str(error).splitlines()[0]
            line: int | None = mark.line + 1 if mark else None
            raise SpecError(
                [*self.problems, Problem(f"not valid YAML: {message}", self.path, line)]
            ) from error
        if self.problems:
            raise SpecError(self.problems)
        return Document(value, self.lines)

    def _only_document(self) -> Any:
        next(self.events)  # the start of the stream
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._value(next(self.events), ())
        next(self.events)  # the end of the document
        if not isinstance(after := next(self.events), yaml.StreamEndEvent):
            self._problem("holds more than one document ('---')", after)
        return value

    def _value(self, event: Any, place: Place) -> Any:
        self.lines.setdefault(place, _line(event))
        self._count(1, event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self.size
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif len(place) >= DEEPEST:
            raise SpecError([self._located(f"is nested more than {DEEPEST} levels deep", event)])
        elif isinstance(event, yaml.MappingStartEvent):
            self._expect_tag(event, "map")
            value = self._mapping(place)
        else:
            self._expect_tag(event, "seq")
            value = self._sequence(place)
        if event.anchor:
            self.anchors[event.anchor] = value, self.size - before
        return value

    def _mapping(self, place: Place) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._problem("a key must be a plain word", event)
                self._value(event, (*place, "?"))
                self._value(next(self.events), (*place, "?"))
                continue
            key: str = event.value
            here = (*place, key)
            if key in mapping:
                self._problem("this key stands here twice", event, here)
            else:
                self.lines[here] = _line(event)
            value = self._value(next(self.events), here)
            mapping.setdefault(key, value)
        return mapping

    def _sequence(self, place: Place) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*place, len(items))))
        return items

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self.anchors:
            self._problem(f"there is no finished value '&{event.anchor}' above", event)
            return None
        value, size = self.anchors[event.anchor]
        self._count(size, event)
        return value

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        plain, quoted = event.implicit
        try:
            if event.tag == "!" or (quoted and not plain):
                return text
            if plain:
                return _plain(text)
            name = event.tag.removeprefix(_TAG)
            pattern, convert = _SCALARS[name]
            if pattern.fullmatch(text):
                return convert(text)
            self._problem(f"'{text}' is not of the type !!{name}", event)
        except KeyError:
            self._problem(f"the tag '{event.tag}' is not known here", event)
        except ValueError as error:  # an integer of more digits than Python reads
            self._problem(str(error), event)
        return None

    def _expect_tag(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", f"{_TAG}{kind}"):
            self._problem(f"the tag '{event.tag}' is not known here", event)

    def _count(self, values: int, event: Any) -> None:
        self.size += values
        if self.size > LARGEST:
            raise SpecError(
                [self._located(f"holds more than {LARGEST:,} values, aliases written out", event)]
            )

    def _located(self, message: str, event: Any, place: Place = ()) -> Problem:
        return Problem(message, self.path, _line(event), ".".join(map(str, place)) or None)

    def _problem(self, message: str, event: Any, place: Place = ()) -> None:
        self.problems.append(self._located(message, event, place))


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _plain(text: str) -> Any:
    """A scalar without quotes, by what it looks like."""
    if text and text[0] not in _MAYBE_NO_TEXT:
        return text
    return next(convert(text) for pattern, convert in _SCALARS.values() if pattern.fullmatch(text))
