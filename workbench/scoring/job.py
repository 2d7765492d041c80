"""Batch scoring: tables of any size in, one probability a row out, in bounded memory, and never half a result.

    score
    ├── find_sources    which files (tables)
    ├── champion_or     which version, loaded and verified (registry), and its contract (model)
    ├── plan_jobs       each file, its part, and whether that has to be done: a decision with a reason (parts)
    ├── _look_ahead     schema skew in any of the files stops before anything is written
    └── _score_part     piece by piece, visible when it is whole
        ├── _ready      read and check, one piece ahead in a thread
        └── _write      set aside, predict, write, have it in the prediction log (record)

A file gives a file of scores; a folder, a glob or several files give a folder with a part for each, and `_manifest.json`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench import ledger_trail
from workbench.errors import BadInput, ContractError, ModelError, WorkbenchError
from workbench.ledger import Ledger
from workbench.locks import locked
from workbench.registry import ALIAS, Loaded, load
from workbench.scoring.model import Scorer, scorer_of
from workbench.scoring.parts import Counts, PartWriter, passed_through, read_stamp
from workbench.scoring.plan import (
    Asked,
    Job,
    left_over,
    plan_jobs,
    refuse_foreign,
    refuse_places,
    write_manifest,
)
from workbench.scoring.record import Record, recording
from workbench.scoring.result import Progress, Scored
from workbench.scoring.tables import Piece, find_sources, frame, pieces, schema_of
from workbench.settings import Project
from workbench.trail import standing

if TYPE_CHECKING:
    import pandas as pd

    from workbench.contracts.result import Checked

ROWS = 65_536
"""Rows given to the model at once."""

HEAD_ROWS, HEAD_BYTES = 1_000, 200_000
"""What is looked at of every file before anything is written."""


Listener = Callable[[Progress], None]


def score(project: Project, asked: Asked, listen: Listener = lambda _: None, rows: int = ROWS) -> Scored:
    """Score files; parts that are there and made of the same are left as they are.

    Raises BadInput for what cannot be read, found or written over, ContractError for schema skew and for more faulty
    rows than the contract allows, ModelError for a version that cannot score.
    """
    sources = find_sources(asked.inputs)
    refuse_places(sources, asked)
    with Ledger.open(project) as ledger:
        loaded = champion_or(project, ledger, asked.model, asked.version)
    scorer = scorer_of(loaded, with_contract=asked.with_contract)
    with _alone(project, asked.output), threads():
        refuse_foreign(project, sources, asked)
        jobs = plan_jobs(project, sources, asked, loaded, scorer)
        warnings = _look_ahead(jobs, asked, scorer)
        if not sources.one:
            write_manifest(project, jobs, asked, finished=False)
        parts = tuple(zip(jobs, _score_parts(project, jobs, asked, scorer, listen, rows), strict=True))
        if not sources.one:
            write_manifest(project, jobs, asked, finished=True)
    left = () if sources.one else left_over(asked.output, jobs)
    return Scored(
        loaded.model, loaded.version, loaded.digest, scorer.contract_digest, asked.output, parts,
        sources.ignored, left, warnings,
    )  # fmt: skip


def champion_or(project: Project, ledger: Ledger, model: str, version: str | int) -> Loaded:
    """The version, loaded. Raises BadInput as the registry does, and for a model without a champion what to do."""
    known = [each.version for each in ledger.deliveries() if each.model == model and each.version]
    if version == ALIAS and known and standing(model, ledger_trail.entries(ledger, model)).champion is None:
        latest = max(known)
        raise BadInput(
            f"'{model}' has no champion yet: workbench models promote {model} {latest}, or name a version: "
            f"--version {latest}"
        )
    return load(project, model, version, ledger)


@contextmanager
def threads() -> Iterator[None]:
    """OpenMP as wide as this process may be, BLAS on one thread: it has little to do, and so sums in one order."""
    from threadpoolctl import threadpool_limits

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with threadpool_limits({"blas": 1, "openmp": cores}):
        yield


@contextmanager
def _alone(project: Project, output: Path) -> Iterator[None]:
    name = hashlib.sha256(os.fsencode(output.resolve())).hexdigest()[:32]
    try:
        with locked(project.state / "scoring" / f"{name}.lock", timeout=0):
            yield
    except TimeoutError:
        raise WorkbenchError(f"another process is scoring into '{output}'; wait for it, or stop it") from None


def _look_ahead(jobs: Sequence[Job], asked: Asked, scorer: Scorer) -> tuple[str, ...]:
    """Names and types of every file that is to be scored; returns warnings. Raises ContractError with all that stops."""
    problems: list[str] = []
    warnings: dict[str, None] = {}
    for job in jobs:
        if job.reason is None:
            continue
        names = schema_of(job.source).names
        passed_through(schema_of(job.source), asked.keep, str(job.source.path))
        stops, warned = scorer.name_problems(names, names if "*" in asked.keep else asked.keep)
        warnings |= dict.fromkeys(f"{job.source.path}: {each}" for each in warned)
        problems += [f"{job.source.path}: {each}" for each in stops]
        if not stops:
            head = next(pieces(job.source, _wanted(scorer, ()), HEAD_ROWS, HEAD_BYTES), None)
            try:
                if head is not None:
                    scorer.check(frame(head.batch, scorer.contract, is_csv=job.source.is_csv))
            except ContractError as error:
                problems += [f"{job.source.path}: {line}" for line in str(error).splitlines()]
    if problems:
        told = "\n".join(f"  {each}" for each in problems)
        raise ContractError(f"the input is not what {scorer.name} takes; nothing was written:\n{told}")
    return tuple(warnings)


def _score_parts(
    project: Project, jobs: Sequence[Job], asked: Asked, scorer: Scorer, listen: Listener, rows: int
) -> Iterator[Counts]:
    sizes = [max(1, job.source.path.stat().st_size) for job in jobs]
    before, total = 0, sum(sizes)
    for number, (job, size) in enumerate(zip(jobs, sizes, strict=True), 1):
        here = (job.source.name, number, len(jobs))
        known = read_stamp(job.part.path) if job.reason is None else None
        if known is not None:
            counts, state = known[1], "cached"
        else:
            for counts, done in _score_part(project, job, asked, scorer, rows):
                share = (before + done * size) / total
                listen(Progress("scoring", *here, counts, share, job.reason or ""))
            state = "done"
        before += size
        listen(Progress(state, *here, counts, before / total, job.reason or ""))  # type: ignore[arg-type]
        yield counts


def _score_part(
    project: Project, job: Job, asked: Asked, scorer: Scorer, rows: int
) -> Iterator[tuple[Counts, float]]:
    """Yields the counts so far and the share done after each piece; the part is visible when this ends."""
    schema = schema_of(job.source)
    kept = passed_through(schema, asked.keep, str(job.source.path))
    columns = _wanted(scorer, [each.name for each in kept])
    read = [schema.field(name).remove_metadata() for name in columns]
    before = job.source.path.stat()
    faulty = 0
    with (
        recording(project, job, scorer, schema, wanted=asked.with_log) as record,
        PartWriter(job.part, job.stamp, kept, read) as writer,
    ):
        yield writer.counts, 0.0
        columns = list(dict.fromkeys([*columns, *record.keys]))
        for ready in _ahead(_ready(job, scorer, columns, rows)):
            with _named(job, ready.piece):
                _write(ready, scorer, writer, record)
            faulty += ready.checked.faulty
            yield writer.counts, ready.piece.done
        _refuse_quota(job, scorer, writer.counts, faulty)
        after = job.source.path.stat()
        if (after.st_size, after.st_mtime_ns, after.st_ino) != (
            before.st_size,
            before.st_mtime_ns,
            before.st_ino,
        ):
            raise BadInput(f"'{job.source.path}' was changed while it was read; nothing of it was written")
        record.commit()
        writer.commit()
    yield writer.counts, 1.0


@dataclass(frozen=True)
class _Ready:
    """A piece that was held against the contract, and the columns that the model is given."""

    piece: Piece
    given: pd.DataFrame
    checked: Checked


def _ready(job: Job, scorer: Scorer, columns: Sequence[str], rows: int) -> Iterator[_Ready]:
    for piece in pieces(job.source, columns, rows):
        given = frame(piece.batch, scorer.contract, is_csv=job.source.is_csv)
        with _named(job, piece):
            checked = scorer.check(given)
        yield _Ready(piece, given, checked)


def _ahead(items: Iterator[_Ready]) -> Iterator[_Ready]:
    """The same, the next one made in a thread while the last one is used: reading and checking cost no time then."""
    with ThreadPoolExecutor(1, "reading") as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


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


def _write(ready: _Ready, scorer: Scorer, writer: PartWriter, record: Record) -> None:
    """Set aside, predict, write, record."""
    batch, given, checked = ready.piece.batch, ready.given, ready.checked
    numbers = np.arange(ready.piece.start, ready.piece.start + batch.num_rows, dtype=np.int64)
    if checked.set_aside.any():
        aside, rest = checked.set_aside, ~checked.set_aside
        writer.set_aside(numbers[aside], checked.reasons[aside].tolist(), batch.filter(_mask(aside)))
        numbers, given, batch = numbers[rest], given[rest], batch.filter(_mask(rest))
    answers = scorer.probabilities(given)
    writer.write(numbers, answers, batch)
    record.add(numbers, answers, batch, given)
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


def _wanted(scorer: Scorer, kept: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*(column.name for column in scorer.contract.columns), *kept]))
