"""What monitors say of a window: measured values and declared bounds in, findings out. Pure.

A share is beyond its bound when the lower limit of its 95 % interval is (Wilson, 1927): what a few rows show by chance is
no finding. A monitor that cannot judge the window says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from workbench.drift.compare import Moved
from workbench.drift.explain import Explained
from workbench.drift.graded import HIGHER_IS_BETTER
from workbench.drift.performance import Decline
from workbench.health import Health, Rate
from workbench.monitoring import Watched
from workbench.monitors import (
    Finding,
    Freshness,
    Monitors,
    Performance,
    Quality,
    Service,
    Severity,
    Volume,
    severity_of,
)

Z = 1.959964
"""Standard deviations of a 95 % interval."""

EXPLAINED = 3
"""Features that a decline is told to have come with."""

SOURCES = {"answered": "rows answered", "batch": "rows read by batch scoring", "requests": "requests"}
"""What a rate is a share of."""


def findings(
    monitors: Monitors,
    health: Health,
    watched: Watched | None,
    *,
    since: datetime,
    until: datetime,
) -> tuple[Finding, ...]:
    """Everything that the declared monitors say, also that something is as it should be, the worst first.

    `watched` is None for a window that could not be compared with the reference.
    """
    found: list[Finding] = []
    if watched is not None and monitors.inputs:
        found += [column_finding("inputs", each.name, each) for each in watched.inputs]
    if watched is not None and watched.answer is not None and monitors.answers:
        found.append(column_finding("answers", "", watched.answer))
    if monitors.quality:
        found += _quality(monitors.quality, health)
    if monitors.volume:
        found.append(_volume(monitors.volume, health))
    if monitors.freshness:
        found.append(_freshness(monitors.freshness, health, since, until, by_day=monitors.day is not None))
    if monitors.performance and watched is not None:
        decline = watched.declines.get(monitors.performance.metric)
        judged = decline and performance_finding(
            monitors.performance, decline, watched.explained, watched.worse
        )
        found += [judged] if judged else []
    if monitors.service:
        found += _service(monitors.service, health)
    return tuple(sorted(found, key=lambda each: _RANK[each.severity]))


_RANK: Mapping[Severity | None, int] = {"critical": 0, "warning": 1, None: 2}


def wilson_low(part: int, total: int) -> float:
    """The lower limit of the 95 % interval of a share; 0 for none of any. Wilson (1927)."""
    if not part:
        return 0.0
    share, square = part / total, Z * Z
    middle = share + square / (2 * total)
    spread = Z * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return (middle - spread) / (1 + square / total)


def column_finding(monitor: str, subject: str, moved: Moved) -> Finding:
    """What `inputs` or `answers` says of one column."""
    what = f"'{moved.name}'" if subject else "the model's answers"
    if moved.expected:
        title = f"{what} moved {moved.distance:.3f}, as is expected of it"
    elif moved.drifted:
        title = f"{what} moved {moved.distance:.3f}, more than is ordinary ({moved.limit:.3f})"
    else:
        title = f"{what} moved {moved.distance:.3f}, which is ordinary (drift from {moved.limit:.3f})"
    return Finding(
        monitor,
        subject,
        "warning" if moved.drifted else None,
        title,
        {**asdict(moved), "missing": list(moved.missing)},
    )


def _quality(bounds: Quality, health: Health) -> Iterator[Finding]:
    """One a rule: of what was answered, set aside and refused, where it is broken most."""
    worst: dict[str, tuple[float, Rate, float]] = {}
    for rate in health.rates:
        if (bound := _bound(bounds, rate, health)) is None:
            continue
        times = _times(wilson_low(rate.broken, rate.of), bound)
        if rate.rule not in worst or times > worst[rate.rule][0]:
            worst[rate.rule] = times, rate, bound
    for rule, (times, rate, bound) in worst.items():
        title = (
            f"{rule} in {rate.share:.2%} of {rate.of:,} {SOURCES[rate.source]}, at most {bound:.2%} allowed"
        )
        evidence = {**asdict(rate), "share": rate.share, "bound": bound}
        yield Finding("quality", rule, severity_of(times, bounds.critical), title, evidence)


def _bound(bounds: Quality, rate: Rate, health: Health) -> float | None:
    """None for what the contract allows and nobody has bounded."""
    if rate.rule in bounds.rules:
        return bounds.rules[rate.rule]
    return None if rate.rule in health.allowed else bounds.max_share


def _volume(bounds: Volume, health: Health) -> Finding:
    times = _times(bounds.min_rows, health.rows)
    title = f"{health.rows:,} rows, at least {bounds.min_rows:,} expected"
    evidence = {"rows": health.rows, "bound": bounds.min_rows}
    return Finding("volume", "", severity_of(times, bounds.critical), title, evidence)


def _freshness(
    bounds: Freshness, health: Health, since: datetime, until: datetime, *, by_day: bool
) -> Finding:
    allowed = _days(bounds.max_age)
    if health.newest is None:
        title = f"no row since {since:%Y-%m-%d %H:%M} UTC, expected one within {allowed}"
        return Finding("freshness", "", severity_of(math.inf, bounds.critical), title, {"age": None})
    newest = health.newest + timedelta(days=1) if by_day else health.newest  # a day is over at its end
    age = max(0.0, (until - newest).total_seconds())
    title = f"the newest row is {_days(age)} from the window's end, at most {allowed} allowed"
    evidence = {"newest": health.newest.isoformat(), "age": age, "bound": bounds.max_age}
    return Finding(
        "freshness", "", severity_of(_times(age, bounds.max_age), bounds.critical), title, evidence
    )


def performance_finding(
    bounds: Performance, decline: Decline, explained: Sequence[Explained] = (), worse: Sequence[str] = ()
) -> Finding | None:
    """What `performance` says of its metric; None where the interval is not known.

    Judged by the near end of the difference's interval, not by the difference. `explained` are features and what
    came with them; `worse` is kept as evidence.
    """
    apart = decline.difference
    lost = -apart.high if bounds.metric in HIGHER_IS_BETTER else apart.low
    if math.isnan(lost):
        return None
    word, severity = ("worse", severity_of(_times(lost, bounds.margin), _critical(bounds)))
    if lost <= bounds.margin:
        word = "not worse by more than " + format(bounds.margin, "g") if bounds.margin else "not worse"
        severity = None
    came_with = [each for each in explained if each.impact > 0]
    title = (
        f"{bounds.metric} {decline.value:.4f} is {word} than {decline.reference:.4f} in the reference period: "
        f"{apart.value:+.4f} ({apart.low:+.4f} to {apart.high:+.4f})"
    )
    if severity and came_with:
        title += f"; most of it came with '{came_with[0].feature}' ({', '.join(came_with[0].where[:3])})"
    evidence = {
        **decline.as_dict(),
        "explained": [each.as_dict() for each in came_with[:EXPLAINED]],
        "worse": list(worse),
    }
    return Finding("performance", bounds.metric, severity, title, evidence)


def _critical(bounds: Performance) -> float | None:
    return bounds.critical if bounds.margin > 0 else None


def _service(bounds: Service, health: Health) -> Iterator[Finding]:
    asked, latency = health.requests, health.latency
    if bounds.max_errors is not None and asked.total:
        times = _times(wilson_low(asked.errors, asked.total), bounds.max_errors)
        title = (
            f"{asked.errors / asked.total:.2%} of {asked.total:,} requests ended in an error, "
            f"at most {bounds.max_errors:.2%} allowed"
        )
        evidence: dict[str, Any] = {
            "errors": asked.errors,
            "requests": asked.total,
            "reasons": dict(asked.reasons),
        }
        yield Finding("service", "errors", severity_of(times, bounds.critical), title, evidence)
    if bounds.max_latency is not None and latency is not None:
        times = _times(latency.p95, bounds.max_latency)
        title = (
            f"95 of 100 requests took up to {_milliseconds(latency.p95)}, "
            f"at most {_milliseconds(bounds.max_latency)} allowed"
        )
        evidence = {**asdict(latency), "bound": bounds.max_latency}
        yield Finding("service", "latency", severity_of(times, bounds.critical), title, evidence)


def _times(value: float, bound: float) -> float:
    """How many times its bound a value is."""
    if bound:
        return value / bound
    return math.inf if value else 0.0


def _days(seconds: float) -> str:
    if seconds >= 172_800:
        return f"{seconds / 86_400:.3g} days"
    return f"{seconds / 3_600:.3g} h" if seconds >= 3_600 else f"{seconds / 60:.0f} min"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
