"""Work that only takes what others leave of the processors."""

from __future__ import annotations

import contextlib
import os
import time

import psutil

_LOWEST = 19

LOOK = 0.25
"""Seconds between two looks at how busy the processors are."""
SPARE = 0.3
"""The idle share of all processors above which there is enough for everybody."""
RESTS, LONGEST_REST = 9.0, 0.5
"""Where there is not: times as long as it worked that it rests, and the longest in seconds."""


def only_what_is_left() -> None:
    """Lower this thread (where there is no such thing: this process), and what it starts. It cannot be raised again.

    On Linux SCHED_IDLE runs when nobody else wants to; elsewhere, and where that is forbidden, the lowest niceness.
    """
    os.nice(_LOWEST)
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):  # a sandbox may forbid it, and niceness does the same less sharply
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


class Leisure:
    """How long to rest between two pieces of work.

    The lowest priority gives way to whoever is at work, but not to those who are about to be: what they find in the
    caches, the memory's bandwidth and locks that are held make them slower. So it rests where processors are scarce.
    """

    def __init__(self) -> None:
        self._looked = 0.0
        self._idle, self._all = 0.0, 0.0
        self._spare = 1.0

    def rest(self, worked: float) -> float:
        """Seconds to rest after having worked for so many."""
        now = time.monotonic()
        if now - self._looked >= LOOK:
            times = psutil.cpu_times()
            idle, everything = times.idle + getattr(times, "iowait", 0.0), sum(times)
            if everything > self._all:
                self._spare = (idle - self._idle) / (everything - self._all)
            self._looked, self._idle, self._all = now, idle, everything
        return 0.0 if self._spare > SPARE else min(worked * RESTS, LONGEST_REST)
