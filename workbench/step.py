"""Execute one step: parameters into the notebook, cells in a kernel, outputs checked.

`execute` takes plain values and returns plain values, so that it can run in a thread, a process or on a cluster.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import KernelError
from workbench.events import Failure, without_colours

if TYPE_CHECKING:
    from workbench.ahead import AheadKernels, KernelSetup
    from workbench.cells import ExecutedNotebook, Watcher
    from workbench.kernels import KernelExit, KernelHost


@dataclass(frozen=True)
class StepTask:
    """Everything needed to execute one step, and nothing else."""

    key: str
    notebook: Path
    executed: Path
    """Where the executed notebook is written."""
    parameters: Mapping[str, Any]
    """Everything injected: values, and the paths of inputs and outputs."""
    outputs: Mapping[str, Path]
    """Where each output is expected afterwards."""
    kernel: KernelSetup
    secrets: tuple[str, ...] = ()
    """Environment variables whose values are kept out of everything saved."""
    timeout: float | None = None
    cell_timeout: float | None = None
    start_timeout: float = 60.0
    output_budget: int = 20_000_000


@dataclass(frozen=True)
class StepResult:
    """How an execution ended. No failure means that every declared output is there."""

    seconds: float
    failure: Failure | None = None
    notices: tuple[str, ...] = ()
    peak_memory: int | None = None
    """Bytes; None where the kernel did not tell."""
    outputs: Mapping[str, Path] = field(default_factory=dict)


def execute(
    task: StepTask,
    watcher: Watcher,
    stop: Callable[[], bool],
    host: KernelHost | None = None,
    ahead: AheadKernels | None = None,
) -> StepResult:
    """Execute the step's notebook in a kernel of its own. Never raises for what the notebook does.

    `host` starts the kernel (default: this process's own) unless `ahead` has one. `stop` is asked ten times a second; when it says yes, the running cell is interrupted.
    """
    from jupyter_client.kernelspec import NoSuchKernel

    began = time.monotonic()
    try:
        result = asyncio.run(_execute(task, watcher, stop, host, ahead))
    except NoSuchKernel:
        result = StepResult(0, Failure("kernel", f"the kernel '{task.kernel.name}' is not installed"))
    except OSError as error:
        result = StepResult(0, _disk_failure(error, task))
    return replace(result, seconds=time.monotonic() - began)


async def _execute(
    task: StepTask,
    watcher: Watcher,
    stop: Callable[[], bool],
    host: KernelHost | None,
    ahead: AheadKernels | None,
) -> StepResult:
    from workbench.cells import CellExecutionError, DeadKernelError, ExecutedNotebook, StepClient, Stopped

    for output in task.outputs.values():
        output.parent.mkdir(parents=True, exist_ok=True)
    task.executed.parent.mkdir(parents=True, exist_ok=True)
    environment = task.kernel.variables()
    secrets = [environment[name] for name in task.secrets if name in environment]
    executed = ExecutedNotebook(_parameterized(task), task.executed, secrets)
    kernel = (ahead and ahead.take(task.kernel)) or task.kernel.kernel(host)
    client = StepClient(
        executed, kernel, watcher, budget=task.output_budget, timeout=task.timeout,
        cell_timeout=task.cell_timeout, start_timeout=task.start_timeout,
    )  # fmt: skip
    failure: Failure | None = None
    try:
        await client.run(environment, task.kernel.root, stop)
        failure = _missing_output(task)
    except Stopped as stopped:
        failure = Failure(
            stopped.kind, str(stopped), client.position, source=_source(executed, client.position)
        )
    except CellExecutionError as error:
        failure = _cell_failure(executed, client.position, error)
    except DeadKernelError:
        failure = _dead_kernel(kernel, executed, client.position, task.kernel.memory_limit)
    except (RuntimeError, KernelError) as error:
        failure = Failure("kernel", f"the kernel '{task.kernel.name}' did not start: {error}")
    executed.finish(failed=failure is not None)
    report = _exit_report(kernel)
    ordinary = getattr(kernel.provisioner, "ordinary", None)
    return StepResult(
        seconds=0,
        failure=_scrubbed(failure, executed),
        notices=(
            *([f"an ordinary kernel ran it, not a warm one: {ordinary}"] if ordinary else []),
            *client.notices,
        ),
        peak_memory=report.peak_memory if report else None,
        outputs={} if failure else task.outputs,
    )


def _parameterized(task: StepTask) -> Any:
    """The notebook with a cell of injected parameters."""
    from workbench.injection import parameterized

    notebook = parameterized(task.notebook, task.parameters, task.kernel.name)
    notebook.metadata.papermill["input_path"] = os.path.relpath(task.notebook, task.kernel.root)
    return notebook


def _missing_output(task: StepTask) -> Failure | None:
    missing = [name for name, path in task.outputs.items() if not path.exists()]
    if not missing:
        return None
    names = ", ".join(f"'{name}'" for name in missing)
    where = f"the path in the parameter {missing[0]}"
    return Failure("output", f"the notebook ended without writing its output {names} (expected at {where})")


def _cell_failure(executed: ExecutedNotebook, position: int | None, error: Any) -> Failure:
    from workbench.cells import error_line

    cell = executed.notebook.cells[position] if position is not None else None
    trace = without_colours(str(error.traceback))
    message = f"{error.ename}: {without_colours(str(error.evalue))}".removesuffix(": ")
    if error.ename == "SystemExit":
        message = f"the cell called sys.exit({error.evalue})"
    elif error.ename in ("ModuleNotFoundError", "ImportError"):
        message += " (in the kernel's environment)"
    line = error_line(trace, cell.execution_count if cell else None)
    return Failure("cell", message, position, line, cell.source if cell else "", trace)


def _dead_kernel(kernel: Any, executed: ExecutedNotebook, position: int | None, limit: int | None) -> Failure:
    """What is known of a kernel that died: its exit, its memory, the cell that was running."""
    report = _exit_report(kernel)
    where = "" if position is None else f" in {_cell_name(executed, position)}"
    if report is None:
        return Failure("kernel", f"the kernel died{where}", position, source=_source(executed, position))
    if report.infrastructure:
        message = f"the kernel was lost{where} with the process that watched it"
        return Failure("infrastructure", message, position, source=_source(executed, position))
    peak = f", peak memory {report.peak_memory / 1e9:.1f} GB" if report.peak_memory > 5e8 else ""
    if report.oom:
        allowed = f" of {limit / 1e9:g} GB" if limit else ""
        how = f"killed for exceeding its memory limit{allowed}{where}{peak}"
    elif report.signal is not None:
        name = signal.Signals(report.signal).name
        guess = ": out of memory?" if report.signal == signal.SIGKILL else ""
        how = f"killed by signal {report.signal} ({name}){where}{peak}{guess}"
    else:
        how = f"gone with exit code {report.code}{where}{peak}"
    return Failure("kernel", f"the kernel was {how}", position, source=_source(executed, position))


def _exit_report(kernel: Any) -> KernelExit | None:
    provisioner = kernel.provisioner
    return getattr(provisioner, "exit_report", None) if provisioner else None


def _cell_name(executed: ExecutedNotebook, position: int) -> str:
    code = [
        i
        for i, cell in enumerate(executed.notebook.cells)
        if cell.cell_type == "code" and cell.source.strip()
    ]
    return f"code cell {code.index(position) + 1} of {len(code)}"


def _source(executed: ExecutedNotebook, position: int | None) -> str:
    return str(executed.notebook.cells[position].source) if position is not None else ""


def _disk_failure(error: OSError, task: StepTask) -> Failure:
    where = error.filename or task.executed
    if error.errno == errno.ENOSPC:
        return Failure("infrastructure", f"no space left on the disk, writing '{where}'")
    return Failure("infrastructure", f"{error.strerror or error}: '{where}'")


def _scrubbed(failure: Failure | None, executed: ExecutedNotebook) -> Failure | None:
    if failure is None:
        return None
    texts = {name: executed.scrub(getattr(failure, name)) for name in ("message", "source", "traceback")}
    return replace(failure, **texts)  # type: ignore[arg-type]
