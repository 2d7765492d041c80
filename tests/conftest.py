"""A throw-away project for each test, and writers for its notebooks and pipeline files."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.locks import locked
from workbench.settings import ROOT_VARIABLE, Project, read_project

# Tests run as many at a time as there are cores: more threads than that wait for each other, busily (15 times as long).
os.environ.setdefault("OMP_NUM_THREADS", "1")

SETTINGS = """\
[project]
name = "demo"

[run]
workers = 2

[mlflow]
enabled = false
"""

WriteNotebook = Callable[..., Path]
WritePipeline = Callable[[str, str], Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker begins it when the others have nothing left to do."""
    items.sort(key=lambda item: item.get_closest_marker("first") is None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What tests say of themselves besides that they passed."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "said" and report.when == "call":
                terminalreporter.write_line(value)


@pytest.fixture(autouse=True)
def environment_as_it_was(request: pytest.FixtureRequest) -> Iterator[None]:
    """Connecting to MLflow, and libraries that draw, set variables for the whole process: not for the next test.

    Child processes count in the coverage only of tests that are marked `measured`: until Python 3.12, tracing makes
    imports take twice as long, and what most of them do is measured in this process, too. Nor must what is killed be
    marked: coverage saves at os._exit, under a lock, and in a signal handler that interrupts it it waits for itself.
    """
    before = dict(os.environ)
    if request.node.get_closest_marker("measured") is None:
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            del os.environ[name]
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project, which is the working directory; MLflow is off."""
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    (root / "workbench.toml").write_text(SETTINGS)
    monkeypatch.chdir(root)
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    return read_project(root)


@pytest.fixture
def write_notebook(project: Project) -> WriteNotebook:
    """Write a notebook: `path` is relative to `notebooks/`; `parameters=None` leaves the parameters cell out."""

    def write(
        path: str | Path, *code_cells: str, parameters: str | None = "x: int = 1", kernel: str = "python3"
    ) -> Path:
        sources = [*([parameters] if parameters is not None else []), *code_cells]
        cells = [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "execution_count": None,
                "metadata": {"tags": ["parameters"]} if number == 0 and parameters is not None else {},
                "outputs": [],
                "source": textwrap.dedent(source).strip("\n"),
            }
            for number, source in enumerate(sources)
        ]
        kernelspec = {"name": kernel, "display_name": kernel, "language": "python"}
        document = {
            "cells": cells,
            "metadata": {"kernelspec": kernelspec, "language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        file = project.notebooks / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document, indent=1))
        return file

    return write


@pytest.fixture
def write_pipeline(project: Project) -> WritePipeline:
    """Write `notebooks/NAME.yaml`."""

    def write(name: str, yaml_text: str) -> Path:
        file = project.notebooks / f"{name}.yaml"
        file.write_text(textwrap.dedent(yaml_text))
        return file

    return write


@pytest.fixture(scope="session")
def registered_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project in which four versions of the model `m` are registered; made once, by one worker."""
    from tests.registered import make

    return _made_once(tmp_path_factory, "registered", make)


@pytest.fixture(scope="session")
def scoring_once(registered_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the versions of tests.scored; made once, by one worker."""
    from tests.scored import make

    return _made_once(tmp_path_factory, "scoring", lambda root: make(registered_once, root))


def _made_once(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    shared = folders.getbasetemp()
    root = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / name
    with locked(root.with_name(f"{name}.lock")):
        if not root.exists():
            scratch = root.with_name(f"{name}.new")
            shutil.rmtree(scratch, ignore_errors=True)
            make(scratch)
            scratch.rename(root)
    return root


@pytest.fixture
def models(registered_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of one's own with MLflow and four registered versions of the model `m`: the working directory."""
    return _own_copy(registered_once, tmp_path / "models", monkeypatch)


@pytest.fixture
def scoring(scoring_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of one's own with the versions of tests.scored: the working directory."""
    return _own_copy(scoring_once, tmp_path / "scoring", monkeypatch)


def _own_copy(made: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    from workbench.mlflow_store import environment

    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    project = read_project(root)
    for name, value in environment(project).items():
        monkeypatch.setenv(name, value)
    return project
