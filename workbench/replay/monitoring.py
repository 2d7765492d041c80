"""What the monitors would have said of a champion at the end of a month, once its outcomes were there. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta

import numpy as np

from workbench.drift.compare import Moved, compare
from workbench.drift.ordinary import ROWS, ordinary
from workbench.drift.performance import Decline, performance
from workbench.drift.reference import ANSWER, Reference
from workbench.drift.sketch import Sketch, sketch
from workbench.replay.outcomes import Floats, Rows
from workbench.replay.policies import Seen

WEEK = 7
"""Days of the windows that are judged for drift, as when a service watches."""


def seen(
    rows: Rows,
    scores: Floats,
    reference: Reference,
    margins: Mapping[str, float],
    expected: Collection[str] = (),
) -> Seen:
    """`scores` (rows,) are the champion's; `margins` are the metrics to judge and the decline that matters of each.

    Features that are `expected` to move never count as drifted.
    """
    drifted, weeks = _drift(rows, scores, reference, expected)
    found: Mapping[str, Decline] = {}
    if reference.outcomes is not None:
        found = performance(rows.labels, scores, rows.days, reference.outcomes, margins)
    worse = tuple(_told(each) for each in found.values() if each.worse)
    rest = (
        "; ".join(_told(each) for each in found.values()) or "its reference has no outcomes to compare with"
    )
    return Seen(drifted, weeks, worse, rest)


def _drift(
    rows: Rows, scores: Floats, reference: Reference, expected: Collection[str]
) -> tuple[dict[str, int], int]:
    """In how many of the month's whole weeks each column drifted, and how many weeks there were."""
    weeks = compared_windows(rows, scores, reference, expected)
    found: Counter[str] = Counter()
    for inputs, answers in weeks.values():
        found.update(each.name for each in (*inputs, *answers) if each.drifted)
    return dict(found), len(weeks)


Compared = tuple[tuple[Moved, ...], tuple[Moved, ...]]
"""How features and answers of a window moved."""


def compared_windows(
    rows: Rows, scores: Floats, reference: Reference, expected: Collection[str], length: int = WEEK
) -> dict[np.datetime64, Compared]:
    """The month's whole windows of so many days, by their first day; without those that have too few rows to judge."""
    counted = sketch(rows.frame.assign(**{ANSWER: scores}), reference.bins, rows.days)
    windows = {day: each for day, each in _windows(counted, length) if each.rows.sum() >= ROWS}
    if not windows or len(reference.inputs.days) < 3 * length:
        return {}
    fewest = int(min(each.rows.sum() for each in windows.values()))
    usual = ordinary(reference.inputs, length, fewest, expected=expected)
    alone = len(reference.answers.days) >= 3 * length
    answers = ordinary(reference.answers, length, fewest) if alone else None
    return {
        day: (
            tuple(compare(reference.inputs, window, usual, expected)),
            tuple(compare(reference.answers, window, answers)) if answers else (),
        )
        for day, window in windows.items()
    }


def _windows(counted: Sketch, length: int) -> Iterator[tuple[np.datetime64, Sketch]]:
    first, last = date.fromisoformat(counted.days[0]), date.fromisoformat(counted.days[-1])
    for at in range(0, (last - first).days + 2 - length, length):
        since = first + timedelta(days=at)
        window = counted.between(since.isoformat(), (since + timedelta(days=length)).isoformat())
        yield np.datetime64(since, "D"), window


def _told(each: Decline) -> str:
    apart = each.difference
    return f"{each.metric} {each.value:.3f}, was {each.reference:.3f} ({apart.low:+.3f} to {apart.high:+.3f})"
