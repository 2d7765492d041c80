"""How charts look: one size of margin, a palette that the colour-blind can tell apart, units on the axes.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), darkened where needed so that each has a contrast
of at least 3 to 1 (WCAG 2.1, 1.4.11) on the white as well as on the dark page. Text and grid are the page's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

PALETTE = ("#0a7abf", "#c77700", "#0a9e76", "#c0609a", "#d55e00", "#3a95d0", "#8a6fd1", "#7d858d")
GOOD, WARNING, BAD, MUTED = "#0a9e76", "#c77700", "#d6453d", "#7d858d"
MOST = len(PALETTE)
"""Series in one picture; group or choose where there are more."""

X = Sequence[Any]
Y = Sequence[float | None]


def chart(x: str = "", y: str = "", *, height: int = 320, percent: bool = False) -> go.Figure:
    """An empty figure. `x` and `y` are titles with their units, such as `took (s)`; `percent`: y is a share, 0 to 1."""
    figure = go.Figure()
    figure.update_layout(
        height=height, margin={"l": 8, "r": 8, "t": 24, "b": 8}, colorway=PALETTE, hovermode="x unified",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": None},
        xaxis={"title": x or None, "automargin": True}, yaxis={"title": y or None, "automargin": True},
    )  # fmt: skip
    if percent:
        figure.update_yaxes(tickformat=".0%")
    return figure


def line(
    figure: go.Figure, x: X, y: Y, name: str, *, colour: str = PALETTE[0], dash: str = "solid", points: bool = True,
    low: Y | None = None, high: Y | None = None,
) -> None:  # fmt: skip
    """A line, with its points unless there are too many; None leaves a gap. `low` and `high`: each point's interval."""
    figure.add_scatter(
        x=list(x), y=list(y), name=name, mode="lines+markers" if points else "lines", connectgaps=False,
        line={"color": colour, "width": 2, "dash": dash}, marker={"size": 6},
    )  # fmt: skip
    if low is not None and high is not None:
        plus, minus = _reach(y, high), _reach(low, y)
        figure.data[-1].error_y = {
            "type": "data",
            "array": plus,
            "arrayminus": minus,
            "color": colour,
            "thickness": 1.5,
        }


def band(figure: go.Figure, x: X, low: Y, high: Y, name: str, *, colour: str = MUTED) -> None:
    """The area between two lines: what is expected, or how sure a figure is. It has no points to hover at."""
    for edge, fill in ((low, None), (high, "tonexty")):
        figure.add_scatter(
            x=list(x), y=list(edge), name=name, mode="lines", line={"width": 0}, fill=fill,
            fillcolor=faint(colour), hoverinfo="skip", showlegend=fill is not None, legendgroup=name,
        )  # fmt: skip


def intervals(
    figure: go.Figure,
    names: Sequence[str],
    values: Y,
    low: Y,
    high: Y,
    name: str,
    *,
    colour: str = PALETTE[0],
) -> None:
    """Figures with their intervals, a row each, read from left to right."""
    plus, minus = _reach(values, high), _reach(low, values)
    figure.add_scatter(
        x=list(values), y=list(names), name=name, mode="markers", marker={"size": 9, "color": colour},
        error_x={"type": "data", "array": plus, "arrayminus": minus, "color": colour, "thickness": 2},
    )  # fmt: skip


def bars(figure: go.Figure, x: X, y: Y, name: str, *, colour: str = PALETTE[0], across: bool = False) -> None:
    """Bars; `across`: they lie, with names in `y` and lengths in `x`."""
    figure.add_bar(
        x=list(x), y=list(y), name=name, marker={"color": colour, "cornerradius": 3},
        orientation="h" if across else "v",
    )  # fmt: skip


def limit(figure: go.Figure, at: float, name: str, *, colour: str = BAD, upright: bool = False) -> None:
    """A threshold, named where it is drawn."""
    add = figure.add_vline if upright else figure.add_hline
    add(
        at,
        line={"color": colour, "width": 1.5, "dash": "dash"},
        annotation={"text": name, "font": {"color": colour}},
    )


def show(figure: go.Figure, *, key: str, place: Any = st, **more: Any) -> Any:
    """Draw it over the width of the page; with `on_select="rerun"` what was clicked at is returned."""
    config = {"displayModeBar": False, "scrollZoom": False}
    return place.plotly_chart(figure, key=key, theme="streamlit", config=config, **more)


def faint(colour: str) -> str:
    """The same colour, transparent enough to lie under a line."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _reach(start: Y, end: Y) -> list[float | None]:
    """How far it is from one to the other, where both are known."""
    return [None if a is None or b is None else b - a for a, b in zip(start, end, strict=True)]
