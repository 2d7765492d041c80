"""Every page of the app, without a browser: an empty project, a good run, a failed one, a damaged MLflow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import OpenApp
from tests.app.reading import text_of
from workbench import ledger_schema as schema
from workbench import load_pipeline, make_plan, run_plan
from workbench.ledger import Ledger
from workbench.settings import Project


@pytest.fixture
def ran(project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Project:
    """A project with one good and one failed run."""
    parameters = "x: int = 1\nout: str = ''"
    write_notebook("good.ipynb", "print('the answer')", "open(out, 'w').write(str(x))", parameters=parameters)
    write_notebook("bad.ipynb", "1 / 0", parameters="src: str = ''")
    write_pipeline(
        "demo",
        """\
        pipeline: demo
        steps:
          good: {notebook: good.ipynb, outputs: {out: out.txt}}
          bad: {notebook: bad.ipynb, inputs: {src: good.out}}
        """,
    )
    run_plan(make_plan(load_pipeline("demo", project=project)))
    return project


def test_an_empty_project_says_what_to_do(project: Project, open_app: OpenApp) -> None:
    app = open_app("runs")
    assert "Nothing has run yet" in text_of(app)
    app.switch_page("pages/models.py").run()
    assert "No model is registered yet" in text_of(app)


def test_a_failed_run_shows_the_cell_that_failed(ran: Project, open_app: OpenApp) -> None:
    app = open_app("runs")
    page = text_of(app)
    assert "division by zero" in page
    assert "1 / 0" in page
    assert "1 done · 1 failed" in page
    assert app.metric[0].value == "failed"
    tables = [frame.value for frame in app.dataframe]
    assert any("demo" in str(table) for table in tables)


def test_an_executed_notebook_can_be_read(ran: Project, open_app: OpenApp) -> None:
    app = open_app("runs")
    app.button_group(key="notebook").select("good").run()
    frames = [frame.proto.srcdoc for frame in app.get("iframe")]
    assert any("the answer" in frame and "default-src 'none'" in frame for frame in frames)


def test_a_damaged_registry_is_said_and_nothing_else_breaks(project: Project, open_app: OpenApp) -> None:
    import mlflow  # noqa: F401 - as the app's server has it after its start

    settings = project.file.read_text().replace("enabled = false", "enabled = true")
    project.file.write_text(settings)
    row = {
        "model": "m",
        "digest": "d" * 64,
        "run": "r",
        "step": "s",
        "folder": "f",
        "state": "registered",
        "version": 1,
    }
    with Ledger.open(project) as ledger, ledger.writing() as connection:
        connection.execute(schema.deliveries.insert().values(row))
    (project.state / "mlflow.db").write_bytes(b"this is no database" * 100)
    app = open_app("models")
    assert "is damaged; move it aside" in text_of(app)
    assert list(app.dataframe[0].value["version"]) == [1]


def test_outside_a_project_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_app: OpenApp
) -> None:
    monkeypatch.chdir(tmp_path)
    app = open_app()
    assert "no workbench.toml in" in text_of(app)
