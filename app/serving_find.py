"""A prediction by its id: what was asked and answered, what came of it, which run made the version, what it learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from drawing import plain

from workbench.errors import WorkbenchError
from workbench.ledger import Ledger
from workbench.prediction_log.cause import Cause, cause_of
from workbench.prediction_log.finding import Prediction, find
from workbench.settings import Project, find_project

NEAREST = 5
"""Training rows that are shown beside it."""


def show_lookup(project: Project, ledger: Ledger) -> None:
    """A field for the id, which may also stand in the address: `?prediction=ID`."""
    asked = st.text_input(
        "Prediction id", value=st.query_params.get("prediction", ""), placeholder="as an answer carries it: REQUEST-ROW",
        max_chars=200,
    ).strip()  # fmt: skip
    if not asked:
        st.caption("An answer carries its id, and so do the rows of a window: page *Monitoring*.")
        return
    st.query_params["prediction"] = asked
    try:
        found = find(project, asked, everywhere=False)
    except WorkbenchError as error:
        st.error(str(error), icon="🔎")
        return
    _show_answer(found)
    try:
        cause = _cause(project.root, found)
    except WorkbenchError as error:
        st.warning(f"Where it comes from is not known any more: {error}", icon="🧾")
        _show_inputs(found, None)
        return
    _show_origin(cause)
    _show_inputs(found, cause)


@st.cache_data(
    max_entries=50, show_spinner="Looking for the rows that it learned from …", hash_funcs={Prediction: repr}
)
def _cause(root: Path, found: Prediction) -> Cause:
    return cause_of(find_project(root), found, NEAREST)


def _show_answer(found: Prediction) -> None:
    places = st.columns(4)
    places[0].metric("Answered", _percent(found.probability))
    places[1].metric("By", f"version {found.version}", help=f"of '{found.model}', as {found.kind}")
    places[2].metric("Outcome", "none yet" if found.outcome is None else _shown(found.outcome))
    places[3].metric("Took", "–" if found.latency is None else f"{found.latency * 1000:.1f} ms")
    caller = f" · for {plain(found.caller)}" if found.caller else ""
    st.caption(f"{plain(found.model)} · {found.kind} · came {found.came:%Y-%m-%d %H:%M:%S} UTC{caller}")
    for other in found.shadows:
        st.markdown(f"👥 As {other.kind}, version {other.version} said {_percent(other.probability)}")
    if len(found.outcomes) > 1:
        told = ", ".join(f"{_shown(label)} on {came:%Y-%m-%d %H:%M}" for label, came in found.outcomes)
        st.caption(f"Outcomes that came: {told}; the last one counts")


def _show_origin(cause: Cause) -> None:
    made = (
        f"[run {cause.run}](/runs?run={cause.run}) of {plain(cause.pipeline or '')}"
        if cause.run
        else "an unknown run"
    )
    commit = f", commit `{cause.commit[:12]}`" if cause.commit else ""
    st.markdown(f"**Where it comes from**: version {cause.prediction.version} was made by {made}{commit}.")
    if cause.parameters:
        with st.expander("Parameters of that run"):
            st.json(dict(cause.parameters))
    if cause.training:
        st.caption(
            f"It learned from `{cause.training.name}`, content {cause.training.digest[:12]}…; beside what was asked stand the "
            f"{len(cause.similar)} rows of it that are most like this one."
        )
    else:
        st.caption(f"The rows that it learned from are not there: {cause.lacking}")


def _show_inputs(found: Prediction, cause: Cause | None) -> None:
    similar = cause.similar if cause else ()
    names = [*found.inputs, *([cause.label] if cause and cause.label and similar else [])]
    table: dict[str, list[Any]] = {
        "input": names,
        "asked": [
            _shown(found.inputs[name]) if name in found.inputs else _shown(found.outcome) for name in names
        ],
    }
    for each in similar:
        table[f"row {each.row:,}, distance {each.distance:.2f}"] = [
            _shown(each.values.get(name)) for name in names
        ]
    st.dataframe(table, hide_index=True, height=min(38 + 35 * len(names), 560))
    keys = {name: value for name, value in found.keys.items() if value is not None}
    if keys:
        st.caption(
            "Identified by "
            + ", ".join(f"{plain(name)} = {plain(str(value))}" for name, value in keys.items())
        )
    st.code(f"workbench predictions show {found.id} --open", language="bash")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    return "" if value is None else str(value)


def _percent(probability: float | None) -> str:
    return "–" if probability is None else f"{probability:.2%}"
