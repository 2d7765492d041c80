"""Try a prediction at the running server: a field for each column of the contract, of its type; the answer as it came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import streamlit as st
from access import action
from drawing import plain

from workbench.champions import champion_marker
from workbench.contracts.contract import Column, Contract, read_contract
from workbench.errors import WorkbenchError
from workbench.ledger import Ledger
from workbench.promotion_policy import Actor
from workbench.registry import locate
from workbench.serving.calling import Reply, server_of
from workbench.serving.examples import golden_row
from workbench.settings import Project, find_project

FIELD, REPLY = "field:", "reply"
ACROSS = 4
"""Fields beside each other."""
EARLIEST, LATEST = date(1900, 1, 1), date(2100, 12, 31)


@dataclass(frozen=True)
class Form:
    """What the version that serves can be asked."""

    version: int
    contract: Contract
    example: Mapping[str, Any]


def show_form(project: Project, ledger: Ledger, model: str) -> None:
    """The form, and what the server said to it last."""
    marker = champion_marker(project, model)
    if marker is None:
        st.info(f"'{model}' has no champion that could answer: page *Models*.", icon="📦")
        return
    try:
        form = _form(project.root, ledger, model, marker.version)
    except WorkbenchError as error:
        st.error(str(error), icon="📦")
        return
    if form is None:
        st.info(
            f"Version {marker.version} has no contract, so there is nothing to make a form of.", icon="📦"
        )
        return
    st.caption(
        f"A field for each column that version {form.version} is given; they hold one of its golden requests. The server "
        "judges, here nothing is refused. What it answers is on record like any other prediction."
    )
    with st.form("try", border=False):
        places = st.columns(ACROSS)
        for at, name in enumerate(form.contract.features):
            with places[at % ACROSS]:
                _field(form.contract.column(name), form.example.get(name), model)
        _show_keys(form.contract, model)
        action(
            "Ask the server", "operator", _asking(project, form, model), key="ask", form=True, type="primary"
        )
    asked: tuple[str, Reply] | None = st.session_state.get(REPLY)
    if asked is not None and asked[0] == model:
        _show_reply(asked[1])


@st.cache_resource(max_entries=8, show_spinner=False)
def _form(root: Path, _ledger: Ledger, model: str, version: int) -> Form | None:
    """Raises WorkbenchError when the version's files are not what they were."""
    project = find_project(root)
    found = locate(project, _ledger, model, version)
    if found.contract is None:
        return None
    contract = read_contract(found.contract)
    return Form(version, contract, golden_row(project, model, version, contract.of_features()) or {})


def _show_keys(contract: Contract, model: str) -> None:
    """What identifies the row: an outcome can be found by it later."""
    keys = [name for name in contract.keys if name not in contract.features]
    if not keys:
        return
    known = {column.name: column for column in contract.columns}
    with st.expander("What identifies the row (its outcome is found by it; may be left empty)"):
        for place, name in zip(st.columns(max(ACROSS, len(keys))), keys, strict=False):
            with place:
                _field(known.get(name) or Column(name, "text", nullable=True), None, model)


def _field(column: Column, example: Any, model: str) -> None:
    """One value of the column's type, which may be none. Bounds are said and not enforced."""
    said = "; ".join(each for each in (column.help, _bounds(column)) if each) or None
    own: dict[str, Any] = {"label": f"{column.name}{'' if not column.nullable else ' (may be empty)'}",
                           "key": f"{FIELD}{model}:{column.name}", "help": said}  # fmt: skip
    if column.type == "int":
        st.number_input(value=None if example is None else int(example), step=1, **own)
    elif column.type == "float":
        st.number_input(value=None if example is None else float(example), step=0.1, format="%.6g", **own)
    elif column.type == "bool":
        st.selectbox(options=[True, False], index=None if example is None else int(not example), **own)
    elif column.values:
        options = list(map(str, column.values))
        index = options.index(str(example)) if str(example) in options else None
        st.selectbox(options=options, index=index, accept_new_options=True, **own)
    elif column.type == "date":
        value = date.fromisoformat(str(example)[:10]) if example else None
        st.date_input(value=value, min_value=EARLIEST, max_value=LATEST, **own)
    else:
        st.text_input(value="" if example is None else str(example), **own)


def _bounds(column: Column) -> str:
    words = [f"{word} {at}" for word, at in (("from", column.min), ("to", column.max)) if at is not None]
    return " ".join(words + ([f"such as {column.pattern}"] if column.pattern else []))


def _asking(project: Project, form: Form, model: str) -> Callable[[Actor], str]:
    """Send what the fields hold; the answer is kept for the page."""

    def ask(_actor: Actor) -> str:
        reply = server_of(project.serve).predict(model, _row(form.contract, model))
        st.session_state[REPLY] = model, reply
        if reply.status != 200:
            raise WorkbenchError(f"the server refuses ({reply.status}): {reply.message}")
        return f"Version {reply.json().get('version')} has answered: see below."

    return ask


def _row(contract: Contract, model: str) -> dict[str, Any]:
    """Every feature, null where its field is empty; keys only where they are given."""
    row = {name: _value(st.session_state.get(f"{FIELD}{model}:{name}")) for name in contract.features}
    keys = {name: _value(st.session_state.get(f"{FIELD}{model}:{name}")) for name in contract.keys}
    return {**row, **{name: value for name, value in keys.items() if value is not None}}


def _value(given: Any) -> Any:
    """What a field holds, as JSON has it."""
    if isinstance(given, date | datetime):
        return given.isoformat()
    return None if given == "" else given


def _show_reply(reply: Reply) -> None:
    said = reply.json()
    if reply.status != 200:
        st.error(f"**{reply.status}** {plain(reply.message)}", icon="⛔")
        for at, message in reply.wrong:
            st.markdown(f"- `{at or '/'}`: {plain(message)}")
        return
    with st.container(border=True):
        answer = said["predictions"][0]
        places = st.columns([1, 1, 2])
        places[0].metric(f"Probability of {said['label']}", f"{answer['probability']:.2%}")
        places[1].metric("Answered by", f"version {said['version']}", help=said["kind"])
        with places[2]:
            st.caption("Its id")
            st.code(answer["id"], language=None)
        st.button("Where it comes from", on_click=_look_up, args=(answer["id"],))
        for warning in said["warnings"]:
            st.warning(plain(str(warning)), icon="📢")


def _look_up(prediction: str) -> None:
    st.query_params["prediction"] = prediction
    st.session_state["serving-view"] = "find"
