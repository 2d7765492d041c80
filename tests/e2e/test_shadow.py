"""The process that asks shadows: there while there is one, out of the way, killed and started again, ended with its server."""

from __future__ import annotations

import os
import signal
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.served import Server, answered, asking, logged, served, until
from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT, rows
from tests.serving.parts import ADA, Reviewer
from workbench.prediction_log.reading import read
from workbench.serving.shadow_note import shadow_note
from workbench.settings import Project
from workbench.trials import Trials

pytestmark = pytest.mark.e2e

ROWS = rows(50)[["x", "k"]].to_dict("records")


@pytest.fixture
def trials(scoring: Project) -> Iterator[Trials]:
    ada = Reviewer(scoring)
    ada.promote(WITH_CONTRACT)
    yield Trials(scoring, ada.ledger)
    ada.close()


def process_of(server: Server) -> psutil.Process | None:
    for each in psutil.Process(server.process.pid).children():
        with suppress(psutil.Error):
            if "workbench.serving.shadow_process" in each.cmdline():
                return each
    return None


def loaded(project: Project) -> bool:
    note = shadow_note(project, MODEL)
    return note is not None and note.version == LOGISTIC and psutil.pid_exists(note.process)


def shadowed(project: Project) -> Counter[str]:
    """How often each prediction of the shadow is on record."""
    table = read(project, MODEL, kinds=["shadow"], columns=["id", "version"]).read_all()
    assert {*table["version"].to_pylist()} <= {LOGISTIC}
    return Counter(table["id"].to_pylist())


def policies(process: psutil.Process) -> Counter[tuple[int, int]]:
    """Threads by how the system gives them time: policy and niceness."""
    tasks = [int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir()]
    return Counter((os.sched_getscheduler(task), os.getpriority(os.PRIO_PROCESS, task)) for task in tasks)


def told(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.get("/version")[1]["models"][MODEL]
    return found


def test_it_is_there_while_there_is_a_shadow_and_asks_what_both_workers_answered(
    scoring: Project, trials: Trials
) -> None:
    with served(scoring, "--workers", "2") as server:
        assert process_of(server) is None
        trials.begin(MODEL, LOGISTIC, ADA, "shadow")
        until(lambda: loaded(scoring), "the shadow")
        process = process_of(server)
        assert process is not None
        with asking(server, ROWS, 8) as clients:
            until(lambda: answered(clients))
            until(lambda: shadowed(scoring).total() > 50)
        said: dict[str, Any] = {}

        def settled() -> bool:
            """On a busy machine it has no time for all of them. What one worker says, as each looks by itself."""
            said.update(told(server))
            return sum(said["shadowed"].values()) == answered(clients)

        until(settled, "what was not asked yet")
        found = shadowed(scoring)
        assert found.keys() <= {each for client in clients for each in client.acknowledged}
        assert (found.total(), max(found.values())) == (said["shadowed"]["scored"], 1)
        assert (said["shadow"], said["alert"]) == (LOGISTIC, "")
        ordinary, lowest = (os.SCHED_OTHER, 0), (os.SCHED_IDLE, 19)
        assert (policies(process)[ordinary], policies(process)[lowest]) == (1, 1)
        with urllib.request.urlopen(f"http://{server.host}:{server.port}/metrics") as reply:
            counted = f'workbench_shadow_requests_total{{model="m",result="scored"}} {float(found.total())}'
            assert counted in reply.read().decode()
        trials.end(MODEL, ADA, "shadow")
        until(lambda: not process.is_running(), "its end")
        assert process_of(server) is None
        assert shadow_note(scoring, MODEL) is None
    assert not [line for line in server.said if "died" in line]


def test_killed_it_goes_on_and_asks_nothing_twice(scoring: Project, trials: Trials) -> None:
    trials.begin(MODEL, LOGISTIC, ADA, "shadow")
    with served(scoring) as server, asking(server, ROWS, 4) as clients:
        until(lambda: answered(clients))
        until(lambda: loaded(scoring) and process_of(server), "the shadow")
        until(lambda: shadowed(scoring).total() > 20)
        process = process_of(server)
        assert process is not None
        process.kill()
        until(lambda: "died: killed by signal 9" in told(server)["alert"], "the alert")
        until(lambda: loaded(scoring), "the shadow")
        before = shadowed(scoring).total()
        until(lambda: shadowed(scoring).total() > before + 20)
        assert server.end() == 0
    assert sum((each.statuses for each in clients), Counter()).keys() <= {200, 503}
    found = shadowed(scoring)
    assert max(found.values()) == 1
    assert found.keys() <= logged(scoring).keys()


def test_it_ends_with_a_server_that_is_killed(scoring: Project, trials: Trials) -> None:
    trials.begin(MODEL, LOGISTIC, ADA, "shadow")
    with served(scoring) as server:
        until(lambda: process_of(server), "the process")
        process = process_of(server)
        assert process is not None
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: not process.is_running(), "its end")
