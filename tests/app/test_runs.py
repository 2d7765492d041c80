"""The pages Runs and Automation, without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app import made_runs, projects
from tests.app.conftest import OpenApp
from tests.app.reading import text_of
from workbench import ledger_queue, ledger_triggers
from workbench.ledger import Ledger
from workbench.settings import Project, os_user

FAILED = made_runs.run_id(45)


@pytest.fixture
def typical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = projects.typical(tmp_path / "typical")
    monkeypatch.chdir(project.root)
    return project


def test_history_pages_and_filters_and_a_failed_run_shows_its_cell(
    typical: Project, open_app: OpenApp
) -> None:
    app = open_app("runs")
    assert len(app.dataframe[0].value) == 12
    app.button_group(key="State").select("failed").run()
    assert set(app.dataframe[0].value["state"]) == {"🔴 failed"}
    assert len(app.dataframe[0].value) == 7
    app.query_params["run"] = FAILED
    app.run()
    page = text_of(app)
    assert "AssertionError: there is no month 0" in page
    assert "2 done · 1 failed · 1 skipped" in page
    (frame,) = [each.proto.srcdoc for each in app.get("iframe")]
    assert 'sandbox=""' in frame
    assert "3 cells before the one that failed" in frame
    app.button_group(key=f"view {FAILED} failed").select("Steps").run()
    assert "step &#x27;" not in text_of(app)
    assert "parameter months" in str(app.dataframe[1].value["reason"][0])


def test_a_run_is_asked_for_again_and_with_other_values_and_taken_back(
    typical: Project, open_app: OpenApp
) -> None:
    app = open_app("runs")
    app.query_params["run"] = FAILED
    app.run()
    app.button(key=f"retry {FAILED}").click().run()
    assert "Request 14 for a run of 'train' is in the queue" in text_of(app)
    app.button_group(key=f"view {FAILED} failed").select("Run with other values").run()
    key = f"again {FAILED}"
    app.text_input(key=f"{key} months").set_value("[one]")
    app.button(key=f"ask {key}").click().run()
    assert "is not list[int]" in app.error[0].value
    app.text_input(key=f"{key} months").set_value("[4, 5]")
    app.toggle(key=f"{key} balanced").set_value(True)
    app.number_input(key=f"{key} learning_rate").set_value(0.5)
    app.button(key=f"ask {key}").click().run()
    with Ledger.open(typical) as ledger:
        asked, retried = ledger_queue.request(ledger, 15), ledger_queue.request(ledger, 14)
    assert (asked.asked_by, asked.state) == (os_user(), "waiting")
    assert asked.parameters == {"months": [4, 5], "balanced": True, "learning_rate": 0.5}
    assert retried.parameters == {"months": [1, 2, 3]}
    assert "no service is running; start it with `workbench up`" in text_of(app)
    app.button(key="cancel runs 15").click().run()
    with Ledger.open(typical) as ledger:
        assert ledger_queue.request(ledger, 15).state == "cancelled"


def test_triggers_are_paused_and_resumed(typical: Project, open_app: OpenApp) -> None:
    app = open_app("automation")
    assert "3 runs in a row failed" in text_of(app)
    assert app.button(key="pause score.new_data").disabled
    app.button(key="resume score.new_data").click().run()
    with Ledger.open(typical) as ledger:
        state = ledger_triggers.states(ledger)["score", "new_data"]
    assert (state.paused_by, state.failures) == (None, 0)
    app.button(key="pause score.new_data").click().run()
    with Ledger.open(typical) as ledger:
        assert ledger_triggers.states(ledger)["score", "new_data"].paused_by == os_user()
