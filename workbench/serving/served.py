"""One version, made ready to answer: verified, asked its golden requests, warm.

load_version
├── registry.load    every digest, every type
├── scorer_of        its contract, and whether the model fits it
├── replay           its golden requests, to the last bit
└── _way_of          how it is asked: by the shortcut or not, joined with others or not
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.contracts.contract import Contract
from workbench.errors import ModelError
from workbench.golden import frame_of, read_golden, replay
from workbench.registry import Loaded
from workbench.scoring.model import Scorer, scorer_of
from workbench.serving.shortcut import Answers, Columns, shortcut

EIGHT = 8
"""Rows are asked in multiples of this, the last one repeated. BLAS (OpenBLAS, one thread) multiplies so many with a vector in
one go, and sums those that are left over in another order: of a logistic regression on 15 dense columns, 9 % of the rows get
another last bit when they are asked alone, none when their number is a multiple of eight. It costs next to nothing: what one
row takes is almost all fixed."""

TRIED = 6
"""Rows that a version is asked alone when it is loaded."""


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
    joins: bool = True
    """False: nothing makes answers alike, so requests are not joined."""

    def ask(self, scorer: Scorer, columns: Columns, rows: int) -> NDArray[np.float64]:
        if not rows:
            return np.empty(0)
        padded = _padded(columns, rows)
        if self.shortcut is None:
            return scorer.probabilities(_frame(scorer, padded))[:rows]
        try:
            found = self.shortcut(padded)[:rows, 1]
        except (ValueError, TypeError) as error:
            raise ModelError(f"{scorer.name} cannot score these rows: {error}") from error
        return scorer.finite(found)


def try_version(loaded: Loaded) -> Served:
    """Make a loaded version ready. Raises ModelError, BadInput and SpecError with the reason why it may not serve."""
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
    return values.astype(object)  # what is missing is None already: see missing.as_served


def _way_of(scorer: Scorer, sample: Columns) -> Way:
    """The fastest way that gives the model's own answers, tried with rows at hand: which warms all of it up."""
    rows = len(next(iter(sample.values())))
    plain = Way(None)
    expected = plain.ask(scorer, sample, rows)
    if not _alike(plain, scorer, sample, expected):
        return Way(None, joins=False)
    quick = Way(shortcut(scorer.estimator, scorer.contract))
    return quick if _alike(quick, scorer, sample, expected) else plain


def _alike(way: Way, scorer: Scorer, sample: Columns, expected: NDArray[np.float64]) -> bool:
    """Whether rows get these answers whether they are asked together or alone."""
    rows = len(expected)
    spread = sorted({*np.linspace(0, rows - 1, num=min(rows, TRIED)).astype(int).tolist()})
    try:
        if not np.array_equal(way.ask(scorer, sample, rows), expected):
            return False
        alone = [
            way.ask(scorer, {name: values[row : row + 1] for name, values in sample.items()}, 1)
            for row in spread
        ]
    except (ModelError, LookupError, AttributeError):
        return False
    return np.array_equal(np.concatenate(alone), expected[spread])


def _padded(columns: Columns, rows: int) -> Columns:
    """The last row is repeated until there are a multiple of EIGHT."""
    more = -rows % EIGHT
    if not more:
        return columns
    return {name: np.concatenate([values, np.repeat(values[-1:], more)]) for name, values in columns.items()}


def _frame(scorer: Scorer, columns: Columns) -> Any:
    import pandas as pd

    return pd.DataFrame({name: columns[name] for name in scorer.features}, copy=False)
