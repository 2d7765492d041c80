"""The history of runs: filters, one page of it, and the run that is looked at."""

from __future__ import annotations

import streamlit as st
from choosing import choose_page
from drawing import SIGNS, duration, moment, sign
from sources import state_of

from workbench import ledger_history as history
from workbench.ledger import Ledger, Run

ROWS = 12
"""On one page."""


def choose_run(ledger: Ledger) -> Run | None:
    """The run that was selected in the table, else the one in the address, else the newest; None where no run is like that."""
    counted = history.counts(ledger)
    if not counted:
        st.info(
            "Nothing has run yet: ask for a run above, or in a terminal: `workbench run PIPELINE`", icon="🌱"
        )
        return None
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    wanted = history.Filter(
        _pill(bar, "Pipeline", sorted({pipeline for pipeline, _ in counted})),
        _pill(bar, "State", [state for state in SIGNS if any(state == each for _, each in counted)], signed=True),
    )  # fmt: skip
    total = history.matching(counted, wanted)
    part = choose_page(bar, total, ROWS, f"page {wanted}", "runs")
    shown = history.page(ledger, wanted, part.start, ROWS)
    if not shown:
        st.info("No run is like that; take a filter away.", icon="🔎")
        return None
    chosen = _table(ledger, shown, f"runs {wanted} {part.start}")
    if chosen is not None and chosen.id != st.session_state.get("chosen run"):
        st.session_state["chosen run"] = chosen.id
        st.query_params["run"] = chosen.id
    asked = st.query_params.get("run")
    found = next((run for run in shown if run.id == asked), None)
    if found is None and asked:
        # A run on another page, or that a filter leaves out: whoever has its address sees it.
        found = next(iter(history.by_id(ledger, asked)), None)
    return found or shown[0]


def _pill(
    bar: st.delta_generator.DeltaGenerator, label: str, choices: list[str], *, signed: bool = False
) -> str | None:
    if len(choices) < 2:
        return None
    return bar.pills(label, choices, format_func=sign if signed else str, key=label)


def _table(ledger: Ledger, shown: list[Run], key: str) -> Run | None:
    steps = history.step_counts(ledger, [run.id for run in shown])
    table = {
        "state": [sign(state_of(run)) for run in shown],
        "run": [run.id for run in shown],
        "pipeline": [run.pipeline for run in shown],
        "started": [moment(run.started) for run in shown],
        "took": [duration(run.seconds) for run in shown],
        "steps": [" · ".join(f"{count} {state}" for state, count in steps[run.id].items()) for run in shown],
        "commit": [f"{run.git_commit[:8]}{' +' if run.git_dirty else ''}" if run.git_commit else "" for run in shown],
        "message": [run.message for run in shown],
    }  # fmt: skip
    columns = {
        "started": st.column_config.DatetimeColumn(format="distance"),
        "commit": st.column_config.TextColumn(help="+: with changes that were not committed"),
    }
    chosen = st.dataframe(
        table, hide_index=True, column_config=columns, height=38 + 35 * min(len(shown), 6), on_select="rerun",
        selection_mode="single-row", key=key,
    )  # fmt: skip
    rows = chosen["selection"]["rows"]
    return shown[rows[0]] if rows else None
