"""Monitoring: windows over time and what was found in each; alerts; what replays say of training again."""

from __future__ import annotations

import streamlit as st
from choosing import choose_view
from monitoring_alerts import show_alerts
from monitoring_replays import show_replays
from monitoring_window import show_window
from monitoring_windows import SIGNS, show_windows, windows_of
from sources import current_project, open_ledger

from workbench import ledger_alerts
from workbench.alerts import Alert
from workbench.errors import WorkbenchError
from workbench.ledger import Ledger
from workbench.ledger_windows import watched_models
from workbench.settings import Project

START = (
    "Nothing is watched yet. A model's monitors stand in its pipeline file; then: `workbench monitor MODEL`"
)


def choose_model(models: list[str]) -> str:
    """The one in the address, else the first."""
    asked = st.query_params.get("model")
    st.session_state.setdefault("model", asked if asked in models else models[0])
    if len(models) > 1:
        st.pills("Model", models, key="model", required=True)
    return str(st.session_state["model"])


def show_state(open_ones: list[Alert]) -> None:
    """In one line: is anything wrong?"""
    worst = open_ones[0].severity if open_ones else None
    waiting = sum(each.state == "open" for each in open_ones)
    said = (
        f"{len(open_ones)} open alerts, {waiting} that nobody has acknowledged"
        if open_ones
        else "No open alert"
    )
    st.markdown(f"{SIGNS[worst]} **{said}**")


def show_over_time(project: Project, ledger: Ledger, model: str) -> None:
    known = windows_of(ledger, model)
    if not known:
        st.info(f"No window was looked at yet: `workbench monitor {model}`", icon="🔭")
        return
    ids = {each.id for each in known}
    asked = st.query_params.get("window", "")
    chosen = int(asked) if asked.isdigit() and int(asked) in ids else known[-1].id
    show_windows(project.root, known, chosen)
    show_window(project, ledger, chosen)


def show(project: Project, ledger: Ledger) -> None:
    models = watched_models(ledger)
    if not models:
        st.info(START, icon="🔭")
        return
    model = choose_model(models)
    open_ones = ledger_alerts.open_alerts(ledger, model)
    show_state(open_ones)
    names = {"windows": "Windows", "alerts": f"Alerts ({len(open_ones)})", "replays": "Replays and age"}
    view = choose_view(names, "view", "alerts" if "alert" in st.query_params else "windows")
    if view == "alerts":
        show_alerts(project, ledger, model, open_ones)
    elif view == "replays":
        show_replays(project, model)
    else:
        show_over_time(project, ledger, model)


project = current_project()
st.title("Monitoring", anchor=False)
try:
    ledger = open_ledger(project)
    if ledger is None:
        st.info(START, icon="🔭")
    else:
        show(project, ledger)
except WorkbenchError as error:
    st.error(str(error), icon="🔴")
