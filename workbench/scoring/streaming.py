"""One file into its part, piece by piece: in memory that does not grow with the file, and visible when it is whole.

score_part
├── _ready      read and check, one piece ahead in a thread
└── _write      set aside, predict, write
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, ContractError, ModelError
from workbench.scoring.model import Scorer
from workbench.scoring.parts import Counts, PartWriter, passed_through
from workbench.scoring.plan import Asked, Job
from workbench.scoring.record import Record, recording
from workbench.scoring.tables import Piece, frame, pieces, schema_of
from workbench.settings import Project

if TYPE_CHECKING:
    import pandas as pd

    from workbench.contracts.result import Checked

ROWS = 65_536
"""Rows given to the model at once."""


@dataclass(frozen=True)
class Told:
    """How far a part is."""

    number: int
    """Of its job, from 0."""
    counts: Counts
    share: float
    """Of its file that was read, 0 to 1."""
    whole: bool = False
    """The part is there."""


def one_by_one(
    project: Project, jobs: Mapping[int, Job], asked: Asked, scorer: Scorer, rows: int = ROWS
) -> Generator[Told, None, None]:
    """Do the jobs in this process, one after the other."""
    with crew() as threads:
        for number, job in jobs.items():
            counts = Counts()
            with closing(score_part(project, job, asked, scorer, rows, threads)) as coming:
                for counts, share in coming:
                    yield Told(number, counts, share)
            yield Told(number, counts, 1.0, whole=True)


@dataclass(frozen=True)
class Crew:
    """Threads that work on pieces side by side: while one holds Python, others are in C, or a part is written."""

    pool: ThreadPoolExecutor
    size: int

    def in_order(self, work: Callable[[Piece], _Answered], items: Iterator[Piece]) -> Iterator[_Answered]:
        """`work` for each item, in their order. As many are in memory as there are threads, and one more."""
        coming: deque[Future[_Answered]] = deque()
        try:
            for item in items:
                coming.append(self.pool.submit(work, item))
                if len(coming) > self.size:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for each in coming:
                each.cancel()


@contextmanager
def crew(size: int | None = None) -> Iterator[Crew]:
    """Threads, as many as `size` (default: the cores that this process may use); they end with the block.

    Pieces are what is done in parallel, so OpenMP gets one thread in each of them. BLAS has one, too, and sums in one
    order then.
    """
    from threadpoolctl import threadpool_limits

    if size is None:
        size = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    alone = partial(threadpool_limits, {"openmp": 1})  # which OpenMP keeps for each thread
    with threadpool_limits({"blas": 1}), ThreadPoolExecutor(size, "scoring", initializer=alone) as pool:
        yield Crew(pool, size)


def score_part(
    project: Project, job: Job, asked: Asked, scorer: Scorer, rows: int, threads: Crew
) -> Generator[tuple[Counts, float], None, None]:
    """Yields the counts so far and the share done after each piece; the part is visible when this ends.

    Raises as `score` does (job).
    """
    schema = schema_of(job.source)
    kept = passed_through(schema, asked.keep, str(job.source.path))
    columns = wanted(scorer, [each.name for each in kept])
    read = [schema.field(name).remove_metadata() for name in columns]
    before = job.source.path.stat()
    faulty = 0
    with (
        recording(project, job, scorer, schema, wanted=asked.with_log) as record,
        PartWriter(job.part, job.stamp, kept, read) as writer,
    ):
        yield writer.counts, 0.0
        columns = list(dict.fromkeys([*columns, *record.keys]))
        read_pieces = pieces(job.source, columns, rows)
        for answered in threads.in_order(partial(_answer, job, scorer), read_pieces):
            _write(answered, writer, record)
            faulty += answered.checked.faulty
            yield writer.counts, answered.piece.done
        _refuse_quota(job, scorer, writer.counts, faulty)
        after = job.source.path.stat()
        if (after.st_size, after.st_mtime_ns, after.st_ino) != (
            before.st_size,
            before.st_mtime_ns,
            before.st_ino,
        ):
            raise BadInput(f"'{job.source.path}' was changed while it was read; nothing of it was written")
        record.commit(writer.counts.reasons)
        writer.commit()
    yield writer.counts, 1.0


@dataclass(frozen=True)
class _Answered:
    """A piece that was held against the contract, and what the version says to the rows that keep it."""

    piece: Piece
    checked: Checked
    given: pd.DataFrame
    """Rows that are kept, the columns of the contract."""
    probabilities: NDArray[np.float64]
    """(rows kept,)"""


def _answer(job: Job, scorer: Scorer, piece: Piece) -> _Answered:
    given = frame(piece.batch, scorer.contract, is_csv=job.source.is_csv)
    with _named(job, piece):
        checked = scorer.check(given)
        if checked.set_aside.any():
            given = given[~checked.set_aside]
        return _Answered(piece, checked, given, scorer.probabilities(given))


@contextmanager
def _named(job: Job, piece: Piece) -> Iterator[None]:
    """Have an error say which rows of which file it is about."""
    try:
        yield
    except (ContractError, ModelError) as error:
        rows = f"rows {piece.start} to {piece.start + piece.batch.num_rows - 1}"
        raise type(error)(
            f"'{job.source.path}', {rows}: {error}; nothing of this file was written"
        ) from error


def _write(answered: _Answered, writer: PartWriter, record: Record) -> None:
    batch, checked = answered.piece.batch, answered.checked
    numbers = np.arange(answered.piece.start, answered.piece.start + batch.num_rows, dtype=np.int64)
    if checked.set_aside.any():
        aside, rest = checked.set_aside, ~checked.set_aside
        writer.set_aside(numbers[aside], checked.reasons[aside].tolist(), batch.filter(_mask(aside)))
        numbers, batch = numbers[rest], batch.filter(_mask(rest))
    writer.write(numbers, answered.probabilities, batch)
    record.add(numbers, answered.probabilities, batch, answered.given)
    writer.warn(
        {each.rule: each.count for each in checked.breaches if each.severity == "warn" and each.count}
    )


def _mask(truths: Any) -> Any:
    import pyarrow as pa

    return pa.array(truths)


def _refuse_quota(job: Job, scorer: Scorer, counts: Counts, faulty: int) -> None:
    if scorer.max_share is None or not counts.read or faulty / counts.read <= scorer.max_share:
        return
    worst = sorted(counts.reasons.items(), key=lambda pair: -pair[1])[:3]
    raise ContractError(
        f"'{job.source.path}': {faulty / counts.read:.2%} of the rows are faulty, expected at most "
        f"{scorer.max_share:.2%}: {'; '.join(f'{rule} in {count:,} rows' for rule, count in worst)}; nothing of this "
        "file was written"
    )


def wanted(scorer: Scorer, kept: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*(column.name for column in scorer.contract.columns), *kept]))
