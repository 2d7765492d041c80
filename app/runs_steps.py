"""One run: what became of it, its steps with their reasons, what they print, and their executed notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from drawing import SIGNS, counted, duration, megabytes, moment, sign
from foreign_pages import show_page

from workbench.ledger import Run, StepRun
from workbench.notebook_page import notebook_page
from workbench.settings import Project
from workbench.step_output import notebook_log

TAIL = 60
"""Lines of what a running step printed."""


def show_head(run: Run, state: str, steps: Sequence[StepRun], origin: str) -> None:
    st.subheader(f"{SIGNS[state]} {run.pipeline} · {run.id}", anchor=False)
    facts = st.columns(4)
    facts[0].metric("State", state)
    facts[1].metric("Took", duration(run.seconds if state != "running" else _since(run)))
    facts[2].metric("Steps", f"{sum(step.state in {'done', 'cached'} for step in steps)} of {len(run.steps)}")
    peak = max((step.peak_memory or 0 for step in steps), default=0)
    facts[3].metric("Largest kernel", f"{megabytes(peak)} MB" if peak else "–")
    said = " · ".join(part for part in (counted(steps), origin, run.message) if part)
    st.caption(said.replace("$", "\\$"))
    if state == "crashed":
        st.error("The run's process is gone. Retry goes on from what is done.", icon="💥")


def _since(run: Run) -> float:
    import time

    return time.time() - run.started


def show_failure(step: StepRun) -> None:
    """What went wrong, in a sentence; the cell itself is in the notebook below."""
    if step.failure is not None:
        where = f", cell {step.failure.cell + 1}" if step.failure.cell is not None else ""
        said = step.failure.message.replace("$", "\\$").replace("`", "ˋ")
        st.error(f"**{step.step}**{where}: {said}", icon="🔴")


def show_table(steps: Sequence[StepRun]) -> None:
    """Why each step ran, or did not."""
    table = {
        "state": [sign(step.state) for step in steps],
        "step": [step.step for step in steps],
        "reason": [step.reason for step in steps],
        "began": [moment(step.started) for step in steps],
        "took": [duration(step.seconds) if step.state not in {"cached", "skipped"} else "–" for step in steps],
        "attempts": [step.attempts or None for step in steps],
        "peak MB": [megabytes(step.peak_memory) for step in steps],
    }  # fmt: skip
    columns = {"began": st.column_config.DatetimeColumn(format="HH:mm:ss")}
    st.dataframe(
        table, hide_index=True, height=38 + 35 * max(len(steps), 1), column_config=columns, placeholder="–"
    )
    for step in steps:
        for notice in step.notices:
            st.warning(f"**{step.step}**: {notice}".replace("$", "\\$"), icon="📢")


def show_output(project: Project, steps: Sequence[StepRun]) -> None:
    """What the running steps printed so far; of a run that has ended, all of its steps."""
    running = [step for step in steps if step.state == "running"]
    for step in running or [each for each in steps if each.state not in ("cached", "skipped")]:
        if step.executed:
            lines = list(notebook_log(project.root / step.executed, step))
            st.caption(f"**{step.step}** · {step.state}, {step.cells} cells")
            st.code(
                "\n".join(lines[-TAIL:]) or "nothing yet",
                language=None,
                height=300 if len(lines) > 12 else None,
            )


def show_notebook(project: Project, steps: Sequence[StepRun]) -> None:
    """The executed notebook of one step; of one that failed, with the failing cell on top."""
    there = {step.step: step for step in steps if step.executed and (project.root / step.executed).is_file()}
    if not there:
        st.info("No executed notebook is left; `workbench gc` removes those of old runs.", icon="🧹")
        return
    failed = next((name for name, step in there.items() if step.state == "failed"), next(iter(there)))
    name = st.pills(
        "Step", list(there), default=failed, key=f"notebook {steps[0].run}", label_visibility="collapsed"
    )
    step = there[name or failed]
    file = project.root / str(step.executed)
    failing = step.failure.cell if step.failure is not None and step.state == "failed" else None
    try:
        page = _page(file, failing, file.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        st.warning(f"'{file.relative_to(project.root)}' cannot be read: {error}", icon="📄")
        return
    show_page(page, 620, title=f"executed notebook of {step.step}")
    st.caption(f"`{file.relative_to(project.root)}`")


@st.cache_data(max_entries=20, show_spinner=False)
def _page(file: Path, failing: int | None, _written: int) -> str:
    return notebook_page(file, failing)
