"""One step run: under the lock of its fingerprint, execute with retries, then commit.

Runs in a thread of its own and shares nothing with other step runs but what is given at construction.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workbench.ahead import KernelSetup
from workbench.errors import StepError, StoreError, WorkbenchError
from workbench.events import (
    CellStarted,
    Failure,
    Listener,
    State,
    StepFinished,
    StepOutput,
    StepRetried,
    StepStarted,
)
from workbench.executors import Executor
from workbench.locks import locked
from workbench.pipeline import ChampionOf, Files, OutputOf, Pipeline, Step
from workbench.plan import Decision, Surroundings, decide
from workbench.settings import ROOT_VARIABLE, STATE_VARIABLE, Project
from workbench.step import StepResult, StepTask
from workbench.store import Manifest, safe_name

if TYPE_CHECKING:
    from workbench.recorder import Recorder

_MLFLOW_SECONDS = 60.0
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class Settled:
    """A step run's last event, and its result if it has one."""

    finished: StepFinished
    manifest: Manifest | None = None


@dataclass(frozen=True)
class StepRuns:
    """Performs the steps of one run."""

    run: str
    pipeline: Pipeline
    surroundings: Surroundings
    executor: Executor
    recorder: Recorder
    emit: Listener
    stop: threading.Event
    folder: Path
    """For executed notebooks."""
    scratch: Path
    workers: int
    cold: bool
    forced: Mapping[str, str]

    @property
    def project(self) -> Project:
        return self.pipeline.project

    def perform(self, step: Step, decision: Decision, manifests: Mapping[str, Manifest]) -> Settled:
        """Execute one step, unless another run does so first. `manifests` are those of what it needs."""
        began = time.monotonic()
        assert decision.fingerprint is not None
        lock = self.project.store / "locks" / f"{decision.fingerprint}.lock"
        try:
            while not self.stop.is_set():
                try:
                    with locked(lock, timeout=0.2):
                        made = self._made_elsewhere(step, decision)
                        return made or self._attempt(step, decision, manifests, began)
                except TimeoutError:
                    continue
        except (WorkbenchError, OSError) as error:
            failure = Failure("infrastructure", str(error))
            return Settled(self._event(step, decision, "failed", began, failure=failure, attempts=1))
        return Settled(self._event(step, decision, "interrupted", began))

    def expect(self, steps: Iterable[Step]) -> None:
        """These are likely to be performed next. A step that makes MLflow calls gets its kernel with its MLflow run."""
        if not self.cold:
            self.executor.expect([self.kernel(step) for step in steps if not self._tracked(step)])

    def _tracked(self, step: Step) -> bool:
        return self.project.mlflow_enabled and uses_mlflow(step)

    def _event(self, step: Step, decision: Decision, state: State, began: float, **more: Any) -> StepFinished:
        return StepFinished(
            time.time(), self.run, step.key, state, decision.reason, decision.fingerprint,
            time.monotonic() - began, **more,
        )  # fmt: skip

    def _made_elsewhere(self, step: Step, decision: Decision) -> Settled | None:
        """Another run may have finished this very step while this one waited for the lock."""
        if step.key in self.forced or not step.cache:
            return None
        assert decision.ingredients is not None
        again = decide(step, decision.ingredients, self.pipeline.name, self.surroundings.store)
        if again.manifest is None:
            return None
        manifest = again.manifest
        again = replace(again, reason="done by another run meanwhile")
        event = self._event(step, again, "cached", time.monotonic(), executed=manifest.executed)
        return Settled(event, manifest)

    def _attempt(
        self, step: Step, decision: Decision, manifests: Mapping[str, Manifest], began: float
    ) -> Settled:
        """Execute with retries: the step's own for its failures, one more for the infrastructure's."""
        executed = self.folder / f"{safe_name(step.key)}.ipynb"
        attempts, left, spare = 0, step.retries, 1
        while True:
            attempts += 1
            result = self._execute(step, decision, manifests, executed, attempts)
            manifest = None
            if result.failure is None:
                result, manifest = self._commit(step, decision, manifests, result, executed)
            failure = result.failure
            if failure is None or failure.kind == "interrupted":
                break
            if failure.kind == "infrastructure" and spare:
                spare -= 1
            elif left:
                left -= 1
            else:
                break
            pause = min(2.0 ** (attempts - 1), _LONGEST_PAUSE)
            self.emit(StepRetried(time.time(), self.run, step.key, attempts, pause, failure))
            if executed.exists():
                executed.rename(executed.with_suffix(f".attempt{attempts}.ipynb"))
            if self.stop.wait(pause):
                break
        state: State = "done"
        if failure is not None:
            state = "interrupted" if failure.kind == "interrupted" else "failed"
        event = self._event(
            step, decision, state, began, executed=self._relative(executed), attempts=attempts,
            failure=failure, peak_memory=result.peak_memory, notices=result.notices,
        )  # fmt: skip
        return Settled(event, manifest)

    def _execute(
        self, step: Step, decision: Decision, manifests: Mapping[str, Manifest], executed: Path, attempt: int
    ) -> StepResult:
        assert decision.ingredients is not None
        assert decision.fingerprint is not None
        tracked = self._tracked(step)
        self.emit(StepStarted(
            time.time(), self.run, step.key, decision.reason, decision.fingerprint,
            self._relative(step.notebook.path), self._relative(executed), step.effective,
            decision.ingredients.inputs, tracked, len(step.notebook.sources), attempt,
        ))  # fmt: skip
        # Waits for the step's MLflow run only if the notebook makes calls of its own.
        run = self.recorder.mlflow_run(self.run, step.key, _MLFLOW_SECONDS) if tracked else None
        task = self._task(step, manifests, executed, attempt, self.kernel(step, run))
        return self.executor.execute(task, _Watcher(self, step.key), self.stop.is_set)

    def _commit(
        self,
        step: Step,
        decision: Decision,
        manifests: Mapping[str, Manifest],
        result: StepResult,
        executed: Path,
    ) -> tuple[StepResult, Manifest | None]:
        """Outputs into the store, then the manifest: from then on the step is done."""
        assert decision.ingredients is not None
        assert decision.fingerprint is not None
        store = self.surroundings.store
        try:
            for need in step.needs:
                if lost := store.lost(manifests[need]):
                    raise StepError(f"{lost} ({need}); a step must not change its inputs")
            outputs = {name: store.put(path) for name, path in result.outputs.items()}
            manifest = Manifest(
                decision.fingerprint, self.pipeline.name, step.key, self.run, time.time(), result.seconds,
                outputs, self._relative(executed),
            )  # fmt: skip
            store.commit(manifest, decision.ingredients)
        except (StoreError, StepError) as error:
            kind: Literal["infrastructure", "output"] = (
                "infrastructure" if isinstance(error, StoreError) else "output"
            )
            return replace(result, failure=Failure(kind, str(error))), None
        return result, manifest

    def kernel(self, step: Step, run: str | None = None) -> KernelSetup:
        """What the step's kernel is started with; `run` is the MLflow run of its own calls."""
        from workbench.tracking import kernel_environment

        secrets = {name for other in self.pipeline.steps.values() for name in other.secrets}
        mlflow = kernel_environment(self.project, run) if self.project.mlflow_enabled else {}
        return KernelSetup(
            name=step.kernel,
            root=self.project.root,
            folder=step.notebook.path.parent,
            environment={
                ROOT_VARIABLE: str(self.project.root),
                STATE_VARIABLE: self.project.state_folder,
                **mlflow,
            },
            imports=self.surroundings.warm_imports(step.notebook),
            hidden=tuple(sorted(secrets - set(step.secrets))),
            threads=max(1, (os.cpu_count() or 1) // self.workers),
            memory_limit=step.memory,
            cold=self.cold,
        )

    def _task(
        self,
        step: Step,
        manifests: Mapping[str, Manifest],
        executed: Path,
        attempt: int,
        kernel: KernelSetup,
    ) -> StepTask:
        scratch = self.scratch / f"{safe_name(step.key)}.{attempt}"
        outputs = {name: scratch / file.rstrip("/") for name, file in step.outputs.items()}
        wired = {name: self._input_value(step, name, manifests) for name in step.inputs}
        return StepTask(
            key=step.key,
            notebook=step.notebook.path,
            executed=executed,
            parameters={**step.parameters, **wired, **{name: str(path) for name, path in outputs.items()}},
            outputs=outputs,
            kernel=kernel,
            secrets=step.secrets,
            timeout=step.timeout,
            cell_timeout=step.cell_timeout,
            start_timeout=self.project.kernel_start_timeout,
            output_budget=self.project.output_budget,
        )

    def _input_value(self, step: Step, name: str, manifests: Mapping[str, Manifest]) -> Any:
        """What the notebook receives for an input: a path, a list of paths, or a mapping of branches to paths."""
        source = step.inputs[name]
        if isinstance(source, Files):
            found = [str(path) for path in self.surroundings.files(source)]
            return found if source.many else found[0]
        if isinstance(source, ChampionOf):
            champion = self.surroundings.champion(source)
            return str(champion.folder) if champion else None
        if isinstance(source, OutputOf):
            return str(self._place(source, manifests))
        return {label: str(self._place(reference, manifests)) for label, reference in source.items()}

    def _place(self, reference: OutputOf, manifests: Mapping[str, Manifest]) -> Path:
        stored = manifests[reference.step].outputs[reference.output]
        return self.surroundings.store.place(stored)

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path, self.project.root)


@dataclass(frozen=True)
class _Watcher:
    """Turns what the cells report into events."""

    runs: StepRuns
    step: str

    def cell_started(self, cell: int, cells: int) -> None:
        self.runs.emit(CellStarted(time.time(), self.runs.run, self.step, cell, cells))

    def printed(self, line: str) -> None:
        self.runs.emit(StepOutput(time.time(), self.runs.run, self.step, line))


def uses_mlflow(step: Step) -> bool:
    """Whether the notebook itself imports mlflow, and so waits for its MLflow run."""
    return any(name.partition(".")[0] == "mlflow" for name in step.notebook.imports)
