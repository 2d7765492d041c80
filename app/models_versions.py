"""The versions of a model as a list: a page of them at a time, the newest first."""

from __future__ import annotations

import streamlit as st
from choosing import choose_page
from drawing import moment
from sources import card_of

from workbench.ledger import Ledger
from workbench.ledger_versions import Registered, registered, registered_version
from workbench.settings import Project
from workbench.trail import Standing

PAGE = 10
"""Versions on a page: their files are read for it."""
METRICS = 4
SIGNS = {"champion": "🏆", "former": "🕰️", "candidate": "", "rejected": "🚫", "retired": "📦"}


def judged(version: Registered) -> str:
    """The verdict in a word, with its sign."""
    if version.passed is None:
        return "⚪ not judged"
    return f"{'🟢' if version.passed else '🔴'} {version.outcome}"


def choose_version(project: Project, ledger: Ledger, now: Standing, count: int) -> Registered | None:
    """The list; the version that is selected in it, else the one in the address, else the newest."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    verdict = row.pills("Verdict", ["passed", "failed"], key="verdict", label_visibility="collapsed")
    passed = None if verdict is None else verdict == "passed"
    part = choose_page(row, count, PAGE, "page", "versions")
    shown = registered(ledger, now.model, limit=PAGE, offset=part.start, passed=passed)
    if not shown:
        st.info("No version here is like that; take the filter away or go to another page.", icon="🔎")
        return None
    wanted = st.query_params.get("version", "")
    place = next((at for at, each in enumerate(shown) if str(each.version) == wanted), None)
    selected = st.dataframe(
        _table(project, shown, now), hide_index=True, on_select="rerun", selection_mode="single-row-required",
        key=f"versions-{now.model}-{part.start}-{verdict}", column_config=_columns(), height="content",
        selection_default={"selection": {"rows": [place or 0]}},
    )["selection"]["rows"]  # fmt: skip
    if wanted and place is None and part.start == 0 and (named := _named(ledger, now.model, wanted)):
        st.caption(f"Version {named.version} is not on this page of the list.")
        return named
    chosen = shown[selected[0]] if selected and selected[0] < len(shown) else shown[0]
    if wanted:
        st.query_params["version"] = str(chosen.version)
    return chosen


def _named(ledger: Ledger, model: str, version: str) -> Registered | None:
    return registered_version(ledger, model, int(version)) if version.isdigit() else None


def _table(project: Project, shown: list[Registered], now: Standing) -> dict[str, list[object]]:
    cards = [card_of(project, each) for each in shown]
    metrics = list(dict.fromkeys(name for each in cards for name in each.metrics))[:METRICS]
    states = [now.state_of(each.version) for each in shown]
    table: dict[str, list[object]] = {
        "version": [each.version for each in shown],
        "state": [f"{SIGNS[state]} {state}".strip() for state in states],
        "verdict": [judged(each) for each in shown],
    }
    for name in metrics:
        table[name] = [each.metrics[name].value if name in each.metrics else None for each in cards]
    return table | {
        "made": [moment(each.made) for each in shown],
        "author": [each.author or "" for each in shown],
        "": ["⚠️ against its verdict" if each.version in now.overrides else "" for each in shown],
        "run": [each.run for each in shown],
    }


def _columns() -> dict[str, object]:
    numbers = ("auc", "log_loss", "brier", "calibration_error")
    return {
        "version": st.column_config.NumberColumn(width="small"),
        "made": st.column_config.DatetimeColumn(format="distance"),
        **{name: st.column_config.NumberColumn(format="%.4f") for name in numbers},
    }
