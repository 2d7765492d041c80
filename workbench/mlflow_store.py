"""Reaching MLflow: its database made whole or not at all, its client, and what its errors mean."""

from __future__ import annotations

import gc
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import TrackingError
from workbench.locks import locked
from workbench.settings import ROOT_VARIABLE, STATE_VARIABLE, Project

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
"""The alias of the version that serves."""

PREFIX = "sqlite:///"

ARTIFACT_ROOT_VARIABLE = "_MLFLOW_SERVER_ARTIFACT_ROOT"
"""Where MLflow puts artifacts of experiments that a notebook makes itself; without it, a folder `mlruns` in
whatever directory the process works in, by its absolute path."""


def environment(project: Project) -> dict[str, str]:
    """Variables for every process of ours that uses MLflow."""
    return {
        ROOT_VARIABLE: str(project.root),
        STATE_VARIABLE: project.state_folder,
        "MLFLOW_TRACKING_URI": project.mlflow_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": os.environ.get("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"),
        "MLFLOW_HTTP_REQUEST_TIMEOUT": os.environ.get("MLFLOW_HTTP_REQUEST_TIMEOUT", "15"),
        "GIT_PYTHON_REFRESH": "quiet",
        ARTIFACT_ROOT_VARIABLE: project.artifacts_uri,
    }


def connect(project: Project) -> MlflowClient:
    """A client on the project's MLflow, whose database is made when missing. Raises TrackingError."""
    os.environ.update(environment(project))
    with _without_collecting():
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

    try:
        if file := database(project):
            _prepare(file, project)
        with _without_collecting():
            client = MlflowClient(project.mlflow_uri, project.mlflow_uri)
        client.search_experiments(max_results=1)
    except MlflowException as error:
        raise TrackingError(unusable(project, error)) from error
    except OSError as error:
        raise TrackingError(unusable(project, error)) from error
    return client


class Aliases:
    """The alias of each model's champion, in MLflow's registry. Methods raise TrackingError."""

    def __init__(self, project: Project, client: MlflowClient) -> None:
        self._project, self._client = project, client

    def get(self, model: str) -> int | None:
        """Where the alias is; None when there is no alias, or no such model."""
        from mlflow.exceptions import MlflowException

        try:
            found = self._client.get_registered_model(model).aliases.get(CHAMPION)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise self._failed(error) from error
        return None if found is None else int(found)

    def set(self, model: str, version: int | None) -> None:
        """Move the alias; None takes it away."""
        from mlflow.exceptions import MlflowException

        try:
            if version is None:
                self._client.delete_registered_model_alias(model, CHAMPION)
            else:
                self._client.set_registered_model_alias(model, CHAMPION, str(version))
        except MlflowException as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> TrackingError:
        return TrackingError(unusable(self._project, error))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Importing 2,000 modules makes no garbage, but looking for it takes a third of the time; and what was
    imported stays to the end, so nobody needs to look at it again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was:
            gc.enable()


def database(project: Project) -> Path | None:
    """The file of MLflow's database, when it is one."""
    uri = project.mlflow_uri
    return Path(uri.removeprefix(PREFIX)) if uri.startswith(PREFIX) else None


def unusable(project: Project, error: Exception) -> str:
    """One sentence that says why MLflow cannot be used."""
    text = str(error).strip()
    if "out-of-date database schema" in text:
        return (
            f"MLflow's database is of another version of MLflow; back '{database(project)}' up, then: "
            f"mlflow db upgrade {project.mlflow_uri}"
        )
    if "not a database" in text or "malformed" in text:
        return _damaged(database(project) or Path(project.mlflow_uri))
    if "locked" in text:
        return "MLflow's database was locked by another process for too long"
    return f"MLflow at '{project.mlflow_uri}' cannot be used: {text.splitlines()[0] if text else repr(error)}"


def _prepare(file: Path, project: Project) -> None:
    """Make the database if there is none: under a lock, beside its place, so that it is never half there."""
    if not _present(file):
        with locked(project.state / "mlflow.lock"):
            if not _present(file):
                _create(file, project)


def _present(file: Path) -> bool:
    """Whether there is a database with tables. Raises TrackingError when it is damaged."""
    if not file.exists() or file.stat().st_size == 0:
        return False
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=20)
    try:
        return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except sqlite3.OperationalError as error:
        raise TrackingError(f"MLflow's database '{file}' cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        raise TrackingError(_damaged(file)) from error
    finally:
        connection.close()


def _create(file: Path, project: Project) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f"{file.name}.new")
    for leftover in file.parent.glob(f"{scratch.name}*"):
        leftover.unlink()
    store = SqlAlchemyStore(f"{PREFIX}{scratch}", project.artifacts_uri)  # type: ignore[no-untyped-call]
    store.engine.dispose()
    connection = sqlite3.connect(scratch)
    connection.execute("PRAGMA journal_mode=WAL")  # stays with the file; readers then never wait for writers
    connection.close()
    scratch.replace(file)


def _damaged(place: Path) -> str:
    return (
        f"MLflow's database '{place}' is damaged; move it aside and a new one is made: "
        f"mv '{place}' '{place}.damaged'"
    )
