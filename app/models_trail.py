"""The audit trail: who moved the champion, when and why, and whether the chain of hashes holds."""

from __future__ import annotations

import streamlit as st
from choosing import choose_page
from drawing import moment

from workbench import ledger_trail
from workbench.ledger import Ledger
from workbench.promotion import trail_problems
from workbench.settings import Project
from workbench.trail import Entry

PAGE = 50


def show_trail(project: Project, ledger: Ledger, model: str) -> None:
    """The chain's state, over all models, then this model's moves, the newest first."""
    problems = trail_problems(project, ledger)
    every = ledger_trail.entries(ledger)
    if problems:
        st.error(
            f"The audit trail is broken in {len(problems)} places:\n"
            + "\n".join(f"- {each}" for each in problems),
            icon="💥",
        )
    else:
        st.success(
            f"The audit trail is intact: {len(every)} entries, each with the hash of the one before it.",
            icon="🔗",
        )
    mine = [each for each in every if each.model == model]
    ended = {each.refers: each for each in mine if each.refers is not None}
    shown = [each for each in reversed(mine) if each.refers is None]
    if not shown:
        st.info("No champion was ever moved here.", icon="🌱")
        return
    part = shown[choose_page(st, len(shown), PAGE, "trail-page", "entries")]
    table = {
        "entry": [each.sequence for each in part],
        "when": [moment(each.created) for each in part],
        "what": [_what(each, ended.get(each.sequence)) for each in part],
        "version": [each.version for each in part],
        "instead of": [each.replaces for each in part],
        "by": [each.actor for each in part],
        "reason": [each.reason for each in part],
        "overruled": ["; ".join(each.overridden) for each in part],
        "hash": [each.hash[:12] for each in part],
    }
    columns = {"when": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")}
    st.dataframe(table, hide_index=True, column_config=columns, height="content" if len(part) <= 12 else 480)


def _what(entry: Entry, ending: Entry | None) -> str:
    """The move, and how it ended where that was not well."""
    if entry.phase == "done":
        return entry.kind
    if ending is None:
        return f"{entry.kind}: in progress"
    return f"{entry.kind}: {ending.reason}" if ending.kind == "repair" else entry.kind
