"""Run one request of the queue, from its beginning to its end in the ledger.

The process that does this is the only one that may end the request, so what the service sees is true also when the
service was killed meanwhile, and a run that goes on then is found and not started a second time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from workbench import ledger_queue as queue
from workbench.errors import WorkbenchError
from workbench.events import Event, Listener, RunStarted
from workbench.ledger import Ledger
from workbench.ledger_queue import Request
from workbench.loading import load_pipeline
from workbench.plan import Plan, Surroundings, make_plan
from workbench.processes import Process
from workbench.run import RunResult, run_plan
from workbench.service.clock import Clock
from workbench.settings import Project


@dataclass(frozen=True)
class Performed:
    """What became of a request that this process ran."""

    request: Request
    plan: Plan
    result: RunResult


def perform(
    project: Project,
    ledger: Ledger,
    number: int,
    clock: Clock,
    stop: threading.Event,
    show: Callable[[Plan], Listener],
) -> Performed | None:
    """Run a request; None when it is not to be had: it does not wait, or its pipeline is at work.

    `show` is given the plan, and what it returns is told what happens. Setting `stop` interrupts the run; the request
    then waits again, unless somebody cancelled it. What cannot be run fails the request, and is raised.
    """
    me = Process.this()
    request = queue.begin(ledger, number, me, clock.now())
    if request is None:
        return None
    try:
        surroundings = Surroundings(project)
        plan = make_plan(
            load_pipeline(request.pipeline, request.parameters, project=project), surroundings=surroundings
        )
        listen = show(plan)

        def hear(event: Event) -> None:
            if isinstance(event, RunStarted):
                queue.note_run(ledger, number, event.run)
            listen(event)

        result = run_plan(plan, listener=hear, stop=stop)
    except WorkbenchError as error:
        queue.end(ledger, number, me, "failed", str(error), clock.now())
        raise
    _end(ledger, number, me, result, clock.now())
    return Performed(queue.request(ledger, number), plan, result)


def _end(ledger: Ledger, number: int, me: Process, result: RunResult, now: float) -> None:
    cancelled_by = queue.request(ledger, number).cancelled_by
    if result.state == "interrupted" and cancelled_by is not None:
        queue.end(ledger, number, me, "cancelled", f"cancelled by {cancelled_by}", now)
    elif result.state == "interrupted":
        queue.put_back(
            ledger, number, str(me), "stopped with the service; it goes on when that starts again", now
        )
    elif result.state == "done":
        queue.end(ledger, number, me, "done", outcome(result), now)
    else:
        failed = [f"{key}: {each.failure.message}" for key, each in result.steps.items() if each.failure]
        queue.end(ledger, number, me, "failed", "; ".join(failed) or f"the run is {result.state}", now)


def outcome(result: RunResult) -> str:
    """What a good run came to, in words."""
    if result.run is None:
        return "nothing to do: everything is cached"
    if judged := result.judged:
        return f"{judged.model} version {judged.version}: {'promoted' if judged.promoted else 'judged'}; {judged.summary}"
    return f"version {result.version} is registered" if result.version is not None else ""
