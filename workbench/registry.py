"""Model versions: found by number or alias, every digest verified at every load.

    place           which version, and where its files are
    locate          its files, all of them verified and looked at; imports neither mlflow nor scikit-learn
    load            the same, and the fitted Pipeline

What is served is what the audit trail says is champion, wherever somebody moved MLflow's alias.
"""

from __future__ import annotations

import json
import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import ledger_trail
from workbench.champions import champion_marker
from workbench.errors import BadInput, ModelError, TrackingError, did_you_mean
from workbench.ledger import Ledger
from workbench.locks import locked
from workbench.model_files import ATTACHMENTS, Inspected, inspect_folder
from workbench.model_schema import TRUSTED_TYPES
from workbench.settings import Project
from workbench.trail import standing

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "champion"


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


@dataclass(frozen=True)
class Place:
    """Where a version is."""

    model: str
    version: int
    digest: str
    folder: Path | None
    """None when its files are remote and were not fetched yet."""


@dataclass(frozen=True)
class Located:
    """A version whose files are here and are what they were when they were registered."""

    model: str
    version: int
    digest: str
    folder: Path
    signature: Mapping[str, Any]
    """`inputs` and `outputs`: lists of objects with `name`, `type` and `required`, as MLflow has them."""
    attachments: Mapping[str, Path]
    """By file name: `contract.yaml`, `verdict.json`, `lineage.json`, …"""
    inspected: Inspected

    @property
    def contract(self) -> Path | None:
        """The contract that the version was trained under."""
        return self.attachments.get("contract.yaml")

    @property
    def golden(self) -> Path | None:
        """Saved requests with their exact answers; see workbench.golden."""
        file = self.folder / "golden.json"
        return file if file.is_file() else self.attachments.get("golden.json")


@dataclass(frozen=True)
class Loaded(Located):
    """A version ready to predict."""

    estimator: Any
    """The fitted scikit-learn Pipeline."""


def place(project: Project, ledger: Ledger, model: str, which: str | int = ALIAS) -> Place:
    """Where a version is: given by number, or by alias. MLflow is asked only for what the ledger does not know.

    Raises BadInput when there is no such model or version, TrackingError when MLflow had to be asked in vain.
    """
    version = _numbered(project, ledger, model, which)
    delivery = ledger.delivery(model, version)
    digest = delivery.digest if delivery else _digest_in_mlflow(project, ledger, model, version)
    folder = local_folder(project, address(project, model, digest))
    return Place(model, version, digest, folder)


def locate(project: Project, ledger: Ledger, model: str, which: str | int = ALIAS) -> Located:
    """A version's files, fetched when they are remote, each of them verified and looked at.

    Raises ModelError when one of them is not what it was when it was registered, or is of a kind that is never
    loaded (see model_files); BadInput as `place` does.
    """
    at = place(project, ledger, model, which)
    folder = at.folder or _fetch(project, at)
    return verified(at, folder, ledger_trail.attached(ledger, model, at.version))


def verified(at: Place, folder: Path, attached: Mapping[str, str]) -> Located:
    """The version in `folder`, if its files are those of its digest and its attachments have these. Raises ModelError."""
    what = f"version {at.version} of '{at.model}'"
    if not folder.is_dir():
        raise ModelError(f"{what} is not where it was registered: '{folder}' is gone; run its pipeline again")
    inspected = inspect_folder(folder, TRUSTED_TYPES)
    if inspected.digest != at.digest:
        raise ModelError(
            f"{what} is refused: its files are not those that were registered "
            f"(digest {inspected.digest[:12]}…, expected {at.digest[:12]}…; '{folder}')"
        )
    attachments = {}
    for file, digest in attached.items():
        if inspected.attachments.get(file) != digest:
            wrong = "was changed" if file in inspected.attachments else "is missing"
            raise ModelError(f"{what} is refused: its {file} {wrong} since it was attached ('{folder}')")
        attachments[file] = folder / ATTACHMENTS / file
    signature = _signature(inspected.description)
    return Located(at.model, at.version, at.digest, folder, signature, attachments, inspected)


def load(project: Project, model: str, which: str | int = ALIAS, ledger: Ledger | None = None) -> Loaded:
    """A version by number or alias, verified, looked at, then built. Raises as `locate` does."""
    if ledger is None:
        with Ledger.open(project) as opened:
            return load(project, model, which, opened)
    return built(locate(project, ledger, model, which))


def built(found: Located) -> Loaded:
    """The same with its fitted Pipeline. Raises ModelError when there is none that can be read."""
    from workbench.modeling import build

    estimator = build(found.inspected.model, f"version {found.version} of '{found.model}'")
    return Loaded(**vars(found), estimator=estimator)


def model_names(client: MlflowClient) -> list[str]:
    """Names of all registered models."""
    return sorted(str(each.name) for each in client.search_registered_models())


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


def address(project: Project, model: str, digest: str) -> str:
    """The address of a version's files."""
    return f"{project.artifacts_uri}/registry/{urllib.parse.quote(model, safe='')}/{digest}"


def local_folder(project: Project, uri: str) -> Path | None:
    """The folder that an address means; None when it is not on this machine."""
    parsed = urllib.parse.urlparse(uri)
    path = urllib.parse.unquote(parsed.path)
    if parsed.scheme == "workbench":
        return project.state / path.lstrip("/")
    if parsed.scheme == "file" and parsed.netloc in ("", "localhost"):
        return Path(path)
    return None if parsed.scheme else project.root / uri


def _fetch(project: Project, at: Place) -> Path:
    """A copy of a remote version's files. It is verified like any other, so an old copy may be used again."""
    from mlflow.exceptions import MlflowException

    from workbench.mlflow_store import environment, unusable

    folder = project.state / "models" / urllib.parse.quote(at.model, safe="") / at.digest
    os.environ.update(environment(project))
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder.with_name(f"{at.digest}.lock")):
            repository = get_artifact_repository(address(project, at.model, at.digest))
            repository.download_artifacts("", str(folder))  # type: ignore[no-untyped-call]
    except (MlflowException, OSError) as error:
        raise TrackingError(unusable(project, error)) from error
    return folder


def _numbered(project: Project, ledger: Ledger, model: str, which: str | int) -> int:
    """The version's number. Raises BadInput when the alias leads nowhere."""
    if isinstance(which, int) or which.isdigit():
        return int(which)
    if which == ALIAS:
        # The trail, not MLflow's alias: what somebody moved there passed no gate.
        marker = champion_marker(project, model)
        if marker is not None:
            return marker.version
        now = standing(model, ledger_trail.entries(ledger, model))
        if now.champion is not None:
            return now.champion
        _refuse_unknown(ledger, model)
        raise BadInput(f"'{model}' has no champion; see: workbench models list")
    aliases = _aliases(project, ledger, model)
    if which not in aliases:
        raise BadInput(f"'{model}' has no alias '{which}'{did_you_mean(which, {ALIAS, *aliases})}")
    return int(aliases[which])


def _aliases(project: Project, ledger: Ledger, model: str) -> Mapping[str, Any]:
    from mlflow.exceptions import MlflowException

    from workbench.mlflow_store import connect, unusable

    try:
        return dict(connect(project).get_registered_model(model).aliases)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            _refuse_unknown(ledger, model)
        raise TrackingError(unusable(project, error)) from error


def _digest_in_mlflow(project: Project, ledger: Ledger, model: str, version: int) -> str:
    """Of a version that another ledger delivered. Raises BadInput when there is none, or it has no digest."""
    from workbench.mlflow_store import connect

    listed = versions(connect(project), model) if project.mlflow_enabled else []
    if not listed:
        _refuse_unknown(ledger, model)
    for each in listed:
        if each.version == version and each.digest:
            return each.digest
        if each.version == version:
            raise BadInput(
                f"version {version} of '{model}' was not delivered by a pipeline: it has no digest that could be "
                "verified, so it cannot be loaded or promoted here"
            )
    known = {each.version for each in listed} | {
        each.version for each in ledger.deliveries() if each.model == model and each.version
    }
    numbers = ", ".join(map(str, sorted(known, reverse=True)[:8])) or "none"
    raise BadInput(f"'{model}' has no version {version}; known: {numbers}")


def _refuse_unknown(ledger: Ledger, model: str) -> None:
    known = {each.model for each in ledger.deliveries()}
    if model not in known:
        raise BadInput(f"no model '{model}'{did_you_mean(model, known)}; see: workbench models list")


def _signature(description: Mapping[str, Any]) -> dict[str, Any]:
    """MLflow keeps a signature as JSON in YAML."""
    found = description.get("signature")
    signature: dict[str, Any] = {}
    for side in ("inputs", "outputs"):
        text = found.get(side) if isinstance(found, Mapping) else None
        try:
            signature[side] = json.loads(text) if isinstance(text, str) else []
        except ValueError as error:
            raise ModelError(f"the signature of the model cannot be read: {error}") from error
    return signature
