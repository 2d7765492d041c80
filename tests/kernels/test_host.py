"""The host process: imports in order of need, threads that imports start, parallel owners' threads, no growth."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from workbench.kernels import KernelHost, linux
from workbench.kernels.client import host as default_host

from .conftest import in_kernel, started, until, wait_until
from .soak import soak


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of "third-party" modules: on PYTHONPATH, and not of the project."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "slow_module.py").write_text("import time; time.sleep(3)")
    (folder / "quick_module.py").write_text("LOADED_BY = __import__('os').getpid()")
    (folder / "broken_module.py").write_text("raise SystemExit('no')")
    (folder / "noisy_module.py").write_text("print('noise'); import os; os.environ['NOISY'] = 'yes'")
    (folder / "threaded_module.py").write_text(
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def loaded(*names: str) -> str:
    return f"import sys; print(*[name in sys.modules for name in {names!r}])"


def test_a_kernel_does_not_wait_for_what_others_need(packages: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"

    async def run(host: KernelHost) -> tuple[str, float]:
        async with started(host=host, imports=["quick_module"]) as kernel:
            return await kernel.run(loaded("quick_module", "slow_module")), time.monotonic()

    with KernelHost(["quick_module", "json"], excluded=[project]) as host:
        in_kernel(lambda kernel: kernel.run("1"), host=host)
        start = time.monotonic()
        host.add_imports(["wave", "slow_module"])
        seen, end = asyncio.run(run(host))
    assert seen.startswith("True")
    # At most the one import that has begun stands in the way.
    assert end - start < 6


def test_a_kernel_waits_for_its_own_imports(packages: Path, tmp_path: Path) -> None:
    with KernelHost(["slow_module"], excluded=[tmp_path / "project"]) as host:
        code = loaded("quick_module", "broken_module", "no_such_module")
        options = {"host": host, "imports": ["quick_module", "broken_module", "no_such_module"]}
        assert in_kernel(lambda kernel: kernel.run(code), **options) == "True False False"
        same = "import quick_module, os; print(quick_module.LOADED_BY == os.getpid())"
        assert in_kernel(lambda kernel: kernel.run(same), **options) == "False"
        failing = "import broken_module"
        assert "SystemExit" in in_kernel(lambda kernel: kernel.run(failing), **options)


def test_parts_of_packages_that_are_imported_late_are_there_for_the_next_kernel(tmp_path: Path) -> None:
    """pandas imports pyarrow.dataset when a table is read; no notebook names it. sqlparse is another package."""
    code = loaded("pyarrow.dataset", "sqlparse")

    async def run(host: KernelHost) -> list[str]:
        async with started(host=host, imports=["pyarrow"]) as kernel:
            seen = [await kernel.run(code), await kernel.run("import pyarrow.dataset, sqlparse")]
            assert await kernel.km.is_alive()
        while seen[-1] != "True False" and len(seen) < 50:
            async with started(host=host, imports=["pyarrow"]) as kernel:
                seen.append(await kernel.run(code))
        return seen

    with KernelHost(excluded=[tmp_path]) as host:
        seen = asyncio.run(run(host))
    assert (seen[0], seen[-1]) == ("False False", "True False")
    assert "True True" not in seen


def test_what_an_import_prints_and_sets(
    packages: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with KernelHost(excluded=[tmp_path / "project"]) as host:
        code = "import os, noisy_module; print(os.environ['NOISY'])"
        assert in_kernel(lambda kernel: kernel.run(code), host=host, imports=["noisy_module"]) == "yes"
    assert "noise" not in capfd.readouterr().out


def test_a_module_that_starts_a_thread_is_left_to_the_notebook(packages: Path, tmp_path: Path) -> None:
    imports = ["quick_module", "threaded_module", "wave"]

    async def run(host: KernelHost) -> list[str]:
        async with started(host=host) as early:
            code = loaded("quick_module", "threaded_module", "wave")
            async with started(host=host, imports=imports) as kernel:
                seen = [await kernel.run(code), await early.run("print('alive')")]
            async with started(host=host, imports=imports) as kernel:
                seen += [await kernel.run(code), await kernel.run("import threaded_module; print('ok')")]
            # Other kernels have ended since the host started anew; this one is still its own.
            return [*seen, await early.run("print('still alive')")]

    with KernelHost(excluded=[tmp_path / "project"]) as host:
        assert asyncio.run(run(host)) == ["True False True", "alive", "True False True", "ok", "still alive"]
        assert host.pid
        assert linux.count_threads(host.pid or 0) == 1


def test_common_libraries_leave_the_host_with_one_thread(tmp_path: Path) -> None:
    imports = [
        "pandas",
        "pyarrow.parquet",
        "sklearn.ensemble",
        "matplotlib.pyplot",
        "mlflow",
        "optuna",
        "skops.io",
    ]
    with KernelHost(imports, excluded=[tmp_path]) as host:
        code = loaded(*imports)
        assert in_kernel(lambda kernel: kernel.run(code), host=host, imports=imports) == " ".join(
            ["True"] * 7
        )
        assert linux.count_threads(host.pid or 0) == 1


def test_starts_from_several_threads_at_once(tmp_path: Path) -> None:
    results: list[str] = []
    with KernelHost(excluded=[tmp_path]) as host:

        def work(number: int) -> None:
            results.append(in_kernel(lambda kernel: kernel.run(f"print({number})"), host=host))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [str(number) for number in range(6)]


def test_the_host_stays_when_the_thread_that_started_it_ends(tmp_path: Path) -> None:
    with KernelHost(excluded=[tmp_path]) as host:
        thread = threading.Thread(target=host.start)
        thread.start()
        thread.join()
        first = host.pid
        assert in_kernel(lambda kernel: kernel.run("print(1)"), host=host) == "1"
        assert host.pid == first


def test_a_forked_owner_has_its_own_host(tmp_path: Path) -> None:
    with KernelHost(excluded=[tmp_path]) as host:
        host.start()
        first, folder = host.pid, host.folder
        read, write = os.pipe()
        fork = os.fork()
        if fork == 0:
            # The child keeps the parent's connections open, and uses the same object.
            host.start()
            os.write(write, f"{host.pid} {host.folder}".encode())
            signal.pause()
        theirs, their_folder = os.read(read, 1000).decode().split()
        assert (int(theirs), their_folder) != (first, str(folder))
        start = time.monotonic()
        host.close()
        assert time.monotonic() - start < 2
        assert not linux.is_running(first or 0)
        assert linux.is_running(int(theirs))
        os.kill(fork, signal.SIGKILL)
        os.waitpid(fork, 0)
        wait_until(lambda: not linux.is_running(int(theirs)) and not Path(their_folder).exists())
        os.close(read)
        os.close(write)


def test_a_host_that_is_lost_before_it_answers(tmp_path: Path) -> None:
    async def run() -> str:
        with KernelHost(excluded=[tmp_path]) as host:
            host.start()
            assert host.pid
            os.kill(host.pid, 9)
            async with started(host=host) as kernel:
                return await kernel.run("print('ok')")

    assert asyncio.run(run()) == "ok"


def test_the_default_host_is_one_for_the_process() -> None:
    assert default_host() is default_host()


def test_rubbish_is_ignored(tmp_path: Path) -> None:
    import socket

    with KernelHost(excluded=[tmp_path]) as host, socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(host.address)
        stranger.sendall(b"GET / HTTP/1.1\n")
        assert in_kernel(lambda kernel: kernel.run("print(1)"), host=host) == "1"


def test_only_the_user_can_enter_the_folder(tmp_path: Path) -> None:
    with KernelHost(excluded=[tmp_path]) as host:
        assert host.folder
        assert host.folder.stat().st_mode & 0o777 == 0o700
        assert len(host.address) < 100


def test_nothing_grows_and_nothing_stays() -> None:
    result = soak(40)
    early, late = result["early"], result["late"]
    assert result["kernels"] == 40
    assert late["host_files"] <= early["host_files"] + 2  # one may be open at one look and not at the other
    assert late["owner_threads"] <= early["owner_threads"]
    assert late["owner_files"] <= early["owner_files"] + 2
    assert late["host_kib"] < early["host_kib"] + 5_000
    assert result["after"]["threads"] == result["before"]["threads"]
    assert late["children_of_host"] == 0
    assert [name for name in late["left_in_folder"] if not name.startswith("host")] == []
    assert not result["host_running"]
    assert not result["folder_exists"]


def test_memory_of_processes_and_threads_is_read() -> None:
    me = os.getpid()
    assert linux.memory_of([me], exact=False) > linux.memory_of([me], exact=True) > 10_000_000
    assert linux.memory_of([2**22 + 1], exact=True) == 0
    assert linux.is_running(me)
    assert linux.parents()[me] == os.getppid()


def test_until_fails_in_time() -> None:
    with pytest.raises(AssertionError, match="in time"):
        asyncio.run(until(lambda: False, 0.05))
