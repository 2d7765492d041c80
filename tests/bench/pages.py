"""The app's pages in a real Chromium, on a project of 10,000 runs, 500 versions and a year of windows.

Of each page: how long after its address is asked for all of it is there, and how long after a click its answer is. The browser's
cache is warm, as it is for whoever works here. Each round goes once over all pages and over one that has nothing on it.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from measure import Result, Target, Took, say
from playwright.sync_api import Page

from tests.app import made_runs, projects
from tests.e2e.app_page import AppPage, started, window
from tests.e2e.lab_page import answering, chromium, free_port

FIRST, THEN = 1.5, 0.5
"""Seconds that the issue allows for first content, and for an interaction."""
FLOOR = Path(__file__).parent / "peers" / "streamlit_floor.py"
ROW = 35
"""Pixels of a row of Streamlit's tables, which are drawn on a canvas."""

DRAWN = """
(wanted) => {
  const main = document.querySelector("[data-testid='stMain']");
  const state = document.querySelector("[data-testid='stApp']")?.dataset.testScriptState;
  return state === "notRunning" && document.querySelector("h1")?.innerText === wanted.title
    && !document.querySelector("[data-stale='true'], [data-testid='stSkeleton']")
    && main.innerText.includes(wanted.says) && location.href.includes(wanted.address);
}
"""
"""Whether the page is drawn to its end and says what it is to say. Asked at every frame: `expect` would look each half second."""


@dataclass(frozen=True)
class Visit:
    """A page: what to wait for, what is done there, and what is there afterwards."""

    title: str
    says: str
    does: str
    do: Callable[[Page], None]
    then: str = ""
    """Said afterwards."""
    address: str = ""
    """Part of the address afterwards."""
    leads: str = ""
    """Title of the page afterwards, where it is another."""


def app(root: Path, rounds: int) -> Result:
    """Every page `rounds` times, after once for the caches."""
    began = time.monotonic()
    project = projects.large(root / "large")
    say(f"    the project was made in {time.monotonic() - began:.1f} s")
    took: dict[str, list[Took]] = {}
    home = root / "home"
    home.mkdir()
    with (
        started(project) as server, floor(root) as nothing, chromium(home) as browser,
        window(browser, server) as ours, window(browser, server) as theirs,
    ):  # fmt: skip
        for number in range(rounds + 1):
            for visit in (*VISITS, EMPTY):
                page, url = (theirs, nothing) if visit is EMPTY else (ours, server.url)
                found = measured(page, url, visit)
                seconds = ", ".join(f"{each:.3f} s" for each in found)
                say(f"    {f'round {number}' if number else 'warm-up'}  {visit.title}: {seconds}")
                if number:
                    for name, each in zip(names(visit), found, strict=True):
                        took.setdefault(name, []).append(Took(each))
        asked = ours.asked
    targets = [
        Target(name, limit)
        for visit in VISITS
        for name, limit in zip(names(visit), (FIRST, THEN), strict=True)
    ]
    facts = {"the browser asked no other host for anything": not asked}
    about = (
        f"{projects.LARGE.runs:,} runs, {projects.LARGE.versions} versions, {projects.LARGE.months} months of daily windows. "
        f"{EMPTY.title}: a page of Streamlit's with one control, on a server of its own."
    )
    return Result("The app's pages in Chromium", took, targets, facts, (about,))


def names(visit: Visit) -> tuple[str, str]:
    return f"{visit.title}: first content", f"{visit.title}: {visit.does}"


def measured(browser: AppPage, url: str, visit: Visit) -> tuple[float, float]:
    """Seconds until the page is there, and from a click until its answer is."""
    page = browser.page
    name = "" if visit.title in ("Overview", EMPTY.title) else visit.title.lower()
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(f"{url}/{name}", wait_until="commit")
    until(page, visit.title, visit.says)
    first = time.perf_counter() - began
    began = time.perf_counter()
    visit.do(page)
    until(page, visit.leads or visit.title, visit.then, visit.address)
    return first, time.perf_counter() - began


def until(page: Page, title: str, says: str, address: str = "") -> None:
    page.wait_for_function(DRAWN, arg={"title": title, "says": says, "address": address})


def choose(name: str) -> Callable[[Page], None]:
    """Press one of the buttons of a control."""
    return lambda page: (
        page.get_by_role("radio", name=name).or_(page.get_by_role("button", name=name)).first.click()
    )


def row(number: int) -> Callable[[Page], None]:
    """Select a row of the first table, counted from 0."""

    def click(page: Page) -> None:
        table = page.locator("[data-testid='stDataFrame'] canvas").first
        # What scrolls the canvas lies above it, and takes the click.
        table.click(position={"x": 16, "y": ROW * (number + 1) + ROW // 2}, force=True)

    return click


def point(page: Page) -> None:
    """Click a point of the picture."""
    page.locator(".js-plotly-plot .scatterlayer .points path.point").nth(3).click(force=True)


def link(title: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role("link", name=title).first.click()


THIRD = made_runs.run_id(projects.LARGE.runs - 3)
VISITS = (
    Visit(
        "Overview",
        "Last promotions",
        "go on to Serving",
        link("Serving"),
        "Look up a prediction",
        leads="Serving",
    ),
    Visit(
        "Runs",
        made_runs.run_id(projects.LARGE.runs - 1),
        "choose a run",
        row(2),
        f"· {THIRD}",
        f"run={THIRD}",
    ),
    Visit("Data", "Rows read", "choose a view", choose("Profiles and reports"), "Page"),
    Visit("Models", "Version 500", "choose a version", row(2), "Version 498 "),
    Visit("Monitoring", "Window 360", "choose a window", point, "version 1 ·", "window="),
    Visit(
        "Serving", "Look up a prediction", "choose a view", choose("Look up a prediction"), "Prediction id"
    ),
    Visit("Automation", "⏸️ score.new_data", "choose a trigger", row(2), "🟢 train.alert"),
)
EMPTY = Visit("Floor", "This is view one", "choose a view", choose("two"), "This is view two")


@contextlib.contextmanager
def floor(root: Path) -> Iterator[str]:
    """The address of a server for the page that has nothing on it."""
    port = free_port()
    command = [
        sys.executable, "-m", "streamlit", "run", str(FLOOR), "--server.port", str(port), "--server.address", "127.0.0.1",
        "--server.headless", "true", "--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with answering(command, f"{url}/_stcore/health", root / "floor.log", cwd=root):
        yield url
