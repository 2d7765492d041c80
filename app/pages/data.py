"""Data: contracts and what came of them, rows set aside, profiles, and drift between any two versions of a table."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from choosing import choose_view
from data_contracts import show_contracts
from data_drift import named, show_drift
from foreign_pages import show_page
from sources import current_project

from workbench.data_versions import Held, Output, contract_results, outputs, pages, state_of_store, tables
from workbench.errors import WorkbenchError
from workbench.settings import find_project

VIEWS = {"contracts": "Contracts", "profiles": "Profiles and reports", "drift": "Drift between versions"}


@st.cache_data(max_entries=4, show_spinner=False)
def in_store(root: Path, state: int) -> tuple[list[Output], list[Held]]:
    """What steps left, and which of it are results of contracts; read again when a result came or went."""
    found = outputs(find_project(root))
    return found, contract_results(found)


def show_pages(found: list[Output]) -> None:
    """One of the pages that steps made, as it is; nothing in it acts."""
    if not found:
        st.info(
            "No step has left a page yet. A profile of the data is made by `notebooks/profile.ipynb`: `make demo`",
            icon="📊",
        )
        return
    first = next((at for at, each in enumerate(found) if "profile" in each.place), 0)
    chosen = st.selectbox(
        "Page", range(len(found)), index=first, format_func=lambda at: named(found[at]), key="page"
    )
    show_page(found[chosen].file, 900, title=found[chosen].place)


project = current_project()
st.title("Data", anchor=False)
view = choose_view(VIEWS, "data-view")
try:
    there, held = in_store(project.root, state_of_store(project))
    if view == "profiles":
        show_pages(pages(there))
    elif view == "drift":
        show_drift(tables(there))
    else:
        show_contracts(project, held)
except WorkbenchError as error:
    st.error(str(error), icon="🔴")
