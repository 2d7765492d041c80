"""Every page of the app, without a browser: an empty project, a good run, a failed one, a damaged MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import OpenApp
from tests.app.reading import text_of
from tests.test_alerts import finding
from tests.test_ledger_alerts import record
from workbench import ledger_alerts
from workbench.ledger import Ledger
from workbench.settings import Project


def test_an_empty_project_says_what_to_do(project: Project, open_app: OpenApp) -> None:
    app = open_app("runs")
    assert "Nothing has run yet" in text_of(app)
    app.switch_page("pages/models.py").run()
    assert "No model is registered yet" in text_of(app)
    app.switch_page("pages/monitoring.py").run()
    assert "No alert." in text_of(app)


def test_the_inbox_shows_what_is_open_and_whom_it_was_told(project: Project, open_app: OpenApp) -> None:
    with Ledger.open(project) as ledger:
        record(ledger, 1, finding("critical", "temp"), finding("warning", "dewp"))
        ledger_alerts.resolve(ledger, 2, "ada", "the season")
    app = open_app("monitoring")
    assert "Alert 1: critical, open" in text_of(app)
    assert "workbench alerts ack 1" in text_of(app)
    listed, told = (frame.value for frame in app.dataframe)
    assert list(listed["id"]) == [1]
    assert set(told["channel"]) == {"chat", "mail"}
    app.toggle[0].set_value(True).run()
    assert sorted(app.dataframe[0].value["id"]) == [1, 2]


def test_a_damaged_registry_is_said_and_nothing_else_breaks(project: Project, open_app: OpenApp) -> None:
    settings = project.file.read_text().replace("enabled = false", "enabled = true")
    project.file.write_text(settings)
    project.state.mkdir(exist_ok=True)
    (project.state / "mlflow.db").write_bytes(b"this is no database" * 100)
    app = open_app("models")
    assert "is damaged; move it aside" in text_of(app)


def test_outside_a_project_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_app: OpenApp
) -> None:
    monkeypatch.chdir(tmp_path)
    app = open_app()
    assert "no workbench.toml in" in text_of(app)
