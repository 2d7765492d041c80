"""What the monitors would have said of a champion at the end of a month, once its outcomes were there. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, timedelta

import numpy as np

from workbench.drift.compare import compare
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
    counted = sketch(rows.frame.assign(**{ANSWER: scores}), reference.bins, rows.days)
    weeks = [each for each in _weeks(counted) if each.rows.sum() >= ROWS]
    if not weeks or len(reference.inputs.days) < 3 * WEEK:
        return {}, 0
    fewest = int(min(each.rows.sum() for each in weeks))
    usual = ordinary(reference.inputs, WEEK, fewest, expected=expected)
    alone = len(reference.answers.days) >= 3 * WEEK
    answers = ordinary(reference.answers, WEEK, fewest) if alone else None
    found: Counter[str] = Counter()
    for week in weeks:
        moved = list(compare(reference.inputs, week, usual, expected))
        moved += compare(reference.answers, week, answers) if answers else []
        found.update(each.name for each in moved if each.drifted)
    return dict(found), len(weeks)


def _weeks(counted: Sketch) -> list[Sketch]:
    first, last = date.fromisoformat(counted.days[0]), date.fromisoformat(counted.days[-1])
    starts = np.arange(0, (last - first).days + 2 - WEEK, WEEK)
    edges = [(first + timedelta(days=int(at)), first + timedelta(days=int(at) + WEEK)) for at in starts]
    return [counted.between(since.isoformat(), until.isoformat()) for since, until in edges]


def _told(each: Decline) -> str:
    apart = each.difference
    return f"{each.metric} {each.value:.3f}, was {each.reference:.3f} ({apart.low:+.3f} to {apart.high:+.3f})"
