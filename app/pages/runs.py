"""Runs: what ran, why, how long, what failed; the executed notebooks; and to ask for another one."""

from __future__ import annotations

import streamlit as st
from access import part, show_told
from charts import show
from drawing import timeline
from runs_asking import (
    came_from,
    follow,
    pipeline_of,
    show_buttons,
    show_form,
    show_queue,
)
from runs_graph import graph
from runs_history import choose_run
from runs_steps import show_failure, show_head, show_notebook, show_output, show_table
from sources import current_project, open_ledger, state_of

from workbench.automation import read_pipelines
from workbench.errors import LedgerError
from workbench.ledger import Ledger
from workbench.ledger_queue import request_of
from workbench.run_graph import needs
from workbench.settings import Project

VIEWS = ("Notebook", "Steps", "Timeline", "Output", "Run with other values")


def queue(ledger: Ledger) -> None:
    """The queue as it is now, and the run that was asked for here as soon as it begins."""
    show_told()
    follow(ledger)
    show_queue(ledger, "runs")


def one_run(project: Project, ledger: Ledger, name: str, drawn: str) -> None:
    """One run as it is now; when it ends, all of the page is drawn anew, once."""
    show_told()
    run, steps = ledger.run(name), ledger.step_runs(name)
    state = state_of(run)
    if drawn == "running" and state != "running":
        st.rerun()
    request = request_of(ledger, run.id)
    show_head(run, state, steps, came_from(request))
    for step in steps:
        if step.state == "failed":
            show_failure(step)
    show_buttons(ledger, run, state, request)
    pipeline = pipeline_of(project, run)
    show(graph(run, steps, needs(run.steps, steps, pipeline)), key=f"graph {run.id}")
    first = {"running": "Output", "failed": "Notebook"}.get(state, "Steps")
    view = st.segmented_control(
        "View", VIEWS, default=first, key=f"view {run.id} {drawn}", label_visibility="collapsed"
    )
    if view == "Notebook":
        show_notebook(project, steps)
    elif view == "Timeline" and (figure := timeline(run, steps)):
        show(figure, key=f"timeline {run.id}")
    elif view == "Output":
        show_output(project, steps)
    elif view == "Run with other values" and pipeline is not None:
        show_form(project, ledger, pipeline, run.parameters, f"again {run.id}")
    else:
        show_table(steps)


def new_run(project: Project, ledger: Ledger) -> None:
    """Any pipeline, with any values."""
    pipelines, problems = read_pipelines(project)
    for problem in problems:
        st.warning(str(problem), icon="📄")
    if pipelines:
        chosen = st.selectbox("Pipeline", pipelines, format_func=lambda each: each.name, key="new pipeline")
        show_form(project, ledger, chosen, {}, f"new {chosen.name}")


project = current_project()
st.title("Runs", anchor=False)
try:
    ledger = open_ledger(project)
    if ledger is None:
        st.info("Nothing has run yet. In a terminal: `make demo`, or `workbench run train`", icon="🌱")
        st.stop()
    part(queue, every=2.0)(ledger)
    with st.expander("Ask for a run", icon="▶️"):
        new_run(project, ledger)
    run = choose_run(ledger)
    if run is not None:
        state = state_of(run)
        part(one_run, every=1.0 if state == "running" else None)(project, ledger, run.id, state)
except LedgerError as error:
    st.error(str(error), icon="🔴")
