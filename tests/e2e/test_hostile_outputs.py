"""What comes from data does nothing in the browser of whoever looks at it."""

from __future__ import annotations

import html
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Page

from .hostile_outputs import SAMPLES, Ear, aimed, listening
from .lab_page import chromium, wait_until

pytestmark = pytest.mark.e2e

AS_STREAMLIT = "allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-same-origin allow-scripts allow-downloads"
"""What the frame of `st.iframe` may: everything that matters."""


class Site(ThreadingHTTPServer):
    """The app's origin: on loopback like the ear, for from elsewhere Chromium would not let anything reach it."""

    page = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Site)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self.server.page)))
        self.end_headers()
        self.wfile.write(self.server.page)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def served() -> Iterator[Site]:
    with Site(("127.0.0.1", 0), Answer) as site:
        thread = Thread(target=site.serve_forever)
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()


@dataclass
class Viewer:
    """A page of the app's origin with one frame in it, and what that did."""

    page: Page
    site: Site
    ear: Ear
    did: list[str] = field(default_factory=list)

    def look(self, shown: str, depth: int) -> FrameLocator:
        """Show a document as `st.iframe` does; the frame `depth` frames further in."""
        self.did.clear()
        self.ear.heard.clear()
        whole = f"<!doctype html><title>app</title><iframe width=700 height=400 sandbox='{AS_STREAMLIT}' srcdoc=\"{html.escape(shown)}\"></iframe>"

        self.site.page = whole.encode()
        self.page.goto(self.site.url)
        frame = self.page.frame_locator("iframe")
        for _ in range(depth):
            frame = frame.frame_locator("iframe")
        frame.locator("#here").wait_for(state="attached")
        return frame

    def quiet(self) -> list[str]:
        """All that happened, once whatever was begun had its turn: a request of our own was answered meanwhile."""
        before = len(self.ear.heard)
        self.page.evaluate("url => fetch(url, {mode: 'no-cors'}).catch(() => 0)", f"{self.ear.url}/own")
        wait_until(lambda: any("/own" in each for each in self.ear.heard[before:]))
        moved = (
            []
            if (self.page.url, self.page.title()) == (self.site.url, "app")
            else [self.page.url, self.page.title()]
        )
        return [*self.did, *(each for each in self.ear.heard if "/own" not in each), *moved]


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    with listening() as ear, served() as site, chromium(tmp_path_factory.mktemp("home")) as browser:
        context = browser.new_context()
        page = context.new_page()
        found = Viewer(page, site, ear)

        def dialog(shown: Any) -> None:
            found.did.append(f"dialog {shown.message}")
            shown.dismiss()

        page.on("dialog", dialog)
        page.on("download", lambda each: found.did.append(f"download {each.url}"))
        context.on("page", lambda each: found.did.append(f"window {each.url}"))
        yield found


@pytest.fixture
def caged(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "app"))
    import foreign_pages

    yield foreign_pages.caged
    sys.modules.pop("foreign_pages", None)


def document(sample: str, ear: Ear) -> str:
    return f"<!doctype html><html><head><title>t</title></head><body><p id=here>seen</p>{aimed(sample, ear.url)}</body></html>"


def test_all_of_the_corpus_does_nothing(viewer: Viewer, caged: Any) -> None:
    acted = {}
    for name, sample in SAMPLES.items():
        frame = viewer.look(caged(document(sample, viewer.ear)), depth=1)
        for away in frame.get_by_text("away").all():
            away.dispatch_event("click")
        if done := viewer.quiet():
            acted[name] = done
    assert acted == {}


def test_without_the_cage_it_would(viewer: Viewer) -> None:
    for name in ("script", "parent", "img-onerror", "css-import", "iframe-srcdoc"):
        viewer.look(document(SAMPLES[name], viewer.ear), depth=0)
        wait_until(viewer.quiet)


def test_a_page_keeps_its_words_and_the_links_within_it(viewer: Viewer, caged: Any) -> None:
    inside = '<a href="#there" class="x">within</a><a href="http://away.invalid/">away</a><h2 id="there">there</h2>'
    frame = viewer.look(caged(document(inside, viewer.ear)), depth=1)
    assert frame.locator("a").all_inner_texts() == ["within"]
    assert frame.locator("body").inner_text().split() == ["seen", "withinaway", "there"]
    assert viewer.quiet() == []
