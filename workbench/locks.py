"""A lock between processes: a file that one of them holds. The system frees it when the holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(file: Path, timeout: float | None = None) -> Iterator[None]:
    """Hold `file` alone while the block runs; it is made when missing and stays.

    Raises TimeoutError when another process holds it for longer than `timeout` seconds (default: wait).
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    try:
        _take(descriptor, file, timeout)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, file: Path, timeout: float | None) -> None:
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = 0.001
    while not _try(descriptor, wait=deadline is None):
        if deadline is not None and time.monotonic() > deadline:
            raise TimeoutError(f"another process holds '{file}' since more than {timeout:g} s")
        time.sleep(pause)
        pause = min(pause * 2, 0.1)


def _try(descriptor: int, *, wait: bool) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
