"""Artifact addresses that survive moving the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from workbench.artifacts import ProjectArtifactRepository
from workbench.settings import ROOT_VARIABLE, Project


def test_an_address_leads_into_the_project_around_us(project: Project) -> None:
    repository = get_artifact_repository("workbench:/artifacts/train/my%20run")
    assert isinstance(repository, ProjectArtifactRepository)
    assert repository.artifact_dir == str(project.state / "artifacts" / "train" / "my run")


def test_files_are_written_listed_read_and_deleted(project: Project, tmp_path: Path) -> None:
    repository = get_artifact_repository("workbench:/artifacts/r1")
    file = tmp_path / "hello.txt"
    file.write_text("hello")
    repository.log_artifact(str(file), "sub dir")
    assert [each.path for each in repository.list_artifacts("sub dir")] == ["sub dir/hello.txt"]
    assert Path(repository.download_artifacts("sub dir/hello.txt")).read_text() == "hello"
    repository.delete_artifacts("sub dir/hello.txt")
    assert repository.list_artifacts("sub dir") == []
    repository.delete_artifacts("sub dir/hello.txt")
    repository.delete_artifacts()
    assert not (project.state / "artifacts" / "r1").exists()


def test_the_same_address_works_after_the_project_moved(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hello.txt"
    file.write_text("hello")
    get_artifact_repository("workbench:/artifacts/r1").log_artifact(str(file))
    monkeypatch.chdir(tmp_path)
    moved = project.root.rename(tmp_path / "100% moved")
    monkeypatch.setenv(ROOT_VARIABLE, str(moved))
    found = get_artifact_repository("workbench:/artifacts/r1").download_artifacts("hello.txt")
    assert Path(found) == moved / ".workbench" / "artifacts" / "r1" / "hello.txt"


@pytest.mark.parametrize(
    "uri",
    [
        "workbench:/../x",
        "workbench:/elsewhere/x",
        "workbench:/artifacts/../x",
        "workbench:/artifacts/a/../../../x",
        "workbench:/artifacts/%2e%2e/x",
        "workbench:/artifacts/x%00y",
        "workbench://host/artifacts/x",
        "workbench:artifacts/x",
    ],
)
@pytest.mark.usefixtures("project")
def test_addresses_outside_are_refused(uri: str) -> None:
    with pytest.raises(MlflowException, match=r"leads out of|is not an address"):
        get_artifact_repository(uri)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd"])
def test_paths_outside_are_refused(path: str, tmp_path: Path) -> None:
    repository = get_artifact_repository("workbench:/artifacts/r1")
    file = tmp_path / "x"
    file.touch()
    for act in (
        repository.delete_artifacts,
        repository.list_artifacts,
        repository.download_artifacts,
        lambda path: repository.log_artifact(str(file), path),
    ):
        with pytest.raises(MlflowException):
            act(path)


def test_a_link_that_leads_out_is_refused(project: Project, tmp_path: Path) -> None:
    (project.state / "artifacts").mkdir(parents=True)
    (project.state / "artifacts" / "out").symlink_to(tmp_path)
    with pytest.raises(MlflowException, match="leads out of"):
        get_artifact_repository("workbench:/artifacts/out/x")


def test_outside_any_project_the_message_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MlflowException, match="set WORKBENCH_ROOT"):
        get_artifact_repository("workbench:/artifacts/x")
