"""Kernels that run before their steps do.

What a kernel is started with is known before a step's inputs are. So it starts while the step before it still
works, and the step finds it ready: a tenth of a second that nobody waits for. Such a kernel is as new and as
much used once as any other; one that nobody comes for is ended.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import KernelError

if TYPE_CHECKING:
    from workbench.kernels import KernelHost
    from workbench.kernels.jupyter import PromptKernelManager

GRACE_SECONDS = 0.5


@dataclass(frozen=True)
class KernelSetup:
    """All that a kernel is started with. Where it is the same for two steps, so may be their kernels."""

    name: str
    """The kernelspec's."""
    root: Path
    """The kernel's working directory."""
    folder: Path
    """The notebook's: modules beside it can be imported."""
    environment: Mapping[str, str]
    """Added to this process's environment."""
    imports: tuple[str, ...] = ()
    """Packages that the notebook imports, for a kernel that has them ready."""
    hidden: tuple[str, ...] = ()
    """Environment variables that this step must not see: the secrets of others."""
    threads: int | None = None
    """For numerical libraries."""
    memory_limit: int | None = None
    """Bytes."""
    cold: bool = False

    def variables(self) -> dict[str, str]:
        """The kernel's whole environment."""
        inherited = {name: value for name, value in os.environ.items() if name not in self.hidden}
        paths = [str(self.root), str(self.folder), inherited.get("PYTHONPATH", "")]
        inherited["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(path for path in paths if path))
        return inherited | dict(self.environment)

    def kernel(self, host: KernelHost | None) -> PromptKernelManager:
        """The manager of a kernel that is not started yet. Raises NoSuchKernel."""
        from workbench.kernels import kernel_manager

        return kernel_manager(
            self.name,
            host=host,
            cold=self.cold,
            memory_limit=self.memory_limit,
            threads=self.threads,
            imports=self.imports,
        )


@dataclass
class _Ahead:
    """A kernel without a step."""

    setup: KernelSetup
    kernel: PromptKernelManager
    unwanted: float | None = None
    """Since when it is not expected any more."""


class AheadKernels:
    """Kernels of one host that have no step yet. Any thread may ask; a thread of its own does the work.

    expect, take → _work: _missing → _start, _overdue → _end, until close
    """

    def __init__(self, host: KernelHost) -> None:
        self._host = host
        self._changed = threading.Condition()
        self._expected: list[KernelSetup] = []
        self._there: list[_Ahead] = []
        self._closed = False
        self._thread: threading.Thread | None = None

    def expect(self, setups: Sequence[KernelSetup]) -> None:
        """Have one kernel for each of these; returns at once. Others end if nobody takes them in a moment.

        Nothing starts before the first `take`: what both would have to import first, the step imports sooner.
        """
        with self._changed:
            if self._expected != list(setups):
                self._expected = list(setups)
                self._changed.notify()

    def take(self, setup: KernelSetup) -> PromptKernelManager | None:
        """A kernel with this setup, which is then the caller's; None when there is none."""
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name="ahead", daemon=True)
                self._thread.start()
            found = next((each for each in self._there if each.setup == setup), None)
            if found is None:
                return None
            self._there.remove(found)
            self._changed.notify()
            return found.kernel

    def stop(self) -> None:
        """Start none any more; returns at once."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def close(self) -> None:
        """Let go of all: they end, and their files go with their host's. Quick where the host is closed."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
        for each in self._there:
            each.kernel.let_go()
        self._there.clear()

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                missing, overdue = self._missing(), self._overdue()
                if not missing and not overdue:
                    unwanted = any(each.unwanted is not None for each in self._there)
                    self._changed.wait(GRACE_SECONDS / 2 if unwanted else None)
                    continue
            for kernel in overdue:
                asyncio.run(_end(kernel))
            if missing:
                self._start(missing[0])

    def _missing(self) -> list[KernelSetup]:
        """Setups that are expected and have no kernel; notes which kernels nobody expects."""
        missing = list(self._expected)
        for each in self._there:
            if each.setup in missing:
                missing.remove(each.setup)
                each.unwanted = None
            elif each.unwanted is None:
                each.unwanted = time.monotonic()
        return missing

    def _overdue(self) -> list[PromptKernelManager]:
        """Kernels to end. A step that has just begun is expected no more, and takes its own in a moment."""
        now = time.monotonic()
        late = [each for each in self._there if each.unwanted and now - each.unwanted > GRACE_SECONDS]
        self._there = [each for each in self._there if each not in late]
        return [each.kernel for each in late]

    def _start(self, setup: KernelSetup) -> None:
        try:
            kernel = setup.kernel(self._host)
        except KeyError:  # Jupyter's NoSuchKernel: the step says so
            with self._changed:
                self._expected = [each for each in self._expected if each != setup]
            return
        with suppress(KernelError, OSError):  # the step tries again, and says what is wrong
            asyncio.run(kernel.start_ahead(env=setup.variables(), cwd=str(setup.root)))
        with self._changed:
            self._there.append(_Ahead(setup, kernel))


async def _end(kernel: PromptKernelManager) -> None:
    await kernel.cleanup_resources()
