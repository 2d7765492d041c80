"""YAML as people expect it (the 1.2 core schema), with the line of every key.

PyYAML speaks YAML 1.1, where `no` is false, `1e-3` a string and `2013-01-01` a date. Here they are
a string, a number and a string.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from workbench.errors import Problem, SpecError

Place = tuple[str | int, ...]
"""Where a value stands: the keys and positions that lead to it."""

_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute


for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


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
    """Read a YAML file. Raises SpecError for bad YAML, duplicate keys and keys that are not strings."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Problem(f"cannot be read: {error}", path)]) from error
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark else None
        raise SpecError([Problem(f"not valid YAML: {message}", path, line)]) from error
    lines: dict[Place, int] = {}
    problems: list[Problem] = []
    value = None if node is None else _plain(node, (), lines, problems, path)
    if problems:
        raise SpecError(problems)
    return Document(value, lines)


def parse_value(text: str) -> Any:
    """One value as it would stand in a YAML file. Raises ValueError."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"'{text}' is not valid YAML") from error
    problems: list[Problem] = []
    value = None if node is None else _plain(node, (), {}, problems, "value")
    if problems:
        raise ValueError(str(problems[0]))
    return value


def _plain(
    node: yaml.Node, place: Place, lines: dict[Place, int], problems: list[Problem], path: Path | str
) -> Any:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = key_node.value, key_node.start_mark.line + 1
            if not isinstance(key, str):
                problems.append(Problem("a key must be a plain word", path, line))
            elif key in mapping:
                problems.append(
                    Problem("this key stands here twice", path, line, ".".join(map(str, (*place, key))))
                )
            else:
                lines[(*place, key)] = line
                mapping[key] = _plain(value_node, (*place, key), lines, problems, path)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*place, index), lines, problems, path) for index, item in enumerate(node.value)]
    return _scalar(node)


def _scalar(node: yaml.Node) -> Any:
    text, tag = node.value, node.tag.rpartition(":")[2]
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    if tag == "int":
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if tag == "float":
        return float(
            text.replace(".inf", "inf")
            .replace(".Inf", "inf")
            .replace(".INF", "inf")
            .lower()
            .replace(".nan", "nan")
        )
    return text
