"""From the journal into Parquet files by model and day, small files into bigger ones, and away what is too old.

    compact
    ├── _move_entries    the journal's oldest entries become a file for each model and day; then they leave the journal
    ├── _merge_day       the small files of a day become one
    └── _retire          days older than `keep_days` go

A process may be killed at any point. A file is visible when it is whole and on disk; its name says which entries it
holds, so entries that are still in the journal too are not counted twice, and the next compaction only removes them.
Merged files stay for a while, so that who has listed a folder finds what was there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.challengers import challengers_markers
from workbench.errors import LogError
from workbench.locks import locked
from workbench.prediction_log.encoding import Stored
from workbench.prediction_log.files import LogWriter
from workbench.prediction_log.journal import Journal
from workbench.prediction_log.places import (
    LogFile,
    Span,
    What,
    current,
    day_folder,
    day_of,
    days,
    files_in,
    log_folder,
    merged_into,
    model_folder,
    models,
    span_name,
    spans,
)
from workbench.prediction_log.snapshot import FILE
from workbench.prediction_log.tables import conformed, outcome_schema, table_of, unified
from workbench.settings import Project

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 131_072
"""Predictions taken from the journal at once: what compaction has in memory."""

SMALL_ROWS = 1_000_000
"""Files with fewer rows are merged."""

MANY = 8
"""So many small files of a day that still grows are merged; of one that is over, two are enough."""

MERGED: tuple[What, ...] = ("predictions", "outcomes")
"""What is merged. A part of batch scoring stays as it is: its name says that it is there."""

FOLLOWED = 30.0
"""Seconds that entries stay in the journal while a shadow follows it."""

GRACE = 3600.0
"""Seconds that files which were merged into another are still there for those who are reading."""


@dataclass(frozen=True)
class Limits:
    """When compaction does what. The defaults are for use, others for tests."""

    rows: int = ROWS
    small_rows: int = SMALL_ROWS
    many: int = MANY
    grace: float = GRACE
    young: float = 0.0
    """What came so many seconds ago at most stays in the journal."""


@dataclass(frozen=True)
class Compacted:
    """What a compaction did."""

    moved: int = 0
    """Predictions that went from the journal into files."""
    merged: int = 0
    """Files that became part of bigger ones."""
    retired: tuple[str, ...] = ()
    """Days that were too old, as MODEL/DAY."""
    busy: bool = False
    """Another process was compacting, so nothing was done."""


def limits_of(project: Project) -> Limits:
    """Those of use: what a shadow may still want to read stays in the journal for a while."""
    followed = any(each.shadow is not None for each in challengers_markers(project))
    return Limits(young=FOLLOWED) if followed else Limits()


def compact(project: Project, limits: Limits | None = None, now: float | None = None) -> Compacted:
    """Do all that is due. Cheap where nothing is. Raises LogError."""
    moved, merged, retired = 0, 0, []
    try:
        for step in steps(project, limits or limits_of(project), time.time() if now is None else now):
            moved += step.rows if step.did == "moved" else 0
            merged += step.files if step.did == "merged" else 0
            retired += [step.what] if step.did == "retired" else []
    except TimeoutError:
        return Compacted(busy=True)
    return Compacted(moved, merged, tuple(retired))


@dataclass(frozen=True)
class Step:
    """Something that is done, and stays done whatever comes now."""

    did: str
    what: str = ""
    rows: int = 0
    files: int = 0


def steps(project: Project, limits: Limits, now: float) -> Iterator[Step]:
    """The same, step by step: who stops here leaves what a killed process would leave.

    Raises TimeoutError when another process is compacting.
    """
    folder = log_folder(project)
    if not folder.is_dir():
        return
    with locked(folder / "compaction.lock", timeout=0):
        if (folder / FILE).is_file():
            with Journal(project) as journal:
                yield from _move_entries(project, journal, limits, now)
                journal.tidy()
        for model in models(project):
            for day in days(project, model):
                yield from _tidy_day(project, model, day, limits, now)
        yield from _retire(project, now)


def _move_entries(project: Project, journal: Journal, limits: Limits, now: float) -> Iterator[Step]:
    def old(entry: Stored) -> bool:
        return (
            not 0 <= now - entry.came < limits.young
        )  # what is of the future came before the clock was set back

    while entries := list(takewhile(old, journal.oldest(limits.rows))):
        groups: dict[tuple[str, date], list[Stored]] = {}
        for entry in entries:
            groups.setdefault((entry.shape.model, day_of(entry.came)), []).append(entry)
        for (model, day), group in groups.items():
            folder = day_folder(project, model, day)
            known = spans(files_in(folder))
            left = [each for each in group if not any(each.sequence in span for span in known)]
            if left:
                span = Span(left[0].sequence, left[-1].sequence)
                table = table_of(left)
                yield from _write(folder / span_name(span), [table], table.schema)
                yield Step("moved", f"{model}/{day}", rows=sum(each.rows for each in left))
        journal.forget(entries[-1].sequence)
        yield Step("forgot")


def _write(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[Step]:
    with LogWriter(path, schema) as writer:
        for table in tables:
            writer.write(table)
        writer.finish()
        yield Step("written", path.name)
        writer.reveal()


def _tidy_day(project: Project, model: str, day: date, limits: Limits, now: float) -> Iterator[Step]:
    folder = day_folder(project, model, day)
    # Who adds outcomes has a number before there is a file: a merge must not span it.
    with locked(model_folder(project, model) / "outcomes.lock"):
        files = files_in(folder)
        for leftover in folder.glob(".[0-9o]*.unfinished"):  # of a process that was killed
            leftover.unlink(missing_ok=True)
        for file in files:
            if any(each.path.stat().st_mtime <= now - limits.grace for each in merged_into(file, files)):
                file.path.unlink()
        least = limits.many if day >= day_of(now) else 2
        for what in MERGED:
            candidates = current(files, what)
            for run in _runs(candidates, limits.small_rows) if len(candidates) >= least else ():
                if len(run) >= least:
                    yield from _merge(folder, what, run)


def _runs(files: Sequence[LogFile], small_rows: int) -> Iterator[list[LogFile]]:
    """Small files that follow each other, so many at a time that they make one big one."""
    run: list[LogFile] = []
    total = 0
    for file in files:
        rows = _rows(file.path)
        if rows >= small_rows:
            yield run
            run, total = [], 0
            continue
        run, total = [*run, file], total + rows
        if total >= small_rows:
            yield run
            run, total = [], 0
    yield run


def _merge(folder: Path, what: What, files: Sequence[LogFile]) -> Iterator[Step]:
    import pyarrow.parquet as pq

    found = [each.span for each in files if each.span]
    path = folder / span_name(Span(found[0].first, found[-1].last), what)
    schemas = [pq.read_schema(each.path) for each in files]
    schema = unified(schemas) if what == "predictions" else outcome_schema(schemas)
    yield from _write(path, _rows_of(files, schema), schema)
    yield Step("merged", path.name, files=len(files))


def _rows_of(files: Sequence[LogFile], schema: Any) -> Iterator[pa.Table]:
    """Batches of many files, so large that a merged file has few row groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    waiting: list[pa.Table] = []
    for file in files:
        with pq.ParquetFile(file.path) as opened:
            for batch in opened.iter_batches(ROWS):
                waiting.append(conformed(pa.Table.from_batches([batch]), schema))
                if sum(each.num_rows for each in waiting) >= ROWS:
                    yield pa.concat_tables(waiting).unify_dictionaries()
                    waiting = []
    if waiting:
        yield pa.concat_tables(waiting).unify_dictionaries()


def _retire(project: Project, now: float) -> Iterator[Step]:
    if not project.predictions.keep_days:
        return
    oldest = day_of(now) - timedelta(days=project.predictions.keep_days)
    for model in models(project):
        for day in days(project, model):
            if day < oldest:
                try:
                    shutil.rmtree(day_folder(project, model, day))
                except OSError as error:
                    raise LogError(
                        f"the predictions of {model} of {day} cannot be removed: {error}"
                    ) from error
                yield Step("retired", f"{model}/{day}")


def _rows(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)
