"""Deciding about a version: promote, reject, retire, roll back. Each asks once more, with what was seen when it was asked.

The champion that the reviewer saw goes with every move; where another reviewer was quicker, nothing is moved and it is said
who did what (see workbench.promotion).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st
from access import action, close_when_told, current_user
from drawing import plain
from sources import current_project, open_ledger, promotions

from workbench.errors import BadInput
from workbench.ledger import Verdict
from workbench.ledger_versions import Registered
from workbench.promotion import Promotions
from workbench.promotion_policy import (
    Actor,
    Asked,
    may_promote,
    may_reject,
    may_retire,
    may_roll_back,
    objections,
)
from workbench.settings import Project
from workbench.trail import Standing

REASON, OVERRIDE = "decision-reason", "decision-override"
GIVEN = "given in the next step"
Move = Callable[[Promotions, Actor, str], str]


def show_actions(project: Project, now: Standing, version: Registered, verdict: Verdict | None) -> None:
    """What may be done with a version, and why what may not be done may not."""
    number, actor, policy = version.version, current_user(), project.policy(now.model)
    against = objections(number, verdict, now)
    asked = Asked(number, actor, GIVEN, override=bool(against))
    promote = may_promote(policy, asked, verdict, version.author, now).reasons
    reject, retire = (may(number, actor, GIVEN, now).reasons for may in (may_reject, may_retire))
    row = st.container(horizontal=True)
    label = f"Promote version {number}" + (" against its verdict" if against and not promote else "")
    if row.button(f"{label} …", key="promote", type="primary", disabled=bool(promote), help=_why(promote)):
        promote_dialog(now, number, against, "operator" if policy == "auto" else "approver")
    if row.button("Reject …", key="reject", disabled=bool(reject), help=_why(reject)):
        plain_dialog(now, number, "reject", "Whoever wants it after all needs an override.")
    if row.button("Retire …", key="retire", disabled=bool(retire), help=_why(retire)):
        last = " It serves: afterwards nothing does." if number == now.champion else ""
        plain_dialog(now, number, "retire", f"It is taken out of use for good.{last}")
    if promote and number != now.champion:
        st.caption("Not promotable by you: " + plain("; ".join(promote)))


def show_rollback(project: Project, now: Standing) -> None:
    """The way back, where there is one."""
    if now.champion is None and not now.periods:
        return
    target = now.previous
    reasons = may_roll_back(target, current_user(), GIVEN, now).reasons
    label = "Roll back …" if target is None else f"Roll back to version {target} …"
    if st.button(label, key="rollback", disabled=bool(reasons), help=_why(reasons), icon="↩️"):
        plain_dialog(now, target or 0, "rollback", "It is champion again within two seconds.")


@st.dialog("Promote?", width="medium")
def promote_dialog(now: Standing, version: int, against: tuple[str, ...], role: str) -> None:
    """Ask again before a version becomes champion."""
    was = "There is no champion now." if now.champion is None else f"Version {now.champion} serves now."
    st.markdown(f"**Version {version}** of {plain(now.model)} becomes champion. {was}")
    if against:
        st.error("Against it speaks:\n" + "\n".join(f"- {plain(each)}" for each in against), icon="⛔")
        st.checkbox(
            "Override: overrule this. It stays marked, with your name and reason, for ever.", key=OVERRIDE
        )
    st.text_area("Reason" + ("" if against else " (optional)"), key=REASON, height=80)
    action(
        f"Promote version {version}", "admin" if against else role, partial(decide, promote(now, version, bool(against))),
        key="promote-now", type="primary",
    )  # fmt: skip
    close_when_told()


@st.dialog("Are you sure?", width="medium")
def plain_dialog(now: Standing, version: int, kind: str, means: str) -> None:
    """Ask again, and for the reason, before one of the other moves."""
    words = {"reject": "Reject", "retire": "Retire", "rollback": "Roll back to"}
    moves = {"reject": reject, "retire": retire, "rollback": roll_back}
    st.markdown(f"{words[kind]} **version {version}** of {plain(now.model)}. {means}")
    st.text_area("Reason", key=REASON, height=80)
    role = "operator" if kind == "rollback" else "approver"
    do = partial(decide, moves[kind](now, version))
    action(f"{words[kind]} version {version}", role, do, key=f"{kind}-now", type="primary")
    close_when_told()


def decide(move: Move, actor: Actor) -> str:
    """Carry a decision out, for who is signed in at this moment."""
    project = current_project()
    ledger = open_ledger(project)
    if ledger is None:
        raise BadInput("there is no ledger any more")
    return move(promotions(project, ledger), actor, str(st.session_state.get(REASON) or ""))


def promote(now: Standing, version: int, against: bool) -> Move:
    def move(promotions: Promotions, actor: Actor, reason: str) -> str:
        override = against and bool(st.session_state.get(OVERRIDE))
        promotions.promote(now.model, version, actor, expected=now.champion, reason=reason, override=override)
        was = "there was none" if now.champion is None else f"it was version {now.champion}"
        return f"version {version} of '{now.model}' is champion now; {was}"

    return move


def roll_back(now: Standing, version: int) -> Move:
    def move(promotions: Promotions, actor: Actor, reason: str) -> str:
        promotions.rollback(now.model, actor, reason=reason, expected=now.champion, to=version)
        return f"version {version} of '{now.model}' is champion again; it was version {now.champion}"

    return move


def reject(now: Standing, version: int) -> Move:
    def move(promotions: Promotions, actor: Actor, reason: str) -> str:
        promotions.reject(now.model, version, actor, reason=reason)
        return f"version {version} of '{now.model}' is rejected: {reason}"

    return move


def retire(now: Standing, version: int) -> Move:
    def move(promotions: Promotions, actor: Actor, reason: str) -> str:
        promotions.retire(now.model, version, actor, reason=reason, expected=now.champion)
        return f"version {version} of '{now.model}' is retired: {reason}"

    return move


def _why(reasons: tuple[str, ...]) -> str | None:
    return "; ".join(reasons) or None
