"""Parameters of a notebook: their declared types, read from annotations, and strict coercion to them.

Pydantic is imported only for a value that is not of the declared type already.
"""

from __future__ import annotations

import ast
import types
from dataclasses import dataclass, field
from typing import Any, Literal, Optional, Union, get_args, get_origin

TYPES: dict[str, Any] = {
    "int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict, "tuple": tuple,
    "None": None, "Any": Any, "object": Any, "List": list, "Dict": dict, "Tuple": tuple,
}  # fmt: skip
_TYPING = ("typing", "t")
_KNOWN_TYPES = "int, float, str, bool, None, list, dict, X | None, Literal[...], list[X], dict[str, X]"

MISSING: Any = type("Missing", (), {"__repr__": lambda _: "<no default>", "__bool__": lambda _: False})()
"""Stands for a default that is not there, or that only running the notebook would tell."""


@dataclass(frozen=True)
class Parameter:
    """One name that the parameters cell assigns."""

    name: str
    annotation: str
    """As written, or the type of the default where nothing is written; 'Any' where that says nothing."""
    type: Any = field(compare=False, repr=False)
    default: Any
    """The literal default, or MISSING when it is required or computed."""
    computed: str = ""
    """The default's source where it is an expression rather than a literal."""
    help: str = ""

    @property
    def required(self) -> bool:
        """Whether a value must be given: annotated without a default."""
        return self.default is MISSING and not self.computed

    def accepts(self, value: Any) -> bool:
        """Whether `value` is already of the declared type, without any conversion."""
        return _is(value, self.type)

    def coerce(self, value: Any) -> Any:
        """`value` as the declared type, strictly: an int is a float, '3' is not an int.

        Raises ValueError that says what was expected.
        """
        if self.accepts(value):
            return value
        if self.type is float and type(value) is int and abs(value) < 2**53:
            return float(value)
        if (self.type is tuple or get_origin(self.type) is tuple) and isinstance(value, list):
            value = tuple(value)  # YAML has no tuples
        from pydantic import TypeAdapter, ValidationError

        try:
            coerced = TypeAdapter(self.type).validate_python(value, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(
                f"[{part!r}]" for part in first["loc"] if not isinstance(part, str) or "[" not in part
            )
            inside = f" at {where}" if isinstance(value, list | dict) and where else ""
            message = f"{_short(value)} is not {self.annotation}{inside} ({first['msg'].lower()})"
            raise ValueError(message) from None
        if not _kept(value, coerced):
            raise ValueError(f"{_short(value)} is not {self.annotation}")
        return coerced

    def parse(self, text: str) -> Any:
        """A value typed on a command line: read as YAML where that gives the declared type, else as a string.

        Raises ValueError as `coerce` does.
        """
        from workbench.yamls import parse_value

        try:
            value = parse_value(text)
        except ValueError:
            value = text
        if not self.accepts(value) and self.accepts(text):
            return text
        return self.coerce(value)


def type_name(default: Any) -> str:
    """What a parameter without annotation may be: its default's type."""
    name = type(default).__name__
    return name if name in ("int", "float", "str", "bool", "list", "dict", "tuple") else "Any"


def annotated_type(node: ast.expr) -> Any:
    """The type that an annotation spells, made of builtins and `typing` names only. Raises ValueError."""
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return annotated_type(ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            raise _not_understood(node) from None
    if (name := _typing_name(node)) in TYPES:
        return TYPES[name]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Union[annotated_type(node.left), annotated_type(node.right)]  # noqa: UP007 - built at run time
    if isinstance(node, ast.Subscript):
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _subscripted(node, _typing_name(node.value), items)
    raise _not_understood(node)


def _subscripted(node: ast.expr, outer: str, items: list[ast.expr]) -> Any:
    if outer == "Literal" and items:
        choices = tuple(map(_literal, items))
        if any(not isinstance(choice, str | int | float | None) for choice in choices):
            raise _not_understood(node)
        return Literal[choices]
    if outer in ("tuple", "Tuple") and items:
        every = (... if isinstance(i, ast.Constant) and i.value is ... else annotated_type(i) for i in items)
        return tuple[tuple(every)]  # type: ignore[misc]
    inner = tuple(map(annotated_type, items))
    if outer == "Union" and inner:
        return Union[inner]  # noqa: UP007 - built at run time
    if outer == "Optional" and len(inner) == 1:
        return Optional[inner[0]]  # noqa: UP045 - built at run time
    if outer in ("list", "List") and len(inner) == 1:
        return list[inner[0]]  # type: ignore[valid-type]
    if outer in ("dict", "Dict") and len(inner) == 2:
        return dict[inner[0], inner[1]]  # type: ignore[valid-type]
    raise _not_understood(node)


def _literal(node: ast.expr) -> Any:
    """The node's value, or MISSING."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return MISSING


def _typing_name(node: ast.expr) -> str:
    """`Literal` of `Literal` and of `typing.Literal`; empty for anything else."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in _TYPING:
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _not_understood(node: ast.expr) -> ValueError:
    return ValueError(f"the annotation '{ast.unparse(node)}' is not understood; expected {_KNOWN_TYPES}")


def _is(value: Any, kind: Any) -> bool:
    """Whether `value` is exactly of type `kind`, through containers and unions."""
    if kind is Any:
        return True
    if kind is None or kind is type(None):
        return value is None
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in arguments)
    if origin in (Union, types.UnionType):
        return any(_is(value, option) for option in arguments)
    if origin is list:
        return type(value) is list and all(_is(item, arguments[0]) for item in value)
    if origin is dict:
        return type(value) is dict and all(
            _is(key, arguments[0]) and _is(item, arguments[1]) for key, item in value.items()
        )
    if origin is tuple:
        if arguments[-1] is ...:
            arguments = arguments[:1] * len(value) if type(value) is tuple else ()
        return type(value) is tuple and len(value) == len(arguments) and all(map(_is, value, arguments))
    return isinstance(kind, type) and type(value) is kind


def _kept(value: Any, coerced: Any) -> bool:
    """Whether coercion changed no more than it may: an int to a float. (Pydantic takes True for Literal[1].)"""
    if type(value) is not type(coerced):
        return type(value) is int and type(coerced) is float
    if isinstance(value, dict):
        return all(map(_kept, value.keys(), coerced.keys())) and all(
            map(_kept, value.values(), coerced.values())
        )
    return not isinstance(value, list | tuple) or all(map(_kept, value, coerced))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
