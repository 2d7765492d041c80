"""A state of the project for one policy: the ordinary pipeline, gates, registry and promotions, beside the user's own.

    .workbench/replay/PIPELINE/POLICY/            ledger, MLflow, registry, executed notebooks: as in `.workbench/`
    .workbench/replay/PIPELINE/POLICY-1f3a5c/     the same of another question: other parameters, months or history

`WORKBENCH_STATE=.workbench/replay/train/monthly workbench models history flight-delay` shows what happened there. Steps
that were done anywhere in the project are taken over before a policy starts, never the other way.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from workbench import judging, ledger_trail, registry
from workbench.delivery import named_outputs
from workbench.digests import Digests
from workbench.errors import StepError
from workbench.events import Listener
from workbench.executors import Executor
from workbench.ledger import Ledger
from workbench.loading import load_pipeline
from workbench.pipeline import OutputOf, Pipeline
from workbench.plan import Selection, make_plan, selected
from workbench.promotion import Promotions
from workbench.promotion_policy import Actor, replaces_by_itself
from workbench.run import RunResult, run_plan
from workbench.setting_keys import ROLES
from workbench.settings import STATE, Project
from workbench.step_run import uses_mlflow
from workbench.store import Store, remove
from workbench.trail import standing

FOLDER = "replay"


@dataclass(frozen=True)
class Trained:
    """What came of training once: a version and its verdict."""

    version: int
    digest: str
    passed: bool
    outcome: str
    """See gates.Outcome."""
    summary: str
    """What decided, in one sentence."""
    ran: int
    """Steps that were executed for it."""
    steps: int
    """Steps that it takes, cached ones included."""
    cost: float
    """Seconds that all its steps took when they were executed."""
    took: float
    """Seconds until the verdict, this time."""

    @property
    def deserves(self) -> bool:
        """Whether it replaces the champion by itself."""
        return replaces_by_itself(self.passed, self.outcome)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        return cls(**content)


@dataclass(frozen=True)
class Training:
    """How runs are made: one warm executor for all, one listener."""

    executor: Executor | None = None
    listener: Listener | None = None


class Place:
    """One policy's state of the project. A context: it holds the ledger."""

    def __init__(
        self, project: Project, pipeline: str | Path, arguments: Mapping[str, str], training: Training
    ) -> None:
        self.project, self.pipeline = project, pipeline
        self._arguments, self._training = dict(arguments), training
        self._ledger: Ledger | None = None

    def __enter__(self) -> Self:
        self._ledger = Ledger.open(self.project)
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.close()

    @property
    def ledger(self) -> Ledger:
        assert self._ledger is not None
        return self._ledger

    def load(self, more: Mapping[str, Any]) -> Pipeline:
        """The pipeline, told what to learn from. Raises SpecError."""
        return load_pipeline(self.pipeline, more, arguments=self._arguments, project=self.project)

    def files(self, more: Mapping[str, Any], wanted: Sequence[OutputOf]) -> list[tuple[Path, str]]:
        """Outputs of the pipeline, made if need be: path and digest of each. Raises StepError.

        MLflow is told of it with the next training, unless a notebook wants to log to it.
        """
        pipeline = self.load(more)
        names = tuple(dict.fromkeys(each.step for each in wanted))
        if not any(map(uses_mlflow, selected(pipeline, Selection(only=names)).values())):
            pipeline = replace(pipeline, project=replace(self.project, mlflow_enabled=False))
        result, store = self._run(pipeline, names)
        found = []
        for each in wanted:
            manifest = store.find(result.steps[each.step].fingerprint or "")
            if manifest is None:
                raise StepError(f"step '{each.step}' left nothing in the store")
            stored = manifest.outputs[each.output]
            found.append((store.place(stored), stored.digest))
        return found

    def train(self, more: Mapping[str, Any]) -> Trained:
        """Run what the model needs, and what judges it: a version with its verdict. Raises StepError."""
        began = time.monotonic()
        pipeline = self.load(more)
        model = pipeline.model
        assert model is not None
        result, store = self._run(pipeline, [each.step for each in named_outputs(model).values()])
        digest = result.steps[model.version.step].outputs[model.version.output]
        judging.judge_waiting(self.project, self.ledger)  # left over where a replay was interrupted just then
        version = self._version(model.name, digest, result)
        verdict = self.ledger.verdict(model.name, version)
        if verdict is None:
            raise StepError(
                f"version {version} of '{model.name}' was not judged: see '{self.project.state / 'tracking.log'}'"
            )
        manifests = [store.find(step.fingerprint or "") for step in result.steps.values()]
        return Trained(
            version, digest, verdict.passed, verdict.outcome, str(verdict.content.get("summary", "")),
            ran=sum(step.state == "done" for step in result.steps.values()),
            steps=len(result.steps),
            cost=round(sum(each.seconds for each in manifests if each), 2),
            took=round(time.monotonic() - began, 2),
        )  # fmt: skip

    def champion(self, model: str) -> int | None:
        """The version that serves here."""
        return standing(model, ledger_trail.entries(self.ledger, model)).champion

    def make_champion(self, model: str, version: int, reason: str) -> None:
        """Move the champion as the ordinary rules have it: forward by promotion, back by rollback. Raises PromotionError."""
        from workbench.mlflow_store import Aliases, connect

        promotions = Promotions(self.project, self.ledger, Aliases(self.project, connect(self.project)))
        now = promotions.look(model)
        if now.champion == version:
            return
        actor = Actor("replay", frozenset(ROLES))
        if version in now.former:
            promotions.rollback(model, actor, reason=reason, expected=now.champion, to=version)
        else:
            promotions.promote(model, version, actor, reason=reason, expected=now.champion)

    def located(self, model: str, version: int) -> registry.Located:
        """A version's verified files."""
        return registry.locate(self.project, self.ledger, model, version)

    def _run(self, pipeline: Pipeline, steps: Iterable[str]) -> tuple[RunResult, Store]:
        plan = make_plan(pipeline, Selection(only=tuple(dict.fromkeys(steps))))
        how = self._training
        result = run_plan(plan, listener=how.listener, executor=how.executor)
        if result.state == "interrupted":
            raise KeyboardInterrupt
        if result.state != "done":
            failed = {key: step.failure for key, step in result.steps.items() if step.failure}
            said = "; ".join(f"{key}: {failure.message}" for key, failure in failed.items() if failure)
            raise StepError(
                f"a run of '{pipeline.name}' {result.state}: {said or 'see its notebooks'} ({result.folder})"
            )
        return result, plan.surroundings.store

    def _version(self, model: str, digest: str, result: RunResult) -> int:
        """The number under which a content is registered. Raises StepError where it is not."""
        try:
            marker = json.loads(self.project.delivered(model, digest).read_bytes())
            return int(marker["version"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            said = "; ".join(result.notices) or f"see '{self.project.state / 'tracking.log'}'"
            raise StepError(f"a new version of '{model}' was not registered: {said}") from error


def place_of(project: Project, pipeline: str, state: str) -> Project:
    """The project in the state of that name."""
    return project.beside(f"{STATE}/{FOLDER}/{pipeline}/{state}")


def take_over(project: Project, sources: Iterable[Path], pipeline: str) -> int:
    """Have `project` know the results of that pipeline in other stores, as hard links; how many it did not know."""
    ours = _store(project, project.store)
    taken = 0
    for source in sources:
        theirs = _store(project, source)
        for manifest in theirs.manifests():
            if manifest.pipeline != pipeline or ours.find(manifest.fingerprint):
                continue
            for stored in manifest.outputs.values():
                _link(theirs.place(stored), ours.place(stored), project.store / "taking")
            name = Path("manifests") / manifest.fingerprint[:2] / f"{manifest.fingerprint}.json"
            _link(source / name, project.store / name, project.store / "taking")
            taken += 1
    return taken


def start_anew(project: Project) -> None:
    """Forget what happened in a state, but for the results of steps."""
    for each in project.state.iterdir() if project.state.is_dir() else ():
        if each != project.store:
            remove(each)
    for each in project.store.iterdir() if project.store.is_dir() else ():
        if each.name not in ("objects", "manifests"):
            remove(each)


def _store(project: Project, folder: Path) -> Store:
    return Store(folder, Digests(project.root, folder / "digests.json"))


def _link(source: Path, target: Path, scratch: Path) -> None:
    """A second name for the same content; what is there, or gone, stays so."""
    if target.exists() or not source.exists():
        return
    remove(scratch)
    scratch.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, scratch, copy_function=_link_or_copy)
    else:
        _link_or_copy(source, scratch)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch.rename(target)


def _link_or_copy(source: str | Path, target: str | Path) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
    return str(target)
