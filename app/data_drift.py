"""Drift between any two versions of data that steps left in the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from access import part
from charts import show
from drawing import moment, plain
from monitoring_window import distribution_picture

from workbench.data_versions import Output
from workbench.drift.tables import MOST_ROWS, Between
from workbench.errors import WorkbenchError


def show_drift(found: Sequence[Output]) -> None:
    """Two are chosen, by default the newest two of one output; columns by how far they moved, and how each is spread."""
    if len(found) < 2:
        st.info(
            "The store has fewer than two tables to compare: `workbench run train`, then again with other data",
            icon="🧺",
        )
        return
    own = _alike(found)
    left, right = st.columns(2)
    options = list(range(len(found)))
    before = left.selectbox(
        "Before", options, index=own[-1], format_func=lambda at: named(found[at]), key="before"
    )
    now = right.selectbox("Now", options, index=own[0],
                          format_func=lambda at: named(found[at]), key="now")  # fmt: skip
    if found[before].file == found[now].file:
        st.info("Choose two that differ.", icon="⚖️")
        return
    try:
        between = _between(found[before].file, found[now].file)
    except WorkbenchError as error:
        st.info(str(error), icon="⚖️")
        return
    _show_between(between, f"{found[before].digest}-{found[now].digest}")


def _alike(found: Sequence[Output]) -> list[int]:
    """Versions of one output, of one that others name alike, or any: at least two, the newest first. Large ones are more
    worth a look than what was set aside."""
    for of in (lambda each: each.place, lambda each: each.name, lambda _: ""):
        for each in sorted(found, key=lambda each: -each.size):
            if len(own := [at for at, other in enumerate(found) if of(other) == of(each)]) > 1:
                return own
    return [0, 0]


def named(each: Output) -> str:
    return f"{each.place} · {moment(each.created):%Y-%m-%d %H:%M} · {each.digest[:8]}"


@st.cache_data(max_entries=20, show_spinner="Comparing …")
def _between(before: Path, now: Path) -> Between:
    from workbench.contracts.tables import read_table
    from workbench.drift.tables import between, day_column

    tables = read_table(before), read_table(now)
    return between(*tables, day_column(*tables))


@part
def _show_between(found: Between, key: str) -> None:
    if found.calibrated:
        drifted = [each.name for each in found.moved if each.drifted]
        said = (
            f"{len(drifted)} columns moved more than is ordinary: {', '.join(drifted)}"
            if drifted
            else "Nothing moved more than is ordinary"
        )
        st.markdown(f"{'🟠' if drifted else '🟢'} **{plain(said)}**")
    else:
        st.caption(
            "Distances stand for themselves here: what is ordinary can only be said of tables with a column of dates, when the "
            "first has at least three times the days of the second."
        )
    for which, names in (("before", found.only_before), ("now", found.only_now)):
        if names:
            st.caption(f"Only {which}: {plain(', '.join(names))}")
    table, picture = st.columns([3, 2])
    with table:
        chosen = st.dataframe(_table(found), hide_index=True, height=380, on_select="rerun", key=f"moved-{key}",
                              selection_mode="single-row-required", selection_default={"selection": {"rows": [0]}},
                              column_config=_columns())  # fmt: skip
        st.caption(f"Of at most {MOST_ROWS:,} rows of each, evenly chosen.")
    rows = chosen["selection"]["rows"]
    with picture:
        drawn = found.distributions[rows[0] if rows else 0]
        show(distribution_picture(drawn, "before", "now"), key=f"spread-{key}")


def _table(found: Between) -> dict[str, list[Any]]:
    table: dict[str, list[Any]] = {
        "column": [each.name for each in found.moved],
        "distance": [each.distance for each in found.moved],
    }
    if found.calibrated:
        table["drift from"] = [each.limit for each in found.moved]
        table[""] = ["drift" if each.drifted else "" for each in found.moved]
    return table | {
        "PSI": [each.psi for each in found.moved],
        "missing": [
            f"{each.missing[0]:.1%} → {each.missing[1]:.1%}" if any(each.missing) else ""
            for each in found.moved
        ],
        "new": [each.unseen for each in found.moved],
    }


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "distance": st.column_config.ProgressColumn(format="%.3f", min_value=0, max_value=1, help="Jensen-Shannon, 0 to 1"),
        "drift from": number(format="%.3f"), "PSI": number(format="%.3f"),
        "new": number(format="percent", help="Share of rows with a value that was not there before"),
    }  # fmt: skip
