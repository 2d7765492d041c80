"""Every page of the app, without a browser: an empty project, a good run, a failed one, a damaged MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.conftest import OpenApp
from tests.app.reading import text_of
from workbench.settings import Project


def test_an_empty_project_says_what_to_do(project: Project, open_app: OpenApp) -> None:
    app = open_app("runs")
    assert "Nothing has run yet" in text_of(app)
    app.switch_page("pages/models.py").run()
    assert "No model is registered yet" in text_of(app)


def test_a_damaged_mlflow_is_said_and_nothing_else_breaks(models: Project, open_app: OpenApp) -> None:
    import mlflow  # noqa: F401 - as the app's server does, beside its start

    (models.state / "mlflow.db").write_bytes(b"this is no database" * 100)
    shown = text_of(open_app("models"))
    assert "is damaged; move it aside" in shown
    assert "Version" in shown


def test_outside_a_project_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_app: OpenApp
) -> None:
    monkeypatch.chdir(tmp_path)
    app = open_app()
    assert "no workbench.toml in" in text_of(app)
