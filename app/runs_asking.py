"""What is asked of the service: a run to be made, once more, with other values, or stopped. It does it; the app does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from access import action
from drawing import moment, sign

from workbench import ledger_queue, run_form
from workbench.errors import BadInput, WorkbenchError
from workbench.ledger import Ledger, Run
from workbench.ledger_leases import service_is_up
from workbench.ledger_queue import Request
from workbench.loading import load_pipeline
from workbench.pipeline import Pipeline, require_findable
from workbench.promotion_policy import Actor
from workbench.run_form import Field
from workbench.service.clock import clock_here
from workbench.settings import Project


def show_queue(ledger: Ledger, place: str) -> None:
    """What waits and runs, with a button to take each out; says when nobody works it off."""
    waiting = ledger_queue.requests(ledger, states=ledger_queue.OPEN, limit=20)
    if not service_is_up(ledger):
        what = (
            f"{len(waiting)} requests wait and no"
            if len(waiting) > 1
            else "A request waits and no"
            if waiting
            else "No"
        )
        (st.warning if waiting else st.info)(
            f"{what} service is running; start it with `workbench up`", icon="💤"
        )
    for each in waiting:
        row = st.container(horizontal=True, vertical_alignment="center")
        began = f", run `{each.run}`" if each.run else ""
        row.markdown(
            f"{'⏳ waiting' if each.state == 'waiting' else sign(each.state)} · request **{each.id}** · {each.pipeline} · by {each.trigger or each.asked_by}{began}"
        )
        if each.run and place == "runs":
            row.button("Look", key=f"look {place} {each.id}", on_click=_look, args=(each.run,))
        stopping = "it is being stopped" if each.cancelled_by else ""
        action(
            "Cancel",
            "operator",
            _cancelling(ledger, each.id),
            key=f"cancel {place} {each.id}",
            place=row,
            not_now=stopping,
        )


def _look(run: str) -> None:
    st.query_params["run"] = run


def _cancelling(ledger: Ledger, number: int) -> Any:
    def cancel(actor: Actor) -> str:
        found = ledger_queue.cancel(ledger, number, actor.name, clock_here().now())
        return (
            f"Request {number} is cancelled"
            if found.state == "cancelled"
            else f"The service stops request {number}"
        )

    return cancel


def show_buttons(ledger: Ledger, run: Run, state: str, request: Request | None) -> None:
    """Retry and cancel, with the reason where one of them makes no sense."""
    row = st.container(horizontal=True)

    def retry(actor: Actor) -> str:
        if request is not None:
            asked = ledger_queue.again(ledger, request.id, actor.name, clock_here().now())
        else:
            cause = {"again": run.id}
            asked = ledger_queue.ask(
                ledger, run.pipeline, run.parameters, actor.name, clock_here().now(), cause
            )
        return _asked(asked)

    busy = "it has not ended" if state == "running" else ""
    action(
        "Retry" if state != "done" else "Run again", "operator", retry, key=f"retry {run.id}", place=row, not_now=busy,
        icon="🔁", help="The same once more; steps that are done are cached",
    )  # fmt: skip
    if state == "running":
        by_hand = (
            "" if request and request.state == "running" else "it runs in a terminal: Ctrl-C there stops it"
        )
        number = request.id if request else 0
        action(
            "Cancel",
            "operator",
            _cancelling(ledger, number),
            key=f"stop {run.id}",
            place=row,
            not_now=by_hand,
            icon="✋",
        )


def _asked(request: Request) -> str:
    st.session_state["asked"] = request.id
    return f"Request {request.id} for a run of '{request.pipeline}' is in the queue"


def show_form(
    project: Project, ledger: Ledger, pipeline: Pipeline, given: Mapping[str, Any], key: str
) -> None:
    """A form with a field for each parameter; what was filled in is checked as `-p` checks it."""
    form = run_form.fields(pipeline, given)
    with st.form(f"form {key}", border=False):
        if not form:
            st.caption("The pipeline takes no parameters.")
        columns = st.columns(3)
        for number, field in enumerate(form):
            _widget(field, f"{key} {field.name}", columns[number % 3])

        def ask(actor: Actor) -> str:
            filled = {field.name: st.session_state[f"{key} {field.name}"] for field in form}
            return _asked(request_run(project, ledger, pipeline.name, form, filled, given, actor))

        action("Put into the queue", "operator", ask, key=f"ask {key}", form=True, icon="▶️", type="primary")


def request_run(
    project: Project, ledger: Ledger, name: str, form: list[Field], filled: Mapping[str, Any],
    given: Mapping[str, Any], actor: Actor,
) -> Request:  # fmt: skip
    """Put what was filled in into the queue; what was given and not touched stays. Raises BadInput or SpecError."""
    said = run_form.arguments(form, filled)
    kept = {
        each: value for each, value in given.items() if each not in said and any(each == f.name for f in form)
    }
    missing = [
        each.name
        for each in form
        if filled.get(each.name) in (None, "") and each.kind != "text" and each.name in said
    ]
    if missing:
        raise BadInput(
            f"'{missing[0]}' is empty; its type is {next(f.annotation for f in form if f.name == missing[0])}"
        )
    loaded = load_pipeline(name, kept, arguments=said, project=project)
    require_findable(loaded)
    values = {**kept, **{each: loaded.parameters[each] for each in said}}
    return ledger_queue.ask(ledger, name, values, actor.name, clock_here().now())


def _widget(field: Field, key: str, place: Any) -> None:
    """One parameter; its type is its help."""
    label, about = (
        f"{field.name}",
        f"`{field.annotation}` · {', '.join(field.steps)}{' · ' + field.help if field.help else ''}",
    )
    if field.kind == "flag":
        place.toggle(label, field.value, key=key, help=about)
    elif field.kind == "choice":
        at = field.choices.index(field.value) if field.value in field.choices else None
        place.selectbox(label, field.choices, at, key=key, help=about)
    elif field.kind == "whole":
        place.number_input(label, value=field.value, step=1, key=key, help=about)
    elif field.kind == "number":
        place.number_input(
            label, value=None if field.value is None else float(field.value), format="%g", key=key, help=about
        )
    else:
        place.text_input(
            label, field.value or "", key=key, help=f"{about} · as YAML" if field.kind == "yaml" else about
        )


def pipeline_of(project: Project, run: Run) -> Pipeline | None:
    """The pipeline of a run as its file is now; None when it cannot be read any more."""
    try:
        return load_pipeline(run.pipeline, project=project)
    except WorkbenchError:
        return None


def follow(ledger: Ledger) -> None:
    """Look at the run that came of what was asked for here, once it has begun."""
    number = st.session_state.get("asked")
    if number is None:
        return
    request = ledger_queue.request(ledger, number)
    if request.run is not None or request.state not in ledger_queue.OPEN:
        del st.session_state["asked"]
    if request.run is not None:
        st.query_params["run"] = request.run
        st.rerun()


def came_from(request: Request | None) -> str:
    """Who or what asked for a run, in words."""
    if request is None:
        return "started by hand"
    by = f"trigger {request.trigger}" if request.trigger else request.asked_by
    at = moment(request.created)
    return f"request {request.id} of {by}, {at:%Y-%m-%d %H:%M} UTC" if at else f"request {request.id} of {by}"
