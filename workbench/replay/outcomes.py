"""The rows of the months, with their labels as they came, and how good a version's answers to them were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.contracts.contract import read_contract
from workbench.errors import BadInput, did_you_mean
from workbench.evaluation import Counts, Interval, Measured, bootstrap_weights, compare, measure
from workbench.registry import Located, built
from workbench.replay.months import Month

Floats = NDArray[np.float64]

RESAMPLES = 200
LEAST = 200
"""Rows of a month below which nothing is said of it."""


@dataclass(frozen=True)
class Rows:
    """One month's rows."""

    frame: pd.DataFrame
    labels: Floats
    """(rows,) of 0 and 1."""
    days: NDArray[np.datetime64]
    """(rows,)"""
    weights: Counts
    """(RESAMPLES, rows): how often a row is drawn, by whole days. The same for every version, so that they compare."""

    @property
    def first(self) -> np.datetime64:
        """The first day."""
        return np.datetime64(self.days.min(), "D")

    @property
    def length(self) -> int:
        """Days from the first to the last, both included."""
        return int((np.datetime64(self.days.max(), "D") - self.first) / np.timedelta64(1, "D")) + 1


class Outcomes:
    """Rows by month; answers and measures of versions on them, each calculated once."""

    def __init__(self, rows: Mapping[Month, Rows]) -> None:
        self.rows = rows
        self._models: dict[str, tuple[Any, list[str]]] = {}
        self._scores: dict[tuple[str, Month], Floats] = {}
        self._measured: dict[tuple[str, Month], Measured] = {}

    def learn(self, located: Located) -> None:
        """Know a version's model, by its digest."""
        if located.digest not in self._models:
            names = [str(each["name"]) for each in located.signature["inputs"]]
            self.know(located.digest, built(located).estimator, names)

    def know(self, digest: str, estimator: Any, features: Sequence[str]) -> None:
        """The same of a fitted model at hand, which is asked about these columns."""
        self._models[digest] = estimator, list(features)

    def scores(self, digest: str, month: Month) -> Floats:
        """A version's probabilities for the rows of a month: (rows,)."""
        if (digest, month) not in self._scores:
            estimator, names = self._models[digest]
            frame = self.rows[month].frame[names]
            self._scores[digest, month] = np.asarray(estimator.predict_proba(frame), dtype=np.float64)[:, 1]
        return self._scores[digest, month]

    def measured(self, digest: str, month: Month) -> Measured:
        """How good they are."""
        if (digest, month) not in self._measured:
            rows = self.rows[month]
            self._measured[digest, month] = measure(rows.labels, self.scores(digest, month), rows.weights)
        return self._measured[digest, month]

    def difference(self, ours: str, theirs: str, month: Month, metric: str = "log_loss") -> Interval:
        """A metric of one version minus that of another on the same rows, paired."""
        return compare(self.measured(ours, month), self.measured(theirs, month))[metric]


def read_outcomes(
    files: Sequence[Path], contract: Path, day: str, months: Sequence[Month]
) -> dict[Month, Rows]:
    """The rows of each month. Raises BadInput for a missing column, other labels, or a month with too few rows."""
    label = read_contract(contract).label
    if label is None:
        raise BadInput(f"contract '{contract.name}' names no label, so nothing says how good answers were")
    frame = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    for column in (label, day):
        if column not in frame.columns:
            hint = did_you_mean(column, map(str, frame.columns))
            raise BadInput(f"'model: replay: rows' has no column '{column}'{hint}")
    days = pd.to_datetime(frame[day]).to_numpy().astype("datetime64[D]")
    numbers = pd.DatetimeIndex(days)
    found = {}
    for month in months:
        inside = np.asarray(
            (numbers.month == month.number) & ((numbers.year == month.year) | (not month.year))
        )
        labels = frame[label].to_numpy()[inside].astype(np.float64)
        if len(labels) < LEAST or len(np.unique(labels)) != 2 or not np.isin(labels, (0.0, 1.0)).all():
            raise BadInput(
                f"{month.name} has {len(labels)} rows with label '{label}', expected at least {LEAST}, of 0 and 1 both: "
                "choose other months with --first and --last"
            )
        weights = bootstrap_weights(len(labels), RESAMPLES, groups=days[inside])
        found[month] = Rows(frame[inside].reset_index(drop=True), labels, days[inside], weights)
    return found
