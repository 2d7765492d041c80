"""Where steps run. An executor has one method, called from a thread of its own for each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from workbench.cells import Watcher
    from workbench.step import StepResult, StepTask


class Executor(Protocol):
    """Executes one step and waits for it."""

    def execute(self, task: StepTask, watcher: Watcher, stop: Callable[[], bool]) -> StepResult:
        """Never raises for what the notebook does; ends soon after `stop()` has become true."""


class LocalExecutor:
    """On this machine, in kernels that one host process starts: with `imports` done, and none left behind."""

    def __init__(self, imports: Sequence[str] = (), excluded: Sequence[Path] = ()) -> None:
        from workbench.kernels import KernelHost

        self._host = KernelHost(imports=imports, excluded=excluded)

    def __enter__(self) -> LocalExecutor:
        self._host.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._host.close()

    def execute(self, task: StepTask, watcher: Watcher, stop: Callable[[], bool]) -> StepResult:
        """See Executor."""
        from workbench.step import execute

        return execute(task, watcher, stop, self._host)
