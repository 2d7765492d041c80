"""Runs: what ran, why, how long, what failed, and the executed notebooks."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from drawing import SIGNS, counted, duration, megabytes, moment, sign, timeline
from sources import current_project, notebook_page, open_ledger, state_of

from workbench.ledger import Run, StepRun
from workbench.settings import Project

LIMIT = 200


def choose_run(runs: list[Run]) -> Run:
    """The table of runs; the one that is selected, else the one in the address, else the newest."""
    pipelines = sorted({run.pipeline for run in runs})
    states = [state for state in SIGNS if state in {state_of(run) for run in runs}]
    filters = st.container(horizontal=True)
    pipeline = filters.pills("Pipeline", pipelines, key="pipeline") if len(pipelines) > 1 else None
    state = filters.pills("State", states, format_func=sign, key="state") if len(states) > 1 else None
    shown = [run for run in runs if pipeline in (None, run.pipeline) and state in (None, state_of(run))]
    if not shown:
        st.info("No run is like that; take a filter away.", icon="🔎")
        st.stop()
    table = {
        "state": [sign(state_of(run)) for run in shown],
        "run": [run.id for run in shown],
        "pipeline": [run.pipeline for run in shown],
        "started": [moment(run.started) for run in shown],
        "took": [duration(run.seconds) for run in shown],
        "commit": [f"{run.git_commit[:8]}{' +' if run.git_dirty else ''}" if run.git_commit else "" for run in shown],
        "message": [run.message for run in shown],
    }  # fmt: skip
    height = min(38 + 35 * len(shown), 250)
    columns = {"started": st.column_config.DatetimeColumn(format="distance")}
    chosen = st.dataframe(
        table, hide_index=True, column_config=columns, height=height, on_select="rerun",
        selection_mode="single-row", key="runs",
    )  # fmt: skip
    if rows := chosen["selection"]["rows"]:
        st.query_params["run"] = shown[rows[0]].id
    return next((run for run in shown if run.id == st.query_params.get("run")), shown[0])


def show_run(run: Run, steps: list[StepRun]) -> None:
    state = state_of(run)
    st.subheader(f"{SIGNS[state]} {run.pipeline} · {run.id}", anchor=False)
    facts = st.columns(4)
    facts[0].metric("State", state)
    facts[1].metric("Took", duration(run.seconds))
    facts[2].metric("Steps", f"{sum(step.state in {'done', 'cached'} for step in steps)} of {len(run.steps)}")
    peak = max((step.peak_memory or 0 for step in steps), default=0)
    facts[3].metric("Largest kernel", f"{megabytes(peak)} MB" if peak else "–")
    if state == "crashed":
        st.error(f"The run's process is gone. Continue it: workbench run {run.pipeline}", icon="💥")
    elif run.message:
        st.caption(run.message)
    st.caption(counted(steps))


def show_failure(step: StepRun) -> None:
    failure = step.failure
    if failure is None:
        return
    where = f", cell {failure.cell + 1}" if failure.cell is not None else ""
    st.error(f"**{step.step}**{where}: {failure.message}", icon="🔴")
    with st.expander("The cell and the trace", expanded=step.state == "failed"):
        if failure.source:
            st.code(failure.source, language="python", line_numbers=True)
        if failure.traceback:
            st.code(failure.traceback, language=None)


def show_steps(run: Run, steps: list[StepRun]) -> None:
    figure = timeline(run, steps)
    if figure is not None:
        st.plotly_chart(figure, config={"displayModeBar": False})
    table = {
        "state": [sign(step.state) for step in steps],
        "step": [step.step for step in steps],
        "reason": [step.reason for step in steps],
        "took": [duration(step.seconds) if step.state not in {"cached", "skipped"} else "–" for step in steps],
        "attempts": [step.attempts or None for step in steps],
        "peak MB": [megabytes(step.peak_memory) for step in steps],
    }  # fmt: skip
    st.dataframe(table, hide_index=True, height=38 + 35 * max(len(steps), 1), placeholder="–")
    for step in steps:
        for notice in step.notices:
            st.warning(f"**{step.step}**: {notice}", icon="📢")


def show_notebook(project: Project, steps: list[StepRun]) -> None:
    """The executed notebook of one step, with its outputs; nothing in it can run."""
    executed = {step.step: project.root / step.executed for step in steps if step.executed}
    there = {step: file for step, file in executed.items() if file.is_file()}
    if not there:
        return
    st.subheader("Executed notebooks", anchor=False)
    step = st.pills("Step", list(there), key="notebook", label_visibility="collapsed")
    if step is None:
        st.caption("Choose a step to read its notebook as it ran.")
        return
    file: Path = there[step]
    page = notebook_page(file)
    if page is None:
        st.warning(f"'{file.relative_to(project.root)}' cannot be read.", icon="📄")
        return
    st.caption(f"`{file.relative_to(project.root)}`")
    st.iframe(page, height=900)


project = current_project()
ledger = open_ledger(project)
runs = ledger.runs(limit=LIMIT) if ledger else []
st.title("Runs", anchor=False)
st.caption(f"Project **{project.name}** · the newest {LIMIT} runs at most")
if ledger is None or not runs:
    st.info("Nothing has run yet. In a terminal: `make demo`, or `workbench run train`", icon="🌱")
    st.stop()
run = choose_run(runs)
steps = ledger.step_runs(run.id)
show_run(run, steps)
for step in steps:
    show_failure(step)
show_steps(run, steps)
show_notebook(project, steps)
