"""The newest outcome of every prediction of a day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.prediction_log.places import current, files_in
from workbench.prediction_log.tables import conformed, outcome_schema

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

ROW_BITS = 40
"""Of a number that stands for a prediction; those above are of its request."""


class Outcomes:
    """Outcomes by prediction. Where a prediction has several, the one that came last counts."""

    def __init__(self, table: pa.Table) -> None:
        """`table` has the columns of tables.outcome_schema, in the order in which they came."""
        import pyarrow.compute as pc

        requests = table.column("request").combine_chunks().dictionary_encode()
        names = _fixed(requests.dictionary)
        order = np.argsort(names)
        self._requests = names[order]
        ranks = np.empty(len(order), dtype=np.int64)
        ranks[order] = np.arange(len(order))
        codes = ranks[requests.indices.to_numpy()] << ROW_BITS | table.column("row").to_numpy()
        sorting = np.argsort(codes, kind="stable")
        codes = codes[sorting]
        last = np.append(codes[1:] != codes[:-1], True) if len(codes) else np.zeros(0, dtype=bool)
        self._codes = codes[last]
        self._newest = pc.take(table.select(["outcome", "outcome_came"]), sorting[last]).combine_chunks()

    @property
    def type(self) -> Any:
        """Arrow's type of the labels."""
        return self._newest.schema.field("outcome").type

    def of(self, requests: pa.Array, rows: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Label and time of arrival of predictions, (rows,) each; null where none came yet."""
        import pyarrow as pa

        at = self._places(_fixed(requests), rows.to_numpy(zero_copy_only=False))
        places = pa.array(at, mask=at < 0)
        found = self._newest.take(places)
        return _whole(found.column("outcome")), _whole(found.column("outcome_came"))

    def _places(self, requests: NDArray[np.bytes_], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the outcome of each prediction is; -1 where none is."""
        if not len(self._codes):
            return np.full(len(rows), -1, dtype=np.int64)
        ranks = np.minimum(np.searchsorted(self._requests, requests), len(self._requests) - 1)
        known = self._requests[ranks] == requests
        codes = ranks.astype(np.int64) << ROW_BITS | rows
        places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where(known & (self._codes[places] == codes), places, -1)


def outcomes_of(folder: Path, mine: Any = None) -> Outcomes:
    """Those of a day's predictions, or of those of them that Arrow's expression `mine` is true of."""
    return Outcomes(all_outcomes(folder, mine))


def all_outcomes(folder: Path, mine: Any = None) -> pa.Table:
    """Every outcome that came for a day's predictions, or some of them, in the order in which they came."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for file in current(files_in(folder), "outcomes"):
        try:
            tables.append(pq.read_table(file.path, filters=mine))
        except FileNotFoundError:  # retention was faster
            continue
    schema = outcome_schema(table.schema for table in tables)
    return pa.concat_tables(
        [schema.empty_table(), *(conformed(table, schema) for table in tables)]
    ).unify_dictionaries()


def _fixed(requests: pa.Array) -> NDArray[np.bytes_]:
    """Requests, which are 32 signs each, as NumPy's bytes without a copy of each."""
    if not len(requests):
        return np.empty(0, dtype="S32")
    _, offsets, data = requests.buffers()
    start = int(np.frombuffer(offsets, dtype=np.int32, count=1, offset=4 * requests.offset)[0])
    return np.frombuffer(data, dtype="S32", count=len(requests), offset=start)


def _whole(column: Any) -> pa.Array:
    import pyarrow as pa

    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
