"""What is measured: pipelines as plain values, written once for the workbench and once for its peers.

The notebooks are the same files for every contestant; each has a parameters cell, so papermill takes them as
they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

IMPORTS = """\
import json

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler"""

INGEST = """\
rng = np.random.default_rng(7)
frame = pd.DataFrame(rng.normal(size=(20_000, 8)), columns=[f"x{n}" for n in range(8)])
signal = frame.x0 + 0.5 * frame.x1 * frame.x2 - frame.x3.abs()
frame["late"] = (signal + rng.normal(size=len(frame)) > 0).astype(int)
frame.to_parquet(table)"""

VALIDATE = """\
frame = pd.read_parquet(table)
assert frame.notna().all().all()
assert set(frame.late) == {0, 1}
frame[frame.x0.abs() < 4].reset_index(drop=True).to_parquet(clean)"""

PROFILE = """\
frame = pd.read_parquet(clean)
with open(summary, "w") as file:
    json.dump(frame.describe().to_dict(), file)"""

FEATURES = """\
frame = pd.read_parquet(clean)
frame["product"] = frame.x1 * frame.x2
frame["size"] = np.sqrt((frame[[f"x{n}" for n in range(8)]] ** 2).sum(axis=1))
frame.to_parquet(table)"""

TRAIN = """\
frame = pd.read_parquet(features)
train, test = frame[:15_000], frame[15_000:]
model = {model}
model.fit(train.drop(columns="late"), train.late)"""

PREDICT = """\
chance = model.predict_proba(test.drop(columns="late"))[:, 1]
pd.DataFrame({"late": test.late, "chance": chance}).to_parquet(predictions)"""

EVALUATE = """\
scores = {}
for name, path in {"forest": forest, "boosting": boosting, "trees": trees}.items():
    predicted = pd.read_parquet(path)
    scores[name] = {
        "auc": float(roc_auc_score(predicted.late, predicted.chance)),
        "log_loss": float(log_loss(predicted.late, predicted.chance)),
    }
with open(evaluation, "w") as file:
    json.dump(scores, file)
scores"""

MODELS = {
    "forest": "RandomForestClassifier(n_estimators=9, max_depth=8, random_state=0)",
    "boosting": "GradientBoostingClassifier(n_estimators=8, max_depth=3, subsample=0.8, random_state=0)",
    "trees": "make_pipeline(StandardScaler(), ExtraTreesClassifier(n_estimators=60, max_depth=8, random_state=0))",
}
"""Each fits for about 0.3 s on one core."""


@dataclass(frozen=True)
class Notebook:
    """One step: its cells, and the parameters through which it gets its inputs and outputs."""

    name: str
    cells: tuple[str, ...]
    inputs: Mapping[str, str] = field(default_factory=dict)
    """`step.output` by parameter."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """File name by parameter."""

    @property
    def needs(self) -> list[str]:
        return sorted({source.partition(".")[0] for source in self.inputs.values()})

    @property
    def sources(self) -> list[str]:
        """The parameters cell and the others."""
        names = [*self.inputs, *self.outputs]
        return ["\n".join(f'{name}: str = ""' for name in names), *self.cells]


def machine_learning() -> list[Notebook]:
    """W1: ingest → validate → {profile, features} → three trains → evaluate."""
    trains = [
        Notebook(
            name,
            (IMPORTS, TRAIN.replace("{model}", model), PREDICT),
            {"features": "features.table"},
            {"predictions": f"{name}.parquet"},
        )
        for name, model in MODELS.items()
    ]
    return [
        Notebook("ingest", (IMPORTS, INGEST), {}, {"table": "table.parquet"}),
        Notebook("validate", (IMPORTS, VALIDATE), {"table": "ingest.table"}, {"clean": "clean.parquet"}),
        Notebook("profile", (IMPORTS, PROFILE), {"clean": "validate.clean"}, {"summary": "summary.json"}),
        Notebook("features", (IMPORTS, FEATURES), {"clean": "validate.clean"}, {"table": "features.parquet"}),
        *trains,
        Notebook(
            "evaluate",
            (IMPORTS, EVALUATE),
            {name: f"{name}.predictions" for name in MODELS},
            {"evaluation": "evaluation.json"},
        ),
    ]


def fan(width: int = 40) -> list[Notebook]:
    """W2: one light notebook, `width` after it, one after them."""
    first = Notebook(
        "first", ("import json", "json.dump(list(range(1000)), open(out, 'w'))"), {}, {"out": "first.json"}
    )
    middle = [
        Notebook(
            f"part{n}",
            (
                "import json",
                "numbers = json.load(open(source))",
                f"json.dump(sum(numbers) + {n}, open(out, 'w'))",
            ),
            {"source": "first.out"},
            {"out": f"part{n}.json"},
        )
        for n in range(width)
    ]
    last = Notebook(
        "last",
        ("import json", "parts = [value for name, value in dict(globals()).items() if name.startswith('part')]",
         "json.dump(sum(json.load(open(part)) for part in parts), open(out, 'w'))"),
        {f"part{n}": f"part{n}.out" for n in range(width)},
        {"out": "last.json"},
    )  # fmt: skip
    return [first, *middle, last]


def chain(length: int) -> list[Notebook]:
    """Steps in tens: each copies a value, every tenth one starts a new chain."""
    return [
        Notebook(
            f"s{n}",
            ("text = open(source).read()" if n % 10 else "text = ''", f"open(out, 'w').write(text + '{n} ')"),
            {"source": f"s{n - 1}.out"} if n % 10 else {},
            {"out": "out.txt"},
        )
        for n in range(length)
    ]


def write_notebooks(folder: Path, notebooks: Sequence[Notebook]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in notebooks:
        write_notebook(folder / f"{notebook.name}.ipynb", notebook.sources)


def write_notebook(file: Path, sources: Sequence[str]) -> None:
    """A notebook of code cells, the first tagged `parameters`."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "execution_count": None,
            "metadata": {} if number else {"tags": ["parameters"]},
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(sources)
    ]
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernelspec, "language_info": {"name": "python"}}
    file.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))


def write_project(folder: Path, name: str, notebooks: Sequence[Notebook], *, mlflow: bool = True) -> Path:
    """A project of the workbench with one pipeline; returns `folder`."""
    write_notebooks(folder / "notebooks", notebooks)
    enabled = "" if mlflow else "\n[mlflow]\nenabled = false\n"
    (folder / "workbench.toml").write_text(f'[project]\nname = "{name}"\n{enabled}')
    steps = {
        notebook.name: {
            "notebook": f"{notebook.name}.ipynb",
            **({"inputs": dict(notebook.inputs)} if notebook.inputs else {}),
            "outputs": dict(notebook.outputs),
        }
        for notebook in notebooks
    }
    # JSON is YAML; a step a line, as a person would write it.
    lines = "".join(f"  {step}: {json.dumps(spec)}\n" for step, spec in steps.items())
    (folder / "notebooks" / f"{name}.yaml").write_text(f"pipeline: {name}\nsteps:\n{lines}")
    return folder


def write_for_peers(folder: Path, notebooks: Sequence[Notebook]) -> Path:
    """The same notebooks, and `steps.json`: what each reads, writes and needs; returns `folder`."""
    write_notebooks(folder / "notebooks", notebooks)
    places = {
        f"{notebook.name}.{output}": f"out/{notebook.name}/{file}"
        for notebook in notebooks
        for output, file in notebook.outputs.items()
    }
    steps = [
        {
            "name": notebook.name,
            "notebook": f"notebooks/{notebook.name}.ipynb",
            "executed": f"out/{notebook.name}/executed.ipynb",
            "needs": notebook.needs,
            "reads": [places[source] for source in notebook.inputs.values()],
            "writes": [places[f"{notebook.name}.{output}"] for output in notebook.outputs],
            "parameters": {
                **{name: places[source] for name, source in notebook.inputs.items()},
                **{output: places[f"{notebook.name}.{output}"] for output in notebook.outputs},
            },
        }
        for notebook in notebooks
    ]
    (folder / "steps.json").write_text(json.dumps(steps))
    empty_peers(folder)
    return folder


def empty_peers(folder: Path) -> None:
    """No result of an earlier round is left: a folder for each step, and nothing in it."""
    import shutil

    shutil.rmtree(folder / "out", ignore_errors=True)
    for file in folder.glob(".doit.db*"):
        file.unlink()
    for step in json.loads((folder / "steps.json").read_text()):
        (folder / "out" / step["name"]).mkdir(parents=True)
