"""A table as histograms, one a column and day: made in one pass, merged by adding, a thousandth of the table's size.

The bins are the reference's own (quantiles of numbers, the commonest values of a text), so every later table is counted
into the same ones and comparing costs nothing. Distances from them are those of the values to within a bin's share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from workbench.contracts.columns import read_column
from workbench.contracts.contract import Column
from workbench.contracts.skew import as_numbers
from workbench.errors import BadInput

Counts = NDArray[np.int64]

INNER = (0.0005, 0.002, 0.006, *(number / 60 for number in range(1, 60)), 0.994, 0.998, 0.9995)
"""Quantiles that part the bins of numbers: finer at the ends, where values are far apart. A column with no more
different values than that has a bin for each."""
VALUES = 200
"""Texts counted one by one; the rest are one bin."""
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
    names, at = np.unique(np.asarray(days, dtype="datetime64[D]"), return_inverse=True)
    if len(at) != len(frame) or np.isnat(names).any():
        raise BadInput(f"{len(at)} days for {len(frame)} rows, each needs one")
    counts: dict[str, Counts] = {}
    sums: dict[str, NDArray[np.float64]] = {}
    for each in bins:
        if each.name not in frame.columns:
            raise BadInput(f"the table has no column '{each.name}', which the reference was counted by")
        placed, numbers = _placed(frame[each.name], each)
        slots = each.slots
        counted = np.bincount(at * slots + placed, minlength=len(names) * slots)
        counts[each.name] = counted.reshape(len(names), slots)
        if numbers is not None:
            sums[each.name] = np.bincount(at, np.nan_to_num(numbers), minlength=len(names)).astype(float)
    rows = np.bincount(at, minlength=len(names))
    return Sketch(tuple(bins), tuple(map(str, names)), rows, counts, sums)


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
    """The slot of each row, and numbers with NaN for what is missing."""
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
    numbers = np.where(there, as_numbers(read.values), np.nan)
    placed = np.searchsorted(np.asarray(bins.edges[1:-1]), numbers, side="left")
    placed[~there] = last
    return placed, numbers
