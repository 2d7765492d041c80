"""What is watched of a model, as its pipeline file declares it, and what comes of watching: findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from workbench.setting_keys import parse_duration

Severity = Literal["warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("warning", "critical")
"""From the lesser to the greater."""

MONITORS = ("inputs", "answers", "quality", "volume", "freshness", "performance", "service")

DAY = 86_400.0


@dataclass(frozen=True)
class Finding:
    """What one monitor says of one subject in one window; what could not be judged makes no finding."""

    monitor: str
    """One of MONITORS."""
    subject: str
    """What of it: a feature, a rule, a metric; empty where the monitor has only one."""
    severity: Severity | None
    """None: as it should be."""
    title: str
    """One sentence for people, with the numbers that decide."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Plain values, for JSON."""


@dataclass(frozen=True)
class Quality:
    """Shares of rows that may break the contract."""

    max_share: float
    rules: Mapping[str, float] = field(default_factory=dict)
    """Bounds of their own, by the rule's name."""
    critical: float | None = None
    """So many times the bound; None: never. As in the others."""


@dataclass(frozen=True)
class Volume:
    min_rows: int
    critical: float | None = None


@dataclass(frozen=True)
class Freshness:
    max_age: float
    """Seconds before the window's end."""
    critical: float | None = None


@dataclass(frozen=True)
class Performance:
    metric: str
    margin: float = 0.0
    wait: float = 30 * DAY
    """Seconds after a window's end for which its outcomes may come."""
    critical: float | None = None


@dataclass(frozen=True)
class Service:
    max_errors: float | None = None
    """Share of requests."""
    max_latency: float | None = None
    """Seconds, for 95 of 100 requests."""
    critical: float | None = None


@dataclass(frozen=True)
class Monitors:
    """What is watched; None or false: not declared."""

    window: float = 7 * DAY
    """Seconds."""
    day: str | None = None
    """The contract's key that says which day a row belongs to; None: when it was answered."""
    expected: tuple[str, ...] = ()
    inputs: bool = False
    answers: bool = False
    quality: Quality | None = None
    volume: Volume | None = None
    freshness: Freshness | None = None
    performance: Performance | None = None
    service: Service | None = None
    open_after: int = 1
    resolve_after: int = 2

    @property
    def declared(self) -> tuple[str, ...]:
        """Names of the monitors that are on."""
        return tuple(name for name in MONITORS if getattr(self, name) not in (None, False))


def monitors_of(declared: Mapping[str, Any]) -> Monitors:
    """Monitors as a pipeline file declares them, which monitor_keys has found to be right."""
    given = dict(declared)
    parts: dict[str, Any] = {name: name in given for name in ("inputs", "answers")}
    if "quality" in given:
        parts["quality"] = Quality(**given["quality"])
    if "volume" in given:
        parts["volume"] = Volume(**given["volume"])
    if "freshness" in given:
        parts["freshness"] = Freshness(**_timed(given["freshness"], "max_age"))
    if "performance" in given:
        parts["performance"] = Performance(**_timed(given["performance"], "wait"))
    if "service" in given:
        parts["service"] = Service(**_timed(given["service"], "max_latency"))
    frame = {name: given[name] for name in ("day", "open_after", "resolve_after") if name in given}
    return Monitors(
        window=parse_duration(given.get("window", "7d")),
        expected=tuple(given.get("expected", ())),
        **frame,
        **parts,
    )


def _timed(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The same with a duration in seconds."""
    return {**given, name: parse_duration(given[name])} if name in given else dict(given)


def last_whole(window: float, now: float) -> tuple[float, float]:
    """The last window of so many seconds that is over, by seconds since the epoch.

    One of a day or more ends at midnight (UTC), a shorter one where whole ones since the epoch end: whoever asks twice
    on a day means the same window.
    """
    step = min(window, DAY)
    end = now // step * step
    return end - window, end


def severity_of(times: float, critical: float | None) -> Severity | None:
    """How bad it is that something is so many times its bound; None: it keeps it."""
    if times <= 1:
        return None
    return "critical" if critical is not None and times >= critical else "warning"
