"""One version, made ready to answer: verified, asked its golden requests, warm.

load_version
├── registry.load    every digest, every type
├── scorer_of        its contract, and whether the model fits it
├── replay           its golden requests, to the last bit
└── _way_of          how it is asked: by the shortcut or not, joined with others or not
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.contracts.contract import Contract
from workbench.errors import ModelError
from workbench.golden import frame_of, read_golden, replay
from workbench.ledger import Ledger
from workbench.registry import load
from workbench.scoring.model import Scorer, scorer_of
from workbench.serving.shortcut import Answers, Columns, shortcut
from workbench.settings import Project

EIGHT = 8
"""Rows that BLAS (OpenBLAS, one thread) multiplies with a vector in one go; rows that are left over it sums in another
order. Measured for a logistic regression on 15 dense columns: 9 % of the rows differ in their last bit when asked alone, none
when their number is a multiple of eight."""


@dataclass(frozen=True, eq=False)
class Served:
    """A version that can answer."""

    scorer: Scorer
    model: str
    version: int
    digest: str
    way: Way
    loaded: float
    """Seconds since the epoch, UTC."""

    @property
    def contract(self) -> Contract:
        return self.scorer.contract

    def probabilities(self, columns: Columns, rows: int) -> NDArray[np.float64]:
        """The label's probability for rows that keep the contract; (rows,). Raises ModelError."""
        return self.way.ask(self.scorer, columns, rows)


@dataclass(frozen=True, eq=False)
class Way:
    """How a version is asked so that a row's answer does not hang on the rows that it is asked with."""

    shortcut: Answers | None
    multiple: int
    """Rows are asked in multiples of this; 0: requests are not joined, because nothing makes their answers alike."""

    def ask(self, scorer: Scorer, columns: Columns, rows: int) -> NDArray[np.float64]:
        if not rows:
            return np.empty(0)
        padded = _padded(columns, rows, self.multiple or 1)
        if self.shortcut is None:
            return scorer.probabilities(_frame(scorer, padded))[:rows]
        try:
            found = self.shortcut(padded)[:rows, 1]
        except (ValueError, TypeError) as error:
            raise ModelError(f"{scorer.name} cannot score these rows: {error}") from error
        return scorer.finite(found)


def load_version(project: Project, ledger: Ledger, model: str, version: int) -> Served:
    """Load a version beside whatever serves. Raises ModelError, BadInput, LedgerError, TrackingError, SpecError."""
    loaded = load(project, model, version, ledger)
    scorer = scorer_of(loaded, with_contract=True)
    if loaded.golden is None:
        raise ModelError(
            f"{scorer.name} has no golden requests that would tell whether it still is that model"
        )
    golden = loaded.golden.read_text(encoding="utf-8")
    said = replay(loaded.estimator, golden)
    if not said.exact:
        raise ModelError(
            f"{scorer.name} answers {said.wrong} of its {said.rows} golden requests otherwise than when it was "
            f"registered (by up to {said.largest_difference:g}); is this another version of scikit-learn?"
        )
    way = _way_of(scorer, sample_of(golden, scorer))
    return Served(scorer, loaded.model, loaded.version, loaded.digest, way, time.time())


def sample_of(golden: str, scorer: Scorer) -> Columns:
    """The inputs of golden requests as a question has them."""
    frame = frame_of(read_golden(golden))
    types = {column.name: column.type for column in scorer.contract.columns}
    return {name: as_asked(frame[name].to_numpy(), types[name]) for name in scorer.features}


def as_asked(values: NDArray[Any], kind: str) -> NDArray[Any]:
    """A column of a frame as a question has it; see answers.Question."""
    if kind in ("int", "float"):
        return values.astype(np.float64)
    if kind in ("date", "datetime"):
        return values.astype("datetime64[us]")
    found = values.astype(object)
    found[np.fromiter((value is None or value != value for value in found), bool, len(found))] = None
    return found


def _way_of(scorer: Scorer, sample: Columns) -> Way:
    """The fastest way that gives the model's own answers, tried with rows that are at hand (which warms all of it up)."""
    rows = len(next(iter(sample.values())))
    for multiple in (1, EIGHT):
        plain = Way(None, multiple)
        expected = plain.ask(scorer, sample, rows)
        if not _alike(lambda columns, n: plain.ask(scorer, columns, n), sample, expected):  # noqa: B023
            continue
        quick = shortcut(scorer.estimator, scorer.contract)
        way = Way(quick, multiple)
        if quick is not None and _alike(lambda columns, n: way.ask(scorer, columns, n), sample, expected):  # noqa: B023
            return way
        return plain
    return Way(None, 0)


def _alike(
    ask: Callable[[Columns, int], NDArray[np.float64]], sample: Columns, expected: NDArray[np.float64]
) -> bool:
    """Whether rows get these answers whether they are asked together, alone, by threes or in another order."""
    rows = len(expected)
    try:
        for size in (rows, 1, 3):
            for start in range(0, rows, size):
                here = slice(start, min(start + size, rows))
                given = {name: values[here] for name, values in sample.items()}
                if not np.array_equal(ask(given, here.stop - here.start), expected[here]):
                    return False
        turned = {name: values[::-1].copy() for name, values in sample.items()}
        return np.array_equal(ask(turned, rows), expected[::-1])
    except (ModelError, LookupError, AttributeError):
        return False


def _padded(columns: Columns, rows: int, multiple: int) -> Columns:
    """The last row is repeated until their number is a multiple."""
    more = -rows % multiple
    if not more:
        return columns
    return {name: np.concatenate([values, np.repeat(values[-1:], more)]) for name, values in columns.items()}


def _frame(scorer: Scorer, columns: Columns) -> Any:
    import pandas as pd

    return pd.DataFrame({name: columns[name] for name in scorer.features}, copy=False)
