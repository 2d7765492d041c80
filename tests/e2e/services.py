"""`workbench up` in a process of its own, killed at will, and what must hold of the ledger afterwards: tests and benchmark."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from workbench import ledger_queue as queue
from workbench import ledger_triggers as triggers
from workbench.ledger import Ledger
from workbench.loading import load_pipeline
from workbench.schedules import due
from workbench.service.clock import VARIABLE, Clock
from workbench.settings import Project

from .kills import PATIENCE, processes_of

ALONE = ("--no-server", "--no-app", "--no-mlflow")


class Service:
    """A service, with what it said so far."""

    def __init__(self, project: Project, *words: str, clock: Clock | None = None) -> None:
        self.project = project
        self._out = (project.root / "up.log").open("ab")
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"} | ({VARIABLE: str(clock)} if clock else {})
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench", "up", "--plain", *words],
            cwd=project.root, env=environment, stdin=subprocess.DEVNULL, stdout=self._out, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @property
    def said(self) -> str:
        return (self.project.root / "up.log").read_text()

    def log(self, part: str) -> str:
        file = self.project.state / "service" / f"{part}.log"
        return file.read_text() if file.exists() else ""

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait; the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._out.close()
        return code


@contextmanager
def up(project: Project, *words: str, clock: Clock | None = None) -> Iterator[Service]:
    """A service that is ended, and nothing is left of it."""
    service = Service(project, *words, clock=clock)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.end()
        assert none_left(project), [each.cmdline() for each in processes_of(project)]


def none_left(project: Project) -> bool:
    """Whether no process works in the project any more, within PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while any(processes_of(project)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@dataclass
class Havoc:
    """What was done to a service."""

    kills: Counter[str] = field(default_factory=Counter)
    until: float = 0.0
    """Due times up to this one count; by the service's clock."""


def kill_for_days(
    project: Project,
    pipeline: str,
    clock: Clock,
    days: float,
    choice: random.Random,
    pause: tuple[float, float],
) -> Havoc:
    """Have a service work through days, killing it, its scheduler or a run after `pause` seconds, again and again.

    At times a second scheduler is at work beside the first. At the end all is quiet: nothing waits, nothing runs.
    """
    havoc, until = Havoc(), clock.now() + days * 86_400
    service, second = Service(project, *ALONE, clock=clock), None
    while clock.now() < until:
        time.sleep(choice.uniform(*pause))
        victim = choice.choice(["service", "service", "scheduler", "run", "second"])
        if victim == "second" and second is None:
            second = _scheduler(project, clock)
            havoc.kills["a second scheduler came"] += 1
        elif victim == "second" and second is not None:
            second.kill()
            second.wait()
            second = None
            havoc.kills["second scheduler"] += 1
        elif victim == "service":
            service.end(signal.SIGKILL)
            havoc.kills[victim] += 1
            time.sleep(choice.uniform(0, pause[0]))
            service = Service(project, *ALONE, clock=clock)
        else:
            words = "workbench.service.scheduler" if victim == "scheduler" else "queue run"
            found = [each for each in processes_of(project) if words in " ".join(_words(each))]
            if found:
                choice.choice(found).kill()
                havoc.kills[victim] += 1
    _until_quiet(project, pipeline, service, until)
    if second is not None:
        second.terminate()
        second.wait(PATIENCE)
    havoc.until = until
    assert service.end() == 0
    return havoc


def faults(project: Project, pipeline: str, havoc: Havoc) -> list[str]:
    """What does not hold: every due time is a slot once, ran once or was skipped and says so; nothing hangs."""
    with Ledger.open(project) as ledger:
        states, runs = triggers.states(ledger), ledger.runs(pipeline, limit=None)
        asked = queue.requests(ledger, pipeline=pipeline)
        slots = triggers.slots(ledger, pipeline)
    found = [f"run {run.id} hangs" for run in runs if run.state == "running"]
    found += [f"left: {each}" for each in processes_of(project)]
    by_slot = {(each.trigger, each.cause["slot"]): each for each in asked}
    if len(by_slot) != len(asked):
        found.append(f"{len(asked)} requests for {len(by_slot)} slots")
    done = [each.run for each in asked if each.state == "done"]
    if sorted(run.id for run in runs if run.state == "done") != sorted(map(str, done)):
        found.append(f"{len(done)} requests are done, by other runs than those that are")
    for trigger in load_pipeline(pipeline, project=project).triggers:
        since = states[pipeline, trigger.name].first_seen
        mine = [slot for slot in slots if slot.trigger == trigger.name]
        if sorted(slot.due for slot in mine if slot.due <= havoc.until) != due(
            trigger.schedule, trigger.zone, since, havoc.until
        ):
            found.append(f"{trigger.name}: its slots are not its due times")
        for slot in mine:
            request = by_slot.get((slot.trigger, slot.due))
            if slot.state == "skipped" and (request is not None or not slot.reason):
                found.append(f"{trigger.name}: {slot.due} was skipped, for no reason or with a request")
            if slot.state == "requested" and (
                request is None or request.id != slot.request or not _ended(request)
            ):
                found.append(f"{trigger.name}: {slot.due} was requested: {request}")
    return found


def _ended(request: queue.Request) -> bool:
    """Well; or its run was killed as often as it is begun, and it says so."""
    died = request.attempts == queue.TRIES and "died" in request.message
    return request.state == "done" or (request.state == "failed" and died)


def _scheduler(project: Project, clock: Clock) -> subprocess.Popen[bytes]:
    with (project.root / "second.log").open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench.service.scheduler", str(project.root)],
            cwd=project.root, env={**os.environ, VARIABLE: str(clock)}, stdout=out, stderr=out,
        )  # fmt: skip


def _until_quiet(project: Project, pipeline: str, service: Service, until: float) -> None:
    """Until every due time before `until` was decided, and what was asked for has ended; later ones are skipped."""
    declared = load_pipeline(pipeline, project=project).triggers
    with Ledger.open(project) as ledger:

        def quiet() -> bool:
            states = triggers.states(ledger)
            for each in declared:
                state = states[pipeline, each.name]
                times = due(each.schedule, each.zone, state.first_seen, until)
                if times and state.seen.get("slot", 0) < times[-1]:
                    return False
                if state.paused_by is None:
                    triggers.pause(ledger, pipeline, each.name, "the end", until)
            return not queue.requests(ledger, states=queue.OPEN)

        deadline = time.monotonic() + 4 * PATIENCE
        while not quiet():
            assert time.monotonic() < deadline, f"it never ends: {queue.requests(ledger, states=queue.OPEN)}"
            assert service.process.poll() is None, service.said
            time.sleep(0.1)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
