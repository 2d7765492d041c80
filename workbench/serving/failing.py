"""A version that could not be loaded, and when it is tried again: more and more rarely."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_RETRY, LAST_RETRY = 1.0, 60.0
"""Seconds to the next try after the first failure; each time twice as many, up to the last."""


@dataclass(frozen=True)
class Failed:
    """A version that could not take its part."""

    version: int
    delay: float
    again: float
    """When it is tried again, by the monotonic clock."""

    def at_once(self) -> Failed:
        """Somebody did something: what failed may work now."""
        return replace(self, delay=FIRST_RETRY / 2, again=0.0)


def failed(version: int, before: Failed | None, now: float) -> Failed:
    """A version has failed; `before` is what failed before, this version or another."""
    again = before is not None and before.version == version
    delay = min(before.delay * 2, LAST_RETRY) if again and before else FIRST_RETRY
    return Failed(version, delay, now + delay)
