"""What batch scoring leaves in the prediction log: of each part what was asked and answered, like online traffic."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.prediction_log.batches import Batch, BatchLog, is_logged, request_of
from workbench.prediction_log.tables import logged_type
from workbench.scoring.model import Scorer
from workbench.scoring.parts import Stamp
from workbench.scoring.plan import Job
from workbench.settings import Project

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray


def request_of_part(stamp: Stamp) -> str:
    """The request in the prediction ids of a part: `{request}-{row}`. The same whenever the same is scored by the same."""
    return request_of(
        stamp.model,
        stamp.version,
        stamp.model_digest,
        stamp.contract,
        stamp.source,
        stamp.source_digest,
        stamp.label,
    )


@dataclass(frozen=True)
class Record:
    """The record of a part while it is scored. Without a log it takes everything and keeps nothing."""

    keys: tuple[str, ...] = ()
    """Columns of the source that it has to see beside the model's."""
    features: tuple[str, ...] = ()
    typed: bool = True
    """The source has types of its own; those of CSV are the contract's."""
    log: BatchLog | None = None

    def add(
        self,
        numbers: NDArray[np.int64],
        answers: NDArray[np.float64],
        batch: pa.RecordBatch,
        given: pd.DataFrame,
    ) -> None:
        """Rows that were scored: their numbers, the answers, the rows as they were read, and as the model saw them."""
        if self.log is None or not len(numbers):
            return
        columns = {name: batch.column(name) for name in self.keys}
        inputs = {name: batch.column(name) if self.typed else _array(given[name]) for name in self.features}
        self.log.write(numbers, answers, {**columns, **inputs})

    def commit(self, aside: Mapping[str, int]) -> None:
        """Have it on record, and how many rows were set aside, by rule.

        Called before the part is visible: a score that was seen is in the log.
        """
        if self.log is not None:
            self.log.commit(aside)


@contextmanager
def recording(
    project: Project, job: Job, scorer: Scorer, schema: pa.Schema, *, wanted: bool
) -> Iterator[Record]:
    """The record of a part; one that keeps nothing where it is not wanted, or is on record already."""
    stamp = job.stamp
    batch = Batch(request_of_part(stamp), stamp.model, int(stamp.version), stamp.model_digest, time.time())
    if not wanted or is_logged(project, batch):
        yield Record()
        return
    keys = tuple(name for name in scorer.contract.keys if schema.names.count(name) == 1)
    typed = not job.source.is_csv
    types = {name: _type(schema, scorer, name, typed=typed) for name in scorer.features}
    with BatchLog(project, batch, types, keys) as log:
        yield Record(keys, scorer.features, typed, log)


def _type(schema: pa.Schema, scorer: Scorer, name: str, *, typed: bool) -> pa.DataType:
    """Of a feature in the log."""
    import pyarrow as pa

    if typed:
        return logged_type(schema.field(name).type)
    kinds = {"int": pa.float64(), "float": pa.float64(), "bool": pa.bool_()}
    times = {"date": pa.timestamp("us"), "datetime": pa.timestamp("us")}
    words = pa.dictionary(pa.int32(), pa.string())
    return {**kinds, **times}.get(scorer.contract.column(name).type, words)


def _array(column: pd.Series[Any]) -> pa.Array:
    """A column of a data frame. One that had faulty cells, whose rows are gone, is of objects still."""
    import pyarrow as pa

    return pa.Array.from_pandas(column.infer_objects())
