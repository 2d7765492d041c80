"""Rules across columns, such as `date.dt.month == month`: a small language that can only compare.

It looks like Python and is parsed as such, but never evaluated by it: an expression is walked, node by node, and what is
not in this file's tables is refused when the contract is read, as is a comparison that could not be made
(text with a number).

    names       columns; col("any name") for those that are no Python names
    constants   numbers, "text", true and false as True and False, dates as "2013-01-31"
    operators   + - * / // %   == != < <= > >= (chained too)   in [..]   not in [..]   and or not
    methods     x.isna()  x.notna()  x.abs()  t.dt.year .month .day .hour .minute .weekday (Monday is 0, UTC)

Missing values follow SQL's CHECK: a row in which a column of the rule is missing is not judged, unless the rule asks only
whether it is missing.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Literal

from workbench.errors import did_you_mean

Kind = Literal["number", "text", "time", "truth"]

LONGEST = 500
"""Signs in one expression."""
DEEPEST = 40
"""Parts within parts of one expression."""

KINDS: dict[str, Kind] = {
    "int": "number", "float": "number", "text": "text", "category": "text", "bool": "truth", "date": "time",
    "datetime": "time",
}  # fmt: skip
"""What can be done with a column, by its type in the contract."""

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_LISTS = (ast.List, ast.Tuple, ast.Set)
_METHODS = ("isna", "notna", "abs")


def _days(time: Any) -> Any:
    return time.astype("datetime64[D]").astype("int64")


_PARTS: dict[str, Callable[[Any], Any]] = {
    "year": lambda time: time.astype("datetime64[Y]").astype("int64") + 1970,
    "month": lambda time: time.astype("datetime64[M]").astype("int64") % 12 + 1,
    "day": lambda time: _days(time) - _days(time.astype("datetime64[M]")) + 1,
    "hour": lambda time: time.astype("datetime64[h]").astype("int64") % 24,
    "minute": lambda time: time.astype("datetime64[m]").astype("int64") % 60,
    "weekday": lambda time: (_days(time) + 3) % 7,  # 1970-01-01 was a Thursday
}


class RuleError(ValueError):
    """An expression is not understood; the message says which part, and what is."""


@dataclass(frozen=True)
class Expression:
    """A rule that was understood."""

    text: str
    columns: frozenset[str]
    """Every column that it names."""
    judged: frozenset[str]
    """Those of them that must be there for a row to be judged."""
    tree: ast.expr = field(compare=False, repr=False)

    def holds(self, values: Mapping[str, Any], missing: Mapping[str, Any]) -> Any:
        """Whether it holds, row by row: an array of truths, or one truth where no column is asked.

        `values` are NumPy arrays by column (numbers, objects that are text, datetime64 in UTC), `missing` arrays of
        truths. No value of a column in `judged` may be missing.
        """
        return _evaluate(self.tree, values, missing)


def parse_rule(text: str, types: Mapping[str, str]) -> Expression:
    """Understand `text`, with the types of the contract's columns by name. Raises RuleError."""
    if len(text) > LONGEST:
        raise RuleError(f"is longer than {LONGEST} signs; make it two rules")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise RuleError(f"'{text}' is not an expression: {reason}") from None
    if _depth(tree) > DEEPEST:
        raise RuleError(f"is nested more than {DEEPEST} levels deep; make it two rules")
    reading = _Reading(types)
    kind = reading.kind(tree)
    if kind != "truth":
        raise RuleError(f"'{text}' is {_ARTICLE[kind]}; a rule is true or false, such as 'a <= b'")
    if not reading.columns:
        raise RuleError(f"'{text}' names no column")
    return Expression(text, frozenset(reading.columns), frozenset(reading.judged), tree)


def _depth(tree: ast.AST) -> int:
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


_ARTICLE = {"number": "a number", "text": "text", "time": "a time", "truth": "true or false"}


class _Reading:
    """Works out what kind of value each part is; the columns seen so far."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self.types = types
        self.columns: set[str] = set()
        self.judged: set[str] = set()

    def kind(self, node: ast.expr) -> Kind:
        if (name := column_name(node)) is not None:
            self.judged.add(name)
            return self._column(name)
        match node:
            case ast.Constant():
                return _constant_kind(node)
            case ast.BoolOp(values=values):
                for each in values:
                    self._need(each, "truth")
                return "truth"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._need(operand, "truth")
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._need(operand, "number")
            case ast.BinOp(op=op, left=left, right=right) if type(op) in _ARITHMETIC:
                self._need(left, "number")
                return self._need(right, "number")
            case ast.Compare():
                return self._compare(node)
            case ast.Attribute(value=ast.Attribute(value=inner, attr="dt"), attr=part):
                if part not in _PARTS:
                    raise RuleError(f"there is no '.dt.{part}'{did_you_mean(part, _PARTS)}")
                self._need(inner, "time")
                return "number"
            case ast.Call(func=ast.Attribute(value=inner, attr=method), args=[], keywords=[]):
                return self._method(inner, method)
        raise RuleError(
            f"'{_shown(node)}' may not stand in a rule; expected columns, constants, comparisons, arithmetic, "
            "and, or, not, .isna(), .notna(), .abs(), .dt.month"
        )

    def _method(self, inner: ast.expr, method: str) -> Kind:
        if method not in _METHODS:
            raise RuleError(f"there is no '.{method}()'{did_you_mean(method, _METHODS)}")
        if method == "abs":
            return self._need(inner, "number")
        if (name := column_name(inner)) is None:
            raise RuleError(f"'.{method}()' asks a column; '{_shown(inner)}' is none")
        self._column(name)
        return "truth"

    def _column(self, name: str) -> Kind:
        if name not in self.types:
            raise RuleError(f"there is no column '{name}'{did_you_mean(name, self.types)}")
        self.columns.add(name)
        return KINDS[self.types[name]]

    def _need(self, node: ast.expr, wanted: Kind) -> Kind:
        found = self.kind(node)
        if found != wanted:
            raise RuleError(f"'{_shown(node)}' is {_ARTICLE[found]}; expected {_ARTICLE[wanted]} here")
        return found

    def _compare(self, node: ast.Compare) -> Kind:
        left, kind = node.left, self.kind(node.left)
        for op, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                if not isinstance(right, _LISTS) or not right.elts:
                    raise RuleError(f"'{_shown(right)}' is not a list of constants, such as [1, 2]")
                for each in right.elts:
                    if not isinstance(each, ast.Constant):
                        raise RuleError(f"'{_shown(each)}' is not a constant")
                    _comparable(left, kind, each, _constant_kind(each), ordered=False)
                if op is not node.ops[-1]:
                    raise RuleError(f"'{_shown(node)}': nothing can follow a list")
            elif type(op) in _COMPARISONS:
                other = self.kind(right)
                _comparable(left, kind, right, other, ordered=not isinstance(op, ast.Eq | ast.NotEq))
                left, kind = right, other
            else:
                raise RuleError(f"'{_shown(node)}' may not stand in a rule; use == or !=")
        return "truth"


def _comparable(left: ast.expr, one: Kind, right: ast.expr, other: Kind, *, ordered: bool) -> None:
    """Raises RuleError where two parts cannot be compared. A constant beside a time is a time."""
    if {one, other} == {"time", "text"}:
        for each in (left, right):
            if isinstance(each, ast.Constant):
                utc(str(each.value))
                return
    if one != other or (ordered and one == "truth"):
        raise RuleError(
            f"'{_shown(left)}' is {_ARTICLE[one]} and '{_shown(right)}' is {_ARTICLE[other]}: "
            "they cannot be compared"
        )


def column_name(node: ast.expr) -> str | None:
    """The column that a node names: `month`, or `col("arrival delay")`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Call(func=ast.Name(id="col"), args=[ast.Constant(value=str(name))], keywords=[]):
            return name
    return None


def utc(text: str) -> str:
    """A date or a time as ISO text without offset, in UTC where it had one. Raises RuleError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RuleError(f"'{text}' is not a date or a time, such as 2013-01-31 or 2013-01-31T12:00") from None
    return (moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment).isoformat()


def _constant_kind(node: ast.Constant) -> Kind:
    value = node.value
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        if abs(value) >= (2**63 if isinstance(value, int) else 1e300):
            raise RuleError(f"'{_shown(node)}' is out of range")
        return "number"
    if isinstance(value, str):
        return "text"
    raise RuleError(f"'{_shown(node)}' is not a constant of a rule; expected a number, text, True or False")


def _evaluate(node: ast.expr, values: Mapping[str, Any], missing: Mapping[str, Any]) -> Any:
    if (name := column_name(node)) is not None:
        return values[name]

    def value(inner: ast.expr) -> Any:
        return _evaluate(inner, values, missing)

    match node:
        case ast.Constant(value=constant):
            return constant
        case ast.BoolOp(op=op, values=parts):
            return reduce(operator.and_ if isinstance(op, ast.And) else operator.or_, map(value, parts))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return value(operand) ^ True  # `~True` is -2
        case ast.UnaryOp(operand=operand):
            return -value(operand)
        case ast.BinOp(op=op, left=left, right=right):
            return _ARITHMETIC[type(op)](value(left), value(right))
        case ast.Attribute(value=ast.Attribute(value=inner), attr=part):
            return _PARTS[part](value(inner))
        case ast.Call(func=ast.Attribute(value=inner, attr=method)):
            if method == "abs":
                return abs(value(inner))
            asked = missing[str(column_name(inner))]
            return asked if method == "isna" else asked ^ True
        case ast.Compare(left=first, ops=ops, comparators=others):
            sides = [value(first), *(_side(other, value) for other in others)]
            found = [
                _compared(left, each, right) for left, each, right in zip(sides, ops, sides[1:], strict=False)
            ]
            return reduce(operator.and_, found)
    raise AssertionError(f"parse_rule let {ast.dump(node)} through")


def _side(node: ast.expr, value: Callable[[ast.expr], Any]) -> Any:
    """The right of a comparison: one value, or all of a list."""
    return [value(each) for each in node.elts] if isinstance(node, _LISTS) else value(node)


def _compared(left: Any, op: ast.cmpop, right: Any) -> Any:
    if isinstance(op, ast.In | ast.NotIn):
        found = reduce(operator.or_, (operator.eq(*_same_kind(left, each)) for each in right))
        return found if isinstance(op, ast.In) else found ^ True
    return _COMPARISONS[type(op)](*_same_kind(left, right))


def _same_kind(left: Any, right: Any) -> tuple[Any, Any]:
    """A constant beside a time becomes a time."""
    for one, other in ((left, right), (right, left)):
        if isinstance(other, str) and getattr(one, "dtype", None) is not None and one.dtype.kind == "M":
            moment = one.dtype.type(utc(other))
            return (one, moment) if one is left else (moment, one)
    return left, right


def _shown(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:59]}…"
