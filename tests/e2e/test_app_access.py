"""Who signed in may do what their role says, whatever their browser sends: with a provider, in Chromium."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.serving.parts import Reviewer
from workbench import ledger_trail
from workbench.ledger import Ledger
from workbench.settings import Project, read_project

from .app_page import App, started
from .app_people import Person, provider, register, signed_in
from .lab_page import chromium, free_port, wait_until

pytestmark = pytest.mark.e2e

VERA, OTTO, ADA = "vera@example.org", "otto@example.org", "ada@example.org"
PEOPLE = [
    {"sub": "vera", "email": VERA, "email_verified": True},
    {"sub": "otto", "email": OTTO, "email_verified": True, "groups": ["on-call"]},
    {"sub": "ada", "email": ADA, "email_verified": True},
    {"sub": "eve", "email": ADA, "email_verified": False},
]
ROLES = f'viewer = ["{VERA}"]\noperator = ["group:on-call"]\napprover = ["{ADA}"]\n'
SETTINGS = """\
[project]
name = "demo"
[app]
session = "%s"
[roles]
%s"""


@dataclass(frozen=True)
class Site:
    """An app that people sign in to, their provider, and the browser that all use."""

    app: App
    issuer: str
    browser: Browser

    @property
    def project(self) -> Project:
        return self.app.project

    def set(self, *, roles: str = ROLES, session: str = "8h") -> None:
        self.project.file.write_text(SETTINGS % (session, roles))

    def trail(self) -> list[tuple[str, int, str, str]]:
        """What was done about the model: what, with which version, by whom, why."""
        with Ledger.open(self.project) as ledger:
            found = ledger_trail.entries(ledger, "m")
        return [
            (each.kind, each.version, each.actor, each.reason) for each in found if each.phase == "intent"
        ]


@pytest.fixture(scope="module")
def site(registered_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("access")
    shutil.copytree(registered_once, folder / "project")
    project, port = read_project(folder / "project"), free_port()
    reviewer = Reviewer(project)
    reviewer.judge(4, None)
    reviewer.close()
    project.file.write_text(SETTINGS % ("8h", ROLES))
    with provider(free_port(), folder / "provider.log", PEOPLE) as issuer:
        register(project, port, issuer)
        with started(read_project(project.root), port=port) as app, chromium(folder) as browser:
            yield Site(app, issuer, browser)


def test_the_messages_by_which_an_approver_promotes_do_nothing_for_a_viewer(site: Site) -> None:
    with signed_in(site.browser, site.app, "ada") as ada, signed_in(site.browser, site.app, "vera") as vera:
        ada.goto_page("Models")
        ada.press("Promote version 4 …")
        ada.page.get_by_role("textbox", name="Reason").fill("the best we have")
        ada.hold()
        ada.press("Promote version 4")
        wait_until(
            lambda: ada.sent("-promote-now")
        )  # what was typed may go before it, in a message of its own
        asks, promotes = ada.sent("-promote")[0], ada.sent("-promote-now")[0]

        vera.goto_page("Models")
        vera.says(f"Not promotable by you: '{VERA}'")
        expect(vera.page.get_by_role("button", name="Promote version 4 …")).to_be_disabled()
        vera.replay(asks, promotes)
        assert site.trail() == []

        # The same from a window of hers that asks to go on in Ada's session.
        other = Person(vera.page.context.new_page(), site.app, claimed=ada.session)
        other.goto_page("Models")
        other.says(f"{VERA} · viewer")
        other.replay(asks, promotes)
        assert site.trail() == []

        site.set(roles=ROLES.replace(ADA, "somebody@example.org"))  # while her page with its button is open
        ada.hold(False)
        ada.say(promotes)
        assert site.trail() == []
        site.set()
        ada.goto_page("Models")
        ada.say(asks, promotes)  # and for who may, they promote
        ada.says("version 4 of 'm' is champion now")
        assert site.trail() == [("promote", 4, ADA, "the best we have")]
        assert {each.partition("/oauth2/")[0] for each in ada.asked if "jsdelivr" not in each} == {
            site.issuer
        }


def test_a_session_that_is_over_asks_to_sign_in_again_and_its_press_does_nothing(site: Site) -> None:
    before = site.trail()
    with signed_in(site.browser, site.app, "ada") as ada:
        ada.goto_page("Models", "?version=1")
        ada.press("Reject …")
        ada.page.get_by_role("textbox", name="Reason").fill("too old")
        site.set(session="1ms")
        try:
            ada.press("Reject version 1")
            ada.says("your session is over; sign in again")
            expect(ada.page.get_by_role("button", name=re.compile("Reject"))).to_have_count(0)
            assert site.trail() == before
        finally:
            site.set()
        ada.press("Sign in")
        ada.page.get_by_role("button", name="ada", exact=True).click()
        ada.says(f"{ADA} · approver")
        ada.press("Sign out")
        ada.page.get_by_role("button", name=re.compile("sign|log|end|yes|confirm", re.I)).first.click()
        ada.says("sign in first")


def test_a_page_of_another_origin_gets_no_connection(site: Site) -> None:
    opens = """([url, token]) => new Promise(done => {
      const socket = new WebSocket(url, ["streamlit", token])
      socket.onopen = () => done(true)
      socket.onclose = () => done(false)
    })"""
    with signed_in(site.browser, site.app, "ada") as ada:
        cookies = {each["name"]: each["value"] for each in ada.page.context.cookies()}
        asked = [site.app.url.replace("http", "ws", 1) + "/_stcore/stream", cookies["_streamlit_xsrf"]]
        assert ada.page.evaluate(opens, asked)
        # Another port of the same host: the browser sends it the same cookies, and its pages may read some of them.
        ada.page.goto(site.issuer)
        assert not ada.page.evaluate(opens, asked)


def test_roles_come_by_verified_address_and_by_group(site: Site) -> None:
    with signed_in(site.browser, site.app, "otto") as otto:
        otto.says(f"{OTTO} · operator")
        otto.goto_page("Models", "?version=1")
        expect(otto.page.get_by_role("button", name="Reject …")).to_be_disabled()
