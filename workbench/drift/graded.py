"""Answers whose outcome has come, counted: by day, label and cell of the probability. Made in one pass, merged by adding.

From the counts follow every metric, of all days and of any of them, so neither the reference's rows nor a window's need
to be kept. Cells are an even grid of log-odds joined with quantiles of the reference's answers: what rounding to a cell
costs is below 0.001 of an AUC (the tests hold it against scikit-learn's); log loss and Brier score are exact.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.drift.grid import Grid
from workbench.drift.sketch import by_day
from workbench.errors import BadInput

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

GRID = np.linspace(-12, 12, 193)
"""Log-odds; beyond are two more cells."""
QUANTILES = 128
"""Of the reference's answers, for models that answer within a narrow band."""
METRICS = ("auc", "log_loss", "brier", "calibration_error")
HIGHER_IS_BETTER = frozenset({"auc"})
CALIBRATION_BINS = 10
LABELS = 2


@dataclass(frozen=True)
class Graded:
    """Binary outcomes and the probabilities that were answered."""

    edges: tuple[float, ...]
    """Upper limits of all cells but the last, ascending; a cell holds its upper limit."""
    days: tuple[str, ...]
    """ISO dates, ascending, each once."""
    counts: Counts
    """(days, 2, cells): rows by label and cell."""
    sums: Floats
    """(3, 2, cells), over all days: totals of probability, log loss (nats) and squared error."""

    @property
    def rows(self) -> int:
        return int(self.counts.sum())

    @property
    def labels(self) -> tuple[int, int]:
        """Rows with label 0 and with label 1."""
        none, some = self.counts.sum(axis=(0, 2)).tolist()
        return none, some

    def __add__(self, other: Graded) -> Graded:
        """Both tables' rows. Raises BadInput where they were counted into other cells."""
        if self.edges != other.edges:
            raise BadInput("these outcomes were counted into different cells, so they cannot be added")
        days = tuple(sorted({*self.days, *other.days}))
        counts = np.zeros((len(days), *self.counts.shape[1:]), dtype=np.int64)
        for each in (self, other):
            counts[[days.index(day) for day in each.days]] += each.counts
        return Graded(self.edges, days, counts, self.sums + other.sums)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; the two arrays are packed."""
        return {
            "edges": list(self.edges),
            "days": list(self.days),
            "counts": pack(self.counts, "<i4"),
            "sums": pack(self.sums, "<f8"),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """What `as_dict` gave. Raises ValueError, TypeError or LookupError for something else."""
        edges, days = tuple(map(float, content["edges"])), tuple(map(str, content["days"]))
        cells = LABELS, len(edges) + 1
        counts = unpack(content["counts"], "<i4").reshape(len(days), *cells).astype(np.int64)
        return cls(edges, days, counts, unpack(content["sums"], "<f8").reshape(3, *cells))


def cells_of(scores: ArrayLike) -> tuple[float, ...]:
    """Edges of the cells that a reference's answers and every later one are counted into."""
    inner = np.quantile(
        np.asarray(scores, dtype=np.float64), np.linspace(0, 1, QUANTILES + 1), method="inverted_cdf"
    )
    return tuple(np.unique(np.concatenate([1 / (1 + np.exp(-GRID)), inner])).tolist())


def cell_of(edges: tuple[float, ...], scores: Floats) -> Counts:
    """The cell of each score: (rows,)."""
    return _grid(edges).slots(scores)


@lru_cache(maxsize=8)
def _grid(edges: tuple[float, ...]) -> Grid:
    return Grid.of(edges)


def graded(
    labels: ArrayLike, scores: ArrayLike, days: ArrayLike, edges: tuple[float, ...] | None = None
) -> Graded:
    """Count answers: `labels` (rows,) 0 or 1, `scores` (rows,) probabilities, `days` (rows,) dates.

    `edges` are the reference's; without, they are chosen by these scores. Raises BadInput for other shapes or values.
    """
    actual, said = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    at = np.asarray(days, dtype="datetime64[D]")
    if actual.ndim != 1 or not actual.shape == said.shape == at.shape or not len(actual):
        raise BadInput(
            f"labels {actual.shape}, scores {said.shape}, days {at.shape}: want three of one length"
        )
    if (
        not ((actual == 0) | (actual == 1)).all()
        or not ((said >= 0) & (said <= 1)).all()
        or np.isnat(at).any()
    ):
        raise BadInput("labels must be 0 or 1, scores probabilities between 0 and 1, and each row has a day")
    chosen = cells_of(said) if edges is None else edges
    names, placed = by_day(at)
    late = actual == 1
    cells = len(chosen) + 1
    cell = cell_of(chosen, said) + np.where(late, cells, 0)
    size = LABELS * cells
    counts = np.bincount(placed * size + cell, minlength=len(names) * size).reshape(len(names), LABELS, cells)
    epsilon = np.finfo(np.float64).eps
    right = np.clip(np.where(late, said, 1 - said), epsilon, 1)
    wrong = actual - said
    sums: Floats = np.array(
        [np.bincount(cell, each, minlength=size) for each in (said, -np.log(right), wrong * wrong)]
    )
    return Graded(chosen, tuple(map(str, names)), counts, sums.reshape(3, LABELS, cells))


def metrics_of(drawn: NDArray[Any], whole: Graded) -> dict[str, Floats]:
    """Every metric of METRICS for resamples of a table's rows: `drawn` (resamples, 2, cells); each (resamples,).

    AUC is that of the cells, ties within one counting half (Hanley and McNeil, 1982); NaN where there is one label only.
    A resampled cell has the mean loss that it has in the table, so for all rows log loss and Brier score (1950) are exact.
    Calibration error: groups of cells of about equal mass in the table (Naeini, Cooper and Hauskrecht, 2015).
    """
    held = whole.counts.sum(axis=0)
    said, log_loss, squared = whole.sums / np.maximum(held, 1)
    resampled = np.asarray(drawn, dtype=np.float64)
    negative, positive = resampled[:, 0], resampled[:, 1]
    rows = resampled.sum(axis=(1, 2))
    pairs = negative.sum(axis=1) * positive.sum(axis=1)
    wins = np.einsum("ij,ij->i", positive, np.cumsum(negative, axis=1) - negative / 2)
    gaps = (positive - negative * said[0] - positive * said[1]) @ _groups(held.sum(axis=0))
    with np.errstate(invalid="ignore"):
        return {
            "auc": wins / pairs,
            "log_loss": np.tensordot(resampled, log_loss, 2) / rows,
            "brier": np.tensordot(resampled, squared, 2) / rows,
            "calibration_error": np.abs(gaps).sum(axis=1) / rows,
        }


def _groups(rows: Counts) -> Floats:
    """(cells, CALIBRATION_BINS): 1 where a cell belongs to a group; by the middle of its rows."""
    middle = (np.cumsum(rows) - rows / 2) / max(1, rows.sum())
    group = np.minimum((middle * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    chosen: Floats = np.eye(CALIBRATION_BINS)[group]
    return chosen


def pack(values: NDArray[Any], kind: str) -> str:
    """Numbers as text for JSON: of this NumPy type, deflated, base64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(values, dtype=kind).tobytes())).decode()


def unpack(text: str, kind: str) -> NDArray[Any]:
    """What `pack` packed, flat. Raises ValueError for something else."""
    try:
        return np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), dtype=kind)
    except zlib.error as error:
        raise ValueError(f"packed numbers that cannot be unpacked: {error}") from error
