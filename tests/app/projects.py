"""Projects to look at: one with nothing in it, one as it is after some weeks, one after a year. Each is made in seconds.

    empty(root)      only a `workbench.toml`
    typical(root)    weeks of two pipelines: good, cached and failed runs, a queue, triggers in all states
    large(root)      the same after a year: 10,000 runs, 500 versions, a window a day

What versions, windows and alerts there are is said by PARTS: each fills one side of the project, and all use the same names
and the same pipeline files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.app import made_data, made_runs, made_versions, made_windows
from workbench.ledger import Ledger
from workbench.settings import Project, read_project

MODEL = "delay"

SETTINGS = """\
[project]
name = "demo"

[run]
workers = 2

[mlflow]
enabled = false

[service]
server = false
app = false
mlflow = false
check_every = "200ms"
"""

TRAIN = """\
# Late or not: from arrivals to a model
pipeline: train
params:
  months: [1, 2, 3]
steps:
  ingest: {notebook: ingest.ipynb, outputs: {rows: rows.json}}
  train:
    notebook: train.ipynb
    foreach: {algorithm: [baseline, boosting]}
    inputs: {rows: ingest.rows}
    outputs: {model: model/}
  evaluate:
    notebook: evaluate.ipynb
    inputs: {candidates: train.*.model}
    outputs: {best: model/, scores: scores.json}
triggers:
  - {schedule: "0 6 * * 1", zone: Europe/Berlin}
  - {alert: {model: delay, monitor: performance}, cool_down: 1d, budget: 2}
  - {staleness: 30d}
"""

SCORE = """\
pipeline: score
steps:
  score: {notebook: score.ipynb, outputs: {answers: answers.json}}
triggers:
  - {new_data: "data/*.csv"}
"""

NOTEBOOKS: Mapping[str, tuple[str, ...]] = {
    "ingest": (
        'months: list[int] = [1, 2, 3]\nsample: float = 1.0  # share of the rows\nrows: str = ""',
        "import json",
        'print("months", months)\njson.dump(months, open(rows, "w"))',
    ),
    "train": (
        """\
        from typing import Literal

        algorithm: Literal["baseline", "boosting"] = "baseline"
        learning_rate: float = 0.1  # of each step
        iterations: int = 100
        balanced: bool = False
        note: str | None = None
        rows: str = ""
        model: str = ""
        """,
        "import json\nfrom pathlib import Path",
        "months = json.load(open(rows))\nassert 0 not in months, 'there is no month 0'",
        'Path(model).mkdir()\nPath(model, "model.json").write_text(json.dumps([algorithm, learning_rate]))',
    ),
    "evaluate": (
        'candidates: dict[str, str] = {}\nbest: str = ""\nscores: str = ""',
        "import json, shutil",
        'shutil.copytree(candidates["boosting"], best)\njson.dump({"auc": 0.7}, open(scores, "w"))',
    ),
    "score": (
        'day: str = "2013-06-01"\nanswers: str = ""',
        'open(answers, "w").write(day)',
    ),
}


@dataclass(frozen=True)
class Scale:
    """How much there is."""

    runs: int
    requests: int
    versions: int
    months: int
    """Of monitored windows."""


TYPICAL = Scale(runs=60, requests=12, versions=6, months=2)
LARGE = Scale(runs=10_000, requests=1_000, versions=500, months=12)

Fill = Callable[[Project, Ledger, Scale], None]

PARTS: tuple[Fill, ...] = (made_runs.fill, made_windows.fill, made_versions.fill, made_data.fill)
"""What makes a project of some scale, in this order."""


def empty(root: Path) -> Project:
    """A project with nothing in it."""
    root.mkdir(parents=True)
    (root / "workbench.toml").write_text(SETTINGS)
    return read_project(root)


def typical(root: Path) -> Project:
    """A project as it is after some weeks."""
    return filled(root, TYPICAL)


def large(root: Path) -> Project:
    """A project as it is after a year of many runs."""
    return filled(root, LARGE)


def filled(root: Path, scale: Scale) -> Project:
    """A project with its pipelines, and all that PARTS put into it."""
    project = empty(root)
    write_pipelines(project)
    with Ledger.open(project) as ledger:
        for fill in PARTS:
            fill(project, ledger, scale)
    return project


def write_pipelines(project: Project) -> None:
    """The pipelines `train` and `score` with their notebooks: they can be run, and take a second or two."""
    project.notebooks.mkdir(exist_ok=True)
    for name, cells in NOTEBOOKS.items():
        (project.notebooks / f"{name}.ipynb").write_text(json.dumps(notebook(*cells)))
    (project.notebooks / "train.yaml").write_text(TRAIN)
    (project.notebooks / "score.yaml").write_text(SCORE)


def notebook(*code: str) -> dict[str, object]:
    """A notebook of these code cells, the first of which is the parameters cell."""
    cells = [
        {
            "cell_type": "code", "id": f"cell-{number}", "execution_count": None, "outputs": [],
            "metadata": {"tags": ["parameters"]} if number == 0 else {}, "source": dedent(source).strip(),
        }
        for number, source in enumerate(code)
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
