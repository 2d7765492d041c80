"""The scheduler: `python -m workbench.service.scheduler ROOT`, a part of `workbench up`.

    Scheduler.tick
    ├── lease            one scheduler works, however many there are
    ├── reconcile        requests whose process is gone
    ├── _look            triggers: decided, on record, their requests in the queue
    ├── _cancel          runs that somebody cancelled are told to stop
    ├── _begin           a process for each request whose turn it is
    └── jobs             windows that ended are monitored, alerts are told

It keeps nothing that matters in its memory: killed at any moment, the next one goes on from what the ledger says.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from workbench import ledger_leases as leases
from workbench import ledger_queue as queue
from workbench import ledger_triggers
from workbench.digests import Digests
from workbench.errors import LedgerError, WorkbenchError
from workbench.ledger import Ledger
from workbench.ledger_queue import Request
from workbench.processes import Process
from workbench.service.asking import look_at
from workbench.service.clock import Clock, clock_here
from workbench.service.jobs import Jobs, due
from workbench.service.pipelines import Pipelines
from workbench.service.world import world
from workbench.settings import Project, read_project
from workbench.triggers import LATE

LEASE_SECONDS = 30.0
"""How long after the last sign of a scheduler on another host the next one takes over."""

PATIENCE = 30.0
"""Seconds that runs have to stop when the service ends."""

Say = Callable[[str], None]


class Scheduler:
    """The state of one scheduler: processes that it has begun, files that it has read."""

    def __init__(self, project: Project, ledger: Ledger, clock: Clock, say: Say) -> None:
        self.project, self.ledger, self.clock, self.say = project, ledger, clock, say
        self.me = Process.this()
        self.leads = False
        self.begun: dict[int, subprocess.Popen[bytes]] = {}
        """By the number of the request."""
        self._asked_to_stop: set[Process] = set()
        self._pipelines = Pipelines(project, say)
        self._jobs = Jobs(project, say)
        self._digests = Digests(project.root, project.store / "digests.json")

    def tick(self) -> None:
        """One look at everything. Raises LedgerError."""
        leads = leases.lease(self.ledger, leases.SCHEDULER, self.me, LEASE_SECONDS)
        if leads != self.leads:
            self.say("at work" if leads else "another scheduler is at work; this one waits")
        self.leads = leads
        if not leads:
            return
        self._reap()
        for request in queue.reconcile(self.ledger, self.clock.now()):
            self.say(f"request {request.id} ({request.pipeline}): {request.state}: {request.message}")
        self._look()
        self._cancel()
        self._begin()
        self._jobs.look_after(due(self.project, self.ledger, self._pipelines.read()))

    def _look(self) -> None:
        """Decide about every trigger."""
        # A tick is late by its own pace, which a clock that runs faster stretches.
        late = LATE + 2 * self.project.service.check_every * (self.clock.speed - 1)
        for pipeline in self._pipelines.read():
            for trigger in pipeline.triggers:
                now = self.clock.now()
                known = ledger_triggers.known(self.ledger, pipeline.name, trigger.name, now)
                seen = world(self.project, self.ledger, self._digests, pipeline.name, trigger, now, late)
                decision, made = look_at(self.ledger, pipeline, trigger, known, seen)
                what = f"trigger '{trigger.name}' of '{pipeline.name}'"
                for number in made:
                    self.say(f"request {number}: {what}: {decision.reason}")
                for slot in decision.slots:
                    if not slot.run:
                        self.say(f"skipped: {what}: {slot.reason}")
                if decision.quarantine:
                    self.say(f"paused: {what}: {decision.reason}")

    # Runs

    def _begin(self) -> None:
        """A process for each request whose turn it is, as many as may run at a time."""
        running = {each.id for each in queue.requests(self.ledger, states=("running",))}
        free = self.project.service.runs - len(running | self.begun.keys())
        for request in queue.ready(self.ledger, self.clock.now()):
            if free <= 0:
                break
            if request.id not in self.begun:
                self.begun[request.id] = self._start(request)
                free -= 1

    def _start(self, request: Request) -> subprocess.Popen[bytes]:
        """`workbench queue run ID`, in a session of its own: it outlives this process."""
        log = request_log(self.project, request.id)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "workbench", "queue", "run", str(request.id)],
                cwd=self.project.root, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        self.say(f"request {request.id}: run of '{request.pipeline}' (process {process.pid}), log {log}")
        return process

    def _reap(self) -> None:
        """Take note of processes that have ended; one that never took its request counts as a try."""
        for number, process in list(self.begun.items()):
            code = process.poll()
            if code is None:
                continue
            del self.begun[number]
            request = queue.request(self.ledger, number)
            if request.state == "waiting" and request.owner is None and code not in (0, 143):
                what = f"its process ended with {code} before it took the request; see {request_log(self.project, number)}"
                queue.failed_to_begin(self.ledger, number, what, self.clock.now())
                request = queue.request(self.ledger, number)
            self.say(f"request {number} ({request.pipeline}): {request.state}: {request.message}")

    def _cancel(self) -> None:
        for request in queue.requests(self.ledger, states=("running",)):
            if request.cancelled_by is not None:
                self._stop(request)

    def _stop(self, request: Request) -> None:
        """Have a run of this host stop, once."""
        owner = Process.read(request.owner) if request.owner else None
        if owner is not None and owner.alive and owner not in self._asked_to_stop:
            self._asked_to_stop.add(owner)
            with contextlib.suppress(ProcessLookupError):
                os.kill(owner.pid, signal.SIGTERM)

    # The end

    def close(self) -> None:
        """Have the runs stop; each waits again in the queue. Those that do not stop in time are killed."""
        self._jobs.close()
        deadline = time.monotonic() + PATIENCE
        while working := list(self._working()):
            for request, owner in working:
                self._stop(request)
                if time.monotonic() > deadline:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(owner.pid, signal.SIGKILL)
            time.sleep(0.05)
        for process in self.begun.values():
            process.terminate()
            process.wait()
        queue.reconcile(self.ledger, self.clock.now())
        leases.release(self.ledger, leases.SCHEDULER, self.me)

    def _working(self) -> Iterator[tuple[Request, Process]]:
        """Runs on this host that a scheduler began; not those that a person runs in a terminal."""
        for request in queue.requests(self.ledger, states=("running",)):
            owner = Process.read(request.owner) if request.owner else None
            if owner is not None and owner.alive and _leads_session(owner.pid):
                yield request, owner


def request_log(project: Project, number: int) -> Path:
    """Where the run of a request says what happens."""
    return project.request_logs / f"{number}.log"


def _leads_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def main(root: Path) -> int:
    """Tick until SIGTERM or SIGINT. A ledger that fails is tried again."""
    project, clock = read_project(root), clock_here()
    wake, over = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        over.set()
        wake.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    signal.signal(signal.SIGCHLD, lambda *_: wake.set())
    with Ledger.open(project) as ledger:
        scheduler = Scheduler(project, ledger, clock, _say)
        while not over.is_set():
            wake.clear()
            try:
                scheduler.tick()
            except LedgerError as error:
                _say(f"trouble: {error}")
            wake.wait(project.service.check_every)
        scheduler.close()
    return 0


def _say(line: str) -> None:
    print(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {line}", flush=True)  # noqa: T201 - it is a program


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except WorkbenchError as error:
        sys.exit(f"error: {error}")
