"""Kernels ahead of their steps: there in time, like any other, and gone when nobody comes for them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.kernels.conftest import wait_until
from workbench.ahead import AheadKernels, KernelSetup
from workbench.executors import LocalExecutor
from workbench.kernels import KernelHost, linux
from workbench.loading import load_pipeline
from workbench.plan import make_plan
from workbench.run import RunResult, run_plan
from workbench.settings import Project
from workbench.step import StepResult, StepTask, execute

SEE_NEXT = """\
import time

import psutil

until = time.monotonic() + 30
host = psutil.Process().parent().parent()
seen = []
while len(seen) < 2:
    assert time.monotonic() < until, "no other kernel came"
    time.sleep(0.01)
    seen = [each.pid for each in host.children(recursive=True) if each.name() == "ipykernel"]
"""
"""Waits until another kernel of the same host runs."""

TELL = "import os\nopen(out, 'w').write(str(os.getpid()))"


class Watched(LocalExecutor):
    """Remembers how many kernels were expected."""

    expected: list[int]

    def __enter__(self) -> Watched:
        self.expected = []
        super().__enter__()
        return self

    def expect(self, setups: Sequence[KernelSetup]) -> None:
        self.expected.append(len(setups))
        super().expect(setups)

    @property
    def host(self) -> KernelHost:
        return self._host


class Silent:
    def cell_started(self, cell: int, cells: int) -> None: ...

    def printed(self, line: str) -> None: ...


@pytest.fixture
def setup(project: Project) -> KernelSetup:
    return KernelSetup("python3", project.root, project.root, {}, imports=("ipykernel",))


@pytest.fixture
def host(project: Project) -> Iterator[KernelHost]:
    with KernelHost(excluded=[project.root]) as running:
        yield running


@pytest.fixture
def ahead(host: KernelHost) -> Iterator[AheadKernels]:
    kernels = AheadKernels(host)
    yield kernels
    kernels.close()


@pytest.fixture
def perform(project: Project, write_notebook: Callable[..., Path], host: KernelHost) -> Any:
    """Execute one cell in a kernel with this setup, of those that run ahead if there is one."""

    def run(cell: str, setup: KernelSetup, ahead: AheadKernels) -> StepResult:
        notebook = write_notebook("n.ipynb", cell, parameters="out: str = ''")
        out = project.state / "scratch" / "out.txt"
        task = StepTask("n", notebook, project.reports / "n.ipynb", {"out": str(out)}, {"out": out}, setup)
        return execute(task, Silent(), lambda: False, host, ahead)

    return run


def kernels(host: KernelHost) -> list[int]:
    return [pid for pid in linux.descendants(host.pid or 0) if _name(pid) == "ipykernel"]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def ready(host: KernelHost, ahead: AheadKernels, *setups: KernelSetup) -> list[int]:
    """The kernels of these setups, once they run."""
    ahead.take(setups[0])
    ahead.expect(setups)
    wait_until(lambda: len(kernels(host)) == len(setups), 30)
    return kernels(host)


def test_a_step_runs_in_the_kernel_that_was_there_before(
    host: KernelHost, ahead: AheadKernels, setup: KernelSetup, perform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "workbench.ahead.GRACE_SECONDS", 120
    )  # a busy machine must not make the kernel overdue
    (there,) = ready(host, ahead, setup)
    monkeypatch.setattr("workbench.ahead.GRACE_SECONDS", 60)  # a busy machine may take its time
    ahead.expect([])  # as a run says when the step has begun
    result = perform(TELL, setup, ahead)
    assert result.outputs["out"].read_text() == str(there)
    assert result.peak_memory
    wait_until(lambda: not kernels(host), 30)


def test_nothing_starts_before_the_first_step_has_asked(ahead: AheadKernels, setup: KernelSetup) -> None:
    ahead.expect([setup])
    assert ahead.take(setup) is None


def test_another_setup_is_another_kernel(
    host: KernelHost, ahead: AheadKernels, setup: KernelSetup, perform: Any
) -> None:
    (there,) = ready(host, ahead, setup)
    other = replace(setup, environment={"WHO": "another"})
    result = perform(TELL + "\nassert os.environ['WHO'] == 'another'", other, ahead)
    assert result.failure is None
    assert result.outputs["out"].read_text() != str(there)
    ahead.expect([other])
    wait_until(lambda: not linux.is_running(there) and len(kernels(host)) == 1, 30)


def test_one_that_nobody_comes_for_leaves_nothing(
    host: KernelHost, ahead: AheadKernels, setup: KernelSetup
) -> None:
    assert host.folder
    ready(host, ahead, setup, setup)
    ahead.expect([])
    folder = host.folder
    wait_until(lambda: not linux.children(host.pid or 0), 30)
    wait_until(lambda: [file.name for file in folder.iterdir()] == ["host1"], 30)


def test_one_that_has_died_is_replaced(
    host: KernelHost, ahead: AheadKernels, setup: KernelSetup, perform: Any
) -> None:
    (there,) = ready(host, ahead, setup)
    os.kill(there, signal.SIGKILL)
    wait_until(lambda: not linux.children(host.pid or 0), 30)
    result = perform(TELL, setup, ahead)
    assert result.failure is None
    assert result.outputs["out"].read_text() != str(there)


def test_its_memory_is_limited_like_any_other_s(
    host: KernelHost, ahead: AheadKernels, setup: KernelSetup, perform: Any
) -> None:
    limited = replace(setup, memory_limit=300_000_000)
    ready(host, ahead, limited)
    result = perform("import time\nbig = bytearray(1_000_000_000)\ntime.sleep(30)", limited, ahead)
    assert result.failure is not None
    assert "memory limit of 0.3 GB" in result.failure.message


@pytest.fixture
def chain(project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Any:
    """Run first → {second × 3}, one at a time, the first with these cells."""

    def run(executor: Watched, *cells: str, **options: Any) -> RunResult:
        write_notebook("first.ipynb", *cells, parameters="out: str = ''")
        write_notebook("second.ipynb", TELL, parameters="src: str = ''\nn: int = 0\nout: str = ''")
        write_pipeline(
            "chain",
            """\
            pipeline: chain
            steps:
              first: {notebook: first.ipynb, outputs: {out: pids.txt}}
              second:
                notebook: second.ipynb
                foreach: {n: [1, 2, 3]}
                inputs: {src: first.out}
                outputs: {out: pid.txt}
            """,
        )
        return run_plan(make_plan(load_pipeline("chain")), executor=executor, workers=1, **options)

    return run


def texts(project: Project, result: RunResult) -> dict[str, str]:
    found = {}
    for key, step in result.steps.items():
        digest = step.outputs["out"]
        (file,) = (project.store / "objects" / digest[:2] / digest).iterdir()
        found[key] = file.read_text()
    return found


def test_the_next_kernel_starts_while_a_step_works(project: Project, chain: Any) -> None:
    with Watched(excluded=[project.root]) as executor:
        result = chain(executor, SEE_NEXT, "open(out, 'w').write(' '.join(map(str, seen)))")
        assert result.state == "done"
        told = texts(project, result)
        assert told["second[n=1]"] in told["first"].split()
        pids = [text for key, text in told.items() if key != "first"]
        assert len(set(pids)) == 3
        assert max(executor.expected) == 1
        wait_until(lambda: not linux.children(executor.host.pid or 0), 30)


def test_a_kernel_is_thrown_away_when_the_step_before_it_fails(project: Project, chain: Any) -> None:
    with Watched(excluded=[project.root]) as executor:
        result = chain(executor, SEE_NEXT, "raise ValueError('no')")
        assert result.state == "failed"
        assert result.steps["first"].failure
        assert result.steps["first"].failure.message == "ValueError: no"
        assert result.steps["second[n=1]"].state == "skipped"
        wait_until(lambda: not linux.children(executor.host.pid or 0), 30)


def test_a_kernel_is_thrown_away_when_the_run_is_stopped(project: Project, chain: Any) -> None:
    stop = threading.Event()
    with Watched(excluded=[project.root]) as executor:

        def stop_it() -> None:
            wait_until((project.root / "there").exists, 60)
            stop.set()

        watcher = threading.Thread(target=stop_it)
        watcher.start()
        result = chain(executor, SEE_NEXT, "open('there', 'w').close()\ntime.sleep(60)", stop=stop)
        watcher.join()
        assert result.state == "interrupted"
        wait_until(lambda: not linux.children(executor.host.pid or 0), 30)


def test_a_cold_run_starts_none(project: Project, chain: Any) -> None:
    with Watched(excluded=[project.root]) as executor:
        assert chain(executor, "open(out, 'w').write('')", cold=True).state == "done"
        assert executor.expected == []
