"""Every notebook with real values and inputs on a small sample, ready for nbval, which has no parameters.

The pipelines run once in a copy of the project. Each step then gives one notebook whose inputs are what the run
stored and whose outputs go to a folder of its own; a notebook that no step uses runs with its defaults.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from papermill.iorw import load_notebook_node, write_ipynb
from papermill.parameterize import parameterize_notebook

from workbench import load_pipeline, make_plan, run_plan
from workbench.ledger import Ledger
from workbench.mlflow_store import Aliases, connect
from workbench.notebook import read_notebook
from workbench.pipeline import ChampionOf, Files, OutputOf, Step
from workbench.plan import Plan
from workbench.promotion import Promotions, actor_here
from workbench.settings import Project, read_project
from workbench.store import safe_name

REPOSITORY = Path(__file__).parents[2]

SAMPLE: dict[str, Any] = {
    "months": [1, 2],
    "trained_on": [1],
    "test_weeks": 2,
    "sample": 0.1,
    "profile_rows": 300,
    "max_iter": 20,
    "n_trials": 3,
    "folds": 2,
    "resamples": 30,
    "min_slice": 50,
    "since": "2013-01-14",
    "until": "2013-01-21",
}
"""Small values for parameters, wherever a notebook declares one of them."""

PIPELINES = ("train", "score", "monitor")
"""In the order in which one needs what the other has delivered."""


def copy_project(folder: Path) -> Project:
    """The repository's project in `folder`, without what it has done so far."""
    shutil.copytree(REPOSITORY / "notebooks", folder / "notebooks")
    shutil.copy(REPOSITORY / "workbench.toml", folder)
    return read_project(folder)


def prepare(project: Project, pipelines: Sequence[str] = PIPELINES) -> list[Path]:
    """Run the pipelines on the sample and write their prepared notebooks into the project's root, nbval's place.

    What one delivers is promoted, so that the next has a champion. A notebook is prepared once:
    for the first pipeline that uses it, and the last of a step's branches.
    """
    known = {name for file in project.notebooks.glob("*.ipynb") for name in read_notebook(file).parameters}
    sample = {name: value for name, value in SAMPLE.items() if name in known}
    prepared: list[Path] = []
    used: set[Path] = set()
    for pipeline in pipelines:
        plan = _run(project, pipeline, sample)
        for step in reversed(plan.pipeline.steps.values()):
            if step.notebook.path not in used:
                used.add(step.notebook.path)
                prepared.append(_prepare_step(project, plan, step))
    for notebook in sorted(set(project.notebooks.glob("*.ipynb")) - used):
        declared = read_notebook(notebook).parameters
        mine = {name: value for name, value in sample.items() if name in declared}
        prepared.append(_write(project, notebook, notebook.stem, mine))
    return prepared


def _run(project: Project, pipeline: str, sample: Mapping[str, Any]) -> Plan:
    """The plan after the run: everything is cached."""
    steps = load_pipeline(pipeline, project=project).steps.values()
    taken = {name for step in steps for name in step.notebook.parameters}
    values = {name: value for name, value in sample.items() if name in taken}
    loaded = load_pipeline(pipeline, values, project=project)
    result = run_plan(make_plan(loaded))
    if result.state != "done":
        reasons = [f"{step.step}: {step.failure.message}" for step in result.steps.values() if step.failure]
        raise SystemExit(f"the sample run {result.state}: {'; '.join(reasons)}")
    plan = make_plan(loaded)
    if result.judged is not None and loaded.model is not None:
        _promote(project, loaded.model.name, result.judged.version)
    return plan


def _promote(project: Project, model: str, version: int) -> None:
    """Against its verdict: a model of a small sample passes no gate."""
    with Ledger.open(project) as ledger:
        promotions = Promotions(project, ledger, Aliases(project, connect(project)))
        person = actor_here(project)
        promotions.promote(
            model, version, person, expected=None, override=True, reason="a sample to score with"
        )


def _prepare_step(project: Project, plan: Plan, step: Step) -> Path:
    outputs = project.root / "nbval" / safe_name(step.key)
    outputs.mkdir(parents=True)
    values = {
        **step.parameters,
        **{name: _input(plan, step, name) for name in step.inputs},
        **{name: str(outputs / file.rstrip("/")) for name, file in step.outputs.items()},
    }
    return _write(project, step.notebook.path, safe_name(step.key), values)


def _input(plan: Plan, step: Step, name: str) -> Any:
    source = step.inputs[name]
    if isinstance(source, Files):
        found = [str(path) for path in plan.surroundings.files(source)]
        return found if source.many else found[0]
    if isinstance(source, ChampionOf):
        champion = plan.surroundings.champion(source)
        return str(champion.folder) if champion else None
    if isinstance(source, OutputOf):
        return _place(plan, source)
    return {branch: _place(plan, each) for branch, each in source.items()}


def _place(plan: Plan, source: OutputOf) -> str:
    manifest = plan.decisions[source.step].manifest
    assert manifest is not None, f"{source.step} is not cached right after it ran"
    return str(plan.surroundings.store.place(manifest.outputs[source.output]))


def _write(project: Project, notebook: Path, name: str, values: Mapping[str, Any]) -> Path:
    """nbval starts a kernel in the notebook's own folder: the root is where a step's kernel works too."""
    node = load_notebook_node(str(notebook))
    target = project.root / f"{name}.ipynb"
    write_ipynb(parameterize_notebook(node, dict(values)) if values else node, str(target))
    return target
