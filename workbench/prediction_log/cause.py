"""From a prediction back to its cause: the version that answered, the run that made it, the rows that it learned from.

cause_of
├── locate        the version's files, verified (registry), with the lineage of its run
├── _training     the table that it was trained on, in the store
└── most_similar  the rows of it that are most like the prediction's (similar)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.contracts.contract import Contract, read_contract
from workbench.errors import ModelError
from workbench.ledger import Ledger
from workbench.prediction_log.finding import Prediction
from workbench.prediction_log.similar import NEAREST, Similar, most_similar
from workbench.registry import Located, locate
from workbench.settings import Project

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_TRAIN = "train"


@dataclass(frozen=True)
class Training:
    """The table that a version was trained on."""

    name: str
    """STEP.OUTPUT that made it; STEP.INPUT of who read it where it came from outside."""
    digest: str
    file: Path
    read_as: str
    """The name of the input that it was."""


@dataclass(frozen=True)
class Cause:
    """Where a prediction comes from."""

    prediction: Prediction
    folder: Path
    """The version's files."""
    label: str | None
    run: str | None
    """Of the pipeline, that made the version; None where its lineage is not known."""
    pipeline: str | None
    commit: str | None
    parameters: Mapping[str, Any]
    training: Training | None
    similar: tuple[Similar, ...]
    lacking: str
    """Why there are no training rows; empty where there are."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        training = self.training
        return {
            **self.prediction.as_dict(), "folder": str(self.folder), "label": self.label, "run": self.run,
            "pipeline": self.pipeline, "commit": self.commit, "parameters": dict(self.parameters),
            "training": training and {
                "name": training.name, "digest": training.digest, "file": str(training.file),
            },
            "similar": [each.as_dict() for each in self.similar], "lacking": self.lacking,
        }  # fmt: skip


def cause_of(project: Project, prediction: Prediction, nearest: int = NEAREST) -> Cause:
    """Everything that led to a prediction. Raises ModelError when the version's files are not what they were."""
    with Ledger.open(project) as ledger:
        found = locate(project, ledger, prediction.model, prediction.version)
    if found.digest != prediction.digest:
        raise ModelError(
            f"prediction {prediction.id} is of a version {prediction.version} of '{prediction.model}' with the digest "
            f"{prediction.digest[:12]}…; the one that is registered has {found.digest[:12]}…"
        )
    contract = None if found.contract is None else read_contract(found.contract)
    label = contract.label if contract else None
    lineage = _attached(found, "lineage.json")
    training, lacking = _training(project, found, lineage, prediction, label)
    similar = most_similar(prediction.inputs, _read(training), nearest) if training and nearest else []
    return Cause(
        prediction, found.folder, label, lineage.get("run"), lineage.get("pipeline"), lineage.get("commit"),
        lineage.get("parameters", {}), training, tuple(similar), lacking,
    )  # fmt: skip


def given_frame(prediction: Prediction, contract: Contract, features: tuple[str, ...]) -> pd.DataFrame:
    """The row as the model was given it, (1 × features), in the types that `contract` says."""
    import pandas as pd

    types = {column.name: column.type for column in contract.columns}
    kinds = {"int": "float64", "float": "float64", "date": "datetime64[us]", "datetime": "datetime64[us]"}
    return pd.DataFrame({
        name: pd.Series([prediction.inputs.get(name)], dtype=kinds.get(types[name], "object")) for name in features
    })  # fmt: skip


def _training(
    project: Project, found: Located, lineage: Mapping[str, Any], prediction: Prediction, label: str | None
) -> tuple[Training | None, str]:
    """The table that the version learned from, or why it is not known.

    Among what the steps that made the version have read, the tables with all its features and the label: one that was
    called `train…` before others, then the one that was read first, since what is measured on comes later.
    """
    steps: Mapping[str, Any] = lineage.get("steps", {})
    if not steps:
        return None, "the version has no lineage"
    made_by = [step for step in _attached(found, "ingredients.json") if step in steps] or list(steps)
    wanted = {*prediction.inputs, *([label] if label else [])}
    fitting = [each for each in _tables(project, steps, made_by) if wanted <= _names(each)]
    fitting.sort(key=lambda each: not each.read_as.startswith(_TRAIN))
    if fitting:
        return fitting[0], ""
    where = f"of run {lineage.get('run')} in the store has its features" + (
        f" and '{label}'" if label else ""
    )
    return None, f"no table {where}; `workbench gc` removes what old runs left"


def _in_order(steps: Mapping[str, Any], made_by: list[str]) -> list[str]:
    """Steps that made the version, each after those whose outputs it reads."""
    outputs = {step: set(steps[step].get("outputs", {}).values()) for step in made_by}
    ordered: list[str] = []
    waiting = list(made_by)
    while waiting:
        ready = [
            step for step in waiting
            if not any(outputs[other] & set(steps[step].get("inputs", {}).values()) for other in waiting if other != step)
        ]  # fmt: skip
        ordered += ready or waiting
        waiting = [step for step in waiting if step not in ordered]
    return ordered


def _tables(project: Project, steps: Mapping[str, Any], made_by: list[str]) -> Iterator[Training]:
    """Parquet files of the store among what steps have read; each once, at the first that did."""
    made = {
        digest: f"{step}.{name}"
        for step, told in steps.items()
        for name, digest in told.get("outputs", {}).items()
    }
    seen: set[str] = set()
    for step in _in_order(steps, made_by):
        for name, digest in steps[step].get("inputs", {}).items():
            if digest in seen:
                continue
            seen.add(digest)
            for file in (project.store / "objects" / digest[:2] / digest).glob("*.parquet"):
                yield Training(made.get(digest, f"{step}.{name}"), digest, file, name)


def _names(training: Training) -> set[str]:
    import pyarrow.parquet as pq

    return set(pq.read_schema(training.file).names)


def _read(training: Training) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(training.file)


def _attached(found: Located, name: str) -> Mapping[str, Any]:
    file = found.attachments.get(name)
    content = json.loads(file.read_text(encoding="utf-8")) if file else {}
    return content if isinstance(content, dict) else {}
