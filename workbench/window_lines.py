"""What can be drawn of a model's windows over time, and between which values an ordinary window lies. Pure.

The bands are those that windows are judged by, so a point is outside of its band exactly where something was found: for a
metric, its value in the reference period, give or take the margin and the interval of the difference; for a column, the
distance from which it is drift.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.drift.graded import HIGHER_IS_BETTER, METRICS
from workbench.drift.reference import ANSWER
from workbench.ledger_windows import Point, in_limits
from workbench.monitors import Monitors

MOST_MOVED, ROWS, LATENCY, ERRORS = "moved most", "rows", "latency", "errors"
COLUMN = "column:"
"""Before the name of a column whose drift is a measure."""

Pair = tuple[float | None, float | None]
NOTHING: Pair = (None, None)


@dataclass(frozen=True)
class Measure:
    """Something that every window has a value of."""

    key: str
    name: str
    """For people."""
    unit: str
    better: str = ""
    """`higher`, `lower` or nothing."""


@dataclass(frozen=True)
class Line:
    """A measure over time; each sequence has a value a point, None where a window has none."""

    measure: Measure
    values: Sequence[float | None]
    intervals: Sequence[Pair]
    """How sure the values are (95 %)."""
    ordinary: Sequence[Pair]
    """Between these an unchanged window lies."""
    limit: float | None = None
    """One that holds for all windows, as declared."""
    about: str = ""
    """What the band, or the limit, is."""


def measures(points: Sequence[Point]) -> tuple[Measure, ...]:
    """What at least one window has a value of: metrics, drift, then how much was asked and how well it was served."""
    metrics = {name for point in points for name in point.performance}
    found = [
        Measure(name, _words(name), "nats a row" if name == "log_loss" else "0 to 1", _better(name))
        for name in METRICS
        if name in metrics
    ]
    compared = [point for point in points if point.inputs]
    if compared:
        found.append(Measure(MOST_MOVED, "drift: the column that moved most", "limits of drift", "lower"))
        names = [ANSWER] if any(point.answer for point in points) else []
        names += sorted({each["name"] for point in compared for each in point.inputs})
        found += [
            Measure(COLUMN + name, f"drift: {'the answers' if name == ANSWER else name}", "distance, 0 to 1", "lower")
            for name in names
        ]  # fmt: skip
    if points:
        found.append(Measure(ROWS, "rows", "rows a window"))
    if any(point.latency for point in points):
        found.append(Measure(LATENCY, "latency of 95 of 100 requests", "ms", "lower"))
    if any(point.requests.get("total") for point in points):
        found.append(Measure(ERRORS, "requests that ended in an error", "%", "lower"))
    return tuple(found)


def first_choice(found: Sequence[Measure], monitors: Monitors | None) -> Measure | None:
    """What is looked at first: the metric that is declared as a monitor, else the first there is."""
    wanted = monitors.performance.metric if monitors and monitors.performance else None
    return next((each for each in found if each.key == wanted), found[0] if found else None)


def line(points: Sequence[Point], measure: Measure, monitors: Monitors | None = None) -> Line:
    """A measure of windows, in their order."""
    if measure.key in METRICS:
        return _of(points, measure, _metric, "where an unchanged window lies, 95 % for all metrics together")
    if measure.key == MOST_MOVED:
        return _of(points, measure, _most_moved, "ordinary: below the limit of drift")
    if measure.key.startswith(COLUMN):
        return _of(points, measure, _column, "ordinary: below the limit of drift")
    limit, about = _bound(measure.key, monitors)
    value = {ROWS: _rows, LATENCY: _latency, ERRORS: _errors}[measure.key]
    return Line(
        measure, [value(each) for each in points], [NOTHING] * len(points), [NOTHING] * len(points), limit, about
    )  # fmt: skip


def number(value: Any) -> float | None:
    """A number of the ledger's JSON; None for what is none (NaN is written as text)."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


Drawn = tuple[float | None, Pair, Pair]


def _of(points: Sequence[Point], measure: Measure, drawn: Callable[[Point, str], Drawn], about: str) -> Line:
    found = [drawn(point, measure.key) for point in points]
    values, intervals, ordinary = ([each[at] for each in found] for at in range(3))
    return Line(measure, values, intervals, ordinary, about=about)  # type: ignore[arg-type]


def _metric(point: Point, name: str) -> Drawn:
    told = point.performance.get(name)
    if told is None:
        return None, NOTHING, NOTHING
    interval = number(told.get("low")), number(told.get("high"))
    decline = point.declines.get(name)
    if decline is None:
        return number(told.get("value")), interval, NOTHING
    usual, apart = number(decline["reference"]), decline["difference"]
    low, high = number(apart["low"]), number(apart["high"])
    if usual is None or low is None or high is None:
        return number(told.get("value")), interval, NOTHING
    reach = decline["margin"] + (high - low) / 2
    least, most = max(0.0, usual - reach), usual + reach
    return number(told.get("value")), interval, (least, most if name == "log_loss" else min(1.0, most))


def _most_moved(point: Point, _name: str) -> Drawn:
    moved = point.most_moved
    return (None, NOTHING, NOTHING) if moved is None else (in_limits(moved), NOTHING, (0.0, 1.0))


def _column(point: Point, key: str) -> Drawn:
    moved: Mapping[str, Any] | None = point.moved(key.removeprefix(COLUMN))
    if moved is None:
        return None, NOTHING, NOTHING
    return number(moved["distance"]), NOTHING, NOTHING if moved["expected"] else (0.0, number(moved["limit"]))


def _rows(point: Point) -> float | None:
    return point.rows


def _latency(point: Point) -> float | None:
    return point.latency["p95"] * 1000 if point.latency else None


def _errors(point: Point) -> float | None:
    total = point.requests.get("total")
    return 100 * point.requests["errors"] / total if total else None


def _bound(key: str, monitors: Monitors | None) -> tuple[float | None, str]:
    if monitors is None:
        return None, ""
    if key == ROWS and monitors.volume:
        return monitors.volume.min_rows, "at least"
    service = monitors.service
    if key == LATENCY and service and service.max_latency is not None:
        return service.max_latency * 1000, "at most"
    if key == ERRORS and service and service.max_errors is not None:
        return service.max_errors * 100, "at most"
    return None, ""


def _better(metric: str) -> str:
    return "higher" if metric in HIGHER_IS_BETTER else "lower"


def _words(metric: str) -> str:
    return {"auc": "AUC", "brier": "Brier score"}.get(metric, metric.replace("_", " "))
