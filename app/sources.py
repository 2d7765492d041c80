"""Where pages get what they show: the project, its ledger, its registry."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from access import admit

from workbench.errors import BadInput, WorkbenchError
from workbench.ledger import Ledger, Run, alive
from workbench.ledger_versions import Registered
from workbench.model_cards import Card, card
from workbench.settings import Project, find_project

if TYPE_CHECKING:
    from workbench.promotion import Promotions

PATIENCE = 2.0
"""Seconds that a page waits for a ledger that another process has locked; then it says so."""


def current_project() -> Project:
    """The project that the app was started in; the page ends with the reason when there is none, or for who may not look."""
    admit()
    try:
        return find_project()
    except WorkbenchError as error:
        st.error(str(error), icon="🧭")
        st.stop()


def open_ledger(project: Project) -> Ledger | None:
    """The project's ledger; None while nothing has run, since opening would make one."""
    if project.ledger_url.startswith("sqlite") and not (project.state / "ledger.db").is_file():
        return None
    return _ledger(project.ledger_url, project.root)


@st.cache_resource(show_spinner=False)
def _ledger(url: str, root: Path) -> Ledger:
    return Ledger.open(find_project(root), PATIENCE)


def state_of(run: Run) -> str:
    """The run's state; `crashed` when its process is gone and no command has looked since."""
    return "crashed" if run.state == "running" and not alive(run) else run.state


def promotions(project: Project, ledger: Ledger) -> Promotions:
    """Where champions are moved. Raises TrackingError, and BadInput where MLflow, which keeps the alias, is off."""
    if not project.mlflow_enabled:
        raise BadInput(f"models are kept in MLflow, which is off: set mlflow.enabled in '{project.file}'")
    from workbench.mlflow_store import Aliases, connect
    from workbench.promotion import Promotions

    return Promotions(project, ledger, Aliases(project, connect(project)))


def card_of(project: Project, version: Registered) -> Card:
    """What travels with a version. Its files never change, so they are read once; a verdict may come anew."""
    return _card(project.root, project.state_folder, version)


@st.cache_data(max_entries=200, show_spinner=False)
def _card(root: Path, state: str, version: Registered) -> Card:
    return card(find_project(root), version)


@st.cache_data(ttl=30, show_spinner=False)
def alias_problem(root: Path, model: str, _ledger: Ledger) -> str:
    """What MLflow says of the champion, after repairing what was cut short; nothing if it agrees with the trail."""
    if "mlflow" not in sys.modules:
        return ""  # the server is importing it, see server.warm; to wait for that would hold up the page
    try:
        now = promotions(find_project(root), _ledger).look(model)
    except WorkbenchError as error:
        return str(error)
    if now.foreign is None:
        return ""
    where = "taken away" if now.foreign.version is None else f"put on version {now.foreign.version}"
    return f"the alias 'champion' was {where} in MLflow, not by the workbench; that is not served"
