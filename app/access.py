"""Who looks at the app, and what they may do: checked where it is done, not only where its button is drawn.

admit           the page ends for who may not even look
part            a fragment, which is drawn without its page and so asks the same itself
current_user    name and roles, read anew each time: a role that was taken away is gone
require         the same, or AccessError when the role is missing
action          a button for one action: drawn disabled for who may not, checked again when it is pressed
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import streamlit as st

from workbench.access import Door, actor_of, auth_section, provider_name
from workbench.errors import AccessError, WorkbenchError
from workbench.promotion_policy import Actor
from workbench.setting_keys import ROLES
from workbench.settings import find_project

_door: Door | None = None
_TOLD, _SINCE = "told", "since"

Action = Callable[[Actor], str]
"""Does something for somebody, and says what came of it. May raise any WorkbenchError."""


def open_door(door: Door | None) -> None:
    """How people come in, for all of this process; until then nobody does. The app's server decides it at its start."""
    global _door
    _door = door


def current_user() -> Actor:
    """Who looks, with the roles that `workbench.toml` gives them now. Raises AccessError for who is not known."""
    if _door is None:
        raise AccessError("nobody may come in like this; start the app with: workbench app")
    now = time.time()
    claims: dict[str, Any] = {} if _door.kind == "loopback" else dict(st.user.to_dict())
    return actor_of(find_project(), _door, claims, st.session_state.setdefault(_SINCE, now), now)


def require(role: str) -> Actor:
    """The current user, who has this role. Raises AccessError."""
    actor = current_user()
    if role not in actor.roles:
        raise AccessError(why_not(actor, role))
    return actor


def why_not(actor: Actor, role: str) -> str:
    """Why somebody may not do what this role is for; nothing if they may."""
    if role in actor.roles:
        return ""
    has = ", ".join(sorted(actor.roles)) or "none"
    return f"'{actor.name}' may not do that: it needs the role {role} (roles: {has})"


def admit() -> None:
    """End the page for who may not look."""
    try:
        require("viewer")
    except WorkbenchError as error:
        st.error(str(error), icon="🔒")
        if _door is not None and _door.kind == "oidc":
            sign_in_or_out()
        st.stop()


def part(show: Callable[..., None], every: float | None = None) -> Callable[..., None]:
    """A part of a page that is drawn by itself, a fragment; with `every`, again after so many seconds.

    It asks itself whether who looks still may, and what fails in it is said in a sentence: of what a fragment raises,
    Streamlit shows the trace.
    """

    @wraps(show)
    def shown(*given: Any, **named: Any) -> None:
        try:
            require("viewer")
        except WorkbenchError:
            st.rerun()
        try:
            show(*given, **named)
        except WorkbenchError as error:
            st.error(str(error), icon="🔴")

    fragment: Callable[..., None] = st.fragment(shown, run_every=every)
    return fragment


def sign_in_or_out() -> None:
    """The buttons of who comes through a provider."""
    row = st.container(horizontal=True)
    row.button(
        "Sign in", on_click=st.login, args=(provider_name(auth_section(find_project())),), key="sign-in"
    )
    if st.user.get("is_logged_in"):
        row.button("Sign out", on_click=st.logout, key="sign-out")


def show_user() -> None:
    """Who looks, in a line at the page's end."""
    actor = current_user()
    highest = next((role for role in reversed(ROLES) if role in actor.roles), "nobody")
    row = st.container(horizontal=True, vertical_alignment="center")
    row.caption(f"{actor.name.replace('$', chr(92) + '$')} · {highest}")
    if _door is not None and _door.kind == "oidc":
        row.button("Sign out", on_click=st.logout, key="sign-out", type="tertiary")


def action(
    label: str,
    role: str,
    do: Action,
    *,
    key: str,
    place: Any = st,
    not_now: str = "",
    form: bool = False,
    **look: Any,
) -> None:
    """A button for one action of who has `role`.

    It is disabled, with the reason as its help, for who has not, and when `not_now` says why it makes no sense. `do` runs
    before the page is drawn again, and what it returns or raises is shown on top; values of widgets it takes from
    `st.session_state`. `form`: the button submits the form that it is in. `look` goes to the button.
    """
    try:
        reason = why_not(current_user(), role) or not_now
    except WorkbenchError:
        st.rerun()  # a dialog or another part is drawn by itself: the whole page says who may not look
    button = place.form_submit_button if form else place.button
    help_ = reason or look.pop("help", None)
    button(label, key=key, on_click=attempt, args=(role, do), disabled=bool(reason), help=help_, **look)


def attempt(role: str, do: Action) -> None:
    """Do something for who may, and keep what is to be told. A browser can ask for it without any button."""
    try:
        said, icon = do(require(role)), "✅"
    except WorkbenchError as error:
        said, icon = str(error), "⛔"
    st.session_state[_TOLD] = (said, icon)


def close_when_told() -> None:
    """At the end of a dialog: close it when its action was carried out, so that the page says what came of it."""
    if _TOLD in st.session_state:
        st.rerun()


def show_told() -> None:
    """What came of the last action, once: on top of the page, or of the fragment that its button is in."""
    said, icon = st.session_state.pop(_TOLD, ("", ""))
    if said:
        (st.success if icon == "✅" else st.error)(said.replace("$", "\\$"), icon=icon)
