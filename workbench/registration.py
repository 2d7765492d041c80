"""Models that runs made become versions in MLflow's registry, once for each content.

The version holds a copy of the model among MLflow's artifacts: the store may then forget it, and MLflow needs
nothing of ours but the address scheme to load it. What belongs to a version without being the model (contract,
verdict, evidence, lineage) lies in the folder `workbench` beside it; the ledger knows its digests.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import ledger_trail
from workbench.digests import digest_bytes, write_atomically
from workbench.errors import ModelError
from workbench.ledger import Delivery, Ledger
from workbench.locks import locked
from workbench.model_files import ATTACHMENTS
from workbench.registry import Place, address, local_folder, place
from workbench.settings import Project

if TYPE_CHECKING:
    from mlflow import MlflowClient

HEADLINES = 20
"""At most so many numbers of an evaluation become tags of a version; the file itself has them all."""


def register(
    project: Project,
    client: MlflowClient,
    ledger: Ledger,
    delivery: Delivery,
    tags: Mapping[str, str],
    mlflow_run: str | None,
    documents: Mapping[str, bytes] | None = None,
) -> int:
    """The version that holds the delivered content, made when there is none yet; also writes the marker.

    `documents` are attached by file name, beside those that the delivery names. Raises ModelError when the folder is
    gone or holds no MLflow model.
    """
    with locked(project.state / "registry.lock"):
        version = _version_of(client, delivery.model, delivery.digest)
        if version is None:
            version = _create(project, client, delivery, tags, mlflow_run)
        found = {**_delivered(project, delivery), **(documents or {})}
        known = ledger_trail.attached(ledger, delivery.model, version)
        for file, content in found.items():
            if known.get(file) != digest_bytes(content):
                _attach(project, ledger, Place(delivery.model, version, delivery.digest, None), file, content)
                client.set_model_version_tag(
                    delivery.model, str(version), f"workbench.attachment.{file}", digest_bytes(content)
                )
        evidence = found.get("evidence.json")
        mark = {
            "version": version,
            "run": delivery.run,
            "evidence": digest_bytes(evidence) if evidence else None,
        }
        _mark(project.delivered(delivery.model, delivery.digest), mark)
    return version


def attach(project: Project, ledger: Ledger, model: str, version: int, file: str, content: bytes) -> None:
    """Add a file such as `verdict.json` to a version, or replace it. Raises ModelError, LedgerError, BadInput."""
    if not file or "/" in file or file.startswith("."):
        raise ModelError(f"'{file}' is not the name of an attachment; expected a plain file name")
    _attach(project, ledger, place(project, ledger, model, version), file, content)


def headlines(file: Path) -> dict[str, float]:
    """The numbers in an evaluation worth a tag: top-level ones, those below `metrics`, and where it compares
    `models`, those of its `best`.

    A number may also be given as `{"value": …}` with its interval. A file that cannot be read has none.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found: dict[str, float] = {}
    if isinstance(content, dict):
        models = content.get("models")
        best = models.get(str(content.get("best"))) if isinstance(models, dict) else None
        below = [each for each in (content.get("metrics"), best) if isinstance(each, dict)]
        for name, value in [*content.items(), *(pair for each in below for pair in each.items())]:
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
    source = address(project, delivery.model, delivery.digest)
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
        **({"workbench.author": delivery.author} if delivery.author else {}),
        **tags,
        **{f"metric.{name}": f"{number:.6g}" for name, number in numbers.items()},
    }
    made = client.create_model_version(delivery.model, source, run_id=mlflow_run, tags=said)
    return int(made.version)


def _mark(file: Path, content: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(content) + "\n")


def _delivered(project: Project, delivery: Delivery) -> dict[str, bytes]:
    """The files that a run delivered with the model and that are still there, under the name of what they are."""
    found = {}
    for name, path in (delivery.attachments or {}).items():
        source = project.root / path
        if source.is_file():
            found[f"{name}{source.suffix}"] = source.read_bytes()
    return found


def _attach(project: Project, ledger: Ledger, at: Place, file: str, content: bytes) -> None:
    """The file first, then its digest: in between the version is refused rather than half right."""
    folder = local_folder(project, address(project, at.model, at.digest))
    if folder is not None:
        target = folder / ATTACHMENTS / file
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content)
    else:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        with tempfile.TemporaryDirectory() as scratch_folder:
            source = Path(scratch_folder) / file
            source.write_bytes(content)
            repository = get_artifact_repository(address(project, at.model, at.digest))
            repository.log_artifact(str(source), ATTACHMENTS)  # type: ignore[no-untyped-call]
    ledger_trail.attach(ledger, at.model, at.version, file, digest_bytes(content))
