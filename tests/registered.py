"""A project with registered model versions: a real ledger, MLflow database, artifacts and skops files."""

from __future__ import annotations

import os
import shutil
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.digests import Digests
from workbench.events import ModelReady, ModelRegistered, RunFinished, RunStarted, StepFinished, StepStarted
from workbench.ledger import Ledger
from workbench.settings import Project, read_project

MODEL = "m"
VERSIONS = (1, 2, 3, 4)
SETTINGS = """\
[project]
name = "demo"
"""


def make(root: Path) -> None:
    """Make the project with four versions, each from a run of its own."""
    before = dict(os.environ)
    root.mkdir(parents=True)
    (root / "workbench.toml").write_text(SETTINGS)
    project = read_project(root)
    try:
        with warnings.catch_warnings(), Ledger.open(project) as ledger:
            warnings.simplefilter("ignore")  # MLflow's own, which importing and saving with it gives
            fitted = root / "fitted"
            fit(fitted)
            for number in VERSIONS:
                deliver(project, ledger, fitted, number)
    finally:
        os.environ.clear()
        os.environ.update(before)


def fit(folder: Path, algorithm: str = "boosting") -> None:
    """A small model of the kind that the flights use."""
    from workbench.modeling import make_estimator, save_mlflow_model

    generator = np.random.default_rng(0)
    features = pd.DataFrame({"x": generator.normal(size=80), "k": generator.choice(list("abc"), 80)})
    label = (features["x"] > 0).astype(int)
    iterations = 3 if algorithm == "boosting" else 100
    model = make_estimator(algorithm, features, max_iter=iterations).fit(features, label)
    save_mlflow_model(model, folder, features)


def deliver(project: Project, ledger: Ledger, fitted: Path, number: int, **more: str) -> None:
    """Have a run deliver a model that differs from the others, and MLflow take it as the next version.

    `more` are attachments by name, such as `contract`; an empty path leaves one out.
    """
    from workbench.mlflow_store import connect
    from workbench.mlflow_sync import Job, Sync

    folder = project.root / "delivered" / str(number)
    shutil.copytree(fitted, folder)
    (folder / "notes.txt").write_text(f"number {number}")
    contract = folder.parent / f"contract-{number}.yaml"
    contract.write_text(f"columns: {{x: {{minimum: -{number}}}}}\n")
    evaluation = folder.parent / f"evaluation-{number}.json"
    evaluation.write_text(f'{{"metrics": {{"auc": {0.7 + number / 100}}}}}')
    digest = Digests(project.root, project.root / "none").path(folder)
    run, now = f"run-{number}", time.time()
    parameters = {"months": list(range(1, number + 1)), "seed": 0}
    ledger.record_all([
        RunStarted(now, run, "train", "notebooks/train.yaml", parameters, ("split", "evaluate"), 1, f"c0ffee{number}", False),
        StepStarted(now, run, "split", "x", f"s{number}", "n", "e", parameters, {"raw": f"raw{number}"}, False),
        StepFinished(now, run, "split", "done", "x", f"s{number}", 1.0, {"test": f"test{number}"}),
        StepStarted(now, run, "evaluate", "x", f"f{number}", "n", "e", {"seed": 0}, {"test": f"test{number}"}, False),
        StepFinished(now, run, "evaluate", "done", "x", f"f{number}", 1.0, {"best": digest}),
        ModelReady(
            now, run, MODEL, "evaluate", digest, relative(folder, project), relative(evaluation, project),
            {name: path for name, path in {"contract": relative(contract, project), **more}.items() if path},
        ),
        RunFinished(now, run, "done", 1.0),
    ])  # fmt: skip
    (delivery,) = ledger.deliveries("pending")
    told: list[dict[str, object]] = []
    Sync(project, ledger, connect(project), lambda message: told.append(dict(message))).do(
        Job("register", delivery)
    )
    (registered,) = [message for message in told if message.get("event") == ModelRegistered.__name__]
    assert registered["version"] == number


def relative(path: Path, project: Project) -> str:
    return str(path.relative_to(project.root))
