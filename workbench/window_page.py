"""A window that was looked at, as one HTML page for people: what is wrong first, what it stands on below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from workbench.alerts import Alert, Change
from workbench.findings import SOURCES
from workbench.health import Health
from workbench.monitoring_page import drift_parts
from workbench.monitors import MONITORS, Finding
from workbench.pages import Content, Html, banner, facts, folded, lines, marked, page, section, table, tiles
from workbench.windows import Seen

COLOURS = {"critical": "bad", "warning": "note", None: "good"}


def window_page(seen: Seen, *more: Content) -> str:
    """A self-contained page without scripts; `more` comes after what is wrong. Names from the data are escaped."""
    window = seen.window
    span = f"{_time(window.since)} to {_time(window.until)} UTC"
    parts: list[Content] = [
        marked(f"Version {window.version}, {span}", "muted"),
        _verdict(seen),
        tiles(_numbers(seen)),
        *_changes(seen.changes),
        *_standing(seen),
        *more,
        _monitors(seen),
    ]
    if window.refused:
        parts.append(section("Against what it learned from", f"Not compared: {window.refused}."))
    if seen.watched is not None:
        parts += drift_parts(seen.watched)
    parts += _health(seen.health)
    return page(f"{window.model}: a window looked at", *parts)


def _verdict(seen: Seen) -> Html:
    bad = [each for each in seen.window.findings if each.severity]
    if not bad:
        looked = f"{len(seen.window.findings)} things were looked at" if seen.window.findings else ""
        return banner("Nothing to report", "good", *([looked] if looked else []))
    monitors = Counter(each.monitor for each in bad)
    counts = ", ".join(f"{name} {count}" if count > 1 else name for name, count in monitors.items())
    critical = sum(1 for each in bad if each.severity == "critical")
    words = f"{len(bad)} findings" if len(bad) > 1 else "1 finding"
    return banner(
        f"{words}: {counts}",
        "bad" if critical else "note",
        f"{critical} of them critical" if critical else "none of them critical",
    )


def _numbers(seen: Seen) -> Iterator[tuple[str, Any, str]]:
    health, watched = seen.health, seen.watched
    form = "%Y-%m-%d" if seen.monitors.day else "%Y-%m-%d %H:%M"
    yield "rows", f"{health.rows:,}", f"newest {health.newest:{form}}" if health.newest else "none"
    critical = sum(1 for alert in seen.open if alert.severity == "critical")
    yield "open alerts", f"{len(seen.open):,}", f"{critical} critical" if critical else "none critical"
    if watched is not None:
        yield "outcomes", f"{watched.outcomes:,}", "have come"
    if health.latency is not None:
        yield "p95", f"{health.latency.p95 * 1000:.3g} ms", f"of {health.latency.requests:,} requests"
    if health.requests.total:
        share = health.requests.errors / health.requests.total
        yield "errors", f"{share:.2%}", f"of {health.requests.total:,} requests"


def _changes(changes: tuple[tuple[Change, Alert], ...]) -> Iterator[Html]:
    if changes:
        rows = [
            (
                marked(change.event, "good" if change.event == "resolved" else COLOURS[change.severity]),
                alert.id, alert.monitor, alert.title, change.reason,
            )
            for change, alert in changes
        ]  # fmt: skip
        yield section("What this window changed", table(["", "alert", "monitor", "what", "why"], rows))


def _standing(seen: Seen) -> Iterator[Html]:
    """Alerts that were open before and go on."""
    now = {alert.id for _, alert in seen.changes}
    rows = [
        (
            marked(alert.severity, COLOURS[alert.severity]), alert.id, alert.monitor, alert.title,
            f"since {_time(alert.opened)}" + (f", {alert.acknowledged_by} knows" if alert.acknowledged_by else ""),
        )
        for alert in seen.open
        if alert.id not in now
    ]  # fmt: skip
    if rows:
        yield section("Open before, and still", table(["", "alert", "monitor", "what", ""], rows))


def _monitors(seen: Seen) -> Html:
    rows = []
    for monitor in MONITORS:
        own = [each for each in seen.window.findings if each.monitor == monitor]
        if monitor in seen.monitors.declared:
            rows.append((monitor, *_summary(own)))
    return section("Monitor by monitor", table(["monitor", "", "what it says"], rows))


def _summary(found: list[Finding]) -> tuple[Html, str | Html]:
    if not found:
        return marked("no word", "muted"), "nothing to judge by in this window"
    bad = [each for each in found if each.severity]
    if not bad:
        return marked("fine", "good"), found[0].title if len(found) == 1 else f"{len(found)} looked at"
    worst = "critical" if any(each.severity == "critical" for each in bad) else "warning"
    return marked(worst, COLOURS[worst]), lines(*(each.title for each in bad))


def _health(health: Health) -> Iterator[Html]:
    if health.rates:
        head = ["rule", "broken by", "of", "", "share"]
        rows = [
            (each.rule, each.broken, each.of, SOURCES[each.source], f"{each.share:.2%}")
            for each in health.rates
        ]
        broken = [row for row in rows if row[1]]
        about = marked(
            "Rules of the contract, and how often a column is missing that may be. What a server refuses and batch "
            "scoring sets aside was not answered, so it is counted on its own.",
            "muted",
        )
        parts: list[Content] = [about, table(head, broken) if broken else "No rule is broken by any row."]
        if rest := rows[len(broken) :]:
            parts.append(folded(f"{len(rest)} that nothing breaks", table(head, rest)))
        yield section("Does it keep the contract", *parts)
    yield from _service(health)


def _service(health: Health) -> Iterator[Html]:
    service: dict[str, Any] = {}
    if health.latency is not None:
        latency = health.latency
        shown = " / ".join(f"{value * 1000:.3g} ms" for value in (latency.median, latency.p95, latency.p99))
        service["50 / 95 / 99 of 100 requests took up to"] = shown
    for status, count in sorted(health.requests.statuses.items()):
        service[f"answered with {status}"] = count
    for reason, count in sorted(health.requests.reasons.items(), key=lambda pair: -pair[1]):
        service[f"refused or failed: {reason}"] = count
    if service:
        yield section("Service", facts(service))


def _time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"
