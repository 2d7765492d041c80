"""Every page of the app, without a browser: an empty project, a good run, a failed one, a damaged MLflow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_alerts import finding
from tests.test_ledger_alerts import record
from workbench import ledger_alerts, load_pipeline, make_plan, run_plan
from workbench.ledger import Ledger
from workbench.settings import Project

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

MAIN = Path(__file__).parents[2] / "app" / "main.py"
SECONDS = 60
"""The first page imports pandas and plotly."""


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


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch, project: Project) -> Callable[[], AppTest]:
    """The app on its first page; its folder is where a page finds what pages share.

    Streamlit is imported here, because its import sets MPLBACKEND for the process, and so for every kernel of other tests.
    """
    from streamlit.testing.v1 import AppTest

    monkeypatch.syspath_prepend(str(MAIN.parent))

    def start() -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=SECONDS)
        return app.run()

    return start


def text_of(app: AppTest) -> str:
    """All that a page says in words."""
    kinds = ("title", "subheader", "caption", "markdown", "info", "error", "warning", "code")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def test_an_empty_project_says_what_to_do(open_app: Callable[[], AppTest]) -> None:
    app = open_app()
    assert not app.exception
    assert "Nothing has run yet" in text_of(app)
    app.switch_page("pages/models.py").run()
    assert not app.exception
    assert "No model is registered yet" in text_of(app)
    app.switch_page("pages/alerts.py").run()
    assert not app.exception
    assert "No alert." in text_of(app)


def test_the_inbox_shows_what_is_open_and_whom_it_was_told(
    project: Project, open_app: Callable[[], AppTest]
) -> None:
    with Ledger.open(project) as ledger:
        record(ledger, 1, finding("critical", "temp"), finding("warning", "dewp"))
        ledger_alerts.resolve(ledger, 2, "ada", "the season")
    app = open_app()
    app.switch_page("pages/alerts.py").run()
    assert not app.exception
    assert "Alert 1: critical, open" in text_of(app)
    assert "workbench alerts ack 1" in text_of(app)
    listed, told = (frame.value for frame in app.dataframe)
    assert list(listed["id"]) == [1]
    assert set(told["channel"]) == {"chat", "mail"}
    app.toggle[0].set_value(True).run()
    assert sorted(app.dataframe[0].value["id"]) == [1, 2]


def test_a_failed_run_shows_the_cell_that_failed(ran: Project, open_app: Callable[[], AppTest]) -> None:
    app = open_app()
    assert not app.exception
    page = text_of(app)
    assert "division by zero" in page
    assert "1 / 0" in page
    assert "1 done · 1 failed" in page
    assert app.metric[0].value == "failed"
    tables = [frame.value for frame in app.dataframe]
    assert any("demo" in str(table) for table in tables)


def test_an_executed_notebook_can_be_read(ran: Project, open_app: Callable[[], AppTest]) -> None:
    app = open_app()
    app.button_group(key="notebook").select("good").run()
    assert not app.exception
    frames = [frame.proto.srcdoc for frame in app.get("iframe")]
    assert any("the answer" in frame and "default-src 'none'" in frame for frame in frames)


def test_a_damaged_registry_is_said_and_nothing_else_breaks(
    project: Project, open_app: Callable[[], AppTest]
) -> None:
    settings = project.file.read_text().replace("enabled = false", "enabled = true")
    project.file.write_text(settings)
    project.state.mkdir(exist_ok=True)
    (project.state / "mlflow.db").write_bytes(b"this is no database" * 100)
    app = open_app()
    app.switch_page("pages/models.py").run()
    assert not app.exception
    assert "is damaged; move it aside" in text_of(app)


def test_outside_a_project_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_app: Callable[[], AppTest]
) -> None:
    monkeypatch.chdir(tmp_path)
    app = open_app()
    assert not app.exception
    assert "no workbench.toml in" in text_of(app)
