"""Alerts of a champion, week by week, by the same rules as where a service watches. Pure.

    judged      rows of a month whose outcomes came -> its windows, each with what the declared monitors find
    told        alerts so far, one more window -> alerts after it

Of the monitors, those speak that a replay has something to ask of: `inputs`, `answers` and `performance`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from workbench import alerts
from workbench.alerts import Alert, Judged
from workbench.drift.performance import performance
from workbench.drift.reference import Reference
from workbench.findings import column_finding, performance_finding
from workbench.monitors import DAY, Finding, Monitors
from workbench.replay.monitoring import compared_windows
from workbench.replay.outcomes import Floats, Rows


@dataclass(frozen=True)
class Told:
    """What is known at a moment: every alert's newest state, and the newest windows of the version that answers."""

    version: int | None = None
    alerts: tuple[Alert, ...] = ()
    windows: tuple[Judged, ...] = ()
    """The oldest first."""
    opened: int = 0
    """Alerts so far: the next one's number is one more."""

    @property
    def open(self) -> tuple[Alert, ...]:
        return tuple(each for each in self.alerts if each.state != "resolved")

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        windows = (
            Judged(**{**each, "findings": tuple(Finding(**found) for found in each["findings"])})
            for each in content["windows"]
        )
        return cls(
            content["version"],
            tuple(Alert(**each) for each in content["alerts"]),
            tuple(windows),
            content["opened"],
        )


def judged(rows: Rows, scores: Floats, reference: Reference, monitors: Monitors) -> Iterator[Judged]:
    """The whole windows of a month, in order; `scores` (rows,) are the champion's. Their numbers are to be given."""
    length = max(1, round(monitors.window / DAY))
    moved = compared_windows(rows, scores, reference, monitors.expected, length)
    for since in range(0, rows.length + 1 - length, length):
        first = rows.first + np.timedelta64(since, "D")
        after = first + np.timedelta64(length, "D")
        found: list[Finding] = []
        if first in moved:
            inputs, answers = moved[first]
            found += [column_finding("inputs", each.name, each) for each in inputs if monitors.inputs]
            found += [column_finding("answers", "", each) for each in answers if monitors.answers]
        inside = (rows.days >= first) & (rows.days < after)
        if monitors.performance and reference.outcomes is not None and inside.any():
            bounds = monitors.performance
            declines = performance(
                rows.labels[inside], scores[inside], rows.days[inside], reference.outcomes,
                {bounds.metric: bounds.margin},
            )  # fmt: skip
            found += [
                finding
                for each in declines.values()
                if (finding := performance_finding(bounds, each)) is not None
            ]
        plain = tuple(replace(each, evidence={}) for each in found)
        yield Judged(0, seconds(first), seconds(after), plain)


def told(before: Told, window: Judged, version: int, monitors: Monitors, model: str) -> Told:
    """What is known once a window of that version of the model was judged."""
    windows = before.windows if before.version == version else ()
    number = 1 + max((each.id for each in before.windows), default=0)
    windows = (*windows, replace(window, id=number))[-alerts.reach(monitors) :]
    known = {each.key: each for each in before.alerts}
    opened = before.opened
    for change in alerts.decide(known.values(), windows, monitors):
        opened += change.event == "opened"
        after = alerts.changed(change, opened, model, version, change.window.until)
        known[after.key] = after
    return Told(version, tuple(known.values()), windows, opened)


def seconds(day: np.datetime64) -> float:
    """The start of a day (UTC), since the epoch."""
    return float(day.astype("datetime64[s]").astype(np.int64))
