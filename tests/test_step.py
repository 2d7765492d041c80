"""One step's execution: what fails is told truly, by the result and by the executed notebook."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import psutil
import pytest

from workbench.ahead import KernelSetup
from workbench.settings import Project
from workbench.step import StepResult, StepTask, execute

Execute = Callable[..., StepResult]


class Silent:
    """A watcher that keeps what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.cells: list[tuple[int, int]] = []

    def cell_started(self, cell: int, cells: int) -> None:
        self.cells.append((cell, cells))

    def printed(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def run_cells(project: Project, write_notebook: Callable[..., Path]) -> Execute:
    """Execute a notebook of these cells; keyword arguments go to the task."""

    def run(
        *cells: str, stop: Callable[[], bool] = lambda: False, watcher: Silent | None = None, **options: Any
    ) -> StepResult:
        notebook = write_notebook("step.ipynb", *cells, parameters=options.pop("declared", None))
        setup = {each.name: options.pop(each.name) for each in fields(KernelSetup) if each.name in options}
        task = StepTask(
            key="step", notebook=notebook, executed=project.reports / "step.ipynb",
            kernel=KernelSetup(**{
                "name": "python3", "root": project.root, "folder": notebook.parent, "environment": {}, **setup,
            }),
            **{"parameters": {}, "outputs": {}, **options},
        )  # fmt: skip
        return execute(task, watcher or Silent(), stop)

    return run


def states(project: Project) -> list[str]:
    """The state of each cell, as the executed notebook tells it."""
    document = json.loads((project.reports / "step.ipynb").read_text())
    return [cell["metadata"]["papermill"]["status"] for cell in document["cells"]]


def outputs(project: Project) -> str:
    return (project.reports / "step.ipynb").read_text()


def test_parameters_are_injected_and_outputs_checked(run_cells: Execute, project: Project) -> None:
    out = project.state / "scratch" / "out.txt"
    result = run_cells(
        "open(out, 'w').write(str(x * 2))",
        declared="x: int = 1\nout: str = ''",
        parameters={"x": 21, "out": str(out)},
        outputs={"out": out},
    )
    assert result.failure is None
    assert result.outputs == {"out": out}
    assert out.read_text() == "42"
    assert states(project) == ["completed"] * 3


def test_an_output_that_was_not_written_is_a_failure(run_cells: Execute, project: Project) -> None:
    result = run_cells("pass", outputs={"clean": project.state / "clean.parquet"})
    assert result.failure is not None
    assert result.failure.kind == "output"
    assert "'clean'" in result.failure.message


def test_an_exception_names_the_cell_and_its_line(run_cells: Execute, project: Project) -> None:
    result = run_cells("ok = 1", "a = 1\nb = 0\n\na / b", "never = 1")
    assert result.failure is not None
    assert (result.failure.kind, result.failure.cell, result.failure.line) == ("cell", 1, 4)
    assert result.failure.message == "ZeroDivisionError: division by zero"
    assert "\x1b" not in result.failure.traceback
    assert states(project) == ["completed", "failed", "pending"]


@pytest.mark.parametrize(
    ("cell", "kind", "message"),
    [
        ("import os\nos.kill(os.getpid(), 9)", "kernel", "SIGKILL"),
        ("import ctypes\nctypes.string_at(0)", "kernel", "SIGSEGV"),
        ("import os\nos._exit(7)", "kernel", "exit code 7"),
        ("import sys\nsys.exit(3)", "cell", "sys.exit(3)"),
        ("input('who?')", "cell", "StdinNotImplementedError"),
        ("import no_such_module", "cell", "No module named 'no_such_module'"),
        ("if True", "cell", "SyntaxError"),
    ],
)
def test_every_way_to_end_has_its_own_message(
    run_cells: Execute, project: Project, cell: str, kind: str, message: str
) -> None:
    result = run_cells("before = 1", cell, "after = 1")
    assert result.failure is not None
    assert (result.failure.kind, result.failure.cell) == (kind, 1)
    assert message in result.failure.message
    assert states(project) == ["completed", "failed", "pending"]


def test_exit_without_error_ends_the_notebook_well(run_cells: Execute, project: Project) -> None:
    result = run_cells("import sys\nsys.exit()", "1 / 0")
    assert result.failure is None
    assert "code cell 1 of 2 ended the notebook" in result.notices[0]
    assert states(project) == ["completed", "pending"]


def test_a_cell_over_its_timeout_is_interrupted(run_cells: Execute, project: Project) -> None:
    result = run_cells("import time\ntime.sleep(60)", "1", cell_timeout=0.5)
    assert result.failure is not None
    assert result.failure.kind == "timeout"
    assert "timeout of 0.5 s" in result.failure.message
    assert "KeyboardInterrupt" in outputs(project)
    assert states(project) == ["failed", "pending"]


def test_a_step_over_its_timeout_is_killed_when_it_does_not_listen(run_cells: Execute) -> None:
    stubborn = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)"
    result = run_cells(stubborn, timeout=0.5)
    assert result.failure is not None
    assert result.failure.kind == "timeout"


def test_somebody_else_can_stop_it(run_cells: Execute, project: Project) -> None:
    stop = threading.Event()
    watcher = Silent()
    threading.Thread(target=lambda: _until(lambda: bool(watcher.lines)) and stop.set(), daemon=True).start()
    result = run_cells(
        "print('here', flush=True)\nimport time\ntime.sleep(60)", stop=stop.is_set, watcher=watcher
    )
    assert result.failure is not None
    assert result.failure.kind == "interrupted"
    assert "here" in outputs(project)


def test_output_above_the_budget_goes_to_a_file(run_cells: Execute, project: Project) -> None:
    result = run_cells("for _ in range(10): print('x' * 99_999)", "print('after')", output_budget=200_000)
    assert result.failure is None
    assert "went to step.output.txt" in result.notices[0]
    assert (project.reports / "step.ipynb").stat().st_size < 300_000
    kept = outputs(project).count("x")
    spilled = (project.reports / "step.output.txt").read_text()
    assert spilled.count("x") + kept - outputs(project).count("text") >= 999_990
    assert "after" in spilled
    assert "more than the output budget" in outputs(project)


def test_secrets_stay_out_of_everything_saved(
    run_cells: Execute, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", 'hush "quoted" ü')
    result = run_cells(
        "import os\nprint(os.environ['TOKEN'])", "raise ValueError(os.environ['TOKEN'])", secrets=("TOKEN",)
    )
    assert result.failure is not None
    assert "hush" not in outputs(project)
    assert "hush" not in result.failure.message + result.failure.traceback
    assert result.failure.message == "ValueError: ***"


def test_other_steps_secrets_are_hidden(run_cells: Execute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush")
    result = run_cells("import os\nassert 'TOKEN' not in os.environ", hidden=("TOKEN",))
    assert result.failure is None


def test_the_working_directory_is_the_project_and_modules_beside_the_notebook_import(
    run_cells: Execute, project: Project
) -> None:
    (project.notebooks / "beside.py").write_text("here = 'beside'")
    (project.root / "above.py").write_text("here = 'above'")
    result = run_cells(
        f"import os\nassert os.getcwd() == {str(project.root)!r}",
        "import above, beside\nassert (above.here, beside.here) == ('above', 'beside')",
    )
    assert result.failure is None, result.failure


def test_children_of_a_cell_die_with_the_step(run_cells: Execute, project: Project) -> None:
    pid_file = project.root / "pid"
    run_cells(
        "import subprocess\np = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        f"open({str(pid_file)!r}, 'w').write(str(p.pid))"
    )
    pid = int(pid_file.read_text())
    assert _until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")


def test_the_executed_notebook_is_valid_at_every_instant(run_cells: Execute, project: Project) -> None:
    file = project.reports / "step.ipynb"
    seen: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if file.exists():
                seen.append(len(json.loads(file.read_text())["cells"]))

    reader = threading.Thread(target=watch)
    reader.start()
    run_cells(*["print('x' * 10_000)"] * 20)
    done.set()
    reader.join()
    assert set(seen) == {20}


def test_a_full_disk_is_said(run_cells: Execute, project: Project) -> None:
    """/dev/full refuses every write as a full disk does."""
    project.reports.mkdir()
    (project.reports / "step.output.txt").symlink_to("/dev/full")
    result = run_cells("print('x' * 100)", output_budget=10)
    assert result.failure is not None
    assert "no space left on the disk" in result.failure.message


def test_a_kernel_of_another_language_that_is_not_installed(run_cells: Execute) -> None:
    result = run_cells("1", name="no-such-kernel")
    assert result.failure is not None
    assert "no-such-kernel" in result.failure.message


def test_progress_bars_leave_one_line(run_cells: Execute, project: Project) -> None:
    run_cells("for i in range(3): print(i, end='\\r', flush=True)", "print('a', flush=True)\nprint('b')")
    cells = json.loads(outputs(project))["cells"]
    assert [cell["outputs"][0]["text"] for cell in cells] == ["2", "a\nb\n"]


def test_the_last_output_line_is_reported_live(run_cells: Execute) -> None:
    watcher = Silent()
    run_cells("print('\\x1b[31mred\\x1b[0m', flush=True)", watcher=watcher)
    assert watcher.lines == ["red"]
    assert watcher.cells == [(1, 1)]


def _until(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_an_ordinary_kernel_that_nobody_asked_for_is_mentioned(run_cells: Execute) -> None:
    changed = {"PYTHONHASHSEED": "7"}  # read by an interpreter at its start only, so a fork cannot follow it
    result = run_cells("import os\nassert os.environ['PYTHONHASHSEED'] == '7'", environment=changed)
    assert result.failure is None
    assert result.notices == (
        "an ordinary kernel ran it, not a warm one: PYTHONHASHSEED differs, and an interpreter reads it only at its start",
    )
    assert run_cells("pass", environment=changed, cold=True).notices == ()
