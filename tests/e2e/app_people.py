"""People who sign in to the app: a provider on loopback, and a window for each of them.

with provider(port, log, people) as issuer:
    register(project, app_port, issuer)
with signed_in(browser, app, "ada") as ada:
    ada.goto_page("Models")
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from workbench.access import SECRETS
from workbench.settings import Project

from .app_page import App, AppPage
from .lab_page import answering, wait_until

SESSION = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SOCKETS = """
const Plain = window.WebSocket
window.sent = []
window.finished = 0
// Streamlit's ForwardMsg: its metadata (field 2), then that the script has run (field 6).
const ends = message => {
  if (message[0] !== 0x12) return message[0] === 0x30
  const long = message[1] & 0x80
  return message[long ? 3 + (message[1] & 0x7f) + 128 * message[2] : 2 + message[1]] === 0x30
}
window.WebSocket = class extends Plain {
  constructor(url, names) {
    super(url, window.claimed ? [...names.slice(0, 2), window.claimed] : names)
    window.socket = this
    this.addEventListener("message", async ({data}) => {
      const message = new Uint8Array(await new Response(data).arrayBuffer())
      window.finished += ends(message)
    })
  }
  send(message) {
    window.sent.push(Array.from(new Uint8Array(message)))
    if (!window.held) super.send(message)
  }
}
"""
"""A page keeps what it says to the server; what it says while it is held stays with it."""
SAY = """message => {
  window.before = window.finished
  window.socket.send(Uint8Array.from(message))
}"""


@contextlib.contextmanager
def provider(port: int, log: Path, people: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A provider (OpenID Connect) that takes anybody's word: its address. `people` are claims, `sub` included."""
    told = [word for each in people for word in ("--user-claims", json.dumps(each))]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *told]
    url = f"http://127.0.0.1:{port}"
    with answering(command, f"{url}/.well-known/openid-configuration", log):
        yield url


def register(project: Project, port: int, issuer: str) -> None:
    """Have the project's app on this port send people to the provider, as docs/app.md says."""
    file = project.root / SECRETS
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        "[auth]\n"
        f'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
        f'cookie_secret = "{os.urandom(32).hex()}"\n'
        'client_id = "workbench"\nclient_secret = "only-for-this-test"\n'
        f'server_metadata_url = "{issuer}/.well-known/openid-configuration"\n'
        'client_kwargs = {scope = "openid email profile groups"}\n'
    )


class Person(AppPage):
    """Somebody's window: what it says to the server is kept, and can be said by another one.

    `claimed`: the session, of somebody else, in which it asks to go on.
    """

    def __init__(self, page: Page, app: App, claimed: str = "") -> None:
        super().__init__(page, app)
        self.session = ""
        """What Streamlit calls the session of this window; with it a browser that lost its connection comes back."""
        page.add_init_script(f"window.claimed = {json.dumps(claimed)};{SOCKETS}")
        page.on("websocket", lambda socket: socket.on("framereceived", self._find_session))

    def _find_session(self, frame: bytes | str) -> None:
        found = None if self.session or isinstance(frame, str) else SESSION.search(frame)
        if found:
            self.session = found[0].decode()

    def hold(self, held: bool = True) -> None:
        """From now on nothing that this window says reaches the server."""
        self.page.evaluate("held => { window.held = held }", held)

    def sent(self, key: str) -> list[list[int]]:
        """The messages that say the button whose key ends so was pressed, held ones included."""
        messages: list[list[int]] = self.page.evaluate("window.sent")
        ends = re.compile(re.escape(key.encode()) + rb"(?![\w-])")
        return [each for each in messages if ends.search(bytes(each))]

    def say(self, *messages: list[int]) -> None:
        """Send messages over this window's own connection, each after what came of the one before is drawn."""
        for each in messages:
            self.page.evaluate(SAY, each)
            wait_until(lambda: self.page.evaluate("window.finished > window.before"))
            self.drawn()

    def replay(self, opens: list[int], presses: list[int]) -> None:
        """Send somebody's messages, that opened a dialog and that pressed its button.

        Streamlit does not answer a press in a dialog that this window was not shown; messages are worked off in their
        order, so it was dealt with once the first one is answered again.
        """
        self.say(opens)
        self.page.evaluate("message => window.socket.send(Uint8Array.from(message))", presses)
        self.say(opens)

    def sign_in(self, name: str) -> None:
        """From the app to the provider and back, as a person does it."""
        self.page.goto(self.app.url)
        self.press("Sign in")
        self.page.get_by_role("button", name=name, exact=True).click()
        self.heading("Overview")


@contextlib.contextmanager
def signed_in(browser: Browser, app: App, name: str) -> Iterator[Person]:
    """A window in which this person has signed in."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.route(
        re.compile(r"^https:"), lambda route: route.abort()
    )  # the provider's page wants a style sheet
    try:
        person = Person(context.new_page(), app)
        person.sign_in(name)
        yield person
    finally:
        context.close()
