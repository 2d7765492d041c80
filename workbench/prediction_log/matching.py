"""Which outcome belongs to which prediction: by prediction id, or by the columns that identify a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from workbench.errors import BadInput
from workbench.prediction_log.entries import split_id
from workbench.prediction_log.joining import Outcomes
from workbench.prediction_log.tables import KEY, key_column

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


class Matching(Protocol):
    """Knows the rows of a table of outcomes by what identifies them."""

    columns: tuple[str, ...]
    """What it has to see of a prediction, beside request and row."""
    same: NDArray[np.int64]
    """Of each outcome a number that outcomes of the same prediction share; -1: it identifies none."""

    def places(self, batch: pa.RecordBatch) -> NDArray[np.int64]:
        """For each prediction of a batch, that number; -1 where no outcome is its."""
        ...


class ById:
    """Outcomes with prediction ids."""

    columns: tuple[str, ...] = ()

    def __init__(self, ids: Sequence[Any]) -> None:
        import pyarrow as pa

        split = [_split(each) for each in ids]
        self.requests = {each[0] for each in split if each}
        there = [at for at, each in enumerate(split) if each]
        known = [each for each in split if each]
        table = pa.table({
            "request": pa.array([request for request, _ in known], pa.string()),
            "row": pa.array([row for _, row in known], pa.int64()),
            "outcome": pa.array(there, pa.int64()), "outcome_came": pa.nulls(len(known)),
        })  # fmt: skip
        self._newest = Outcomes(table)
        self.same = np.full(len(split), -1, dtype=np.int64)
        self.same[there] = self._numbers(table["request"].combine_chunks(), table["row"].combine_chunks())

    def places(self, batch: pa.RecordBatch) -> NDArray[np.int64]:
        return self._numbers(batch.column("request"), batch.column("row"))

    def _numbers(self, requests: pa.Array, rows: pa.Array) -> NDArray[np.int64]:
        """The number is the place of the last outcome of the same prediction."""
        found: NDArray[np.int64] = (
            self._newest.of(requests, rows)[0].fill_null(-1).to_numpy(zero_copy_only=False)
        )
        return found


class ByKeys:
    """Outcomes with key columns. Several predictions may have one key: each of them is matched."""

    def __init__(self, keys: Mapping[str, pa.Array]) -> None:
        """`keys` by name, (outcomes,) each."""
        self.columns = tuple(f"{KEY}{name}" for name in keys)
        coded = [key_column(column) for column in keys.values()]
        self._words = [
            {word: code for code, word in enumerate(each.dictionary.to_pylist())} for each in coded
        ]
        self._levels: list[NDArray[np.int64]] = []
        self.same = _codes(coded[0], self._words[0])
        for each, words in zip(coded[1:], self._words[1:], strict=True):
            pairs = _paired(self.same, _codes(each, words), len(words))
            self._levels.append(np.unique(pairs[pairs >= 0]))
            self.same = _ranks(self._levels[-1], pairs)

    def places(self, batch: pa.RecordBatch) -> NDArray[np.int64]:
        found = _codes(batch.column(self.columns[0]), self._words[0])
        for name, words, level in zip(self.columns[1:], self._words[1:], self._levels, strict=True):
            found = _ranks(level, _paired(found, _codes(batch.column(name), words), len(words)))
        return found


def _split(value: Any) -> tuple[str, int] | None:
    try:
        return split_id(str(value))
    except BadInput:
        return None


def _codes(column: Any, words: Mapping[str, int]) -> NDArray[np.int64]:
    """A column of texts as numbers; -1 for what is missing or not among `words`."""
    known = np.array([words.get(word, -1) for word in column.dictionary.to_pylist()] + [-1], dtype=np.int64)
    indices: NDArray[np.int64] = column.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
    return known[indices]


def _paired(first: NDArray[np.int64], second: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    return np.where((first >= 0) & (second >= 0), first * width + second, -1)


def _ranks(level: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(level):
        return np.full(len(pairs), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(level, pairs), len(level) - 1)
    return np.where(level[at] == pairs, at, -1)
