"""Models: versions and their verdicts, one of them looked at and decided about, two compared, the audit trail."""

from __future__ import annotations

import streamlit as st
from models_compare import show_comparison
from models_decide import show_actions, show_rollback
from models_trail import show_trail
from models_version import show_standing, show_version
from models_versions import choose_version
from sources import alias_problem, current_project, open_ledger

from workbench import ledger_trail
from workbench.errors import LedgerError
from workbench.ledger_versions import counts
from workbench.trail import standing

VIEWS = ("Decide", "Compare", "Audit trail")

project = current_project()
st.title("Models", anchor=False)
try:
    ledger = open_ledger(project)
    known = counts(ledger) if ledger else {}
    if ledger is None or not known:
        st.info(
            "No model is registered yet. A pipeline with a `model:` section registers what it delivers: "
            "`make demo`, or `workbench run train`",
            icon="🌱",
        )
        st.stop()
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    model = bar.selectbox(
        "Model", list(known), key="model", bind="query-params", label_visibility="collapsed", width=320
    )
    view = bar.segmented_control(
        "View", VIEWS, key="view", default=VIEWS[0], required=True, label_visibility="collapsed", bind="query-params"
    )  # fmt: skip
    now = standing(model, ledger_trail.entries(ledger, model))
    notice = st.empty()
    show_standing(project, now, known[model])
    if view == "Audit trail":
        show_trail(project, ledger, model)
    elif view == "Compare":
        show_comparison(project, ledger, now)
    else:
        show_rollback(project, now)
        if chosen := choose_version(project, ledger, now, known[model]):
            verdict = ledger.verdict(model, chosen.version)
            show_actions(project, now, chosen, verdict)
            show_version(project, ledger, now, chosen, verdict)
    if problem := alias_problem(project.root, model, ledger):
        notice.warning(problem, icon="⚠️")
except LedgerError as error:
    st.error(str(error), icon="🔴")
