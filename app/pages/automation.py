"""Automation: what runs pipelines by itself, when it is due, why it fired or did not, and the queue."""

from __future__ import annotations

import streamlit as st
from access import part, show_told
from automation_triggers import show_list, show_trigger
from runs_asking import show_queue
from sources import current_project, open_ledger

from workbench.automation import read_pipelines, standings
from workbench.errors import LedgerError
from workbench.ledger import Ledger
from workbench.service.clock import clock_here


def queue(ledger: Ledger) -> None:
    """The queue as it is now."""
    show_told()
    show_queue(ledger, "automation")


project = current_project()
st.title("Automation", anchor=False)
pipelines, problems = read_pipelines(project)
for problem in problems:
    st.warning(str(problem), icon="📄")
try:
    ledger = open_ledger(project)
    if ledger is None:
        st.info("No service has worked here yet; start it with `workbench up`", icon="💤")
    else:
        st.subheader("Queue", anchor=False)
        part(queue, every=2.0)(ledger)
    found = standings(ledger, pipelines, clock_here().now())
    if not found:
        st.info(
            "No pipeline has triggers. They stand in its file, as in docs/automation.md: `triggers: [{staleness: 30d}]`",
            icon="🌱",
        )
        st.stop()
    st.subheader("Triggers", anchor=False)
    chosen = show_list(found)
    if ledger is not None:
        show_trigger(ledger, chosen)
except LedgerError as error:
    st.error(str(error), icon="🔴")
