"""A window of the prediction log held against what its version was trained on.

watch
├── the version's reference.json (registry)
├── its predictions of the window, batch by batch, counted into the reference's bins (prediction_log, drift)
├── limits for a window of so many days and rows (drift.ordinary)
├── how good the answers were against the reference period, for whom, and which feature the loss came with
│   (drift.performance, slices, explain), as far as outcomes have come (drift.coverage)
└── how good they probably were where none came (drift.estimate)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.drift.compare import Moved, compare
from workbench.drift.coverage import Coverage, coverage
from workbench.drift.estimate import Estimate, estimates
from workbench.drift.explain import Explained, Level, explain, level
from workbench.drift.graded import Graded, cell_of, cells_of, graded
from workbench.drift.losses import Losses, losses
from workbench.drift.ordinary import ALPHA, Ordinary, ordinary
from workbench.drift.performance import LEAST, MARGINS, Decline, declines, intervals, judged
from workbench.drift.reference import ANSWER, FILE, Reference
from workbench.drift.sketch import Sketch, sketch
from workbench.drift.slices import SliceDecline, slices
from workbench.errors import BadInput, ModelError, did_you_mean
from workbench.evaluation import Interval
from workbench.ledger import Ledger
from workbench.prediction_log.reading import read
from workbench.prediction_log.tables import INPUT, KEY
from workbench.registry import ALIAS, Located, locate
from workbench.settings import Project

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]
Counted = TypeVar("Counted", Sketch, Graded, Losses)

KINDS = ("champion", "canary", "batch")
"""What counts as traffic; a shadow's answers went to nobody."""
LABELLED = LEAST
"""Rows with an outcome below which nothing is said about how good the answers were."""
SLICE_MARGIN = 0.02
"""Nats that a slice must have got worse by, beyond the other rows."""


@dataclass(frozen=True)
class Watched:
    """What a window of one version looks like."""

    model: str
    version: int
    since: datetime
    until: datetime
    rows: int
    inputs: tuple[Moved, ...]
    """Every feature, the most unusual first; those that are expected to move last."""
    answer: Moved | None
    """The model's probabilities; None where the reference has too few days of them for a window of this length."""
    limits: Ordinary
    outcomes: int
    """Rows whose outcome, 0 or 1, has come."""
    performance: Mapping[str, Interval] = field(default_factory=dict)
    """Metrics over the rows with an outcome; none where they are fewer than LABELLED."""
    declines: Mapping[str, Decline] = field(default_factory=dict)
    """The same against the reference period; none where the reference was made without outcomes."""
    slices: tuple[SliceDecline, ...] = ()
    """Every value of every category, those that got worst first."""
    explained: tuple[Explained, ...] = ()
    """Which feature the change of log loss came with, the dearest first."""
    level: Level | None = None
    """Whether all answers are too high or too low."""
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    """Metrics of all rows as they probably are, from the answers alone."""
    coverage: Coverage | None = None
    """Which answers have an outcome."""
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Rows of the window in the reference's bins, by column, the answers among them; the last one counts what is missing."""

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of what moved more than is ordinary, the most unusual first."""
        every = [*self.inputs, *([self.answer] if self.answer else [])]
        return tuple(each.name for each in sorted(every, key=lambda each: -each.score) if each.drifted)

    @property
    def worse(self) -> tuple[str, ...]:
        """Metrics that are worse than in the reference period, then slices, as `carrier = UA`."""
        metrics = [name for name, each in self.declines.items() if each.worse]
        return (*metrics, *(f"{each.feature} = {each.value}" for each in self.slices if each.worse))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "model": self.model,
            "version": self.version,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "rows": self.rows,
            "drifted": list(self.drifted),
            "inputs": [asdict(each) for each in self.inputs],
            "answer": asdict(self.answer) if self.answer else None,
            "days": self.limits.days,
            "alpha": ALPHA,
            "outcomes": self.outcomes,
            "performance": {name: each.as_dict() for name, each in self.performance.items()},
            "worse": list(self.worse),
            "declines": {name: each.as_dict() for name, each in self.declines.items()},
            "slices": [each.as_dict() for each in self.slices],
            "explained": [each.as_dict() for each in self.explained],
            "level": asdict(self.level) if self.level else None,
            "estimates": {name: each.as_dict() for name, each in self.estimates.items()},
            "coverage": self.coverage.as_dict() if self.coverage else None,
            "counts": {name: list(each) for name, each in self.counts.items()},
        }


def watch(
    project: Project,
    model: str,
    *,
    since: datetime,
    until: datetime,
    version: str | int = ALIAS,
    expected: Collection[str] = (),
    day: str | None = None,
    margins: Mapping[str, float] = MARGINS,
) -> Watched:
    """Compare what a version was asked from `since` up to, not including, `until` (UTC) with what it learned from.

    A row belongs to the day on which it was answered, or with `day` to that of this key column (see contracts: `keys`),
    as where a month is scored in an hour.
    `expected` features may move (the season moves temperatures): they are listed, but never alert.
    `margins` are metrics and what a decline of each must exceed to be called worse.
    Raises BadInput for an unknown model, version, feature, metric or key, a window with too few rows, or a reference shorter than three
    windows; ModelError for a version without a reference.
    """
    if until <= since:
        raise BadInput(f"the window ends at {until:%Y-%m-%d %H:%M}, before it starts")
    with Ledger.open(project) as ledger:
        located = locate(project, ledger, model, version)
    known = reference_of(located)
    _refuse_unknown(expected, known, located)
    window = _read(_frames(project, located, known, (since, until), day), known)
    if window is None:
        raise BadInput(
            f"version {located.version} of '{model}' answered nothing from {since:%Y-%m-%d %H:%M} to "
            f"{until:%Y-%m-%d %H:%M} UTC"
        )
    days = max(1, round((until - since) / timedelta(days=1)))
    limits = ordinary(known.inputs, days, window.rows, expected=expected)
    return Watched(
        model,
        located.version,
        since,
        until,
        window.rows,
        compare(known.inputs, window.sketch, limits, expected),
        _answer(known.answers, window, days),
        limits,
        window.outcomes.rows if window.outcomes else 0,
        counts={name: tuple(window.sketch.total(name).tolist()) for name in window.sketch.counts},
        **_judged(window, known, margins),
    )


def reference_of(located: Located) -> Reference:
    """What a version was trained on. Raises ModelError where it has none, or one that cannot be read."""
    name = f"version {located.version} of '{located.model}'"
    file = located.attachments.get(FILE)
    if file is None:
        raise ModelError(
            f"{name} has no {FILE}, so nothing can be compared with what it learned from: name the output that holds it "
            "in its pipeline (model: reference: step.output) and run it again"
        )
    try:
        return Reference.from_json(file.read_bytes())
    except BadInput as error:
        raise ModelError(f"the {FILE} of {name} cannot be read: {error}") from error


def _refuse_unknown(expected: Collection[str], known: Reference, located: Located) -> None:
    names = [each.name for each in known.inputs.bins]
    for name in expected:
        if name not in names:
            raise BadInput(
                f"version {located.version} of '{located.model}' has no feature '{name}'{did_you_mean(name, names)}"
            )


@dataclass
class _Window:
    """What was read of the log, batch by batch."""

    known: Reference
    edges: tuple[float, ...]
    """Of the cells that answers are counted into."""
    cells: NDArray[np.int64]
    """(cells,): rows by answer."""
    counted: Sketch | None = None
    labelled: Sketch | None = None
    """Answers of rows with an outcome, as are the next two."""
    outcomes: Graded | None = None
    losses: Losses | None = None

    @property
    def sketch(self) -> Sketch:
        assert self.counted is not None
        return self.counted

    @property
    def rows(self) -> int:
        return int(self.sketch.rows.sum())

    def add(self, frame: pd.DataFrame, days: Days) -> None:
        self.counted = _sum(self.counted, sketch(frame, self.known.bins, days))
        self.cells += np.bincount(cell_of(self.edges, frame[ANSWER].to_numpy()), minlength=len(self.cells))
        outcome = frame["outcome"].to_numpy()
        there = (outcome == 0) | (outcome == 1)
        if not there.any():
            return
        if not there.all():
            frame, days = frame[there], days[there]
        labels, scores = outcome[there].astype(np.float64), frame[ANSWER].to_numpy()
        self.labelled = _sum(self.labelled, sketch(frame, self.known.answers.bins, days))
        self.outcomes = _sum(self.outcomes, graded(labels, scores, days, self.edges))
        if self.known.losses is not None:
            self.losses = _sum(self.losses, losses(frame, self.known.inputs.bins, labels, scores, days))


def _sum(first: Counted | None, second: Counted) -> Counted:
    return second if first is None else first + second


def _read(frames: Iterable[tuple[pd.DataFrame, Days]], known: Reference) -> _Window | None:
    """None for no rows at all."""
    edges = known.outcomes.edges if known.outcomes else cells_of(known.answers.bins[0].edges)
    window = _Window(known, edges, np.zeros(len(edges) + 1, dtype=np.int64))
    for frame, days in frames:
        window.add(frame, days)
    return window if window.counted else None


def _judged(window: _Window, known: Reference, margins: Mapping[str, float]) -> dict[str, Any]:
    """The fields of Watched that outcomes and answers give."""
    had, came = known.outcomes, window.outcomes
    answers = window.sketch.counts[ANSWER]
    labelled = np.zeros_like(answers)
    if window.labelled:
        labelled[[window.sketch.days.index(day) for day in window.labelled.days]] = window.labelled.counts[
            ANSWER
        ]
    found: dict[str, Any] = {"coverage": coverage(answers, labelled)}
    if had and judged(had):
        found["estimates"] = estimates(window.cells.astype(np.float64), had, came)
    if came is None or not judged(came):
        return found
    found["performance"] = intervals(came)
    if had and judged(had):
        found["declines"] = declines(came, had, margins)
        found["performance"] |= {name: each.interval for name, each in found["declines"].items()}
        found["level"] = level(came, had)
    if window.losses and known.losses:
        found["slices"] = slices(window.losses, known.losses, known.inputs.bins, SLICE_MARGIN)
        found["explained"] = explain(window.losses, known.losses, known.inputs.bins)
    return found


def _frames(
    project: Project,
    located: Located,
    known: Reference,
    window: tuple[datetime, datetime],
    day: str | None,
) -> Iterator[tuple[pd.DataFrame, Days]]:
    """Rows of the window, batch by batch, and the day of each."""
    names = [each.name for each in known.inputs.bins]
    time = "came" if day is None else f"{KEY}{day}"
    since, until = window if day is None else (None, None)
    batches = read(
        project, located.model, since=since, until=until, versions=[located.version], kinds=KINDS, outcomes=True,
        columns=[*(f"{INPUT}{name}" for name in names), ANSWER, time, "outcome"],
    )  # fmt: skip
    names_of = {f"{INPUT}{name}": name for name in names}
    named = (
        batch.rename_columns([names_of.get(name, name) for name in batch.schema.names]) for batch in batches
    )
    for frame, moments in rows_within(named, time, window):
        yield frame, moments.astype("datetime64[D]")


def rows_within(
    batches: Iterable[pa.RecordBatch], time: str, window: tuple[datetime, datetime]
) -> Iterator[tuple[pd.DataFrame, NDArray[np.datetime64]]]:
    """Rows of the batches whose moment, column `time`, lies in a window (UTC), without that column; and each one's moment."""
    limits = [np.datetime64(each.replace(tzinfo=None)) for each in window]
    for batch in batches:
        moments = moments_of(batch.column(time))
        inside = (moments >= limits[0]) & (moments < limits[1])
        if not inside.any():
            continue
        frame = batch.drop_columns([time]).to_pandas(split_blocks=True)
        if not inside.all():
            frame, moments = frame[inside].reset_index(drop=True), moments[inside]
        yield frame, moments


def moments_of(column: pa.Array) -> NDArray[np.datetime64]:
    """(rows,) in UTC; those of a key are read of its text, each different one once."""
    import pandas as pd
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        found: NDArray[np.datetime64] = column.to_numpy(zero_copy_only=False)
        return found
    words = pd.to_datetime(column.dictionary.to_pandas(), format="ISO8601", errors="coerce", utc=True)
    known = np.append(words.dt.tz_localize(None).to_numpy(), np.datetime64("NaT"))
    at: NDArray[np.datetime64] = known[column.indices.fill_null(len(known) - 1).to_numpy()]
    return at


def _answer(known: Sketch, window: _Window, days: int) -> Moved | None:
    if len(known.days) < 3 * days:
        return None
    whole = window.sketch
    answers = Sketch(
        known.bins, whole.days, whole.rows, {ANSWER: whole.counts[ANSWER]}, {ANSWER: whole.sums[ANSWER]}
    )
    return compare(known, answers, ordinary(known, days, window.rows))[0]
