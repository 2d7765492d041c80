"""A process that leaves has done all that an interpreter does at its end, but for taking itself apart."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

BEFORE = "import atexit, sys, threading, time\nfrom workbench.leaving import leave\n"


def left(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BEFORE + code]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(command, env=env, text=True, stderr=subprocess.PIPE, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_output_is_flushed_threads_are_waited_for_and_exit_functions_run() -> None:
    done = left(
        "atexit.register(print, 'exit function')\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\n"
        "print('main')\n"
        "leave(3)",
        stdout=subprocess.PIPE,
    )
    assert done.stdout.split("\n") == ["main", "thread", "exit function", ""]
    assert done.returncode == 3


def test_nothing_is_taken_apart() -> None:
    done = left(
        "class Loud:\n    def __del__(self): print('gone', flush=True)\nloud = Loud()\nleave(0)",
        stdout=subprocess.PIPE,
    )
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize(("code", "seen"), [(0, 120), (1, 1)])
def test_output_that_nobody_takes(code: int, seen: int) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = left(f"print('main')\nleave({code})", stdout=full)
    assert done.returncode == seen


def test_no_output_at_all() -> None:
    done = left("sys.stdout = sys.__stdout__ = None\nleave(0)", stdout=subprocess.DEVNULL)
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_thread_that_never_ends_need_not_be_waited_for() -> None:
    done = left(
        "threading.Thread(target=threading.Event().wait).start()\nprint('main')\nleave(4, wait=False)",
        stdout=subprocess.PIPE,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == ("main\n", 4)
