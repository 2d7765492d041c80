"""Outcomes as they were given, and what becomes of each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import BadInput
from workbench.prediction_log.entries import key_text
from workbench.prediction_log.labels import Labelling, label_column
from workbench.prediction_log.matching import ById, ByKeys, Matching

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


class Intake:
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


def _matching(labelling: Labelling, given: Mapping[str, pa.Array]) -> tuple[Matching, Callable[[int], str]]:
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
