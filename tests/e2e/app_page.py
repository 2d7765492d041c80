"""The app as a person has it: its server on a project's folder, Debian's chromium, one page at a time.

with started(project) as app, browsing(app, home) as browser:
    browser.goto_page("Runs")
    browser.shot(folder / "runs.png")
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from workbench.settings import Project

from .lab_page import PATIENCE, answering, chromium, free_port

HERE = Path(__file__).parents[2] / "app"
WIDTHS = (1280, 1920)


@dataclass(frozen=True)
class App:
    """A running app: its address, its project and its process."""

    url: str
    project: Project
    process: psutil.Process
    log: Path


@contextlib.contextmanager
def started(project: Project, *options: str, port: int | None = None, **environment: str) -> Iterator[App]:
    """The app of this repository in a project, on a free port of loopback: `workbench app`."""
    if not (project.root / "app").exists():
        (project.root / "app").symlink_to(HERE)
    port = port or free_port()
    command = [sys.executable, "-P", "-m", "workbench", "app", "--port", str(port), *options]
    log = project.state / "app.log"
    log.parent.mkdir(exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    env = {**os.environ, **environment}
    with answering(command, f"{url}/_stcore/health", log, cwd=project.root, env=env) as server:
        yield App(url, project, server, log)


class AppPage:
    """One browser window on the app. Everything waits until the page is drawn."""

    def __init__(self, page: Page, app: App) -> None:
        self.page, self.app = page, app
        self.complaints: list[str] = []
        """What the browser complained of, such as a script that the content policy stopped."""
        self.asked: list[str] = []
        """Addresses on other hosts that the browser asked for: there must be none."""
        page.set_default_timeout(PATIENCE * 1000)
        page.on("request", self._note)
        page.on("console", self._hear)

    def _note(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if not url.startswith(
            (self.app.url, self.app.url.replace("http", "ws", 1), "data:", "blob:", "about:")
        ):
            self.asked.append(url)

    def _hear(self, message: ConsoleMessage) -> None:
        # Where the server's address ends, Streamlit's page finds out by asking below each part of its own.
        if message.type == "error" and "/_stcore/" not in message.location.get("url", ""):
            self.complaints.append(message.text)

    def goto_page(self, title: str, query: str = "") -> None:
        """Open a page by its title, such as `Runs`, and wait for it."""
        name = "" if title == "Overview" else title.lower()
        self.page.goto(f"{self.app.url}/{name}{query}")
        self.heading(title)

    def heading(self, title: str | re.Pattern[str]) -> None:
        """Wait until a page with this title is there and nothing of it is being drawn."""
        expect(self.page.get_by_role("heading", name=title, level=1)).to_be_visible()
        self.drawn()

    def drawn(self) -> None:
        """Wait until the script has run to its end, and nothing old is left on the page."""
        expect(
            self.page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")
        ).to_be_attached()
        for unfinished in ("[data-stale='true']", "[data-testid='stSkeleton']"):
            expect(self.page.locator(unfinished)).to_have_count(0)

    def press(self, name: str | re.Pattern[str]) -> None:
        """Press the only button of that name."""
        self.page.get_by_role("button", name=name, exact=isinstance(name, str)).click()

    def says(self, text: str | re.Pattern[str]) -> None:
        """Wait until the page says this."""
        expect(self.page.locator("[data-testid='stMain']")).to_contain_text(text)

    def main(self) -> Locator:
        return self.page.locator("[data-testid='stMain']")

    def shot(self, file: Path) -> None:
        """A picture of the whole page, however long it is."""
        self.drawn()
        inside = "document.querySelector('[data-testid=\"stMain\"]').scrollHeight"
        size = self.page.viewport_size or {"width": WIDTHS[0], "height": 800}
        height = max(800, int(self.page.evaluate(inside)) + 60)
        self.page.set_viewport_size({"width": size["width"], "height": height})
        self.drawn()
        self.page.screenshot(path=file)
        self.page.set_viewport_size(size)


@contextlib.contextmanager
def browsing(app: App, home: Path) -> Iterator[AppPage]:
    """Chromium with one window on the app; `home` is the folder that it takes for the user's home."""
    with chromium(home) as browser, window(browser, app) as page:
        yield page


@contextlib.contextmanager
def window(
    browser: Browser, app: App, *, scheme: Literal["light", "dark"] = "light", width: int = WIDTHS[0]
) -> Iterator[AppPage]:
    """A window of its own, with its own cookies: another person."""
    viewport = {"width": width, "height": 800}
    context: BrowserContext = browser.new_context(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    try:
        yield AppPage(context.new_page(), app)
    finally:
        context.close()
