"""Which training rows are most like a row that was predicted.

The distance is a sum over features. A number adds its difference in standard deviations of the training rows; a text or a
truth adds 1 where it is another one; where one of the two is missing, 1 is added, where both are, nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

NEAREST = 5


@dataclass(frozen=True)
class Similar:
    """A training row."""

    row: int
    """Its number in the training data, from 0."""
    distance: float
    values: Mapping[str, Any]
    """All its columns: features, label, and what else the training data have."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        values = {
            name: each.isoformat() if isinstance(each, date) else each for name, each in self.values.items()
        }
        return {"row": self.row, "distance": self.distance, "values": values}


def most_similar(inputs: Mapping[str, Any], training: pa.Table, nearest: int = NEAREST) -> list[Similar]:
    """The rows of `training` that are nearest to `inputs` (features by name), the nearest first."""
    features = [name for name in inputs if name in training.schema.names]
    total = np.zeros(training.num_rows)
    for name in features:
        total += _apart(training.column(name), inputs[name])
    chosen = np.argsort(total, kind="stable")[:nearest]
    rows: Sequence[Mapping[str, Any]] = training.take(chosen).to_pylist()
    return [
        Similar(int(at), float(total[at]), {name: _plain(value) for name, value in values.items()})
        for at, values in zip(chosen, rows, strict=True)
    ]


def _apart(column: pa.ChunkedArray, value: Any) -> NDArray[np.float64]:
    """How far each row is from the value; (rows,)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = column.is_null(nan_is_null=True).to_numpy()
    if value is None:
        return np.where(missing, 0.0, 1.0)
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        column, value = _seconds(column), _seconds(pa.chunked_array([pa.array([value])]))[0].as_py()
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        texts = column.cast(pa.string())
        different = pc.not_equal(
            texts, str(value).lower() if isinstance(value, bool) else str(value)
        ).fill_null(True)
        return np.asarray(different.to_numpy(), dtype=np.float64)
    numbers = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
    spread = float(np.nanstd(numbers)) if not missing.all() else 0.0
    return np.where(missing, 1.0, np.abs(numbers - float(value)) / (spread or 1.0))


def _seconds(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.divide(moments.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.float64()), 1e6)


def _plain(value: Any) -> Any:
    """None for NaN, as everywhere in the log."""
    return None if value != value else value
