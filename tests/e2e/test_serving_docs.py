"""`/docs` in a real browser: a person fills the form, executes, and reads the answer; nothing comes from elsewhere."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.lab_page import FLAGS
from tests.serving.http.direct import DirectEngine, scorer
from tests.serving.http.listening import listening
from workbench.scoring.model import Scorer
from workbench.serving.http.api_keys import add_key
from workbench.serving.http.app import Application
from workbench.serving.http.request_log import RequestLog
from workbench.settings import Project

pytestmark = pytest.mark.e2e

OPERATION = "#operations-predictions-predict_late"
PATIENCE = 60_000
"""Milliseconds for anything to appear."""


@pytest.fixture(scope="module")
def model() -> Scorer:
    return scorer()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def engine(model: Scorer) -> DirectEngine:
    return DirectEngine({"late": model})


@pytest.fixture
def address(project: Project, engine: DirectEngine) -> Iterator[str]:
    with listening(Application(project, engine, log=RequestLog(io.BytesIO())), project.serve) as at:
        yield at


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that fails on any complaint of the browser, and that reaches this server only."""
    opened = browser.new_page(viewport={"width": 1100, "height": 1400})
    opened.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            complaints.append(request.url)
            if address not in request.url and not request.url.startswith("data:")
            else None
        ),
    )
    yield opened
    opened.close()
    refused = re.compile(r"status of (401|422)")
    assert [each for each in complaints if not refused.search(each)] == []


def test_the_form_of_a_model_is_filled_and_answered(
    page: Page, address: str, model: Scorer, tmp_path: Path
) -> None:
    page.goto(f"http://{address}/docs")
    operation = page.locator(OPERATION)
    operation.locator(".opblock-summary-control").click()
    expect(operation.get_by_text("What must hold across columns")).to_be_visible(timeout=PATIENCE)
    operation.locator("[data-property-name=hour] input[type=text]").fill("6")
    operation.locator("[data-property-name=temp] input[type=text]").fill("71.5")
    operation.locator("[data-property-name=carrier] select").select_option("ÜX")
    operation.locator("[data-property-name=dest] input[type=text]").fill("LAX")
    operation.locator("button.execute").click()
    said = operation.locator(".live-responses-table .response").first
    expect(said.locator(".response-col_status")).to_contain_text("200", timeout=PATIENCE)
    row = pd.DataFrame({"hour": [6.0], "seats": [1.0], "temp": [71.5], "carrier": ["ÜX"], "dest": ["LAX"]})
    expect(said).to_contain_text(str(model.probabilities(row)[0]))
    expect(said).to_contain_text("champion")
    page.screenshot(path=str(tmp_path / "form.png"), full_page=True)


def test_what_is_wrong_in_the_form_is_said_beside_it(page: Page, address: str) -> None:
    page.goto(f"http://{address}/docs")
    operation = page.locator(OPERATION)
    operation.locator(".opblock-summary-control").click()
    operation.locator("select[aria-label='Request content type']").select_option("application/json")
    operation.locator("textarea").fill(
        '{"rows": [{"hour": 6, "seats": null, "temp": "warm", "carrier": "AA", "dest": "LAX"}]}'
    )
    operation.locator("button.execute").click()
    said = operation.locator(".live-responses-table .response").first
    expect(said.locator(".response-col_status")).to_contain_text("422", timeout=PATIENCE)
    expect(said).to_contain_text("/rows/0/temp")


def test_where_keys_are_the_page_asks_for_one(page: Page, address: str, project: Project) -> None:
    _, token = add_key(project, "ada", "caller")
    page.goto(f"http://{address}/docs")
    expect(page.locator("#token")).to_be_visible(timeout=PATIENCE)
    page.fill("#token", "wb_00000000_wrong")
    page.click("#key button")
    expect(page.locator("#said")).to_contain_text("not known", timeout=PATIENCE)
    page.fill("#token", token)
    page.click("#key button")
    operation = page.locator(OPERATION)
    operation.locator(".opblock-summary-control").click()
    operation.locator("[data-property-name=hour] input[type=text]").fill("6")
    operation.locator("button.execute").click()
    said = operation.locator(".live-responses-table .response").first
    expect(said.locator(".response-col_status")).to_contain_text("200", timeout=PATIENCE)
