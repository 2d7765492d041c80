"""What batch scoring leaves in the log: each part is a file of it, once.

The request of a part is made of what was scored by what. So a part that is scored again, after a kill or into another
place, has the same prediction ids, and the log has them already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from workbench.digests import digest_bytes
from workbench.locks import locked
from workbench.prediction_log.files import LogWriter
from workbench.prediction_log.places import batch_name, day_folder, day_of, find_batch, model_folder
from workbench.prediction_log.tables import INPUT, KEY, base_schema, cast, key_column, logged
from workbench.prediction_log.tallies import SET_ASIDE
from workbench.settings import Project

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Batch:
    """What all predictions of a part have in common."""

    request: str
    model: str
    version: int
    digest: str
    came: float
    """Seconds since the epoch, UTC."""


def request_of(*made_of: str) -> str:
    """The request of a part: 32 hexadecimal digits, a UUID of version 8, the same for the same texts."""
    digits = digest_bytes("\0".join(made_of).encode(errors="surrogateescape"))
    return f"{digits[:12]}8{digits[13:16]}8{digits[17:32]}"


def is_logged(project: Project, batch: Batch) -> bool:
    return find_batch(project, batch.model, batch.request) is not None


class BatchLog:
    """Writes a part into the log, beside the one who scores: in a thread. Without `commit` nothing is left of it."""

    def __init__(
        self, project: Project, batch: Batch, inputs: Mapping[str, pa.DataType], keys: Sequence[str]
    ) -> None:
        """`inputs` are the features and their types as the log has them (tables.logged_type)."""
        import pyarrow as pa

        self._project, self._batch = project, batch
        self._inputs, self._keys = dict(inputs), tuple(keys)
        words = pa.dictionary(pa.int32(), pa.string())
        own = list(base_schema())
        columns = [(f"{KEY}{name}", words) for name in keys] + [
            (f"{INPUT}{name}", kind) for name, kind in inputs.items()
        ]
        path = day_folder(project, batch.model, day_of(batch.came)) / batch_name(batch.request)
        # Not in the folder of the day: who goes on tomorrow writes over what a kill has left today.
        unfinished = model_folder(project, batch.model) / f".{path.name}.unfinished"
        self._writer = LogWriter(path, pa.schema([*own, *columns]), unfinished)
        self._pool = ThreadPoolExecutor(1, "logging")
        self._going: Future[None] | None = None

    def __enter__(self) -> BatchLog:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._writer.__exit__(kind, error, trace)

    def write(
        self, rows: NDArray[np.int64], probabilities: NDArray[np.float64], columns: Mapping[str, pa.Array]
    ) -> None:
        """Predictions, (rows,) each, with their numbers in the source; `columns` are inputs and keys by name.

        Returns while they are being written. Raises LogError for those before.
        """
        self._wait()
        self._going = self._pool.submit(self._write, rows, probabilities, columns)

    def commit(self, aside: Mapping[str, int] | None = None) -> None:
        """Have them on record, unless another process was faster; `aside` are rows that were not scored, by rule.

        Raises LogError.
        """
        self._wait()
        self._writer.finish({SET_ASIDE: json.dumps(dict(aside)).encode()} if aside else None)
        with locked(model_folder(self._project, self._batch.model) / "batches.lock"):
            if not is_logged(self._project, self._batch):
                self._writer.reveal()

    def _wait(self) -> None:
        if self._going is not None:
            self._going.result()

    def _write(
        self, rows: NDArray[np.int64], probabilities: NDArray[np.float64], columns: Mapping[str, pa.Array]
    ) -> None:
        import pyarrow as pa

        batch, count = self._batch, len(rows)
        if not count:
            return
        moment = pa.scalar(round(batch.came * 1e6), pa.timestamp("us", "UTC"))
        own: list[Any] = [
            pa.repeat(pa.scalar(batch.request), count), pa.array(rows), _word(batch.model, count),
            pa.repeat(pa.scalar(batch.version, pa.int64()), count), _word(batch.digest, count), _word("batch", count),
            pa.repeat(moment, count), pa.nulls(count, pa.float64()), _word(None, count), pa.array(probabilities),
        ]  # fmt: skip
        keys = [key_column(columns[name]) for name in self._keys]
        inputs = [cast(logged(columns[name]), kind) for name, kind in self._inputs.items()]
        self._writer.write(pa.record_batch([*own, *keys, *inputs], schema=self._writer.schema))


def _word(text: str | None, rows: int) -> pa.DictionaryArray:
    import pyarrow as pa

    if text is None:
        return pa.nulls(rows, pa.dictionary(pa.int32(), pa.string()))
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([text]))
