"""What a pipeline is, once its file is read: frozen objects, with branches, parameters and inputs bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import Problem, SpecError, did_you_mean
from workbench.monitors import Monitors
from workbench.notebook import Notebook
from workbench.parameters import MISSING
from workbench.schema import branch_word
from workbench.settings import Project
from workbench.trigger_keys import Trigger


@dataclass(frozen=True)
class OutputOf:
    """An input that is another step's output."""

    step: str
    """The producing step's key."""
    output: str


@dataclass(frozen=True)
class Files:
    """An input from outside: a file, a folder or a glob, relative to the project root."""

    pattern: str
    line: int | None = field(default=None, compare=False, repr=False)
    """Where the pipeline file says so."""

    @property
    def many(self) -> bool:
        """Whether the notebook receives a list of paths rather than one."""
        return any(sign in self.pattern for sign in "*?[")


@dataclass(frozen=True)
class ChampionOf:
    """An input that is the registered version that serves: its folder, or nothing while there is none."""

    model: str


Input = OutputOf | Files | ChampionOf | Mapping[str, OutputOf]
"""A mapping is a fan-in: one entry for each branch, by its value."""


@dataclass(frozen=True)
class Step:
    """One node of the graph: a notebook with everything it is given. A branch of a `foreach` is a step."""

    key: str
    """Unique in the pipeline: `train`, or `train[algorithm=logistic]` for a branch."""
    name: str
    branch: Mapping[str, Any]
    notebook: Notebook
    parameters: Mapping[str, Any]
    """What is injected, without inputs and outputs."""
    inputs: Mapping[str, Input]
    outputs: Mapping[str, str]
    """File name of each output; a folder's ends with '/'."""
    after: tuple[str, ...] = ()
    retries: int = 0
    timeout: float | None = None
    """Seconds."""
    cell_timeout: float | None = None
    """Seconds."""
    memory: int | None = None
    """Bytes, of the step's whole process tree."""
    kernel: str = "python3"
    cache: bool = True
    refresh: float | None = None
    """Seconds."""
    secrets: tuple[str, ...] = ()

    @property
    def effective(self) -> dict[str, Any]:
        """Every parameter's value: the bound one, else the literal default. Inputs and outputs left out."""
        declared = self.notebook.parameters.items()
        defaults = {name: p.default for name, p in declared if p.default is not MISSING}
        values = {**defaults, **self.parameters}
        return {
            name: value
            for name, value in values.items()
            if name not in self.inputs and name not in self.outputs
        }

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the steps that must be done before this one."""
        found = dict.fromkeys(self.after)
        for source in self.inputs.values():
            for reference in references(source):
                found[reference.step] = None
        return tuple(found)


@dataclass(frozen=True)
class Rows:
    """Where a replay finds the rows of its months, with their labels."""

    outputs: tuple[OutputOf, ...]
    """Parquet files; their rows together."""
    day: str
    """The column that says a row's day."""


@dataclass(frozen=True)
class Model:
    """What a pipeline delivers to the registry."""

    name: str
    version: OutputOf
    metrics: OutputOf | None = None
    contract: str | None = None
    """A file, relative to the project's root."""
    evidence: OutputOf | None = None
    dossier: OutputOf | None = None
    reference: OutputOf | None = None
    gates: Mapping[str, Any] = field(default_factory=dict)
    """As declared: see `gate_keys`."""
    monitors: Monitors | None = None
    replay: Rows | None = None


@dataclass(frozen=True)
class Pipeline:
    """A pipeline, ready to be planned."""

    name: str
    file: Path
    project: Project = field(repr=False)
    parameters: Mapping[str, Any]
    steps: Mapping[str, Step]
    """By key, each after everything it needs."""
    description: str = ""
    timeout: float | None = None
    model: Model | None = None
    triggers: tuple[Trigger, ...] = ()


def bindable(pipeline: Pipeline) -> set[str]:
    """Parameters that a run can be given: those of the notebooks that the file does not wire."""
    return {
        name
        for step in pipeline.steps.values()
        for name in step.notebook.parameters.keys()
        - step.inputs.keys()
        - step.outputs.keys()
        - step.branch.keys()
    }


def references(source: Input) -> tuple[OutputOf, ...]:
    """The step outputs that an input is made of."""
    if isinstance(source, Files | ChampionOf):
        return ()
    return (source,) if isinstance(source, OutputOf) else tuple(source.values())


def branch_key(step: str, branch: Mapping[str, Any]) -> str:
    """The key of a step's branch; the step's name where there are no branches."""
    inside = ",".join(f"{variable}={branch_word(value)}" for variable, value in branch.items())
    return f"{step}[{inside}]" if inside else step


def branch_label(branch: Mapping[str, Any]) -> str:
    """What a fan-in calls a branch: its value, or all `variable=value` where there are several."""
    if len(branch) == 1:
        return branch_word(next(iter(branch.values())))
    return ",".join(f"{variable}={branch_word(value)}" for variable, value in branch.items())


def find_pipeline(project: Project, name: str | Path) -> Path:
    """The pipeline file called `name`, or at that path. Raises SpecError with the nearest name there is."""
    path = Path(name)
    candidates: tuple[Path, ...] = ()
    if path.suffix in (".yaml", ".yml"):
        candidates = (path, project.root / path, project.notebooks / path)
    for candidate in (*candidates, *(project.notebooks / f"{name}{suffix}" for suffix in (".yaml", ".yml"))):
        if candidate.is_file():
            return candidate.resolve()
    known = [file.stem for file in pipeline_files(project)]
    raise SpecError(
        [Problem(f"there is no pipeline '{name}' in '{project.notebooks}'{did_you_mean(str(name), known)}")]
    )


def require_findable(pipeline: Pipeline) -> None:
    """What is run later is found by its name. Raises SpecError where that finds another file, or none."""
    name = pipeline.name
    try:
        found = find_pipeline(pipeline.project, name)
    except SpecError:
        found = None
    if found != pipeline.file:
        message = f"'{name}' is not found by its name later on; call this file '{pipeline.project.notebooks / name}.yaml'"
        raise SpecError([Problem(message, pipeline.file, key="pipeline")])


def pipeline_files(project: Project) -> list[Path]:
    """Every pipeline file of the project."""
    found: list[Path] = []
    for suffix in ("*.yaml", "*.yml"):
        found += project.notebooks.glob(suffix)
    return sorted(found)
