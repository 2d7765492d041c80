"""Triggers: when each is due, why it fired or did not, and to hold one up."""

from __future__ import annotations

import streamlit as st
from access import action
from drawing import moment, sign

from workbench import automation, ledger_queue, ledger_triggers
from workbench.automation import Standing, described
from workbench.ledger import Ledger
from workbench.promotion_policy import Actor
from workbench.service.clock import clock_here

SIGNS = {"active": "🟢", "paused": "⏸️", "unseen": "⚪"}
LATEST = 10
"""Due times and requests of one trigger that are shown."""


def show_list(found: list[Standing]) -> Standing:
    """All triggers; the one that was selected, else the first."""
    table = {
        "state": [f"{SIGNS[each.word]} {each.word}" for each in found],
        "trigger": [each.name for each in found],
        "runs when": [f"{each.trigger.kind.replace('_', ' ')}: {described(each.trigger)}" for each in found],
        "due next": [moment(each.due) for each in found],
        "fired last": [moment(each.state.fired) if each.state else None for each in found],
        "why, or why not": [each.reason for each in found],
    }
    columns = {
        name: st.column_config.DatetimeColumn(format="distance") for name in ("due next", "fired last")
    }
    chosen = st.dataframe(
        table, hide_index=True, column_config=columns, on_select="rerun", selection_mode="single-row", key="triggers",
        height=38 + 35 * min(len(found), 10), placeholder="–",
    )  # fmt: skip
    rows = chosen["selection"]["rows"]
    return found[rows[0]] if rows else found[0]


def show_trigger(ledger: Ledger, each: Standing) -> None:
    """One trigger: pause or resume it, its due times, what it asked for."""
    st.subheader(f"{SIGNS[each.word]} {each.name}", anchor=False)
    st.markdown(each.reason.replace("$", "\\$"))
    if each.state is not None and each.state.failures:
        st.caption(
            f"{each.state.failures} failed runs in a row; quarantine after {each.trigger.quarantine_after}"
        )
    _buttons(ledger, each)
    name, trigger = each.pipeline.name, each.trigger.name
    left, right = st.columns(2)
    slots = ledger_triggers.slots(ledger, name, trigger, LATEST) if each.trigger.kind == "schedule" else []
    if slots:
        left.caption("Due times, the newest first")
        left.dataframe(
            {
                "due": [moment(slot.due) for slot in slots],
                "state": [slot.state for slot in slots],
                "request": [slot.request for slot in slots],
                "why": [slot.reason for slot in slots],
            },
            hide_index=True, placeholder="–",
        )  # fmt: skip
    asked = ledger_queue.requests(ledger, pipeline=name, trigger=trigger, limit=LATEST)
    if asked:
        place = right if slots else st
        place.caption("What it asked for, the newest first")
        place.dataframe(
            {
                "state": [sign(each.state) for each in asked],
                "request": [each.id for each in asked],
                "asked": [moment(each.created) for each in asked],
                "run": [each.run for each in asked],
                "why": [str(each.cause.get("reason", "")) for each in asked],
                "came to": [each.message for each in asked],
            },
            hide_index=True, placeholder="–",
        )  # fmt: skip
    if not slots and not asked:
        st.caption("It has asked for no run yet.")


def _buttons(ledger: Ledger, each: Standing) -> None:
    row = st.container(horizontal=True)

    def pause(actor: Actor) -> str:
        automation.pause(ledger, each.pipeline, each.trigger, actor.name, clock_here().now())
        return f"{each.name} is paused"

    def resume(_: Actor) -> str:
        ledger_triggers.resume(ledger, each.pipeline.name, each.trigger.name)
        return f"{each.name} is active; its failures are forgotten"

    paused = each.word == "paused"
    action(
        "Pause",
        "operator",
        pause,
        key=f"pause {each.name}",
        place=row,
        icon="⏸️",
        not_now="it is paused" if paused else "",
    )
    action(
        "Resume",
        "operator",
        resume,
        key=f"resume {each.name}",
        place=row,
        icon="▶️",
        not_now="" if paused else "it is not paused",
    )
