"""`python -m workbench.service.guard COMMAND…`: a part of the service whose own children must not outlive it.

MLflow's server starts processes that know nothing of us. The guard is the parent of whatever loses its parent below it,
so it ends them all: when the command ends, on SIGTERM, and when the service itself is killed, which the system tells it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import partial

from workbench.kernels import linux

PATIENCE = 10.0
"""Seconds that the command has to end by itself."""


def guard(command: Sequence[str]) -> int:
    """Run a command until it ends or SIGTERM comes; nothing of it is left. Its exit code."""
    linux.adopt_orphans()
    linux.name_process("part-guard")
    woken, over = threading.Event(), threading.Event()

    def end(*_: object) -> None:
        over.set()
        woken.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    signal.signal(signal.SIGCHLD, lambda *_: woken.set())
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, preexec_fn=partial(linux.die_with_parent, signal.SIGKILL)
    )
    while process.poll() is None and not over.is_set():
        woken.wait()
        woken.clear()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
    code = process.wait()
    linux.end_children()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]))
