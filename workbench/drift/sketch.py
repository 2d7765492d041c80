"""A table as histograms, one a column and day: made in one pass, merged by adding, a thousandth of the table's size.

The bins are the reference's own (quantiles of numbers, the commonest values of a text), so every later table is counted
into the same ones and comparing costs nothing. Distances from them are those of the values to within a bin's share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from workbench.contracts.columns import read_column
from workbench.contracts.contract import Column
from workbench.contracts.skew import as_numbers
from workbench.drift.grid import Grid
from workbench.errors import BadInput

Counts = NDArray[np.int64]

INNER = (0.0005, 0.002, 0.006, *(number / 60 for number in range(1, 60)), 0.994, 0.998, 0.9995)
"""Quantiles that part the bins of numbers: finer at the ends, where values are far apart. A column with no more
different values than that has a bin for each."""
VALUES = 200
"""Texts counted one by one; the rest are one bin."""
MOST_DAYS = 100_000
"""From the first to the last; tables that span more (a date of 1 AD among those of today) are sorted instead."""
TEXTS = ("text", "category", "bool")


@dataclass(frozen=True)
class Bins:
    """How the values of one column are counted. The last slot counts what is missing."""

    name: str
    type: str
    """Of the contract."""
    edges: tuple[float, ...] = ()
    """Limits of the bins of numbers and times (seconds since the epoch), ascending; a bin holds its upper limit."""
    values: tuple[str, ...] = ()
    """One slot each; one more for every other text."""
    scale: float = 1.0
    """Standard deviation in the reference."""

    @cached_property
    def grid(self) -> Grid:
        """Finds the slots of numbers."""
        return Grid.of(self.edges[1:-1])

    @property
    def slots(self) -> int:
        return (len(self.values) + 1 if self.type in TEXTS else max(1, len(self.edges) - 1)) + 1


@dataclass(frozen=True)
class Sketch:
    """Histograms of some days."""

    bins: tuple[Bins, ...]
    days: tuple[str, ...]
    """ISO dates, ascending, each once."""
    rows: Counts
    """(days,)"""
    counts: Mapping[str, Counts]
    """By column, (days, slots)."""
    sums: Mapping[str, NDArray[np.float64]]
    """By column of numbers, (days,): totals of its values, for means."""

    def __add__(self, other: Sketch) -> Sketch:
        """Both tables' rows. Raises BadInput where they were counted into other bins."""
        if self.bins != other.bins:
            raise BadInput(
                "these sketches have different bins, so they cannot be added; count both into the same"
            )
        days = tuple(sorted({*self.days, *other.days}))
        parts = [(sketch, [days.index(day) for day in sketch.days]) for sketch in (self, other)]

        def joined(like: NDArray[Any], chosen: Any) -> NDArray[Any]:
            total = np.zeros((len(days), *like.shape[1:]), dtype=like.dtype)
            for sketch, places in parts:
                total[places] += chosen(sketch)
            return total

        return Sketch(
            self.bins,
            days,
            joined(self.rows, lambda each: each.rows),
            {
                name: joined(held, lambda each, name=name: each.counts[name])
                for name, held in self.counts.items()
            },
            {name: joined(held, lambda each, name=name: each.sums[name]) for name, held in self.sums.items()},
        )

    def total(self, name: str) -> Counts:
        """(slots,): rows of a column by its bins, of all days."""
        found: Counts = self.counts[name].sum(axis=0)
        return found

    def between(self, since: str, until: str) -> Sketch:
        """The days from `since` up to, not including, `until` (ISO dates)."""
        chosen = np.array([since <= day < until for day in self.days], dtype=bool)
        return Sketch(
            self.bins,
            tuple(day for day, here in zip(self.days, chosen, strict=True) if here),
            self.rows[chosen],
            {name: held[chosen] for name, held in self.counts.items()},
            {name: held[chosen] for name, held in self.sums.items()},
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "bins": [asdict(each) for each in self.bins],
            "days": list(self.days),
            "rows": self.rows.tolist(),
            "counts": {name: held.tolist() for name, held in self.counts.items()},
            "sums": {name: held.tolist() for name, held in self.sums.items()},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """What `as_dict` gave. Raises ValueError, TypeError or LookupError for something else."""
        bins = tuple(
            Bins(**{**each, "edges": tuple(each["edges"]), "values": tuple(each["values"])})
            for each in content["bins"]
        )
        days = tuple(content["days"])
        counts = {
            each.name: np.asarray(content["counts"][each.name], dtype=np.int64).reshape(len(days), each.slots)
            for each in bins
        }
        sums = {name: np.asarray(held, dtype=np.float64) for name, held in content["sums"].items()}
        return cls(bins, days, np.asarray(content["rows"], dtype=np.int64), counts, sums)


def bins_of(reference: pd.DataFrame, columns: Iterable[Column]) -> tuple[Bins, ...]:
    """The bins of each column that the reference has, chosen by its values."""
    return tuple(_bins(reference[each.name], each) for each in columns if each.name in reference.columns)


def sketch(frame: pd.DataFrame, bins: Sequence[Bins], days: ArrayLike) -> Sketch:
    """Count a table; `days` (rows,) are dates: what day each row belongs to. Raises BadInput for a missing column."""
    names, at = by_day(np.asarray(days, dtype="datetime64[D]"))
    if len(at) != len(frame):
        raise BadInput(f"{len(at)} days for {len(frame)} rows, each needs one")
    counts: dict[str, Counts] = {}
    sums: dict[str, NDArray[np.float64]] = {}
    for each, placed, numbers in place(frame, bins):
        counts[each.name] = tally(at, placed, (len(names), each.slots))
        if numbers is not None:
            sums[each.name] = _totals(at, numbers, len(names))
    rows = np.bincount(at, minlength=len(names))
    return Sketch(tuple(bins), tuple(map(str, names)), rows, counts, sums)


def place(
    frame: pd.DataFrame, bins: Iterable[Bins]
) -> Iterator[tuple[Bins, Counts, NDArray[np.float64] | None]]:
    """The slot of every row, column by column, and numbers with NaN for what is missing. Raises BadInput."""
    for each in bins:
        if each.name not in frame.columns:
            raise BadInput(f"the table has no column '{each.name}', which the reference was counted by")
        yield each, *_placed(frame[each.name], each)


def by_day(days: NDArray[np.datetime64]) -> tuple[NDArray[np.datetime64], Counts]:
    """The different days, ascending, and which of them each row is of. Raises BadInput where a row has none."""
    if not len(days):
        return days, np.zeros(0, dtype=np.int64)
    if np.isnat(days).any():
        raise BadInput(f"{int(np.isnat(days).sum())} rows have no day, each needs one")
    since = days.astype(np.int64)
    first, last = int(since.min()), int(since.max())
    if last - first > MOST_DAYS:
        names, at = np.unique(days, return_inverse=True)
        return names, at
    since -= first
    there = np.bincount(since, minlength=last - first + 1) > 0
    names = days.min() + np.flatnonzero(there)
    return names, since if there.all() else (np.cumsum(there) - 1)[since]


def tally(at: Counts, placed: NDArray[np.integer[Any]], shape: tuple[int, int]) -> Counts:
    """Rows by day and slot: `shape`."""
    days, slots = shape
    if days == 1:
        return np.bincount(placed, minlength=slots).reshape(shape)
    return np.bincount(at * slots + placed, minlength=days * slots).reshape(shape)


def _totals(at: Counts, numbers: NDArray[np.float64], days: int) -> NDArray[np.float64]:
    if days == 1:
        return np.array([np.nansum(numbers)])
    return np.bincount(at, np.where(np.isnan(numbers), 0.0, numbers), minlength=days).astype(np.float64)


def _bins(series: pd.Series[Any], column: Column) -> Bins:
    read = read_column(series, column.type)
    values = read.values[read.there]
    if column.type in TEXTS:
        common = pd.Series(values).astype(str).value_counts().index[:VALUES]
        return Bins(column.name, column.type, values=tuple(common))
    numbers = as_numbers(values)
    different = np.unique(numbers)
    if len(different) <= len(INNER):
        limits = np.concatenate([different[:1], different])
    else:
        inner = np.quantile(numbers, INNER, method="inverted_cdf")
        limits = np.concatenate([different[:1], np.unique(inner), different[-1:]])
        limits = limits if limits[-1] > limits[-2] else limits[:-1]
    scale = float(numbers.std()) if len(numbers) else 1.0
    return Bins(column.name, column.type, tuple(map(float, limits)), scale=scale or 1.0)


def _placed(series: pd.Series[Any], bins: Bins) -> tuple[Counts, NDArray[np.float64] | None]:
    last = bins.slots - 1
    if bins.type in TEXTS:
        if isinstance(series.dtype, pd.CategoricalDtype):
            known = {value: slot for slot, value in enumerate(bins.values)}
            slots = [known.get(str(value), last - 1) for value in series.cat.categories]
            return np.array([*slots, last])[
                series.cat.codes.to_numpy()
            ], None  # code -1 is missing: the last one
        read = read_column(series, bins.type)
        texts = read.values if read.values.dtype.kind == "O" else read.values.astype(str)
        placed = pd.Categorical(texts, categories=list(bins.values)).codes.astype(np.int64)
        placed[placed < 0] = last - 1
        placed[~read.there] = last
        return placed, None
    read = read_column(series, bins.type)
    there = read.there
    values = as_numbers(read.values)
    numbers = values if there.all() else np.where(there, values, np.nan)
    placed = bins.grid.slots(numbers)
    placed[~there] = last
    return placed, numbers
