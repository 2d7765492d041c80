"""`workbench lab` up to the moment that JupyterLab takes over; tests/e2e/test_lab.py goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.cli import main
from workbench.cli.lab import lab_arguments, lab_environment, to_open
from workbench.errors import BadInput
from workbench.settings import Project


def test_the_notebook_to_open(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert to_open(project, None) is None
    for name in ("explore.ipynb", "größe & co.ipynb"):
        (project.notebooks / name).touch()
    assert to_open(project, None) == "notebooks/explore.ipynb"
    assert to_open(project, "explore") == "notebooks/explore.ipynb"
    assert to_open(project, "notebooks/größe & co.ipynb") == "notebooks/gr%C3%B6%C3%9Fe%20%26%20co.ipynb"
    monkeypatch.chdir(project.notebooks)
    assert to_open(project, "explore.ipynb") == "notebooks/explore.ipynb"


@pytest.mark.parametrize("name", ["exploer", "../outside.ipynb", "notebooks"])
def test_a_notebook_that_is_not_there_or_not_the_projects(project: Project, name: str) -> None:
    (project.notebooks / "explore.ipynb").touch()
    (project.root.parent / "outside.ipynb").touch()
    with pytest.raises(BadInput, match=f"no notebook '{name}'"):
        to_open(project, name)


def test_jupyter_writes_into_the_project_only(project: Project) -> None:
    environment = lab_environment(project, {"HOME": "/home/ada"}, cold=False)
    folders = {name: Path(value) for name, value in environment.items() if name.endswith("DIR")}
    assert len(folders) == 4
    assert all(folder.is_relative_to(project.state) for folder in folders.values())


def test_what_the_user_has_set_stays(project: Project) -> None:
    given = {"JUPYTER_CONFIG_DIR": "/home/ada/jupyter", "JUPYTER_DEFAULT_PROVISIONER_NAME": "theirs"}
    assert given.items() <= lab_environment(project, given, cold=False).items()


def test_cold_leaves_the_python3_kernel_to_jupyter(project: Project) -> None:
    assert "JUPYTER_DEFAULT_PROVISIONER_NAME" in lab_environment(project, {}, cold=False)
    assert "JUPYTER_DEFAULT_PROVISIONER_NAME" not in lab_environment(project, {}, cold=True)


def test_loopback_and_the_asked_port_only(project: Project) -> None:
    arguments = lab_arguments(project, None, port=8899, browser=False)
    assert {"--ServerApp.ip=127.0.0.1", "--ServerApp.port=8899", "--ServerApp.port_retries=0"} <= set(
        arguments
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [(["lab", "exploer"], "did you mean 'explore.ipynb'"), (["lab", "--port", "0"], "0 is not in the range")],
)
def test_bad_input_starts_nothing(
    project: Project, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (project.notebooks / "explore.ipynb").touch()
    assert main(words) == 2
    assert message in capsys.readouterr().err
    assert not (project.state / "jupyter").exists()
