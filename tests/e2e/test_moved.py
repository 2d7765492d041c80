"""A project's folder is renamed: every model, artifact and promotion is still there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.registered import MODEL, VERSIONS
from workbench import registry
from workbench.ledger import Ledger
from workbench.mlflow_store import Aliases, connect, environment
from workbench.promotion import Promotions, actor_here
from workbench.settings import Project, read_project


@pytest.mark.e2e
def test_models_and_artifacts_open_after_the_move(models: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger.open(models) as ledger:
        Promotions(models, ledger, Aliases(models, connect(models))).promote(
            MODEL, 1, actor_here(models), expected=None, reason="before the move", override=True
        )
    moved = models.root.with_name("another name")
    models.root.rename(moved)
    monkeypatch.chdir(moved)
    project = read_project(moved)
    for name, value in environment(project).items():
        monkeypatch.setenv(name, value)
    for version in (*VERSIONS, "champion"):
        loaded = registry.load(project, MODEL, version)
        assert loaded.folder.is_relative_to(moved)
    client = connect(project)
    with Ledger.open(project) as ledger:
        assert Promotions(project, ledger, Aliases(project, client)).look(MODEL).champion == 1
    found = client.get_model_version(MODEL, "2")
    copy = Path(_downloaded(found.source))
    assert (copy / "model.skops").read_bytes() == (
        registry.load(project, MODEL, 2).folder / "model.skops"
    ).read_bytes()
    assert str(models.root) not in os.environ["MLFLOW_TRACKING_URI"]


def _downloaded(uri: str) -> str:
    from mlflow.artifacts import download_artifacts

    return str(download_artifacts(artifact_uri=uri))
