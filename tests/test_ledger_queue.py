"""The queue and what is known of triggers: who begins what, once, whoever dies meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from workbench import ledger_leases as leases
from workbench import ledger_queue as queue
from workbench import ledger_triggers as triggers
from workbench.errors import BadInput
from workbench.events import RunFinished, RunStarted
from workbench.ledger import Ledger
from workbench.processes import Process
from workbench.settings import Project
from workbench.triggers import QUARANTINE, Decision, Known, Slot

NOW = 1_000_000.0
ME = Process.this()


@pytest.fixture
def ledger(project: Project) -> Iterator[Ledger]:
    with Ledger.open(project) as found:
        yield found


def gone() -> Process:
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pid = process.pid
    return replace(ME, pid=pid, started=1.0)


def asked(ledger: Ledger, pipeline: str = "p", now: float = NOW) -> int:
    return queue.ask(ledger, pipeline, {"x": [1, "a"]}, "ada", now).id


def test_a_request_goes_from_waiting_to_done(ledger: Ledger) -> None:
    number = asked(ledger)
    assert [each.id for each in queue.ready(ledger, NOW)] == [number]
    begun = queue.begin(ledger, number, ME, NOW + 1)
    assert begun is not None
    assert (begun.state, begun.parameters, begun.attempts, begun.owner) == (
        "running",
        {"x": [1, "a"]},
        1,
        str(ME),
    )
    assert queue.ready(ledger, NOW + 1) == []
    queue.note_run(ledger, number, "r1")
    found = queue.request_of(ledger, "r1")
    assert found is not None
    assert found.id == number
    assert queue.end(ledger, number, ME, "done", "well", NOW + 2)
    assert not queue.end(ledger, number, ME, "failed", "too late", NOW + 3)
    assert (queue.request(ledger, number).state, queue.request(ledger, number).message) == ("done", "well")
    assert queue.last_success(ledger, "p") == NOW + 2


def test_one_of_many_begins_a_request(project: Project) -> None:
    with Ledger.open(project) as ledger:
        number = asked(ledger)

    def begin(other: int) -> bool:
        with Ledger.open(project) as mine:
            return queue.begin(mine, number, replace(ME, pid=other), NOW) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(begin, range(8))) == 1


def test_a_pipeline_runs_once_at_a_time_and_others_beside_it(ledger: Ledger) -> None:
    first, second, other = asked(ledger), asked(ledger), asked(ledger, "q")
    assert [each.id for each in queue.ready(ledger, NOW)] == [first, other]
    assert queue.begin(ledger, first, ME, NOW)
    assert queue.begin(ledger, second, ME, NOW) is None
    assert [each.id for each in queue.ready(ledger, NOW)] == [other]


def test_what_waits_is_cancelled_at_once_and_what_runs_by_its_service(ledger: Ledger) -> None:
    first, second = asked(ledger), asked(ledger, "q")
    assert queue.cancel(ledger, first, "bob", NOW).state == "cancelled"
    assert queue.begin(ledger, first, ME, NOW) is None
    queue.begin(ledger, second, ME, NOW)
    found = queue.cancel(ledger, second, "bob", NOW)
    assert (found.state, found.cancelled_by) == ("running", "bob")
    with pytest.raises(BadInput, match=f"request {first} has ended already: cancelled"):
        queue.cancel(ledger, first, "bob", NOW)
    with pytest.raises(BadInput, match="there is no request 99"):
        queue.cancel(ledger, 99, "bob", NOW)


def test_a_request_whose_process_died_is_begun_again_and_not_for_ever(ledger: Ledger) -> None:
    number, now = asked(ledger), NOW
    for attempt in range(1, queue.TRIES):
        assert queue.begin(ledger, number, gone(), now)
        (found,) = queue.reconcile(ledger, now)
        assert (found.state, found.attempts) == ("waiting", attempt)
        assert queue.ready(ledger, now) == []
        now = found.not_before
        assert [each.id for each in queue.ready(ledger, now)] == [number]
    queue.begin(ledger, number, gone(), now)
    (found,) = queue.reconcile(ledger, now)
    assert (found.state, found.message) == ("failed", "its process died, 3 times")


def test_what_the_run_came_to_counts_more_than_the_death_of_its_process(ledger: Ledger) -> None:
    for run, state in (("r1", "done"), ("r2", "failed")):
        number = asked(ledger, run)
        queue.begin(ledger, number, gone(), NOW)
        queue.note_run(ledger, number, run)
        started = RunStarted(NOW, run, run, "p.yaml", {}, (), 1)
        ledger.record_all([started, RunFinished(NOW, run, state, 1.0, "as it went")])  # type: ignore[arg-type]
    assert {each.run: each.state for each in queue.reconcile(ledger, NOW)} == {"r1": "done", "r2": "failed"}


def test_what_still_works_is_left_alone(ledger: Ledger) -> None:
    queue.begin(ledger, asked(ledger), ME, NOW)
    queue.begin(ledger, asked(ledger, "q"), replace(ME, host="elsewhere"), NOW)
    assert queue.reconcile(ledger, NOW + 1e6) == []


def test_a_process_that_never_took_its_request_counts_as_a_try(ledger: Ledger) -> None:
    number = asked(ledger)
    for _ in range(queue.TRIES):
        queue.failed_to_begin(ledger, number, "it ended with 2", NOW)
    found = queue.request(ledger, number)
    assert (found.state, found.message) == ("failed", "it ended with 2, 3 times")


def test_a_clock_that_was_set_back_does_not_hold_up_what_was_asked_for(ledger: Ledger) -> None:
    number = asked(ledger, now=NOW)
    assert [each.id for each in queue.ready(ledger, NOW - 3600)] == [number]


def test_one_process_has_the_lease_until_it_ends(ledger: Ledger) -> None:
    other, dead = replace(ME, host="elsewhere"), gone()
    assert leases.lease(ledger, "scheduler", dead, 30)
    assert leases.leaseholder(ledger, "scheduler") is None
    assert leases.lease(ledger, "scheduler", ME, 30)  # of one that is gone
    assert leases.lease(ledger, "scheduler", ME, 30)
    assert not leases.lease(ledger, "scheduler", other, 30)
    assert leases.leaseholder(ledger, "scheduler") is not None
    leases.release(ledger, "scheduler", other)
    assert not leases.lease(ledger, "scheduler", other, 30)
    leases.release(ledger, "scheduler", ME)
    assert leases.lease(ledger, "scheduler", other, 30)
    assert not leases.lease(ledger, "scheduler", ME, 30)  # nobody can tell from here whether it lives
    assert leases.lease(ledger, "scheduler", other, -1)
    assert leases.lease(ledger, "scheduler", ME, 30)


def test_a_lease_from_before_the_clock_was_set_back_has_ended(ledger: Ledger) -> None:
    leases.lease(ledger, "scheduler", replace(ME, host="elsewhere"), 3600)
    assert leases.lease(ledger, "scheduler", ME, 30)


SLOT = Decision(True, "due", seen={"slot": 7.0}, slots=(Slot(6.0, False, "missed"), Slot(7.0, True, "due")))


def test_slots_and_their_requests_are_written_together_once(ledger: Ledger) -> None:
    before = triggers.known(ledger, "p", "weekly", NOW)
    assert before == Known(NOW)
    wanted = [(7.0, {"x": 1}, {"trigger": "weekly", "slot": 7.0})]
    made = triggers.record(ledger, "p", "weekly", before, SLOT, wanted, NOW)
    assert made is not None
    assert triggers.record(ledger, "p", "weekly", before, SLOT, wanted, NOW) is None  # it has fired meanwhile
    after = triggers.known(ledger, "p", "weekly", NOW)
    assert (after.fired, after.seen, after.open_request, after.recent) == (
        NOW,
        {"slot": 7.0},
        made[0],
        (NOW,),
    )
    assert triggers.record(ledger, "p", "weekly", after, SLOT, wanted, NOW) is None  # the slots are taken
    assert [(each.due, each.state, each.request) for each in triggers.slots(ledger, "p")] == [
        (7.0, "requested", made[0]),
        (6.0, "skipped", None),
    ]
    assert [each.id for each in queue.requests(ledger)] == made


def test_failures_of_a_triggers_runs_are_counted_until_one_goes_well(ledger: Ledger) -> None:
    def run(state: str) -> Known:
        before = triggers.known(ledger, "p", "t", NOW)
        made = triggers.record(ledger, "p", "t", before, Decision(True, "why"), [(None, {}, {})], NOW)
        assert made is not None
        queue.begin(ledger, made[0], ME, NOW)
        queue.end(ledger, made[0], ME, state, "", NOW + 5)
        return triggers.known(ledger, "p", "t", NOW)

    assert (run("failed").failures, run("failed").failures) == (1, 2)
    assert triggers.known(ledger, "p", "t", NOW).failed_at == NOW + 5
    assert run("cancelled").failures == 2
    assert run("done").failures == 0


def test_a_trigger_is_paused_and_goes_on(ledger: Ledger) -> None:
    assert not triggers.pause(ledger, "p", "t", "ada", NOW)
    before = triggers.known(ledger, "p", "t", NOW)
    assert triggers.pause(ledger, "p", "t", "ada", NOW)
    assert triggers.known(ledger, "p", "t", NOW).paused_by == "ada"
    # What was decided before the pause comes too late.
    assert triggers.record(ledger, "p", "t", before, Decision(True, "why"), [(None, {}, {})], NOW) is None
    triggers.resume(ledger, "p", "t")
    before = triggers.known(ledger, "p", "t", NOW)
    assert before.paused_by is None
    triggers.record(ledger, "p", "t", before, Decision(False, "too often", quarantine=True), [], NOW)
    assert triggers.known(ledger, "p", "t", NOW).paused_by == QUARANTINE
