"""An alert's life, decided: what the findings of a model's windows open, confirm, raise and resolve. Pure.

                    bad windows in a row >= open_after
        (nothing) ------------------------------------> open ----- a person ----> acknowledged
                                                          |                            |
                                                          +-- fine windows in a row ---+---> resolved
                                                               >= resolve_after, or a person

Windows are in the order of their ends, and one that is judged again takes its own place: judging it twice changes nothing.
A monitor that could not judge a window (too few rows, no outcomes yet) says nothing of it, which neither opens nor resolves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from workbench.monitors import SEVERITIES, Finding, Monitors, Severity

STATES = ("open", "acknowledged", "resolved")
Event = Literal["opened", "worse", "resolved"]
EVENTS: tuple[Event, ...] = ("opened", "worse", "resolved")
"""What people are told of; each once for each alert."""

BY_MONITOR = "monitor"
"""Who has resolved an alert that no person has."""


@dataclass(frozen=True)
class Alert:
    """A row of the ledger's table `alerts`. Times are seconds since the epoch (UTC)."""

    id: int
    model: str
    version: int | None
    monitor: str
    """One of monitors.MONITORS."""
    subject: str
    severity: Severity
    """The highest that it had."""
    state: str
    """One of STATES."""
    title: str
    opened: float
    changed: float
    acknowledged: float | None = None
    acknowledged_by: str | None = None
    resolved: float | None = None
    resolved_by: str | None = None
    """A person, or BY_MONITOR."""
    window: int | None = None
    """The newest window that showed it."""
    content: Mapping[str, Any] = field(default_factory=dict)
    """`since`, `until` (seconds) of that window, `windows` (how many in a row showed it) and the finding's `evidence`;
    once resolved, the `reason`."""

    @property
    def key(self) -> tuple[str, str]:
        return self.monitor, self.subject


@dataclass(frozen=True)
class Judged:
    """A window and what was found in it."""

    id: int
    since: float
    until: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Change:
    """What becomes of one alert."""

    event: Literal["opened", "worse", "confirmed", "resolved"]
    """`confirmed`: it goes on; noted, and nobody is told."""
    finding: Finding
    window: Judged
    alert: Alert | None
    """What it was; None for one that opens."""
    severity: Severity
    """That it has from now on."""
    windows: int
    """So many in a row show it, or do not."""
    reason: str


def decide(alerts: Iterable[Alert], windows: Sequence[Judged], monitors: Monitors) -> list[Change]:
    """What the newest windows change, in the order of the newest one's findings.

    `alerts` are the newest of each monitor and subject, whatever their state; `windows` those of the version that
    serves, in any order, as many as `reach` says.
    """
    newest_first = sorted(windows, key=lambda window: (-window.until, -window.since))
    known = {alert.key: alert for alert in alerts}
    judged = _by_subject(newest_first)
    found = (_of_subject(known.get(key), seen, monitors) for key, seen in judged.items())
    gone = (_unwatched(alert, newest_first, judged, monitors) for alert in known.values())
    return [change for change in (*found, *gone) if change]


def changed(change: Change, id_: int, model: str, version: int, moment: float) -> Alert:
    """The alert as a change at that moment leaves it. `id_` is for one that opens; `version` answered in the window."""
    finding, window = change.finding, change.window
    if change.event == "resolved":
        assert change.alert is not None
        content = {**change.alert.content, "reason": change.reason}
        return replace(
            change.alert, state="resolved", changed=moment, resolved=moment, resolved_by=BY_MONITOR, content=content
        )  # fmt: skip
    before = change.alert or Alert(
        id_, model, version, finding.monitor, finding.subject, change.severity, "open", finding.title, moment, moment
    )  # fmt: skip
    return replace(
        before, version=version, severity=change.severity, title=finding.title, changed=moment, window=window.id,
        content={
            "since": window.since, "until": window.until, "windows": change.windows, "evidence": finding.evidence
        },
    )  # fmt: skip


def reach(monitors: Monitors) -> int:
    """How many windows back a decision looks, with room for those that some monitor could not judge."""
    return 4 * max(monitors.open_after, monitors.resolve_after) + 8


Seen = list[tuple[Judged, Finding]]
"""Windows that judged one subject, the newest first."""


def _by_subject(newest_first: Iterable[Judged]) -> Mapping[tuple[str, str], Seen]:
    found: dict[tuple[str, str], Seen] = {}
    for window in newest_first:
        for finding in window.findings:
            found.setdefault((finding.monitor, finding.subject), []).append((window, finding))
    return found


def _of_subject(alert: Alert | None, seen: Seen, monitors: Monitors) -> Change | None:
    if alert is not None and alert.state == "resolved":
        # The windows that it stood on open nothing again, whoever resolved it.
        ended = float(alert.content.get("until", 0.0))
        seen = [(window, finding) for window, finding in seen if window.until > ended]
        alert = None
    if not seen:
        return None
    window, finding = seen[0]
    bad = sum(1 for _ in _while(seen, bad=True))
    if alert is None:
        return _opening(seen, bad, monitors.open_after)
    if finding.severity is None:
        fine = sum(1 for _ in _while(seen, bad=False))
        if fine < monitors.resolve_after:
            return None
        return Change(
            "resolved", finding, window, alert, alert.severity, fine, f"{_windows(fine)} did not show it"
        )  # fmt: skip
    if _rank(finding.severity) > _rank(alert.severity):
        return Change(
            "worse", finding, window, alert, finding.severity, bad, f"was {alert.severity}, is {finding.severity}"
        )  # fmt: skip
    if window.id == alert.window and finding.title == alert.title:
        return None
    return Change("confirmed", finding, window, alert, alert.severity, bad, f"{_windows(bad)} showed it")


def _unwatched(
    alert: Alert, newest_first: Sequence[Judged], judged: Mapping[tuple[str, str], Seen], monitors: Monitors
) -> Change | None:
    """The end of an alert that no window can ever resolve: nobody looks any more."""
    if alert.state == "resolved" or not newest_first:
        return None
    if alert.monitor not in monitors.declared:
        reason = f"the monitor '{alert.monitor}' is not declared any more"
    else:
        looked = [
            window
            for window in newest_first
            if any(finding.monitor == alert.monitor for finding in window.findings)
        ]
        if alert.key in judged or len(looked) < monitors.resolve_after:
            return None
        reason = f"'{alert.subject}' is not watched any more"
    fine = Finding(alert.monitor, alert.subject, None, reason)
    return Change("resolved", fine, newest_first[0], alert, alert.severity, 0, reason)


def _opening(seen: Seen, bad: int, open_after: int) -> Change | None:
    if not bad or bad < open_after:
        return None
    window, finding = seen[0]
    worst = max((each.severity for _, each in seen[:bad] if each.severity), key=_rank)
    return Change("opened", finding, window, None, worst, bad, f"{_windows(bad)} showed it")


def _while(seen: Seen, *, bad: bool) -> Iterator[None]:
    for _, finding in seen:
        if (finding.severity is not None) is not bad:
            return
        yield None


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)


def _windows(count: int) -> str:
    return "1 window" if count == 1 else f"{count} windows in a row"
