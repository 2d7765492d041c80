"""The end of a process, without the teardown of all that it has imported, which takes longer than many commands."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn

_UNWRITTEN = 120
"""As the interpreter: 0 becomes this when the last output could not be written."""


def leave(code: int, *, wait: bool = True) -> NoReturn:
    """End this process as the interpreter does, but leave taking modules and objects apart to the system.

    Threads other than daemons are waited for unless `wait` is false, exit functions run, output is flushed.
    """
    if wait:
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and not stream.closed:
            try:
                stream.flush()
            except OSError:
                code = code or _UNWRITTEN
    os._exit(code)
