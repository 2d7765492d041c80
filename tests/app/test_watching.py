"""Monitoring, Serving and Data without a browser: nothing there, weeks, a year, a ledger that is damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.app import projects
from tests.app.conftest import OpenApp
from tests.app.made_windows import FEATURES, MODEL
from tests.app.reading import text_of
from workbench import ledger_alerts
from workbench.ledger import Ledger
from workbench.replay.results import keep
from workbench.settings import Project, read_project

OURS = ("monitoring", "serving", "data")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return projects.typical(tmp_path_factory.mktemp("made") / "typical").root


@pytest.fixture
def typical(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "typical"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    return read_project(root)


def test_an_empty_project_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_app: OpenApp
) -> None:
    project = projects.empty(tmp_path / "empty")
    monkeypatch.chdir(project.root)
    said = {page: text_of(open_app(page)) for page in OURS}
    assert "workbench monitor MODEL" in said["monitoring"]
    assert "workbench models promote" in said["serving"]
    assert "workbench contract infer" in said["data"]
    project.state.mkdir(exist_ok=True)
    (project.state / "ledger.db").write_bytes(b"this is no database" * 100)
    for page in ("monitoring", "serving"):
        assert "is damaged" in text_of(open_app(page))


def test_a_window_an_alert_and_a_replay(typical: Project, open_app: OpenApp) -> None:
    interval = {"value": 0.7, "low": 0.6, "high": 0.8}
    month = {"month": "4", "version": 1, "did": "kept", "reason": "a month is over", "right": None, "verdict": "",
             "quality": {"auc": interval, "log_loss": interval}}  # fmt: skip
    policy = {"policy": "monthly", "quality": month["quality"], "against_never": month["quality"], "trainings": 2,
              "promoted": 1, "refused": 1, "rightly_refused": 1, "rolled_back": 0, "alerts": 1, "false_alarms": 1,
              "cost_seconds": 200.0, "months": [month]}  # fmt: skip
    aging = [{"age": 2, "months": 1, "auc": interval, "log_loss": interval}]
    keep(typical, "train", {"model": MODEL, "months": ["4"], "policies": [policy], "aging": aging})
    app = open_app("monitoring")
    assert "3 open alerts, 3 that nobody has acknowledged" in text_of(app)
    app.query_params["window"] = "50"  # every 7th has something wrong: number 49
    app.run()
    assert "version 2 · 949 rows, 800 outcomes have come" in text_of(app)
    features = app.dataframe[0].value
    assert list(features["feature"])[:2] == [
        FEATURES[3],
        FEATURES[0],
    ]  # what the loss came with, then what moved
    app.query_params["window"] = "45"
    app.run()
    assert "Not compared" in text_of(app)
    app.button_group(key="view").set_value("alerts").run()
    with Ledger.open(typical) as ledger:
        first = ledger_alerts.open_alerts(ledger, MODEL)[0].id
        app.button(key=f"resolve-{first}").click().run()
        assert ledger_alerts.alert_of(ledger, first).state == "open"  # nobody said why
        app.button(key=f"ack-{first}").click().run()
        assert ledger_alerts.alert_of(ledger, first).state == "acknowledged"
        app.text_input(key=f"reason-{first}").set_value("the feed was late")
        app.button(key=f"resolve-{first}").click().run()
        assert ledger_alerts.alert_of(ledger, first).content["reason"] == "the feed was late"
    app.toggle(key="every").set_value(True).run()
    assert len(app.dataframe[0].value) == len([n for n in range(60) if n % 7 == 0 and n % 11])
    app.button_group(key="view").set_value("replays").run()
    assert "months 4 to 4 as they would have been" in text_of(app)
    assert app.dataframe[0].value["refused"].tolist() == ["1, 1 rightly"]
