"""How runs, steps and times look: shared by the pages, and the same words as in the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import plotly.graph_objects as go

from workbench.ledger import Run, StepRun

SIGNS = {
    "running": "🔵", "done": "🟢", "cached": "⚪", "failed": "🔴",
    "skipped": "⏭️", "interrupted": "🟠", "crashed": "💥",
}  # fmt: skip
COLOURS = {
    "running": "#1c7ed6", "done": "#2f9e44", "cached": "#adb5bd", "failed": "#e03131",
    "skipped": "#ced4da", "interrupted": "#f08c00", "crashed": "#9c36b5",
}  # fmt: skip


def sign(state: str) -> str:
    """A state with its sign."""
    return f"{SIGNS.get(state, '•')} {state}"


def duration(seconds: float | None) -> str:
    """`0.4 s`, `12 s`, `3 min 5 s`, `1 h 2 min`; a dash when it is not known."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def age(seconds: float) -> str:
    """`a moment`, `12 min`, `5 h`, `3 days`, `4 months`: how long ago, to one figure."""
    for size, word in ((86400 * 60, "months"), (86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= (2 * size if word == "days" else size):
            return f"{seconds / (86400 * 30.44 if word == 'months' else size):.0f} {word}"
    return "a moment"


def plain(text: str) -> str:
    """Words of people and of data inside of markdown, as they are: nothing of them is a link, a picture or a formula."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$:])", r"\\\1", text)


def moment(seconds: float | None) -> datetime | None:
    """Seconds since the epoch as a time; tables show it in the reader's own zone."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def megabytes(size: int | None) -> float | None:
    return None if size is None else round(size / 1e6)


def counted(steps: Sequence[StepRun]) -> str:
    """`3 done · 2 cached · 1 failed`, in the order of the states above."""
    states = [step.state for step in steps]
    return " · ".join(f"{states.count(state)} {state}" for state in SIGNS if state in states)


def timeline(run: Run, steps: Sequence[StepRun]) -> go.Figure | None:
    """What ran when, a bar a step, in seconds after the run's start; None when nothing ran."""
    ran = [step for step in steps if step.started is not None and step.state not in {"cached", "skipped"}]
    if not ran:
        return None
    figure = go.Figure()
    for step in ran:
        assert step.started is not None
        ended = step.finished or run.heartbeat
        length = max(ended - step.started, 0.02)
        figure.add_bar(
            y=[step.step], x=[length], base=[step.started - run.started], orientation="h",
            marker={"color": COLOURS[step.state], "cornerradius": 3}, text=[duration(length)],
            textposition="auto", showlegend=False,
            hovertemplate=f"{step.step}<br>{step.state}, {duration(length)}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=60 + 30 * len(ran), margin={"l": 0, "r": 0, "t": 4, "b": 0}, bargap=0.25,
        xaxis={"title": None, "ticksuffix": " s", "rangemode": "tozero", "fixedrange": True},
        yaxis={"autorange": "reversed", "title": None, "fixedrange": True},
    )  # fmt: skip
    return figure
