"""Work that only takes what others leave of the processors."""

from __future__ import annotations

import contextlib
import os

_LOWEST = 19


def only_what_is_left() -> None:
    """Lower this thread (where there is no such thing: this process), and what it starts. It cannot be raised again.

    On Linux SCHED_IDLE runs when nobody else wants to; elsewhere, and where that is forbidden, the lowest niceness.
    """
    os.nice(_LOWEST)
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):  # a sandbox may forbid it, and niceness does the same less sharply
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
