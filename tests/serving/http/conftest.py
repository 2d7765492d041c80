"""One application in front of a real model, and the same behind a socket."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator

import pytest

from tests.serving.http.direct import DirectEngine, scorer
from tests.serving.http.listening import listening
from workbench.scoring.model import Scorer
from workbench.serving.http.app import Application
from workbench.serving.http.request_log import RequestLog
from workbench.settings import Project, read_project


@pytest.fixture(scope="session")
def model() -> Scorer:
    return scorer()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that serves with small limits."""
    root = tmp_path_factory.mktemp("served")
    (root / "workbench.toml").write_text(
        '[project]\nname = "flights"\n[mlflow]\nenabled = false\n'
        '[serve]\nmax_body = "2MB"\nmax_rows = 1000\nmax_columns = 50\nmax_text = 100\nread_timeout = "1s"\n'
    )
    return read_project(root)


@pytest.fixture(scope="module")
def engine(model: Scorer) -> DirectEngine:
    found = DirectEngine({"late": model})
    asyncio.run(found.start())
    return found


@pytest.fixture(scope="module")
def app(folder: Project, engine: DirectEngine) -> Application:
    return Application(folder, engine, log=RequestLog(io.BytesIO()))


@pytest.fixture(scope="module")
def address(folder: Project, model: Scorer) -> Iterator[str]:
    """HOST:PORT of the same, with an engine of its own."""
    app = Application(folder, DirectEngine({"late": model}), log=RequestLog(io.BytesIO()))
    with listening(app, folder.serve) as at:
        yield at
