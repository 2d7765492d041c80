"""The ledger: which runs and step runs there are, in what state, by which process. Operations, not science.

A `Ledger` listens to the events of a run and writes what they say; everyone else reads frozen rows. MLflow
gets its runs from here (see tracking), so what MLflow lacks is a query, and a crash loses nothing.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from typing import Any

import psutil
import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench.errors import BadInput, LedgerError, did_you_mean
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
from workbench.settings import Project

STALE_SECONDS = 120.0
"""A run on another host counts as crashed when its last heartbeat is older than this."""

SENT_STATES = ("running", "done", "failed", "interrupted", "crashed")
"""States of a step run that did start, and so has an MLflow run; cached and skipped ones are on the parent."""


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
    """A model that a run made: `pending` until it is a version in the registry. Paths as in ModelReady."""

    model: str
    digest: str
    run: str
    step: str
    folder: str
    evaluation: str | None
    state: str
    version: int | None


class Ledger:
    """The operational database of one project. Safe to use from several threads and processes.

    Every method raises LedgerError when the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._place = engine.url.database or engine.url.render_as_string()

    @classmethod
    def open(cls, project: Project) -> Ledger:
        """The project's ledger, made or brought to this version's schema when needed."""
        return cls(schema.connect(project.ledger_url, project.state / "ledger.lock"))

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Writing

    def record(self, event: Event) -> None:
        """Write one event; a `Listener`. Events that are only for the screen are ignored."""
        self.record_all((event,))

    def record_all(self, events: Iterable[Event]) -> None:
        """Write events in one transaction: all of them or none. Writing one again changes nothing."""
        with self._writing() as connection:
            alike = groupby((row for event in events for row in _rows(event)), key=_shape)
            for (_, _, only_new), rows in alike:
                group = list(rows)
                self._write(connection, group[0][0], [row for _, row, _ in group], only_new)

    def heartbeat(self, run: str) -> None:
        """Say that the run's process lives. Takes back a `crashed` that another host gave by mistake."""
        with self._writing() as connection:
            mine = schema.runs.c.id == run
            connection.execute(schema.runs.update().where(mine).values(heartbeat=time.time()))
            connection.execute(
                schema.runs.update()
                .where(mine, schema.runs.c.state == "crashed")
                .values(state="running", finished=None, message="", synced=None)
            )

    def reconcile(self) -> list[str]:
        """Mark runs whose process is gone as `crashed`, with the step runs that it left; their ids."""
        crashed = [run for run in self.runs(state="running", limit=None) if not alive(run)]
        if not crashed:
            return []
        with self._writing() as connection:
            for run in crashed:
                gone = f"its process {run.pid} on '{run.host}' is gone"
                for table, key in ((schema.runs, "id"), (schema.step_runs, "run")):
                    connection.execute(
                        table.update()
                        .where(table.c[key] == run.id, table.c.state == "running")
                        .values(state="crashed", finished=run.heartbeat)
                    )
                mine = schema.runs.c.id == run.id
                connection.execute(schema.runs.update().where(mine).values(message=gone))
        return [run.id for run in crashed]

    def note_mlflow(self, run: str, step: str | None = None, **known: str | None) -> None:
        """Note what MLflow has of a run or step run: `mlflow_run` (its id) and `synced` (the state sent)."""
        table = schema.runs if step is None else schema.step_runs
        mine = [table.c.id == run] if step is None else [table.c.run == run, table.c.step == step]
        with self._writing() as connection:
            connection.execute(table.update().where(*mine).values(**known))

    # Reading

    def runs(
        self, pipeline: str | None = None, state: str | None = None, limit: int | None = 50
    ) -> list[Run]:
        """Runs, the newest first."""
        query = sa.select(schema.runs).order_by(schema.runs.c.started.desc(), schema.runs.c.id.desc())
        if pipeline is not None:
            query = query.where(schema.runs.c.pipeline == pipeline)
        if state is not None:
            query = query.where(schema.runs.c.state == state)
        return [_run(row) for row in self._read(query.limit(limit))]

    def run(self, name: str) -> Run:
        """The run with this id, or the only one whose id starts so. Raises BadInput when there is none."""
        column = schema.runs.c.id
        query = sa.select(schema.runs).where(column.startswith(name, autoescape=True)).order_by(column)
        found = [_run(row) for row in self._read(query.limit(20))]
        exact = [run for run in found if run.id == name]
        if len(found) == 1 or exact:
            return (exact or found)[0]
        if found:
            ids = ", ".join(run.id for run in found[:8])
            raise BadInput(f"'{name}' could be more than one run: {ids}; give more of the id")
        known = [run.id for run in self.runs(limit=1000)]
        if not known:
            raise BadInput(f"no run '{name}': nothing has run yet; start with: workbench run PIPELINE")
        raise BadInput(f"no run '{name}'{did_you_mean(name, known)}; see: workbench runs")

    def step_runs(self, run: str) -> list[StepRun]:
        """The step runs of a run, in the order of the run's steps."""
        query = sa.select(schema.step_runs).where(schema.step_runs.c.run == run)
        found = [_step_run(row) for row in self._read(query)]
        steps = next(iter(self._read(sa.select(schema.runs.c.steps).where(schema.runs.c.id == run))), None)
        order = {step: place for place, step in enumerate(steps.steps)} if steps else {}
        return sorted(found, key=lambda each: (order.get(each.step, len(order)), each.step))

    def step_run(self, run: str, step: str) -> StepRun | None:
        """One step run, or None while it has not begun."""
        table = schema.step_runs
        query = sa.select(table).where(table.c.run == run, table.c.step == step)
        return next((_step_run(row) for row in self._read(query)), None)

    def last_step_run(self, pipeline: str, step: str) -> StepRun | None:
        """The newest step run of this step that did start (not cached, not skipped)."""
        table = schema.step_runs
        query = (
            sa.select(table)
            .join(schema.runs, schema.runs.c.id == table.c.run)
            .where(schema.runs.c.pipeline == pipeline, table.c.step == step, table.c.state.in_(SENT_STATES))
            .order_by(table.c.started.desc())
        )
        return next((_step_run(row) for row in self._read(query.limit(1))), None)

    def mlflow_run_of(self, fingerprint: str) -> str | None:
        """The MLflow run of the newest step run with this fingerprint that has one: it made the outputs."""
        table = schema.step_runs
        query = (
            sa.select(table.c.mlflow_run)
            .where(table.c.fingerprint == fingerprint, table.c.mlflow_run.is_not(None))
            .order_by(table.c.started.desc())
        )
        return next((row.mlflow_run for row in self._read(query.limit(1))), None)

    def untracked(self) -> tuple[list[Run], list[StepRun]]:
        """Runs and step runs whose state MLflow does not know yet, the oldest first.

        A run in which nothing ran is never one of them: it holds no science.
        """
        started = sa.select(schema.step_runs.c.run).where(schema.step_runs.c.state.in_(SENT_STATES))
        runs = self._read(
            sa.select(schema.runs)
            .where(_unsent(schema.runs), schema.runs.c.id.in_(started))
            .order_by(schema.runs.c.started)
        )
        steps = self._read(
            sa.select(schema.step_runs)
            .where(_unsent(schema.step_runs), schema.step_runs.c.state.in_(SENT_STATES))
            .order_by(schema.step_runs.c.started)
        )
        return [_run(row) for row in runs], [_step_run(row) for row in steps]

    def deliveries(self, state: str | None = None) -> list[Delivery]:
        """Models that runs made, in the order of their runs."""
        query = sa.select(schema.deliveries).order_by(schema.deliveries.c.run, schema.deliveries.c.model)
        if state is not None:
            query = query.where(schema.deliveries.c.state == state)
        return [Delivery(**row._mapping) for row in self._read(query)]

    # The database

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise LedgerError(schema.unusable(self._place, error)) from error

    def _read(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        try:
            with self._engine.connect().execution_options(reading=True) as connection:
                return list(connection.execute(query))
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise LedgerError(schema.unusable(self._place, error)) from error

    def _write(
        self,
        connection: sa.Connection,
        table: sa.Table,
        rows: list[dict[str, Any]],
        only_new: tuple[str, ...] | None,
    ) -> None:
        """Insert or update by primary key; both databases spell it alike, in dialects of their own."""
        keys = [column.name for column in table.primary_key]
        if only_new is None:
            for row in rows:
                mine = [table.c[key] == row[key] for key in keys]
                connection.execute(table.update().where(*mine).values(row))
            return
        if self._engine.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert
        else:
            from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
        statement = insert(table)
        changes = {name: statement.excluded[name] for name in rows[0] if name not in (*keys, *only_new)}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes), rows)


def alive(run: Run) -> bool:
    """Whether the process of a running run still exists; on another host, whether it was heard of lately."""
    if run.host != socket.gethostname():
        return time.time() - run.heartbeat < STALE_SECONDS
    try:
        process = psutil.Process(run.pid)
        # A process that started at another time is another one that got the same number.
        same = abs(process.create_time() - run.process_started) < 2.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


_Row = tuple[sa.Table, dict[str, Any], tuple[str, ...] | None]
"""A table, the columns that an event tells, and which of them only a new row takes; None: there must be one."""


def _shape(row: _Row) -> tuple[str, tuple[str, ...], tuple[str, ...] | None]:
    table, values, only_new = row
    return table.name, tuple(values), only_new


def _rows(event: Event) -> Iterator[_Row]:
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
        yield schema.deliveries, {"run": event.run, **said, "state": "pending"}, ()
    elif isinstance(event, ModelRegistered):
        new = {"run": event.run, "step": "", "folder": ""}
        yield schema.deliveries, {**said, "state": "registered", **new}, tuple(new)
    elif isinstance(event, RunFinished):
        yield schema.runs, {"id": event.run, **said, "finished": event.time}, None


def _begun(event: StepStarted) -> dict[str, Any]:
    return {"state": "running", "started": event.time, "finished": None, "synced": None}


def _unsent(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.or_(table.c.synced.is_(None), table.c.synced != table.c.state)


def _clean(value: Any) -> Any:
    """Text that both databases take: no lone surrogates and no NUL, which output of a kernel may hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "")
    return dict(value) if isinstance(value, Mapping) else value


def _run(row: sa.Row[Any]) -> Run:
    return Run(**{**row._mapping, "steps": tuple(row.steps)})


def _step_run(row: sa.Row[Any]) -> StepRun:
    values = dict(row._mapping)
    for name in ("parameters", "inputs", "outputs"):
        values[name] = values[name] or {}
    known = {each.name for each in fields(Failure)}
    told = values["failure"]
    values["failure"] = Failure(**{k: v for k, v in told.items() if k in known}) if told else None
    values["notices"] = tuple(values["notices"] or ())
    return StepRun(**values)
