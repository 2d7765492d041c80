"""Windows over time, out of the ledger: what a line needs of each window, without the bulk of what was found.

A window of many columns and slices is some 100 kB of JSON. The database takes the few parts that are drawn out of it, so that
a year of windows is read in the time of a few whole ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench.ledger import Ledger
from workbench.monitors import Severity

MOST = 1_000
"""Windows of one model that are looked back at."""

_PARTS = {
    "declines": ("watched", "declines"),
    "performance": ("watched", "performance"),
    "inputs": ("watched", "inputs"),
    "answer": ("watched", "answer"),
    "outcomes": ("watched", "outcomes"),
    "latency": ("health", "latency"),
    "requests": ("health", "requests"),
    "findings": ("findings",),
}


@dataclass(frozen=True)
class Point:
    """One window as a point of lines. Times are seconds since the epoch (UTC); `until` is not included."""

    id: int
    version: int
    since: float
    until: float
    rows: int
    refused: str
    """Why it could not be compared with the reference; empty when it was."""
    outcomes: int
    """Rows whose outcome had come when it was judged."""
    worst: Severity | None
    """Of what was found."""
    found: int
    """Findings that are not as they should be."""
    declines: Mapping[str, Mapping[str, Any]]
    """By metric, as drift.performance.Decline.as_dict has it; none while outcomes are few."""
    performance: Mapping[str, Mapping[str, Any]]
    """By metric: value with its interval, also without a reference."""
    inputs: Sequence[Mapping[str, Any]]
    """As drift.compare.Moved, one a feature."""
    answer: Mapping[str, Any] | None
    """The same of the model's answers."""
    latency: Mapping[str, Any] | None
    """As health.Latency."""
    requests: Mapping[str, Any]
    """As prediction_log.tallies.Requests; `total` is 0 where no server has counted."""

    @property
    def most_moved(self) -> Mapping[str, Any] | None:
        """The column that came nearest to its limit of drift, or is furthest beyond it; answers count as one."""
        judged = [each for each in (*self.inputs, self.answer) if each and not each["expected"]]
        return max(judged, key=in_limits, default=None)

    def moved(self, name: str) -> Mapping[str, Any] | None:
        """How far one column moved."""
        every = (*self.inputs, *([self.answer] if self.answer else []))
        return next((each for each in every if each["name"] == name), None)


def points(ledger: Ledger, model: str, limit: int = MOST) -> list[Point]:
    """A model's windows in the order of their ends, the newest `limit` of them, of all its versions."""
    table = schema.windows
    query = (
        sa.select(
            *(table.c[name] for name in ("id", "version", "since", "until", "rows", "refused")),
            *(table.c.content[path].label(name) for name, path in _PARTS.items()),
        )
        .where(table.c.model == model)
        .order_by(table.c.until.desc(), table.c.since.desc())
        .limit(limit)
    )
    return [_point(row) for row in reversed(ledger.read(query))]


def watched_models(ledger: Ledger) -> list[str]:
    """Models that have windows or alerts, by name."""
    names = sa.union(sa.select(schema.windows.c.model), sa.select(schema.alerts.c.model)).subquery()
    return sorted(row.model for row in ledger.read(sa.select(names.c.model)))


def state_of_windows(ledger: Ledger, model: str) -> tuple[int, float]:
    """How many windows a model has, and when one was judged last: as long as it stays, `points` do."""
    table = schema.windows
    query = sa.select(*(of(table.c.created) for of in (sa.func.count, sa.func.max)))
    ((count, judged),) = (tuple(row) for row in ledger.read(query.where(table.c.model == model)))
    return int(count), float(judged or 0.0)


def _point(row: sa.Row[Any]) -> Point:
    values = dict(row._mapping)
    bad = [each for each in values.pop("findings") or () if each["severity"]]
    severities = {each["severity"] for each in bad}
    worst: Severity | None = "critical" if "critical" in severities else "warning" if bad else None
    empty: dict[str, Any] = {"declines": {}, "performance": {}, "inputs": (), "outcomes": 0, "requests": {}}
    return Point(
        **{name: empty[name] if value is None and name in empty else value for name, value in values.items()},
        worst=worst,
        found=len(bad),
    )


def in_limits(moved: Mapping[str, Any]) -> float:
    """A distance in limits of drift: above 1 it is more than is ordinary."""
    return float(moved["distance"] / moved["limit"]) if moved["limit"] else 0.0
