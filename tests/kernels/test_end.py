"""How kernels end, what is known about it, and that nothing is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.errors import KernelError
from workbench.kernels import KernelExit, KernelHost, linux

from .conftest import Started, gone, in_kernel, started, until, wait_until

COLD = pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
GRANDCHILDREN = """
import subprocess, sys
plain = subprocess.Popen(["sleep", "300"])
detached = subprocess.Popen(["sleep", "300"], start_new_session=True)
daemon = subprocess.run("setsid sleep 300 >/dev/null 2>&1 & echo $!", shell=True, capture_output=True, text=True).stdout
print(plain.pid, detached.pid, daemon.strip())
"""
STUCK = "import re; re.match('(a+)+$', 'a' * 60 + 'b')"
"""Holds the GIL in C for longer than anyone waits."""


async def ended(kernel: Started, code: str) -> KernelExit:
    kernel.client.execute(code)
    return await kernel.report()


@COLD
def test_exit_code_and_peak_memory(host: KernelHost, cold: bool) -> None:
    report = in_kernel(
        lambda kernel: ended(kernel, "x = bytearray(300_000_000); import os; os._exit(7)"),
        host=host,
        cold=cold,
    )
    assert (report.code, report.signal, report.oom, report.infrastructure) == (7, None, False, False)
    assert 300e6 < report.peak_memory < 800e6


@COLD
def test_signal(host: KernelHost, cold: bool) -> None:
    report = in_kernel(
        lambda kernel: ended(kernel, "import ctypes; ctypes.string_at(0)"), host=host, cold=cold
    )
    assert (report.code, report.signal, report.returncode) == (None, signal.SIGSEGV, -signal.SIGSEGV)


def test_graceful_shutdown_runs_exit_functions(host: KernelHost, tmp_path: Path) -> None:
    async def run() -> tuple[KernelExit, float]:
        async with started(host=host) as kernel:
            await kernel.run(
                f"import atexit, pathlib; atexit.register(pathlib.Path('{tmp_path}/done').touch)"
            )
            start = time.monotonic()
            await kernel.km.shutdown_kernel()
            return kernel.provisioner.exit_report, time.monotonic() - start

    report, seconds = asyncio.run(run())
    assert report.code == 0
    assert (tmp_path / "done").exists()
    assert seconds < 1.5


@COLD
def test_memory_limit(host: KernelHost, cold: bool) -> None:
    async def run() -> tuple[str, KernelExit]:
        async with started(host=host, cold=cold, memory_limit=600_000_000) as kernel:
            printed = await kernel.run("x = bytearray(100_000_000); print(len(x))")
            return printed, await ended(kernel, "y = []\nwhile True: y.append(bytearray(10_000_000))")

    printed, report = asyncio.run(run())
    assert printed == "100000000"
    assert report.oom
    assert report.signal == signal.SIGKILL
    assert report.peak_memory > 600_000_000


def test_memory_limit_counts_children(host: KernelHost) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(10**9); input()'], stdin=subprocess.PIPE)"
    hog = code.replace("subprocess.run", "p = subprocess.Popen") + "; p.wait()"
    report = in_kernel(lambda kernel: ended(kernel, hog), host=host, memory_limit=700_000_000)
    assert report.oom


@COLD
@pytest.mark.parametrize(
    "code",
    ["import time; time.sleep(60)", "import numpy as np\nwhile True: np.sort(np.random.rand(10000))"],
    ids=["sleep", "numpy"],
)
def test_interrupt(host: KernelHost, cold: bool, code: str) -> None:
    async def run() -> tuple[str, str]:
        async with started(host=host, cold=cold, imports=["numpy"]) as kernel:
            await kernel.run("import numpy")
            running = asyncio.create_task(kernel.run("print('in'); " + code if "\n" not in code else code))
            await asyncio.sleep(0.3)
            await kernel.km.interrupt_kernel()
            return await running, await kernel.run("print(1 + 1)")

    interrupted, after = asyncio.run(run())
    assert "KeyboardInterrupt" in interrupted
    assert after == "2"


@COLD
@pytest.mark.parametrize("last", ["import os; os._exit(0)", STUCK], ids=["exits", "stuck"])
def test_grandchildren_end_with_the_kernel(host: KernelHost, cold: bool, last: str) -> None:
    async def run() -> list[int]:
        async with started(host=host, cold=cold) as kernel:
            pids = [int(pid) for pid in (await kernel.run(GRANDCHILDREN)).split()]
            assert len(pids) == 3
            assert all(linux.is_running(pid) for pid in pids)
            kernel.client.execute(last)
            if last == STUCK:
                await kernel.km.shutdown_kernel(now=True)
            else:
                await kernel.report()
            return pids

    # No waiting: when the owner knows of the end, there is nothing left.
    assert gone(*asyncio.run(run()))


def test_a_forgotten_kernel_ends(host: KernelHost) -> None:
    async def run() -> int:
        async with started(host=host) as kernel:
            kernel.provisioner._kernel.close()
            await until(lambda: gone(kernel.pid))
            return kernel.pid

    assert gone(asyncio.run(run()))


@pytest.mark.parametrize("cell", ["pass", STUCK], ids=["idle", "stuck"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_killed_owner(cell: str, how: signal.Signals, tmp_path: Path) -> None:
    owner = f"""
import asyncio, os, sys
from tests_kernels_conftest import started
from workbench.kernels import KernelHost
async def main():
    host = KernelHost()
    async with started(host=host) as kernel, started(host=host, cold=True) as second:
        print(host.pid, host.folder, kernel.pid, second.pid, *(await kernel.run({GRANDCHILDREN!r})).split(), flush=True)
        kernel.client.execute({cell!r}); second.client.execute({cell!r})
        await asyncio.sleep(0.3)
        print("ready", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    (tmp_path / "tests_kernels_conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text())
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout
        host, folder, *others = process.stdout.readline().split()
        assert process.stdout.readline() == "ready\n"
        process.send_signal(how)
        process.wait()
        pids = [int(host), *map(int, others)]
        assert len(pids) == 6
        assert wait_until(lambda: gone(*pids)) < 2
        wait_until(lambda: not Path(folder).exists())


def test_a_host_whose_exit_waits_for_ever_ends_all_the_same(tmp_path: Path) -> None:
    """What a host imports may replace os._exit, as coverage does, by something that never returns."""
    (tmp_path / "waiting_exit.py").write_text(
        "import os, threading\nos._exit = lambda code: threading.Event().wait()\nopen('imported', 'w').close()"
    )
    owner = (
        "import time\nfrom workbench.kernels import KernelHost\nhost = KernelHost(['waiting_exit'], excluded=['.'])\n"
        "host.start()\nprint(host.pid, flush=True)\ntime.sleep(60)"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    work = tmp_path / "work"
    work.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True, env=env, cwd=work
    ) as process:
        assert process.stdout
        host = int(process.stdout.readline())
        wait_until((work / "imported").exists, 30)
        process.kill()
        process.wait()
        wait_until(lambda: gone(host), 30)


def test_a_lost_host_is_replaced_and_its_kernels_live_on(tmp_path: Path) -> None:
    async def run() -> None:
        with KernelHost(excluded=[tmp_path]) as host:
            async with started(host=host) as kernel:
                assert host.pid
                first = host.pid
                os.kill(first, signal.SIGKILL)
                await until(lambda: gone(first))
                assert await kernel.run("print('alive')") == "alive"
                async with started(host=host) as second:
                    assert await second.run("print('new')") == "new"
                    assert host.pid != first
                pid = kernel.pid
            assert gone(pid)

    asyncio.run(run())


def test_a_lost_guard_is_reported_as_infrastructure(host: KernelHost) -> None:
    async def run() -> tuple[KernelExit, list[int]]:
        async with started(host=host) as kernel:
            pids = [int(pid) for pid in (await kernel.run(GRANDCHILDREN)).split()]
            os.kill(linux.parents()[kernel.pid], signal.SIGKILL)
            report = await kernel.report()
            await until(lambda: gone(kernel.pid, *pids))
            assert await kernel.km.is_alive() is False
            return report, pids

    report, _ = asyncio.run(run())
    assert report.infrastructure
    assert (report.code, report.signal, report.oom) == (None, None, False)


def test_what_cannot_start_says_why(host: KernelHost) -> None:
    with pytest.raises(KernelError, match="no-such-folder"):
        in_kernel(lambda kernel: kernel.run("1"), host=host, cwd="/no-such-folder")


def test_close_ends_everything(tmp_path: Path) -> None:
    async def run() -> list[int]:
        with KernelHost() as host:
            async with started(host=host) as kernel:
                assert host.pid
                pids = [host.pid, kernel.pid, *map(int, (await kernel.run(GRANDCHILDREN)).split())]
                folder = host.folder
                host.close()
                assert gone(*pids)
                assert folder
                assert not folder.exists()
                with pytest.raises(KernelError, match="closed"):
                    host.start()
                return pids

    asyncio.run(run())
