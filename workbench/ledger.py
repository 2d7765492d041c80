"""The ledger: which runs and step runs there are, in what state, by which process. Operations, not science.

A `Ledger` listens to the events of a run and writes what they say; everyone else reads frozen rows. MLflow
gets its runs from here (see tracking), so what MLflow lacks is a query, and a crash loses nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench import spool
from workbench.digests import digest_bytes
from workbench.errors import BadInput, LedgerError, did_you_mean
from workbench.events import Event
from workbench.ledger_rows import Delivery, Run, StepRun, Verdict, as_run, as_step_run, rows_of, shape_of
from workbench.processes import Process
from workbench.settings import Project
from workbench.trail import canonical

STALE_SECONDS = 120.0
"""A run on another host counts as crashed when its last heartbeat is older than this."""

__all__ = ["Delivery", "Ledger", "Run", "StepRun", "Verdict", "alive"]

SENT_STATES = ("running", "done", "failed", "interrupted", "crashed")
"""States of a step run that did start, and so has an MLflow run; cached and skipped ones are on the parent."""


class Ledger:
    """The operational database of one project. Safe to use from several threads and processes.

    Every method raises LedgerError when the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._place = engine.url.database or engine.url.render_as_string()

    @classmethod
    def open(cls, project: Project, patience: float = schema.BUSY_SECONDS) -> Ledger:
        """The project's ledger, made or brought to this version's schema when needed.

        `patience`: seconds that it waits, each time, for another process that has locked the database (SQLite).
        """
        ledger = cls(schema.connect(project.ledger_url, project.state / "ledger.lock", patience))
        for file in spool.waiting(project):
            if told := spool.take(file):
                ledger.record_all(told[1], told[0])
                file.unlink(missing_ok=True)
        return ledger

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

    def record_all(self, events: Iterable[Event], process: spool.Process | None = None) -> None:
        """Write events in one transaction: all of them or none. Writing one again changes nothing.

        `process` runs the runs that start (default: this one).
        """
        with self.writing() as connection:
            alike = groupby((row for event in events for row in rows_of(event, process)), key=shape_of)
            for (_, _, only_new), rows in alike:
                group = list(rows)
                self._write(connection, group[0][0], [row for _, row, _ in group], only_new)

    def heartbeat(self, run: str) -> None:
        """Say that the run's process lives. Takes back a `crashed` that another host gave by mistake."""
        with self.writing() as connection:
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
        with self.writing() as connection:
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
        with self.writing() as connection:
            connection.execute(table.update().where(*mine).values(**known))

    def record_verdict(
        self,
        model: str,
        version: int,
        *,
        passed: bool,
        outcome: str,
        content: Mapping[str, Any],
        champion_version: int | None = None,
        run: str | None = None,
        created: float | None = None,
    ) -> Verdict:
        """Add what a gate said about a version; the newest one counts, and none is ever changed.

        `content` is plain: `thresholds`, a list of objects with `name`, `passed`, `reason` and evidence values,
        and whatever else the gate wants kept. Numbers that JSON lacks (NaN, infinity) become text.
        """
        plain = json.loads(canonical(content))
        said = {"passed": passed, "outcome": outcome, "champion_version": champion_version, "content": plain}
        row = {
            **said, "model": model, "version": version, "run": run,
            "created": time.time() if created is None else created,
            "digest": digest_bytes(canonical({"model": model, "version": version, **said}).encode()),
        }  # fmt: skip
        with self.writing() as connection:
            id_ = connection.execute(schema.verdicts.insert().values(row)).inserted_primary_key
        return Verdict(id=int(id_[0]) if id_ else 0, **row)

    # Reading

    def verdict(self, model: str, version: int) -> Verdict | None:
        """The newest verdict on a version, or None while it was not judged."""
        table = schema.verdicts
        query = sa.select(table).where(table.c.model == model, table.c.version == version)
        found = self.read(query.order_by(table.c.id.desc()).limit(1))
        return Verdict(**found[0]._mapping) if found else None

    def delivery(self, model: str, version: int) -> Delivery | None:
        """What was delivered as that version; None when no run of this ledger delivered it."""
        table = schema.deliveries
        query = sa.select(table).where(table.c.model == model, table.c.version == version)
        return next((Delivery(**row._mapping) for row in self.read(query)), None)

    def runs(
        self, pipeline: str | None = None, state: str | None = None, limit: int | None = 50
    ) -> list[Run]:
        """Runs, the newest first."""
        query = sa.select(schema.runs).order_by(schema.runs.c.started.desc(), schema.runs.c.id.desc())
        if pipeline is not None:
            query = query.where(schema.runs.c.pipeline == pipeline)
        if state is not None:
            query = query.where(schema.runs.c.state == state)
        return [as_run(row) for row in self.read(query.limit(limit))]

    def run(self, name: str) -> Run:
        """The run with this id, or the only one whose id starts so. Raises BadInput when there is none."""
        column = schema.runs.c.id
        query = sa.select(schema.runs).where(column.startswith(name, autoescape=True)).order_by(column)
        found = [as_run(row) for row in self.read(query.limit(20))]
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
        found = [as_step_run(row) for row in self.read(query)]
        steps = next(iter(self.read(sa.select(schema.runs.c.steps).where(schema.runs.c.id == run))), None)
        order = {step: place for place, step in enumerate(steps.steps)} if steps else {}
        return sorted(found, key=lambda each: (order.get(each.step, len(order)), each.step))

    def step_run(self, run: str, step: str) -> StepRun | None:
        """One step run, or None while it has not begun."""
        table = schema.step_runs
        query = sa.select(table).where(table.c.run == run, table.c.step == step)
        return next((as_step_run(row) for row in self.read(query)), None)

    def last_step_run(self, pipeline: str, step: str) -> StepRun | None:
        """The newest step run of this step that did start (not cached, not skipped)."""
        table = schema.step_runs
        query = (
            sa.select(table)
            .join(schema.runs, schema.runs.c.id == table.c.run)
            .where(schema.runs.c.pipeline == pipeline, table.c.step == step, table.c.state.in_(SENT_STATES))
            .order_by(table.c.started.desc())
        )
        return next((as_step_run(row) for row in self.read(query.limit(1))), None)

    def ran(self, fingerprint: str) -> StepRun | None:
        """The newest step run that did what this fingerprint says, rather than take it from the cache."""
        table = schema.step_runs
        query = (
            sa.select(table)
            .where(table.c.fingerprint == fingerprint, table.c.state == "done")
            .order_by(table.c.started.desc())
        )
        return next((as_step_run(row) for row in self.read(query.limit(1))), None)

    def mlflow_run_of(self, fingerprint: str) -> str | None:
        """The MLflow run of the newest step run with this fingerprint that has one: it made the outputs."""
        table = schema.step_runs
        query = (
            sa.select(table.c.mlflow_run)
            .where(table.c.fingerprint == fingerprint, table.c.mlflow_run.is_not(None))
            .order_by(table.c.started.desc())
        )
        return next((row.mlflow_run for row in self.read(query.limit(1))), None)

    def untracked(self) -> tuple[list[Run], list[StepRun]]:
        """Runs and step runs whose state MLflow does not know yet, the oldest first.

        A run in which nothing ran is never one of them: it holds no science.
        """
        started = sa.select(schema.step_runs.c.run).where(schema.step_runs.c.state.in_(SENT_STATES))
        runs = self.read(
            sa.select(schema.runs)
            .where(_unsent(schema.runs), schema.runs.c.id.in_(started))
            .order_by(schema.runs.c.started)
        )
        steps = self.read(
            sa.select(schema.step_runs)
            .where(_unsent(schema.step_runs), schema.step_runs.c.state.in_(SENT_STATES))
            .order_by(schema.step_runs.c.started)
        )
        return [as_run(row) for row in runs], [as_step_run(row) for row in steps]

    def lose(self, delivery: Delivery) -> None:
        """Note that a delivery's content is gone, so that nobody tries to register it again."""
        table = schema.deliveries
        mine = [table.c.model == delivery.model, table.c.digest == delivery.digest]
        with self.writing() as connection:
            connection.execute(table.update().where(*mine).values(state="lost"))

    def deliveries(self, state: str | None = None) -> list[Delivery]:
        """Models that runs made, in the order of their runs."""
        query = sa.select(schema.deliveries).order_by(schema.deliveries.c.run, schema.deliveries.c.model)
        if state is not None:
            query = query.where(schema.deliveries.c.state == state)
        return [Delivery(**row._mapping) for row in self.read(query)]

    def unjudged(self) -> list[Delivery]:
        """Registered versions with gates that wait for their verdict: each delivery is judged once."""
        table, judged = schema.deliveries, schema.verdicts
        known = sa.exists().where(
            judged.c.model == table.c.model, judged.c.version == table.c.version, judged.c.run == table.c.run
        )
        query = sa.select(table).where(table.c.state == "registered", ~known).order_by(table.c.run)
        found = [Delivery(**row._mapping) for row in self.read(query)]
        return [each for each in found if "gates" in (each.attachments or {})]

    def settled(self) -> bool:
        """Whether no run is running, MLflow lacks nothing and every version is judged."""
        return not (
            self.runs(state="running", limit=1)
            or any(self.untracked())
            or self.deliveries("pending")
            or self.unjudged()
        )

    # The database

    @property
    def engine(self) -> sa.Engine:
        return self._engine

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes; on SQLite the only one until it ends."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise LedgerError(schema.unusable(self._place, error)) from error

    def read(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        """The rows of a query."""
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
    found = Process(run.host, run.pid, run.process_started).alive
    return time.time() - run.heartbeat < STALE_SECONDS if found is None else found


def _unsent(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.or_(table.c.synced.is_(None), table.c.synced != table.c.state)
