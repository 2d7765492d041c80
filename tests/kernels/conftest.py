"""Real kernels, one host for each test module."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from workbench.kernels import KernelExit, KernelHost, kernel_manager, linux

T = TypeVar("T")
Start = Callable[..., Any]
IMPORTS = ["numpy", "pandas", "sklearn.ensemble", "matplotlib.pyplot"]


class Started:
    """A running kernel and its client."""

    def __init__(self, km: Any, client: Any) -> None:
        self.km = km
        self.client = client
        self.provisioner = km.provisioner

    @property
    def pid(self) -> int:
        return int(self.provisioner.pid)

    async def run(self, code: str, timeout: float = 30) -> str:
        """What `code` prints, or its error."""
        printed: list[str] = []

        def keep(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            elif message["msg_type"] == "error":
                printed.append(f"{content['ename']}: {content['evalue']}")

        await self.client.execute_interactive(code, output_hook=keep, timeout=timeout, allow_stdin=False)
        return "".join(printed).strip()

    async def report(self, timeout: float = 5) -> KernelExit:
        """How the kernel ended, once it has."""
        await until(lambda: self.provisioner.exit_report, timeout)
        exit_report: KernelExit = self.provisioner.exit_report
        return exit_report


@asynccontextmanager
async def started(kernel_name: str = "python3", **options: Any) -> AsyncIterator[Started]:
    """A kernel from nothing to gone; start_kernel's own options are `cwd` and `env`."""
    launch = {key: options.pop(key) for key in ("cwd", "env") if key in options}
    km = kernel_manager(kernel_name, **options)
    await km.start_kernel(**launch)
    client = km.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        yield Started(km, client)
    finally:
        client.stop_channels()
        if km.has_kernel:
            await km.shutdown_kernel(now=True)


async def until(condition: Callable[[], object], timeout: float = 5) -> None:
    """Wait for `condition`; fail when it does not come true in `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "condition did not come true in time"
        await asyncio.sleep(0.01)


def wait_until(condition: Callable[[], object], timeout: float = 5) -> float:
    """As `until`, outside an event loop; returns the seconds it took."""
    start = time.monotonic()
    asyncio.run(until(condition, timeout))
    return time.monotonic() - start


def gone(*pids: int) -> bool:
    return not any(linux.is_running(pid) for pid in pids)


def both(code: str, host: KernelHost, **options: Any) -> tuple[str, str]:
    """What `code` prints in a warm and in a cold kernel."""

    async def run() -> tuple[str, str]:
        outputs = []
        for cold in (False, True):
            async with started(host=host, cold=cold, **options) as kernel:
                outputs.append(await kernel.run(code))
        return outputs[0], outputs[1]

    return asyncio.run(run())


def in_kernel(work: Callable[[Started], Awaitable[T]], **options: Any) -> T:
    """The result of `work` on a fresh kernel."""

    async def run() -> T:
        async with started(**options) as kernel:
            return await work(kernel)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelHost]:
    project = tmp_path_factory.mktemp("project")
    with KernelHost(IMPORTS, excluded=[project]) as running:
        yield running


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
