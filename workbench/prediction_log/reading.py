"""Reading the log while others write: every prediction once, and nothing that was answered before is missing.

The journal is looked at first, then the folders: an entry that compaction moves meanwhile is in the journal as it was
seen, or in a file that was seen, and when it is in both, the file's name says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput, LogError, did_you_mean
from workbench.prediction_log.asking import Asked, Moment
from workbench.prediction_log.encoding import Stored
from workbench.prediction_log.files import GROUP_ROWS
from workbench.prediction_log.places import (
    LogFile,
    current,
    day_folder,
    day_of,
    days,
    files_in,
    models,
    spans,
)
from workbench.prediction_log.snapshot import Snapshot, snapshot
from workbench.prediction_log.tables import conformed, shape_schema, table_of, unified
from workbench.settings import Project

if TYPE_CHECKING:
    import pyarrow as pa

    from workbench.prediction_log.joining import Outcomes

OUTCOME = ("outcome", "outcome_came")
AHEAD = 2
"""Batches that Arrow reads before they are asked for; each is a row group."""


def read(
    project: Project,
    model: str,
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    versions: Collection[int] | None = None,
    kinds: Collection[str] | None = None,
    columns: Sequence[str] | None = None,
    outcomes: bool = False,
) -> pa.RecordBatchReader:
    """Predictions of a model as batches of Arrow: an iterator; `.read_all()` is a table, `.read_pandas()` a data frame.

    `since` is included, `until` is not: seconds since the epoch, a datetime (UTC where it has no zone), a date or ISO
    text. `columns` are read and no others (default: all; see tables), `id` may be among them, and with `outcomes=True`
    also `outcome` (the newest label; null while none came) and `outcome_came`. Batches have at most 131,072 rows, and
    memory does not grow with the log. The order is that of days, within a day any.

    Raises BadInput for an unknown model, column or kind, LogError for a file that cannot be read.
    """
    asked = Asked.of(since, until, versions, kinds, columns, outcomes=outcomes)
    steps = _batches(project, model, asked)
    schema = next(steps)
    import pyarrow as pa

    return pa.RecordBatchReader.from_batches(schema, steps)


@dataclass(frozen=True)
class Seen:
    """What the log had at one moment, of one model."""

    files: Sequence[tuple[date, Sequence[LogFile]]]
    """Days in order, and the files that hold their predictions."""
    schema: pa.Schema


def _batches(project: Project, model: str, asked: Asked) -> Iterator[Any]:
    """The schema first, then the batches."""
    with snapshot(project) as journal:
        seen = _look(project, model, asked, journal)
        give = Giving(project, model, asked, seen.schema)
        yield give.schema
        yield from give.entries(journal, seen) if journal else ()
    for day, files in seen.files:
        for file in files:
            yield from give.file(day, file)


def _look(project: Project, model: str, asked: Asked, journal: Snapshot | None) -> Seen:
    """Called while the journal's snapshot is open: what it does not have is in files now."""
    shapes = [shape for shape in journal.shapes.values() if shape.model == model] if journal else []
    known = {*models(project), *((shape.model for shape in journal.shapes.values()) if journal else ())}
    if model not in known:
        raise BadInput(f"there are no predictions of '{model}' on record{did_you_mean(model, known)}")
    chosen = [day for day in days(project, model) if asked.has_day(day)]
    files = [
        (day, current(files_in(day_folder(project, model, day)), "predictions", "batch")) for day in chosen
    ]
    schemas = [schema for _, found in files for file in found if (schema := _schema(file))]
    return Seen(files, unified([*schemas, *map(shape_schema, shapes)]))


class Giving:
    """Rows as they were asked for."""

    def __init__(self, project: Project, model: str, asked: Asked, found: pa.Schema) -> None:
        """`found` are all columns that there are. Raises BadInput for one that is not among them."""
        import pyarrow as pa

        self._project, self._model, self._asked = project, model, asked
        types = {each.name: each.type for each in found} | {"id": pa.string()}
        if asked.outcomes:
            self._label = self._label_type()
            types |= {"outcome": self._label, "outcome_came": pa.timestamp("us", "UTC")}
        names = asked.columns
        if names is None:
            names = [name for name in types if name != "id"]
        for name in names:
            if name not in types:
                hint = "; outcomes=True reads it" if name in OUTCOME else did_you_mean(name, types)
                raise BadInput(f"predictions of '{model}' have no column '{name}'{hint}")
        self.schema = pa.schema([(name, types[name]) for name in names])
        joined = {"request", "row"} if asked.outcomes or "id" in names else set()
        wanted = {*names, *joined} - {"id", *OUTCOME}
        self._stored = pa.schema([each for each in found if each.name in wanted])
        self._day: tuple[date, Outcomes] | None = None

    def entries(self, journal: Snapshot, seen: Seen) -> Iterator[pa.RecordBatch]:
        """Those of the journal that no file holds."""
        held = {day: spans(files) for day, files in seen.files}
        waiting: dict[date, list[Stored]] = {}
        rows: dict[date, int] = {}
        for entry in journal.entries(self._model, self._asked.since, self._asked.until):
            day = day_of(entry.came)
            if not self._asked.has(entry) or any(entry.sequence in span for span in held.get(day, ())):
                continue
            waiting.setdefault(day, []).append(entry)
            rows[day] = rows.get(day, 0) + entry.rows
            if rows[day] >= GROUP_ROWS:
                rows[day] = 0
                yield from self._of_entries(day, waiting.pop(day))
        for day, entries in waiting.items():
            yield from self._of_entries(day, entries)

    def _of_entries(self, day: date, entries: Sequence[Stored]) -> Iterator[pa.RecordBatch]:
        for batch in table_of(entries).combine_chunks().to_batches():
            yield self._given(day, batch)

    def file(self, day: date, file: LogFile) -> Iterator[pa.RecordBatch]:
        """The predictions of a file; none when retention has removed it meanwhile."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        try:
            dataset = ds.dataset(str(file.path), format="parquet")
            names = [name for name in dataset.schema.names if name in self._stored.names]
            scanned = dataset.to_batches(
                columns=names, filter=self._asked.filter, batch_size=GROUP_ROWS, batch_readahead=AHEAD,
                fragment_readahead=1,
            )  # fmt: skip
            for batch in scanned:
                if batch.num_rows:
                    yield self._given(day, batch)
        except FileNotFoundError:
            return
        except (OSError, pa.ArrowException) as error:
            raise LogError(f"'{file.path}' of the prediction log cannot be read: {error}") from error

    def _given(self, day: date, batch: pa.RecordBatch) -> pa.RecordBatch:
        import pyarrow as pa
        import pyarrow.compute as pc

        stored = conformed(batch, self._stored)
        columns: dict[str, Any] = dict(zip(stored.schema.names, stored.columns, strict=True))
        if "id" in self.schema.names:
            rows = columns["row"].cast(pa.string())
            columns["id"] = pc.binary_join_element_wise(columns["request"], rows, "-")
        if self._asked.outcomes:
            label, came = self._outcomes(day).of(columns["request"], columns["row"])
            columns |= {"outcome": conformed_label(label, self._label), "outcome_came": came}
        return pa.RecordBatch.from_arrays([columns[name] for name in self.schema.names], schema=self.schema)

    def _outcomes(self, day: date) -> Outcomes:
        from workbench.prediction_log.joining import outcomes_of

        if self._day is None or self._day[0] != day:
            self._day = day, outcomes_of(day_folder(self._project, self._model, day))
        return self._day[1]

    def _label_type(self) -> pa.DataType:
        import pyarrow as pa

        from workbench.prediction_log.tables import outcome_schema

        found = [
            schema
            for day in days(self._project, self._model)
            for file in current(files_in(day_folder(self._project, self._model, day)), "outcomes")
            if (schema := _schema(file))
        ]
        label = outcome_schema(found).field("outcome").type
        return pa.float64() if pa.types.is_null(label) else label


def of_day(project: Project, model: str, day: date, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """All predictions of a day, of each these texts' columns beside `request` and `row`; null where it has none."""
    import pyarrow as pa

    start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    names = ["request", "row", *columns]
    asked = Asked(start, start + 86_400, columns=names)
    with snapshot(project) as journal:
        seen = _look(project, model, asked, journal)
        words = pa.schema([(name, pa.dictionary(pa.int32(), pa.string())) for name in columns])
        give = Giving(project, model, asked, unified([seen.schema, words]))
        if journal:
            yield from give.entries(journal, seen)
    for _, files in seen.files:
        for file in files:
            yield from give.file(day, file)


def conformed_label(label: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Labels of one day as those of all days are."""
    import pyarrow as pa

    one = pa.record_batch([label], names=["outcome"])
    return conformed(one, pa.schema([("outcome", wanted)])).column(0)


def _schema(file: LogFile) -> pa.Schema | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(file.path)
    except FileNotFoundError:  # retention was faster
        return None
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"'{file.path}' of the prediction log cannot be read: {error}") from error
