"""Where steps run. An executor has one method, called from a thread of its own for each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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


@contextmanager
def head_start(
    pipeline: Pipeline, selection: Selection, surroundings: Surroundings
) -> Iterator[LocalExecutor | None]:
    """An executor that gets ready while the plan is being made, where something is as good as certain to run.

    That is so when a selected step was never done, or its notebook has a cell that was never read before. None
    otherwise: then the plan may find everything cached. Raises SpecError for unknown steps.
    """
    from workbench.plan import selected

    steps = selected(pipeline, selection)
    done = surroundings.store.has_result
    fresh = [step for key, step in steps.items() if step.notebook.unseen or not done(pipeline.name, key)]
    if not fresh:
        yield None
        return
    names = [KERNEL, *(name for step in fresh for name in surroundings.warm_imports(step.notebook))]
    with LocalExecutor(names, excluded=[pipeline.project.root]) as executor:
        yield executor
