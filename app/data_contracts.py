"""Contracts: what the last data that were held against each came to, and the rows that were set aside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from charts import GOOD, MUTED, WARNING, bars, chart, show
from drawing import moment, plain
from foreign_pages import show_page

from workbench.contracts.contract import FOLDER, Contract, read_contract
from workbench.data_versions import Held, reason_column, rows_set_aside
from workbench.errors import WorkbenchError
from workbench.settings import Project

ROWS = 200
"""Rows of a quarantine that are shown."""


def show_contracts(project: Project, held: Sequence[Held]) -> None:
    """Those of the project, and what came of the data that were held against them."""
    known = _contracts(project)
    names = list(dict.fromkeys([*(str(each.content["contract"]) for each in held), *known]))
    if not names:
        st.info("No contract yet. `workbench contract infer FILE` proposes one for a table.", icon="📜")
        return
    name = str(st.pills("Contract", names, default=names[0], required=True, key="contract"))
    mine = [each for each in held if each.content["contract"] == name]
    if mine:
        _show_result(mine)
    else:
        st.info(
            f"No data in the store were held against '{name}' by a step: `workbench contract check {name} FILE`",
            icon="📜",
        )
    if name in known:
        with st.expander("What it says"):
            _show_contract(known[name])


def _show_result(mine: Sequence[Held]) -> None:
    newest, rows = mine[0], mine[0].content["rows"]
    passed = not newest.content["stops"]
    st.subheader(f"{'🟢' if passed else '🔴'} {newest.result.place.rpartition('.')[0]}", anchor=False)
    st.caption(f"{moment(newest.result.created):%Y-%m-%d %H:%M} UTC · run {newest.result.run}")
    places = st.columns(4)
    for place, (name, key) in zip(places, (("Rows read", "read"), ("Kept", "kept"), ("Faulty", "faulty"),
                                           ("Set aside without fault", "excluded")), strict=True):  # fmt: skip
        place.metric(name, f"{rows[key]:,}")
    for stop in newest.content["stops"]:
        st.error(plain(str(stop)), icon="🛑")
    for warning in newest.content.get("warnings", ()):
        st.warning(plain(str(warning)), icon="📢")
    broken = newest.content["broken"]
    left, right = st.columns(2)
    with left:
        st.markdown("**Rules that rows break**" if broken else "**No row breaks a rule.**")
        if broken:
            st.dataframe(_broken(broken), hide_index=True)
    with right:
        if len(mine) > 1:
            show(results_over_time(mine), key="results")
    _show_quarantine(newest)
    for page in newest.pages:
        with st.expander(f"Its page: {page.name}"):
            show_page(page.file, 700, title=page.place)


def _broken(broken: Sequence[Any]) -> dict[str, list[Any]]:
    return {
        "rule": [each["rule"] for each in broken],
        "severity": [each["severity"] for each in broken],
        "rows": [each["rows"] for each in broken],
        "such as": [", ".join(str(one["value"]) for one in each["examples"][:3]) for each in broken],
    }


def results_over_time(mine: Sequence[Held]) -> go.Figure:
    """Rows of each data version: kept, faulty, set aside without fault."""
    figure = chart("data version, by when it was made (UTC)", "rows", height=280)
    ordered = list(reversed(mine))
    at = [f"{moment(each.result.created):%m-%d %H:%M} {each.result.digest[:4]}" for each in ordered]
    for name, key, colour in (
        ("kept", "kept", GOOD),
        ("faulty", "faulty", WARNING),
        ("no fault", "excluded", MUTED),
    ):
        bars(figure, at, [each.content["rows"][key] for each in ordered], name, colour=colour)
    figure.update_layout(barmode="stack")
    return figure


def _show_quarantine(held: Held) -> None:
    for table in held.tables:
        reason = reason_column(table.file)
        if reason is None:
            continue
        counts, _ = _aside(table.file, reason, None)
        st.markdown(f"**Rows that were set aside**: {sum(counts.values()):,} in `{plain(table.place)}`")
        if not counts:
            continue
        wanted = st.selectbox("Because of", list(counts), index=None, placeholder="any reason",
                              format_func=lambda each, of=counts: f"{each} ({of[each]:,})", key=f"why-{table.digest}")  # fmt: skip
        _, rows = _aside(table.file, reason, wanted)
        first = [reason, *(name for name in rows.schema.names if name != reason)]
        st.dataframe(rows.select(first), hide_index=True, height=320, placeholder="–")
        if sum(counts.values()) > ROWS:
            st.caption(f"The first {ROWS} of them; all: `{table.file.name}` of run {table.run}")


@st.cache_data(max_entries=20, show_spinner=False)
def _aside(file: Path, reason: str, wanted: str | None) -> tuple[dict[str, int], Any]:
    return rows_set_aside(file, reason, wanted, ROWS)


def _contracts(project: Project) -> dict[str, Contract]:
    """By name; a file that is none is said to be."""
    found = {}
    for file in sorted((project.notebooks / FOLDER).glob("*.y*ml")):
        try:
            contract = read_contract(file)
        except WorkbenchError as error:
            st.warning(plain(str(error)), icon="📜")
            continue
        found[contract.name] = contract
    return found


def _show_contract(contract: Contract) -> None:
    said = contract.as_dict()["columns"]
    st.caption(plain(contract.description))
    st.dataframe(
        {
            "column": [each.name for each in contract.columns],
            "type": [each.type for each in contract.columns],
            "role": ["feature" if each.name in contract.features else "label" if each.name == contract.label
                     else "never a feature" for each in contract.columns],
            "must be": [", ".join(f"{key} {value}" for key, value in said[each.name].items()
                                  if key not in ("type", "help")) for each in contract.columns],
            "": [each.help for each in contract.columns],
        },
        hide_index=True,
    )  # fmt: skip
    if contract.rules:
        st.dataframe({"rule": [each.name for each in contract.rules], "severity": [each.severity for each in contract.rules],
                      "expect": [each.expect.text for each in contract.rules]}, hide_index=True)  # fmt: skip
