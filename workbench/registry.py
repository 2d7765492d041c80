"""Models that runs made become versions in MLflow's registry, once for each content.

The version holds a copy of the model among MLflow's artifacts: the store may then forget it, and MLflow
needs nothing of ours but the address scheme to load it.
"""

from __future__ import annotations

import json
import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import ModelError
from workbench.ledger import Delivery, Ledger
from workbench.locks import locked
from workbench.settings import Project

if TYPE_CHECKING:
    from mlflow import MlflowClient

HEADLINES = 20
"""At most so many numbers of an evaluation become tags of a version; the file itself has them all."""


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    model: str
    version: int
    digest: str | None
    run: str | None
    step: str | None
    mlflow_run: str | None
    created: float
    """Seconds since the epoch, UTC."""
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


def register(
    project: Project,
    client: MlflowClient,
    delivery: Delivery,
    tags: Mapping[str, str],
    mlflow_run: str | None,
) -> int:
    """The version that holds the delivered content, made when there is none yet; also writes the marker.

    Raises ModelError when the folder is gone or holds no MLflow model.
    """
    with locked(project.state / "registry.lock"):
        version = _version_of(client, delivery.model, delivery.digest)
        if version is None:
            version = _create(project, client, delivery, tags, mlflow_run)
        _mark(project.delivered(delivery.model, delivery.digest), version, delivery.run)
    return version


def versions(client: MlflowClient, model: str) -> list[Version]:
    """All versions of a model, the newest first; none when it is not registered."""
    found = client.search_model_versions(f"name = '{model}'")
    if not found:
        return []
    # A search leaves the aliases out; the registered model knows them.
    aliases = client.get_registered_model(model).aliases
    listed = []
    for each in found:
        names = tuple(sorted(alias for alias, at in aliases.items() if int(at) == int(each.version)))
        listed.append(
            Version(
                model=model,
                version=int(each.version),
                digest=each.tags.get("workbench.digest"),
                run=each.tags.get("workbench.run"),
                step=each.tags.get("workbench.step"),
                mlflow_run=each.run_id or None,
                created=each.creation_timestamp / 1000,
                aliases=names,
                tags=dict(each.tags),
            )
        )
    return sorted(listed, key=lambda each: -each.version)


def referenced_digests(project: Project) -> set[str]:
    """Digests of all models that a run delivered, registered or on their way: `gc` keeps them."""
    with Ledger.open(project) as ledger:
        return {delivery.digest for delivery in ledger.deliveries()}


def headlines(file: Path) -> dict[str, float]:
    """The numbers in an evaluation worth a tag: top-level ones and those below `metrics`.

    A number may also be given as `{"value": …}` with its interval. A file that cannot be read has none.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found: dict[str, float] = {}
    if isinstance(content, dict):
        below = content.get("metrics")
        for name, value in [*content.items(), *(below.items() if isinstance(below, dict) else ())]:
            number = value.get("value") if isinstance(value, dict) else value
            if isinstance(number, int | float) and not isinstance(number, bool):
                found[str(name)] = number
    return dict(list(found.items())[:HEADLINES])


def _version_of(client: MlflowClient, model: str, digest: str) -> int | None:
    found = client.search_model_versions(f"name = '{model}' and tag.`workbench.digest` = '{digest}'")
    return min((int(each.version) for each in found), default=None)


def _create(
    project: Project,
    client: MlflowClient,
    delivery: Delivery,
    tags: Mapping[str, str],
    mlflow_run: str | None,
) -> int:
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    folder = project.root / delivery.folder
    if not (folder / "MLmodel").is_file():
        raise ModelError(
            f"model '{delivery.model}' of step '{delivery.step}' in run {delivery.run} cannot be registered: "
            f"'{delivery.folder}' holds no MLflow model; save it with mlflow.sklearn.save_model"
        )
    safe = urllib.parse.quote(delivery.model, safe="")
    source = f"{project.artifacts_uri}/registry/{safe}/{delivery.digest}"
    get_artifact_repository(source).log_artifacts(str(folder))  # type: ignore[no-untyped-call]
    try:
        client.create_registered_model(delivery.model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    numbers: Mapping[str, Any] = headlines(project.root / delivery.evaluation) if delivery.evaluation else {}
    said = {
        "workbench.digest": delivery.digest,
        "workbench.run": delivery.run,
        "workbench.step": delivery.step,
        **tags,
        **{f"metric.{name}": f"{number:.6g}" for name, number in numbers.items()},
    }
    made = client.create_model_version(delivery.model, source, run_id=mlflow_run, tags=said)
    return int(made.version)


def _mark(file: Path, version: int, run: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    scratch.write_text(json.dumps({"version": version, "run": run}) + "\n", encoding="utf-8")
    scratch.replace(file)
