"""One window: what was found, its features by what they cost and how far they moved, their distributions, its rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from access import part
from charts import MUTED, PALETTE, bars, chart, show
from drawing import plain
from monitoring_windows import SIGNS, monitors_of_model

from workbench.drift.distribution import Distribution
from workbench.drift.reference import FILE, Reference
from workbench.errors import WorkbenchError
from workbench.ledger import Ledger
from workbench.ledger_alerts import Window, window_of
from workbench.registry import locate
from workbench.settings import Project, find_project
from workbench.window_reading import Feature, distributions, features, shown_name

ROWS, LOOKED_AT = 100, 2_000
"""Rows that are shown, of so many that are looked at when the most wrong ones are wanted."""


@part
def show_window(project: Project, ledger: Ledger, id_: int) -> None:
    """What is on record of a window. A fragment: choosing a feature draws nothing else anew."""
    window = window_of(ledger, id_)
    if window is None:
        st.info(f"There is no window {id_}; click a point above.", icon="🔎")
        return
    _show_findings(window)
    found = features(window)
    if window.refused:
        st.info(f"Not compared with what the version learned from: {window.refused}", icon="⚪")
    elif found:
        _show_features(project, ledger, window, found)
    _show_rows(project, window)


def span(window: Window) -> str:
    """Its days, or minutes where it is shorter; the end is not included."""
    ends = [datetime.fromtimestamp(each, UTC) for each in (window.since, window.until)]
    form = "%Y-%m-%d" if all(each.hour == each.minute == 0 for each in ends) else "%Y-%m-%d %H:%M"
    return " to ".join(f"{each:{form}}" for each in ends)


def _show_findings(window: Window) -> None:
    bad = [each for each in window.findings if each.severity]
    worst = "critical" if any(each.severity == "critical" for each in bad) else "warning" if bad else None
    st.subheader(f"{SIGNS[worst]} {span(window)}", anchor=False)
    outcomes = (window.content.get("watched") or {}).get("outcomes")
    told = f", {outcomes:,} outcomes have come" if outcomes is not None else ""
    st.caption(f"Window {window.id} · version {window.version} · {window.rows:,} rows{told} · UTC")
    for each in bad:
        st.markdown(f"{SIGNS[each.severity]} **{each.monitor}**: {plain(each.title)}")
    fine = len(window.findings) - len(bad)
    if not bad and fine:
        st.markdown(f"🟢 {fine} things were looked at and are as they should be.")
    if fine and bad:
        with st.expander(f"{fine} other things are as they should be"):
            st.markdown(
                "\n".join(f"- {each.monitor}: {plain(each.title)}" for each in window.findings if not each.severity)
            )  # fmt: skip


def _show_features(project: Project, ledger: Ledger, window: Window, found: Sequence[Feature]) -> None:
    table, picture = st.columns([3, 2])
    with table:
        st.markdown("**Features**, those that the loss came with first, then those that moved most")
        chosen = st.dataframe(
            _table(found), hide_index=True, height=380, on_select="rerun", selection_mode="single-row-required",
            selection_default={"selection": {"rows": [0]}}, key=f"features-{window.id}", column_config=_columns(),
        )  # fmt: skip
    with picture:
        rows = chosen["selection"]["rows"]
        _show_distribution(project, ledger, window, found[rows[0] if rows else 0])


def _table(found: Sequence[Feature]) -> dict[str, list[Any]]:
    return {
        "feature": [shown_name(each.name) for each in found],
        "impact": [None if each.impact is None else 1000 * each.impact for each in found],
        "where": [", ".join(each.where[:4]) for each in found],
        "moved": [each.distance / each.limit if each.limit else 0.0 for each in found],
        "": ["expected to" if each.expected else "drift" if each.drifted else "" for each in found],
        "missing": [f"{each.missing[0]:.1%} → {each.missing[1]:.1%}" if any(each.missing) else "" for each in found],
        "new": [each.unseen for each in found],
        "PSI": [each.psi for each in found],
    }  # fmt: skip


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "impact": number(
            format="%.1f", help="Log loss that came with it, in thousandths of a nat a row: rows that became harder, "
            "and more of the rows that were always hard. Empty while outcomes are few.",
        ),
        "where": st.column_config.TextColumn(help="Its values that are certainly worse off than all other rows."),
        "moved": st.column_config.ProgressColumn(
            format="%.2f", min_value=0, max_value=2, help="Jensen-Shannon distance in limits of drift: above 1 is drift.",
        ),
        "missing": st.column_config.TextColumn(help="Share of rows without a value: reference, then this window."),
        "new": number(format="percent", help="Share of rows with a value that the reference does not have."),
        "PSI": number(format="%.3f", help="Population stability index, for comparison with other tools."),
    }  # fmt: skip


def _show_distribution(project: Project, ledger: Ledger, window: Window, feature: Feature) -> None:
    known = _reference(project.root, ledger, window.model, window.version)
    if isinstance(known, str):
        st.caption(known)
        return
    drawn = next((each for each in distributions(window, known) if each.name == feature.name), None)
    if drawn is None:
        st.caption(
            "This window was judged before distributions were kept; judge it again: `workbench monitor`"
        )
        return
    show(distribution_picture(drawn, "reference", "this window"), key=f"spread-{window.id}-{feature.name}")


def distribution_picture(drawn: Distribution, before: str, now: str) -> go.Figure:
    """Both sides of a column, bar beside bar."""
    figure = chart(f"{shown_name(drawn.name)}", "share of rows", percent=True, height=380)
    bars(figure, drawn.labels, drawn.reference, before, colour=MUTED)
    bars(figure, drawn.labels, drawn.window, now, colour=PALETTE[0])
    figure.update_layout(barmode="group", bargap=0.15, bargroupgap=0)
    figure.update_xaxes(type="category", tickangle=-45, nticks=12)
    return figure


@st.cache_resource(max_entries=8, show_spinner=False)
def _reference(root: Path, _ledger: Ledger, model: str, version: int) -> Reference | str:
    """What a version learned from, or why that is not known; its files are verified once."""
    try:
        found = locate(find_project(root), _ledger, model, version).attachments.get(FILE)
        if found is None:
            return f"Version {version} has no {FILE} to compare with."
        return Reference.from_json(found.read_bytes())
    except (WorkbenchError, OSError) as error:
        return f"The reference of version {version} cannot be read: {error}"


def _show_rows(project: Project, window: Window) -> None:
    st.markdown("**Rows**")
    how = st.segmented_control(
        "Rows", ["none", "some", "most wrong"], default="none", key=f"rows-{window.id}", label_visibility="collapsed",
        help="`most wrong`: of the last 2,000 rows of the window, those whose outcome was least expected",
    )  # fmt: skip
    if how in (None, "none"):
        return
    monitors, _ = monitors_of_model(project.root, window.model)
    try:
        table = _rows(project.root, window.model, window.version, window.since, window.until,
                      monitors.day if monitors else None, how == "most wrong")  # fmt: skip
    except WorkbenchError as error:
        st.error(str(error), icon="📼")
        return
    if table is None:
        st.info(
            "The log has no rows of this window any more, or they are too far apart to look for.", icon="📼"
        )
        return
    number = st.column_config.NumberColumn(format="percent")
    st.dataframe(table, hide_index=True, column_config={"probability": number}, placeholder="–")
    st.caption("An `id` leads to where a prediction comes from: page *Serving*.")


@st.cache_data(max_entries=20, ttl=60, show_spinner="Looking into the log …")
def _rows(
    root: Path, model: str, version: int, since: float, until: float, day: str | None, wrong: bool
) -> Any:
    """At most ROWS rows of a window as an Arrow table, what identifies and answers first."""
    from workbench.prediction_log.looking import Wanted, look, most_wrong, readable

    ends = (datetime.fromtimestamp(each, UTC) for each in (since, until))
    found = look(find_project(root), model, Wanted(*ends, day, version, ("champion", "canary", "batch")),
                 LOOKED_AT if wrong else ROWS)  # fmt: skip
    if found is None:
        return None
    return readable(most_wrong(found, ROWS) if wrong else found)
