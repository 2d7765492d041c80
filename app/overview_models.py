"""One model in a box: is it fine, what answers, how well, how much it is asked."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st
from drawing import age, plain
from monitoring_windows import monitors_of_model, windows_of
from serving_live import last_minutes

from workbench.alerts import Alert
from workbench.ledger import Ledger
from workbench.ledger_windows import Point
from workbench.settings import Project
from workbench.trail import Standing
from workbench.window_lines import first_choice, line, measures


def show_model(
    project: Project, ledger: Ledger, now: Standing, versions: int, alerts: Sequence[Alert]
) -> None:
    """The box of a model; `alerts` are its open ones."""
    model = now.model
    known = windows_of(ledger, model)
    light, words = health_of(now, known, alerts)
    with st.container(border=True):
        st.subheader(f"{light} {model}", anchor=False)
        st.markdown(words)
        champion, quality, asked, open_ = st.columns(4)
        if now.champion is None or now.made_by is None:
            champion.metric("Champion", "none", f"{versions} versions", delta_color="off", delta_arrow="off")
        else:
            since = age(time.time() - now.made_by.created)
            champion.metric(
                "Champion", f"version {now.champion}", f"since {since}", delta_color="off", delta_arrow="off"
            )
        _show_quality(quality, project, model, known)
        counted = last_minutes(project, model)
        errors = sum(count for status, count in counted.items() if status >= 500)
        said = f"{errors:,} answered with an error" if errors else "none failed"
        asked.metric(
            "Requests in the last hour", f"{sum(counted.values()):,}", said if counted else "nobody asked",
            delta_color="inverse" if errors else "off", delta_arrow="off",
        )  # fmt: skip
        worst = "critical" if any(each.severity == "critical" for each in alerts) else "warning"
        open_.metric(
            "Open alerts", len(alerts), worst if alerts else "all quiet",
            delta_color="inverse" if alerts else "off", delta_arrow="off",
        )  # fmt: skip


def health_of(now: Standing, known: Sequence[Point], alerts: Sequence[Alert]) -> tuple[str, str]:
    """A light, and what to do in words: red is critical, orange wants a look, white has nothing to say yet."""
    if alerts:
        light = "🔴" if any(each.severity == "critical" for each in alerts) else "🟠"
        first = plain(alerts[0].title)
        more = f", and {len(alerts) - 1} more" if len(alerts) > 1 else ""
        return light, f"{first}{more}. Look into it under *Monitoring*."
    if now.champion is None:
        return "⚪", "No version is champion: decide about one under *Models*."
    mine = [each for each in known if each.version == now.champion]
    if not mine:
        return (
            "⚪",
            f"Version {now.champion} answers; no window of it was judged yet: `workbench monitor {now.model}`",
        )
    if mine[-1].refused:
        return "⚪", f"The last window could not be judged: {plain(mine[-1].refused)}"
    if mine[-1].worst is not None:
        return "🟠", "The last window found something that is no alert yet; look under *Monitoring*."
    return "🟢", "As it should be."


def _show_quality(
    place: st.delta_generator.DeltaGenerator, project: Project, model: str, known: Sequence[Point]
) -> None:
    """The newest value of the metric that is watched, with its interval, against where an unchanged window lies."""
    monitors, _ = monitors_of_model(project.root, model)
    chosen = first_choice(
        [each for each in measures(known) if known and each.key in known[-1].performance], monitors
    )
    newest = next((each for each in reversed(known) if chosen and chosen.key in each.performance), None)
    if chosen is None or newest is None:
        place.metric("Live quality", "–", "no outcomes yet", delta_color="off", delta_arrow="off")
        return
    drawn = line([newest], chosen, monitors)
    value, (low, high), (least, most) = drawn.values[0], drawn.intervals[0], drawn.ordinary[0]
    shown = "–" if value is None else f"{value:.3f}"
    interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
    fine = value is None or least is None or most is None or least <= value <= most
    usual = "no reference" if least is None or most is None else f"ordinary: {least:.3f} to {most:.3f}"
    place.metric(
        f"Live {chosen.name}", shown, usual, delta_color="off" if fine else "inverse", delta_arrow="off",
        help=f"{shown}{interval}, 95 %, of {newest.outcomes:,} outcomes in the newest window that has any",
    )  # fmt: skip
    if interval:
        place.caption(f"95 %:{interval}")
