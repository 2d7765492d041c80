"""Labels that come later: joined to predictions by id or by key, each on disk before this returns.

    add_outcomes
    ├── Intake        labels as the contract has them; of several for one prediction in one call, the last counts
    ├── _days         where their predictions may be
    └── _add_to_day   what is new or different is written beside the predictions of the day

Nothing is changed: a later outcome is written beside the earlier one, with the time at which it came, and counts from
then on. Adding the same again adds nothing. A call that is killed has written some days whole: call it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import BadInput
from workbench.locks import locked
from workbench.prediction_log.files import write_file
from workbench.prediction_log.intake import Imported, Intake
from workbench.prediction_log.joining import outcomes_of
from workbench.prediction_log.journal import Journal
from workbench.prediction_log.labels import Labelling, labelling_of
from workbench.prediction_log.matching import ById, Matching
from workbench.prediction_log.places import (
    Span,
    day_folder,
    days,
    find_batch,
    made_on,
    model_folder,
    near,
    span_name,
)
from workbench.prediction_log.reading import of_day
from workbench.prediction_log.snapshot import snapshot
from workbench.prediction_log.tables import conformed, outcome_schema
from workbench.settings import Project

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


def add_outcomes(
    project: Project,
    model: str,
    columns: Mapping[str, Sequence[Any]],
    *,
    labelling: Labelling | None = None,
    now: float | None = None,
) -> Imported:
    """Add outcomes, (rows,) each column: `id` or the contract's keys, and the label under its name or as `outcome`.

    `labelling` spares looking it up in the registry. Raises BadInput where a column is not there or there are no
    predictions of the model, LogError when nothing can be written.
    """
    labelling = labelling or labelling_of(project, model)
    came = time.time() if now is None else now
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadInput(f"the columns of outcomes are not of one length: {lengths}")
    read = Intake(labelling, columns)
    if not model_folder(project, model).is_dir() and not _in_journal(project, model):
        raise BadInput(f"there are no predictions of '{model}' on record")
    with locked(model_folder(project, model) / "outcomes.lock"), closing(Journal(project)) as journal:
        for day in _days(project, model, read.matching):
            _add_to_day(project, model, day, read, journal, came)
    return read.counted(model)


def _add_to_day(project: Project, model: str, day: date, read: Intake, journal: Journal, came: float) -> None:
    import pyarrow as pa

    folder = day_folder(project, model, day)
    before = outcomes_of(folder)
    tables = []
    for batch in of_day(project, model, day, read.matching.columns):
        rows = read.rows_of(batch)
        if not (mine := rows >= 0).any():
            continue
        found = batch.filter(pa.array(mine))
        labels = read.labels.take(pa.array(rows[mine]))
        old, _ = before.of(found.column("request"), found.column("row"))
        known, same = _compared(old, labels)
        read.note(rows[mine], known, same)
        fresh = pa.array(~(known & same))
        moment = pa.array([round(came * 1e6)] * found.num_rows, pa.timestamp("us", "UTC"))
        names = ["request", "row", "outcome", "outcome_came"]
        columns = [found.column("request"), found.column("row"), labels, moment]
        tables.append(pa.table(dict(zip(names, columns, strict=True))).filter(fresh))
    if any(table.num_rows for table in tables):
        schema = outcome_schema(table.schema for table in tables)
        number = journal.reserve()
        write_file(
            folder / span_name(Span(number, number), "outcomes"),
            (conformed(each, schema) for each in tables),
            schema,
        )


def _compared(old: pa.Array, new: pa.Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether there is an old label, and whether it is the new one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if old.type != new.type:  # of a contract whose label was of another type
        old, new = old.cast(pa.string()), new.cast(pa.string())
    known = ~old.is_null().to_numpy(zero_copy_only=False)
    return known, pc.equal(old, new).fill_null(False).to_numpy(zero_copy_only=False)


def _days(project: Project, model: str, matching: Matching) -> Iterator[date]:
    """Days on which a prediction of these outcomes may have come."""
    with snapshot(project) as journal:
        waiting = journal.days(model) if journal else set()
    known = sorted({*days(project, model), *waiting})
    if not isinstance(matching, ById):
        yield from known
        return
    wanted: set[date] = set()
    made = {request: made_on(request) for request in matching.requests}
    for request, day in made.items():
        if day is None:  # of a part of batch scoring, or of who made ids another way
            batch = find_batch(project, model, request)
            wanted.update([date.fromisoformat(batch.parent.name)] if batch else known)
    for day in set(made.values()):
        wanted.update(() if day is None else near(known, day) or known)
    yield from sorted(wanted)


def _in_journal(project: Project, model: str) -> bool:
    with snapshot(project) as journal:
        return journal is not None and any(shape.model == model for shape in journal.shapes.values())
