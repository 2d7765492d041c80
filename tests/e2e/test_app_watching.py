"""Monitoring and Serving as a person uses them: click a point, know of an alert, try a prediction, look it up by its id."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.app import projects
from tests.app.made_windows import MODEL
from tests.e2e.app_page import AppPage, started, window
from tests.e2e.lab_page import chromium
from tests.e2e.served import served
from tests.scored import WITH_CONTRACT
from tests.serving.parts import Reviewer
from workbench import ledger_alerts
from workbench.ledger import Ledger
from workbench.ledger_windows import points
from workbench.settings import Project

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("home")) as browser:
        yield browser


@pytest.fixture(scope="module")
def browser(chrome: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppPage]:
    project = projects.typical(tmp_path_factory.mktemp("watched") / "typical")
    with started(project) as app, window(chrome, app) as page:
        yield page


def test_a_point_leads_to_its_window(browser: AppPage) -> None:
    browser.goto_page("Monitoring")
    with Ledger.open(browser.app.project) as ledger:
        known = points(ledger, MODEL)
    browser.says(f"Window {known[-1].id} ·")
    marks = browser.page.locator(".js-plotly-plot .scatterlayer .points path.point")
    expect(marks).to_have_count(len(known) - sum(bool(each.refused) for each in known))
    marks.nth(3).click(force=True)
    third = [each for each in known if not each.refused][3]
    browser.says(f"Window {third.id} ·")
    expect(browser.page).to_have_url(re.compile(f"window={third.id}"))
    assert browser.asked == []


def test_an_alert_is_acknowledged(browser: AppPage) -> None:
    browser.goto_page("Monitoring", "?view=alerts")
    with Ledger.open(browser.app.project) as ledger:
        first = ledger_alerts.open_alerts(ledger, MODEL)[0]
        browser.press("Acknowledge")
        browser.says(f"Alert {first.id} is acknowledged by")
        assert ledger_alerts.alert_of(ledger, first.id).state == "acknowledged"
    browser.says("3 open alerts, 2 that nobody has acknowledged")


def test_a_prediction_is_tried_refused_and_looked_up(scoring: Project, chrome: Browser) -> None:
    Reviewer(scoring).promote(WITH_CONTRACT)
    with (
        served(scoring) as server,
        started(scoring, WORKBENCH_SERVER=f"http://{server.host}:{server.port}") as app,
        window(chrome, app) as browser,
    ):
        browser.goto_page("Serving")
        browser.says(f"1 serve version {WITH_CONTRACT}")
        browser.goto_page("Serving", "?view=try")
        browser.page.get_by_role("spinbutton").first.fill("99")
        browser.press("Ask the server")
        browser.says("the server refuses (422)")  # its contract allows no such number
        browser.says("/rows/0/x")
        browser.page.get_by_role("spinbutton").first.fill("1.5")
        browser.press("Ask the server")
        browser.says("Answered by")
        told = browser.main().locator("code").first.inner_text()
        browser.press("Where it comes from")
        browser.says("was made by")
        expect(browser.page.get_by_label("Prediction id")).to_have_value(told)
        browser.page.get_by_label("Prediction id").fill("nonsense")
        browser.page.get_by_label("Prediction id").press("Enter")
        browser.says("nonsense")
        assert browser.asked == []
