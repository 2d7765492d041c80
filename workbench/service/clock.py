"""What time it is for the service: the system's, unless a test lets time run faster or from another day."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

VARIABLE = "WORKBENCH_CLOCK"
"""`REAL SHOWN SPEED`: at the system's time REAL it was SHOWN, and since then time runs SPEED times as fast. For tests."""


@dataclass(frozen=True)
class Clock:
    """Seconds since the epoch, as the service sees them."""

    real: float = 0.0
    shown: float = 0.0
    speed: float = 1.0

    def now(self) -> float:
        return self.shown + (time.time() - self.real) * self.speed

    def __str__(self) -> str:
        return f"{self.real!r} {self.shown!r} {self.speed!r}"


def clock_here() -> Clock:
    """The clock of this process's environment."""
    text = os.environ.get(VARIABLE)
    return Clock(*map(float, text.split())) if text else Clock()
