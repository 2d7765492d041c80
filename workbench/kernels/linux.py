"""The few Linux facilities behind kernels that die with their owner: prctl, /proc and pidfds.

Everything degrades to "not available" rather than raising, because a container may hide any of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import time
from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
"""Loaded before any fork: dlopen between fork and exec is not safe in every libc."""


def die_with_parent(signum: int) -> None:
    """Ask the kernel to send `signum` to this process when its parent's thread ends; 0 for none."""
    _prctl(_PR_SET_PDEATHSIG, signum)


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent dies, however detached it is."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def name_process(name: str) -> None:
    """The name shown by `ps -e` and `top` (at most 15 bytes)."""
    if libc is not None:
        libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when `pid` ends; None where there are no pidfds."""
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):
        return None


def wait_for_end(pid: int, timeout: float) -> bool:
    """Whether a child process ends in `timeout` seconds; it stays to be reaped.

    `Popen.wait` with a timeout sleeps for longer and longer between two looks.
    """
    pidfd = open_pidfd(pid)
    if pidfd is None:
        deadline = time.monotonic() + timeout
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(0.005)
        return not is_running(pid)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        return bool(poll.poll(timeout * 1000))
    finally:
        os.close(pidfd)


def is_running(pid: int) -> bool:
    """Whether `pid` exists and is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib costs more than the read
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def count_threads(pid: int | str = "self") -> int:
    """Threads of a process that the operating system knows of, Python's or not."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
    except OSError:
        return 1


def parents() -> dict[int, int]:
    """Parent of every process that is visible."""
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123
                    found[int(entry)] = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    return found


def children(pid: int) -> list[int]:
    """Direct children of `pid`, zombies included."""
    return [child for child, parent in parents().items() if parent == pid]


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, nearest first."""
    by_parent: dict[int, list[int]] = {}
    for child, parent in parents().items():
        by_parent.setdefault(parent, []).append(child)
    found: list[int] = []
    level = [pid]
    while level:
        level = [child for parent in level for child in by_parent.get(parent, ())]
        found += level
    return found


def end_children() -> None:
    """Kill and reap every child of this process, and what is re-parented to it meanwhile, until none is left.

    Together with `adopt_orphans` this ends a whole tree exactly: each level falls to this process as the
    level above it dies. Ends on its own because ECHILD says that there is nothing left.
    """
    me = os.getpid()
    while _reap():
        for child in children(me):
            _kill(child)
        # SIGKILL is not immediate; wait for one death rather than spin.
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def memory_of(pids: list[int], *, exact: bool) -> int:
    """Bytes of RAM held by `pids`: resident, or `exact`: proportional, so that shared pages count once."""
    return sum(_memory(pid, exact=exact) for pid in pids)


def _memory(pid: int, *, exact: bool) -> int:
    try:
        if not exact:
            with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123
                return int(file.read().split()[1]) * _PAGE
        return sum(_proportional(pid))
    except (OSError, IndexError, ValueError):
        return 0


def _proportional(pid: int) -> Iterator[int]:
    with open(f"/proc/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123
        for line in file:
            if line.startswith(b"Pss:"):
                yield int(line.split()[1]) * 1024


def _reap() -> bool:
    """Collect zombies; False when there are no children at all."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if libc is not None:
        libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0)
