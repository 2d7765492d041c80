"""The loop over a plan: what is ready runs, what it makes decides about what follows.

run_plan
  _Run.execute
    _preflight                 kernels and secrets are there
    _loop                      submit what is ready, wait, repeat
      _next                    kernels for what follows, ahead of it
      _perform   (a thread)    lock the fingerprint, execute with retries, commit
    _finish                    reports, delivery, the last event
"""

from __future__ import annotations

import os
import secrets as random_source
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.delivery import deliver, is_due
from workbench.errors import Problem, SpecError, WorkbenchError, did_you_mean
from workbench.events import (
    Event,
    Failure,
    Listener,
    ModelJudged,
    ModelRegistered,
    RunFinished,
    RunStarted,
    State,
    StepFinished,
)
from workbench.executors import KERNEL, Executor, LocalExecutor
from workbench.fingerprint import Ingredients
from workbench.imports import installed_packages
from workbench.locks import locked
from workbench.pipeline import Step
from workbench.plan import Decision, Plan, decide
from workbench.run_folder import abandoned, git_state, link_reports, removed
from workbench.store import Manifest

if TYPE_CHECKING:
    from workbench.step_run import Settled


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    run: str | None
    """None when everything was cached, so that nothing happened and nothing was recorded."""
    state: State
    seconds: float
    steps: Mapping[str, StepFinished]
    version: int | None = None
    """Of the model that this run registered."""
    judged: ModelJudged | None = None
    """What the gates said of it."""
    notices: tuple[str, ...] = ()
    folder: Path | None = None
    """The executed notebooks and reports."""

    @property
    def exit_code(self) -> int:
        """0 done, 1 a step failed, 130 interrupted."""
        return {"done": 0, "interrupted": 130}.get(self.state, 1)


def run_plan(
    plan: Plan,
    *,
    workers: int | None = None,
    keep_going: bool = False,
    cold: bool = False,
    listener: Listener | None = None,
    executor: Executor | None = None,
    stop: threading.Event | None = None,
    wait: bool = True,
) -> RunResult:
    """Execute a plan; blocks until every step has reached its final state.

    `workers` steps run at a time (default: the project's setting). With `keep_going` a failed step does not stop
    the steps that do not need it. `cold` starts ordinary kernels. `executor` says where steps run (default: here).
    Setting `stop` interrupts the run. Without `wait`, a run that went well and registers no model ends when its
    results and the ledger are written; a process of its own goes on to send them to MLflow.
    Raises SpecError before any step starts when a kernel or a secret is missing, WorkbenchError when the project
    cannot be written.
    """
    began = time.monotonic()
    project = plan.pipeline.project
    leftovers = abandoned(project)
    if plan.cached and not leftovers:
        plan.surroundings.digests.save()
        return RunResult(None, "done", time.monotonic() - began, _all_cached(plan))
    return _Run(
        plan,
        workers or project.workers,
        keep_going,
        cold,
        listener,
        executor,
        stop,
        wait,
        leftovers,
    ).execute()


@dataclass
class _Progress:
    """What is known of the steps so far. Changed by the loop only."""

    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    ingredients: dict[str, Ingredients] = field(default_factory=dict)
    finished: dict[str, StepFinished] = field(default_factory=dict)


class _Run:
    """One execution of a plan."""

    def __init__(
        self,
        plan: Plan,
        workers: int,
        keep_going: bool,
        cold: bool,
        listener: Listener | None,
        executor: Executor | None,
        stop: threading.Event | None,
        wait: bool,
        leftovers: Iterable[Path],
    ) -> None:
        self.plan, self.pipeline, self.project = plan, plan.pipeline, plan.pipeline.project
        self.workers, self.keep_going, self.cold = max(1, workers), keep_going, cold
        self.executor, self.wait, self.leftovers = executor, wait, list(leftovers)
        self.stop = stop or threading.Event()
        self.interrupted = ""
        self.failing = False
        self.id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{random_source.token_hex(2)}"
        self.folder = self.project.reports / self.pipeline.name / self.id
        self.scratch = self.project.running / self.id
        self.surroundings = plan.surroundings
        self.progress = _Progress()
        self.version: int | None = None
        self.judged: ModelJudged | None = None
        self.delivered = False
        self._listeners: list[Listener] = [listener] if listener else []
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def execute(self) -> RunResult:
        """The whole run, from its lock to its last event."""
        self._preflight()
        with ExitStack() as stack:
            executor = self.executor or stack.enter_context(self._local())
            if not self.cold:
                executor.prepare(self._imports())
            # What follows is imported while the kernels' own imports are on their way.
            from workbench.recorder import Recorder
            from workbench.step_run import StepRuns, uses_mlflow

            self._claim(stack)
            tracked = any(uses_mlflow(self.pipeline.steps[key]) for key in self.plan.decisions)
            awaited = self.wait or tracked or self.pipeline.model is not None
            recorder = Recorder(self.project, listeners=[self._registered], awaited=awaited)
            self._listeners.append(recorder.listen)
            self.steps = StepRuns(
                self.id, self.pipeline, self.surroundings, executor, recorder, self._emit, self.stop,
                self.folder, self.scratch, self.workers, self.cold, self.plan.forced,
            )  # fmt: skip
            self._emit(self._started())
            state: State = "crashed"
            message = ""
            try:
                state, message = self._loop()
            finally:
                link_reports(self.folder, self.progress.manifests, self.surroundings.store)
                self._emit(RunFinished(time.time(), self.id, state, time.monotonic() - self._began, message))
                self.surroundings.digests.save()
                recorder.close(self.wait)
        notices = [*recorder.notices, *removed((self.scratch, *self.leftovers))]
        return RunResult(
            self.id, state, time.monotonic() - self._began, self.progress.finished, self.version,
            self.judged, tuple(notices), self.folder,
        )  # fmt: skip

    # Before the first step

    def _preflight(self) -> None:
        """Refuse what is bound to fail before anything starts."""
        problems = []
        running = [self.pipeline.steps[key] for key, d in self.plan.decisions.items() if d.action != "cached"]
        if wanted := {step.kernel for step in running} - {"python3", "workbench"}:
            from jupyter_client.kernelspec import KernelSpecManager

            installed = KernelSpecManager().find_kernel_specs()
            for step in running:
                if step.kernel in wanted and step.kernel not in installed:
                    hint = did_you_mean(step.kernel, {*installed, "python3"})
                    message = (
                        f"the kernel '{step.kernel}' of {step.notebook.path.name} is not installed{hint}"
                    )
                    problems.append(Problem(message, self.pipeline.file, key=f"steps.{step.name}"))
        for step in running:
            for name in step.secrets:
                if name not in os.environ:
                    message = f"the environment variable '{name}' is not set"
                    problems.append(Problem(message, self.pipeline.file, key=f"steps.{step.name}.secrets"))
        if problems:
            raise SpecError(dict.fromkeys(problems))

    def _claim(self, stack: ExitStack) -> None:
        """Make the run's folders and hold its lock: a folder without a holder is a run that crashed."""
        try:
            stack.enter_context(locked(self.scratch / "lock"))
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkbenchError(
                f"cannot write to the project '{self.project.root}': {error.strerror} ('{error.filename}')"
            ) from error

    def _local(self) -> LocalExecutor:
        """Kernels of this process; what the notebooks import is got ready beside everything else."""
        return LocalExecutor([] if self.cold else [KERNEL], excluded=[self.project.root])

    def _imports(self) -> list[str]:
        """What the steps that may run import, in the order of the steps."""
        return [
            name
            for key, decision in self.plan.decisions.items()
            if decision.action != "cached"
            for name in self.surroundings.warm_imports(self.pipeline.steps[key].notebook)
        ]

    def _started(self) -> RunStarted:
        commit, dirty = git_state(self.project.root)
        return RunStarted(
            time.time(), self.id, self.pipeline.name, str(self.pipeline.file), dict(self.pipeline.parameters),
            tuple(self.plan.decisions), self.workers, commit, dirty,
        )  # fmt: skip

    # The loop

    def _loop(self) -> tuple[State, str]:
        waiting = dict(self.plan.decisions)
        active: dict[Future[Settled], str] = {}
        deadline = self._began + self.pipeline.timeout if self.pipeline.timeout else None
        with ThreadPoolExecutor(self.workers, thread_name_prefix="step") as pool:
            while waiting or active:
                try:
                    self._submit_ready(waiting, active, pool)
                    self.steps.expect(self._next(waiting, set(active.values())))
                    done, _ = wait_for(active, timeout=0.2, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._settle(active.pop(future), future)
                    if deadline and time.monotonic() > deadline and not self.stop.is_set():
                        self._interrupt(
                            f"the run took longer than its timeout of {self.pipeline.timeout:g} s"
                        )
                    if self.stop.is_set() and not self.interrupted:
                        self._interrupt("interrupted")
                except KeyboardInterrupt:
                    self._interrupt("interrupted")
        failed = [key for key, step in self.progress.finished.items() if step.state == "failed"]
        if self.interrupted:
            return ("failed" if "timeout" in self.interrupted else "interrupted"), self.interrupted
        if failed:
            return "failed", f"failed: {', '.join(failed)}"
        return "done", ""

    def _interrupt(self, why: str) -> None:
        self.interrupted = self.interrupted or why
        self.stop.set()

    def _submit_ready(
        self, waiting: dict[str, Decision], active: dict[Future[Settled], str], pool: ThreadPoolExecutor
    ) -> None:
        """Decide about every step whose needs are settled; skip what can never run; submit what must."""
        moved = True
        while moved:
            moved = False
            for key, decision in list(waiting.items()):
                step = self.pipeline.steps[key]
                if self.interrupted or (self.failing and not self.keep_going):
                    self._skip(key, self.interrupted or "a step failed")
                elif lost := [
                    n for n in step.needs if n in self.progress.finished and n not in self.progress.outputs
                ]:
                    self._skip(key, f"needs {lost[0]}")
                elif any(need not in self.progress.outputs for need in step.needs):
                    continue
                else:
                    ready = self._decide_again(step, decision)
                    if ready is not None and ready.ingredients is not None:
                        self.progress.ingredients[key] = ready.ingredients
                    if ready is not None and ready.action == "run" and len(active) >= self.workers:
                        waiting[key] = ready
                        continue
                    if ready is not None and ready.action == "run":
                        active[
                            pool.submit(self.steps.perform, step, ready, dict(self.progress.manifests))
                        ] = key
                    elif ready is not None and ready.manifest:
                        self._accept(key, ready.manifest, StepFinished(
                            time.time(), self.id, key, "cached", ready.reason, ready.fingerprint,
                            executed=ready.manifest.executed,
                        ))  # fmt: skip
                del waiting[key]
                moved = True

    def _next(self, waiting: Mapping[str, Decision], active: Collection[str]) -> list[Step]:
        """The steps that are likely to start as soon as one that is active ends, as many as can."""
        if self.interrupted or (self.failing and not self.keep_going):
            return []
        known = {*self.progress.outputs, *active}
        steps = (self.pipeline.steps[key] for key, decision in waiting.items() if decision.action != "cached")
        return list(islice((step for step in steps if known.issuperset(step.needs)), self.workers))

    def _decide_again(self, step: Step, decision: Decision) -> Decision | None:
        """The final decision about a step whose inputs are known; None when deciding failed."""
        if decision.ingredients is not None:
            return decision
        try:
            ingredients = self.surroundings.ingredients(step, self.progress.outputs)
        except WorkbenchError as error:
            failure = Failure("infrastructure", str(error))
            self._finished(
                StepFinished(time.time(), self.id, step.key, "failed", decision.reason, failure=failure)
            )
            return None
        forced = self.plan.forced.get(step.key)
        return decide(step, ingredients, self.pipeline.name, self.surroundings.store, forced=forced)

    def _settle(self, key: str, future: Future[Settled]) -> None:
        settled = future.result()
        if settled.manifest:
            self._accept(key, settled.manifest, settled.finished)
        else:
            self._finished(settled.finished)

    def _accept(self, key: str, manifest: Manifest, finished: StepFinished) -> None:
        digests = {name: stored.digest for name, stored in manifest.outputs.items()}
        self.progress.outputs[key] = digests
        self.progress.manifests[key] = manifest
        self._finished(replace(finished, outputs=digests))
        self._deliver()

    def _skip(self, key: str, reason: str) -> None:
        self._finished(StepFinished(time.time(), self.id, key, "skipped", reason))

    def _finished(self, event: StepFinished) -> None:
        self.progress.finished[event.step] = event
        self.failing = self.failing or event.state == "failed"
        self._emit(event)

    def _deliver(self) -> None:
        """Hand the model over as soon as it is due."""
        if self.delivered or not is_due(self.pipeline, self.progress.outputs):
            return
        self.delivered = True
        known = self.progress
        self._emit(deliver(
            self.pipeline, known.manifests, known.ingredients, self.surroundings.store, installed_packages(), self.id, self.folder
        ))  # fmt: skip

    # After the last step

    def _registered(self, event: Event) -> None:
        if isinstance(event, ModelRegistered):
            self.version = event.version
        if isinstance(event, ModelJudged):
            self.judged = event
        self._emit(event)

    def _emit(self, event: Event) -> None:
        with self._lock:
            for listener in self._listeners:
                listener(event)


def _all_cached(plan: Plan) -> dict[str, StepFinished]:
    return {
        key: StepFinished(
            time.time(), "", key, "cached", d.reason, d.fingerprint,
            outputs={name: stored.digest for name, stored in d.manifest.outputs.items()} if d.manifest else {},
            executed=d.manifest.executed if d.manifest else None,
        )
        for key, d in plan.decisions.items()
    }  # fmt: skip
