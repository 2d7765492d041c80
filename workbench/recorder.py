"""Recording beside the steps: events go to the ledger from a thread, and to MLflow from a process.

The run never waits for either, with one exception: a notebook that imports mlflow needs the id of its MLflow
run before it starts. Where the ledger or MLflow fails, the run goes on, and `notices` says so once.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench import spool
from workbench.errors import LedgerError
from workbench.events import (
    CellStarted,
    Event,
    Listener,
    ModelJudged,
    ModelReady,
    ModelRegistered,
    RunFinished,
    RunStarted,
    StepOutput,
    StepStarted,
)
from workbench.mlflow_store import database
from workbench.settings import Project
from workbench.tracker import Tracker

if TYPE_CHECKING:
    from workbench.ledger import Ledger

BATCH_SECONDS = 0.05
HEARTBEAT_SECONDS = 10.0

PATIENCE_SECONDS = 10.0
"""A run that nobody waits for in MLflow is sent when it is this old or ends: in one of seconds, MLflow's start
would take more of the cores than the steps."""


_TOLD = {kind.__name__: kind for kind in (ModelRegistered, ModelJudged)}
"""Events that come from the tracking process."""


class Recorder:
    """Writes one run's events. `listen` and `mlflow_run` may be called from any thread.

    Listeners get the events that come from here: ModelRegistered, from a thread of the recorder's.
    `awaited`: somebody will wait for MLflow, a notebook for its run or the caller at the end: so it is sent to
    from the beginning and with a fair part of the cores.
    """

    def __init__(self, project: Project, listeners: Sequence[Listener] = (), awaited: bool = True) -> None:
        self.project = project
        self.notices: list[str] = []
        self._listeners = tuple(listeners)
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._unwritten: list[Event] = []
        self._held = not spool.unsettled(project)
        """Whether nothing has run yet, so that the ledger need not be opened."""
        self._ledger: Ledger | None = None
        self._runs: set[str] = set()
        self._must_wait = False
        self._awaited, self._postponed = awaited, False
        self._began = time.monotonic()
        self._tracker = Tracker(project, self._hear, awaited) if project.mlflow_enabled else None
        self._changed = threading.Condition()
        self._mlflow_runs: dict[tuple[str, str | None], str] = {}
        self._thread = threading.Thread(target=self._write_all, name="recorder", daemon=True)
        self._thread.start()

    def listen(self, event: Event) -> None:
        """Take one event; returns at once."""
        if not isinstance(event, CellStarted | StepOutput):
            self._must_wait |= isinstance(event, ModelReady) or (
                isinstance(event, RunFinished) and event.state != "done"
            )
            self._events.put(event)

    def mlflow_run(self, run: str, step: str, timeout: float = 30.0) -> str | None:
        """The MLflow run of a step run whose StepStarted was heard before; waits until there is one.

        None when MLflow is off or cannot be reached in `timeout` seconds, which is then noted.
        """
        if self._tracker is None:
            return None
        deadline = time.monotonic() + timeout
        with self._changed:
            while (run, step) not in self._mlflow_runs:
                left = deadline - time.monotonic()
                if self._tracker.down or left <= 0:
                    break
                self._changed.wait(min(left, 0.5))
            found = self._mlflow_runs.get((run, step))
        if found is None:
            self._note(
                "MLflow did not answer in time: what notebooks log themselves is kept in "
                "'.workbench/unrecorded' and not shown with the run"
            )
        return found

    def close(self, wait: bool = True, timeout: float = 120.0) -> None:
        """Write what is left; with `wait` also until MLflow has it, at most `timeout` seconds.

        Without, the tracking process goes on alone, unless that could lose something (see `_is_awaited`).
        What MLflow has not got in the end stays in the ledger, and the next run sends it.
        """
        if not self._thread.is_alive():
            return
        self._events.put(None)
        self._thread.join()
        wait = wait or self._is_awaited()
        if self._tracker is not None and not self._tracker.close(timeout if wait else 0.0) and wait:
            self._note(
                "MLflow has not got everything yet; the ledger keeps it and the next run sends it "
                f"(log: {self._tracker.log})"
            )
        if self._ledger is not None:
            self._try(self._settle)
            self._ledger.close()

    def _is_awaited(self) -> bool:
        """Whether this run must not end before MLflow has it.

        Somebody waits for the number of a model's version; or the run did not go well, and then nothing is to
        be left running; or MLflow is elsewhere, and a container that ends with the run would take along what
        MLflow has not got. A database of the project's own stays or goes together with the ledger.
        """
        return self._must_wait or database(self.project) is None

    def _write_all(self) -> None:
        """The thread: write events in order, in batches, and say now and then that the run lives."""
        beat = time.monotonic() + HEARTBEAT_SECONDS
        last = False
        while not last:
            try:
                event = self._events.get(timeout=max(0.0, beat - time.monotonic()))
                last = self._write(self._batch(event))
            except queue.Empty:
                beat = time.monotonic() + HEARTBEAT_SECONDS
                self._held = False
                self._write([])
                self._beat()

    def _batch(self, first: Event | None) -> list[Event | None]:
        """The first event and all that come shortly after it."""
        events = [first]
        until = time.monotonic() + BATCH_SECONDS
        # What somebody waits for is not held back.
        while events[-1] is not None and not isinstance(events[-1], StepStarted):
            try:
                events.append(self._events.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                break
        return events

    def _write(self, events: list[Event | None]) -> bool:
        """Write a batch and wake the tracker for it; whether it was the last."""
        new = [event for event in events if event is not None]
        last = len(new) < len(events)
        self._unwritten += new
        self._runs |= {event.run for event in new if isinstance(event, RunStarted)}
        self._runs -= {event.run for event in new if isinstance(event, RunFinished)}
        if self._held and not self._tells_of_work(new):
            self._spool()
            if not (last and self._unwritten):
                return last
        self._held = False
        if self._tracker is not None and self._awaited and self._tells_of_work(new):
            self._tracker.start()  # its imports take longer than opening the ledger here
        if self._try(self._flush) and self._tracker is not None:
            self._postponed |= self._worth_sending(new)
            if self._postponed and (last or self._is_time()):
                self._tracker.poke()
                self._postponed = False
        return last

    def _spool(self) -> None:
        """Leave a run in which nothing ran beside the ledger, once it has ended."""
        told = self._unwritten
        if not told or not (isinstance(told[0], RunStarted) and isinstance(told[-1], RunFinished)):
            return
        try:
            spool.put(self.project, told[0].run, told)
        except OSError as error:
            self._note(f"the run cannot be recorded in '{self.project.state}': {error.strerror}")
        told.clear()

    def _flush(self, ledger: Ledger) -> None:
        if self._unwritten:
            ledger.record_all(self._unwritten)
            self._unwritten.clear()

    def _worth_sending(self, events: list[Event]) -> bool:
        """Whether MLflow lacks something: a run in which nothing runs does not start the tracker."""
        if self._tells_of_work(events):
            return True
        if self._tracker is not None and self._tracker.started:
            return bool(events)
        ended = any(isinstance(event, RunFinished) for event in events)
        return ended and self._ledger is not None and any(self._ledger.untracked())

    def _tells_of_work(self, events: list[Event]) -> bool:
        return any(isinstance(event, StepStarted | ModelReady) for event in events)

    def _is_time(self) -> bool:
        return self._awaited or time.monotonic() - self._began >= PATIENCE_SECONDS

    def _beat(self) -> None:
        for run in self._runs:
            self._try(lambda ledger, run=run: ledger.heartbeat(run))  # type: ignore[misc]

    def _settle(self, ledger: Ledger) -> None:
        if self._tracker is None or ledger.settled():
            spool.settle(self.project)

    def _try(self, act: Callable[[Ledger], None]) -> bool:
        """Do something with the ledger; when it fails, say so once and keep the events for later."""
        try:
            if self._ledger is None:
                from workbench.ledger import Ledger

                self._ledger = Ledger.open(self.project)
                spool.mark(self.project)
                self._ledger.reconcile()
            act(self._ledger)
        except (LedgerError, OSError) as error:
            self._note(f"{error}; the run goes on, but it may be missing in 'workbench runs'")
            return False
        return True

    def _hear(self, message: Mapping[str, Any]) -> None:
        """Something that the tracker says, in its thread."""
        if notice := message.get("notice"):
            self._note(f"{notice}; what MLflow lacks stays in the ledger and is sent later")
        elif warning := message.get("warning"):
            self._note(warning)
        elif kind := _TOLD.get(message.get("event", "")):
            event = kind(**{name: value for name, value in message.items() if name != "event"})
            for listener in self._listeners:
                listener(event)
        elif "mlflow_run" in message:
            self._mlflow_runs[message["run"], message["step"]] = message["mlflow_run"]
        with self._changed:
            self._changed.notify_all()

    def _note(self, notice: str) -> None:
        if notice not in self.notices:
            self.notices.append(notice)
