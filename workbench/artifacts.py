"""Artifacts by an address that survives moving the project: `workbench:/artifacts/…`.

MLflow writes the absolute path of every artifact into its database, so that a renamed folder loses all of
them. This repository (an MLflow plugin, by entry point) finds the project when it is used instead.
"""

from __future__ import annotations

import shutil
import urllib.parse
from pathlib import Path, PurePosixPath

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from workbench.errors import WorkbenchError
from workbench.settings import Project, find_project

SCHEME = "workbench"


class ProjectArtifactRepository(LocalArtifactRepository):
    """MLflow's local repository, below `.workbench/artifacts` of the project around us."""

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        try:
            project = find_project()
        except WorkbenchError as error:
            raise MlflowException(
                f"'{artifact_uri}' is inside a workbench project, but {error}; "
                "set WORKBENCH_ROOT to the project's folder or work inside it",
                error_code=INVALID_PARAMETER_VALUE,
            ) from error
        self._artifact_dir = str(locate(project, artifact_uri))

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Remove a file or folder of this repository, or all of it. Missing is fine."""
        target = locate_within(Path(self._artifact_dir), artifact_path or "")
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


def locate(project: Project, uri: str) -> Path:
    """The folder or file that a `workbench:/artifacts/…` address means. Raises MlflowException if outside."""
    parsed = urllib.parse.urlparse(uri)
    path = urllib.parse.unquote(parsed.path)
    parts = PurePosixPath(path).parts
    if parsed.scheme != SCHEME or parsed.netloc or parts[:2] != ("/", "artifacts"):
        raise MlflowException(
            f"'{uri}' is not an address of a project's artifacts; expected {SCHEME}:/artifacts/…",
            error_code=INVALID_PARAMETER_VALUE,
        )
    return locate_within(project.state / "artifacts", str(PurePosixPath(*parts[2:])))


def locate_within(folder: Path, path: str) -> Path:
    """`folder/path`, which must stay inside also when links are followed. Raises MlflowException."""
    base = folder.resolve()
    target = base / path
    if "\0" in path or ".." in target.parts or not target.resolve().is_relative_to(base):
        raise MlflowException(
            f"'{path}' leads out of the project's artifacts", error_code=INVALID_PARAMETER_VALUE
        )
    return target
