"""Which rows break which rule: each rule is one pass over arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from workbench.contracts.columns import Mask, Values
from workbench.contracts.contract import Column, Rule, Unique
from workbench.contracts.result import Breach, Examples
from workbench.contracts.rules import utc

EXAMPLES = 5
"""Bad values shown for each rule."""


class ColumnChecks:
    """What is asked of one column, ready to be compared with arrays."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.low, self.high = _bound(column.min), _bound(column.max)
        self.allowed = None if column.values is None else _allowed(column)
        self.pattern = None if column.pattern is None else re.compile(column.pattern)

    def breaches(self, frame: pd.DataFrame, read: Values) -> Iterator[Breach]:
        """One for each thing asked, whether or not a row breaks it."""
        column, rows = self.column, len(read.missing)
        there = read.there
        if not column.nullable:
            yield self._breach(frame, "is missing", read.missing)
        if read.wrong is not None:
            yield self._breach(frame, _NOT_A[column.type], read.wrong)
        if self.low is not None or self.high is not None:
            outside = np.zeros(rows, dtype=bool)
            with np.errstate(over="ignore"):  # a bound beyond what a short float holds is infinite there
                if self.low is not None:
                    outside |= read.values < self.low
                if self.high is not None:
                    outside |= read.values > self.high
            yield self._breach(frame, _range(column), outside & there)
        if self.allowed is not None:
            yield self._breach(frame, "is not an allowed value", ~_isin(read, self.allowed) & there)
        if (pattern := self.pattern) is not None:
            matches = _each(read, lambda text: pattern.fullmatch(text) is not None)
            yield self._breach(frame, f"does not match {column.pattern}", ~matches & there)
        if column.unique:
            again = np.zeros(rows, dtype=bool)
            again[there] = pd.Series(read.values[there]).duplicated().to_numpy()
            yield self._breach(frame, "stands here already", again)

    def _breach(self, frame: pd.DataFrame, message: str, broken: Mask) -> Breach:
        column = self.column
        count = int(np.count_nonzero(broken))
        shown = examples(frame[column.name], broken) if count else ()
        return Breach(
            f"{column.name} {message}", column.severity, broken, count, column.name, column.help, shown
        )


_NOT_A = {
    "int": "is not a whole number", "float": "is not a finite number", "text": "is not text",
    "category": "is not text", "bool": "is not true or false", "date": "is not a date", "datetime": "is not a time",
}  # fmt: skip


def _bound(bound: Any) -> Any:
    return np.datetime64(utc(bound)) if isinstance(bound, str) else bound


def _allowed(column: Column) -> Any:
    values = column.values or ()
    if column.type in ("date", "datetime"):
        return np.array([utc(str(value)) for value in values], dtype="datetime64[us]")
    if column.type in ("text", "category"):
        return frozenset(values)
    return np.array(values)


def _range(column: Column) -> str:
    if column.min is None:
        return f"is above {column.max}"
    return f"is below {column.min}" if column.max is None else f"is outside {column.min} to {column.max}"


def _isin(read: Values, allowed: Any) -> Mask:
    if isinstance(allowed, frozenset):
        return _each(read, allowed.__contains__)
    return np.asarray(np.isin(read.values, allowed))


def _each(read: Values, holds: Any) -> Mask:
    """`holds` for each text; every different text is asked once where there are many."""
    values = read.values
    if len(values) <= 64:
        found = np.zeros(len(values), dtype=bool)
        for row in np.flatnonzero(read.there):
            found[row] = holds(values[row])
        return found
    codes, different = read.coded or pd.factorize(values)
    if len(different) > len(values):  # categories of a table that these are a few rows of
        codes, different = pd.factorize(values)
    truths: Mask = np.array([*(holds(text) for text in different), False], dtype=bool)
    return np.asarray(truths[codes])  # a missing value has the code -1


def unique_breach(unique: Unique, read: Mapping[str, Values], rows: int) -> Breach:
    """As in SQL, a row in which a part of the key is missing is like no other."""
    columns = {name: read[name].values for name in unique.columns}
    there = _judged(unique.columns, read, rows)
    broken = np.zeros(rows, dtype=bool)
    if rows > 1:
        keys = pd.DataFrame({name: values[there] for name, values in columns.items()})
        broken[there] = keys.duplicated(keep="first").to_numpy()
    name = f"{', '.join(columns)} {'stand' if len(columns) > 1 else 'stands'} together already"
    return Breach(name, unique.severity, broken, int(broken.sum()), examples=_several(columns, broken))


def _judged(names: Iterable[str], read: Mapping[str, Values], rows: int) -> Mask:
    """Rows in which each of these columns has a value of its type."""
    judged = np.ones(rows, dtype=bool)
    for name in names:
        judged &= read[name].there
    return judged


def _several(columns: Mapping[str, Any], broken: Mask) -> Examples:
    rows = np.flatnonzero(broken)[:EXAMPLES]
    return tuple(
        (int(row), ", ".join(f"{name} {_shown(values[row])}" for name, values in columns.items()))
        for row in rows
    )


def rule_breach(rule: Rule, read: Mapping[str, Values], rows: int) -> Breach:
    """Rows in which a judged column is missing or of a wrong type are not judged."""
    broken, judged = np.zeros(rows, dtype=bool), _judged(rule.expect.judged, read, rows)
    everywhere = bool(judged.all())
    names = rule.expect.columns
    values = {name: read[name].values if everywhere else read[name].values[judged] for name in names}
    missing = {name: read[name].missing if everywhere else read[name].missing[judged] for name in names}
    with np.errstate(all="ignore"):
        holds = rule.expect.holds(values, missing)
    broken[judged] = ~np.broadcast_to(np.asarray(holds, dtype=bool), int(judged.sum()))
    shown = _several({name: read[name].values for name in sorted(names)}, broken)
    meaning = rule.help or rule.expect.text
    return Breach(rule.name, rule.severity, broken, int(broken.sum()), None, meaning, shown)


def callers_breaches(also: Mapping[str, Any], rows: int) -> Iterator[Breach]:
    """Rules that only the caller can judge. Raises ValueError for truths that do not fit the rows."""
    for name, truths in also.items():
        broken = np.asarray(truths, dtype=bool)
        if broken.shape != (rows,):
            raise ValueError(
                f"rule '{name}' has the shape {broken.shape}; expected one truth for each of {rows} rows"
            )
        yield Breach(name, "quarantine", broken, int(broken.sum()))


def examples(series: pd.Series[Any], broken: Mask | None) -> Examples:
    """The first rows that are broken, and their values."""
    rows = np.flatnonzero(broken)[:EXAMPLES] if broken is not None else ()
    return tuple((int(row), _shown(series.iloc[row])) for row in rows)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else _plain(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _plain(value: Any) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "missing"
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[s]")).replace("T00:00:00", "")
    return str(value)
