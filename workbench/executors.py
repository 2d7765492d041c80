"""Where steps run. An executor has one method, called from a thread of its own for each step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from workbench.ahead import KernelSetup
    from workbench.cells import Watcher
    from workbench.pipeline import Pipeline
    from workbench.plan import Selection, Surroundings
    from workbench.step import StepResult, StepTask

KERNEL = "ipykernel"
"""What every warm kernel needs, whatever its notebook imports."""


class Executor(Protocol):
    """Executes one step and waits for it."""

    def prepare(self, imports: Iterable[str]) -> None:
        """Steps that import these are to come. Returns at once; what cannot be prepared is no error."""

    def expect(self, setups: Sequence[KernelSetup]) -> None:
        """Steps with these kernels are likely to come next, and no others. Returns at once."""

    def execute(self, task: StepTask, watcher: Watcher, stop: Callable[[], bool]) -> StepResult:
        """Never raises for what the notebook does; ends soon after `stop()` has become true."""


class LocalExecutor:
    """On this machine, in kernels that one host process starts: with `imports` done, and none left behind."""

    def __init__(self, imports: Sequence[str] = (), excluded: Sequence[Path] = ()) -> None:
        from workbench.ahead import AheadKernels
        from workbench.kernels import KernelHost

        self._host = KernelHost(imports=imports, excluded=excluded)
        self._ahead = AheadKernels(self._host)

    def __enter__(self) -> LocalExecutor:
        self._host.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ahead.stop()
        self._host.close()
        self._ahead.close()

    def prepare(self, imports: Iterable[str]) -> None:
        """See Executor."""
        self._host.add_imports(imports)

    def expect(self, setups: Sequence[KernelSetup]) -> None:
        """See Executor: kernels for them start now, while others work."""
        self._ahead.expect(setups)

    def execute(self, task: StepTask, watcher: Watcher, stop: Callable[[], bool]) -> StepResult:
        """See Executor."""
        from workbench.step import execute

        return execute(task, watcher, stop, self._host, self._ahead)


class HeadStart:
    """A kernel host that starts before the plan is made, where something is as good as certain to run.

    guess, when not even the pipeline was read, by the times of notebooks: a fault costs a host that nobody uses
    decide, when it was read: something runs where a selected step was never done, or its notebook has a cell that
    was never read before. Elsewhere the plan may find everything cached, and needs no host.
    """

    def __init__(self) -> None:
        self._executor: LocalExecutor | None = None

    def __enter__(self) -> HeadStart:
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.__exit__(None, None, None)

    def guess(self) -> None:
        """Start a host where a notebook of the project here was written after the notebooks were last read."""
        from workbench.errors import WorkbenchError
        from workbench.settings import find_project

        with suppress(WorkbenchError, OSError):  # whoever reads the pipeline says what is wrong
            project = find_project()
            if _newest_notebook(project.notebooks) > _written(project.cells):
                self._start(project.root)

    def decide(
        self, pipeline: Pipeline, selection: Selection, surroundings: Surroundings
    ) -> LocalExecutor | None:
        """The executor with a host that starts, if there is one. Raises SpecError for unknown steps."""
        from workbench.plan import selected

        steps = selected(pipeline, selection)
        done = surroundings.store.has_result
        fresh = [step for key, step in steps.items() if step.notebook.unseen or not done(pipeline.name, key)]
        if self._executor is not None and not fresh:
            with suppress(OSError):  # nothing new in them: not to be guessed once more
                os.utime(pipeline.project.cells)
        names = [name for step in fresh for name in surroundings.warm_imports(step.notebook)]
        if self._executor is not None:
            self._executor.prepare(names)
        elif fresh:
            self._start(pipeline.project.root, names)
        return self._executor

    def _start(self, root: Path, imports: Sequence[str] = ()) -> None:
        self._executor = LocalExecutor([KERNEL, *imports], excluded=[root]).__enter__()


def _newest_notebook(folder: Path) -> int:
    with os.scandir(folder) as entries:
        return max((each.stat().st_mtime_ns for each in entries if each.name.endswith(".ipynb")), default=0)


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
