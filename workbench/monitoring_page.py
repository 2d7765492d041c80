"""What a window looks like, as one HTML page for people."""

from __future__ import annotations

from typing import Any

from workbench.drift.compare import Moved
from workbench.drift.ordinary import ALPHA
from workbench.monitoring import LABELLED, Watched
from workbench.pages import Html, banner, length, marked, page, section, table, tiles


def drift_page(found: Watched) -> str:
    """A self-contained page without scripts; names from the data are escaped."""
    drifted = found.drifted
    words = f"{len(drifted)} moved more than is ordinary: {', '.join(drifted)}"
    verdict = banner(words, "note") if drifted else banner("Nothing moved more than is ordinary", "good")
    window = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    numbers = [("rows", f"{found.rows:,}", window), ("outcomes", f"{found.outcomes:,}", "have come")]
    return page(
        f"{found.model}, version {found.version}",
        marked(f"What it was asked from {window}, against what it learned from", "muted"),
        verdict,
        tiles(numbers),
        *drift_parts(found),
    )


def drift_parts(found: Watched) -> tuple[Html, ...]:
    """What the page stands on: how good the answers were, and column by column."""
    return _performance(found), _columns(found)


def _performance(found: Watched) -> Html:
    title = "How good the answers were"
    if not found.performance:
        return section(
            title, f"Not known: fewer than {LABELLED} outcomes, or only one kind of them, have come."
        )
    rows = [(name, each.value, each.low, each.high) for name, each in found.performance.items()]
    return section(
        title, table(["metric", "value", "from", "to"], rows, "with 95 % intervals, resampled by day")
    )


def _columns(found: Watched) -> Html:
    moved = [*([found.answer] if found.answer else []), *found.inputs]
    most = max((each.distance for each in moved), default=0) or 1
    head = ["column", "", "distance", "drift from", "PSI", "Wasserstein", "missing", "unseen", "detectable"]
    days = "day" if found.limits.days == 1 else "days"
    about = (
        f"The distance is Jensen-Shannon's, 0 to 1. It is drift from where fewer than {ALPHA:.0%} of ordinary windows of "
        f"{found.limits.days} {days} and {found.limits.rows:,} rows have any column that far away; "
        f"{found.limits.stretches} stretches of the reference say what is ordinary. Wasserstein is in standard deviations. "
        "Detectable is the share of rows that would be noticed if they all had a value never seen before."
    )
    return section(
        "Column by column", marked(about, "muted"), table(head, [_row(each, most) for each in moved])
    )


def _row(moved: Moved, most: float) -> tuple[Any, ...]:
    colour = "note" if moved.drifted else "muted"
    before, now = moved.missing
    return (
        marked(moved.name, "note") if moved.drifted else moved.name,
        length(moved.distance / most, colour),
        moved.distance,
        "expected to move" if moved.expected else moved.limit,
        moved.psi,
        "" if moved.wasserstein is None else moved.wasserstein,
        f"{before:.1%} → {now:.1%}" if before or now else "",
        f"{moved.unseen:.1%}" if moved.unseen else "",
        f"{moved.detectable:.1%}",
    )
