"""What a kernel's command and environment say about how it can be started."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STREAMS = ("stdin", "stdout", "stderr")

STARTUP_VARIABLES = ("LANG", "LC_", "LD_", "MALLOC_", "PYTHON")
"""Prefixes of variables that an interpreter reads once, at its start: a fork cannot follow a change of them."""

FOLLOWED_VARIABLES = {"PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE"}


def reason_for_interpreter(
    command: list[str], env: Mapping[str, str], forked_from: Mapping[str, str]
) -> str | None:
    """Why a kernel cannot be a fork of a process with the environment `forked_from`; None when it can."""
    if not is_python(command):
        return f"'{command[0]}' is not ipykernel in this Python"
    for name in sorted({*env, *forked_from}):
        decides = name.startswith(STARTUP_VARIABLES) and name not in FOLLOWED_VARIABLES
        if decides and env.get(name) != forked_from.get(name):
            return f"{name} differs, and an interpreter reads it only at its start"
    return None


def is_python(argv: list[str]) -> bool:
    """Whether this command is ipykernel in the interpreter that runs here, without options of its own."""
    ours = os.path.realpath(os.path.dirname(sys.executable))  # noqa: PTH120 - keeps the venv's own symlink
    program, *rest = argv
    if program.startswith("python") and os.sep not in program:
        program = sys.executable
    if os.path.realpath(os.path.dirname(program)) != ours or not Path(program).name.startswith("python"):  # noqa: PTH120
        return False
    if rest[:1] == ["-Xfrozen_modules=off"]:
        rest = rest[1:]
    return rest[:2] in (["-m", "ipykernel_launcher"], ["-m", "ipykernel"])


def given_streams(given: Mapping[str, Any], opened: contextlib.ExitStack) -> dict[str, int]:
    """The descriptors that are `given` as `subprocess.Popen` takes them; `opened` closes those made here."""
    streams: dict[str, int] = {}
    for name in STREAMS:
        stream = given.get(name)
        if stream == subprocess.DEVNULL:
            streams[name] = os.open(os.devnull, os.O_RDWR)
            opened.callback(os.close, streams[name])
        elif stream == subprocess.STDOUT:
            streams[name] = streams.get("stdout", 1)
        elif stream is not None:
            streams[name] = stream if isinstance(stream, int) else int(stream.fileno())
    return streams
