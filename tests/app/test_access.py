"""Actions of the app: who may, asked where they are done."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.app.reading import text_of
from workbench.settings import Project, os_user

PAGE = dedent("""\
    import streamlit as st
    from access import action, admit, show_told

    def count(actor):
        st.session_state["done"] = st.session_state.get("done", 0) + 1
        return f"done by {actor.name}"

    admit()
    show_told()
    action("Do it", "approver", count, key="do")
    action("Not now", "viewer", count, key="not", not_now="it is done already")
    """)


def roles(project: Project, **people: str) -> None:
    lines = "".join(f'{role} = ["{person}"]\n' for role, person in people.items())
    project.file.write_text('[project]\nname = "demo"\n\n[roles]\n' + lines)


def test_a_button_is_for_who_may_and_the_action_asks_again(app_folder: Path, project: Project) -> None:
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_string(PAGE).run()
    assert not app.button(key="do").disabled
    assert (app.button(key="not").disabled, app.button(key="not").help) == (True, "it is done already")
    app.button(key="do").click().run()
    assert app.success[0].value == f"done by {os_user()}"
    app.run()
    assert not app.success, "it is told once"

    roles(project, operator=os_user())  # taken away while the page with its button is open
    app.button(key="do").click().run()
    assert "it needs the role approver (roles: operator, viewer)" in app.error[0].value
    assert app.session_state["done"] == 1
    assert app.button(key="do").disabled
    app.button(key="do").proto.disabled = False  # what a browser can send all the same
    app.button(key="do").click().run()
    assert app.session_state["done"] == 1

    roles(project, operator="somebody else")
    app.run()
    assert "it needs the role viewer (roles: none)" in text_of(app)
    assert not app.button


def test_without_its_command_nobody_comes_in(
    app_folder: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setattr("access._door", None)
    app = AppTest.from_string(PAGE).run()
    assert "start the app with: workbench app" in text_of(app)
    assert not app.button
