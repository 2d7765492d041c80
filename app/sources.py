"""Where pages get what they show: the project, its ledger, its registry, its executed notebooks."""

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

CONTENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
"""An executed notebook shows data that nobody has checked, on the app's own origin: no script of it may run."""

HARMLESS_TAGS = {
    "a", "b", "blockquote", "br", "caption", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2",
    "h3", "h4", "h5", "h6", "hr", "i", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "summary",
    "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
"""What markdown and DataFrames are drawn with. nbconvert's own list leaves a table's head and body out."""


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
    return Ledger.open(find_project(root))


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


def notebook_page(notebook: Path) -> str | None:
    """An executed notebook as HTML that runs nothing and asks no network; None when it cannot be read."""
    try:
        return _notebook_page(notebook, notebook.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, AttributeError):
        return None


@st.cache_data(max_entries=20, show_spinner="Drawing the notebook …")
def _notebook_page(notebook: Path, _written: int) -> str:
    from nbconvert.exporters import HTMLExporter

    exporter = HTMLExporter(sanitize_html=True, mathjax_url="", require_js_url="", jquery_url="")
    exporter.register_filter("clean_html", harmless)
    exporter.exclude_anchor_links = True
    body, _ = exporter.from_filename(str(notebook))
    policy = f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">'
    return body.replace("<head>", f"<head>{policy}", 1)


def harmless(html: str | bytes) -> str:
    """HTML out of a notebook without anything that runs or loads; tags that are not known show as text."""
    from bleach import clean
    from nbconvert.filters import strip_ansi

    text = html.decode() if isinstance(html, bytes) else str(html)
    kept = {"*": ["class", "colspan", "rowspan"], "a": ["href", "title"]}
    return clean(strip_ansi(text), tags=HARMLESS_TAGS, attributes=kept)
