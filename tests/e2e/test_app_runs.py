"""A run asked for in the browser: the service executes it, the page follows, and shows the cell that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.app import projects
from workbench import ledger_queue
from workbench.ledger import Ledger

from .app_page import browsing, started
from .lab_page import wait_until
from .services import ALONE, Service

pytestmark = pytest.mark.e2e


def test_a_run_from_the_app_fails_where_one_sees_it(tmp_path: Path) -> None:
    project = projects.empty(tmp_path / "project")
    projects.write_pipelines(project)
    (project.notebooks / "train.yaml").write_text(projects.TRAIN.partition("triggers:")[0])
    (project.notebooks / "score.yaml").unlink()
    with Ledger.open(project) as ledger, started(project) as app, browsing(app, tmp_path) as browser:
        browser.goto_page("Runs")
        browser.page.get_by_test_id("stExpander").get_by_text("Ask for a run").click()
        months = browser.page.get_by_role("textbox", name="months")
        months.fill("[0, 1]")
        months.press("Tab")
        browser.page.get_by_role("button", name="Put into the queue").click()
        browser.says("Request 1 for a run of 'train' is in the queue")
        browser.says("no service is running")
        browser.page.reload()
        browser.says("request 1 · train")
        service = Service(
            project, *ALONE
        )  # not `up`: that waits until nothing works in the project, and the app does
        try:
            wait_until(lambda: ledger_queue.request(ledger, 1).run is not None)
            browser.goto_page("Runs", f"?run={ledger_queue.request(ledger, 1).run}")
            browser.page.reload()  # in the middle of it
            browser.says("there is no month 0")
        finally:
            service.end()
        found = ledger_queue.request(ledger, 1)
        assert (found.state, found.parameters) == ("failed", {"months": [0, 1]})
        browser.goto_page("Runs", f"?run={found.run}")
        cell = browser.page.frame_locator("iframe").frame_locator("iframe").locator(".cell.failed")
        expect(cell).to_contain_text("assert 0 not in months")
        # The page is scrolled to the notebook; within it nothing has to be.
        browser.page.locator("iframe").scroll_into_view_if_needed()
        expect(cell).to_be_in_viewport()
        assert browser.asked == []
