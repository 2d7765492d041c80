"""The inbox: what is open, the worst first; one alert, whom it was told, and what a person may say of it."""

from __future__ import annotations

from typing import Any

import streamlit as st
from access import action
from drawing import moment, plain
from monitoring_windows import SIGNS

from workbench import ledger_alerts, ledger_notices, ledger_queue
from workbench.alerts import Alert
from workbench.errors import BadInput
from workbench.ledger import Ledger
from workbench.notify import channels
from workbench.promotion_policy import Actor
from workbench.settings import Project

MOST = 500
KEY = "alerts"


def show_alerts(project: Project, ledger: Ledger, model: str, open_ones: list[Alert]) -> None:
    """The list, and the alert that is chosen in it: else the one in the address, else the first."""
    every = st.toggle("Also those that are resolved", key="every")
    found = ledger_alerts.alerts(ledger, model, limit=MOST) if every else open_ones
    if not found:
        st.success("No alert is open.", icon="🌤️")
        return
    chosen = st.dataframe(
        _table(found), hide_index=True, column_config=_columns(), height=min(38 + 35 * len(found), 320),
        on_select="rerun", selection_mode="single-row", key=KEY,
    )  # fmt: skip
    if every and len(found) == MOST:
        st.caption(f"The {MOST} that changed last; all of them: `workbench alerts list --all --limit N`")
    if rows := chosen["selection"]["rows"]:
        st.query_params["alert"] = str(found[min(rows[0], len(found) - 1)].id)
    asked = st.query_params.get("alert")
    _show_alert(project, ledger, next((each for each in found if str(each.id) == asked), found[0]))


def _table(found: list[Alert]) -> dict[str, list[Any]]:
    return {
        "": ["⚫" if each.state == "resolved" else SIGNS[each.severity] for each in found],
        "id": [each.id for each in found],
        "monitor": [each.monitor for each in found],
        "what": [each.title for each in found],
        "state": [each.state for each in found],
        "knows": [each.acknowledged_by or "" for each in found],
        "opened": [moment(each.opened) for each in found],
        "changed": [moment(each.changed) for each in found],
    }


def _columns() -> dict[str, Any]:
    when = st.column_config.DatetimeColumn(format="distance", width="small")
    small = st.column_config.TextColumn(width="small")
    return {"opened": when, "changed": when, "state": small, "monitor": small, "knows": small}


def _show_alert(project: Project, ledger: Ledger, alert: Alert) -> None:
    with st.container(border=True):
        st.subheader(f"Alert {alert.id}: {alert.severity}, {alert.state}", anchor=False)
        st.markdown(plain(alert.title))
        st.caption(_story(alert))
        _show_actions(project, ledger, alert)
        for each in ledger_queue.requests_for(ledger, alert.id):
            st.markdown(f"It asked for a run of **{plain(each.pipeline)}**: request {each.id}, {each.state}")
        if told := ledger_notices.notices(ledger, alert=alert.id):
            table = {
                "event": [each.event for each in told], "channel": [each.channel for each in told],
                "state": [each.state for each in told], "at": [moment(each.finished) for each in told],
            }  # fmt: skip
            with st.expander(f"Whom it was told ({len(told)})"):
                st.dataframe(table, hide_index=True)
        with st.expander("What it stands on"):
            st.json(dict(alert.content))


def _story(alert: Alert) -> str:
    windows = alert.content.get("windows")
    parts = [
        f"{alert.model}, version {alert.version}",
        f"shown by {windows} windows in a row" if windows else "",
        f"acknowledged by {alert.acknowledged_by}" if alert.acknowledged_by else "",
        f"resolved by {alert.resolved_by}" if alert.resolved_by else "",
        str(alert.content.get("reason", "")),
    ]
    return plain(" · ".join(each for each in parts if each))


def _show_actions(project: Project, ledger: Ledger, alert: Alert) -> None:
    place = st.container(horizontal=True, vertical_alignment="bottom")
    if alert.window is not None:
        place.button(
            "Look at its window", on_click=_open_window, args=(alert.window,), key=f"window-{alert.id}"
        )
    if alert.state == "resolved":
        return

    def acknowledge(actor: Actor) -> str:
        done = ledger_alerts.acknowledge(ledger, alert.id, actor.name)
        return f"Alert {done.id} is acknowledged by {done.acknowledged_by}."

    def resolve(actor: Actor) -> str:
        reason = str(st.session_state.get(f"reason-{alert.id}", "")).strip()
        if not reason:
            raise BadInput("why is it no matter any more? A reason is kept with the alert")
        ledger_alerts.resolve(ledger, alert.id, actor.name, reason, tuple(channels(project)))
        return f"Alert {alert.id} is resolved: {reason}"

    known = "" if alert.state == "open" else f"{alert.acknowledged_by} knows of it"
    action("Acknowledge", "operator", acknowledge, key=f"ack-{alert.id}", place=place, not_now=known)
    place.text_input("Why it is no matter any more", key=f"reason-{alert.id}", max_chars=500)
    action("Resolve", "operator", resolve, key=f"resolve-{alert.id}", place=place)


def _open_window(id_: int) -> None:
    st.query_params["window"] = str(id_)
    st.session_state["view"] = "windows"
