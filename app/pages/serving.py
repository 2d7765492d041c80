"""Serving: what the server does now, a prediction to try, and any prediction by its id with where it comes from."""

from __future__ import annotations

import streamlit as st
from choosing import choose_view
from serving_find import show_lookup
from serving_live import show_live
from serving_shadow import show_shadow
from serving_try import show_form
from sources import current_project, open_ledger

from workbench.champions import champion_markers
from workbench.errors import WorkbenchError
from workbench.ledger import Ledger
from workbench.settings import Project

VIEWS = {"live": "Now", "try": "Try a prediction", "find": "Look up a prediction"}
START = (
    "No model serves: a version has to be promoted first, on the page *Models* or with `workbench models promote`; "
    "then `workbench serve`, or all together: `workbench up`"
)


def choose_model(models: list[str]) -> str:
    asked = st.query_params.get("model")
    if len(models) == 1:
        return models[0]
    st.session_state.setdefault("served", asked if asked in models else models[0])
    return str(st.pills("Model", models, key="served", required=True))


def show(project: Project, ledger: Ledger) -> None:
    models = sorted(each.model for each in champion_markers(project))
    view = choose_view(VIEWS, "serving-view", "find" if "prediction" in st.query_params else "live")
    if view == "find":
        show_lookup(project, ledger)
        return
    if not models:
        st.info(START, icon="📡")
        return
    model = choose_model(models)
    if view == "try":
        show_form(project, ledger, model)
    else:
        show_live(project, model)
        show_shadow(project, model)


project = current_project()
st.title("Serving", anchor=False)
try:
    ledger = open_ledger(project)
    if ledger is None:
        st.info(START, icon="📡")
    else:
        show(project, ledger)
except WorkbenchError as error:
    st.error(str(error), icon="🔴")
