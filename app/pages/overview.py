"""Overview: is everything fine, and if not, where to look."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st
from access import part
from drawing import age, moment, sign
from overview_models import show_model
from sources import current_project, open_ledger, state_of

from workbench import ledger_alerts, ledger_trail
from workbench.automation import read_pipelines, standings
from workbench.errors import LedgerError
from workbench.ledger import Ledger
from workbench.ledger_versions import counts
from workbench.ledger_windows import watched_models
from workbench.service.clock import clock_here
from workbench.settings import Project
from workbench.trail import MOVES, Entry, standing

FEW = 6
"""Lines of each list; the rest is on its own page."""


def show_runs(ledger: Ledger) -> None:
    st.subheader("Last runs", anchor=False)
    runs = ledger.runs(limit=FEW)
    st.dataframe(
        {
            "state": [sign(state_of(each)) for each in runs],
            "pipeline": [each.pipeline for each in runs],
            "started": [moment(each.started) for each in runs],
            "run": [each.id for each in runs],
        },
        hide_index=True, column_config={"started": st.column_config.DatetimeColumn(format="distance")},
    )  # fmt: skip


def show_next(project: Project, ledger: Ledger) -> None:
    st.subheader("Next by itself", anchor=False)
    now = clock_here().now()
    pipelines, problems = read_pipelines(project)
    found = standings(ledger, pipelines, now)
    due = sorted(
        ((each.due, each) for each in found if each.due is not None), key=lambda one: (one[0], one[1].name)
    )
    for when, each in due[:FEW]:
        soon = "due now" if when <= now else f"in {age(when - now)}"
        st.markdown(f"⏰ **{each.name}** {soon}")
    waiting = [each for each in found if each.due is None and each.word == "active"]
    if waiting:
        st.caption("Waiting for a reason: " + ", ".join(each.name for each in waiting))
    if problems:
        st.caption(f"{len(problems)} problems in pipeline files: `workbench check`")
    if not found:
        st.caption("Nothing runs by itself: no pipeline has triggers (docs/automation.md).")
    elif not due and not waiting:
        st.caption("No trigger is at work: start `workbench up`, or see *Automation* for what is paused.")


def show_moves(entries: Sequence[Entry]) -> None:
    st.subheader("Last promotions", anchor=False)
    moves = [each for each in entries if each.kind in MOVES and each.phase == "done"]
    moves.sort(key=lambda each: -each.created)
    if not moves:
        st.caption("None yet: decide about a version under *Models*.")
        return
    st.dataframe(
        {
            "what": [f"{each.kind} {each.model} {each.version or ''}" for each in moves[:FEW]],
            "by": [each.actor for each in moves[:FEW]],
            "when": [moment(each.created) for each in moves[:FEW]],
        },
        hide_index=True, column_config={"when": st.column_config.DatetimeColumn(format="distance")},
    )  # fmt: skip


def show_all(project: Project, ledger: Ledger) -> None:
    """Everything that changes by itself, as it is now."""
    try:
        show_parts(project, ledger)
    except LedgerError as error:
        st.error(str(error), icon="🔴")
    st.caption(f"As of {time.strftime('%H:%M:%S')}; read again every 10 s.")


def show_parts(project: Project, ledger: Ledger) -> None:
    versions = counts(ledger)
    models = sorted({*versions, *watched_models(ledger)})
    alerts = ledger_alerts.open_alerts(ledger)
    trail = ledger_trail.entries(ledger)
    for model in models:
        show_model(
            project, ledger, standing(model, [each for each in trail if each.model == model]),
            versions.get(model, 0), [each for each in alerts if each.model == model],
        )  # fmt: skip
    if not models:
        st.info("No model is registered yet: `make demo`, or `workbench run train`", icon="🌱")
    left, middle, right = st.columns(3)
    with left:
        show_runs(ledger)
    with middle:
        show_next(project, ledger)
    with right:
        show_moves(trail)


project = current_project()
st.title("Overview", anchor=False)
try:
    ledger = open_ledger(project)
    if ledger is None:
        st.info("Nothing has run yet. In a terminal: `make demo`, or `workbench run train`", icon="🌱")
    else:
        part(show_all, every=10.0)(project, ledger)
except LedgerError as error:
    st.error(str(error), icon="🔴")
