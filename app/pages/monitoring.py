"""Monitoring: the inbox. What is open, what it stands on, and whom it was told; acknowledging is the command line's."""

from __future__ import annotations

import streamlit as st
from drawing import moment
from sources import current_project, open_ledger

from workbench import ledger_alerts, ledger_notices
from workbench.alerts import Alert
from workbench.ledger import Ledger

SIGNS = {"critical": "🔴", "warning": "🟠"}


def show_list(alerts: list[Alert]) -> None:
    columns = {name: st.column_config.DatetimeColumn(format="distance") for name in ("opened", "changed")}
    table = {
        "": [SIGNS[each.severity] if each.state != "resolved" else "🟢" for each in alerts],
        "id": [each.id for each in alerts],
        "model": [each.model for each in alerts],
        "monitor": [each.monitor for each in alerts],
        "what": [each.title for each in alerts],
        "state": [each.state for each in alerts],
        "knows": [each.acknowledged_by or "" for each in alerts],
        "opened": [moment(each.opened) for each in alerts],
        "changed": [moment(each.changed) for each in alerts],
    }
    st.dataframe(table, hide_index=True, column_config=columns)


def show_alert(ledger: Ledger, alert: Alert) -> None:
    st.subheader(f"Alert {alert.id}: {alert.severity}, {alert.state}", anchor=False)
    st.markdown(alert.title.replace("$", "\\$"))
    if alert.state == "open":
        st.code(f"workbench alerts ack {alert.id}", language="bash")
    with st.expander("What it stands on"):
        st.json(dict(alert.content))
    if told := ledger_notices.notices(ledger, alert=alert.id):
        st.dataframe(
            {
                "event": [each.event for each in told],
                "channel": [each.channel for each in told],
                "state": [each.state for each in told],
                "at": [moment(each.finished) for each in told],
            },
            hide_index=True,
        )


project = current_project()
st.title("Monitoring", anchor=False)
ledger = open_ledger(project)
every = st.toggle("Also those that are resolved")
found: list[Alert] = []
if ledger is not None:
    found = ledger_alerts.alerts(ledger, limit=200) if every else ledger_alerts.open_alerts(ledger)
if ledger is None or not found:
    st.info("No alert. `workbench monitor MODEL` looks at what a model was asked lately", icon="🌤️")
    st.stop()
show_list(found)
chosen = st.selectbox("Look at", found, format_func=lambda each: f"{each.id}: {each.title}")
show_alert(ledger, chosen)
