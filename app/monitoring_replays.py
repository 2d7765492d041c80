"""Replays: the policies side by side, month by month, and how versions age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from charts import PALETTE, band, chart, limit, line, show
from drawing import duration, moment

from workbench.replay.results import Kept, kept
from workbench.settings import Project

METRICS = {"auc": "AUC", "log_loss": "log loss (nats a row)"}
SIGNS = {"promoted": "🟢", "refused": "🔴", "rolled back": "🟠", "set aside": "⚪", "kept": "·", "ended": "·"}
RIGHT = {True: " ✓", False: " ✗", None: ""}


def show_replays(project: Project, model: str) -> None:
    """What came of the last replay of each pipeline that makes this model."""
    found = [each for each in kept(project) if each.content.get("model") == model]
    if not found:
        st.info(
            "Not replayed yet. `workbench replay train` goes through the months that followed the training data as they "
            "would have been, and says whether training again would have been worth it, and when. For a first look: "
            "`make replay`",
            icon="🎞️",
        )
        return
    for each in found:
        _show_replay(each)


def _show_replay(found: Kept) -> None:
    policies, months = found.content["policies"], found.content["months"]
    st.subheader(
        f"{found.pipeline}: months {months[0]} to {months[-1]} as they would have been", anchor=False
    )
    when = moment(found.ended)
    st.caption(f"Replayed {when:%Y-%m-%d %H:%M} UTC · every policy starts with the same first champion")
    st.dataframe(_policies(policies), hide_index=True, column_config=_columns())
    left, right = st.columns(2)
    with left:
        metric = st.segmented_control(
            "By month", list(METRICS), default="auc", format_func=lambda each: METRICS[each].split(" (")[0],
            key=f"metric-{found.pipeline}",
        ) or "auc"  # fmt: skip
        show(by_month(policies, months, metric), key=f"months-{found.pipeline}")
    with right:
        st.markdown("**How versions age**: an older one against one as fresh as can be, in the same month")
        _show_aging(found, metric)
    with st.expander("Every decision, and what the month after showed"):
        for policy in policies:
            st.markdown(f"**{policy['policy']}**")
            st.dataframe(_decisions(policy["months"]), hide_index=True)


def _policies(policies: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {
        "policy": [each["policy"] for each in policies],
        "AUC": [_interval(each["quality"]["auc"]) for each in policies],
        "against never ": [_signed(each["against_never"]["auc"]) for each in policies],
        "log loss": [_interval(each["quality"]["log_loss"]) for each in policies],
        "against never": [_signed(each["against_never"]["log_loss"]) for each in policies],
        "trained": [each["trainings"] for each in policies],
        "promoted": [each["promoted"] for each in policies],
        "refused": [f"{each['refused']}, {each['rightly_refused']} rightly" if each["refused"] else "0" for each in policies],
        "rolled back": [each["rolled_back"] for each in policies],
        "alerts": [f"{each['alerts']}, {each['false_alarms']} false" if each["alerts"] else "0" for each in policies],
        "cost": [duration(each["cost_seconds"]) for each in policies],
    }  # fmt: skip


def _columns() -> dict[str, Any]:
    text = st.column_config.TextColumn
    return {
        "against never ": text(
            help="AUC minus that of the first champion, left in place: above zero is better"
        ),
        "against never": text(
            help="Log loss minus that of the first champion, left in place: below zero is better"
        ),
        "cost": text(help="Seconds that all steps of its trainings took when they were executed"),
    }


def by_month(policies: Sequence[Mapping[str, Any]], months: Sequence[str], metric: str) -> go.Figure:
    """A line a policy; what was promoted or refused at the end of a month is said at its point."""
    figure = chart("month", METRICS[metric], height=340)
    figure.update_xaxes(type="category")
    for at, policy in enumerate(policies):
        colour = PALETTE[at % len(PALETTE)]
        own = [each["quality"][metric] for each in policy["months"]]
        band(figure, months, [each["low"] for each in own], [each["high"] for each in own], f"{policy['policy']}, 95 %",
             colour=colour)  # fmt: skip
        figure.data[-1].update(showlegend=False)
        line(figure, months, [each["value"] for each in own], policy["policy"], colour=colour)
        figure.data[-1].update(
            text=[f"version {each['version']}; then {each['did']}" for each in policy["months"]],
            hovertemplate="%{y:.4f}, %{text}",
        )
    return figure


def _show_aging(found: Kept, metric: str) -> None:
    aging = found.content["aging"]
    if not aging:
        st.info("No two versions were trained that could be compared in the same month.", icon="⏳")
        return
    show(staleness(aging, metric), key=f"aging-{found.pipeline}")


def staleness(aging: Sequence[Mapping[str, Any]], metric: str) -> go.Figure:
    """What versions lose by their age, with its interval; from zero, where a fresh one is."""
    figure = chart("age of the version (months)", f"{METRICS[metric]}, aged minus fresh", height=340)
    ages = [each["age"] for each in aging]
    band(figure, ages, [each[metric]["low"] for each in aging], [each[metric]["high"] for each in aging], "95 %",
         colour=PALETTE[1])  # fmt: skip
    line(figure, ages, [each[metric]["value"] for each in aging], "aged minus fresh", colour=PALETTE[1])
    limit(figure, 0, "as a fresh one", colour="#7d858d")
    figure.update_xaxes(dtick=1)
    return figure


def _decisions(months: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {
        "month": [each["month"] for each in months],
        "answered by": [f"version {each['version']}" for each in months],
        "AUC": [f"{each['quality']['auc']['value']:.3f}" for each in months],
        "then": [f"{SIGNS.get(each['did'], '')} {each['did']}{RIGHT[each['right']]}" for each in months],
        "why": [each["reason"] for each in months],
        "the month after": [each["verdict"] for each in months],
    }


def _interval(of: Mapping[str, float]) -> str:
    return f"{of['value']:.3f} ({of['low']:.3f} to {of['high']:.3f})"


def _signed(of: Mapping[str, float]) -> str:
    return f"{of['value']:+.3f} ({of['low']:+.3f} to {of['high']:+.3f})"
