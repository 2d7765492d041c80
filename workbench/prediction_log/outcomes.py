"""Labels that come later: joined to predictions by id or by key, each on disk before this returns.

    add_outcomes
    ├── _read         labels as the contract has them; of several for one prediction in one call, the last counts
    ├── _days         where their predictions may be
    └── _add_to_day   what is new or different is written beside the predictions of the day

Nothing is changed: a later outcome is written beside the earlier one, with the time at which it came, and counts from
then on. Adding the same again adds nothing. A call that is killed has written some days whole: call it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import BadInput
from workbench.locks import locked
from workbench.prediction_log.entries import key_text
from workbench.prediction_log.files import write_file
from workbench.prediction_log.joining import outcomes_of
from workbench.prediction_log.journal import Journal, snapshot
from workbench.prediction_log.labels import Labelling, label_column, labelling_of
from workbench.prediction_log.matching import ById, ByKeys, Matching
from workbench.prediction_log.places import (
    Span,
    day_folder,
    days,
    find_batch,
    model_folder,
    span_name,
    split_days,
)
from workbench.prediction_log.reading import of_day
from workbench.prediction_log.tables import conformed, outcome_schema
from workbench.settings import Project

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

ID = "id"
"""The column of prediction ids."""

EXAMPLES = 5


@dataclass(frozen=True)
class Imported:
    """What became of outcomes that were given: each row is counted once."""

    model: str
    read: int = 0
    added: int = 0
    """The first outcome of a prediction."""
    replaced: int = 0
    """Another label than came before; it counts from now on."""
    known: int = 0
    """The label that came before."""
    repeated: int = 0
    """An outcome of the same prediction with the same label stands further down."""
    contradicted: int = 0
    """One with another label does, and counts."""
    unknown: int = 0
    """No prediction has that id, or those keys."""
    wrong: int = 0
    """The label is none that the contract knows."""
    missing: int = 0
    """No label: it has not come yet."""
    predictions: int = 0
    """Predictions that have a new outcome now; several may have one key."""
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Some of the rows that are `unknown` or `wrong`."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def import_outcomes(project: Project, file: Path, model: str, labelling: Labelling | None = None) -> Imported:
    """Add the outcomes in a Parquet or CSV file. Raises as `add_outcomes` does, and BadInput for a file that is none."""
    return add_outcomes(project, model, _table(file), labelling=labelling)


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
    read = _Read(labelling, columns)
    if not model_folder(project, model).is_dir() and not _in_journal(project, model):
        raise BadInput(f"there are no predictions of '{model}' on record")
    with locked(model_folder(project, model) / "outcomes.lock"), closing(Journal(project)) as journal:
        for day in _days(project, model, read.matching):
            _add_to_day(project, model, day, read, journal, came)
    return read.counted(model)


class _Read:
    """Outcomes as they were given, and what became of each."""

    def __init__(self, labelling: Labelling, columns: Mapping[str, Sequence[Any]]) -> None:
        import pyarrow as pa

        given = {name: _array(values) for name, values in columns.items()}
        labels = given[label_column(labelling, given)].dictionary_encode()
        self.matching, self._said = _matching(labelling, given)
        words = [_label(labelling, value) for value in labels.dictionary.to_pylist()]
        self._wrong_words = {at: each for at, each in enumerate(words) if isinstance(each, ValueError)}
        good = [None if isinstance(each, ValueError) else each for each in words]
        texts = any(isinstance(each, str) for each in good)
        stored = pa.array(
            [str(each) if texts and each is not None else each for each in good], None if good else pa.null()
        )
        codes = labels.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        wrong = np.array([isinstance(each, ValueError) for each in words] + [False], dtype=bool)
        self.rows = len(codes)
        self.missing = codes < 0
        self.wrong = wrong[codes]
        self._codes = codes
        self.labels: pa.Array = stored.take(pa.array(codes, mask=self.missing))
        self.last, self.repeated, self.contradicted = self._last()
        self.seen, self.new, self.other = (np.zeros(self.rows, dtype=bool) for _ in range(3))
        self.predictions = 0

    def _last(self) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """By number of a prediction, the row that counts; and the rows that do not, since it stands further down."""
        same = self.matching.same
        usable = np.flatnonzero((same >= 0) & ~self.missing & ~self.wrong)
        last = np.full(int(same.max(initial=-1)) + 1, -1, dtype=np.int64)
        last[same[usable]] = usable  # of several, NumPy keeps the last
        repeated, contradicted = (np.zeros(self.rows, dtype=bool) for _ in range(2))
        counts = last[same[usable]]
        earlier = counts != usable
        alike = self._codes[counts] == self._codes[usable]
        repeated[usable[earlier & alike]] = True
        contradicted[usable[earlier & ~alike]] = True
        return last, repeated, contradicted

    def rows_of(self, batch: pa.RecordBatch) -> NDArray[np.int64]:
        """For each prediction of a batch, the row of its outcome; -1 where it has none here."""
        places = self.matching.places(batch)
        return np.where(places >= 0, self.last[places] if len(self.last) else -1, -1)

    def note(self, rows: NDArray[np.int64], known: NDArray[np.bool_], same: NDArray[np.bool_]) -> None:
        """Rows whose predictions were found, whether these have a label, and whether it is the same."""
        self.seen[rows] = True
        self.new[rows[~known]] = True
        self.other[rows[known & ~same]] = True
        self.predictions += int((~(known & same)).sum())

    def counted(self, model: str) -> Imported:
        aside = self.missing | self.wrong | self.repeated | self.contradicted
        unknown = ~self.seen & ~aside
        wrong = [f"{self._said(at)}: {self._wrong_words[int(self._codes[at])]}" for at in _some(self.wrong)]
        examples = {"unknown": tuple(map(self._said, _some(unknown))), "wrong": tuple(wrong)}
        return Imported(
            model, read=self.rows, added=int((self.new & ~self.other).sum()), replaced=int(self.other.sum()),
            known=int((self.seen & ~self.new & ~self.other).sum()), repeated=int(self.repeated.sum()),
            contradicted=int(self.contradicted.sum()), unknown=int(unknown.sum()), wrong=int(self.wrong.sum()),
            missing=int(self.missing.sum()), predictions=self.predictions,
            examples={name: each for name, each in examples.items() if each},
        )  # fmt: skip


def _add_to_day(project: Project, model: str, day: date, read: _Read, journal: Journal, came: float) -> None:
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
    for request in matching.requests:
        batch = None if request[12] == "7" else find_batch(project, model, request)
        near = [date.fromisoformat(batch.parent.name)] if batch else split_days(known, request)[0]
        wanted.update(near or known)
    yield from sorted(wanted)


def _in_journal(project: Project, model: str) -> bool:
    with snapshot(project) as journal:
        return journal is not None and any(shape.model == model for shape in journal.shapes.values())


def _matching(labelling: Labelling, given: Mapping[str, pa.Array]) -> tuple[Matching, Any]:
    """How these outcomes find their predictions, and how a row is named. Raises BadInput."""
    if ID in given and ID not in labelling.keys:
        return ById(given[ID].to_pylist()), lambda at: str(given[ID][int(at)])
    if not labelling.keys:
        raise BadInput(
            f"no column '{ID}' with prediction ids, and the contract declares no keys (keys: [COLUMN, …])"
        )
    if lacking := [name for name in labelling.keys if name not in given]:
        raise BadInput(
            f"no column '{lacking[0]}': outcomes are joined by '{ID}', or by all of the contract's keys: "
            f"{', '.join(labelling.keys)}; found: {', '.join(given)}"
        )
    keys = {name: given[name] for name in labelling.keys}

    def said(at: int) -> str:
        return ", ".join(f"{name} {column[int(at)]}" for name, column in keys.items())

    return ByKeys(keys), said


def _label(labelling: Labelling, value: Any) -> Any:
    try:
        return labelling.read(value)
    except ValueError as error:
        return error


def _some(truths: NDArray[np.bool_]) -> list[int]:
    return [int(at) for at in np.flatnonzero(truths)[:EXAMPLES]]


def _array(values: Any) -> pa.Array:
    """A column in one piece; what Arrow has no common type for, as text."""
    import pyarrow as pa

    if isinstance(values, pa.ChunkedArray):
        return values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    if isinstance(values, pa.Array):
        return values
    try:
        return pa.array(values, from_pandas=True)
    except pa.ArrowException:
        return pa.array([key_text(each) for each in values], pa.string())


def _table(file: Path) -> Mapping[str, Any]:
    """Columns of a file; those of CSV as text. Raises BadInput."""
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    if not file.is_file():
        raise BadInput(f"there is no file '{file}'")
    try:
        if file.suffix.lower() == ".parquet":
            table = pq.read_table(file)
        elif file.name.lower().endswith((".csv", ".csv.gz")):
            names = csv.open_csv(file).schema.names
            texts = csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True
            )
            table = csv.read_csv(file, convert_options=texts)
        else:
            raise BadInput(f"'{file}' is no table of outcomes; expected .parquet, .csv or .csv.gz")
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"'{file}' cannot be read as a table: {str(error).splitlines()[0]}") from error
    return dict(zip(table.schema.names, table.columns, strict=True))
