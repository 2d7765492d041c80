"""How far the shadow is from those who answer."""

from __future__ import annotations

from pathlib import Path

import plotly.graph_objects as go
import streamlit as st
from charts import MUTED, PALETTE, chart, show

from workbench.errors import WorkbenchError
from workbench.prediction_log.disagreement import FAR, Disagreement, disagreement
from workbench.serving.shadow_note import Note, shadow_note
from workbench.settings import Project, find_project

DRAWN = 2_000
"""Pairs of answers that are drawn; figures are of all."""


def show_shadow(project: Project, model: str) -> None:
    """Nothing where no shadow is asked."""
    note = shadow_note(project, model)
    if note is None:
        return
    st.subheader(
        f"👥 Shadow: {f'version {note.version}' if note.version else 'not loaded yet'}", anchor=False
    )
    _show_note(note)
    try:
        found = _disagreement(project.root, model)
    except WorkbenchError as error:
        st.error(str(error), icon="📼")
        return
    if found is None or not found.rows:
        st.info("None of its answers is on record yet.", icon="👥")
        return
    figures, picture = st.columns([1, 2])
    figures.metric(
        "Apart on average", f"{found.mean:.4f}", help="Mean difference of the probabilities, without sign"
    )
    figures.metric("Higher by", f"{found.bias:+.4f}", help="Mean of the shadow's minus the given probability")
    figures.metric(f"Further than {FAR:g} apart", f"{found.far:.1%}", help="Share of the rows")
    figures.caption(f"{found.rows:,} rows that both have answered lately, version {found.shadow}")
    with picture:
        show(pairs(found), key="shadow")


def _show_note(note: Note) -> None:
    st.caption(f"{note.scored:,} requests scored · {note.refused:,} refused · {note.dropped:,} dropped")
    if note.alert:
        st.warning(note.alert, icon="👥")


def pairs(found: Disagreement) -> go.Figure:
    """A point a row: what was answered, and what the shadow says."""
    figure = chart("probability that was answered", "probability that the shadow says", height=360)
    step = max(1, found.rows // DRAWN)
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="agree", line={"color": MUTED, "width": 1, "dash": "dash"},
                       hoverinfo="skip")  # fmt: skip
    figure.add_scatter(
        x=found.answered[::step], y=found.said[::step], mode="markers", name="rows",
        marker={"color": PALETTE[0], "size": 5, "opacity": 0.5}, hovertemplate="%{x:.3f} → %{y:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(hovermode="closest")
    return figure


@st.cache_data(ttl=10, max_entries=8, show_spinner=False)
def _disagreement(root: Path, model: str) -> Disagreement | None:
    return disagreement(find_project(root), model)
