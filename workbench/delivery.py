"""When a pipeline's model is due for the registry, and what goes with it.

A model is delivered once everything that `model:` names is there, and again when its evidence is new: the same model
judged beside another champion is the same version with another verdict.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from workbench.digests import write_atomically
from workbench.events import ModelReady
from workbench.fingerprint import Digest, Ingredients
from workbench.pipeline import ChampionOf, Model, OutputOf, Pipeline
from workbench.settings import Project
from workbench.store import Manifest, Store

NO_CHAMPION = "none"
"""Stands for the digest of a champion while there is none."""


def named_outputs(model: Model) -> dict[str, OutputOf]:
    """The outputs that `model:` names, by key."""
    found: dict[str, OutputOf | None] = {
        "version": model.version, "metrics": model.metrics, "evidence": model.evidence, "dossier": model.dossier,
        "reference": model.reference,
    }  # fmt: skip
    return {key: output for key, output in found.items() if output is not None}


def is_due(pipeline: Pipeline, outputs: Mapping[str, Mapping[str, Digest]]) -> bool:
    """Whether all is there that the model needs, and it is not registered with this evidence.

    `outputs` are the digests known so far, by step and output.
    """
    model = pipeline.model
    if model is None or not pipeline.project.mlflow_enabled:
        return False
    wanted = named_outputs(model)
    if any(output.step not in outputs for output in wanted.values()):
        return False
    digests = {key: outputs[output.step][output.output] for key, output in wanted.items()}
    registered = _registered(pipeline.project, model.name, digests["version"])
    return registered is None or registered.get("evidence") != digests.get("evidence")


def deliver(
    pipeline: Pipeline,
    manifests: Mapping[str, Manifest],
    ingredients: Mapping[str, Ingredients],
    store: Store,
    environment: Iterable[str],
    run: str,
    folder: Path,
) -> ModelReady:
    """The event that hands the model over. What it was made of (`environment`: a line a package) and what it must
    pass is written into the run's folder.

    Raises OSError when that cannot be written.
    """
    model, root = pipeline.model, pipeline.project.root
    assert model is not None
    made_of = {
        step: ingredients[step].as_json() for step in _upstream(pipeline, model) if step in ingredients
    }
    stored = {key: manifests[out.step].outputs[out.output] for key, out in named_outputs(model).items()}
    paths = {key: store.place(each).relative_to(root).as_posix() for key, each in stored.items()}
    attachments = {
        "evidence": paths.get("evidence"),
        "review": paths.get("dossier"),
        "contract": model.contract,
        "reference": paths.get("reference"),
    }
    judged_by = {"gates": dict(model.gates), "champion": _champion(pipeline, model, ingredients)}
    for name, content in (("ingredients", made_of), ("gates", judged_by)):
        file = folder / f"{name}.json"
        write_atomically(file, json.dumps(content, indent=1, sort_keys=True) + "\n")
        attachments[name] = file.relative_to(root).as_posix()
    installed = folder / "environment.txt"
    write_atomically(installed, "".join(f"{line}\n" for line in environment))
    attachments["environment"] = installed.relative_to(root).as_posix()
    attached = {name: path for name, path in attachments.items() if path is not None}
    return ModelReady(
        time.time(), run, model.name, model.version.step, stored["version"].digest, paths["version"],
        paths.get("metrics"), attached,
    )  # fmt: skip


def _upstream(pipeline: Pipeline, model: Model) -> Iterator[str]:
    """The steps that the model is made by, in order; what only judges it is left out."""
    wanted = {model.version.step}
    for key in reversed(list(pipeline.steps)):
        if key in wanted:
            wanted.update(pipeline.steps[key].needs)
    return (key for key in pipeline.steps if key in wanted)


def _champion(pipeline: Pipeline, model: Model, ingredients: Mapping[str, Ingredients]) -> Digest | None:
    """The champion that the evidence compares with, as its step was given it."""
    if model.evidence is None:
        return None
    step = model.evidence.step
    for name, source in pipeline.steps[step].inputs.items():
        if isinstance(source, ChampionOf) and source.model == model.name and step in ingredients:
            digest = ingredients[step].inputs[name]
            return None if digest == NO_CHAMPION else digest
    return None


def _registered(project: Project, model: str, digest: Digest) -> Mapping[str, str | None] | None:
    try:
        content = json.loads(project.delivered(model, digest).read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
