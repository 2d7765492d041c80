"""The Jupyter kernel provisioner: how papermill, nbclient, nbval and JupyterLab get warm kernels."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets import Bool, Instance, Integer, List, Unicode

from workbench.errors import KernelError
from workbench.kernels import threads
from workbench.kernels.client import KernelHost, KernelProcess, host, is_supported
from workbench.kernels.command import STREAMS, given_streams, is_python, reason_for_interpreter
from workbench.kernels.wire import KernelExit, Launch

DEATH_WAIT = 3.0
"""Seconds to wait for the report of a kernel that was killed; it comes within milliseconds."""

GRACE = 1.0
"""Seconds to watch a kernel that was asked to end; then Jupyter's own patience begins."""


class WorkbenchProvisioner(LocalProvisioner):
    """Starts kernels through the process's kernel host: forked when they can be, executed when not.

    After a kernel's end, `exit_report` says how it ended.
    """

    cold = Bool(False, config=True, help="Always start a fresh interpreter.")
    memory_limit = Integer(
        None, allow_none=True, config=True, help="Bytes of RAM for the kernel and its children."
    )
    threads = Integer(
        None, allow_none=True, config=True, help="Threads for BLAS and OpenMP (default: all cores)."
    )
    imports = List(Unicode(), config=True, help="Modules that must be imported before the kernel starts.")
    arguments = List(Unicode(), config=True, help="Arguments to add to the kernel's command.")
    host = Instance(KernelHost, allow_none=True)

    _kernel: KernelProcess | None = None
    _report: KernelExit | None = None
    _ahead: tuple[Launch, KernelProcess] | None = None
    """A kernel that was asked for before `launch_kernel` was."""
    ordinary: str | None = None
    """Why an ordinary kernel was started instead of a warm one, where nobody asked for it."""

    @property
    def exit_report(self) -> KernelExit | None:
        """How the last kernel ended; None while it lives, and where the platform's own provisioner ran it."""
        return self._kernel.update() if self._kernel else self._report

    @property
    def has_process(self) -> bool:
        return self._kernel is not None or bool(super().has_process)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Give the connection file and the sockets a place in the host's private folder."""
        km = self.parent
        if km and is_supported() and not self._reason_for_local(kwargs) and not km._connection_file_written:
            place = self._host().new_place()
            if not km.connection_file:
                km.connection_file = f"{place}.json"
            if is_python(self.kernel_spec.argv):
                if km.client_class == "jupyter_client.asynchronous.AsyncKernelClient":
                    km.client_class = "workbench.kernels.jupyter.PromptKernelClient"
                km.transport = "ipc"
                km.ip = place
        given = list(kwargs.get("extra_arguments", []))
        known = {argument.partition("=")[0] for argument in given}
        kwargs["extra_arguments"] = given + [a for a in self.arguments if a.partition("=")[0] not in known]
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel and wait until it accepts connections."""
        local = self._reason_for_local(kwargs)
        if local:
            self.log.warning("kernel started by Jupyter's own provisioner: %s", local)
            self.ordinary = local
            return await super().launch_kernel(cmd, **kwargs)
        cold = self._reason_for_cold(cmd, kwargs["env"])
        if cold and not self.cold:
            self.log.warning("cold kernel: %s", cold)
            self.ordinary = cold
        with contextlib.ExitStack() as opened:
            streams = given_streams(kwargs, opened)
            launch = self._launch(cmd, kwargs, streams, warm=not cold)
            self._report = None
            self._kernel = await self._started(launch, list(streams.values()))
        self.pid = self.pgid = self._kernel.pid
        self.cwd = launch.cwd
        return self.connection_info

    def launch_ahead(self, cmd: list[str], **kwargs: Any) -> None:
        """Ask for the kernel that `launch_kernel` will be asked for with the same arguments; does not wait for it.

        Nothing happens where no kernel host would start it.
        """
        if self._reason_for_local(kwargs) or self._reason_for_cold(cmd, kwargs["env"]):
            return
        launch = self._launch(cmd, kwargs, {}, warm=True)
        self._ahead = launch, self._host().launch(launch)

    def let_go(self) -> None:
        """End the kernel that was asked for ahead; returns at once."""
        if self._ahead is not None:
            self._ahead[1].close()
            self._ahead = None

    def _launch(
        self, cmd: list[str], kwargs: Mapping[str, Any], streams: Mapping[str, int], *, warm: bool
    ) -> Launch:
        return Launch(
            argv=tuple(str(Path(part).expanduser()) if part.startswith("~") else part for part in cmd),
            env=threads.with_limits(kwargs["env"], self.threads),
            cwd=str(kwargs.get("cwd") or Path.cwd()),
            warm=warm,
            imports=tuple(self.imports),
            memory_limit=self.memory_limit,
            threads=self.threads,
            learn=warm and not self.imports,
            streams=tuple(streams),
        )

    async def _started(self, launch: Launch, descriptors: list[int]) -> KernelProcess:
        """A kernel that is ready; tried once more when the host is lost on the way."""
        for _ in range(2):
            kernel = self._taken(launch) or self._host().launch(launch, descriptors)
            try:
                await _until(kernel, kernel.has_started)
            except BaseException:
                kernel.close()
                raise
            if kernel.pid:
                return kernel
            kernel.close()
            if not (kernel.exit and kernel.exit.infrastructure):
                break
        raise KernelError(f"the kernel did not start: {kernel.failure or 'the kernel host was lost'}")

    def _taken(self, launch: Launch) -> KernelProcess | None:
        """The kernel that was asked for ahead, if it lives and is what is asked for now."""
        if self._ahead is None:
            return None
        (asked, kernel), self._ahead = self._ahead, None
        if asked == launch and kernel.update() is None:
            return kernel
        kernel.close()
        return None

    async def poll(self) -> int | None:
        if self._kernel is None:
            return self._report.returncode if self._report else await super().poll()
        report = self._kernel.update()
        self._learn(self._kernel)
        return report.returncode if report else None

    async def wait(self) -> int | None:
        if self._kernel is None:
            return self._report.returncode if self._report else await super().wait()
        kernel = self._kernel
        await _until(kernel, kernel.update)
        self._learn(kernel)
        self._report = kernel.exit
        self._kernel = None
        return self._report.returncode if self._report else None

    async def send_signal(self, signum: int) -> None:
        if self._kernel is None:
            await super().send_signal(signum)
        else:
            self._kernel.signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel and its descendants, and wait the moment until they are gone."""
        if self._kernel is None:
            await super().kill(restart)
            return
        kernel = self._kernel
        kernel.kill()
        await _until(kernel, kernel.update, timeout=DEATH_WAIT)

    async def terminate(self, restart: bool = False) -> None:
        if self._kernel is None:
            await super().terminate(restart)
        else:
            self._kernel.signal(signal.SIGTERM)

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Wait the moment that a kernel takes to end of its own accord, where Jupyter looks every 0.1 s."""
        if self._kernel is not None:
            await _until(self._kernel, self._kernel.update, timeout=GRACE)

    async def cleanup(self, restart: bool = False) -> None:
        if self._ahead is not None:
            # Nobody came for it. Its files can go once nothing more is written there.
            kernel = self._ahead[1]
            kernel.kill()
            await _until(kernel, kernel.update, timeout=DEATH_WAIT)
            self.let_go()
        if self._kernel is not None:
            self._report = self._kernel.update()
            self._kernel.close()
            self._kernel = None
        await super().cleanup(restart)

    def _learn(self, kernel: KernelProcess) -> None:
        """Warm up for the next kernel what this one has imported, where nobody has said what it needs."""
        if kernel.imported:
            self._host().add_imports(kernel.imported)
            kernel.imported.clear()

    def _host(self) -> KernelHost:
        return self.host or host()

    def _reason_for_local(self, kwargs: dict[str, Any]) -> str | None:
        """Why this kernel cannot be a child of the kernel host; None when it can."""
        if not is_supported():
            return f"no kernel host on {sys.platform}"
        if kwargs.get("independent"):
            return "it is to outlive this process"
        for name in STREAMS:
            if kwargs.get(name) == subprocess.PIPE:
                return f"{name} is a pipe of this process"
        return None

    def _reason_for_cold(self, cmd: list[str], env: Mapping[str, str]) -> str | None:
        """Why this kernel needs an interpreter of its own; None when it can be forked."""
        return "asked for" if self.cold else reason_for_interpreter(cmd, env, self._host().environment)


async def _until(
    kernel: KernelProcess, condition: Callable[[], object], timeout: float | None = None
) -> None:
    """Wait for `condition`, looking again whenever the kernel's guard has sent something."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while not condition() and (deadline is None or time.monotonic() < deadline):
        loop, news, descriptor = asyncio.get_running_loop(), asyncio.Event(), kernel.fileno()
        try:
            loop.add_reader(descriptor, news.set)
        except (NotImplementedError, ValueError, OSError):
            await asyncio.sleep(0.005)
            continue
        try:
            # Another task may wait for the same kernel and take the reader over: look again on our own, too.
            await asyncio.wait_for(news.wait(), timeout=0.05)
        except TimeoutError:
            continue
        finally:
            loop.remove_reader(descriptor)
