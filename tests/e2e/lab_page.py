"""JupyterLab as a person has it: `workbench lab` on a project, Debian's chromium, one notebook at a time."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

PATIENCE = 60.0
"""Seconds for anything to appear: a machine that tests other things at the same time is slow, not wrong."""

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
TOKEN = "only-for-this-test"


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, its project, and the folder that it takes for the user's home."""

    url: str
    project: Path
    home: Path
    process: psutil.Process

    def write(self, name: str, cells: Sequence[str], kernel: str = "workbench") -> str:
        """A notebook below `notebooks/`, as a path of the project."""
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata={"kernelspec": spec})
        file = self.project / "notebooks" / name
        file.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, file)
        return f"notebooks/{name}"


@contextlib.contextmanager
def lab(folder: Path, *options: str) -> Iterator[Lab]:
    """`workbench lab` in a new project in `folder`, on a free port, with an empty home folder."""
    project, home = folder / "project", folder / "home"
    for made in (project, home):
        made.mkdir()
    (project / "workbench.toml").write_text('[project]\nname = "lab"\n\n[mlflow]\nenabled = false\n')
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))}
    env |= {"HOME": str(home), "JUPYTER_TOKEN": TOKEN}
    port = free_port()
    command = [sys.executable, "-m", "workbench", "lab", "--no-browser", "--port", str(port), *options]
    url = f"http://127.0.0.1:{port}"
    with answering(
        command, f"{url}/api/status?token={TOKEN}", folder / "log", cwd=project, env=env
    ) as server:
        yield Lab(url, project, home, server)


@contextlib.contextmanager
def answering(
    command: Sequence[str],
    url: str,
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[psutil.Process]:
    """A server in a process of its own that answers at `url`; it ends with this. What it says goes into `log`."""
    with (
        log.open("w") as said,
        subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        ) as server,
    ):
        try:
            wait_until(lambda: server.poll() is not None or _answers(url))
            if server.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} has ended: {log.read_text()}")
            yield psutil.Process(server.pid)
        finally:
            server.terminate()
            server.wait(PATIENCE)


@contextlib.contextmanager
def chromium(home: Path) -> Iterator[Browser]:
    """A browser with a profile of its own. Raises RuntimeError when none is installed."""
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("there is no chromium on this machine: install it with `make browser` (as root)")
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        env: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS, env=env)
        yield browser
        browser.close()


class Notebook:
    """One notebook in the browser. Cells count from 0; everything waits until it is there."""

    def __init__(self, page: Page, lab: Lab, path: str) -> None:
        self.page = page
        page.set_default_timeout(PATIENCE * 1000)
        # A workspace of its own, so that no notebook of another test is opened along.
        workspace = re.sub(r"\W", "-", path)
        page.goto(f"{lab.url}/lab/workspaces/{workspace}/tree/{path}?token={TOKEN}")
        self.until("Idle")

    def until(self, state: str) -> None:
        """Wait for the kernel's state as the status bar shows it: Idle, Busy, …"""
        expect(self.page.locator(".jp-StatusBar-Widget")).to_contain_text(f"| {state}")

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook-cell").nth(number)

    def output(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-OutputArea-output")

    def run(self, number: int) -> None:
        """Run one cell from the keyboard; does not wait for its end."""
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def run_until(self, number: int, text: str | re.Pattern[str]) -> str:
        """Run one cell and wait for `text` in its output; all of the output."""
        self.run(number)
        expect(self.output(number).first).to_contain_text(text)
        return self.output(number).first.inner_text().strip()

    def press(self, command: str, *, confirm: bool = False) -> None:
        """Press a button of the toolbar, such as `notebook:restart-kernel`, and accept what it asks."""
        self.page.locator(f'.jp-NotebookPanel-toolbar jp-button[data-command="{command}"]').click()
        if confirm:
            self.page.locator(".jp-Dialog .jp-mod-accept").click()

    def choose(self, menu: str, entry: str) -> None:
        """Choose an entry of the menu bar."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{menu}$")).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{entry}")).click()

    def done(self, number: int, count: int) -> None:
        """Wait until a cell has run as the kernel's `count`-th."""
        expect(self.cell(number).locator(".jp-InputPrompt")).to_have_text(f"[{count}]:")


def wait_until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Playwright's loop runs in this thread, so this waits without one."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "condition did not come true in time"
        time.sleep(0.02)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
