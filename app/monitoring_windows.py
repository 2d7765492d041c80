"""Windows over time as a picture: a line a version, coloured by what was found, in front of what is ordinary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st
from charts import BAD, GOOD, MUTED, PALETTE, WARNING, band, chart, limit, show

from workbench.declared import monitors_for
from workbench.errors import WorkbenchError
from workbench.ledger import Ledger
from workbench.ledger_windows import Point, points, state_of_windows
from workbench.monitors import Monitors
from workbench.settings import find_project
from workbench.window_lines import Line, Measure, first_choice, line, measures

FOUND = {"critical": BAD, "warning": WARNING, None: GOOD}
SIGNS = {"critical": "🔴", "warning": "🟠", None: "🟢"}
VERSIONS = 5
"""That have a line of their own; earlier ones share one."""
KEY = "windows"


def windows_of(ledger: Ledger, model: str) -> list[Point]:
    """A model's windows, read again when one was judged."""
    return _points(ledger, str(ledger.engine.url), model, state_of_windows(ledger, model))


@st.cache_data(max_entries=20, show_spinner=False)
def _points(_ledger: Ledger, _url: str, model: str, state: tuple[int, float]) -> list[Point]:
    return points(_ledger, model)


@st.cache_data(ttl=30, show_spinner=False)
def monitors_of_model(root: Path, model: str) -> tuple[Monitors | None, str]:
    """What is declared to be watched, or why that is not known."""
    try:
        return monitors_for(find_project(root), model), ""
    except WorkbenchError as error:
        return None, str(error)


def show_windows(root: Path, known: Sequence[Point], chosen: int) -> None:
    """The measure that is asked for, over all windows; a point that is clicked at becomes the chosen window."""
    found = measures(known)
    monitors, lacking = monitors_of_model(root, st.session_state["model"])
    first = first_choice(found, monitors)
    if first is None:
        return
    by_key = {each.key: each for each in found}
    key = st.selectbox(
        "Over time", list(by_key), index=list(by_key).index(first.key), format_func=lambda each: _title(by_key[each])
    )  # fmt: skip
    show(
        picture(known, line(known, by_key[key], monitors), chosen), key=KEY, on_select=_chosen, selection_mode="points"
    )  # fmt: skip
    st.caption(
        "Click a point to look at its window. 🟢 as it should be, 🟠 warning, 🔴 critical, ⚪ not compared."
    )
    if lacking:
        st.caption(f"Declared limits are not drawn: {lacking}")


def picture(known: Sequence[Point], drawn: Line, chosen: int) -> go.Figure:
    """The line of a measure with its band; the chosen window is marked."""
    unit = drawn.measure.unit
    figure = chart(
        "window begins (UTC)", f"{drawn.measure.name.removeprefix('drift: ')} ({unit})", height=340
    )
    at = [moment_of(each) for each in known]
    if any(low is not None or high is not None for low, high in drawn.ordinary):
        band(
            figure, at, [low for low, _ in drawn.ordinary], [high for _, high in drawn.ordinary], drawn.about
        )
    groups = _groups(known)
    colours = [each for each in PALETTE if each not in FOUND.values()]
    for version in sorted(set(groups)):
        mine = [at for at, each in enumerate(groups) if each == version]
        _line(
            figure, [known[at] for at in mine], [drawn.values[at] for at in mine], [drawn.intervals[at] for at in mine],
            f"version {version}" if version else "earlier versions", colours[version % len(colours)] if version else MUTED,
        )  # fmt: skip
    if drawn.limit is not None:
        limit(figure, drawn.limit, f"{drawn.about} {drawn.limit:,g}")
    here = next((each for each in known if each.id == chosen), None)
    if here is not None:
        figure.add_vline(moment_of(here).isoformat(), line={"color": MUTED, "width": 1.5, "dash": "dot"})
    figure.update_layout(hovermode="closest", clickmode="event+select", dragmode=False)
    return figure


def moment_of(point: Point) -> datetime:
    return datetime.fromtimestamp(point.since, UTC).replace(tzinfo=None)


def _line(
    figure: go.Figure, mine: Sequence[Point], values: Sequence[float | None],
    intervals: Sequence[tuple[float | None, float | None]], name: str, colour: str,
) -> None:  # fmt: skip
    sure = [
        (0.0, 0.0) if value is None or low is None or high is None else (value - low, high - value)
        for value, (low, high) in zip(values, intervals, strict=True)
    ]
    figure.add_scatter(
        x=[moment_of(each) for each in mine], y=list(values), name=name, mode="lines+markers", connectgaps=False,
        line={"color": colour, "width": 2}, customdata=[each.id for each in mine],
        marker={"size": 10, "line": {"width": 1.5, "color": colour},
                "color": [MUTED if each.refused else FOUND[each.worst] for each in mine]},
        error_y={"type": "data", "array": [high for _, high in sure], "arrayminus": [low for low, _ in sure],
                 "color": colour, "thickness": 1, "width": 0, "visible": any(map(any, sure))},
        text=[f"{each.rows:,} rows, {each.found} found" for each in mine],
        hovertemplate="%{x|%Y-%m-%d}<br>%{y:.4g}<br>%{text}<extra>" + name + "</extra>",
        selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}},
    )  # fmt: skip


def _groups(known: Sequence[Point]) -> list[int]:
    """The version by which each window is drawn; 0 stands for those before the newest few."""
    newest = set(sorted({each.version for each in known})[-VERSIONS:])
    return [each.version if each.version in newest else 0 for each in known]


def _title(measure: Measure) -> str:
    return f"{measure.name}{f' ({measure.better} is better)' if measure.better else ''}"


def _chosen() -> None:
    """A point was clicked at."""
    picked = st.session_state[KEY]["selection"]["points"]
    ids = [each["customdata"] for each in picked if each.get("customdata") is not None]
    if ids:
        st.query_params["window"] = str(ids[0][0] if isinstance(ids[0], list) else ids[0])
