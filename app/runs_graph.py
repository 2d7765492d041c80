"""A run's steps as a graph: what needs what, in which state each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from charts import MUTED
from drawing import COLOURS, duration

from workbench.ledger import Run, StepRun
from workbench.run_graph import Needs, places

MARKS = {
    "done": "✓",
    "cached": "=",
    "failed": "✗",
    "running": "▶",
    "skipped": "–",
    "interrupted": "■",
    "crashed": "!",
}


def graph(run: Run, steps: Sequence[StepRun], wanted: Needs) -> go.Figure:
    """From left to right; a step that has not begun is a ring."""
    told = {step.step: step for step in steps}
    at = places(wanted)
    figure = go.Figure()
    for step, needed in wanted.items():
        for each in needed:
            _arrow(figure, at[each], at[step])
    names = list(wanted)
    figure.add_scatter(
        x=[at[step][0] for step in names], y=[-at[step][1] for step in names], mode="markers+text",
        marker={
            "size": 30, "color": [_colour(told, step) for step in names],
            "line": {"width": 2, "color": [COLOURS.get(told[step].state, MUTED) if step in told else MUTED for step in names]},
        },
        text=[_label(told, step) for step in names], textposition="bottom center",
        hovertext=[_said(told, step) for step in names], hoverinfo="text",
    )  # fmt: skip
    for step in names:
        if step in told:
            figure.add_annotation(
                x=at[step][0], y=-at[step][1], text=MARKS.get(told[step].state, "?"), showarrow=False,
                font={"color": "#212529" if told[step].state in ("cached", "skipped") else "#ffffff", "size": 15}, captureevents=False,
            )  # fmt: skip
    rows = [row for _, row in at.values()] or [0.0]
    axis = {"visible": False, "fixedrange": True}
    figure.update_layout(
        height=110 + round(72 * (max(rows) - min(rows))), margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False,
        hovermode="closest", dragmode=False,
        xaxis={**axis, "range": [-0.5, max((column for column, _ in at.values()), default=0) + 0.5]},
        yaxis={**axis, "range": [-max(rows) - 0.75, -min(rows) + 0.35]},
    )  # fmt: skip
    return figure


def _arrow(figure: go.Figure, start: tuple[int, float], end: tuple[int, float]) -> None:
    figure.add_annotation(
        x=end[0], y=-end[1], ax=start[0], ay=-start[1], xref="x", yref="y", axref="x", ayref="y", text="",
        showarrow=True, arrowhead=2, arrowsize=1, arrowwidth=1.4, arrowcolor=MUTED, standoff=17, startstandoff=17,
    )  # fmt: skip


def _colour(told: Mapping[str, StepRun], step: str) -> str:
    return COLOURS.get(told[step].state, MUTED) if step in told else "rgba(0,0,0,0)"


def _label(told: Mapping[str, StepRun], step: str) -> str:
    """The step's name, its branch below it, and how long it took."""
    name, _, branch = step.partition("[")
    values = (
        ", ".join(each.partition("=")[2] or each for each in branch.rstrip("]").split(",")) if branch else ""
    )
    ran = step in told and told[step].state not in ("cached", "skipped", "running")
    took = duration(told[step].seconds) if ran else told[step].state if step in told else "waits"
    return "<br>".join(part for part in (f"<b>{name}</b> {values}".strip(), took) if part)


def _said(told: Mapping[str, StepRun], step: str) -> str:
    if step not in told:
        return f"{step}<br>has not begun"
    return f"{step}<br>{told[step].state}: {told[step].reason}"
