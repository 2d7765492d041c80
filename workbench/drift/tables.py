"""How far one table is from another: two versions of the same data.

Where the tables have days, and the first is at least three times as long as the second, what is ordinary is calibrated as for
windows of the prediction log. Otherwise distances stand for themselves: there is nothing that says what is usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from workbench.contracts.contract import Column, Type
from workbench.drift.compare import Moved, compare
from workbench.drift.distribution import Distribution, distribution
from workbench.drift.ordinary import ROWS, Ordinary, ordinary
from workbench.drift.sketch import Sketch, bins_of, sketch
from workbench.errors import BadInput

MOST_ROWS = 200_000
"""Of either table that are compared: evenly chosen, which moves shares by less than 0.2 percentage points."""


@dataclass(frozen=True)
class Between:
    """Two tables, held against each other."""

    moved: tuple[Moved, ...]
    """Every column of both, the most unusual first; the furthest first where nothing is calibrated."""
    calibrated: bool
    """Whether `limit`, `drifted` and `score` mean anything."""
    distributions: tuple[Distribution, ...]
    """Of the same columns, in the same order."""
    only_before: tuple[str, ...]
    only_now: tuple[str, ...]
    """Columns that only one has."""


def between(before: pd.DataFrame, now: pd.DataFrame, day: str | None = None) -> Between:
    """Compare two tables, column by column; `day` is a column of dates in both, by which they are laid out and which is not compared. Raises BadInput for an empty table."""
    for table, which in ((before, "first"), (now, "second")):
        if not len(table):
            raise BadInput(f"the {which} table has no rows, so there is nothing to compare")
    both = [str(name) for name in before.columns if name in now.columns and name != day]
    columns = [Column(name, type_of(before[name])) for name in both]
    first, second = (_thinned(each) for each in (before, now))
    bins = bins_of(first, columns)
    was, is_ = (sketch(each, bins, _days(each, day)) for each in (first, second))
    usual = _usual(was, is_) if day in before.columns and day in now.columns else None
    moved = compare(was, is_, usual or _unknown(both))
    if usual is None:
        moved = tuple(sorted(moved, key=lambda each: -each.distance))
    shown = {each.name: each for each in bins}
    return Between(
        moved,
        usual is not None,
        tuple(
            distribution(shown[name], was.total(name), is_.total(name))
            for name in (each.name for each in moved)
        ),
        tuple(str(name) for name in before.columns if name not in now.columns),
        tuple(str(name) for name in now.columns if name not in before.columns),
    )


def type_of(series: pd.Series[object]) -> Type:
    """The contract's type that a column has by itself."""
    if types.is_bool_dtype(series.dtype):
        return "bool"
    if types.is_datetime64_any_dtype(series.dtype):
        return "datetime"
    if types.is_numeric_dtype(series.dtype):
        return "float"
    return "text"


def day_column(before: pd.DataFrame, now: pd.DataFrame, names: Sequence[str] = ()) -> str | None:
    """The first column of dates that both have: one of `names`, else any."""
    for name in (*names, *before.columns):
        there = [name in table.columns for table in (before, now)]
        if all(there) and all(types.is_datetime64_any_dtype(table[name].dtype) for table in (before, now)):
            return str(name)
    return None


def _thinned(table: pd.DataFrame) -> pd.DataFrame:
    if len(table) <= MOST_ROWS:
        return table
    return table.iloc[np.linspace(0, len(table) - 1, MOST_ROWS).round().astype(np.int64)]


def _days(table: pd.DataFrame, day: str | None) -> NDArray[np.datetime64]:
    """The day of each row; all of one where none is known, or some rows have none."""
    if day is not None and day in table.columns and not table[day].isna().any():
        days: NDArray[np.datetime64] = table[day].to_numpy(dtype="datetime64[D]")
        return days
    return np.zeros(len(table), dtype="datetime64[D]")


def _usual(before: Sketch, now: Sketch) -> Ordinary | None:
    """What is ordinary for a stretch as long as the second table; None where the first is too short to tell."""
    days, rows = len(now.days), int(now.rows.sum())
    if rows < ROWS or len(before.days) < 3 * days:
        return None
    return ordinary(before, days, rows)


def _unknown(names: Sequence[str]) -> Ordinary:
    return Ordinary(1, 1, 0, dict.fromkeys(names, 0.0), dict.fromkeys(names, 1.0), float("inf"))
