"""A window of the prediction log held against what its version was trained on.

watch
├── the version's reference.json (registry)
├── its predictions of the window, batch by batch, counted into the reference's bins (prediction_log, drift)
├── limits for a window of so many days and rows (drift.ordinary)
└── how good the answers were, as far as outcomes have come (evaluation)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.drift.compare import Moved, compare
from workbench.drift.ordinary import ALPHA, Ordinary, ordinary
from workbench.drift.reference import ANSWER, FILE, Reference
from workbench.drift.sketch import Sketch, sketch
from workbench.errors import BadInput, ModelError, did_you_mean
from workbench.evaluation import Interval, bootstrap_weights, measure
from workbench.ledger import Ledger
from workbench.prediction_log.reading import read
from workbench.prediction_log.tables import INPUT, KEY
from workbench.registry import ALIAS, Located, locate
from workbench.settings import Project

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

KINDS = ("champion", "canary", "batch")
"""What counts as traffic; a shadow's answers went to nobody."""
LABELLED = 200
"""Rows with an outcome below which nothing is said about how good the answers were."""
RESAMPLES = 300
MOST_LABELLED = 200_000
"""Rows with an outcome that are measured at once; of more, the newest."""


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

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of what moved more than is ordinary, the most unusual first."""
        every = [*self.inputs, *([self.answer] if self.answer else [])]
        return tuple(each.name for each in sorted(every, key=lambda each: -each.score) if each.drifted)

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
) -> Watched:
    """Compare what a version was asked from `since` up to, not including, `until` (UTC) with what it learned from.

    A row belongs to the day on which it was answered, or with `day` to that of this key column (see contracts: `keys`),
    as where a month is scored in an hour.
    `expected` features may move (the season moves temperatures): they are listed, but never alert.
    Raises BadInput for an unknown model, version, feature or key, a window with too few rows, or a reference shorter than three
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
        len(window.labels),
        _performance(window),
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


@dataclass(frozen=True)
class _Window:
    """What was read of the log."""

    sketch: Sketch
    labels: Floats
    """(rows with an outcome,), as are the next two."""
    scores: Floats
    days: Days

    @property
    def rows(self) -> int:
        return int(self.sketch.rows.sum())


def _read(frames: Iterable[tuple[pd.DataFrame, Days]], known: Reference) -> _Window | None:
    """None for no rows at all."""
    counted: Sketch | None = None
    labels, scores, days = [np.empty(0)], [np.empty(0)], [np.empty(0, dtype="datetime64[D]")]
    for frame, at in frames:
        part = sketch(frame, known.bins, at)
        counted = part if counted is None else counted + part
        there = frame["outcome"].isin((0.0, 1.0)).to_numpy()
        labels.append(frame["outcome"].to_numpy()[there].astype(np.float64))
        scores.append(frame[ANSWER].to_numpy()[there])
        days.append(at[there])
    newest = slice(-MOST_LABELLED, None)
    if counted is None:
        return None
    return _Window(
        counted, np.concatenate(labels)[newest], np.concatenate(scores)[newest], np.concatenate(days)[newest]
    )


def _frames(
    project: Project,
    located: Located,
    known: Reference,
    window: tuple[datetime, datetime],
    day: str | None,
) -> Iterator[tuple[pd.DataFrame, Days]]:
    """Rows of the window, batch by batch, and the day of each."""
    import pandas as pd

    names = [each.name for each in known.inputs.bins]
    time = "came" if day is None else f"{KEY}{day}"
    since, until = window if day is None else (None, None)
    batches = read(
        project, located.model, since=since, until=until, versions=[located.version], kinds=KINDS, outcomes=True,
        columns=[*(f"{INPUT}{name}" for name in names), ANSWER, time, "outcome"],
    )  # fmt: skip
    limits = [np.datetime64(each.replace(tzinfo=None)) for each in window]
    for batch in batches:
        frame = batch.to_pandas().rename(columns={f"{INPUT}{name}": name for name in names})
        at = frame[time].astype(str) if day is not None else frame[time]
        moments = (
            pd.to_datetime(at, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None).to_numpy()
        )
        inside = (moments >= limits[0]) & (moments < limits[1])
        if inside.any():
            yield frame[inside], moments[inside].astype("datetime64[D]")


def _answer(known: Sketch, window: _Window, days: int) -> Moved | None:
    if len(known.days) < 3 * days:
        return None
    whole = window.sketch
    answers = Sketch(
        known.bins, whole.days, whole.rows, {ANSWER: whole.counts[ANSWER]}, {ANSWER: whole.sums[ANSWER]}
    )
    return compare(known, answers, ordinary(known, days, window.rows))[0]


def _performance(window: _Window) -> dict[str, Interval]:
    """Each metric with its interval, resampled by day; by row where all came on one day."""
    rows = len(window.labels)
    if rows < LABELLED or len(np.unique(window.labels)) < 2:
        return {}
    groups = window.days if len(np.unique(window.days)) > 1 else None
    weights = bootstrap_weights(rows, RESAMPLES, groups=groups)
    return measure(window.labels, window.scores, weights).intervals()
