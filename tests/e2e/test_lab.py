"""JupyterLab with the warm kernel in a real browser: what a person does with a kernel, by the buttons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from .lab_page import Lab, Notebook, chromium, lab, wait_until

pytestmark = pytest.mark.e2e

WHO = 'import os\nprint(open(f"/proc/{os.getppid()}/comm").read().strip(), os.getpid())'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as started:
        yield started
        below = started.process.children(recursive=True)
        started.process.terminate()
        assert not psutil.wait_procs([started.process, *below], timeout=20)[1]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    with chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser.new_context(viewport={"width": 1400, "height": 900})


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    opened = context.new_page()
    yield opened
    opened.close()


def pid_of(notebook: Notebook, number: int = 0) -> int:
    """Run the cell WHO; the kernel's process, which must be a warm one's."""
    text = notebook.run_until(number, re.compile(r"\d"))
    assert text.startswith("kernel-guard ")
    return int(text.split()[1])


def test_interrupt_and_input(running: Lab, page: Page) -> None:
    cells = [
        "import time\nprint('begun')\ntime.sleep(600)",
        "import numpy\nmatrix = numpy.eye(200)\nprint('begun')\nwhile True: matrix = matrix @ matrix",
        "print('alive', matrix.shape)",
        "name = input('Who? ')\nprint('hello', name)",
    ]
    notebook = Notebook(page, running, running.write("interrupt.ipynb", cells))
    for cell in (0, 1):
        notebook.run_until(cell, "begun")
        notebook.press("notebook:interrupt-kernel")
        expect(notebook.output(cell).last).to_contain_text("KeyboardInterrupt")
    notebook.run_until(2, "alive (200, 200)")
    notebook.run(3)
    page.locator("input.jp-Stdin-input").fill("Ada")
    page.keyboard.press("Enter")
    expect(notebook.output(3).last).to_contain_text("hello Ada")


def test_restart_run_all_and_shutdown(running: Lab, page: Page) -> None:
    cells = [
        WHO,
        "import pandas\nmany = globals().get('many', 0) + 1",
        "print('rows', len(pandas.Series([1, 2])), many)",
        "import subprocess\nprint('child', subprocess.Popen(['sleep', '600'], start_new_session=True).pid)",
    ]
    notebook = Notebook(page, running, running.write("restart.ipynb", cells))
    first = pid_of(notebook)
    notebook.run(1)
    notebook.run_until(2, "rows 2 1")
    notebook.press("notebook:restart-kernel", confirm=True)
    wait_until(lambda: not psutil.pid_exists(first))
    second = pid_of(notebook)
    assert second != first
    notebook.press("notebook:restart-run-all", confirm=True)
    notebook.done(3, 4)
    expect(notebook.output(2)).to_have_text("rows 2 1")  # nothing is left of the kernel before
    assert not psutil.pid_exists(second)
    kernel = psutil.Process(pid_of(notebook))
    child = int(notebook.output(3).first.inner_text().split()[1])
    processes = [kernel, kernel.parent(), psutil.Process(child)]
    notebook.choose("Kernel", "Shut Down Kernel")
    expect(page.locator(".jp-StatusBar-Widget")).to_contain_text("No Kernel")
    assert not psutil.wait_procs([each for each in processes if each], timeout=20)[1]


def test_widgets(running: Lab, page: Page) -> None:
    code = """\
import ipywidgets
slider, label = ipywidgets.IntSlider(value=3, max=10), ipywidgets.Label()
button = ipywidgets.Button(description="one more")
slider.observe(lambda change: setattr(label, "value", f"squared: {change.new ** 2}"), "value")
button.on_click(lambda _: setattr(slider, "value", slider.value + 1))
ipywidgets.VBox([slider, button, label])"""
    notebook = Notebook(page, running, running.write("widgets.ipynb", [code]))
    notebook.run(0)
    page.get_by_role("button", name="one more").click()
    expect(page.locator(".widget-label", has_text="squared")).to_have_text("squared: 16")
    page.locator(".noUi-handle").press("ArrowRight")
    expect(page.locator(".widget-label", has_text="squared")).to_have_text("squared: 25")


def test_debugger_stops_at_a_breakpoint_and_shows_variables(running: Lab, page: Page) -> None:
    cells = [
        "import pandas",
        "def double(given):\n    doubled = given * 2\n    return doubled\nprint('result', double(21))",
    ]
    notebook = Notebook(page, running, running.write("debugger.ipynb", cells))
    notebook.run(0)
    notebook.done(0, 1)
    page.locator(".jp-NotebookPanel-toolbar jp-button[title='Enable Debugger']").click()
    gutter = notebook.cell(1).locator(".cm-breakpoint-gutter .cm-gutterElement")
    gutter.nth(3).click()
    expect(page.locator(".jp-DebuggerBreakpoint")).to_have_count(1)
    notebook.run(1)
    variables = page.locator(".jp-DebuggerVariables")
    expect(variables).to_contain_text("doubled")
    expect(variables).to_contain_text("42")
    page.locator("[data-command='debugger:continue']").click()
    expect(notebook.output(1)).to_have_text("result 42")


def test_the_launcher_offers_the_warm_kernel_and_the_home_folder_stays_empty(
    running: Lab, page: Page
) -> None:
    page.goto(f"{running.url}/lab/workspaces/launcher?reset&token=only-for-this-test")
    page.locator(".jp-LauncherCard[data-category=Notebook]", has_text="Python 3 (warm)").click()
    expect(page.locator(".jp-StatusBar-Widget")).to_contain_text("Python 3 (warm) | Idle")
    assert not list(running.home.rglob("*"))
    assert (running.project / ".workbench" / "jupyter" / "runtime").is_dir()


def test_without_a_browser_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="`make browser`"), chromium(tmp_path):
        pass
