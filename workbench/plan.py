"""The plan: for each step whether it runs, and why.

`decide` is pure. `Surroundings` gathers the facts that it needs: code, packages, digests, manifests.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from workbench.champions import champion_marker
from workbench.delivery import NO_CHAMPION, is_due
from workbench.digests import Digests, digest_names, folder_files
from workbench.errors import Problem, SpecError, StoreError, did_you_mean
from workbench.fingerprint import Digest, Ingredients, cell_digests, plain
from workbench.imports import Imports, ProjectModules, package_versions
from workbench.notebook import Notebook
from workbench.pipeline import ChampionOf, Files, Input, OutputOf, Pipeline, Step
from workbench.settings import Project
from workbench.store import Manifest, Store

Action = Literal["run", "cached", "wait"]
"""`wait`: something it needs will run, and only then it is known whether it must."""

Outputs = Mapping[str, Mapping[str, Digest]]
"""Digest of each output, by step key and output name, of the steps whose results are known."""


@dataclass(frozen=True)
class Served:
    """The files of the version that serves, verified."""

    folder: Path
    digest: Digest


@dataclass(frozen=True)
class Decision:
    """What happens with one step, and why."""

    step: str
    action: Action
    reason: str
    ingredients: Ingredients | None = None
    """None while an input is not known."""
    fingerprint: Digest | None = None
    manifest: Manifest | None = None
    """The result to use, of a cached step."""


@dataclass(frozen=True)
class Plan:
    """Decisions in an order in which the steps can run."""

    pipeline: Pipeline
    decisions: Mapping[str, Decision]
    surroundings: Surroundings = field(repr=False, compare=False)
    forced: Mapping[str, str] = field(default_factory=dict)
    """Steps that run in any case, with the reason."""
    deliver: bool = False
    """Whether the pipeline's model still has to be registered."""

    @property
    def cached(self) -> bool:
        """Whether there is nothing to do."""
        return not self.deliver and all(decision.action == "cached" for decision in self.decisions.values())


@dataclass(frozen=True)
class Selection:
    """Which steps to look at, by name or key, as asked for."""

    only: tuple[str, ...] = ()
    """These steps and what they need."""
    start: tuple[str, ...] = ()
    """These steps and everything after them run, cached or not."""
    force: tuple[str, ...] = ()
    """These steps run, cached or not."""


class Surroundings:
    """The facts of one project that decide about its steps, each looked up once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.digests = Digests(project.root, project.store / "digests.json")
        self.store = Store(project.store, self.digests)
        self._modules = ProjectModules(project.root, project.store / "modules.json")
        self._code: dict[Path, tuple[tuple[Digest, ...], Imports]] = {}
        self._versions: dict[str, str] = {}
        self._champions: dict[str, Served | None] = {}

    def learn(self, steps: Iterable[Step]) -> None:
        """Look up the code of these steps' notebooks and the versions of what they import, in one go."""
        names: set[str] = set()
        for step in steps:
            names |= self.code(step.notebook)[1].packages
        if names - self._versions.keys():
            memory = self.project.store / "packages.json"
            self._versions |= package_versions(names | self._versions.keys(), memory)

    def code(self, notebook: Notebook) -> tuple[tuple[Digest, ...], Imports]:
        """Digests of the notebook's cells, and where its imports lead."""
        if notebook.path not in self._code:
            imports = self._modules.follow(notebook.imports, notebook.path.parent)
            self._code[notebook.path] = cell_digests(notebook), imports
        return self._code[notebook.path]

    def save(self) -> None:
        """Remember what was read, for the next plan."""
        self.digests.save()
        self._modules.save()

    def warm_imports(self, notebook: Notebook) -> tuple[str, ...]:
        """What a warm kernel should have imported for it: modules of packages, never the project's own."""
        return tuple(sorted(self.code(notebook)[1].outside))

    def ingredients(self, step: Step, outputs: Outputs) -> Ingredients:
        """What goes into a step whose inputs are all known. Raises SpecError for missing files."""
        self.learn([step])
        cells, imports = self.code(step.notebook)
        return Ingredients(
            cells=cells,
            parameters=plain(step.effective),
            inputs={name: self._input(step, name, source, outputs) for name, source in step.inputs.items()},
            outputs=step.outputs,
            modules=imports.modules,
            packages={name: self._versions[name] for name in imports.packages},
            kernel=step.kernel,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
        )

    def files(self, source: Files) -> list[Path]:
        """The files or folders that an input from outside matches, sorted."""
        root = self.project.root
        path = Path(source.pattern)
        if not source.many:
            return [root / path] if (root / path).exists() else []
        base = Path(path.anchor) if path.is_absolute() else root
        found = base.glob(str(path.relative_to(path.anchor) if path.is_absolute() else path))
        state = self.project.state
        return sorted(path for path in found if path != state and state not in path.parents)

    def champion(self, source: ChampionOf) -> Served | None:
        """The version that serves, as it was when first asked: a run compares with one champion.

        Raises StoreError when its files are not what was registered.
        """
        if source.model not in self._champions:
            self._champions[source.model] = self._served(source.model)
        return self._champions[source.model]

    def _served(self, model: str) -> Served | None:
        marker = champion_marker(self.project, model)
        if marker is None:
            return None
        from workbench.model_files import ATTACHMENTS

        what = f"version {marker.version} of '{model}', which serves,"
        if marker.folder is None:
            raise StoreError(f"{what} is not on this machine, so nothing can be compared with it")
        folder = self.project.root / marker.folder
        aside = f"{ATTACHMENTS}/"
        files = [(name, file) for name, file in folder_files(folder) if not name.startswith(aside)]
        if digest_names({name: self.digests.file(file) for name, file in files}) != marker.digest:
            raise StoreError(
                f"{what} is not what was registered: its files in '{folder}' were changed; restore them, or promote "
                "another version"
            )
        return Served(folder, marker.digest)

    def _input(self, step: Step, name: str, source: Input, outputs: Outputs) -> Digest:
        if isinstance(source, OutputOf):
            return outputs[source.step][source.output]
        if isinstance(source, Files):
            return self._outside(step, name, source)
        if isinstance(source, ChampionOf):
            return champion.digest if (champion := self.champion(source)) else NO_CHAMPION
        return digest_names({label: outputs[ref.step][ref.output] for label, ref in source.items()})

    def _outside(self, step: Step, name: str, source: Files) -> Digest:
        found = self.files(source)
        if not found:
            nothing = "no file matches" if source.many else "there is no file"
            message = f"{nothing} '{source.pattern}' in '{self.project.root}'"
            raise SpecError([Problem(message, line=source.line, key=f"steps.{step.name}.inputs.{name}")])
        if not source.many:
            return self.digests.path(found[0])
        root = self.project.root
        return digest_names({_relative(path, root): self.digests.path(path) for path in found})


def make_plan(
    pipeline: Pipeline, selection: Selection | None = None, surroundings: Surroundings | None = None
) -> Plan:
    """Decide for every selected step. Raises SpecError for unknown steps and missing input files.

    Steps after one that runs are `wait`: its outputs may turn out to be what they were.
    """
    selection = selection or Selection()
    surroundings = surroundings or Surroundings(pipeline.project)
    steps = selected(pipeline, selection)
    forced = forced_steps(pipeline, selection)
    surroundings.learn(steps.values())
    known: dict[str, dict[str, Digest]] = {}
    decisions: dict[str, Decision] = {}
    problems: list[Problem] = []
    for key, step in steps.items():
        waiting = [need for need in step.needs if decisions[need].action != "cached"]
        if waiting:
            decisions[key] = _undecided(step, waiting, forced)
            continue
        try:
            ingredients = surroundings.ingredients(step, known)
        except SpecError as error:
            problems += [replace(problem, file=pipeline.file) for problem in error.problems]
            decisions[key] = Decision(key, "run", "an input is missing")
            continue
        decision = decide(step, ingredients, pipeline.name, surroundings.store, forced=forced.get(key))
        decisions[key] = decision
        if decision.manifest:
            known[key] = {name: stored.digest for name, stored in decision.manifest.outputs.items()}
    surroundings.save()
    if problems:
        raise SpecError(dict.fromkeys(problems))
    return Plan(pipeline, decisions, surroundings, forced, is_due(pipeline, known))


def decide(
    step: Step,
    ingredients: Ingredients,
    pipeline: str,
    store: Store,
    *,
    forced: str | None = None,
    now: float | None = None,
) -> Decision:
    """Whether a step whose inputs are known must run. `forced` is the reason to run it in any case."""
    fingerprint = ingredients.fingerprint()
    reason = forced or (None if step.cache else "cache: false")
    if reason is None:
        manifest = store.find(fingerprint)
        if manifest is None or manifest.outputs.keys() != step.outputs.keys():
            reason = _what_changed(ingredients, store.latest(pipeline, step.key))
        elif (
            step.refresh is not None
            and (time.time() if now is None else now) - manifest.created > step.refresh
        ):
            reason = f"older than {_duration(step.refresh)}"
        else:
            reason = store.lost(manifest)
        if reason is None:
            return Decision(step.key, "cached", "unchanged", ingredients, fingerprint, manifest)
    return Decision(step.key, "run", reason, ingredients, fingerprint)


def selected(pipeline: Pipeline, selection: Selection) -> dict[str, Step]:
    """The steps to look at, in order: all, or those asked for with `only` and everything they need."""
    if not selection.only:
        return dict(pipeline.steps)
    waiting = [key for name in selection.only for key in matching_steps(pipeline, name, "--step")]
    wanted: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key not in wanted:
            wanted.add(key)
            waiting += pipeline.steps[key].needs
    return {key: step for key, step in pipeline.steps.items() if key in wanted}


def forced_steps(pipeline: Pipeline, selection: Selection) -> dict[str, str]:
    """Steps that run in any case, with the reason."""
    forced = {key: "forced" for name in selection.force for key in matching_steps(pipeline, name, "--force")}
    after = {key for name in selection.start for key in matching_steps(pipeline, name, "--from")}
    for key, step in pipeline.steps.items():
        if after.intersection(step.needs):
            after.add(key)
    return {**dict.fromkeys(after, "--from"), **forced}


def matching_steps(pipeline: Pipeline, name: str, option: str) -> list[str]:
    """Keys of the step or steps called `name`: all branches, or one by its key. Raises SpecError."""
    found = [key for key, step in pipeline.steps.items() if name in (key, step.name)]
    if not found:
        known = {*pipeline.steps, *(step.name for step in pipeline.steps.values())}
        message = f"pipeline '{pipeline.name}' has no step '{name}'{did_you_mean(name, known)}"
        raise SpecError([Problem(message, key=option)])
    return found


def _undecided(step: Step, waiting: Collection[str], forced: Mapping[str, str]) -> Decision:
    if step.key in forced:
        return Decision(step.key, "run", forced[step.key])
    if not step.cache:
        return Decision(step.key, "run", "cache: false")
    names = ", ".join(dict.fromkeys(waiting))
    return Decision(step.key, "wait", f"after {names}")


def _what_changed(ingredients: Ingredients, latest: Ingredients | None) -> str:
    if latest is None:
        return "first run"
    return "; ".join(ingredients.differences(latest)[:3]) or "the last result is gone"


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"
