"""Many kernels through one host: does anything grow or stay? `python soak.py 1000 [parallel]`

Prints one line of JSON (also importable: `soak(count, parallel)`): memory and descriptors of owner and host
after a tenth of the kernels and at the end, and what was left over when the host was closed.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from pathlib import Path
from typing import Any

CODE = "import subprocess\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\nprint(1 + 1)"


def soak(count: int, parallel: int = 2) -> dict[str, Any]:
    """Run `count` one-cell notebooks on `parallel` threads."""
    from workbench.kernels import KernelHost, linux

    seconds: list[float] = []
    before = {"threads": threading.active_count(), "files": _files(os.getpid())}
    with KernelHost(["numpy"]) as host:
        _run(host, max(count // 10, parallel), parallel, seconds)
        early = _state(host.pid)
        _run(host, count - len(seconds), parallel, seconds)
        late = _state(host.pid)
        late["left_in_folder"] = sorted(path.name for path in host.folder.iterdir()) if host.folder else []
        patience = time.monotonic() + 10  # a guard ends a moment after its kernel's exit is known
        while linux.descendants(host.pid or 0) and time.monotonic() < patience:
            time.sleep(0.02)
        late["children_of_host"] = len(linux.descendants(host.pid or 0))
        folder, process = host.folder, host.pid
    after = {"threads": threading.active_count(), "files": _files(os.getpid())}
    return {
        "kernels": len(seconds),
        "median_seconds": round(statistics.median(seconds), 3),
        "slowest_seconds": round(max(seconds), 3),
        "early": early,
        "late": late,
        "before": before,
        "after": after,
        "host_running": linux.is_running(process or 0),
        "folder_exists": bool(folder and folder.exists()),
    }


def _run(host: Any, count: int, parallel: int, seconds: list[float]) -> None:
    """`count` kernels, on plain threads that each have an event loop of their own."""
    todo = list(range(count))
    errors: list[BaseException] = []

    def work() -> None:
        while True:
            try:
                todo.pop()
            except IndexError:
                return
            start = time.perf_counter()
            try:
                _one(host)
            except BaseException as error:  # noqa: BLE001 - raised again below
                errors.append(error)
                return
            seconds.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work) for _ in range(parallel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _one(host: Any) -> None:
    import asyncio

    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    from workbench.kernels import kernel_manager

    async def execute() -> None:
        nb = new_notebook(cells=[new_code_cell(CODE)])
        km = kernel_manager("python3", host=host, imports=["numpy"])
        client = NotebookClient(nb, km=km, shutdown_kernel="immediate")
        client.owns_km = True
        await client.async_execute()
        assert nb.cells[0].outputs[0].text == "2\n"

    asyncio.run(execute())


def _state(host: int | None) -> dict[str, int]:
    return {
        "owner_kib": _resident(os.getpid()),
        "host_kib": _resident(host or 0),
        "owner_files": _files(os.getpid()),
        "host_files": _files(host or 0),
        "owner_threads": threading.active_count(),
    }


def _files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)


if __name__ == "__main__":
    print(json.dumps(soak(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2)))
