"""Make MLflow agree with the ledger: small jobs, the most urgent first, each of them safe to repeat.

    sync
    └── next_job      what MLflow lacks, asked anew every time
        └── Sync.do   under a lock: open or finish a run or step run, or register a model

A job may die at any point. Runs carry a tag that finds them again, so a run is never made twice; the ledger
notes a job as done after MLflow has it. Nothing here is needed for a pipeline to run.
"""

from __future__ import annotations

import hashlib
import json
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlflow.entities import Param, RunTag
from mlflow.exceptions import MlflowException

from workbench import registration
from workbench.errors import ModelError, TrackingError
from workbench.events import Event, ModelRegistered
from workbench.ledger import Delivery, Ledger, Run, StepRun
from workbench.locks import locked
from workbench.mlflow_store import connect, unusable
from workbench.rendering import render
from workbench.settings import Project

if TYPE_CHECKING:
    from mlflow import MlflowClient

STATUS = {
    "done": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
    "crashed": "KILLED",
}
PARAMETER_LIMIT, TAG_LIMIT, KEY_LIMIT, BATCH = 6000, 5000, 250, 100
"""MLflow's limits: characters of a parameter's value, a tag's value and a name; entries of one call."""

EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Lets MLflow's pages show training runs; by default they show chats."""

Say = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Job:
    """One thing that MLflow lacks. `open`: a run that began; `finish`: its end; `register`: a model."""

    kind: Literal["open", "finish", "register"]
    of: Run | StepRun | Delivery

    @property
    def key(self) -> tuple[str, ...]:
        if isinstance(self.of, Run):
            return (self.kind, self.of.id)
        if isinstance(self.of, StepRun):
            return (self.kind, self.of.run, self.of.step)
        return (self.kind, self.of.model, self.of.digest)


def sync(
    project: Project,
    ledger: Ledger,
    say: Say = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Do all that MLflow lacks, until nothing is left or `stop()`. Raises TrackingError when it is down.

    `say` is told of each MLflow run that begins, of each registered model, and of what went wrong with one
    run (a `notice`); that run stays in the ledger and is tried again by the next sync.
    """
    worker = Sync(project, ledger, connect(project), say)
    failed: set[tuple[str, ...]] = set()
    while not stop() and (job := next_job(ledger, failed)):
        try:
            worker.do(job)
        except ModelError as error:
            failed.add(job.key)
            say({"notice": str(error)})
        except MlflowException as error:
            if error.error_code in {"TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR"}:
                raise TrackingError(unusable(project, error)) from error
            failed.add(job.key)
            say({"notice": f"MLflow refuses {' '.join(job.key[1:])}: {str(error).splitlines()[0]}"})
        except OSError as error:
            failed.add(job.key)
            say({"notice": f"{' '.join(job.key[1:])} cannot be sent to MLflow: {error}"})


def next_job(ledger: Ledger, failed: set[tuple[str, ...]]) -> Job | None:
    """The most urgent thing that MLflow lacks, leaving out what failed before.

    First the runs that a notebook waits for, then what someone who looks at MLflow now wants to see, then
    the ends of step runs, then models, and last the ends of runs, which tell of all their steps.
    """
    runs, steps = ledger.untracked()
    ranked: list[tuple[int, Job]] = []
    for step in steps:
        if step.state == "running":
            ranked.append((0 if step.tracked else 2, Job("open", step)))
        else:
            ranked.append((3, Job("finish", step)))
    for run in runs:
        ranked.append((1, Job("open", run)) if run.state == "running" else (5, Job("finish", run)))
    ranked += [(4, Job("register", delivery)) for delivery in ledger.deliveries("pending")]
    left = [(rank, place, job) for place, (rank, job) in enumerate(ranked) if job.key not in failed]
    return min(left, key=lambda each: each[:2])[2] if left else None


class Sync:
    """One connection to MLflow; remembers the experiments that it has seen."""

    def __init__(self, project: Project, ledger: Ledger, client: MlflowClient, say: Say) -> None:
        self.project, self.ledger, self.client, self.say = project, ledger, client, say
        self._experiments: dict[str, str] = {}

    def do(self, job: Job) -> None:
        """Do one job. Raises MlflowException, ModelError or OSError."""
        of = job.of
        if job.kind == "finish" and isinstance(of, StepRun) and of.executed:
            render(self.project.root / of.executed)  # slow, and needs no lock
        with locked(self.project.state / "tracking.lock"):
            if isinstance(of, Delivery):
                self._register(of)
            elif isinstance(of, StepRun):
                now = self.ledger.step_run(of.run, of.step)
                if now and now.synced != now.state:
                    self._send(now, self._step_run, lambda id_: self._finish_step(now, id_))
            else:
                run = self.ledger.run(of.id)
                if run.synced != run.state:
                    self._send(run, self._run, lambda id_: self._finish_run(run, id_))

    def _send(self, of: Any, ensure: Callable[[Any], str], finish: Callable[[str], None]) -> None:
        """Have the MLflow run, ended if the ledger says so, and note that. One that vanished is made anew."""
        run, step = (of.id, None) if isinstance(of, Run) else (of.run, of.step)
        try:
            id_ = ensure(of)
            if of.state != "running":
                finish(id_)
            elif of.mlflow_run:
                self.client.update_run(id_, status="RUNNING")  # it was ended as crashed by mistake
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST" or not of.mlflow_run:
                raise
            self.ledger.note_mlflow(run, step, mlflow_run=None)
            return
        self.ledger.note_mlflow(run, step, mlflow_run=id_, synced=of.state)

    def _run(self, run: Run) -> str:
        """The id of the run's MLflow run, which begins now if there is none."""
        if run.mlflow_run:
            return run.mlflow_run
        tags = {
            "workbench.pipeline": run.pipeline,
            "mlflow.runName": run.id,
            "mlflow.source.name": run.file,
            **_commit(run),
        }
        return self._begin(run, run.id, None, run.started, tags)

    def _step_run(self, step: StepRun) -> str:
        """The id of the step run's MLflow run, nested in its run's."""
        if step.mlflow_run:
            return step.mlflow_run
        run = self.ledger.run(step.run)
        parent = self._run(run)
        tags = {
            "workbench.step": step.step,
            "workbench.fingerprint": step.fingerprint or "",
            "workbench.reason": step.reason,
            "mlflow.parentRunId": parent,
            "mlflow.runName": step.step,
            "mlflow.source.name": step.notebook or "",
            "mlflow.source.type": "NOTEBOOK",
            **_commit(run),
        }
        return self._begin(run, run.id, step.step, step.started or run.started, tags)

    def _begin(self, run: Run, name: str, step: str | None, started: float, tags: Mapping[str, str]) -> str:
        experiment = self._experiment(run.pipeline)
        key = _key(name, step)
        found = self.client.search_runs([experiment], f"tags.`workbench.key` = '{key}'", max_results=1)
        if found:
            id_ = str(found[0].info.run_id)
        else:
            said = {"workbench.run": run.id, "workbench.key": key, **tags}
            begun = self.client.create_run(experiment, round(started * 1000), _short(said, TAG_LIMIT))
            id_ = str(begun.info.run_id)
        self.ledger.note_mlflow(name, step, mlflow_run=id_)
        self.say({"run": name, "step": step, "mlflow_run": id_})
        return id_

    def _finish_step(self, step: StepRun, id_: str) -> None:
        known = self.client.get_run(id_)
        if known.info.lifecycle_stage == "deleted":  # by a person, in MLflow; that is respected
            return
        tags = {
            "workbench.state": step.state,
            "workbench.reason": step.reason,
            "workbench.fingerprint": step.fingerprint or "",
            "workbench.attempts": str(step.attempts),
            **{f"workbench.input.{name}": digest for name, digest in step.inputs.items()},
            **{f"workbench.output.{name}": digest for name, digest in step.outputs.items()},
        }
        if step.failure:
            tags["workbench.failure"] = step.failure.message
        # Ours come last: a notebook may log a parameter of the same name, and MLflow never lets one change.
        new = {name: value for name, value in step.parameters.items() if name not in known.data.params}
        self._log(id_, new, tags)
        if step.executed:
            notebook = self.project.root / step.executed
            for file in (notebook, notebook.with_suffix(".html")):
                if file.is_file():
                    self.client.log_artifact(id_, str(file))
        if step.tracked:
            self._end_nested(known.info.experiment_id, id_, step.finished)
        self._end(id_, step.state, step.finished)

    def _finish_run(self, run: Run, id_: str) -> None:
        known = self.client.get_run(id_)
        if known.info.lifecycle_stage == "deleted":
            return
        steps = self.ledger.step_runs(run.id)
        states = [step.state for step in steps]
        tags = {f"workbench.steps.{state}": str(states.count(state)) for state in sorted(set(states))}
        tags |= {"workbench.state": run.state} | ({"workbench.message": run.message} if run.message else {})
        self._log(id_, {k: v for k, v in run.parameters.items() if k not in known.data.params}, tags)
        told = ("step", "state", "reason", "fingerprint", "seconds", "outputs", "mlflow_run")
        table = [{name: getattr(step, name) for name in told} for step in steps]
        self.client.log_text(id_, json.dumps(table, indent=1, default=str), "steps.json")
        self._end(id_, run.state, run.finished)

    def _end(self, id_: str, state: str, finished: float | None) -> None:
        self.client.set_terminated(id_, STATUS[state], round((finished or time.time()) * 1000))

    def _end_nested(self, experiment: str, parent: str, finished: float | None) -> None:
        """End what the notebook began inside its run and, being stopped, could not end itself."""
        query = f"tags.`mlflow.parentRunId` = '{parent}' and attributes.status = 'RUNNING'"
        for nested in self.client.search_runs([experiment], query, max_results=1000):
            self._end_nested(experiment, nested.info.run_id, finished)
            self._end(nested.info.run_id, "interrupted", finished)

    def _log(self, id_: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        values = {name: str(value) for name, value in parameters.items()}
        params = [Param(name, value) for name, value in _short(values, PARAMETER_LIMIT).items()]
        marks = [RunTag(name, value) for name, value in _short(tags, TAG_LIMIT).items()]
        for at in range(0, max(len(params), len(marks)), BATCH):
            self.client.log_batch(id_, params=params[at : at + BATCH], tags=marks[at : at + BATCH])

    def _experiment(self, pipeline: str) -> str:
        """The id of the pipeline's experiment, made or brought back when needed."""
        if pipeline not in self._experiments:
            name = f"{self.project.name}/{pipeline}"
            found = self.client.get_experiment_by_name(name)
            if found is None:
                place = f"{self.project.artifacts_uri}/{urllib.parse.quote(pipeline, safe='')}"
                id_ = self.client.create_experiment(name, place, EXPERIMENT_TAGS)
            else:
                id_ = found.experiment_id
                if found.lifecycle_stage == "deleted":
                    self.client.restore_experiment(id_)
            self._experiments[pipeline] = str(id_)
        return self._experiments[pipeline]

    def _register(self, delivery: Delivery) -> None:
        run = self.ledger.run(delivery.run)
        if not (self.project.root / delivery.folder).is_dir():
            self.ledger.lose(delivery)
            lost = f"model '{delivery.model}' of run {run.id} is not registered: '{delivery.folder}' is gone"
            self.say({"notice": f"{lost}; run the pipeline again"})
            return
        for name, path in (delivery.attachments or {}).items():
            if not (self.project.root / path).is_file():
                gone = f"model '{delivery.model}' of run {run.id} is registered without its {name}"
                self.say({"notice": f"{gone}: '{path}' is gone"})
        step = self.ledger.step_run(delivery.run, delivery.step)
        made_by = self.ledger.mlflow_run_of(step.fingerprint) if step and step.fingerprint else None
        lineage = lineage_of(self.ledger, run)
        read = lineage["steps"].get(delivery.step, {}).get("inputs", {})
        tags = {
            "workbench.pipeline": run.pipeline,
            **_commit(run),
            **_short({f"workbench.input.{name}": digest for name, digest in read.items()}, TAG_LIMIT),
        }
        document = json.dumps(lineage, indent=1, sort_keys=True, default=str).encode()
        version = registration.register(
            self.project, self.client, self.ledger, delivery, tags, made_by or run.mlflow_run,
            {"lineage.json": document},
        )  # fmt: skip
        event: Event = ModelRegistered(time.time(), delivery.run, delivery.model, version, delivery.digest)
        self.ledger.record(event)
        self.say(event.as_json())


def lineage_of(ledger: Ledger, run: Run) -> dict[str, Any]:
    """What a run computed from what: commit, parameters, and of each step its parameters, inputs and outputs.

    A step that was cached is told as it was when it ran.
    """
    steps = {}
    for step in ledger.step_runs(run.id):
        told = ledger.ran(step.fingerprint) if step.state == "cached" and step.fingerprint else None
        made = told or step
        steps[step.step] = {
            "fingerprint": step.fingerprint,
            "run": made.run,
            "parameters": dict(made.parameters),
            "inputs": dict(made.inputs),
            "outputs": dict(step.outputs),
        }
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "commit": run.git_commit,
        "dirty": run.git_dirty,
        "started": run.started,
        "parameters": dict(run.parameters),
        "steps": steps,
    }


def _commit(run: Run) -> dict[str, str]:
    if not run.git_commit:
        return {}
    dirty = "true" if run.git_dirty else "false"
    return {
        "mlflow.source.git.commit": run.git_commit,
        "workbench.git.commit": run.git_commit,
        "workbench.git.dirty": dirty,
    }


def _key(run: str, step: str | None) -> str:
    """What a search finds a run by: step names may hold quotes, which MLflow's filters cannot."""
    return hashlib.sha256(json.dumps([run, step]).encode()).hexdigest()[:24]


def _short(values: Mapping[str, str], limit: int) -> dict[str, str]:
    """Within MLflow's limits; a cut value ends in '…'."""
    cut = {name: value if len(value) <= limit else value[: limit - 1] + "…" for name, value in values.items()}
    return {_name(name): value for name, value in cut.items()}


def _name(name: str) -> str:
    """MLflow takes letters, digits and `_ - . : / space` in names; branches of a fan-out have more."""
    return "".join(each if each.isalnum() or each in "_-.:/ " else "_" for each in name)[:KEY_LIMIT]
