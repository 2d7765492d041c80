"""`workbench up` as a whole: what is killed, what goes on, what is refused before anything starts."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.kills import processes_of
from tests.e2e.served import until
from tests.e2e.services import ALONE, Service, none_left, up
from workbench import ledger_queue as queue
from workbench.cli import main
from workbench.ledger import Ledger
from workbench.locks import locked
from workbench.settings import Project, read_project


@pytest.fixture
def slow(project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Project:
    """A pipeline whose run lasts until somebody ends it."""
    write_notebook("slow.ipynb", "import time\ntime.sleep(seconds)", parameters="seconds: int = 300")
    write_pipeline("slow", "pipeline: slow\nsteps:\n  a: {notebook: slow.ipynb}\n")
    project.file.write_text(f'{project.file.read_text()}\n[service]\ncheck_every = "200ms"\n')
    return read_project(project.root)


def working(project: Project, words: str) -> list[psutil.Process]:
    return [each for each in processes_of(project) if words in " ".join(each.cmdline())]


@pytest.mark.e2e
def test_a_run_outlives_its_service_is_found_by_the_next_put_back_and_cancelled(slow: Project) -> None:
    with Ledger.open(slow) as ledger:
        number = queue.ask(ledger, "slow", {}, "ada", 0.0).id

        def is_at(state: str, attempts: int) -> bool:
            found = queue.request(ledger, number)
            return (found.state, found.attempts) == (state, attempts)

        first = Service(slow, *ALONE)
        until(lambda: is_at("running", 1), "the run")
        (scheduler,) = working(slow, "service.scheduler")
        scheduler.kill()
        until(
            lambda: "scheduler: started" in first.said.partition("killed by SIGKILL; starts again")[2],
            "another scheduler",
        )
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: not working(slow, "service.scheduler"), "the end of the scheduler")
        assert len(working(slow, "queue run")) == 1

        before = first.log("scheduler").count("at work")
        second = Service(slow, *ALONE)
        until(lambda: second.log("scheduler").count("at work") > before, "the next scheduler")
        assert is_at("running", 1)
        assert second.end() == 0
        assert none_left(slow)
        assert is_at("waiting", 1)
        assert "it goes on when that starts again" in queue.request(ledger, number).message

        with up(slow, *ALONE):
            until(lambda: is_at("running", 2), "the run again")
            queue.cancel(ledger, number, "bob", 1.0)
            until(lambda: is_at("cancelled", 2), "the end of the run")
        assert {run.state for run in ledger.runs()} == {"interrupted"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_part_starts_does_not_outlive_it(tmp_path: Path, number: signal.Signals) -> None:
    """Whether the part is ended, or its service killed."""
    detached = "import subprocess, time\np = subprocess.Popen(['sleep', '300'], start_new_session=True)\nprint(p.pid, flush=True)\ntime.sleep(300)"
    service = (
        "import subprocess, sys, signal\nfrom functools import partial\nfrom workbench.kernels.linux import die_with_parent\n"
        "g = subprocess.Popen([sys.executable, '-m', 'workbench.service.guard', sys.executable, '-c', sys.argv[1]],"
        " preexec_fn=partial(die_with_parent, signal.SIGTERM))\n"
        "signal.signal(signal.SIGTERM, lambda *_: g.terminate())\ng.wait()"
    )
    command = [sys.executable, "-c", service, detached]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        process.send_signal(number)
        psutil.wait_procs([child], 30)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_bad_configuration_is_refused_before_anything_starts(
    slow: Project, write_pipeline: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "pipeline: %s\nsteps:\n  a: {notebook: slow.ipynb}\ntriggers:\n  - {schedule: '%s'}\n"
    write_pipeline("wrong", text % ("wrong", "61 * * * *"))
    write_pipeline("called", text % ("otherwise", "1 * * * *"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = slow.file.read_text()
        slow.file.write_text(f"{settings}mlflow_port = {port}\napp_port = {port}\n")
        assert main(["up"]) == 2
    said = capsys.readouterr().err
    assert "wrong.yaml:5: triggers.0.schedule: '61 * * * *' has no valid minute" in said
    assert "called.yaml: pipeline: 'otherwise' is not found by its name later on" in said
    assert "service.app: there is no app in this project ('app/server.py'); leave it out: --no-app" in said
    assert "service.mlflow: MLflow is switched off" in said
    assert f"service.mlflow_port: {port} is the port of app as well" in said
    assert f"service.app_port: cannot listen on 127.0.0.1:{port}" in said
    assert not list((slow.state / "service").glob("*.log"))


def test_a_project_has_one_service(slow: Project, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(slow.state / "service" / "lock"):
        (slow.state / "service" / "pid").write_text("4711\n")
        assert main(["up", *ALONE]) == 2
    assert (
        "the service of this project is up already (process 4711); end that one first"
        in capsys.readouterr().err
    )
