"""One version as a reviewer reads it: its verdict first, then what differs from the champion, then the dossier."""

from __future__ import annotations

import time

import streamlit as st
from drawing import age, moment, plain
from foreign_pages import show_page
from sources import card_of

from workbench.ledger import Ledger, Verdict
from workbench.ledger_versions import Registered, registered_version
from workbench.model_cards import made_differently
from workbench.settings import Project
from workbench.trail import Standing

DOSSIER_HEIGHT = 900


PAST = {"promote": "promoted", "rollback": "brought back"}
"""What made a version champion, as something that was done."""


def show_standing(project: Project, now: Standing, count: int) -> None:
    """Which version serves, since when, by whose word; what is tried beside it; what was overruled."""
    policy = project.policy(now.model)
    known = f"{count} version{'' if count == 1 else 's'}"
    if now.champion is None or now.made_by is None:
        st.markdown(f"⚪ **No champion**, {known} · policy {policy}")
        return
    by = now.made_by
    reason = f": {plain(by.reason)}" if by.reason else ""
    st.markdown(
        f"🏆 **Version {now.champion}** serves since {age(time.time() - by.created)}, "
        f"{PAST[by.kind]} by {plain(by.actor)}{reason} · {known} · policy {policy}"
    )
    for tried, word in ((now.canary, "canary"), (now.shadow, "shadow")):
        if tried is not None:
            st.caption(
                f"Version {tried.version} is tried as {word} since {age(time.time() - tried.created)}."
            )
    if mark := now.overrides.get(now.champion):
        said = "; ".join(mark.overridden)
        st.warning(
            f"Version {now.champion} was promoted against its verdict by {plain(mark.actor)}: {plain(mark.reason)}\n\n"
            f"Overruled: {plain(said)}", icon="⚠️",
        )  # fmt: skip


def show_version(
    project: Project, ledger: Ledger, now: Standing, version: Registered, verdict: Verdict | None
) -> None:
    """Everything about one version."""
    _show_verdict(version, verdict)
    mine = card_of(project, version)
    against = version.judged_against if version.judged_against is not None else now.champion
    other = registered_version(ledger, now.model, against) if against not in (None, version.version) else None
    if other is not None:
        with st.expander(f"Made differently from version {other.version}"):
            show_changes(made_differently(card_of(project, other), mine))
    with st.expander("Where it comes from"):
        _show_origin(now, version)
    if mine.dossier is None:
        st.caption("No dossier came with this version.")
    elif st.toggle("Dossier", key="dossier", value=False):
        show_page(mine.dossier, DOSSIER_HEIGHT, title=f"dossier of version {version.version}")


def show_changes(changes: dict[str, list[str]]) -> None:
    """What of which step is different."""
    if not changes:
        st.markdown("Nothing: both were made of the same.")
        return
    table = {"step": list(changes), "what is different": ["; ".join(each) for each in changes.values()]}
    st.dataframe(table, hide_index=True, height="content")


def _show_verdict(version: Registered, verdict: Verdict | None) -> None:
    if verdict is None:
        st.info(
            f"Version {version.version} was not judged: its pipeline declares no gates, or it is still judged.",
            icon="⚪",
        )
        return
    against = "no champion" if verdict.champion_version is None else f"version {verdict.champion_version}"
    said = plain(str(verdict.content.get("summary") or verdict.outcome))
    show = st.success if verdict.passed else st.error
    word = "passed" if verdict.passed else "failed"
    show(
        f"**Version {version.version} {word}, {verdict.outcome}**, judged against {against}: {said}", icon="⚖️"
    )
    thresholds = [each for each in verdict.content.get("thresholds", ()) if isinstance(each, dict)]
    failed = [each for each in thresholds if not each.get("passed")]
    if failed:
        _show_thresholds(failed)
    if len(thresholds) > len(failed):
        with st.expander(f"{len(thresholds) - len(failed)} thresholds passed"):
            _show_thresholds([each for each in thresholds if each.get("passed")])


def _show_thresholds(thresholds: list[dict[str, object]]) -> None:
    table = {
        "": ["🟢" if each.get("passed") else "🔴" for each in thresholds],
        "gate": [str(each.get("gate", "")) for each in thresholds],
        "threshold": [str(each.get("name", "")) for each in thresholds],
        "what was found": [str(each.get("reason", "")) for each in thresholds],
    }
    st.dataframe(table, hide_index=True, height="content" if len(thresholds) <= 8 else 320)


def _show_origin(now: Standing, version: Registered) -> None:
    made = moment(version.made)
    facts = {
        "state": now.state_of(version.version),
        "run": version.run,
        "step": version.step,
        "author": version.author,
        "made": f"{made:%Y-%m-%d %H:%M} UTC" if made else None,
        "commit": version.commit and version.commit[:12],
        "content (SHA-256)": version.digest[:16],
    }
    st.table({"": {name: f"`{value}`" for name, value in facts.items() if value}}, border="horizontal")
