"""Rows of the ledger as frozen values, and what each event of a run writes into them."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import psutil
import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench import spool
from workbench.events import (
    Event,
    Failure,
    ModelReady,
    ModelRegistered,
    RunFinished,
    RunStarted,
    State,
    StepFinished,
    StepRetried,
    StepStarted,
)
from workbench.settings import os_user


@dataclass(frozen=True)
class Run:
    """One execution of a plan. Times are seconds since the epoch, UTC."""

    id: str
    pipeline: str
    file: str
    state: State
    message: str
    parameters: Mapping[str, Any]
    steps: tuple[str, ...]
    workers: int
    git_commit: str | None
    git_dirty: bool | None
    started: float
    finished: float | None
    seconds: float | None
    host: str
    pid: int
    process_started: float
    heartbeat: float
    mlflow_run: str | None
    synced: str | None
    """The state that MLflow knows of; None while it knows nothing."""


@dataclass(frozen=True)
class StepRun:
    """One step in one run; its host and process are the run's. `executed` is relative to the root."""

    run: str
    step: str
    state: State
    reason: str
    fingerprint: str | None
    notebook: str | None
    executed: str | None
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    started: float | None
    finished: float | None
    seconds: float | None
    attempts: int
    cells: int
    tracked: bool
    failure: Failure | None
    peak_memory: int | None
    notices: tuple[str, ...]
    mlflow_run: str | None
    synced: str | None


@dataclass(frozen=True)
class Delivery:
    """A model that a run made: `pending`, then `registered` (or `lost`: its content is gone)."""

    model: str
    digest: str
    run: str
    step: str
    folder: str
    evaluation: str | None
    state: str
    version: int | None
    author: str | None = None
    """Who ran the pipeline that delivered it; None where that was not recorded."""
    attachments: Mapping[str, str] | None = None
    """Files that go with the version, by name; paths like `folder`."""


@dataclass(frozen=True)
class Verdict:
    """What the gate said about a version, as recorded: see `Ledger.record_verdict`."""

    id: int
    model: str
    version: int
    created: float
    run: str | None
    passed: bool
    outcome: str
    champion_version: int | None
    """The champion that it was judged against; None when there was none."""
    content: Mapping[str, Any]
    """`thresholds`: a list of objects with `name`, `passed`, `reason` and evidence; more as the gate likes."""
    digest: str

    @property
    def failed(self) -> tuple[tuple[str, str], ...]:
        """Name and reason of each threshold that did not pass."""
        thresholds = self.content.get("thresholds", ())
        return tuple(
            (str(each.get("name", "?")), str(each.get("reason", "")))
            for each in thresholds
            if isinstance(each, Mapping) and not each.get("passed")
        )


def this_process() -> spool.Process:
    """This process, as runs remember it."""
    me = psutil.Process()
    return spool.Process(socket.gethostname(), me.pid, me.create_time())


EventRow = tuple[sa.Table, dict[str, Any], tuple[str, ...] | None]
"""A table, the columns that an event tells, and which of them only a new row takes; None: there must be one."""


def shape_of(row: EventRow) -> tuple[str, tuple[str, ...], tuple[str, ...] | None]:
    table, values, only_new = row
    return table.name, tuple(values), only_new


def rows_of(event: Event, process: spool.Process | None) -> Iterator[EventRow]:
    """What one event says, as partial rows."""
    said = {name: _clean(value) for name, value in vars(event).items() if name not in {"time", "run"}}
    if isinstance(event, RunStarted):
        yield (
            schema.runs,
            {
                **said,
                "id": event.run,
                "steps": list(event.steps),
                "state": "running",
                "started": event.time,
                "heartbeat": event.time,
                "host": socket.gethostname(),
                "pid": psutil.Process().pid,
                "process_started": psutil.Process().create_time(),
            },
            (),
        )
    elif isinstance(event, StepStarted):
        attempts = {"attempts": said.pop("attempt")}
        yield schema.step_runs, {"run": event.run, **said, **attempts, **_begun(event)}, ()
    elif isinstance(event, StepRetried):
        keys = {"run": event.run, "step": event.step, "state": "running"}
        yield schema.step_runs, {**keys, "attempts": event.attempt, "failure": asdict(event.failure)}, ()
    elif isinstance(event, StepFinished):
        said["failure"] = asdict(event.failure) if event.failure else None
        said["notices"] = list(event.notices)
        kept = {name: value for name, value in said.items() if value is not None or name == "failure"}
        if event.state in {"cached", "skipped"}:
            kept["started"] = event.time
        yield schema.step_runs, {"run": event.run, **kept, "finished": event.time}, ()
    elif isinstance(event, ModelReady):
        yield (
            schema.deliveries,
            {"run": event.run, **said, "state": "pending", "author": os_user()},
            ("author",),
        )
    elif isinstance(event, ModelRegistered):
        new = {"run": event.run, "step": "", "folder": ""}
        yield schema.deliveries, {**said, "state": "registered", **new}, tuple(new)
    elif isinstance(event, RunFinished):
        yield schema.runs, {"id": event.run, **said, "finished": event.time}, None


def _begun(event: StepStarted) -> dict[str, Any]:
    return {"state": "running", "started": event.time, "finished": None, "synced": None}


def _clean(value: Any) -> Any:
    """Text that both databases take: no lone surrogates and no NUL, which output of a kernel may hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "")
    return dict(value) if isinstance(value, Mapping) else value


def as_run(row: sa.Row[Any]) -> Run:
    return Run(**{**row._mapping, "steps": tuple(row.steps)})


def as_step_run(row: sa.Row[Any]) -> StepRun:
    values = dict(row._mapping)
    for name in ("parameters", "inputs", "outputs"):
        values[name] = values[name] or {}
    known = {each.name for each in fields(Failure)}
    told = values["failure"]
    values["failure"] = Failure(**{k: v for k, v in told.items() if k in known}) if told else None
    values["notices"] = tuple(values["notices"] or ())
    return StepRun(**values)
