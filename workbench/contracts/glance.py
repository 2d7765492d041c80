"""Whether a few rows plainly keep a contract, at a tenth of the cost of `check`: for the one row of a request.

A glance says yes where `check` would have nothing to say, and knows nothing else: where it says no, `check` says what is
wrong, or that nothing is. It looks at columns as serving has them: float64 (NaN: missing) and objects (None: missing).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.contracts.breaches import ColumnChecks
from workbench.contracts.contract import Column, Contract

Columns = Mapping[str, NDArray[Any]]
Keeps = Callable[[NDArray[Any]], bool]

MOST_ROWS = 256
"""Texts are looked at one by one; of more rows, `check` asks every different text once."""


def plainly_keeps(columns: Columns, rows: int, contract: Contract) -> bool:
    """Whether nothing at all is to be said of these columns, (rows,) each."""
    return rows <= MOST_ROWS and _glance(contract)(columns)


@lru_cache(maxsize=64)
def _glance(contract: Contract) -> Callable[[Columns], bool]:
    looks = {column.name: _look(column) for column in contract.columns}
    rules = [rule.expect for rule in contract.rules]

    def keeps(columns: Columns) -> bool:
        if columns.keys() != looks.keys() or not all(look(columns[name]) for name, look in looks.items()):
            return False
        for expect in rules:
            values = {name: columns[name] for name in expect.columns}
            missing = {name: _missing(each) for name, each in values.items()}
            if any(missing[name].any() for name in expect.judged):
                return False
            with np.errstate(all="ignore"):
                if not np.all(expect.holds(values, missing)):
                    return False
        return True

    return keeps


def _look(column: Column) -> Keeps:
    if column.unique or column.type in ("date", "datetime", "bool"):
        return lambda _: False
    checks = ColumnChecks(column)
    return _of_numbers(checks) if column.type in ("int", "float") else _of_texts(checks)


def _of_numbers(checks: ColumnChecks) -> Keeps:
    column, low, high, allowed = checks.column, checks.low, checks.high, checks.allowed
    whole, nullable = column.type == "int", column.nullable

    def keeps(values: NDArray[Any]) -> bool:
        if values.dtype != np.float64:
            return False
        there = values
        if not np.isfinite(values).all():
            missing = np.isnan(values)
            if not nullable:
                return False
            there = values[~missing]
            if not np.isfinite(there).all():
                return False
        return not (
            (whole and (there != np.floor(there)).any())
            or (low is not None and (there < low).any())
            or (high is not None and (there > high).any())
            or (allowed is not None and not np.isin(there, allowed).all())
        )

    return keeps


def _of_texts(checks: ColumnChecks) -> Keeps:
    allowed, pattern, nullable = checks.allowed, checks.pattern, checks.column.nullable

    def keeps(values: NDArray[Any]) -> bool:
        if values.dtype != object:
            return False
        for text in values:
            if text is None:
                if not nullable:
                    return False
            elif (
                type(text) is not str
                or (allowed is not None and text not in allowed)
                or (pattern is not None and pattern.fullmatch(text) is None)
            ):
                return False
        return checks.low is None and checks.high is None

    return keeps


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype == object:
        return np.fromiter((value is None for value in values), bool, len(values))
    return np.asarray(np.isnan(values))
